//! A TCP segment with its options, as values.
//!
//! A segment is built once, with its options final, and becomes bytes only for
//! captures and live peers ([`crate::wire`]). It says nothing of addresses:
//! those belong to the packet around it ([`FourTuple`]). The fields every
//! segment of a running connection has lie inline; what only handshakes, path
//! management and failures need lies in a box ([`Rare`]).

use std::net::{IpAddr, SocketAddr};
use std::ops::BitOr;

use crate::options::Slot;
use crate::payload::Payload;
use crate::seq::{Seq, SeqRange};

/// The TCP header flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// The sender has no more data.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement field counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts (never sent here).
    pub const URG: Self = Self(0x20);
    /// Congestion experienced, echoed (RFC 3168).
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x80);

    /// True if all of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True if one of `other` is set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These flags without `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The ECN field of the IP header (RFC 3168 section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ecn {
    /// Not ECN-capable.
    #[default]
    NotCapable = 0,
    /// ECN-capable, ECT(1).
    Capable1 = 1,
    /// ECN-capable, ECT(0).
    Capable0 = 2,
    /// Congestion experienced.
    Experienced = 3,
}

impl Ecn {
    /// The two bits of the header.
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// The field in the low two bits of a TOS byte.
    pub const fn from_bits(tos: u8) -> Self {
        match tos & 3 {
            0 => Self::NotCapable,
            1 => Self::Capable1,
            2 => Self::Capable0,
            _ => Self::Experienced,
        }
    }
}

/// The timestamps option (RFC 7323).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamps {
    /// The sender's clock.
    pub val: u32,
    /// The echo of the receiver's clock.
    pub ecr: u32,
}

/// How many SACK blocks a segment with timestamps can hold at most.
pub const INLINE_SACK_BLOCKS: usize = 3;

/// The SACK blocks of a segment, the most recent first (RFC 2018, RFC 2883).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SackBlocks {
    blocks: [SeqRange; INLINE_SACK_BLOCKS],
    count: u8,
}

impl SackBlocks {
    /// Adds a block behind the others; false if there is no room.
    pub fn push(&mut self, block: SeqRange) -> bool {
        match self.blocks.get_mut(usize::from(self.count)) {
            Some(slot) => {
                *slot = block;
                self.count += 1;
                true
            }
            None => false,
        }
    }

    /// The blocks in order.
    pub fn as_slice(&self) -> &[SeqRange] {
        &self.blocks[..usize::from(self.count)]
    }

    /// True without blocks.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// How a data sequence number or DATA_ACK is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Width {
    /// Not at all.
    #[default]
    Absent,
    /// In 4 bytes; the value holds the low 32 bits only.
    Four,
    /// In 8 bytes.
    Eight,
}

impl Width {
    /// Bytes on the wire.
    pub const fn bytes(self) -> u8 {
        match self {
            Self::Absent => 0,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// `value` as this width carries it.
    pub const fn cut(self, value: u64) -> u64 {
        match self {
            Self::Absent => 0,
            Self::Four => value & 0xffff_ffff,
            Self::Eight => value,
        }
    }
}

/// The data sequence signal (RFC 8684 section 3.3).
///
/// Numbers of width [`Width::Four`] hold the low 32 bits as on the wire; the
/// receiver expands them ([`crate::seq::expand_dsn`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dss {
    /// The DATA_ACK, if `ack_width` is not [`Width::Absent`].
    pub data_ack: u64,
    /// Where the mapping starts at the data level, if `dsn_width` is not [`Width::Absent`].
    pub dsn: u64,
    /// Where the mapping starts in the subflow, relative to its initial sequence number.
    pub ssn: u32,
    /// Data-level length of the mapping; 0 is an infinite mapping.
    pub len: u16,
    /// Checksum over mapping and pseudo header, if `checksummed`.
    pub checksum: u16,
    /// Width of the DATA_ACK.
    pub ack_width: Width,
    /// Width of the DSN; [`Width::Absent`] means that there is no mapping.
    pub dsn_width: Width,
    /// The last data-level number of the mapping is a DATA_FIN.
    pub data_fin: bool,
    /// A checksum follows the length.
    pub checksummed: bool,
}

impl Dss {
    /// True if it carries a mapping.
    pub fn has_mapping(&self) -> bool {
        self.dsn_width != Width::Absent
    }

