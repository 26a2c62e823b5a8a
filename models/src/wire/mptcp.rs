//! One MPTCP option: bytes <-> value.
//!
//! Layouts are those of RFC 6824 and RFC 8684 section 3; kernel functions to
//! read beside: `mptcp_parse_option` and `mptcp_write_options` (upstream),
//! `mptcp_parse_options` and `mptcp_options_write` (out-of-tree). The versions
//! share all layouts but that of ADD_ADDR, whose third byte names the IP
//! version (0) or marks an echo (1); which of the forms that exist a receiver
//! takes notice of is [`super::heard`]'s matter. Reserved bits are written as
//! zero and not looked at.

use std::net::IpAddr;

use super::WireError;
use super::options::OptionBytes;
use crate::mptcp_keys::Version;
use crate::options::Slot;
use crate::segment::{
    AddAddr, Dss, MpCapable, MpJoin, MpPrio, MpTcpRst, Rare, RemoveAddr, ResetReason, Segment,
    Width,
};

/// The option kind of MPTCP.
pub(crate) const KIND: u8 = 30;

mod subtype {
    pub(super) const CAPABLE: u8 = 0;
    pub(super) const JOIN: u8 = 1;
    pub(super) const DSS: u8 = 2;
    pub(super) const ADD_ADDR: u8 = 3;
    pub(super) const REMOVE_ADDR: u8 = 4;
    pub(super) const PRIO: u8 = 5;
    pub(super) const FAIL: u8 = 6;
    pub(super) const FASTCLOSE: u8 = 7;
    pub(super) const TCPRST: u8 = 8;
}

/// The flags byte of the DSS option.
mod dss {
    pub(super) const ACK: u8 = 0x01;
    pub(super) const ACK_8_BYTES: u8 = 0x02;
    pub(super) const MAPPING: u8 = 0x04;
    pub(super) const DSN_8_BYTES: u8 = 0x08;
    pub(super) const DATA_FIN: u8 = 0x10;
}

/// Lowest bit of the third byte: B of MP_JOIN and MP_PRIO, E of ADD_ADDR, T of MP_TCPRST.
const FLAG: u8 = 0x01;

/// An MPTCP option.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum MptcpOption {
    Capable(MpCapable),
    Join(MpJoin),
    Dss(Dss),
    AddAddr(AddAddr),
    RemoveAddr(RemoveAddr),
    Prio(MpPrio),
    Fail(u64),
    Fastclose(u64),
    TcpRst(MpTcpRst),
}

impl MptcpOption {
    /// The option that `segment` has in `slot`, if that is one for MPTCP options and filled.
    pub(crate) fn of(segment: &Segment, slot: Slot) -> Option<Self> {
        let rare = segment.rare.as_deref();
        match slot {
            Slot::Dss => segment.dss.map(Self::Dss),
            Slot::MpCapable => rare?.mp_capable.map(Self::Capable),
            Slot::MpJoin => rare?.mp_join.map(Self::Join),
            Slot::AddAddr => rare?.add_addr.map(Self::AddAddr),
            Slot::RemoveAddr => rare?.remove_addr.map(Self::RemoveAddr),
            Slot::MpPrio => rare?.mp_prio.map(Self::Prio),
            Slot::MpFail => rare?.mp_fail.map(Self::Fail),
            Slot::MpFastclose => rare?.mp_fastclose.map(Self::Fastclose),
            Slot::MpTcpRst => rare?.mp_tcprst.map(Self::TcpRst),
            _ => None,
        }
    }

    /// Where a segment has options of this subtype.
    pub(crate) fn slot(&self) -> Slot {
        match self {
            Self::Capable(_) => Slot::MpCapable,
            Self::Join(_) => Slot::MpJoin,
            Self::Dss(_) => Slot::Dss,
            Self::AddAddr(_) => Slot::AddAddr,
            Self::RemoveAddr(_) => Slot::RemoveAddr,
            Self::Prio(_) => Slot::MpPrio,
            Self::Fail(_) => Slot::MpFail,
            Self::Fastclose(_) => Slot::MpFastclose,
            Self::TcpRst(_) => Slot::MpTcpRst,
        }
    }

