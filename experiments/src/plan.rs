//! A scenario that was checked: everything named is found, everything left out is filled in.
//!
//! A `Plan` can only be made by [`check`](crate::check::check); whoever builds
//! a simulation from it meets no unknown name, no limit in "BDP" and no
//! missing value any more.

mod resolved;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use mptcpsim_core::link::{LinkChange, LinkConfig};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Bytes;
use mptcpsim_models::app::video::Video;
use mptcpsim_models::app::{Schedule, Script};
use mptcpsim_models::congestion;
use mptcpsim_models::path_manager;
use mptcpsim_models::path_manager::binder::SourceRoute;
use mptcpsim_models::rules::Stack;
use mptcpsim_models::scheduler;
use mptcpsim_models::sysctl::Sysctl;
use mptcpsim_models::wire::Md5Key;

use crate::scenario::{
    App, AppDirection, EndpointFlag, Middlebox, Mptcpd, Multipath, OneWay, Protocol, RadioPower,
    RouteAttributes, Scenario, Sweep, Table,
};

/// The number of a link in [`Plan::links`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub usize);

/// The number of a middlebox in [`Plan::middleboxes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MiddleboxId(pub usize);

/// The number of a host in [`Plan::hosts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(pub usize);

/// The number of a path in [`Plan::paths`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathId(pub usize);

/// One run, ready to be built.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The name of the experiment.
    pub name: String,
    /// When the run ends at the latest.
    pub duration: Span,
    /// The seed of every random stream.
    pub seed: u64,
    /// All links.
    pub links: Vec<LinkPlan>,
    /// All middleboxes.
    pub middleboxes: Vec<MiddleboxPlan>,
    /// All hosts.
    pub hosts: Vec<HostPlan>,
    /// All paths.
    pub paths: Vec<PathPlan>,
    /// Which path a pair of addresses uses.
    pub routes: Vec<Route>,
    /// All connections, repeated ones one by one.
    pub flows: Vec<FlowPlan>,
    /// What changes when, in order.
    pub timeline: Vec<TimedChange>,
    /// The radios of interfaces.
    pub radios: Vec<RadioPlan>,
    /// What is recorded.
    pub record: RecordPlan,
    /// What is allowed, but hardly meant.
    pub warnings: Vec<String>,
    /// What a sweep over this scenario varies; a single run ignores it.
    pub sweep: Option<Sweep>,
    /// What flows of the scenario replay: the text of the files, by the number of the flow.
    pub(crate) recordings: BTreeMap<usize, String>,
    /// The scenario, its topology spelt out, for [`Plan::resolved`].
    pub(crate) scenario: Scenario,
    /// The scenario as written, if it has a topology.
    pub(crate) written: Option<Box<Scenario>>,
    /// Where files named in it are.
    pub(crate) folder: Option<PathBuf>,
}

/// A link: two directions that know nothing of each other.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPlan {
    /// The name.
    pub name: String,
    /// From the first end of a path to the second.
    pub up: DirectionPlan,
    /// From the second end of a path to the first.
    pub down: DirectionPlan,
}

/// One direction of a link.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectionPlan {
    /// All that the engine needs at the start.
    pub config: LinkConfig,
    /// How the delay varies.
    pub delays: DelaySteps,
    /// The same as a scenario says it, defaults and limits included.
    pub(crate) described: OneWay,
    /// The files that say how it varies.
    pub(crate) files: VariationFiles,
}

/// A delay that changes at given times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelaySteps {
    /// From when which delay holds, in order; the first one holds before its time too.
    pub steps: Vec<(Span, Span)>,
    /// After this time they begin again.
    pub period: Option<Span>,
}

/// The texts of files that say how a direction of a link varies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VariationFiles {
    /// A delivery trace, or a table of rates.
    pub(crate) rate: Option<String>,
    /// A table of delays.
    pub(crate) delay: Option<String>,
}

/// A middlebox.
#[derive(Clone, Debug, PartialEq)]
pub struct MiddleboxPlan {
    /// The name.
    pub name: String,
    /// What it does to which segments.
    pub middlebox: Middlebox,
}

/// What stands on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Station {
    /// A link.
    Link(LinkId),
    /// A link from its far end: the path leads forwards through its `down` direction.
    Reversed(LinkId),
    /// A middlebox.
    Middlebox(MiddleboxId),
}

impl Station {
    /// Whether both are the same thing, whatever the direction.
    pub(crate) fn same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Link(a) | Self::Reversed(a), Self::Link(b) | Self::Reversed(b)) => a == b,
            (a, b) => a == b,
        }
    }
}

