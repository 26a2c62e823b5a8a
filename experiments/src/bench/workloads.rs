//! The workloads, most of them as scenarios.
//!
//! Packets of 1500 bytes, drop-tail queues of one bandwidth-delay product, an
//! acknowledgement per segment, buffers that never limit.

use std::fmt::Write;

use mptcpsim_core::engine_bench::ClosedNetwork;
use mptcpsim_core::units::Rate;

use crate::check::{Notation, Source};

/// A workload by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// One TCP flow on one link of 1 Gbit/s and 10 ms.
    W1,
    /// One MPTCP connection (LIA) over two disjoint links of 100 Mbit/s, 10 and 20 ms.
    W2,
    /// A FatTree of `k`-port switches with permutation traffic; each connection with this many subflows.
    W3 {
        /// Ports of a switch.
        k: u32,
        /// Subflows of a connection; one is plain TCP.
        subflows: u32,
    },
    /// 1000 TCP flows through one link of 10 Gbit/s and 4.98 ms, each with access links of its own.
    W4,
    /// Links and hosts that send back what comes: no protocol at all.
    Engine,
}

/// What a workload does.
pub(super) enum Work {
    /// Runs a scenario; the links of these names, in their `up` direction, ought to be busy.
    Scenario { text: String, capacity: Capacity },
    /// Lets packets circulate in networks of several sizes.
    Engine(&'static [(&'static str, ClosedNetwork)]),
}

/// What the utilisation is a part of.
pub(super) enum Capacity {
    /// The time in which these links could be busy, in their `up` direction.
    Links(&'static [&'static str]),
    /// What every connection could carry alone; what applications read counts.
    Connections(Rate),
}

const ENGINES: &[(&str, ClosedNetwork)] = &[
    ("engine, 4 flows", ClosedNetwork::disjoint(4)),
    ("engine, 16 flows", ClosedNetwork::disjoint(16)),
    ("engine, 64 flows", ClosedNetwork::disjoint(64)),
    ("engine, FatTree k=8", ClosedNetwork::fat_tree(8)),
];

/// Settings of both hosts: a buffer for every product of the workloads, and an ACK per segment.
const HOST: &str = r#"sysctl."net.ipv4.tcp_rmem" = "4096 131072 67108864"
sysctl."net.ipv4.tcp_wmem" = "4096 131072 67108864"
route = { quickack = true }
"#;

/// The line that has LIA; like the other peers without checksums.
const OUT_OF_TREE: &str = r#"stack = "out-of-tree"
sysctl."net.mptcp.mptcp_checksum" = "0"
"#;

impl Workload {
    /// All workloads.
    pub const ALL: [Self; 8] = [
        Self::W1,
        Self::W2,
        Self::W3 { k: 4, subflows: 8 },
        Self::W3 { k: 8, subflows: 1 },
        Self::W3 { k: 8, subflows: 8 },
        Self::W3 { k: 16, subflows: 8 },
        Self::W4,
        Self::Engine,
    ];

    /// The name.
    pub fn name(self) -> String {
        match self {
            Self::W1 => "W1".into(),
            Self::W2 => "W2".into(),
            Self::W3 { k, subflows: 1 } => format!("W3-k{k}-tcp"),
            Self::W3 { k, subflows } => format!("W3-k{k}-mptcp{subflows}"),
            Self::W4 => "W4".into(),
            Self::Engine => "engine".into(),
        }
    }

    pub(super) fn work(self) -> Work {
        match self {
            Self::W1 => Work::Scenario { text: w1(), capacity: Capacity::Links(&["line"]) },
            Self::W2 => Work::Scenario { text: w2(), capacity: Capacity::Links(&["near", "far"]) },
            Self::W3 { k, subflows } => {
                let capacity = Capacity::Connections(Rate::from_bps(100_000_000));
                Work::Scenario { text: w3(k, subflows), capacity }
            }
            Self::W4 => {
                Work::Scenario { text: w4(1_000), capacity: Capacity::Links(&["bottleneck"]) }
            }
            Self::Engine => Work::Engine(ENGINES),
        }
    }