    /// Puts the option into its slot of `segment`.
    pub(crate) fn store(self, segment: &mut Segment) {
        match self {
            Self::Capable(option) => segment.rare_mut().mp_capable = Some(option),
            Self::Join(option) => segment.rare_mut().mp_join = Some(option),
            Self::Dss(option) => segment.dss = Some(option),
            Self::AddAddr(option) => segment.rare_mut().add_addr = Some(option),
            Self::RemoveAddr(option) => segment.rare_mut().remove_addr = Some(option),
            Self::Prio(option) => segment.rare_mut().mp_prio = Some(option),
            Self::Fail(dsn) => segment.rare_mut().mp_fail = Some(dsn),
            Self::Fastclose(key) => segment.rare_mut().mp_fastclose = Some(key),
            Self::TcpRst(option) => segment.rare_mut().mp_tcprst = Some(option),
        }
    }

    /// Empties `slot` of `segment`.
    pub(crate) fn clear(segment: &mut Segment, slot: Slot) {
        if slot == Slot::Dss {
            segment.dss = None;
        }
        let Some(rare) = segment.rare.as_deref_mut() else { return };
        let Rare { mp_capable, mp_join, add_addr, remove_addr, mp_prio, .. } = rare;
        match slot {
            Slot::MpCapable => *mp_capable = None,
            Slot::MpJoin => *mp_join = None,
            Slot::AddAddr => *add_addr = None,
            Slot::RemoveAddr => *remove_addr = None,
            Slot::MpPrio => *mp_prio = None,
            Slot::MpFail => rare.mp_fail = None,
            Slot::MpFastclose => rare.mp_fastclose = None,
            Slot::MpTcpRst => rare.mp_tcprst = None,
            _ => {}
        }
    }
}

/// Parsing, from the bytes behind kind and length.
impl MptcpOption {
    /// The option in `body`, or `None` if `version` knows no such subtype, or not of this length.
    pub(crate) fn parse(body: &[u8], version: Version) -> Option<Self> {
        let mut fields = Fields(body);
        let first = fields.u8()?;
        let option = match first >> 4 {
            subtype::CAPABLE => Self::Capable(parse_capable(first, &mut fields)?),
            subtype::JOIN => Self::Join(parse_join(first, &mut fields)?),
            subtype::DSS => Self::Dss(parse_dss(&mut fields, version)?),
            subtype::ADD_ADDR => Self::AddAddr(parse_add_addr(first, &mut fields, version)?),
            subtype::REMOVE_ADDR => Self::RemoveAddr(parse_remove_addr(&mut fields)?),
            subtype::PRIO => {
                let address_id = if fields.is_empty() { None } else { Some(fields.u8()?) };
                Self::Prio(MpPrio { backup: first & FLAG != 0, address_id })
            }
            subtype::FAIL => {
                fields.u8()?;
                Self::Fail(fields.u64()?)
            }
            subtype::FASTCLOSE => {
                fields.u8()?;
                Self::Fastclose(fields.u64()?)
            }
            subtype::TCPRST => Self::TcpRst(MpTcpRst {
                transient: first & FLAG != 0,
                reason: ResetReason(fields.u8()?),
            }),
            _ => return None,
        };
        fields.is_empty().then_some(option)
    }
}

fn parse_capable(first: u8, fields: &mut Fields<'_>) -> Option<MpCapable> {
    let flags = fields.u8()?;
    let mut option = MpCapable { version: first & 0x0f, flags, ..MpCapable::default() };
    let keys_and_mapping = fields.len();
    if keys_and_mapping >= 8 {
        option.sender_key = Some(fields.u64()?);
    }
    if keys_and_mapping >= 16 {
        option.receiver_key = Some(fields.u64()?);
    }
    if keys_and_mapping >= 18 {
        option.data_len = Some(fields.u16()?);
    }
    if keys_and_mapping >= 20 {
        option.checksum = Some(fields.u16()?);
    }
    Some(option)
}

