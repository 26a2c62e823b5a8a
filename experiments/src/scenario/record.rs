//! What is written down, and what a sweep varies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use mptcpsim_core::time::Span;
use mptcpsim_core::units::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::quantity;

/// What a run writes down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Record {
    /// The time between two samples of the time series; without it 100 ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::Time>")]
    pub interval: Option<Span>,
    /// Which tables are written; without it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<BTreeSet<Table>>,
    /// Tell in the events each MPTCP option that a host sends or receives.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub options: bool,
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
}

impl Table {
    /// All tables, in the order in which results list them.
    pub const ALL: [Self; 8] = [
        Self::Summary,
        Self::Subflows,
        Self::Timeseries,
        Self::Links,
        Self::Queues,
        Self::Events,
        Self::Counters,
        Self::Requests,
    ];

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
        }
    }
}

/// What a sweep varies: every combination of the lists is a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Sweep {
    /// Seeds as a range that includes both ends, `"1..20"`, or as a list; without it the scenario's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Seeds>,
    /// The path of a key, such as `links.wifi.delay`, and the values it takes in turn.
    #[serde(flatten)]
    pub keys: BTreeMap<String, Vec<serde_json::Value>>,
}

/// The seeds of a sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Seeds {
    /// All from the first to the last.
    Range(#[schemars(with = "quantity::SeedSpan")] SeedRange),
    /// Exactly these.
    List(Vec<u64>),
}

/// Seeds from a first to a last one, both included: `1..20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SeedRange {
    first: u64,
    last: u64,
}

/// Why a text is no range of seeds.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a range of seeds; write the first and the last, for example `1..20`")]
pub struct SeedsError(String);

impl Seeds {
    /// The seeds in order.
    pub fn iter(&self) -> Box<dyn Iterator<Item = u64> + '_> {
        match self {
            Self::Range(range) => Box::new(range.first..=range.last),
            Self::List(list) => Box::new(list.iter().copied()),
        }
    }
}

impl fmt::Display for SeedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.last)
    }
}

impl FromStr for SeedRange {
    type Err = SeedsError;

    fn from_str(text: &str) -> Result<Self, SeedsError> {
        let parse = || {
            let (first, last) = text.split_once("..")?;
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (first <= last && last <= i64::MAX.unsigned_abs()).then_some(Self { first, last })
        };
        parse().ok_or_else(|| SeedsError(text.to_owned()))
    }
}

impl TryFrom<String> for SeedRange {
    type Error = SeedsError;
    fn try_from(text: String) -> Result<Self, SeedsError> {
        text.parse()
    }
}

impl From<SeedRange> for String {
    fn from(range: SeedRange) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_seeds_includes_both_ends() {
        let seeds = Seeds::Range("3..5".parse().unwrap());
        assert_eq!(seeds.iter().collect::<Vec<_>>(), [3, 4, 5]);
        for text in ["", "5", "5..3", "-1..3", "1..", "a..b", "1..99999999999999999999"] {
            assert!(text.parse::<SeedRange>().is_err(), "{text}");
        }
    }
}
