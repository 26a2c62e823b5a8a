//! Flows: connections and the applications that use them.

use std::collections::BTreeMap;

use mptcpsim_core::time::Span;
use mptcpsim_core::units::{Bytes, Rate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity;
use super::workload::{Sizes, Times};

/// A connection and what runs over it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flow {
    /// The name results use for this flow; without it `flow1`, `flow2` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The host that opens the connection; without it the first end of the first path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The host that accepts it; without it the other one of two hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// When the connection is opened; without it at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::Time>")]
    pub start: Option<Span>,
    /// The same flow several times, one after the other. What is drawn at random is drawn anew for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// Which kind of socket opens the connection.
    #[serde(default)]
    pub protocol: Protocol,
    /// Which kind of socket accepts it; without it the same kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepting_protocol: Option<Protocol>,
    /// What runs over the connection.
    pub app: App,
    /// How MPTCP uses its subflows.
    #[serde(default, skip_serializing_if = "FlowMptcp::is_default")]
    pub mptcp: FlowMptcp,
    /// The congestion control of both ends; without it what the hosts' sysctls say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub congestion_control: Option<CongestionControl>,
    /// Parameters of the congestion control, in place of those of the hosts' kernel modules.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(example = BTreeMap::from([("total_alpha", 20)]))]
    pub congestion_parameters: BTreeMap<String, i64>,
    /// Interface or address the first subflow leaves from; without it that of the first path between the hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"wlan0")]
    pub source: Option<String>,
    /// Interface or address the first subflow goes to; without it that of the first path between the hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"10.0.1.2")]
    pub destination: Option<String>,
    /// Port that `to` listens on, another one for each flow; without it 5001 for the first flow, 5002 for the
    /// second and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<u16>,
    /// A fixed receive buffer at both ends, as set with SO_RCVBUF, but whatever `net.core.rmem_max` allows (as with
    /// SO_RCVBUFFORCE); without it the kernel tunes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::ByteCount>")]
    pub receive_buffer: Option<Bytes>,
    /// A fixed send buffer at both ends, as set with SO_SNDBUF; without it the kernel tunes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::ByteCount>")]
    pub send_buffer: Option<Bytes>,
    /// How long after the connection was made its ends begin to read; what arrives before fills their receive
    /// buffers, and the windows close. Without it they read at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::Time>")]
    pub reads_after: Option<Span>,
    /// Opens with TCP Fast Open (RFC 7413), as set with TCP_FASTOPEN and TCP_FASTOPEN_CONNECT: once the client has the
    /// server's cookie, from an earlier connection, the SYN carries the first data. The hosts' sysctl
    /// `net.ipv4.tcp_fastopen` has to allow it; as it is preset, servers do not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fast_open: bool,
    /// A key of at most 80 bytes that signs all segments of both ends (RFC 2385), as set with TCP_MD5SIG. Such a
    /// connection is plain TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80), example = &"secret")]
    pub md5_key: Option<String>,
}

/// A flow that is opened again and again, each time as a connection of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Repeat {
    /// How many connections there are; `at` and `file` say so themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub times: Option<u32>,
    /// The time from one start to the next; `{ exponential = "200 ms" }` makes it a Poisson process.
    #[serde(default, skip_serializing_if = "Times::is_zero")]
    pub every: Times,
    /// When they start, counted from `start`, in place of `every`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<quantity::Time>")]
    pub at: Vec<Span>,
    /// When they start and what they carry, in place of `every` and of the `bytes` of the application, which is
    /// `bulk`: a CSV file beside the scenario with the columns `time_s` and `bytes`, a connection a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"arrivals.csv")]
    pub file: Option<String>,
}

/// Which kind of socket opens a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Multipath TCP; falls back to TCP when the peer or the path has none.
    #[default]
    Mptcp,
    /// Plain TCP.
    Tcp,
}

