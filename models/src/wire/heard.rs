//! Which MPTCP options a receiver takes notice of.
//!
//! Both kernels skip an option whose length, version, flags or company they do
//! not expect, and go on as if it were not there (`mptcp_parse_option`
//! upstream, `mptcp_parse_options` out of tree). [`super::parse`] keeps such
//! options as unknown ones; [`drop_unheard`] does the same for segments that
//! never become bytes.

use super::mptcp::MptcpOption;
use super::options::mptcp_order;
use crate::mptcp_keys::Version;
use crate::options::Slot;
use crate::segment::{AddAddr, Flags, MpCapable, Segment};

/// Removes the MPTCP options of a received segment that a host of `version` would not notice.
///
/// An MP_CAPABLE with the extensibility flag is noticed in version 0: that host drops the SYN.
#[cold]
pub fn drop_unheard(segment: &mut Segment, version: Version) {
    // A DSS by itself is heard in every form that a value can have.
    if segment.rare.is_none() {
        return;
    }
    let mut listener = Listener::new(version, segment.flags, !segment.payload.is_empty());
    let came_in = segment.layout().map(<[Slot]>::to_vec);
    let order = came_in.as_deref().unwrap_or(mptcp_order(version));
    for slot in order {
        if MptcpOption::of(segment, *slot).is_some_and(|option| !listener.hears(&option)) {
            MptcpOption::clear(segment, *slot);
        }
    }
}

/// Upstream's table of what goes together: to each slot, those that may be there already.
///
/// The comment in `mptcp_write_options` has the table; the receiver holds senders to it.
const UPSTREAM_COMPANY: [(Slot, &[Slot]); 9] = {
    use Slot::{
        AddAddr, Dss, MpCapable, MpFail, MpFastclose, MpJoin, MpPrio, MpTcpRst, RemoveAddr,
    };
    [
        (MpCapable, &[RemoveAddr]),
        (MpJoin, &[RemoveAddr, MpPrio]),
        (Dss, &[AddAddr, RemoveAddr, MpPrio, MpFail]),
        (AddAddr, &[Dss, RemoveAddr, MpPrio]),
        (RemoveAddr, &[MpCapable, MpJoin, Dss, AddAddr, MpPrio]),
        (MpPrio, &[MpJoin, Dss, AddAddr, RemoveAddr]),
        (MpFail, &[Dss, MpTcpRst]),
        (MpFastclose, &[MpTcpRst]),
        (MpTcpRst, &[MpFail, MpFastclose]),
    ]
};

/// A receiver that goes through the options of one segment.
pub(crate) struct Listener {
    version: Version,
    flags: Flags,
    has_payload: bool,
    /// A bit for each slot whose option has been heard.
    heard: u32,
}

impl Listener {
    pub(crate) fn new(version: Version, flags: Flags, has_payload: bool) -> Self {
        Self { version, flags, has_payload, heard: 0 }
    }

    /// Whose rules the receiver follows.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// True if the receiver takes notice of `option`, the next one in the segment.
    pub(crate) fn hears(&mut self, option: &MptcpOption) -> bool {
        let slot = option.slot();
        let heard = self.knows(option) && self.bears(slot);
        if heard {
            self.heard |= 1 << slot as u32;
        }
        heard
    }

    /// True if the option has a form that the receiver expects in this segment.
    fn knows(&self, option: &MptcpOption) -> bool {
        let upstream = self.version == Version::V1;
        match option {
            MptcpOption::Capable(option) if upstream => self.knows_capable(option),
            MptcpOption::Capable(option) => {
                let extended = option.flags & MpCapable::EXTENSIBILITY != 0;
                let hmac = option.flags & MpCapable::HMAC != 0;
                matches!(option.wire_len(), 12 | 20) && (extended || hmac)
            }
            MptcpOption::Join(_) | MptcpOption::Dss(_) => true,
            MptcpOption::AddAddr(AddAddr { echo, hmac, .. }) if upstream => *echo == hmac.is_none(),
            MptcpOption::AddAddr(option) => !option.echo,
            MptcpOption::RemoveAddr(option) => {
                (1..=if upstream { 8 } else { 16 }).contains(&option.ids().len())
            }
            MptcpOption::Prio(option) => !upstream || option.address_id.is_none(),
            MptcpOption::Fail(_) | MptcpOption::Fastclose(_) => true,
            MptcpOption::TcpRst(_) => upstream && self.flags.has(Flags::RST),
        }
    }

    /// Upstream: length by kind of segment; version 1 exactly, or any later one on a SYN; of the
    /// algorithm flags H alone.
    fn knows_capable(&self, option: &MpCapable) -> bool {
        let syn = self.flags.has(Flags::SYN);
        let first_syn = syn && !self.flags.has(Flags::ACK);
        let len_fits = match option.wire_len() {
            4 => first_syn,
            12 => syn && !first_syn,
            20 => !syn && !self.has_payload,
            22 | 24 => !syn && self.has_payload,
            _ => false,
        };
        let version_fits = option.version == 1 || first_syn && option.version > 1;
        let algorithm = option.flags & 0x1f;
        let extended = option.flags & MpCapable::EXTENSIBILITY != 0;
        len_fits && version_fits && algorithm == MpCapable::HMAC && !extended
    }

    /// True if the option may follow those heard before: none of its own subtype, and upstream
    /// only such as go with it.
    fn bears(&self, slot: Slot) -> bool {
        let company = UPSTREAM_COMPANY.iter().find(|(of, _)| *of == slot);
        let allowed = match (self.version, company) {
            (Version::V1, Some((_, with))) => {
                with.iter().fold(0, |bits, slot| bits | 1 << *slot as u32)
            }
            _ => !(1 << slot as u32),
        };
        self.heard & !allowed == 0
    }
}
