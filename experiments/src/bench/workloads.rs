//! The workloads, most of them as scenarios.
//!
//! Packets of 1500 bytes, drop-tail queues of one bandwidth-delay product, an
//! acknowledgement per segment, buffers that never limit.

use std::fmt::Write;

use mptcpsim_core::engine_bench::ClosedNetwork;

use crate::check::{Notation, Source};

/// A workload by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// One TCP flow on one link of 1 Gbit/s and 10 ms.
    W1,
    /// One MPTCP connection over two disjoint links of 100 Mbit/s, 10 and 20 ms.
    W2,
    /// 1000 TCP flows through one link of 10 Gbit/s and 4.98 ms, each with access links of its own.
    W4,
    /// Links and hosts that send back what comes: no protocol at all.
    Engine,
}

/// What a workload does.
pub(super) enum Work {
    /// Runs a scenario; the links of these names, in their `up` direction, ought to be busy.
    Scenario { text: String, bottlenecks: &'static [&'static str] },
    /// Lets packets circulate in networks of several sizes.
    Engine(&'static [(&'static str, ClosedNetwork)]),
}

const ENGINES: &[(&str, ClosedNetwork)] = &[
    ("engine, 4 flows", ClosedNetwork::disjoint(4)),
    ("engine, 16 flows", ClosedNetwork::disjoint(16)),
    ("engine, 64 flows", ClosedNetwork::disjoint(64)),
    ("engine, FatTree k=8", ClosedNetwork::fat_tree(8)),
];

/// Settings of both hosts: a buffer for every product of the workloads, and an ACK per segment.
const HOST: &str = r#"sysctl = { "net.ipv4.tcp_rmem" = "4096 131072 67108864", "net.ipv4.tcp_wmem" = "4096 131072 67108864" }
route = { quickack = true }
"#;

impl Workload {
    /// All workloads.
    pub const ALL: [Self; 4] = [Self::W1, Self::W2, Self::W4, Self::Engine];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::W1 => "W1",
            Self::W2 => "W2",
            Self::W4 => "W4",
            Self::Engine => "engine",
        }
    }

    pub(super) fn work(self) -> Work {
        match self {
            Self::W1 => Work::Scenario { text: w1(), bottlenecks: &["line"] },
            Self::W2 => Work::Scenario { text: w2(), bottlenecks: &["near", "far"] },
            Self::W4 => Work::Scenario { text: w4(1_000), bottlenecks: &["bottleneck"] },
            Self::Engine => Work::Engine(ENGINES),
        }
    }

    /// The smallest of the scenarios, for checking a duration.
    pub(super) fn source(self) -> Source {
        Source::new(self.name(), &w1(), Notation::Toml)
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
congestion_control = "reno"
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
        for (text, flows) in [(w1(), 1), (w2(), 1), (w4(300), 300)] {
            let plan = check(&Source::new("bench", &text, Notation::Toml), &[]);
            let plan = plan.unwrap_or_else(|faults| panic!("{faults}"));
            assert_eq!(plan.flows.len(), flows);
        }
    }
}