/// What runs over a connection. All but `bulk`, `timed` and `request` set TCP_NODELAY.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum App {
    /// Sends a number of bytes as fast as the network takes them, then closes.
    Bulk {
        /// How much is sent (in each direction).
        bytes: Sizes,
        /// Who sends.
        #[serde(default)]
        direction: AppDirection,
        /// Aborts the connection after the last byte instead of closing it: with MP_FASTCLOSE, or a reset.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        abort: bool,
    },
    /// Sends for a time as fast as the network takes it, then closes.
    Timed {
        /// For how long, from when the connection is opened.
        #[schemars(with = "quantity::Time")]
        duration: Span,
        /// Who sends.
        #[serde(default)]
        direction: AppDirection,
        /// Aborts the connection then instead of closing it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        abort: bool,
    },
    /// Sends a request and waits for the response, several times on the same connection, then closes.
    Request {
        /// How many requests there are.
        #[serde(default = "one")]
        #[schemars(range(min = 1, max = 1_000_000))]
        count: u32,
        /// The size of a request.
        #[serde(default = "small_request")]
        request_bytes: Sizes,
        /// The size of a response.
        response_bytes: Sizes,
        /// The pause between a response and the next request.
        #[serde(default)]
        think_time: Times,
        /// After the last response the server closes first, as with HTTP/1.0.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        server_closes: bool,
    },
    /// Loads a web page: the page itself over the first connection, and what it is made of over all of them in
    /// turn, one object after the other on each. All connections are opened at once.
    Page {
        /// The size of the page itself.
        #[serde(default = "page_bytes")]
        #[schemars(with = "quantity::ByteCount")]
        page_bytes: Bytes,
        /// How many objects it is made of.
        #[serde(default = "some_objects")]
        #[schemars(range(min = 1, max = 10_000))]
        objects: u32,
        /// The size of an object.
        #[serde(default = "object_bytes")]
        object_bytes: Sizes,
        /// How many connections there are: 6 is what browsers open with HTTP/1.1.
        #[serde(default = "one")]
        #[schemars(range(min = 1, max = 100))]
        connections: u32,
    },
    /// Writes messages of the same size at the same distance, as voice and sensors do.
    ConstantRate {
        /// How much is written per time.
        #[schemars(with = "quantity::BitRate")]
        rate: Rate,
        /// The size of a message.
        #[serde(default = "message")]
        #[schemars(with = "quantity::ByteCount")]
        message_bytes: Bytes,
        /// For how long.
        #[schemars(with = "quantity::Time")]
        duration: Span,
        /// A message that takes longer is late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<quantity::Time>")]
        deadline: Option<Span>,
        /// Who writes.
        #[serde(default)]
        direction: AppDirection,
    },
    /// Writes messages at a constant rate for a time, pauses, and so on.
    OnOff {
        /// How much is written per time while it writes.
        #[schemars(with = "quantity::BitRate")]
        rate: Rate,
        /// For how long it writes.
        on: Times,
        /// For how long it pauses.
        off: Times,
        /// The size of a message.
        #[serde(default = "message")]
        #[schemars(with = "quantity::ByteCount")]
        message_bytes: Bytes,
        /// For how long altogether.
        #[schemars(with = "quantity::Time")]
        duration: Span,
        /// A message that takes longer is late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<quantity::Time>")]
        deadline: Option<Span>,
        /// Who writes.
        #[serde(default)]
        direction: AppDirection,
    },
    /// Writes what was recorded, when it was recorded.
    Trace {
        /// A CSV file beside the scenario with the columns `time_s` (seconds from the start of the flow, in
        /// order) and `bytes`.
        #[schemars(example = &"game.csv")]
        file: String,
        /// A message that takes longer is late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<quantity::Time>")]
        deadline: Option<Span>,
        /// Who writes.
        #[serde(default)]
        direction: AppDirection,
    },
    /// Plays an adaptive video (DASH): fetches segment after segment, each in the quality that the network or
    /// the buffer allows, and stalls when the buffer is empty.
    Video {
        /// The bit rates in which the video exists, the lowest first.
        #[serde(default = "bitrates")]
        #[schemars(with = "Vec<quantity::BitRate>")]
        bitrates: Vec<Rate>,
        /// How long a segment plays.
        #[serde(default = "segment_time")]
        #[schemars(with = "quantity::Time")]
        segment: Span,
        /// How many segments are played.
        #[schemars(range(min = 1, max = 100_000))]
        segments: u32,
        /// No segment is fetched while there is more than this in the buffer.
        #[serde(default = "video_buffer")]
        #[schemars(with = "quantity::Time")]
        buffer: Span,
        /// Playing begins, and begins again after a stall, with this much in the buffer.
        #[serde(default = "segment_time")]
        #[schemars(with = "quantity::Time")]
        startup: Span,
        /// How the quality is chosen.
        #[serde(default)]
        adaptation: Adaptation,
    },
}

/// How a video player chooses the quality of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Adaptation {
    /// The best one below 85 % of what the last five segments came with (as FESTIVE, CoNEXT 2012).
    #[default]
    Throughput,
    /// The fuller the buffer, the better (BBA-0, SIGCOMM 2014).
    Buffer,
}

/// Who sends the bytes of an application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AppDirection {
    /// `to` sends: the host that opened the connection receives.
    #[default]
    Download,
    /// `from` sends: the host that opened the connection.
    Upload,
    /// Both send at the same time.
    Both,
}

