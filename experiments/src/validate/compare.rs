//! Two sides of a comparison, and what is near enough.

use std::collections::BTreeSet;

use mptcpsim_core::time::Span;
use serde::{Deserialize, Serialize};
use statrs::statistics::Statistics;

use super::Metrics;
use crate::plan::{Plan, Station};

/// How much a duration or a rate may differ, of the kernels' value.
const RELATIVE: f64 = 0.05;
/// How much a share may differ.
const SHARE: f64 = 0.05;
/// How much repetitions and the longest gap may differ: they depend on single packets.
const LOOSE: f64 = 0.25;
/// Packets that are no difference.
const FEW: f64 = 5.0;
/// A gap that is no difference.
const SHORT_S: f64 = 0.02;

/// Mean and standard deviation of several runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation; 0 of a single run.
    pub deviation: f64,
}

impl Spread {
    pub(super) fn of(values: &[f64]) -> Self {
        let deviation = if values.len() > 1 { values.std_dev() } else { 0.0 };
        Self { mean: values.mean(), deviation }
    }
}

/// A row of the comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The scenario.
    pub scenario: String,
    /// What is compared; the name ends with the unit.
    pub metric: String,
    /// The mean of the simulations; nothing if it did not occur.
    pub simulated_mean: Option<f64>,
    /// Their standard deviation.
    pub simulated_deviation: Option<f64>,
    /// The mean of the runs between kernels.
    pub kernel_mean: Option<f64>,
    /// Their standard deviation.
    pub kernel_deviation: Option<f64>,
    /// How much the means may differ.
    pub tolerance: f64,
    /// Whether they differ by no more.
    pub agrees: bool,
    /// Why they differ, where that is listed.
    pub cause: Option<String>,
}

impl Comparison {
    /// The two sides, not yet judged.
    pub(super) fn of(
        scenario: &str,
        metric: &str,
        simulated: Option<Spread>,
        kernel: Option<Spread>,
    ) -> Self {
        Self {
            scenario: scenario.to_owned(),
            metric: metric.to_owned(),
            simulated_mean: simulated.map(|spread| spread.mean),
            simulated_deviation: simulated.map(|spread| spread.deviation),
            kernel_mean: kernel.map(|spread| spread.mean),
            kernel_deviation: kernel.map(|spread| spread.deviation),
            tolerance: 0.0,
            agrees: false,
            cause: None,
        }
    }

    /// Mean and standard deviation of the simulations, as text.
    pub fn simulated(&self) -> String {
        side(self.simulated_mean, self.simulated_deviation)
    }

    /// Mean and standard deviation of the kernels, as text.
    pub fn kernel(&self) -> String {
        side(self.kernel_mean, self.kernel_deviation)
    }
}

fn side(mean: Option<f64>, deviation: Option<f64>) -> String {
    match (mean, deviation) {
        (Some(mean), Some(deviation)) => format!("{} ± {}", rounded(mean), rounded(deviation)),
        _ => "-".to_owned(),
    }
}

/// Four digits.
pub fn rounded(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        large if large >= 10_000.0 => format!("{value:.3e}"),
        large if large >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.3}"),
    }
}

/// The row of a scenario that says the most: how long it took, or how fast it was.
pub fn headline(rows: &[Comparison]) -> Option<&Comparison> {
    let named = |metric: &str| rows.iter().find(|row| row.metric == metric);
    ["completion_s", "fct_s", "goodput_mbps"].into_iter().find_map(named)
}

/// Compares the runs of a plan, metric by metric.
pub fn compare(plan: &Plan, simulated: &[Metrics], kernels: &[Metrics]) -> Vec<Comparison> {
    let names: BTreeSet<&String> =
        simulated.iter().chain(kernels).flat_map(Metrics::keys).collect();
    let row = |metric: &String| {
        let [ours, theirs] = [simulated, kernels].map(|runs| spread(metric, runs));
        let tolerance =
            tolerance(plan, metric, ours.unwrap_or_default(), theirs.unwrap_or_default());
        let agrees = match (ours, theirs) {
            (Some(ours), Some(theirs)) => (ours.mean - theirs.mean).abs() <= tolerance,
            _ => false,
        };
        Comparison { tolerance, agrees, ..Comparison::of(&plan.name, metric, ours, theirs) }
    };
    names.into_iter().map(row).collect()
}

