//! The options of a TCP header: order, padding, and the plain TCP ones.
//!
//! Linux writes options in an order of its own and pads each to four bytes
//! (`tcp_options_write`); the two MPTCP lines put their subtypes in different
//! orders behind. A segment that was parsed from bytes in another order, or
//! with other padding, keeps a note of it ([`Rare::layout`]) and is written as
//! it came. What has no meaning here, or would have none for the receiving
//! kernel, is kept as an unknown option. Of an option that comes twice the
//! first one counts.
//!
//! [`Rare::layout`]: crate::segment::Rare::layout

use arrayvec::ArrayVec;

use super::WireError;
use super::heard::Listener;
use super::mptcp::{self, Fields, MptcpOption, put};
use crate::mptcp_keys::Version;
use crate::options::{Slot, padded};
use crate::segment::{FastOpen, MAX_OPTIONS, Segment, Timestamps, UnknownOption};
use crate::seq::{Seq, SeqRange};

/// Bytes of options that a TCP header can hold.
pub const MAX_OPTION_BYTES: usize = MAX_OPTIONS as usize;

/// The options of a TCP header as bytes.
pub type OptionBytes = ArrayVec<u8, MAX_OPTION_BYTES>;

/// An order of options and padding; each place is a byte long at least.
pub(crate) type Layout = ArrayVec<Slot, MAX_OPTION_BYTES>;

/// What marks TCP Fast Open among experimental options (RFC 7413 section 4.1.1).
const FAST_OPEN_MAGIC: [u8; 2] = [0xf9, 0x89];

mod kind {
    pub(super) const END: u8 = 0;
    pub(super) const NOP: u8 = 1;
    pub(super) const MSS: u8 = 2;
    pub(super) const WINDOW_SCALE: u8 = 3;
    pub(super) const SACK_PERMITTED: u8 = 4;
    pub(super) const SACK: u8 = 5;
    pub(super) const TIMESTAMPS: u8 = 8;
    pub(super) const MD5: u8 = 19;
    pub(super) const FAST_OPEN: u8 = 34;
    pub(super) const EXPERIMENTAL: u8 = 254;
}

/// The options of a segment as a host of `version` writes them, or as they came.
///
/// # Errors
/// [`WireError::OptionsTooLong`] if they need more than 40 bytes.
pub fn emit_options(segment: &Segment, version: Version) -> Result<OptionBytes, WireError> {
    let layout = option_layout(segment, version)?;
    let mut unknown = segment.rare().map_or(&[][..], |rare| &rare.unknown).iter();
    let mut out = OptionBytes::new();
    for slot in layout {
        if slot != Slot::Unknown {
            emit_option(segment, slot, version, &mut out)?;
        } else if let Some(UnknownOption { kind, data }) = unknown.next() {
            let len = u8::try_from(data.len() + 2).map_err(|_| WireError::OptionsTooLong)?;
            put(&mut out, &[*kind, len])?;
            put(&mut out, data)?;
        }
    }
    Ok(out)
}

/// Order and padding of the options as [`emit_options`] writes them.
pub(crate) fn option_layout(segment: &Segment, version: Version) -> Result<Layout, WireError> {
    match segment.layout() {
        Some(layout) => Layout::try_from(layout).map_err(|_| WireError::OptionsTooLong),
        None => linux_layout(segment, version),
    }
}

/// The order and padding of `tcp_options_write`, with the MPTCP options behind the others.
fn linux_layout(segment: &Segment, version: Version) -> Result<Layout, WireError> {
    use Slot::{FastOpen, Md5, Mss, Nop, Sack, SackPermitted, Timestamps, Unknown, WindowScale};
    let has = |slot| segment.option_len(slot).is_some();
    let mut layout = Layout::new();
    let mut place =
        |slots: &[Slot]| layout.try_extend_from_slice(slots).map_err(|_| WireError::OptionsTooLong);
    if has(Md5) {
        place(&[Nop, Nop, Md5])?;
    }
    if has(Mss) {
        place(&[Mss])?;
    }
    match (has(SackPermitted), has(Timestamps)) {
        (true, true) => place(&[SackPermitted, Timestamps])?,
        (true, false) => place(&[Nop, Nop, SackPermitted])?,
        (false, true) => place(&[Nop, Nop, Timestamps])?,
        (false, false) => {}
    }
    if has(WindowScale) {
        place(&[Nop, WindowScale])?;
    }
    if has(Sack) {
        place(&[Nop, Nop, Sack])?;
    }
    for slot in [FastOpen].iter().chain(mptcp_order(version)) {
        if let Some(len) = segment.option_len(*slot) {
            place(&[*slot])?;
            place(&[Nop; 3][..usize::from(padded(len) - len)])?;
        }
    }
    let mut len = 0;
    for option in segment.rare().map_or(&[][..], |rare| &rare.unknown) {
        place(&[Unknown])?;
        len += option.data.len() + 2;
    }
    place(&[Nop; 3][..len.next_multiple_of(4) - len])?;
    Ok(layout)
}