/// How MPTCP uses its subflows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FlowMptcp {
    /// Which subflow carries the next data; without it what the hosts' sysctls say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Scheduler>,
    /// Parameters of the scheduler, in place of those of the hosts' kernel modules.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(example = BTreeMap::from([("num_segments", 2)]))]
    pub scheduler_parameters: BTreeMap<String, i64>,
    /// Who opens subflows and announces addresses, at both ends; without it what the hosts' sysctls say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_manager: Option<PathManager>,
    /// Parameters of the path manager, in place of those of the hosts' kernel modules.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(example = BTreeMap::from([("num_subflows", 4)]))]
    pub path_manager_parameters: BTreeMap<String, i64>,
}

impl FlowMptcp {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Which subflow carries the next data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scheduler {
    /// The stack's own default: `least-linger` upstream, `lowest-rtt` out of tree.
    #[default]
    Default,
    /// Upstream's default: the subflow that would send what it holds the soonest, by pacing rate.
    LeastLinger,
    /// The out-of-tree default: the subflow with the lowest round-trip time that has room, with opportunistic
    /// retransmission and penalisation.
    LowestRtt,
    /// Subflows take turns, whatever their delays.
    #[serde(rename = "roundrobin")]
    RoundRobin,
    /// Every subflow carries everything.
    Redundant,
    /// Blocking estimation: `lowest-rtt`, but a slow subflow is left out when it would block the send window.
    Blest,
    /// Earliest completion first: `lowest-rtt`, but the fast subflow is waited for if that ends sooner.
    Ecf,
    /// Every packet goes where it will arrive first, even if it has to wait there for the window.
    Otias,
    /// Shortest transfer time first: `otias` with windows that grow while a packet waits.
    Sttf,
    /// Delay-aware: a timetable made of delays and windows, by which packets arrive in order.
    Daps,
}

/// Who opens subflows and announces addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PathManager {
    /// The one called so. Upstream: the in-kernel path manager with the hosts' endpoints. Out of tree: one that
    /// opens and announces nothing.
    #[default]
    Default,
    /// The in-kernel path manager of upstream Linux with the hosts' endpoints.
    Endpoints,
    /// A subflow between every pair of addresses. Upstream: the in-kernel path manager, and every address of the
    /// host that opens the connection is an endpoint with the flags `subflow` and `fullmesh`. Out of tree: the
    /// module of this name.
    Fullmesh,
    /// Several subflows between the same two addresses, told apart by their ports.
    Ndiffports,
    /// A subflow through each route of gateways in the sysctl `net.mptcp.mptcp_binder_gateways`; `relays` says
    /// which path that is.
    Binder,
    /// The daemon of the host decides: see `hosts.NAME.mptcpd`.
    Userspace,
}

/// How fast data is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CongestionControl {
    /// NewReno (RFC 5681, RFC 6582), on each subflow for itself.
    Reno,
    /// CUBIC (RFC 9438) with HyStart as in Linux, on each subflow for itself.
    Cubic,
    /// Linked increases (RFC 6356), with the integers of the out-of-tree kernel.
    Lia,
    /// Opportunistic linked increases, with the integers of the out-of-tree kernel.
    Olia,
    /// Balanced linked adaptation, with the integers of the out-of-tree kernel.
    Balia,
    /// Weighted Vegas, with the integers of the out-of-tree kernel.
    Wvegas,
    /// Bottleneck bandwidth and round-trip time, version 1: packets leave at the rate the path delivers, on each
    /// subflow for itself.
    Bbr,
    /// Linked increases as RFC 6356 has them, in real numbers.
    LiaRfc6356,
    /// Opportunistic linked increases as published, in real numbers.
    OliaPaper,
    /// Balanced linked adaptation as published, in real numbers.
    BaliaDraft,
    /// Equally weighted TCP: each of n subflows is a TCP of weight 1/n.
    Ewtcp,
    /// NewReno on each subflow for itself: what coupling is compared to.
    Uncoupled,
}

fn one() -> u32 {
    1
}

fn small_request() -> Sizes {
    Sizes::Fixed(Bytes::new(200))
}

fn page_bytes() -> Bytes {
    Bytes::new(30_000)
}

fn some_objects() -> u32 {
    40
}

fn object_bytes() -> Sizes {
    Sizes::Lognormal { lognormal: Bytes::new(15_000), sigma: 1.4 }
}

fn message() -> Bytes {
    Bytes::new(1_000)
}

/// The qualities from 240p to 1080p that test content for DASH usually has.
fn bitrates() -> Vec<Rate> {
    [400_000, 800_000, 1_500_000, 3_000_000, 6_000_000].map(Rate::from_bps).to_vec()
}

fn segment_time() -> Span {
    Span::from_secs(4)
}

fn video_buffer() -> Span {
    Span::from_secs(30)
}
