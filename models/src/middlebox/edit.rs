//! Taking options out of segments, and putting others in.

use crate::mptcp_keys::Version;
use crate::options::Slot;
use crate::segment::{SackBlocks, Segment, TCP_HEADER};
use crate::wire::{OptionBytes, emit_options, option_layout, parse_options};

/// A set of TCP options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionSet(u32);

/// Names of options, MPTCP's as RFC 8684 has them.
const NAMES: [(&str, Slot); 17] = [
    ("mp_capable", Slot::MpCapable),
    ("mp_join", Slot::MpJoin),
    ("dss", Slot::Dss),
    ("add_addr", Slot::AddAddr),
    ("remove_addr", Slot::RemoveAddr),
    ("mp_prio", Slot::MpPrio),
    ("mp_fail", Slot::MpFail),
    ("mp_fastclose", Slot::MpFastclose),
    ("mp_tcprst", Slot::MpTcpRst),
    ("mss", Slot::Mss),
    ("sack_permitted", Slot::SackPermitted),
    ("sack", Slot::Sack),
    ("timestamps", Slot::Timestamps),
    ("window_scale", Slot::WindowScale),
    ("md5", Slot::Md5),
    ("fast_open", Slot::FastOpen),
    ("unknown", Slot::Unknown),
];

impl OptionSet {
    /// No option.
    pub const EMPTY: Self = Self(0);
    /// All options of MPTCP.
    pub const MPTCP: Self = Self(0)
        .with(Slot::MpCapable)
        .with(Slot::MpJoin)
        .with(Slot::Dss)
        .with(Slot::AddAddr)
        .with(Slot::RemoveAddr)
        .with(Slot::MpPrio)
        .with(Slot::MpFail)
        .with(Slot::MpFastclose)
        .with(Slot::MpTcpRst);

    /// The names that [`OptionSet::from_name`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ["mptcp"].into_iter().chain(NAMES.iter().map(|(name, _)| *name))
    }

    /// The set that a name stands for: one option, or `mptcp` for all of MPTCP's.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "mptcp" {
            return Some(Self::MPTCP);
        }
        let (_, slot) = NAMES.iter().find(|(known, _)| *known == name)?;
        Some(Self::EMPTY.with(*slot))
    }

    /// This set and an option.
    pub const fn with(self, slot: Slot) -> Self {
        Self(self.0 | 1 << slot as u32)
    }

    /// This set and another one.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True if `slot` is in it.
    pub const fn has(self, slot: Slot) -> bool {
        self.0 & 1 << slot as u32 != 0
    }

    /// True if both have an option in common.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// True without options.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The options of a segment.
    pub fn of(segment: &Segment) -> Self {
        let mut set = Self::EMPTY;
        for (_, slot) in NAMES {
            if segment.option_len(slot).is_some() {
                set = set.with(slot);
            }
        }
        if segment.rare().is_some_and(|rare| !rare.unknown.is_empty()) {
            set = set.with(Slot::Unknown);
        }
        set
    }
}

/// What takes the place of an option that is stripped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replace {
    /// NOPs: no length changes.
    #[default]
    Nop,
    /// End-of-options: hides all options behind it too.
    Eol,
    /// Nothing: the header becomes shorter.
    Remove,
}

/// Takes `options` out of a segment; false if it has none of them.
pub fn strip(
    segment: &mut Segment,
    options: OptionSet,
    replace: Replace,
    version: Version,
) -> bool {
    if !OptionSet::of(segment).meets(options) {
        return false;
    }
    let Ok(layout) = option_layout(segment, version) else { return false };
    let ip_header = ip_header(segment);
    let mut kept = Vec::with_capacity(layout.len());
    let (mut unknown, mut ended) = (0, false);
    for slot in layout {
        let len = slot_len(segment, slot, unknown);
        let goes = !matches!(slot, Slot::Nop | Slot::End) && (ended || options.has(slot));
        if goes {
            clear(segment, slot, unknown);
        } else if slot == Slot::Unknown {
            unknown += 1;
        }
        ended |= goes && replace == Replace::Eol;
        match replace {
            _ if ended => kept.extend((0..len).map(|_| Slot::End)),
            _ if !goes => kept.push(slot),
            Replace::Remove => {}
            _ => kept.extend((0..len).map(|_| Slot::Nop)),
        }
    }
    if replace == Replace::Remove {
        kept.retain(|slot| *slot != Slot::Nop);
        let len: usize = lens(segment, &kept).sum();
        kept.extend((len..len.next_multiple_of(4)).map(|_| Slot::Nop));
    }
    segment.rare_mut().layout = kept;
    segment.seal(ip_header);
    true
}

fn lens(segment: &Segment, layout: &[Slot]) -> impl Iterator<Item = usize> {
    let mut unknown = 0;
    layout.iter().map(move |slot| {
        let len = slot_len(segment, *slot, unknown);
        unknown += usize::from(*slot == Slot::Unknown);
        len
    })
}

fn slot_len(segment: &Segment, slot: Slot, unknown: usize) -> usize {
    match slot {
        Slot::Nop | Slot::End => 1,
        Slot::Unknown => {
            let option = segment.rare().and_then(|rare| rare.unknown.get(unknown));
            option.map_or(0, |option| option.data.len() + 2)
        }
        slot => segment.option_len(slot).map_or(0, usize::from),
    }
}

