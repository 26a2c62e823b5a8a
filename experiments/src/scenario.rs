//! What an experiment is, as data.
//!
//! A [`Scenario`] is the tree a scenario file spells out: links, hosts, paths
//! that join them, flows, a timeline of changes, what to record and what to
//! vary. The types here have no behaviour: [`check`](crate::check) turns the
//! tree into a [`Plan`](crate::plan::Plan) or names every fault in it, the JSON
//! Schema comes from the same types ([`schema`]), and the texts below are what
//! the command line shows as help.
//!
//! ```text
//! links ──┐
//! boxes ──┤
//! hosts ──┼─► paths ─► flows        timeline, record, sweep
//! ```

mod coverage;
mod flow;
mod host;
mod impairment;
mod limit;
mod link;
mod middlebox;
mod preset;
mod quantity;
mod radio;
mod record;
mod schema;
mod sweep;
mod timeline;
mod topology;
mod variation;
mod workload;

use std::collections::BTreeMap;

use mptcpsim_core::time::Span;
use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use coverage::{Coverage, Interval, IntervalError};
pub use flow::{
    Adaptation, App, AppDirection, CongestionControl, Flow, FlowMptcp, PathManager, Protocol,
    Repeat, Scheduler,
};
pub use host::{
    Addresses, Endpoint, EndpointFlag, EndpointLimits, Host, HostMptcp, Mptcpd, MptcpdPlugin,
    Multipath, NotifyFlag, RouteAttributes, Stack, SysctlValue,
};
pub use impairment::{Directions, Jitter, Loss, PacketFilter};
pub use limit::{Limit, LimitError};
pub use link::{Link, OneWay, Queue};
pub use middlebox::{
    Action, Copies, End, FirewallRule, Middlebox, Only, OptionName, OptionOrder, Replacement,
    SegmentKind,
};
pub use preset::LinkPreset;
pub(crate) use quantity::check_text;
pub use radio::{Radio, RadioPower, RadioPreset};
pub use record::{Record, Table};
pub use schema::schema;
pub use sweep::{Domain, Range, Sample, SampleDesign, Scale, SeedRange, Seeds, SeedsError, Sweep};
pub use timeline::{EndpointChange, LinkSet, TimelineEntry};
pub use topology::{Matrix, Selection, Shape, Topology, Traffic};
pub use variation::{Capacity, Delay, DelayStep, Outage, RateStep};
pub use workload::{MeasuredSizes, SizePoint, Sizes, Times};

/// An experiment: a network, what flows through it and what to record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Scenario {
    /// The name results carry; without it the name of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When the run ends at the latest; it ends earlier once every flow has finished. Without it one minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::Time>")]
    pub duration: Option<Span>,
    /// The seed of every random stream; two runs with the same seed and scenario are identical. Without it 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9_223_372_036_854_775_807_i64))]
    pub seed: Option<u64>,
    /// A ready network, which adds its links, hosts and paths to those below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topology: Option<Topology>,
    /// Who sends to whom in the ready network; it adds its flows to those below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// Links by name. A link has two directions, alike unless `up` or `down` say otherwise.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, Link>,
    /// Middleboxes by name, which stand on paths and change what passes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub middleboxes: BTreeMap<String, Middlebox>,
    /// Hosts by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<String, Host>,
    /// Which interfaces are joined, and through which links.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<Path>,
    /// The connections that are opened and what runs over them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<Flow>,
    /// Changes at given times: a link slows down or fails, a host gains or loses an address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelineEntry>,
    /// When links and interfaces of hosts that move carry packets; at other times they are down.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coverage: Vec<Coverage>,
    /// What is written down, and how often.
    #[serde(skip_serializing_if = "Record::is_default")]
    pub record: Record,
    /// What a sweep varies: seeds, and lists of values for keys given by their path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
}

/// A way between two interfaces.
///
/// The long form names its ends and its links. The short form gives the link's
/// own keys instead: without `via` the path is a link of its own, and without
/// `between` it joins the hosts `client` and `server`, each with one more
/// interface named like the path, with the addresses 10.0.N.1 and 10.0.N.2 for
/// the N-th path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Path {
    /// The name results use for this path; without it the names of its links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The two ends as `host.interface`. The `up` direction of the links leads from the first to the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = ["phone.wlan0", "server.eth0"])]
    pub between: Option<[String; 2]>,
    /// The names of the links and middleboxes on the way, in order from the first end; at least one link.
    /// `NAME.down` is the link `NAME` passed from its far end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = ["wifi"])]
    pub via: Option<Vec<String>>,
    /// The names of middleboxes in front of the link of the short form, in order from the first end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub middleboxes: Vec<String>,
    /// Gateways that packets must be sent through to take this path, as the path manager `binder` does. Other
    /// paths may join the same interfaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = ["10.0.9.1"])]
    pub relays: Vec<Ipv4Addr>,
    /// The short form: the keys of a link that belongs to this path alone.
    #[serde(flatten)]
    pub link: Link,
}
