use mptcpsim_models::mptcp_keys::Version;
use mptcpsim_models::segment::{Flags, FourTuple, Rare, Segment};
use mptcpsim_models::wire::{
    IpFields, WireError, drop_unheard, emit, emit_options, emit_snapped, parse, parse_options,
    parse_snapped,
};
use proptest::prelude::*;

use super::strategies::{any_segment, ip, segment, version};

/// A packet that both ends understand.
fn packet() -> impl Strategy<Value = (FourTuple, IpFields, Segment, Version)> {
    (ip(), version()).prop_flat_map(|((tuple, ip), version)| {
        (Just(tuple), Just(ip), segment(version), Just(version)).prop_map(
            |(tuple, ip, mut segment, version)| {
                segment.seal(tuple.ip_header());
                (tuple, ip, segment, version)
            },
        )
    })
}

/// What `segment` carries for MPTCP.
fn mptcp_options(segment: &Segment) -> Segment {
    let rare = segment.rare().cloned().unwrap_or_default();
    let rare = Rare {
        mp_capable: rare.mp_capable,
        mp_join: rare.mp_join,
        add_addr: rare.add_addr,
        remove_addr: rare.remove_addr,
        mp_prio: rare.mp_prio,
        mp_fail: rare.mp_fail,
        mp_fastclose: rare.mp_fastclose,
        mp_tcprst: rare.mp_tcprst,
        ..Rare::default()
    };
    Segment { dss: segment.dss, rare: Some(Box::new(rare)), ..Segment::default() }
}

