//! The scenarios that come with mptcpsim, embedded so that the binary needs no files.

use crate::check::{Notation, Source};

/// A scenario that comes with mptcpsim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// The name it is run by.
    pub name: &'static str,
    /// Its text, in TOML.
    pub text: &'static str,
}

/// The scenario that runs when none is named.
pub const DEFAULT: &str = "wifi-lte";

macro_rules! shipped {
    ($folder:literal: $($name:literal),*) => {
        &[$(Shipped {
            name: $name,
            text: include_str!(concat!("../../scenarios/", $folder, $name, ".toml")),
        },)*]
    };
}

/// All of them, the default one first.
pub const SCENARIOS: &[Shipped] = shipped![
    "":
    "wifi-lte",
    "two-equal-paths",
    "handover",
    "train",
    "leo-lte",
    "short-flows",
    "fast-open",
    "raspberry-pi",
    "workloads",
    "recorded",
    "middleboxes",
    "schedulers",
    "policies",
    "path-managers",
    "access",
    "topologies",
    "matrices",
    "fattree",
    "data-centre",
    "torus"
];

/// Sweeps that repeat what papers have measured.
pub const PAPERS: &[Shipped] = shipped![
    "papers/":
    "nsdi11-rtt",
    "nsdi11-bottleneck",
    "sigcomm11-fattree",
    "nsdi12-buffer",
    "nsdi12-middleboxes",
    "conext12-a",
    "conext12-b",
    "conext12-c",
    "icnp12-wvegas",
    "balia",
    "blest",
    "conext17-ecf",
    "redundant",
    "handover-modes"
];

macro_rules! recorded {
    ($($name:literal),*) => {
        &[$(($name, include_str!(concat!("../../scenarios/recorded/", $name)))),*]
    };
}

/// Traces and tables that any scenario can name: their names and texts.
const RECORDED: &[(&str, &str)] =
    recorded!["cell.trace", "satellite.csv", "sensor.csv", "arrivals.csv"];

/// The text of a trace or table that comes with mptcpsim.
pub(crate) fn recorded(name: &str) -> Option<&'static str> {
    RECORDED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The name of the one with this text, if it is one of them.
pub(crate) fn name_of(text: &str) -> Option<&'static str> {
    RECORDED.iter().find(|(_, known)| *known == text).map(|(name, _)| *name)
}

/// The shipped scenario called `name`.
pub fn find(name: &str) -> Option<&'static Shipped> {
    SCENARIOS.iter().chain(PAPERS).find(|shipped| shipped.name == name)
}

impl Shipped {
    /// What it is about: the first line of its text.
    pub fn title(&self) -> &'static str {
        self.text.lines().next().unwrap_or("").trim_start_matches('#').trim()
    }

    /// Its text as the check takes it.
    pub fn source(&self) -> Source {
        Source::new(&format!("{}.toml", self.name), self.text, Notation::Toml)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;

    #[test]
    fn every_shipped_scenario_is_faultless_and_explained() {
        assert_eq!(SCENARIOS[0].name, DEFAULT);
        for shipped in SCENARIOS.iter().chain(PAPERS) {
            let plan = check(&shipped.source(), &[]).unwrap_or_else(|faults| panic!("{faults}"));
            assert_eq!(plan.name, shipped.name);
            assert!(
                shipped.title().len() > 20 && shipped.text.starts_with('#'),
                "{}",
                shipped.name
            );
        }
    }
}
