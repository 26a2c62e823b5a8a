//! The room that options take in a TCP header.
//!
//! Sizes are those of Linux (`tcp_options_write`, `mptcp_write_options`): each
//! MPTCP option is padded to four bytes by itself, timestamps take 12 bytes
//! outside SYNs, SACK blocks 4 + 8n.

use crate::segment::{
    AddAddr, Dss, FastOpen, MAX_OPTIONS, MpCapable, MpJoin, MpPrio, Rare, RemoveAddr, Segment,
};

/// One place in the options of a TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A byte of padding before or between options.
    Nop,
    /// A byte of padding behind the last option.
    End,
    /// Maximum segment size.
    Mss,
    /// SACK permitted.
    SackPermitted,
    /// Timestamps.
    Timestamps,
    /// Window scale.
    WindowScale,
    /// SACK blocks.
    Sack,
    /// The signature of RFC 2385.
    Md5,
    /// TCP Fast Open.
    FastOpen,
    /// MP_CAPABLE.
    MpCapable,
    /// MP_JOIN.
    MpJoin,
    /// The data sequence signal.
    Dss,
    /// ADD_ADDR.
    AddAddr,
    /// REMOVE_ADDR.
    RemoveAddr,
    /// MP_PRIO.
    MpPrio,
    /// MP_FAIL.
    MpFail,
    /// MP_FASTCLOSE.
    MpFastclose,
    /// MP_TCPRST.
    MpTcpRst,
    /// The next of the options that have no meaning here.
    Unknown,
}

impl Slot {
    /// The options that a segment can have once.
    const ONCE: [Self; 16] = [
        Self::FastOpen,
        Self::Md5,
        Self::Mss,
        Self::SackPermitted,
        Self::Timestamps,
        Self::WindowScale,
        Self::Sack,
        Self::MpCapable,
        Self::MpJoin,
        Self::Dss,
        Self::AddAddr,
        Self::RemoveAddr,
        Self::MpPrio,
        Self::MpFail,
        Self::MpFastclose,
        Self::MpTcpRst,
    ];
}

/// `len` rounded up to a multiple of four, as options are padded with NOPs.
pub const fn padded(len: u8) -> u8 {
    len.div_ceil(4) * 4
}

impl FastOpen {
    /// Bytes on the wire, 2 to 20.
    pub fn wire_len(&self) -> u8 {
        let head = if self.experimental { 4 } else { 2 };
        head + self.cookie().len() as u8
    }
}

impl MpCapable {
    /// Bytes on the wire: 4, 12, 20, 22 or 24.
    pub fn wire_len(&self) -> u8 {
        let key = |key: Option<u64>| if key.is_some() { 8 } else { 0 };
        let data = if self.data_len.is_some() { 2 } else { 0 };
        let checksum = if self.checksum.is_some() { 2 } else { 0 };
        4 + key(self.sender_key) + key(self.receiver_key) + data + checksum
    }
}

impl MpJoin {
    /// Bytes on the wire: 12, 16 or 24.
    pub const fn wire_len(&self) -> u8 {
        match self {
            Self::Syn { .. } => 12,
            Self::SynAck { .. } => 16,
            Self::Ack { .. } => 24,
        }
    }
}

impl AddAddr {
    /// Bytes on the wire, 8 to 30.
    pub const fn wire_len(&self) -> u8 {
        let addr = if self.addr.is_ipv4() { 4 } else { 16 };
        let port = if self.port.is_some() { 2 } else { 0 };
        let hmac = if self.hmac.is_some() { 8 } else { 0 };
        4 + addr + port + hmac
    }
}

impl RemoveAddr {
    /// Bytes on the wire, 3 + ids.
    pub fn wire_len(&self) -> u8 {
        3 + self.ids().len() as u8
    }
}

impl MpPrio {
    /// Bytes on the wire, 3 or 4.
    pub const fn wire_len(&self) -> u8 {
        if self.address_id.is_some() { 4 } else { 3 }
    }
}

impl Rare {
    /// Bytes of the MPTCP options in here, each padded.
    pub fn mptcp_len(&self) -> u8 {
        fn size<T>(option: Option<&T>, len: impl Fn(&T) -> u8) -> u8 {
            option.map_or(0, |option| padded(len(option)))
        }
        size(self.mp_capable.as_ref(), MpCapable::wire_len)
            + size(self.mp_join.as_ref(), MpJoin::wire_len)
            + size(self.add_addr.as_ref(), AddAddr::wire_len)
            + size(self.remove_addr.as_ref(), RemoveAddr::wire_len)
            + size(self.mp_prio.as_ref(), MpPrio::wire_len)
            + size(self.mp_fail.as_ref(), |_| 12)
            + size(self.mp_fastclose.as_ref(), |_| 12)
            + size(self.mp_tcprst.as_ref(), |_| 4)
    }