/// Moves the DSS of a segment, with its padding, behind the other options.
#[cold]
pub(crate) fn write_dss_last(segment: &mut Segment, version: Version) {
    let Ok(mut layout) = linux_layout(segment, version) else { return };
    let (Some(from), Some(len)) =
        (layout.iter().position(|slot| *slot == Slot::Dss), segment.option_len(Slot::Dss))
    else {
        return;
    };
    let slots = 1 + usize::from(padded(len) - len);
    if let Some(behind) = layout.get_mut(from..) {
        behind.rotate_left(slots.min(behind.len()));
    }
    segment.rare_mut().layout = layout.to_vec();
}

/// The order in which the kernels write MPTCP options: version 0 is the out-of-tree kernel's
/// `mptcp_options_write`, version 1 upstream's `mptcp_write_options`.
pub(crate) fn mptcp_order(version: Version) -> &'static [Slot] {
    use Slot::{
        AddAddr, Dss, MpCapable, MpFail, MpFastclose, MpJoin, MpPrio, MpTcpRst, RemoveAddr,
    };
    match version {
        Version::V0 => {
            &[MpCapable, MpJoin, AddAddr, RemoveAddr, MpFail, MpFastclose, Dss, MpPrio, MpTcpRst]
        }
        Version::V1 => {
            &[Dss, MpCapable, MpJoin, AddAddr, MpFastclose, MpFail, MpTcpRst, MpPrio, RemoveAddr]
        }
    }
}

fn emit_option(
    segment: &Segment,
    slot: Slot,
    version: Version,
    out: &mut OptionBytes,
) -> Result<(), WireError> {
    let rare = segment.rare();
    match slot {
        Slot::Nop => put(out, &[kind::NOP]),
        Slot::End => put(out, &[kind::END]),
        Slot::Mss => {
            let mss = rare.and_then(|rare| rare.mss).unwrap_or_default();
            put(out, &[kind::MSS, 4])?;
            put(out, &mss.to_be_bytes())
        }
        Slot::Md5 => {
            put(out, &[kind::MD5, 18])?;
            put(out, &rare.and_then(|rare| rare.md5).unwrap_or_default())
        }
        Slot::FastOpen => {
            let option = rare.and_then(|rare| rare.fast_open).unwrap_or_default();
            let len = option.wire_len();
            if option.experimental {
                put(out, &[kind::EXPERIMENTAL, len])?;
                put(out, &FAST_OPEN_MAGIC)?;
            } else {
                put(out, &[kind::FAST_OPEN, len])?;
            }
            put(out, option.cookie())
        }
        Slot::SackPermitted => put(out, &[kind::SACK_PERMITTED, 2]),
        Slot::Timestamps => {
            let Timestamps { val, ecr } = segment.timestamps.unwrap_or_default();
            put(out, &[kind::TIMESTAMPS, 10])?;
            put(out, &val.to_be_bytes())?;
            put(out, &ecr.to_be_bytes())
        }
        Slot::WindowScale => {
            let shift = rare.and_then(|rare| rare.window_scale).unwrap_or_default();
            put(out, &[kind::WINDOW_SCALE, 3, shift])
        }
        Slot::Sack => {
            put(out, &[kind::SACK, segment.option_len(slot).unwrap_or_default()])?;
            let fourth = rare.and_then(|rare| rare.fourth_sack);
            for block in segment.sack.as_slice().iter().chain(&fourth) {
                put(out, &block.start.0.to_be_bytes())?;
                put(out, &block.end.0.to_be_bytes())?;
            }
            Ok(())
        }
        slot => MptcpOption::of(segment, slot).map_or(Ok(()), |option| option.emit(version, out)),
    }
}

