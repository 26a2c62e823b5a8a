//! Options as a host of version 0 parses them: no bytes panic, and what the parser made of them
//! it makes of them again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mptcpsim_models::mptcp_keys::Version;
use mptcpsim_models::payload::Payload;
use mptcpsim_models::segment::{Flags, Segment};
use mptcpsim_models::wire::{emit_options, parse_options};

fuzz_target!(|input: (u8, bool, &[u8])| {
    let (flags, has_payload, bytes) = input;
    let payload = Payload::pattern(0, u32::from(has_payload));
    let blank = Segment { flags: Flags(flags), payload, ..Segment::default() };
    let mut segment = blank.clone();
    parse_options(bytes, Version::V0, &mut segment);
    if let Ok(emitted) = emit_options(&segment, Version::V0) {
        assert_eq!(emitted.len(), usize::from(segment.options_len()));
        let mut again = blank;
        parse_options(&emitted, Version::V0, &mut again);
        assert_eq!(again, segment);
    }
});