/// A host.
#[derive(Clone, Debug, PartialEq)]
pub struct HostPlan {
    /// The name.
    pub name: String,
    /// Which stack it runs.
    pub stack: Stack,
    /// Its interfaces, by name.
    pub interfaces: Vec<InterfacePlan>,
    /// Its settings.
    pub sysctl: Sysctl,
    /// Parameters of its kernel modules: module, parameter, value.
    pub modules: Vec<(&'static str, &'static str, i64)>,
    /// Attributes of its routes.
    pub route: RouteAttributes,
    /// What the in-kernel path manager may use.
    pub endpoints: Vec<EndpointPlan>,
    /// Subflows of a connection beyond the first.
    pub subflow_limit: u8,
    /// Announced addresses of the peer that are used.
    pub add_addr_accepted: u8,
    /// Addresses of interfaces that are used in another way than by default.
    pub multipath: Vec<(IpAddr, Multipath)>,
    /// The daemon that manages paths.
    pub mptcpd: Option<Mptcpd>,
}

/// An interface of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfacePlan {
    /// The name.
    pub name: String,
    /// Its addresses, at least one.
    pub addresses: Vec<IpAddr>,
}

/// An address that the in-kernel path manager may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPlan {
    /// The address, one of the host's own.
    pub address: IpAddr,
    /// What it is used for.
    pub flags: BTreeSet<EndpointFlag>,
    /// The identifier; no other endpoint of the host has it.
    pub id: u8,
    /// The port announced with it.
    pub port: Option<u16>,
}

/// An interface of a host, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfaceId {
    /// The host.
    pub host: HostId,
    /// Which of [`HostPlan::interfaces`].
    pub interface: usize,
}

/// The radio of an interface.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RadioPlan {
    /// The interface.
    pub interface: InterfaceId,
    /// What it draws.
    pub power: RadioPower,
}

/// A way between two interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPlan {
    /// The name.
    pub name: String,
    /// The two ends.
    pub ends: [InterfaceId; 2],
    /// Links and middleboxes, in order from the first end; at least one link, nothing twice.
    pub via: Vec<Station>,
    /// The gateways that packets on it must be sent through.
    pub relays: Option<SourceRoute>,
}

impl PathPlan {
    /// The links, in order from the first end.
    pub fn links(&self) -> impl DoubleEndedIterator<Item = LinkId> + '_ {
        self.via.iter().filter_map(|station| match station {
            Station::Link(link) | Station::Reversed(link) => Some(*link),
            Station::Middlebox(_) => None,
        })
    }

    /// The middleboxes, in order from the first end.
    pub fn middleboxes(&self) -> impl Iterator<Item = MiddleboxId> + '_ {
        self.via.iter().filter_map(|station| match station {
            Station::Link(_) | Station::Reversed(_) => None,
            Station::Middlebox(id) => Some(*id),
        })
    }
}

/// Which path packets between two addresses take.
///
/// Forwards (`a` to `b`) they pass the `up` direction of the path's links in
/// order; backwards the `down` direction in the opposite order.
///
/// A pair that no path joins uses the first path from the interface of one of
/// its addresses to the other's host, as with the source-based routing that
/// hosts with several interfaces are set up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// An address of the path's first host.
    pub a: IpAddr,
    /// An address of the path's second host.
    pub b: IpAddr,
    /// The path.
    pub path: PathId,
}

/// A connection.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowPlan {
    /// Which of the scenario's flows it is, or is a connection of.
    pub declared: usize,
    /// The name; no other flow has it.
    pub name: String,
    /// When it is opened.
    pub start: Time,
    /// The end that opens it.
    pub from: FlowEnd,
    /// The end that accepts it.
    pub to: FlowEnd,
    /// Port that `to` listens on. Only repetitions of the same flow share it.
    pub port: u16,
    /// How long after the start both ends begin to read.
    pub reads_after: Span,
    /// What runs over it, as the scenario says.
    pub app: App,
    /// What both ends do, everything drawn and read.
    pub work: Work,
}

impl App {
    /// Programs of this kind set `TCP_NODELAY`: what is small leaves at once.
    pub(crate) const fn sets_nodelay(&self) -> bool {
        match self {
            Self::Bulk { .. } | Self::Timed { .. } | Self::Request { .. } => false,
            Self::Page { .. }
            | Self::ConstantRate { .. }
            | Self::OnOff { .. }
            | Self::Trace { .. }
            | Self::Video { .. } => true,
        }
    }
}

