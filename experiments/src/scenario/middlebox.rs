//! Middleboxes: what stands on a path and looks into segments.

use std::collections::BTreeSet;
use std::net::IpAddr;

use mptcpsim_core::time::Span;
use mptcpsim_core::units::{Bytes, Probability};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Directions;
use super::quantity;

/// A middlebox: what it does, and to which segments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Middlebox {
    /// What it does.
    #[schemars(example = serde_json::json!({ "kind": "strip" }))]
    pub action: Action,
    /// Which segments it looks at; without it all.
    #[serde(default, skip_serializing_if = "Only::is_default")]
    pub only: Only,
}

/// Which segments a middlebox looks at; the others pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Only {
    /// In which direction of its paths.
    pub direction: Directions,
    /// Segments of these kinds; without it all. A third ACK is the first segment behind the SYN of the end that opened the subflow, with data or without.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub on: BTreeSet<SegmentKind>,
    /// Segments that carry one of these options; without it all.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub with: BTreeSet<OptionName>,
    /// From this data segment of a subflow and direction on, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Not before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::Time>")]
    pub after: Option<Span>,
    /// At most so many segments of each subflow are touched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Each segment with this probability.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::Chance>")]
    pub probability: Option<Probability>,
}

impl Only {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Kinds of segments.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum SegmentKind {
    /// SYN without ACK.
    Syn,
    /// SYN with ACK.
    SynAck,
    /// The third segment of a handshake.
    ThirdAck,
    /// Without payload.
    Ack,
    /// With payload.
    Data,
    /// Resets.
    Rst,
    /// All but SYN and SYN/ACK.
    NotSyn,
}

/// TCP options, MPTCP's as RFC 8684 names them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OptionName {
    /// All options of MPTCP.
    Mptcp,
    /// MP_CAPABLE.
    MpCapable,
    /// MP_JOIN.
    MpJoin,
    /// DSS.
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
    MpTcprst,
    /// Maximum segment size.
    Mss,
    /// SACK permitted.
    SackPermitted,
    /// SACK blocks.
    Sack,
    /// Timestamps.
    Timestamps,
    /// Window scale.
    WindowScale,
    /// Options that no host here knows.
    Unknown,
}

