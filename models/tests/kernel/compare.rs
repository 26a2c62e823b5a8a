//! Measured scenarios beside simulated ones, and the list of what is known to miss.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::kernel::measure::Metrics;

/// Metric to mean and standard deviation.
pub(crate) type Measured = BTreeMap<String, (f64, f64)>;

/// How far a metric may be from the measured mean; `None` if it is not compared.
pub(crate) type Tolerance = fn(metric: &str, measured: (f64, f64), rtt_ms: f64) -> Option<f64>;

/// The measured metrics of each scenario, each under the name that `rename` gives it.
pub(crate) fn measured(summary: &str, rename: fn(&str) -> String) -> BTreeMap<String, Measured> {
    let mut all = BTreeMap::<String, Measured>::new();
    for row in csv::Reader::from_reader(summary.as_bytes()).records() {
        let row = row.unwrap();
        let number = |at: usize| row[at].parse::<f64>().unwrap_or(0.0);
        all.entry(row[0].into()).or_default().insert(rename(&row[1]), (number(2), number(3)));
    }
    all
}

/// Round-trip time of the slowest path.
fn rtt_ms(scenario: &Value) -> f64 {
    let paths = scenario["paths"].as_array().unwrap();
    paths.iter().map(|path| 2.0 * path["delay_ms"].as_f64().unwrap()).fold(0.0, f64::max)
}

/// The metrics of a scenario that differ by more than their tolerance.
fn differences(
    scenario: &Value,
    kernel: &Measured,
    ours: &Metrics,
    tolerance: Tolerance,
) -> Vec<(String, String)> {
    let none = (0.0, 0.0);
    let metrics: BTreeSet<&String> = kernel.keys().chain(ours.keys()).collect();
    let differs = |metric: &&String| {
        let expected = kernel.get(*metric).copied();
        let tolerance = tolerance(metric, expected.unwrap_or(none), rtt_ms(scenario))?;
        let got = ours.get(*metric).copied();
        let present = !metric.starts_with("t_") || got.is_some() == expected.is_some();
        let (mean, deviation) = expected.unwrap_or(none);
        let agrees = present && (got.unwrap_or(0.0) - mean).abs() <= tolerance;
        let got = got.map_or("-".into(), |got| format!("{got:.3}"));
        (!agrees).then(|| ((*metric).clone(), format!("{got} vs {mean:.3}+-{deviation:.3}")))
    };
    metrics.iter().filter_map(differs).collect()
}

/// What was found to differ, scenario by scenario.
#[derive(Default)]
pub(crate) struct Findings {
    misses: BTreeSet<(String, String)>,
    scenarios: usize,
    agree: usize,
}

impl Findings {
    /// A scenario that cannot be simulated.
    pub(crate) fn leave_out(&mut self, name: &str, why: &str) {
        println!("{name}: not simulated: {why}");
        self.scenarios += 1;
        self.misses.insert((name.to_owned(), String::from("all")));
    }

    /// A scenario that was simulated.
    pub(crate) fn compare(
        &mut self,
        (name, scenario): (&str, &Value),
        kernel: &Measured,
        ours: &Metrics,
        tolerance: Tolerance,
    ) {
        let differences = differences(scenario, kernel, ours, tolerance);
        self.scenarios += 1;
        self.agree += usize::from(differences.is_empty());
        for (metric, values) in differences {
            println!("    {name},{metric},{values}");
            self.misses.insert((name.to_owned(), metric));
        }
    }

    /// All misses are `listed`, and all that is listed misses.
    pub(crate) fn assert_are(&self, listed: &str) {
        println!("{} of {} agree", self.agree, self.scenarios);
        let listed: BTreeSet<(String, String)> = csv::Reader::from_reader(listed.as_bytes())
            .records()
            .map(|row| row.unwrap())
            .map(|row| (row[0].into(), row[1].into()))
            .collect();
        let unlisted: Vec<_> = self.misses.difference(&listed).collect();
        let stale: Vec<_> = listed.difference(&self.misses).collect();
        assert!(
            unlisted.is_empty() && stale.is_empty(),
            "misses: {unlisted:#?}\nagree: {stale:#?}"
        );
    }
}