fn clear(segment: &mut Segment, slot: Slot, unknown: usize) {
    match slot {
        Slot::Timestamps => segment.timestamps = None,
        Slot::Sack => {
            segment.sack = SackBlocks::default();
            segment.rare_mut().fourth_sack = None;
        }
        Slot::Mss => segment.rare_mut().mss = None,
        Slot::SackPermitted => segment.rare_mut().sack_permitted = false,
        Slot::WindowScale => segment.rare_mut().window_scale = None,
        Slot::Md5 => segment.rare_mut().md5 = None,
        Slot::FastOpen => segment.rare_mut().fast_open = None,
        Slot::Unknown => {
            segment.rare_mut().unknown.remove(unknown);
        }
        slot => crate::wire::clear_option(segment, slot),
    }
}

/// The options of a segment one by one, as bytes.
pub(super) fn options(segment: &Segment, version: Version) -> Vec<OptionBytes> {
    let mut all = Vec::new();
    let Ok(bytes) = emit_options(segment, version) else { return all };
    let mut rest = bytes.as_slice();
    loop {
        match *rest {
            [0, ..] | [] => return all,
            [1, ref behind @ ..] => rest = behind,
            [_, len, ..] if len >= 2 && usize::from(len) <= rest.len() => {
                let (option, behind) = rest.split_at(usize::from(len));
                all.extend(OptionBytes::try_from(option));
                rest = behind;
            }
            _ => return all,
        }
    }
}

/// Gives a segment other options; false if they are too long. A host sees them as it would see
/// the bytes.
pub(super) fn set_options(
    segment: &mut Segment,
    options: &[OptionBytes],
    version: Version,
) -> bool {
    let mut bytes = OptionBytes::new();
    for option in options {
        if bytes.try_extend_from_slice(option).is_err() {
            return false;
        }
    }
    while bytes.len() % 4 != 0 {
        bytes.push(1);
    }
    let ip_header = ip_header(segment);
    let mut changed = Segment {
        seq: segment.seq,
        ack: segment.ack,
        flags: segment.flags,
        ecn: segment.ecn,
        window: segment.window,
        payload: segment.payload.clone(),
        ..Segment::default()
    };
    parse_options(&bytes, version, &mut changed);
    changed.seal(ip_header);
    *segment = changed;
    true
}

/// Bytes of the IP header, and of what else lies before the TCP header.
pub(super) fn ip_header(segment: &Segment) -> u8 {
    segment.header_len.saturating_sub(TCP_HEADER + segment.options_len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::{Dss, IPV4_HEADER, MpCapable, Timestamps, Width};

    fn syn() -> Segment {
        let mut segment = Segment { flags: crate::segment::Flags::SYN, ..Segment::default() };
        segment.timestamps = Some(Timestamps { val: 1, ecr: 0 });
        let rare = segment.rare_mut();
        rare.mss = Some(1460);
        rare.sack_permitted = true;
        rare.window_scale = Some(7);
        rare.mp_capable = Some(MpCapable { version: 1, flags: 1, ..MpCapable::default() });
        segment.seal(IPV4_HEADER);
        segment
    }

    #[test]
    fn nops_keep_the_length_and_removal_does_not() {
        let before = syn();
        let mut padded = before.clone();
        assert!(strip(&mut padded, OptionSet::MPTCP, Replace::Nop, Version::V1));
        assert_eq!(padded.header_len, before.header_len);
        assert!(padded.mp_capable().is_none() && padded.rare().unwrap().mss == Some(1460));
        assert!(!strip(&mut padded, OptionSet::MPTCP, Replace::Nop, Version::V1));
        let bytes = emit_options(&padded, Version::V1).unwrap();
        assert_eq!(bytes[bytes.len() - 4..], [1; 4]);
        let mut shorter = before.clone();
        assert!(strip(&mut shorter, OptionSet::MPTCP, Replace::Remove, Version::V1));
        assert_eq!(shorter.header_len, before.header_len - 4);
        assert_eq!(emit_options(&shorter, Version::V1).unwrap().len(), 20);
    }

    #[test]
    fn end_of_options_hides_what_follows() {
        let mut segment = syn();
        let timestamps = OptionSet::from_name("timestamps").unwrap();
        assert!(strip(&mut segment, timestamps, Replace::Eol, Version::V1));
        let rare = segment.rare().unwrap();
        assert!(rare.sack_permitted && rare.window_scale.is_none() && rare.mp_capable.is_none());
        assert_eq!(segment.header_len, syn().header_len);
    }

    #[test]
    fn options_come_back_as_they_were_taken_apart() {
        let mut segment = syn();
        segment.dss = Some(Dss { data_ack: 5, ack_width: Width::Four, ..Dss::default() });
        segment.rare_mut().mp_capable = None;
        segment.seal(IPV4_HEADER);
        let bytes = options(&segment, Version::V1);
        let mut again = segment.clone();
        assert!(set_options(&mut again, &bytes, Version::V1));
        assert_eq!((again.dss, again.timestamps), (segment.dss, segment.timestamps));
        assert_eq!(again.rare().unwrap().mss, Some(1460));
    }
}