fn parse_join(first: u8, fields: &mut Fields<'_>) -> Option<MpJoin> {
    let (backup, address_id) = (first & FLAG != 0, fields.u8()?);
    match fields.len() {
        8 => {
            let (token, nonce) = (fields.u32()?, fields.u32()?);
            Some(MpJoin::Syn { backup, address_id, token, nonce })
        }
        12 => {
            let (hmac, nonce) = (fields.u64()?, fields.u32()?);
            Some(MpJoin::SynAck { backup, address_id, hmac, nonce })
        }
        20 => Some(MpJoin::Ack { hmac: fields.array()? }),
        _ => None,
    }
}

fn parse_dss(fields: &mut Fields<'_>, version: Version) -> Option<Dss> {
    let flags = fields.u8()?;
    let width = |present, eight_bytes| match (flags & present != 0, flags & eight_bytes != 0) {
        (false, _) => Width::Absent,
        (true, false) => Width::Four,
        (true, true) => Width::Eight,
    };
    let mut option = Dss {
        ack_width: width(dss::ACK, dss::ACK_8_BYTES),
        dsn_width: width(dss::MAPPING, dss::DSN_8_BYTES),
        ..Dss::default()
    };
    option.data_ack = fields.number(option.ack_width)?;
    if option.has_mapping() {
        option.dsn = fields.number(option.dsn_width)?;
        option.ssn = fields.u32()?;
        option.len = fields.u16()?;
        // A DATA_FIN is the end of a mapping and nothing without one.
        option.data_fin = flags & dss::DATA_FIN != 0;
        option.checksummed = !fields.is_empty();
        option.checksum = if option.checksummed { fields.u16()? } else { 0 };
    } else if version == Version::V1 && !fields.is_empty() {
        // Upstream lets two bytes for a checksum pass that has nothing to cover.
        fields.u16()?;
    }
    Some(option)
}

fn parse_add_addr(first: u8, fields: &mut Fields<'_>, version: Version) -> Option<AddAddr> {
    let address_id = fields.u8()?;
    let (echo, ipv4) = match (version, first & 0x0f) {
        (Version::V0, 4) => (false, true),
        (Version::V0, 6) => (false, false),
        (Version::V0, _) => return None,
        (Version::V1, flags) => (flags & FLAG != 0, fields.len() <= 14),
    };
    let addr =
        if ipv4 { IpAddr::from(fields.array::<4>()?) } else { IpAddr::from(fields.array::<16>()?) };
    let port = if matches!(fields.len(), 2 | 10) { Some(fields.u16()?) } else { None };
    let hmac = if fields.is_empty() { None } else { Some(fields.u64()?) };
    Some(AddAddr { address_id, addr, port, echo, hmac })
}

fn parse_remove_addr(fields: &mut Fields<'_>) -> Option<RemoveAddr> {
    let ids = std::mem::take(&mut fields.0);
    let option = RemoveAddr::new(ids);
    (option.ids() == ids).then_some(option)
}

/// Emitting.
impl MptcpOption {
    /// Appends the option without padding.
    pub(crate) fn emit(&self, version: Version, out: &mut OptionBytes) -> Result<(), WireError> {
        match self {
            Self::Capable(option) => emit_capable(option, out),
            Self::Join(option) => emit_join(option, out),
            Self::Dss(option) => emit_dss(option, out),
            Self::AddAddr(option) => emit_add_addr(option, version, out),
            Self::RemoveAddr(option) => {
                put(out, &[KIND, option.wire_len(), subtype::REMOVE_ADDR << 4])?;
                put(out, option.ids())
            }
            Self::Prio(option) => {
                put(out, &[KIND, option.wire_len(), third(subtype::PRIO, option.backup)])?;
                option.address_id.map_or(Ok(()), |id| put(out, &[id]))
            }
            Self::Fail(dsn) => {
                put(out, &[KIND, 12, subtype::FAIL << 4, 0])?;
                put(out, &dsn.to_be_bytes())
            }
            Self::Fastclose(key) => {
                put(out, &[KIND, 12, subtype::FASTCLOSE << 4, 0])?;
                put(out, &key.to_be_bytes())
            }
            Self::TcpRst(option) => {
                let third = third(subtype::TCPRST, option.transient);
                put(out, &[KIND, 4, third, option.reason.0])
            }
        }
    }
}