    /// True if it carries a DATA_ACK.
    pub fn has_ack(&self) -> bool {
        self.ack_width != Width::Absent
    }

    /// Bytes of the option on the wire, without padding.
    pub fn wire_len(&self) -> u8 {
        let mapping = if self.has_mapping() { 6 + self.dsn_width.bytes() } else { 0 };
        let checksum = if self.has_mapping() && self.checksummed { 2 } else { 0 };
        4 + self.ack_width.bytes() + mapping + checksum
    }
}

/// MP_CAPABLE (RFC 6824 and RFC 8684 section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MpCapable {
    /// Protocol version, 0 or 1.
    pub version: u8,
    /// The flags byte; see the constants below.
    pub flags: u8,
    /// The sender's key.
    pub sender_key: Option<u64>,
    /// The receiver's key, on the third ACK and on data.
    pub receiver_key: Option<u64>,
    /// Data-level length of the payload (version 1, MP_CAPABLE with data).
    pub data_len: Option<u16>,
    /// Checksum of that mapping, when checksums are required.
    pub checksum: Option<u16>,
}

impl MpCapable {
    /// A: checksum required.
    pub const CHECKSUM: u8 = 0x80;
    /// B: extensibility; must be 0.
    pub const EXTENSIBILITY: u8 = 0x40;
    /// C: no joins towards the sender's initial address and port (version 1).
    pub const NO_JOIN_ID0: u8 = 0x20;
    /// H: HMAC-SHA1 (version 0) or HMAC-SHA256 (version 1).
    pub const HMAC: u8 = 0x01;
}

/// MP_JOIN, in the form that fits its segment (RFC 6824 and RFC 8684 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MpJoin {
    /// On the SYN.
    Syn {
        /// Use this subflow as a backup only.
        backup: bool,
        /// Address id of the sender's address.
        address_id: u8,
        /// Token of the receiver's key.
        token: u32,
        /// The sender's nonce.
        nonce: u32,
    },
    /// On the SYN/ACK.
    SynAck {
        /// Use this subflow as a backup only.
        backup: bool,
        /// Address id of the sender's address.
        address_id: u8,
        /// Leftmost 64 bits of the sender's HMAC.
        hmac: u64,
        /// The sender's nonce.
        nonce: u32,
    },
    /// On the third ACK.
    Ack {
        /// 160 bits of the sender's HMAC.
        hmac: [u8; 20],
    },
}

/// ADD_ADDR (RFC 6824 and RFC 8684 section 3.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddAddr {
    /// The address id.
    pub address_id: u8,
    /// The address.
    pub addr: IpAddr,
    /// The port, if not that of the connection.
    pub port: Option<u16>,
    /// Version 1: this is an echo.
    pub echo: bool,
    /// Version 1, not an echo: the rightmost 64 bits of the HMAC.
    pub hmac: Option<u64>,
}

/// REMOVE_ADDR: address ids (RFC 8684 section 3.4.2).
///
/// Version 0 of the out-of-tree kernel names at most sixteen (a 16-bit map), upstream at most eight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoveAddr {
    ids: [u8; 16],
    count: u8,
}

impl RemoveAddr {
    /// The option that withdraws `ids`; those behind the sixteenth are cut.
    pub fn new(ids: &[u8]) -> Self {
        let mut option = Self::default();
        for (slot, id) in option.ids.iter_mut().zip(ids) {
            *slot = *id;
            option.count += 1;
        }
        option
    }

    /// The ids.
    pub fn ids(&self) -> &[u8] {
        &self.ids[..usize::from(self.count)]
    }
}

/// MP_PRIO (RFC 6824 and RFC 8684 section 3.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MpPrio {
    /// Use as a backup.
    pub backup: bool,
    /// Version 0: the address id meant, when it is not the carrying subflow.
    pub address_id: Option<u8>,
}

/// MP_TCPRST (RFC 8684 section 3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MpTcpRst {
    /// T: the cause may pass.
    pub transient: bool,
    /// The reason code.
    pub reason: ResetReason,
}