/// What never occurs has no spread, but a counter is zero then.
fn spread(metric: &str, runs: &[Metrics]) -> Option<Spread> {
    let counts = metric.ends_with("_count");
    let value = |run: &Metrics| run.get(metric).copied().or_else(|| counts.then_some(0.0));
    let values: Vec<f64> = runs.iter().filter_map(value).collect();
    (!values.is_empty()).then(|| Spread::of(&values))
}

/// Five percent of the kernels' value for times and rates, five points of a share, the longest
/// round trip for the first appearance of an option, nothing for counters; and always what twice
/// the standard deviations explain.
fn tolerance(plan: &Plan, metric: &str, ours: Spread, theirs: Spread) -> f64 {
    let spread = 2.0 * ours.deviation.max(theirs.deviation);
    let stated = match metric {
        "TcpRetransSegs_count" | "MPTCPRetrans_count" => (LOOSE * theirs.mean).max(FEW),
        "longest_gap_s" => (LOOSE * theirs.mean).max(SHORT_S),
        _ if metric.starts_with("first_") => round_trip(plan),
        _ if metric.ends_with("_share") => SHARE,
        _ if metric.ends_with("_count") => 0.0,
        _ => RELATIVE * theirs.mean,
    };
    stated.max(spread)
}

/// The longest round trip of a path without queues.
pub(super) fn round_trip(plan: &Plan) -> f64 {
    let of_path = |via: &[Station]| {
        let links = via.iter().filter_map(|station| match station {
            Station::Link(link) | Station::Reversed(link) => plan.links.get(link.0),
            Station::Middlebox(_) => None,
        });
        let delays = links.map(|link| link.up.config.delay + link.down.config.delay);
        delays.fold(Span::ZERO, |sum, delay| sum + delay).as_secs_f64()
    };
    plan.paths.iter().map(|path| of_path(&path.via)).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Notation, Source, check};

    fn plan() -> Plan {
        let text = r#"
            [[paths]]
            rate = "10 Mbit/s"
            delay = "10 ms"
            [[flows]]
            app = { kind = "bulk", bytes = "1 MB" }
        "#;
        check(&Source::new("test", text, Notation::Toml), &[]).unwrap()
    }

    fn runs(metric: &str, values: &[f64]) -> Vec<Metrics> {
        values.iter().map(|value| [(metric.to_owned(), *value)].into()).collect()
    }

    fn agrees(metric: &str, ours: &[f64], theirs: &[f64]) -> bool {
        let rows = compare(&plan(), &runs(metric, ours), &runs(metric, theirs));
        assert_eq!(rows.len(), 1);
        rows[0].agrees
    }

    #[test]
    fn each_kind_has_its_tolerance() {
        assert!(agrees("completion_s", &[1.049], &[1.0]));
        assert!(!agrees("completion_s", &[1.051], &[1.0]));
        assert!(agrees("path1_share", &[0.54], &[0.5]));
        assert!(!agrees("path1_share", &[0.56], &[0.5]));
        assert!(agrees("first_MP_JOIN_s", &[0.059], &[0.040]));
        assert!(!agrees("first_MP_JOIN_s", &[0.061], &[0.040]));
        assert!(!agrees("MPJoinSynRx_count", &[1.0], &[2.0]));
    }

    #[test]
    fn spread_explains_a_difference() {
        assert!(agrees("completion_s", &[1.0, 1.2], &[1.2, 1.4]));
        assert!(!agrees("completion_s", &[1.0, 1.0], &[1.2, 1.2]));
    }

    #[test]
    fn what_one_side_never_saw_is_a_difference_but_counts_as_zero() {
        let (ours, none) = (runs("first_MP_FAIL_s", &[1.0]), vec![Metrics::new()]);
        assert!(!compare(&plan(), &ours, &none)[0].agrees);
        let rows = compare(&plan(), &none, &runs("MPFailTx_count", &[0.0]));
        assert_eq!(rows[0].simulated_mean, Some(0.0));
        assert!(rows[0].agrees);
    }
}
