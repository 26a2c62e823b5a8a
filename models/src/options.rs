//! The room that options take in a TCP header.
//!
//! Sizes are those of Linux (`tcp_options_write`, `mptcp_write_options`): each
//! MPTCP option is padded to four bytes by itself, timestamps take 12 bytes
//! outside SYNs, SACK blocks 4 + 8n.

use crate::segment::{AddAddr, MpCapable, MpJoin, MpPrio, Rare, RemoveAddr, Segment};

/// `len` rounded up to a multiple of four, as options are padded with NOPs.
pub const fn padded(len: u8) -> u8 {
    len.div_ceil(4) * 4
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
        mss + window_scale + padded(unknown as u8)
    }
}

impl Segment {
    /// Bytes of all options, a multiple of four.
    pub fn options_len(&self) -> u8 {
        let timestamps = if self.timestamps.is_some() { 12 } else { 0 };
        let dss = self.dss.as_ref().map_or(0, |dss| padded(dss.wire_len()));
        let mut len = timestamps + dss;
        let mut sacks = self.sack.as_slice().len();
        if let Some(rare) = &self.rare {
            len += rare.tcp_len() + rare.mptcp_len();
            if rare.sack_permitted && self.timestamps.is_none() {
                len += 4;
            }
            sacks += usize::from(rare.fourth_sack.is_some());
        }
        if sacks > 0 { len + 4 + 8 * sacks as u8 } else { len }
    }
}