impl MpTcpRst {
    /// A cause that will not pass.
    pub const fn new(reason: ResetReason) -> Self {
        Self { transient: false, reason }
    }
}

/// The reason codes of MP_TCPRST (RFC 8684 section 3.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetReason(pub u8);

impl ResetReason {
    /// Unspecified error.
    pub const UNSPECIFIED: Self = Self(0);
    /// MPTCP-specific error.
    pub const MPTCP: Self = Self(1);
    /// Lack of resources.
    pub const RESOURCES: Self = Self(2);
    /// Administratively prohibited.
    pub const PROHIBITED: Self = Self(3);
    /// Too much outstanding data.
    pub const TOO_MUCH_DATA: Self = Self(4);
    /// Unacceptable performance.
    pub const PERFORMANCE: Self = Self(5);
    /// Middlebox interference.
    pub const MIDDLEBOX: Self = Self(6);
}

/// TCP Fast Open: a cookie, or the wish for one (RFC 7413 section 4.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FastOpen {
    cookie: [u8; 16],
    len: u8,
    /// In the form of an experimental option (RFC 6994), as before it had a kind of its own.
    pub experimental: bool,
}

impl FastOpen {
    /// Asks for a cookie.
    pub const fn request(experimental: bool) -> Self {
        Self { cookie: [0; 16], len: 0, experimental }
    }

    /// The option with this cookie, or without if it is empty; none if a cookie cannot have that
    /// length.
    pub fn new(cookie: &[u8], experimental: bool) -> Option<Self> {
        let mut option = Self::request(experimental);
        if !cookie.is_empty() {
            let fits = cookie.len() >= 4 && cookie.len().is_multiple_of(2);
            option.cookie.get_mut(..cookie.len()).filter(|_| fits)?.copy_from_slice(cookie);
            option.len = cookie.len() as u8;
        }
        Some(option)
    }

    /// The cookie; empty if it is asked for.
    pub fn cookie(&self) -> &[u8] {
        &self.cookie[..usize::from(self.len)]
    }
}

/// An option that has no meaning here: kept so that what enters as bytes leaves as the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownOption {
    /// The option kind.
    pub kind: u8,
    /// Its bytes behind kind and length.
    pub data: Vec<u8>,
}

/// Options that a segment of a running connection does not carry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rare {
    /// Maximum segment size (SYN only).
    pub mss: Option<u16>,
    /// Window scale shift (SYN only).
    pub window_scale: Option<u8>,
    /// SACK permitted (SYN only).
    pub sack_permitted: bool,
    /// A fourth SACK block, possible without timestamps.
    pub fourth_sack: Option<SeqRange>,
    /// The signature of RFC 2385.
    pub md5: Option<[u8; 16]>,
    /// TCP Fast Open (SYN only).
    pub fast_open: Option<FastOpen>,
    /// MP_CAPABLE.
    pub mp_capable: Option<MpCapable>,
    /// MP_JOIN.
    pub mp_join: Option<MpJoin>,
    /// ADD_ADDR.
    pub add_addr: Option<AddAddr>,
    /// REMOVE_ADDR.
    pub remove_addr: Option<RemoveAddr>,
    /// MP_PRIO.
    pub mp_prio: Option<MpPrio>,
    /// MP_FAIL: the data sequence number where the failed mapping starts.
    pub mp_fail: Option<u64>,
    /// MP_FASTCLOSE: the receiver's key.
    pub mp_fastclose: Option<u64>,
    /// MP_TCPRST.
    pub mp_tcprst: Option<MpTcpRst>,
    /// Anything else.
    pub unknown: Vec<UnknownOption>,
    /// Order and padding of the options, if they came in another than Linux writes them in. It
    /// counts for as long as it names exactly the options that are there.
    pub layout: Vec<Slot>,
}

/// One TCP segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// Sequence number of the first byte (or of SYN or FIN).
    pub seq: Seq,
    /// Acknowledgement number, if the ACK flag is set.
    pub ack: Seq,
    /// Header flags.
    pub flags: Flags,
    /// ECN field of the IP header.
    pub ecn: Ecn,
    /// The window field as on the wire, unscaled.
    pub window: u16,
    /// The payload.
    pub payload: Payload,
    /// Timestamps.
    pub timestamps: Option<Timestamps>,
    /// SACK blocks.
    pub sack: SackBlocks,
    /// The data sequence signal.
    pub dss: Option<Dss>,
    /// All other options.
    pub rare: Option<Box<Rare>>,
    /// IP header, TCP header and options in bytes; set by [`Segment::seal`].
    pub header_len: u8,
}

