//! Whole packets, as captures and live peers hand them over.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mptcpsim_models::mptcp_keys::Version;
use mptcpsim_models::wire::{emit_snapped, parse, parse_snapped};

fuzz_target!(|input: (bool, &[u8])| {
    let (upstream, bytes) = input;
    let version = if upstream { Version::V1 } else { Version::V0 };
    let strict = parse(bytes, version);
    let Ok(parsed) = parse_snapped(bytes, version) else {
        assert!(strict.is_err());
        return;
    };
    assert_eq!(strict.is_ok(), parsed.missing == 0);
    let mut again = Vec::new();
    let segment = &parsed.segment;
    if emit_snapped(parsed.tuple, segment, parsed.ip, version, usize::MAX, &mut again).is_ok() {
        let reparsed = parse(&again, version).expect("an emitted packet is one");
        assert_eq!(reparsed.checksum_holds, Some(true));
        assert_eq!((reparsed.tuple, reparsed.ip), (parsed.tuple, parsed.ip));
        let mut segment = parsed.segment;
        segment.seal(parsed.tuple.ip_header());
        assert_eq!(reparsed.segment, segment);
    }
});