/// What both ends of a connection do.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// A number of bytes as fast as possible.
    Bulk {
        /// How many, in each direction.
        bytes: Bytes,
        /// Who sends.
        direction: AppDirection,
        /// Who sends resets the connection when all is sent.
        abort: bool,
    },
    /// As much as possible in a time.
    Timed {
        /// The time.
        duration: Span,
        /// Who sends.
        direction: AppDirection,
        /// Who sends resets the connection then.
        abort: bool,
    },
    /// Requests and answers.
    Exchanges {
        /// Which.
        script: Script,
        /// The end that answers closes first.
        server_closes: bool,
    },
    /// Messages at given times.
    Messages {
        /// What the end that accepts the connection writes.
        down: Schedule,
        /// What the end that opens it writes.
        up: Schedule,
        /// A message that takes longer is late.
        deadline: Option<Span>,
    },
    /// An adaptive video.
    Video(Video),
}

impl Default for Work {
    fn default() -> Self {
        let direction = AppDirection::default();
        Self::Bulk { bytes: Bytes::ZERO, direction, abort: false }
    }
}

impl FlowPlan {
    /// Both ends, the opening one first.
    pub const fn ends(&self) -> [&FlowEnd; 2] {
        [&self.from, &self.to]
    }

    /// Whether both ends have sockets of MPTCP.
    pub fn is_mptcp(&self) -> bool {
        self.ends().iter().all(|end| end.protocol == Protocol::Mptcp)
    }
}

/// One end of a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowEnd {
    /// The host.
    pub host: HostId,
    /// The address of the first subflow.
    pub address: IpAddr,
    /// The kind of its socket.
    pub protocol: Protocol,
    /// The congestion control.
    pub congestion_control: Algorithm<congestion::Name>,
    /// Which subflow carries the next data.
    pub scheduler: Algorithm<scheduler::Name>,
    /// Who opens subflows.
    pub path_manager: Algorithm<path_manager::Name>,
    /// A fixed receive buffer.
    pub receive_buffer: Option<Bytes>,
    /// A fixed send buffer.
    pub send_buffer: Option<Bytes>,
    /// Data goes with the SYN.
    pub fast_open: bool,
    /// Signs all segments.
    pub md5_key: Option<Md5Key>,
}

/// An algorithm and those of its parameters that are not preset. The algorithm has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Algorithm<N> {
    /// Which one.
    pub name: N,
    /// Parameters and values.
    pub params: Vec<(String, String)>,
}

/// Something that changes at a given time.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedChange {
    /// When.
    pub at: Time,
    /// What.
    pub change: Change,
}

/// A change of the network or of a host.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// One direction of a link becomes different.
    Link {
        /// The link.
        link: LinkId,
        /// True for the `up` direction.
        upwards: bool,
        /// What it is from then on.
        set: LinkChange,
    },
    /// An interface goes up or down.
    Interface {
        /// The interface.
        interface: InterfaceId,
        /// Whether it is up from then on.
        up: bool,
    },
    /// An interface is used in another way.
    Multipath {
        /// The interface.
        interface: InterfaceId,
        /// What it may be used for from then on.
        multipath: Multipath,
    },
    /// Other limits: subflows beyond the first, announcements that are used.
    SetLimits(HostId, u8, u8),
    /// A new endpoint, or other flags for the one with the same identifier.
    SetEndpoint(HostId, EndpointPlan),
    /// The endpoint with this identifier goes.
    RemoveEndpoint(HostId, u8),
}

/// What is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPlan {
    /// The time between two samples.
    pub interval: Span,
    /// Which tables are written.
    pub tables: BTreeSet<Table>,
    /// Whether events tell MPTCP options.
    pub options: bool,
    /// Whether packets are captured.
    pub pcap: bool,
    /// How many bytes of a packet a capture keeps.
    pub snap_length: Bytes,
    /// Whether sockets are listed in the end.
    pub ss: bool,
    /// When they are listed before, in order.
    pub ss_at: Vec<Time>,
    /// Whether counters are listed in the end.
    pub nstat: bool,
}

impl Plan {
    /// The scenario as written.
    pub fn scenario(&self) -> &Scenario {
        self.written.as_deref().unwrap_or(&self.scenario)
    }

    /// For each of [`Plan::flows`] the flow of the scenario that it repeats, its topology spelt out.
    pub fn flow_numbers(&self) -> Vec<usize> {
        self.flows.iter().map(|flow| flow.declared).collect()
    }

    /// The folder in which files named in the scenario are looked for.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The path between two addresses, and whether it leads forwards from `from` to `to`.
    pub fn path_between(&self, from: IpAddr, to: IpAddr) -> Option<(PathId, bool)> {
        self.routes.iter().find_map(|route| {
            let forwards = route.a == from && route.b == to;
            let backwards = route.a == to && route.b == from;
            (forwards || backwards).then_some((route.path, forwards))
        })
    }
}