/// Puts the options in `bytes` into `segment`, whose flags and payload are set already, as a host
/// of `version` sees them.
///
/// Never fails: from the first byte on that cannot be the start of an option the rest counts as
/// padding, as in the kernels.
pub fn parse_options(bytes: &[u8], version: Version, segment: &mut Segment) {
    let bytes = bytes.get(..MAX_OPTION_BYTES).unwrap_or(bytes);
    let mut listener = Listener::new(version, segment.flags, !segment.payload.is_empty());
    let mut layout = Layout::new();
    let mut rest = bytes;
    loop {
        match *rest {
            [kind::NOP, ref behind @ ..] => {
                layout.push(Slot::Nop);
                rest = behind;
            }
            [kind::END, ..] => break,
            [kind, len, ref behind @ ..] if len >= 2 && usize::from(len) - 2 <= behind.len() => {
                let (body, behind) = behind.split_at(usize::from(len) - 2);
                layout.push(take_option(kind, body, segment, &mut listener));
                rest = behind;
            }
            _ => break,
        }
    }
    layout.extend(rest.iter().map(|_| Slot::End));
    let usual = linux_layout(segment, version).is_ok_and(|linux| linux == layout);
    if !usual && segment.layout_len(&layout) == Some(bytes.len() as u8) {
        segment.rare_mut().layout = layout.to_vec();
    }
}

/// Stores one option and tells where.
fn take_option(kind: u8, body: &[u8], segment: &mut Segment, listener: &mut Listener) -> Slot {
    let stored = if kind == mptcp::KIND {
        MptcpOption::parse(body, listener.version()).filter(|option| listener.hears(option)).map(
            |option| {
                option.store(segment);
                option.slot()
            },
        )
    } else {
        take_tcp_option(kind, body, segment)
    };
    stored.unwrap_or_else(|| {
        segment.rare_mut().unknown.push(UnknownOption { kind, data: body.to_vec() });
        Slot::Unknown
    })
}

/// The option in the form of either kind (`tcp_parse_fastopen_option`).
fn fast_open(kind: u8, body: &[u8]) -> Option<FastOpen> {
    if kind == kind::FAST_OPEN {
        return FastOpen::new(body, false);
    }
    FastOpen::new(body.strip_prefix(&FAST_OPEN_MAGIC)?, true)
}

/// Stores a plain TCP option, unless its length is wrong or the segment has one.
pub(crate) fn take_tcp_option(kind: u8, body: &[u8], segment: &mut Segment) -> Option<Slot> {
    let slot = match kind {
        kind::MSS => Slot::Mss,
        kind::WINDOW_SCALE => Slot::WindowScale,
        kind::SACK_PERMITTED => Slot::SackPermitted,
        kind::SACK => Slot::Sack,
        kind::TIMESTAMPS => Slot::Timestamps,
        kind::MD5 => Slot::Md5,
        kind::FAST_OPEN | kind::EXPERIMENTAL => Slot::FastOpen,
        _ => return None,
    };
    let fits = match slot {
        Slot::Mss => body.len() == 2,
        Slot::WindowScale => body.len() == 1,
        Slot::SackPermitted => body.is_empty(),
        Slot::Timestamps => body.len() == 8,
        Slot::Md5 => body.len() == 16,
        Slot::FastOpen => fast_open(kind, body).is_some(),
        _ => matches!(body.len(), 8 | 16 | 24 | 32),
    };
    if !fits || segment.option_len(slot).is_some() {
        return None;
    }
    let mut fields = Fields(body);
    match slot {
        Slot::Mss => segment.rare_mut().mss = Some(fields.u16()?),
        Slot::WindowScale => segment.rare_mut().window_scale = Some(fields.u8()?),
        Slot::SackPermitted => segment.rare_mut().sack_permitted = true,
        Slot::FastOpen => segment.rare_mut().fast_open = fast_open(kind, body),
        Slot::Md5 => segment.rare_mut().md5 = Some(body.try_into().ok()?),
        Slot::Timestamps => {
            segment.timestamps = Some(Timestamps { val: fields.u32()?, ecr: fields.u32()? });
        }
        _ => {
            while !fields.is_empty() {
                let block = SeqRange::new(Seq(fields.u32()?), Seq(fields.u32()?));
                if !segment.sack.push(block) {
                    segment.rare_mut().fourth_sack = Some(block);
                }
            }
        }
    }
    Some(slot)
}
