//! What is no packet, and why.

use mptcpsim_models::mptcp_keys::Version;
use mptcpsim_models::payload::Payload;
use mptcpsim_models::segment::{FourTuple, Segment};
use mptcpsim_models::wire::{IpFields, Sum, WireError, emit, emit_snapped, parse};

fn tuple(src: &str, dst: &str) -> FourTuple {
    FourTuple { src: src.parse().unwrap(), dst: dst.parse().unwrap() }
}

fn ipv4_packet() -> Vec<u8> {
    let segment = Segment { payload: Payload::pattern(0, 8), ..Segment::default() };
    let tuple = tuple("10.0.0.1:1", "10.0.0.2:2");
    emit(tuple, &segment, IpFields::default(), Version::V1).unwrap()
}

/// What the parser says of a packet whose IPv4 header is damaged, but has a right checksum.
fn with_header(damage: impl Fn(&mut Vec<u8>)) -> WireError {
    let mut packet = ipv4_packet();
    damage(&mut packet);
    packet[10..12].fill(0);
    let mut sum = Sum::default();
    sum.add_bytes(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.checksum().to_be_bytes());
    parse(&packet, Version::V1).unwrap_err()
}

#[test]
fn headers_that_make_no_tcp_packet() {
    assert_eq!(with_header(|packet| packet[9] = 17), WireError::NotTcp(17));
    assert_eq!(with_header(|packet| packet[6] = 0x20), WireError::Fragment);
    assert_eq!(with_header(|packet| packet[7] = 1), WireError::Fragment);
    assert_eq!(with_header(|packet| packet[3] = 19), WireError::Truncated);
    assert_eq!(with_header(|packet| packet[3] = 39), WireError::Truncated);
    assert_eq!(with_header(|packet| packet[3] += 1), WireError::Truncated);
    assert_eq!(with_header(|packet| packet[32] = 0x40), WireError::TcpHeader);
    assert_eq!(with_header(|packet| packet[32] = 0xf0), WireError::Truncated);
    assert_eq!(parse(&[], Version::V1), Err(WireError::Truncated));
    assert_eq!(parse(&[0x50; 60], Version::V1), Err(WireError::NotIp));
}

#[test]
fn padding_of_the_link_is_not_payload() {
    let packet = ipv4_packet();
    let padded = [&packet[..], &[0xee; 6]].concat();
    assert_eq!(parse(&padded, Version::V1), parse(&packet, Version::V1));
}

#[test]
fn segments_that_make_no_packet() {
    let segment = Segment { payload: Payload::pattern(0, 65_496), ..Segment::default() };
    let (v4, v6) = ("10.0.0.1:1", "[2001:db8::1]:1");
    let mut out = Vec::new();
    for (src, dst, error) in [
        (v4, v6, WireError::MixedFamilies),
        (v6, v4, WireError::MixedFamilies),
        (v4, v4, WireError::PacketTooLong),
    ] {
        let tuple = tuple(src, dst);
        let ip = IpFields::default();
        assert_eq!(emit_snapped(tuple, &segment, ip, Version::V1, 99, &mut out), Err(error));
    }
    assert!(out.is_empty());
    // IPv6 does not count its own header.
    let len = emit_snapped(tuple(v6, v6), &segment, IpFields::default(), Version::V1, 99, &mut out);
    assert_eq!((len, out.len()), (Ok(65_556), 99));
}