fn emit_capable(option: &MpCapable, out: &mut OptionBytes) -> Result<(), WireError> {
    let third = subtype::CAPABLE << 4 | option.version & 0x0f;
    put(out, &[KIND, option.wire_len(), third, option.flags])?;
    for key in [option.sender_key, option.receiver_key].into_iter().flatten() {
        put(out, &key.to_be_bytes())?;
    }
    for field in [option.data_len, option.checksum].into_iter().flatten() {
        put(out, &field.to_be_bytes())?;
    }
    Ok(())
}

fn emit_join(option: &MpJoin, out: &mut OptionBytes) -> Result<(), WireError> {
    let len = option.wire_len();
    match option {
        MpJoin::Syn { backup, address_id, token, nonce } => {
            put(out, &[KIND, len, third(subtype::JOIN, *backup), *address_id])?;
            put(out, &token.to_be_bytes())?;
            put(out, &nonce.to_be_bytes())
        }
        MpJoin::SynAck { backup, address_id, hmac, nonce } => {
            put(out, &[KIND, len, third(subtype::JOIN, *backup), *address_id])?;
            put(out, &hmac.to_be_bytes())?;
            put(out, &nonce.to_be_bytes())
        }
        MpJoin::Ack { hmac } => {
            put(out, &[KIND, len, third(subtype::JOIN, false), 0])?;
            put(out, hmac)
        }
    }
}

fn emit_dss(option: &Dss, out: &mut OptionBytes) -> Result<(), WireError> {
    let mut flags = match option.ack_width {
        Width::Absent => 0,
        Width::Four => dss::ACK,
        Width::Eight => dss::ACK | dss::ACK_8_BYTES,
    };
    flags |= match option.dsn_width {
        Width::Absent => 0,
        Width::Four => dss::MAPPING,
        Width::Eight => dss::MAPPING | dss::DSN_8_BYTES,
    };
    if option.has_mapping() && option.data_fin {
        flags |= dss::DATA_FIN;
    }
    put(out, &[KIND, option.wire_len(), subtype::DSS << 4, flags])?;
    put_number(out, option.data_ack, option.ack_width)?;
    if !option.has_mapping() {
        return Ok(());
    }
    put_number(out, option.dsn, option.dsn_width)?;
    put(out, &option.ssn.to_be_bytes())?;
    put(out, &option.len.to_be_bytes())?;
    if option.checksummed { put(out, &option.checksum.to_be_bytes()) } else { Ok(()) }
}

fn emit_add_addr(
    option: &AddAddr,
    version: Version,
    out: &mut OptionBytes,
) -> Result<(), WireError> {
    let low = match (version, option.addr) {
        (Version::V0, IpAddr::V4(_)) => 4,
        (Version::V0, IpAddr::V6(_)) => 6,
        (Version::V1, _) => u8::from(option.echo),
    };
    put(out, &[KIND, option.wire_len(), subtype::ADD_ADDR << 4 | low, option.address_id])?;
    match option.addr {
        IpAddr::V4(addr) => put(out, &addr.octets())?,
        IpAddr::V6(addr) => put(out, &addr.octets())?,
    }
    if let Some(port) = option.port {
        put(out, &port.to_be_bytes())?;
    }
    option.hmac.map_or(Ok(()), |hmac| put(out, &hmac.to_be_bytes()))
}

/// The third byte of an option: its subtype, and its one flag.
fn third(subtype: u8, flag: bool) -> u8 {
    subtype << 4 | if flag { FLAG } else { 0 }
}

/// Appends `bytes` if there is room.
pub(crate) fn put(out: &mut OptionBytes, bytes: &[u8]) -> Result<(), WireError> {
    out.try_extend_from_slice(bytes).map_err(|_| WireError::OptionsTooLong)
}

fn put_number(out: &mut OptionBytes, value: u64, width: Width) -> Result<(), WireError> {
    match width {
        Width::Absent => Ok(()),
        Width::Four => put(out, &(value as u32).to_be_bytes()),
        Width::Eight => put(out, &value.to_be_bytes()),
    }
}

/// The bytes of an option that are still to be read.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn number(&mut self, width: Width) -> Option<u64> {
        match width {
            Width::Absent => Some(0),
            Width::Four => self.u32().map(u64::from),
            Width::Eight => self.u64(),
        }
    }
}