/// What a middlebox does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Action {
    /// Takes options out of segments.
    Strip {
        /// Which options.
        #[serde(default = "all_of_mptcp")]
        options: BTreeSet<OptionName>,
        /// What takes their place.
        #[serde(default)]
        replace: Replacement,
    },
    /// Drops segments: which ones, says `only`.
    Drop,
    /// Keeps segments for a time; others overtake them.
    Hold {
        /// How long.
        #[schemars(with = "quantity::Time")]
        delay: Span,
    },
    /// Copies the MP_CAPABLE of SYNs into the SYN/ACKs, as boxes do that answer with the options they were sent.
    Echo {
        /// The server does not see the option.
        #[serde(default)]
        strip_syn: bool,
        /// The copy has a key, as if a server that speaks MPTCP had answered.
        #[serde(default)]
        invent_key: bool,
    },
    /// Translates source addresses and ports (RFC 3022). The side of the path's first host is inside.
    Nat {
        /// The address outside.
        address: IpAddr,
        /// What is added to ports.
        #[serde(default)]
        port_shift: u16,
        /// A mapping that is idle for so long ends; then a segment from inside gets another port, and one from outside is dropped.
        #[serde(default = "two_hours_four")]
        #[schemars(with = "quantity::Time")]
        idle_timeout: Span,
    },
    /// Replaces initial sequence numbers by others, and shifts all that follow.
    Sequence {
        /// Shift of the numbers that go up; without it a random one for each subflow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        up: Option<u32>,
        /// Shift of the numbers that go down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        down: Option<u32>,
        /// Shift the numbers in SACK blocks too; some boxes forget to.
        #[serde(default = "yes")]
        sack: bool,
    },
    /// Cuts segments with much payload into several, as segmentation offload does.
    Split {
        /// Most bytes of payload.
        #[serde(default = "split_size")]
        #[schemars(range(min = 1))]
        size: u32,
        /// Which pieces get the MPTCP options.
        #[serde(default)]
        copies: Copies,
    },
    /// Joins consecutive data segments; the first one's options stay.
    Coalesce {
        /// How long it waits for the next segment.
        #[serde(default = "coalesce_hold")]
        #[schemars(with = "quantity::Time")]
        hold: Span,
        /// Join only segments with the same MPTCP options, as receive offload does.
        #[serde(default = "yes")]
        same_options: bool,
        /// How many segments become one.
        #[serde(default = "two")]
        #[schemars(range(min = 2, max = 44))]
        segments: u32,
    },
    /// Changes single bytes of the payload, and sets the TCP checksum right.
    Corrupt {
        /// Offset of the first byte in the subflow's stream.
        at: u64,
        /// From one changed byte to the next.
        #[serde(default)]
        stride: u64,
        /// How many bytes change.
        #[serde(default = "one")]
        bytes: u64,
    },
    /// Application-level gateway: replaces bytes of the stream that goes up by others, and shifts all later sequence numbers.
    Alg {
        /// Offset of the first byte in the subflow's stream.
        at: u32,
        /// How many bytes go.
        remove: u32,
        /// What comes in their place.
        insert: String,
    },
    /// Writes options in another order.
    ReorderOptions {
        /// The order.
        #[serde(default)]
        order: OptionOrder,
    },
    /// Lowers the MSS that SYNs announce, or the window.
    Clamp {
        /// The largest MSS.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mss: Option<u16>,
        /// The largest window field, as in the header, before scaling.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<u16>,
    },
    /// Acknowledges data before the receiver does, and repeats what gets lost behind it (RFC 3135).
    AckProxy {
        /// What the receiver has not acknowledged by then is sent again.
        #[serde(default = "proxy_timeout")]
        #[schemars(with = "quantity::Time")]
        timeout: Span,
        /// The receiver's own acknowledgements of that data go no further.
        #[serde(default)]
        absorb: bool,
    },
    /// Ends TCP connections and opens others in their place (RFC 3135): answers SYNs and acknowledges data itself, has buffers and retransmissions of its own, and speaks no MPTCP.
    SplitProxy {
        /// Memory for each direction of each of the two connections, as `SO_RCVBUF` and `SO_SNDBUF` count it; without it they size their buffers themselves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<quantity::ByteCount>")]
        buffer: Option<Bytes>,
    },
    /// Drops segments that do not fit its idea of TCP.
    Firewall {
        /// What it drops.
        drops: BTreeSet<FirewallRule>,
    },
    /// One end of a detour inside ICMP echo requests; the other end of the path needs one too.
    Icmp {
        /// Which end of the path it stands at.
        end: End,
        /// Subflows with this port at one end take the detour.
        #[serde(default = "http")]
        port: u16,
        /// Packets that would be longer are not wrapped.
        #[serde(default = "ethernet")]
        #[schemars(with = "quantity::ByteCount")]
        mtu: Bytes,
        /// How much smaller the hosts make their segments; 24 is what the detour needs.
        #[serde(default)]
        mss_adjust: u16,
    },
}

/// What takes the place of a stripped option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Replacement {
    /// NOPs: no length changes.
    #[default]
    Nop,
    /// End-of-options, which hides all options behind it too.
    Eol,
    /// Nothing: the header becomes shorter.
    None,
}

/// Which pieces of a segment get its MPTCP options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Copies {
    /// All.
    #[default]
    All,
    /// The first.
    First,
    /// The last.
    Last,
}

/// The order in which a middlebox writes options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptionOrder {
    /// The last one first.
    #[default]
    Reverse,
    /// By number.
    ByKind,
}

/// What a firewall drops.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum FirewallRule {
    /// Acknowledgements without data, but for the third of a handshake.
    PureAcks,
    /// Acknowledgements without data that repeat number and window of the last one.
    DuplicateAcks,
    /// Data outside the window that the other end announced.
    OutOfWindow,
    /// Data behind a gap in the sequence numbers it has seen.
    Holes,
    /// Acknowledgements of data it has not seen.
    UnseenAcks,
}

/// An end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// That of the host named first.
    First,
    /// The other.
    Second,
}

fn all_of_mptcp() -> BTreeSet<OptionName> {
    [OptionName::Mptcp].into()
}

/// What RFC 5382 asks of NATs.
fn two_hours_four() -> Span {
    Span::from_secs(7_440)
}

fn split_size() -> u32 {
    700
}

fn coalesce_hold() -> Span {
    Span::from_ms(2)
}

fn proxy_timeout() -> Span {
    Span::from_ms(300)
}

fn yes() -> bool {
    true
}

fn one() -> u64 {
    1
}

fn two() -> u32 {
    2
}

fn http() -> u16 {
    80
}

fn ethernet() -> Bytes {
    Bytes::new(1_500)
}
