//! Ready networks, and who sends to whom in them.

use mptcpsim_core::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Flow, Host, OneWay, quantity};

/// A ready network: its links, hosts and paths come from a few numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Topology {
    /// What it looks like.
    pub shape: Shape,
    /// What each link is, in both directions. A link that `[links]` names is as it says there.
    #[schemars(example = serde_json::json!({ "rate": "100 Mbit/s", "delay": "10 us" }))]
    pub link: OneWay,
    /// What the links between hosts and the first node are; without it they are like the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<OneWay>,
    /// What all hosts are. A host that `[hosts]` names is as it says there.
    #[serde(default)]
    pub host: Host,
}

/// The shape of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Shape {
    /// A client and a server joined by links side by side, `link1`, `link2` and so on; one pair.
    Parallel {
        /// How many links.
        #[serde(default = "two")]
        #[schemars(range(min = 1, max = 64))]
        links: u32,
    },
    /// Hosts on the left send to hosts on the right through one link, `bottleneck`; each host has a link of
    /// its own to it.
    Dumbbell {
        /// How many pairs of hosts.
        #[schemars(range(min = 1, max = 10_000))]
        pairs: u32,
    },
    /// As `dumbbell`, but each left host has several links of its own, all of which lead into `bottleneck`.
    SharedBottleneck {
        /// How many pairs of hosts.
        #[serde(default = "two")]
        #[schemars(range(min = 1, max = 10_000))]
        pairs: u32,
        /// How many links each left host has.
        #[serde(default = "two")]
        #[schemars(range(min = 1, max = 8))]
        links: u32,
    },
    /// Three links, `link1` to `link3`, and three pairs: each has one link to itself for a short path, and a
    /// long path over the other two (Wischik et al., NSDI 2011, section 2).
    Triangle,
    /// Links in a ring, `link1` to `linkN`, and as many pairs: pair i has a path over link i and one over the
    /// next (Wischik et al., NSDI 2011, section 3).
    Torus {
        /// How many links and pairs.
        #[serde(default = "five")]
        #[schemars(range(min = 3, max = 1_000))]
        links: u32,
    },
    /// Pods of edge and aggregation switches under a core: k^3/4 hosts with (k/2)^2 paths between pods
    /// (Al-Fares et al., SIGCOMM 2008). Hosts `h0` and so on, switches `e`, `a` and `c` with a number.
    Fattree {
        /// The number of ports of a switch, even.
        #[schemars(range(min = 2, max = 32))]
        k: u32,
    },
    /// Hosts with several ports that forward for each other: n^(levels + 1) hosts with levels + 1 disjoint paths
    /// between any two (Guo et al., SIGCOMM 2009). Hosts `h0` and so on, switches `s` with level and number.
    Bcube {
        /// The number of ports of a switch.
        #[schemars(range(min = 2, max = 16))]
        n: u32,
        /// The highest level of switches, from 0.
        #[schemars(range(min = 0, max = 3))]
        levels: u32,
    },
    /// Nodes joined by cables; nodes with a single name are hosts if `hosts` says so. Paths are the shortest ones.
    Graph {
        /// The two ends of each cable; the link is called `A-B`.
        #[schemars(example = [["a", "s1"], ["s1", "b"]])]
        cables: Vec<[String; 2]>,
        /// Which nodes are hosts.
        #[schemars(example = ["a", "b"])]
        hosts: Vec<String>,
        /// How many cables more than the shortest path a path may have.
        #[serde(default)]
        #[schemars(range(min = 0, max = 10))]
        detour: u32,
    },
}

/// Who sends to whom, and over how many paths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Traffic {
    /// Which hosts open connections to which.
    #[serde(default)]
    pub matrix: Matrix,
    /// How many paths each connection has, one for each subflow.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 8))]
    pub subflows: u32,
    /// Which of the shortest paths these are.
    #[serde(default)]
    pub selection: Selection,
    /// Connections begin within this time, each at a random moment; without it all at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::Time>")]
    pub spread: Option<Span>,
    /// What each connection is; `from`, `to` and `name` come from the matrix.
    pub flow: Flow,
}

/// Which hosts open connections to which. A host that both opens and accepts some is two hosts at one link,
/// `NAME` and `NAME-in`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Matrix {
    /// The pairs that the topology itself is about; in a topology without any, as `permutation`.
    #[default]
    Pairs,
    /// Every host to one other, every host from one other, at random.
    Permutation,
    /// Every host to several others at random.
    OneToMany {
        /// To how many.
        #[schemars(range(min = 1, max = 1_000))]
        fan: u32,
    },
    /// Some of the hosts, drawn at random, to one other each.
    Sparse {
        /// Which part of the hosts opens connections, in percent.
        #[schemars(range(min = 1, max = 100))]
        percent: u32,
    },
    /// Several hosts, drawn at random, all to one.
    Incast {
        /// How many.
        #[schemars(range(min = 1, max = 10_000))]
        senders: u32,
    },
    /// Every host to every other.
    AllToAll,
}

/// Which of the paths between two hosts the subflows of a connection take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// By a hash of the addresses, as equal-cost multipath routing does it: two may fall on the same path, and
    /// another seed changes nothing.
    #[default]
    Ecmp,
    /// At random: two may fall on the same path.
    Random,
    /// At random, and different as long as there are enough.
    Distinct,
}

fn one() -> u32 {
    1
}

fn two() -> u32 {
    2
}

fn five() -> u32 {
    5
}