/// Bits of an IPv6 packet that no checksum covers: traffic class, flow label and hop limit.
fn uncovered(tuple: FourTuple, bit: usize) -> bool {
    tuple.src.is_ipv6() && ((4..32).contains(&bit) || (56..64).contains(&bit))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_was_emitted_is_parsed((tuple, ip, segment, version) in packet()) {
        let bytes = emit(tuple, &segment, ip, version).unwrap();
        prop_assert_eq!(bytes.len(), segment.wire_len() as usize);
        let options = emit_options(&segment, version).unwrap();
        prop_assert_eq!(options.len(), usize::from(segment.options_len()));
        let parsed = parse(&bytes, version).unwrap();
        prop_assert_eq!(&parsed.segment, &segment);
        prop_assert_eq!((parsed.tuple, parsed.ip), (tuple, ip));
        prop_assert_eq!((parsed.checksum_holds, parsed.missing), (Some(true), 0));
    }

    #[test]
    fn a_snapped_packet_is_the_start_of_the_packet(
        (tuple, ip, segment, version) in packet(), snap_len in 0usize..200,
    ) {
        let bytes = emit(tuple, &segment, ip, version).unwrap();
        let mut snapped = vec![0xee];
        let len = emit_snapped(tuple, &segment, ip, version, snap_len, &mut snapped);
        prop_assert_eq!(len, Ok(bytes.len() as u32));
        let kept = snap_len.clamp(segment.header_len.into(), bytes.len());
        prop_assert_eq!(&snapped[1..], &bytes[..kept]);
        let parsed = parse_snapped(&snapped[1..], version).unwrap();
        prop_assert_eq!(parsed.missing as usize, bytes.len() - kept);
        prop_assert_eq!(parsed.checksum_holds, (parsed.missing == 0).then_some(true));
        prop_assert_eq!(parsed.segment.payload.len(), segment.payload.len());
        prop_assert_eq!(parsed.segment.rare, segment.rare);
        if kept < bytes.len() {
            prop_assert_eq!(parse(&bytes[..kept], version), Err(WireError::Truncated));
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed((tuple, ip, segment, version) in packet(), at: prop::sample::Index) {
        let mut bytes = emit(tuple, &segment, ip, version).unwrap();
        let bit = at.index(bytes.len() * 8);
        prop_assume!(!uncovered(tuple, bit));
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        let noticed = parse(&bytes, version).map_or(true, |parsed| parsed.checksum_holds == Some(false));
        prop_assert!(noticed, "bit {bit}");
    }

    #[test]
    fn bytes_and_values_are_heard_alike(
        (version, segment) in version().prop_flat_map(|version| (Just(version), any_segment(version))),
    ) {
        let bytes = emit_options(&segment, version).unwrap();
        let mut parsed = Segment {
            flags: segment.flags, payload: segment.payload.clone(), ..Segment::default()
        };
        parse_options(&bytes, version, &mut parsed);
        let mut filtered = segment.clone();
        drop_unheard(&mut filtered, version);
        prop_assert_eq!(mptcp_options(&parsed), mptcp_options(&filtered));
        // What nobody heard is still there.
        prop_assert_eq!(emit_options(&parsed, version), Ok(bytes));
    }

    #[test]
    fn any_order_and_padding_survives(
        (version, flags, bytes) in (version(), any::<u8>(), scattered_options()),
    ) {
        let mut segment = Segment { flags: Flags(flags), ..Segment::default() };
        parse_options(&bytes, version, &mut segment);
        prop_assert_eq!(usize::from(segment.options_len()), bytes.len());
        prop_assert_eq!(&emit_options(&segment, version).unwrap()[..], &bytes[..]);
    }

    #[test]
    fn no_options_panic(version in version(), flags: u8, bytes in odd_options()) {
        let mut segment = Segment { flags: Flags(flags), ..Segment::default() };
        parse_options(&bytes, version, &mut segment);
        // Once through the parser, a segment stays what it is.
        if let Ok(emitted) = emit_options(&segment, version) {
            let mut again = Segment { flags: segment.flags, ..Segment::default() };
            parse_options(&emitted, version, &mut again);
            prop_assert_eq!(again, segment);
        }
    }

    #[test]
    fn no_bytes_panic(
        version in version(),
        (tuple, ip, segment, _) in packet(),
        damage in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..8),
        cut: prop::sample::Index,
        noise in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut bytes = emit(tuple, &segment, ip, Version::V1).unwrap();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        for bytes in [bytes, noise] {
            let strict = parse(&bytes, version);
            if let Ok(parsed) = parse_snapped(&bytes, version) {
                prop_assert!(parsed.segment.wire_len() >= 40);
                prop_assert_eq!(strict.is_ok(), parsed.missing == 0);
            }
        }
    }
}

/// Options of all kinds as bytes, in any order, each behind up to three bytes of padding, the
/// last one before padding of one kind or the other.
fn scattered_options() -> impl Strategy<Value = Vec<u8>> {
    let options: Vec<&'static [u8]> = vec![
        &[2, 4, 5, 0xb4],
        &[3, 3, 7],
        &[4, 2],
        &[5, 10, 0, 0, 0, 1, 0, 0, 0, 9],
        &[8, 10, 1, 2, 3, 4, 5, 6, 7, 8],
        &[30, 3, 0x51],
        &[30, 8, 0x20, 0x01, 9, 9, 9, 9],
        &[30, 5, 0x40, 3, 4],
        &[30, 4, 0x81, 2],
        &[30, 6, 0xf0, 0, 0, 1],
        &[30, 8, 0x34, 2, 10, 0, 0, 1],
        &[34, 6, 1, 2, 3, 4],
        &[253, 2],
        &[2, 3, 1],
        &[8, 2],
        &[30, 2],
    ];
    let paddings = prop::collection::vec(0usize..4, options.len());
    (prop::sample::subsequence(options, 0..8).prop_shuffle(), paddings, any::<bool>()).prop_map(
        |(options, paddings, end)| {
            let mut bytes = Vec::new();
            for (option, padding) in options.into_iter().zip(paddings) {
                if bytes.len() + padding + option.len() <= 40 {
                    bytes.resize(bytes.len() + padding, 1);
                    bytes.extend_from_slice(option);
                }
            }
            bytes.resize(bytes.len().next_multiple_of(4), if end { 0 } else { 1 });
            bytes
        },
    )
}

/// Bytes that start like options often enough.
fn odd_options() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        2 => any::<u8>(),
        1 => prop::sample::select(vec![0u8, 1, 2, 3, 4, 5, 8, 10, 12, 18, 20, 30, 0x05, 0x20, 0x30]),
    ];
    let option = (prop_oneof![Just(30u8), 0u8..10], prop::collection::vec(byte.clone(), 0..26))
        .prop_map(|(kind, body)| [vec![kind, body.len() as u8 + 2], body].concat());
    let well_formed = prop::collection::vec(option, 0..4).prop_map(|options| options.concat());
    prop_oneof![well_formed, prop::collection::vec(byte, 0..50)]
}
