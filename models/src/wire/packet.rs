//! Whole packets: IP header, TCP header, options, payload.

use std::net::SocketAddr;

use super::{IpFields, WireError, ip, parse_options, tcp};
use crate::mptcp_keys::Version;
use crate::segment::{FourTuple, Segment};

/// The link type of captures whose packets start with the IP header, which is what
/// [`emit_snapped`] writes (<https://www.tcpdump.org/linktypes.html>).
pub const LINKTYPE_RAW: u16 = 101;

/// The packet that carries `segment`, as a host of `version` sends it.
///
/// # Errors
/// [`WireError::OptionsTooLong`], [`WireError::PacketTooLong`] or [`WireError::MixedFamilies`].
pub fn emit(
    tuple: FourTuple,
    segment: &Segment,
    ip: IpFields,
    version: Version,
) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::new();
    emit_snapped(tuple, segment, ip, version, usize::MAX, &mut out)?;
    Ok(out)
}

/// Appends the first `snap_len` bytes of the packet to `out`, headers always in full, and returns
/// the length of the whole packet.
///
/// Lengths and checksums in the headers are those of the whole packet. These are the bytes of a
/// capture of type [`LINKTYPE_RAW`]. Allocates nothing while `out` has room.
///
/// # Errors
/// As [`emit`]; then `out` is unchanged.
pub fn emit_snapped(
    tuple: FourTuple,
    segment: &Segment,
    ip: IpFields,
    version: Version,
    snap_len: usize,
    out: &mut Vec<u8>,
) -> Result<u32, WireError> {
    let tcp_header = tcp::emit(tuple, segment, version)?;
    let tcp_len = tcp_header.len() + segment.payload.len() as usize;
    let ip_header = ip::emit(tuple, ip, segment.ecn, tcp_len)?;
    out.extend_from_slice(&ip_header);
    out.extend_from_slice(&tcp_header);
    let headers = ip_header.len() + tcp_header.len();
    segment.payload.write_to(snap_len.saturating_sub(headers), out);
    Ok((ip_header.len() + tcp_len) as u32)
}

/// A packet as values.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// Addresses and ports.
    pub tuple: FourTuple,
    /// The segment, sealed.
    pub segment: Segment,
    /// The rest of the IP header.
    pub ip: IpFields,
    /// The TCP checksum.
    pub checksum: u16,
    /// Whether the TCP checksum is right; unknown if bytes are missing.
    pub checksum_holds: Option<bool>,
    /// Bytes at the end of the payload that a capture does not have; they read as zero.
    pub missing: u32,
}

/// The packet in `bytes`, as a host of `version` sees it.
///
/// # Errors
/// If `bytes` are no complete TCP packet, or the checksum of the IPv4 header is wrong. A wrong TCP
/// checksum is no error but told in [`Parsed::checksum_holds`].
pub fn parse(bytes: &[u8], version: Version) -> Result<Parsed, WireError> {
    let parsed = parse_snapped(bytes, version)?;
    if parsed.missing == 0 { Ok(parsed) } else { Err(WireError::Truncated) }
}

/// As [`parse`], but lets the payload end early, as captures with a snap length do.
///
/// # Errors
/// As [`parse`]; the headers must be complete.
pub fn parse_snapped(bytes: &[u8], version: Version) -> Result<Parsed, WireError> {
    let packet = ip::parse(bytes)?;
    let tcp = tcp::parse(packet.payload)?;
    let (src, dst) = (packet.src, packet.dst);
    let complete = packet.missing == 0;
    let mut segment = tcp.segment;
    segment.ecn = packet.ecn;
    segment.payload = tcp::payload(tcp.payload, packet.missing);
    parse_options(tcp.options, version, &mut segment);
    segment.seal(packet.header_len);
    Ok(Parsed {
        tuple: FourTuple {
            src: SocketAddr::new(src, tcp.ports.0),
            dst: SocketAddr::new(dst, tcp.ports.1),
        },
        segment,
        ip: packet.fields,
        checksum: tcp.checksum,
        checksum_holds: complete.then(|| tcp::checksum_holds(src, dst, packet.payload)),
        missing: packet.missing as u32,
    })
}
