//! IP headers around a segment (RFC 791, RFC 8200).

use std::net::IpAddr;

use arrayvec::ArrayVec;
use etherparse::{
    IpDscp, IpEcn, IpNumber, Ipv4Header, Ipv4HeaderSlice, Ipv6FlowLabel, Ipv6Header,
    Ipv6HeaderSlice, ip_number,
};

use super::{Sum, WireError};
use crate::segment::{Ecn, FourTuple};

/// What an IP header says beyond addresses, lengths and ECN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpFields {
    /// Differentiated services codepoint, 6 bits.
    pub dscp: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// IPv4: the identification.
    pub id: u16,
    /// IPv4: may not be fragmented.
    pub dont_fragment: bool,
    /// IPv6: the flow label, 20 bits.
    pub flow_label: u32,
}

impl Default for IpFields {
    /// As Linux sends TCP: 64 hops, no fragmentation.
    fn default() -> Self {
        Self { dscp: 0, ttl: 64, id: 0, dont_fragment: true, flow_label: 0 }
    }
}

/// Room for either header.
pub(crate) type IpHeaderBytes = ArrayVec<u8, { Ipv4Header::MAX_LEN }>;

/// The header of a packet that carries `payload_len` bytes of TCP.
pub(crate) fn emit(
    tuple: FourTuple,
    fields: IpFields,
    ecn: Ecn,
    payload_len: usize,
) -> Result<IpHeaderBytes, WireError> {
    let payload_len = u16::try_from(payload_len).map_err(|_| WireError::PacketTooLong)?;
    match (tuple.src.ip(), tuple.dst.ip()) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let (src, dst) = (src.octets(), dst.octets());
            let header = Ipv4Header::new(payload_len, fields.ttl, ip_number::TCP, src, dst);
            let mut header = header.map_err(|_| WireError::PacketTooLong)?;
            header.dscp = IpDscp::try_new(fields.dscp & 0x3f).unwrap_or_default();
            header.ecn = IpEcn::try_new(ecn as u8).unwrap_or_default();
            header.identification = fields.id;
            header.dont_fragment = fields.dont_fragment;
            header.header_checksum = header.calc_header_checksum();
            Ok(header.to_bytes())
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let header = Ipv6Header {
                traffic_class: fields.dscp << 2 | ecn as u8,
                flow_label: Ipv6FlowLabel::try_new(fields.flow_label & 0xf_ffff)
                    .unwrap_or_default(),
                payload_length: payload_len,
                next_header: ip_number::TCP,
                hop_limit: fields.ttl,
                source: src.octets(),
                destination: dst.octets(),
            };
            Ok(header.to_bytes().into_iter().collect())
        }
        _ => Err(WireError::MixedFamilies),
    }
}

/// An IP packet that carries TCP.
pub(crate) struct IpPacket<'a> {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) ecn: Ecn,
    pub(crate) fields: IpFields,
    pub(crate) header_len: u8,
    /// The TCP segment, as far as it is there.
    pub(crate) payload: &'a [u8],
    /// Bytes of it that are not.
    pub(crate) missing: usize,
}

/// Reads the IP header; bytes behind the packet's end are let pass, as link layers pad.
pub(crate) fn parse(bytes: &[u8]) -> Result<IpPacket<'_>, WireError> {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => parse_ipv4(bytes),
        Some(6) => parse_ipv6(bytes),
        Some(_) => Err(WireError::NotIp),
        None => Err(WireError::Truncated),
    }
}

fn parse_ipv4(bytes: &[u8]) -> Result<IpPacket<'_>, WireError> {
    let header = Ipv4HeaderSlice::from_slice(bytes).map_err(|_| WireError::NotIp)?;
    let mut sum = Sum::default();
    sum.add_bytes(header.slice());
    if sum.checksum() != 0 {
        return Err(WireError::IpChecksum);
    }
    if header.is_fragmenting_payload() {
        return Err(WireError::Fragment);
    }
    let header_len = header.slice().len();
    let total_len = usize::from(header.total_len());
    let payload_len = total_len.checked_sub(header_len).ok_or(WireError::Truncated)?;
    let (payload, missing) = payload(bytes, header_len, payload_len);
    Ok(IpPacket {
        src: header.source_addr().into(),
        dst: header.destination_addr().into(),
        ecn: ecn(header.ecn()),
        fields: IpFields {
            dscp: header.dcp().value(),
            ttl: header.ttl(),
            id: header.identification(),
            dont_fragment: header.dont_fragment(),
            flow_label: 0,
        },
        header_len: header_len as u8,
        payload: tcp_only(header.protocol(), payload)?,
        missing,
    })
}

fn parse_ipv6(bytes: &[u8]) -> Result<IpPacket<'_>, WireError> {
    let header = Ipv6HeaderSlice::from_slice(bytes).map_err(|_| WireError::NotIp)?;
    let payload_len = usize::from(header.payload_length());
    let (payload, missing) = payload(bytes, Ipv6Header::LEN, payload_len);
    Ok(IpPacket {
        src: header.source_addr().into(),
        dst: header.destination_addr().into(),
        ecn: ecn(header.ecn()),
        fields: IpFields {
            dscp: header.dscp().value(),
            ttl: header.hop_limit(),
            flow_label: header.flow_label().value(),
            ..IpFields::default()
        },
        header_len: Ipv6Header::LEN as u8,
        payload: tcp_only(header.next_header(), payload)?,
        missing,
    })
}

/// What is there of the `len` bytes behind the header, and how many are not.
fn payload(bytes: &[u8], header_len: usize, len: usize) -> (&[u8], usize) {
    let behind = bytes.get(header_len..).unwrap_or_default();
    let payload = behind.get(..len).unwrap_or(behind);
    (payload, len - payload.len())
}

fn tcp_only(protocol: IpNumber, payload: &[u8]) -> Result<&[u8], WireError> {
    if protocol == ip_number::TCP { Ok(payload) } else { Err(WireError::NotTcp(protocol.0)) }
}

fn ecn(field: IpEcn) -> Ecn {
    match field {
        IpEcn::NotEct => Ecn::NotCapable,
        IpEcn::Ect1 => Ecn::Capable1,
        IpEcn::Ect0 => Ecn::Capable0,
        IpEcn::CongestionExperienced => Ecn::Experienced,
    }
}
