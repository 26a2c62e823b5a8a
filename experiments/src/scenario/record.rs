//! What is written down.

use std::collections::BTreeSet;

use mptcpsim_core::time::Span;
use mptcpsim_core::units::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity;

/// What a run writes down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Record {
    /// The time between two samples of the time series; without it 100 ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::Time>")]
    pub interval: Option<Span>,
    /// Which tables are written; without it all but `sequence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<BTreeSet<Table>>,
    /// Tell in the events each MPTCP option that a host sends or receives.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub options: bool,
    /// Write which data went over which subflow when into `sequence.csv`, and draw it, as mptcptrace does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sequence: bool,
    /// Write what each host sends and receives as pcapng.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pcap: bool,
    /// How many bytes of a packet a capture keeps; without it 200 bytes, the headers with all options
    /// and the first bytes of data; `0 B` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::ByteCount>")]
    pub snap_length: Option<Bytes>,
    /// Write the sockets of all hosts in the end into `ss.txt`, as `ss -tiM` prints them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ss: bool,
    /// Write them as they are at these times, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<quantity::Time>")]
    pub ss_at: Vec<Span>,
    /// Write the counters of all hosts into `nstat.txt`, as `nstat -az` prints them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nstat: bool,
}

impl Record {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A table of results: a CSV file of the same name.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Table {
    /// A row per flow.
    Summary,
    /// A row per subflow.
    Subflows,
    /// A row per subflow and sample: window, round trip, bytes delivered.
    Timeseries,
    /// A row per direction of a link: packets in, delivered, dropped by cause.
    Links,
    /// A row per direction of a link and sample: backlog and waiting time.
    Queues,
    /// A row per thing that happened: handshakes, losses, path-manager decisions.
    Events,
    /// A row per counter of a host, by the kernel's name.
    Counters,
    /// A row per request: when it was sent and answered.
    Requests,
    /// A row per interface with a radio: time in each power state, joules.
    Energy,
    /// A row per segment of MPTCP with data: which data went over which subflow when.
    Sequence,
}

impl Table {
    /// All tables, in the order in which results list them.
    pub const ALL: [Self; 10] = [
        Self::Summary,
        Self::Subflows,
        Self::Timeseries,
        Self::Links,
        Self::Queues,
        Self::Events,
        Self::Counters,
        Self::Requests,
        Self::Energy,
        Self::Sequence,
    ];

    /// Those that are written if nothing else is said; a row per packet has to be asked for.
    pub(crate) fn usual() -> BTreeSet<Self> {
        Self::ALL.into_iter().filter(|table| *table != Self::Sequence).collect()
    }

    /// The name in scenarios and of the file, without its ending.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Subflows => "subflows",
            Self::Timeseries => "timeseries",
            Self::Links => "links",
            Self::Queues => "queues",
            Self::Events => "events",
            Self::Counters => "counters",
            Self::Requests => "requests",
            Self::Energy => "energy",
            Self::Sequence => "sequence",
        }
    }
}
