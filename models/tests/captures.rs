//! Packets that real kernels sent: parsed and emitted again they are the same bytes.
//!
//! The captures in `data/captures` hold the first bytes of each packet. Those named `v0_` show the
//! out-of-tree kernel 0.94, those named `v1_` an upstream kernel 6.18; `v1_stripped_options` was
//! taken behind a middlebox that overwrites MPTCP options with padding.

use std::fs::File;
use std::path::{Path, PathBuf};

use mptcpsim_models::mptcp_keys::Version;
use mptcpsim_models::segment::{MpJoin, TCP_HEADER};
use mptcpsim_models::wire::{Parsed, emit_snapped, parse_snapped};
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;

/// Where the TCP checksum lies in a packet whose IP header takes `ip_header` bytes.
fn checksum_at(ip_header: usize) -> std::ops::Range<usize> {
    ip_header + 16..ip_header + 18
}

/// The out-of-tree kernel leaves the reserved bits of MP_JOIN on the third ACK uninitialised.
fn clear_reserved_bits(packet: &mut [u8], parsed: &Parsed) -> bool {
    let third_byte = usize::from(parsed.tuple.ip_header() + TCP_HEADER + 12 + 2);
    let set = matches!(parsed.segment.mp_join(), Some(MpJoin::Ack { .. }))
        && packet[third_byte] & 0x0f != 0;
    if set {
        packet[third_byte] &= 0xf0;
    }
    set
}

fn round_trip(capture: &Path, version: Version) {
    let mut reader = PcapReader::new(File::open(capture).unwrap()).unwrap();
    assert_eq!(reader.header().datalink, DataLink::RAW);
    let mut number = 0;
    while let Some(packet) = reader.next_raw_packet() {
        let packet = packet.unwrap();
        number += 1;
        let parsed = parse_snapped(&packet.data, version).unwrap();
        let mut again = Vec::new();
        let segment = &parsed.segment;
        let snap_len = packet.data.len();
        let len = emit_snapped(parsed.tuple, segment, parsed.ip, version, snap_len, &mut again);
        let mut original = packet.data.to_vec();
        let reserved_bits = clear_reserved_bits(&mut original, &parsed);
        assert_ne!(parsed.checksum_holds, Some(false), "{}, packet {number}", capture.display());
        if reserved_bits || parsed.missing > 0 {
            let checksum = checksum_at(parsed.tuple.ip_header().into());
            original[checksum.clone()].fill(0);
            again[checksum].fill(0);
        }
        let name = capture.display();
        assert_eq!(again, original, "{name}, packet {number}: {segment:?}");
        assert_eq!(len, Ok(packet.orig_len));
        assert_eq!(segment.wire_len(), packet.orig_len);
        assert!(segment.rare().is_none_or(|rare| rare.unknown.is_empty()), "{name}: {segment:?}");
    }
    assert!(number > 0);
}

fn captures(prefix: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures");
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let of_kind = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(prefix);
    entries.filter(of_kind).collect()
}

fn round_trip_all(prefix: &str, version: Version) {
    let captures = captures(prefix);
    assert!(!captures.is_empty());
    captures.iter().for_each(|capture| round_trip(capture, version));
}

#[test]
fn packets_of_the_out_of_tree_kernel() {
    round_trip_all("v0_", Version::V0);
}

#[test]
fn packets_of_the_upstream_kernel() {
    round_trip_all("v1_", Version::V1);
}