    /// The smallest of the scenarios, for checking a duration.
    pub(super) fn source(self) -> Source {
        Source::new(&self.name(), &w1(), Notation::Toml)
    }
}

fn w1() -> String {
    format!(
        r#"
duration = "10 s"

[hosts.client]
{HOST}
[hosts.server]
{HOST}
[[paths]]
name = "line"
rate = "1 Gbit/s"
delay = "10 ms"
queue = {{ discipline = "droptail", limit = "1666 packets" }}

[[flows]]
protocol = "tcp"
congestion_control = "reno"
app = {{ kind = "timed", duration = "1 h", direction = "upload" }}
"#
    )
}

fn w2() -> String {
    format!(
        r#"
duration = "60 s"

[hosts.client]
{HOST}
[hosts.server]
{HOST}
[[paths]]
name = "near"
rate = "100 Mbit/s"
delay = "10 ms"
queue = {{ discipline = "droptail", limit = "166 packets" }}

[[paths]]
name = "far"
rate = "100 Mbit/s"
delay = "20 ms"
queue = {{ discipline = "droptail", limit = "333 packets" }}

[[flows]]
congestion_control = "lia"
app = {{ kind = "timed", duration = "1 h", direction = "upload" }}
"#
    )
}

/// Every host sends to one other on paths through random cores; all begin within 1.3 ms.
fn w3(k: u32, subflows: u32) -> String {
    let (protocol, control) = if subflows == 1 { ("tcp", "reno") } else { ("mptcp", "lia") };
    let line = if subflows == 1 { "" } else { OUT_OF_TREE };
    format!(
        r#"
duration = "1 s"

[topology]
shape = {{ kind = "fattree", k = {k} }}
link = {{ rate = "100 Mbit/s", delay = "10 us", queue = {{ discipline = "droptail", limit = "100 packets" }} }}
[topology.host]
{HOST}{line}
[traffic]
matrix = {{ kind = "permutation" }}
subflows = {subflows}
selection = "random"
spread = "1300 us"
[traffic.flow]
protocol = "{protocol}"
congestion_control = "{control}"
app = {{ kind = "timed", duration = "1 h", direction = "upload" }}
"#
    )
}

/// Hosts `a0 ...` and `b0 ...`, links `in0 ...` and `out0 ...` to the shared `bottleneck`.
fn w4(flows: u32) -> String {
    let mut text = r#"
duration = "1 s"

[links.bottleneck]
rate = "10 Gbit/s"
delay = "4.98 ms"
queue = { discipline = "droptail", limit = "8333 packets" }
"#
    .to_owned();
    for n in 0..flows {
        let (high, low) = (n / 250, n % 250 + 1);
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            r#"
[links.in{n}]
rate = "10 Gbit/s"
delay = "10 us"
queue = {{ discipline = "droptail", limit = "10000 packets" }}
[links.out{n}]
rate = "10 Gbit/s"
delay = "10 us"
queue = {{ discipline = "droptail", limit = "10000 packets" }}
[hosts.a{n}]
addresses = {{ eth0 = "10.1.{high}.{low}" }}
{HOST}
[hosts.b{n}]
addresses = {{ eth0 = "10.2.{high}.{low}" }}
{HOST}
[[paths]]
name = "p{n}"
between = ["a{n}.eth0", "b{n}.eth0"]
via = ["in{n}", "bottleneck", "out{n}"]
[[flows]]
from = "a{n}"
to = "b{n}"
protocol = "tcp"
congestion_control = "reno"
app = {{ kind = "timed", duration = "1 h", direction = "upload" }}
"#
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;

    #[test]
    fn the_workloads_are_faultless_scenarios() {
        let all = [(w1(), 1), (w2(), 1), (w3(4, 1), 16), (w3(4, 8), 16), (w4(300), 300)];
        for (text, flows) in all {
            let plan = check(&Source::new("bench", &text, Notation::Toml), &[]);
            let plan = plan.unwrap_or_else(|faults| panic!("{faults}"));
            assert_eq!(plan.flows.len(), flows);
        }
    }
}