// In the network a packet takes one segment and two numbers: two cache lines.
const _: () = assert!(size_of::<Segment>() <= 120);

/// Bytes of a TCP header without options.
pub const TCP_HEADER: u8 = 20;
/// Bytes of an IPv4 header without options.
pub const IPV4_HEADER: u8 = 20;
/// Bytes of an IPv6 header.
pub const IPV6_HEADER: u8 = 40;
/// Bytes of options a TCP header can hold.
pub const MAX_OPTIONS: u8 = 40;
/// Bytes of the largest burst handed to the network card at once: `GSO_MAX_SIZE` less the largest header, which
/// depends on what a kernel is built for (`MAX_TCP_HEADER`). This is that of the kernel that was measured, without
/// wireless networks and tunnels; with them it is 320. Only segments of 1420 bytes tell the two apart.
pub(crate) const MAX_BURST: u32 = 65_536 - 1 - 192;

impl Segment {
    /// The number behind the segment's last byte; SYN and FIN count as one each.
    pub fn end_seq(&self) -> Seq {
        self.seq + self.seq_len()
    }

    /// Sequence numbers it takes: payload, SYN and FIN.
    pub fn seq_len(&self) -> u32 {
        self.payload.len()
            + u32::from(self.flags.has(Flags::SYN))
            + u32::from(self.flags.has(Flags::FIN))
    }

    /// The reset that answers it where nobody expects it (RFC 9293 section 3.10.7.1); `None` for a
    /// reset.
    pub fn reset_for_nobody(&self) -> Option<Self> {
        if self.flags.has(Flags::RST) {
            return None;
        }
        Some(if self.flags.has(Flags::ACK) {
            Self { flags: Flags::RST, seq: self.ack, ..Self::default() }
        } else {
            let ack = Seq(self.seq.0.wrapping_add(self.seq_len()));
            Self { flags: Flags::RST | Flags::ACK, ack, ..Self::default() }
        })
    }

    /// The rare options, if there are any.
    pub fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    /// The rare options, made when missing.
    pub fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// True if it has any MPTCP option.
    pub fn has_mptcp(&self) -> bool {
        let rare = |rare: &Rare| {
            rare.mp_capable.is_some()
                || rare.mp_join.is_some()
                || rare.add_addr.is_some()
                || rare.remove_addr.is_some()
                || rare.mp_prio.is_some()
                || rare.mp_fail.is_some()
                || rare.mp_fastclose.is_some()
                || rare.mp_tcprst.is_some()
        };
        self.dss.is_some() || self.rare().is_some_and(rare)
    }

    /// MP_CAPABLE, if present.
    pub fn mp_capable(&self) -> Option<&MpCapable> {
        self.rare.as_ref().and_then(|rare| rare.mp_capable.as_ref())
    }

    /// MP_JOIN, if present.
    pub fn mp_join(&self) -> Option<&MpJoin> {
        self.rare.as_ref().and_then(|rare| rare.mp_join.as_ref())
    }

    /// Notes the length of the headers, once the options are final.
    pub fn seal(&mut self, ip_header: u8) {
        self.header_len = ip_header + TCP_HEADER + self.options_len();
    }

    /// Bytes of the whole IP packet.
    pub fn wire_len(&self) -> u32 {
        u32::from(self.header_len) + self.payload.len()
    }
}

/// Who speaks to whom, seen from the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FourTuple {
    /// Source address and port.
    pub src: SocketAddr,
    /// Destination address and port.
    pub dst: SocketAddr,
}

impl FourTuple {
    /// The tuple of packets in the other direction.
    pub const fn reversed(self) -> Self {
        Self { src: self.dst, dst: self.src }
    }

    /// Bytes of the IP header of such packets.
    pub const fn ip_header(self) -> u8 {
        if self.src.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER }
    }
}