    /// Bytes of the plain TCP options in here but SACK-permitted, which shares its padding with
    /// the timestamps.
    fn tcp_len(&self) -> u8 {
        let mss = if self.mss.is_some() { 4 } else { 0 };
        let window_scale = if self.window_scale.is_some() { 4 } else { 0 };
        let unknown: usize = self.unknown.iter().map(|option| option.data.len() + 2).sum();
        let md5 = if self.md5.is_some() { 20 } else { 0 };
        let fast_open = self.fast_open.map_or(0, |option| padded(option.wire_len()));
        mss + window_scale + md5 + fast_open + padded(unknown as u8)
    }
}

impl Segment {
    /// Bytes of the option without padding, or `None` if the segment does not have it.
    pub(crate) fn option_len(&self, slot: Slot) -> Option<u8> {
        let rare = self.rare();
        match slot {
            Slot::Timestamps => self.timestamps.map(|_| 10),
            Slot::Dss => self.dss.as_ref().map(Dss::wire_len),
            Slot::Sack => {
                let fourth = rare.is_some_and(|rare| rare.fourth_sack.is_some());
                let blocks = self.sack.as_slice().len() + usize::from(fourth);
                (blocks > 0).then_some(2 + 8 * blocks as u8)
            }
            Slot::Md5 => rare?.md5.map(|_| 18),
            Slot::FastOpen => rare?.fast_open.as_ref().map(FastOpen::wire_len),
            Slot::Mss => rare?.mss.map(|_| 4),
            Slot::SackPermitted => rare?.sack_permitted.then_some(2),
            Slot::WindowScale => rare?.window_scale.map(|_| 3),
            Slot::MpCapable => rare?.mp_capable.as_ref().map(MpCapable::wire_len),
            Slot::MpJoin => rare?.mp_join.as_ref().map(MpJoin::wire_len),
            Slot::AddAddr => rare?.add_addr.as_ref().map(AddAddr::wire_len),
            Slot::RemoveAddr => rare?.remove_addr.as_ref().map(RemoveAddr::wire_len),
            Slot::MpPrio => rare?.mp_prio.as_ref().map(MpPrio::wire_len),
            Slot::MpFail => rare?.mp_fail.map(|_| 12),
            Slot::MpFastclose => rare?.mp_fastclose.map(|_| 12),
            Slot::MpTcpRst => rare?.mp_tcprst.map(|_| 4),
            Slot::Nop | Slot::End | Slot::Unknown => None,
        }
    }

    /// Bytes of the options in the order of `layout`, if it names exactly those that are there
    /// and they fill a header.
    pub(crate) fn layout_len(&self, layout: &[Slot]) -> Option<u8> {
        let known = Slot::ONCE.iter().filter(|slot| self.option_len(**slot).is_some()).count();
        let mut unknown = self.rare().map_or(&[][..], |rare| &rare.unknown).iter();
        let options = known + unknown.len();
        let (mut named, mut len) = (0, 0);
        for slot in layout {
            len += match slot {
                Slot::Nop | Slot::End => 1,
                Slot::Unknown => unknown.next()?.data.len() + 2,
                slot => usize::from(self.option_len(*slot)?),
            };
            named += usize::from(!matches!(slot, Slot::Nop | Slot::End));
        }
        (named == options && len % 4 == 0 && len <= usize::from(MAX_OPTIONS)).then_some(len as u8)
    }

    /// The order in which the options came, if it still describes them.
    pub(crate) fn layout(&self) -> Option<&[Slot]> {
        let layout = self.rare()?.layout.as_slice();
        (!layout.is_empty() && self.layout_len(layout).is_some()).then_some(layout)
    }

    /// Bytes of all options, a multiple of four.
    #[inline]
    pub fn options_len(&self) -> u8 {
        match &self.rare {
            None => self.frequent_len(0),
            Some(rare) => self.len_beside(rare),
        }
    }

    /// Leaves out TCP Fast Open if there is no room for it (`tcp_syn_options`).
    #[cold]
    pub(crate) fn fit_fast_open(&mut self) {
        if self.options_len() > MAX_OPTIONS {
            self.rare_mut().fast_open = None;
        }
    }

    fn timestamps_len(&self) -> u8 {
        if self.timestamps.is_some() { 12 } else { 0 }
    }

    /// Bytes of the options that many segments have, with `more` SACK blocks beside its own.
    #[inline]
    fn frequent_len(&self, more: u8) -> u8 {
        let dss = self.dss.as_ref().map_or(0, |dss| padded(dss.wire_len()));
        let sacks = self.sack.as_slice().len() as u8 + more;
        let sack = if sacks > 0 { 4 + 8 * sacks } else { 0 };
        self.timestamps_len() + dss + sack
    }

    #[inline(never)]
    fn len_beside(&self, rare: &Rare) -> u8 {
        if let Some(len) = self.layout().and_then(|layout| self.layout_len(layout)) {
            return len;
        }
        let permitted = if rare.sack_permitted && self.timestamps.is_none() { 4 } else { 0 };
        let frequent = self.frequent_len(u8::from(rare.fourth_sack.is_some()));
        frequent + rare.tcp_len() + rare.mptcp_len() + permitted
    }
}
