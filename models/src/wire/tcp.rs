//! The TCP header and its checksum (RFC 9293 section 3.1).

use std::net::IpAddr;

use arrayvec::ArrayVec;
use etherparse::{TcpHeader, TcpSlice, ip_number};

use super::{Sum, WireError, emit_options};
use crate::mptcp_keys::Version;
use crate::payload::Payload;
use crate::segment::{Flags, FourTuple, Segment};
use crate::seq::Seq;

/// Room for a TCP header with options.
pub(crate) type TcpHeaderBytes = ArrayVec<u8, { TcpHeader::MAX_LEN }>;

/// The header of `segment`, with the checksum over its whole payload.
pub(crate) fn emit(
    tuple: FourTuple,
    segment: &Segment,
    version: Version,
) -> Result<TcpHeaderBytes, WireError> {
    let mut header = header(tuple, segment);
    let options = emit_options(segment, version)?;
    header.set_options_raw(&options).map_err(|_| WireError::OptionsTooLong)?;

    let len = header.header_len() as u32 + segment.payload.len();
    let mut sum = pseudo_header(tuple.src.ip(), tuple.dst.ip(), len);
    sum.add_bytes(&header.to_bytes());
    sum.add_payload(&segment.payload);
    header.checksum = sum.checksum();
    Ok(header.to_bytes())
}

/// The header without options and checksum.
pub(super) fn header(tuple: FourTuple, segment: &Segment) -> TcpHeader {
    let (ports, flags) = ((tuple.src.port(), tuple.dst.port()), segment.flags);
    let mut header = TcpHeader::new(ports.0, ports.1, segment.seq.0, segment.window);
    header.acknowledgment_number = segment.ack.0;
    header.fin = flags.has(Flags::FIN);
    header.syn = flags.has(Flags::SYN);
    header.rst = flags.has(Flags::RST);
    header.psh = flags.has(Flags::PSH);
    header.ack = flags.has(Flags::ACK);
    header.urg = flags.has(Flags::URG);
    header.ece = flags.has(Flags::ECE);
    header.cwr = flags.has(Flags::CWR);
    header
}

/// The fixed header; payload and options are what is still to be read.
pub(crate) struct TcpPacket<'a> {
    pub(crate) ports: (u16, u16),
    /// Without options and payload.
    pub(crate) segment: Segment,
    pub(crate) options: &'a [u8],
    pub(crate) payload: &'a [u8],
    pub(crate) checksum: u16,
}

/// Reads the TCP header.
pub(crate) fn parse(bytes: &[u8]) -> Result<TcpPacket<'_>, WireError> {
    use etherparse::err::tcp::HeaderSliceError;
    let slice = TcpSlice::from_slice(bytes).map_err(|error| match error {
        HeaderSliceError::Len(_) => WireError::Truncated,
        HeaderSliceError::Content(_) => WireError::TcpHeader,
    })?;
    // The accessor of the options borrows the slice and not the bytes.
    let (header, payload) = bytes.split_at(slice.header_len());
    Ok(TcpPacket {
        ports: (slice.source_port(), slice.destination_port()),
        segment: Segment {
            seq: Seq(slice.sequence_number()),
            ack: Seq(slice.acknowledgment_number()),
            flags: flags(&slice),
            window: slice.window_size(),
            ..Segment::default()
        },
        options: header.get(TcpHeader::MIN_LEN..).unwrap_or_default(),
        payload,
        checksum: slice.checksum(),
    })
}

fn flags(slice: &TcpSlice<'_>) -> Flags {
    [
        (slice.fin(), Flags::FIN),
        (slice.syn(), Flags::SYN),
        (slice.rst(), Flags::RST),
        (slice.psh(), Flags::PSH),
        (slice.ack(), Flags::ACK),
        (slice.urg(), Flags::URG),
        (slice.ece(), Flags::ECE),
        (slice.cwr(), Flags::CWR),
    ]
    .into_iter()
    .filter(|(set, _)| *set)
    .fold(Flags::NONE, |flags, (_, flag)| flags | flag)
}

/// True if the checksum in the segment `bytes`, all of it, is right.
pub(crate) fn checksum_holds(src: IpAddr, dst: IpAddr, bytes: &[u8]) -> bool {
    let mut sum = pseudo_header(src, dst, bytes.len() as u32);
    sum.add_bytes(bytes);
    sum.checksum() == 0
}

/// The sum of the pseudo header, which is the same for both IP versions but for the addresses
/// (RFC 9293 section 3.1, RFC 8200 section 8.1).
fn pseudo_header(src: IpAddr, dst: IpAddr, len: u32) -> Sum {
    let mut sum = Sum::default();
    sum.add_addr(src);
    sum.add_addr(dst);
    sum.add_bytes(&[0, ip_number::TCP.0]);
    sum.add_bytes(&len.to_be_bytes());
    sum
}

/// The payload as a value; `missing` bytes behind it that were not captured read as zero.
pub(crate) fn payload(bytes: &[u8], missing: usize) -> Payload {
    if bytes.len() + missing == 0 {
        return Payload::EMPTY;
    }
    let mut data = bytes.to_vec();
    data.resize(bytes.len() + missing, 0);
    Payload::bytes(data)
}
