//! Scenarios that were measured on real kernels once and for all, and what the simulation makes of them.
//!
//! Each was measured several times between two network namespaces over emulated links; `summary.csv` has mean and
//! spread of each metric. What misses its tolerance is listed in `misses.csv` with its cause.

mod observe;
mod tolerance;

use std::collections::{BTreeMap, BTreeSet};

use mptcpsim_core::impair::Loss;
use mptcpsim_core::time::Time;
use mptcpsim_models::host::Tap;
use serde::Deserialize;
use thiserror::Error;

use self::tolerance::Tolerance;
use super::Metrics;
use super::compare::{Comparison, Spread, round_trip};
use crate::build::{BuildError, build};
use crate::check::{Faults, Notation, Override, Source, check};
use crate::plan::Plan;

/// Simulations of a scenario in which chance plays a part.
const SEEDS: u64 = 20;

/// Measurements of a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// What it is called.
    pub name: &'static str,
    /// The kernel.
    pub kernel: &'static str,
    scenarios: &'static str,
    summary: &'static str,
    misses: &'static str,
    /// The name of a measured metric among the simulated ones.
    metric: fn(&str) -> String,
    tolerance: Tolerance,
}

macro_rules! embedded {
    ($name:literal, $file:literal) => {
        include_str!(concat!("../../measured/", $name, "/", $file))
    };
}

/// All there are.
pub const REFERENCES: [Reference; 2] = [
    Reference {
        name: "linux-6.18",
        kernel: "Linux 6.18.44",
        scenarios: embedded!("linux-6.18", "scenarios.json"),
        summary: embedded!("linux-6.18", "summary.csv"),
        misses: embedded!("linux-6.18", "misses.csv"),
        metric: str::to_owned,
        tolerance: tolerance::linux_6_18,
    },
    Reference {
        name: "mptcp-0.94.7",
        kernel: "mptcp.org v0.94.7 (Linux 4.14.116)",
        scenarios: embedded!("mptcp-0.94.7", "scenarios.json"),
        summary: embedded!("mptcp-0.94.7", "summary.csv"),
        misses: embedded!("mptcp-0.94.7", "misses.csv"),
        metric: observe::counter_of_0_94,
        tolerance: tolerance::mptcp_0_94,
    },
];

/// Why measured scenarios cannot be compared: what is embedded does not go with this version.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The scenarios.
    #[error("the measured scenarios: {0}")]
    Scenarios(#[from] serde_json::Error),
    /// The measurements, or the list of what misses.
    #[error("the measurements: {0}")]
    Measurements(#[from] csv::Error),
    /// A scenario.
    #[error(transparent)]
    Faults(#[from] Faults),
    /// A simulation.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// A scenario with what was measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// As the check takes it.
    pub source: Source,
    measurements: BTreeMap<String, Spread>,
    /// Causes of what misses, by metric.
    misses: BTreeMap<String, String>,
    tolerance: Tolerance,
}

#[derive(Deserialize)]
struct Described {
    about: String,
    scenario: serde_json::Value,
}

#[derive(Deserialize)]
struct SummaryRow {
    scenario: String,
    metric: String,
    mean: f64,
    std: f64,
}

#[derive(Deserialize)]
struct Miss {
    scenario: String,
    metric: String,
    cause: String,
}

/// The scenario called like `linux-6.18/d_backup`: the name of a reference and its own.
pub fn find(name: &str) -> Option<Source> {
    let (reference, scenario) = name.split_once('/')?;
    let reference = REFERENCES.iter().find(|known| known.name == reference)?;
    let scenarios = reference.scenarios().ok()?;
    scenarios.into_iter().find(|measured| measured.name == scenario).map(|it| it.source)
}

impl Reference {
    /// All scenarios with their measurements.
    ///
    /// # Errors
    /// If what is embedded cannot be read.
    pub fn scenarios(&self) -> Result<Vec<Measured>, ReferenceError> {
        let mut measurements = BTreeMap::<String, BTreeMap<String, Spread>>::new();
        for row in csv::Reader::from_reader(self.summary.as_bytes()).deserialize() {
            let row: SummaryRow = row?;
            let spread = Spread { mean: row.mean, deviation: row.std };
            let own = measurements.entry(row.scenario).or_default();
            own.insert((self.metric)(&row.metric), spread);
        }
        let mut misses = BTreeMap::<String, BTreeMap<String, String>>::new();
        for row in csv::Reader::from_reader(self.misses.as_bytes()).deserialize() {
            let row: Miss = row?;
            misses.entry(row.scenario).or_default().insert(row.metric, row.cause);
        }
        let described: Vec<Described> = serde_json::from_str(self.scenarios)?;
        let measured = described.into_iter().map(|Described { about, scenario }| {
            let name = scenario["name"].as_str().unwrap_or_default().to_owned();
            let source = Source::new(
                &format!("{}/{name}", self.name),
                &scenario.to_string(),
                Notation::Json,
            );
            Measured {
                measurements: measurements.remove(&name).unwrap_or_default(),
                misses: misses.remove(&name).unwrap_or_default(),
                tolerance: self.tolerance,
                name,
                about,
                source,
            }
        });
        Ok(measured.collect())
    }
}

impl Measured {
    /// Simulates the scenario and compares, metric by metric.
    ///
    /// # Errors
    /// If the scenario is none of this version.
    pub fn compare(&self) -> Result<Vec<Comparison>, ReferenceError> {
        let plan = self.plan(1)?;
        let chance =
            plan.links.iter().flat_map(|link| [&link.up, &link.down]).any(|direction| {
                matches!(direction.config.impairments.loss, Loss::Bernoulli { .. })
            });
        let mut runs = vec![simulate(&plan)?];
        for seed in 2..=if chance { SEEDS } else { 1 } {
            runs.push(simulate(&self.plan(seed)?)?);
        }
        let simulated: BTreeSet<&String> = runs.iter().flat_map(Metrics::keys).collect();
        let metrics: BTreeSet<_> = simulated.into_iter().chain(self.measurements.keys()).collect();
        let rtt_ms = 1e3 * round_trip(&plan);
        Ok(metrics.into_iter().filter_map(|metric| self.row(metric, &runs, rtt_ms)).collect())
    }

    /// Metrics that are listed as misses, and are none.
    pub fn stale<'a>(&'a self, rows: &'a [Comparison]) -> impl Iterator<Item = &'a str> {
        let missed = |metric: &String| rows.iter().any(|row| row.metric == *metric && !row.agrees);
        self.misses.keys().filter(move |metric| !missed(metric)).map(String::as_str)
    }

    fn plan(&self, seed: u64) -> Result<Plan, Faults> {
        check(&self.source, &[Override::option("--seeds", "seed", &seed.to_string())])
    }

    /// A metric beside its measurement; nothing if it is not compared.
    fn row(&self, metric: &str, runs: &[Metrics], rtt_ms: f64) -> Option<Comparison> {
        let values: Vec<f64> =
            runs.iter().map(|run| run.get(metric).copied().unwrap_or_default()).collect();
        let occurs = runs.iter().any(|run| run.contains_key(metric));
        let mut simulated = occurs.then(|| Spread::of(&values));
        let mut kernel = self.measurements.get(metric).copied();
        if metric.starts_with("mib_") {
            // A counter that is not named is zero, and one that never moves says nothing.
            simulated.get_or_insert_default();
            kernel.get_or_insert_default();
            if simulated == kernel && kernel == Some(Spread::default()) {
                return None;
            }
        }
        let expected = kernel.unwrap_or_default();
        let tolerance = (self.tolerance)(metric, expected, rtt_ms)?;
        // What is late or early is near; what never comes is not.
        let present = !metric.starts_with("t_") || simulated.is_some() == kernel.is_some();
        let difference = (simulated.unwrap_or_default().mean - expected.mean).abs();
        let agrees = present && difference <= tolerance;
        let cause = self.misses.get(metric).filter(|_| !agrees);
        Some(Comparison {
            tolerance,
            agrees,
            cause: cause.cloned(),
            ..Comparison::of(&self.name, metric, simulated, kernel)
        })
    }
}

/// One simulation, to the end of the scenario's duration.
fn simulate(plan: &Plan) -> Result<Metrics, BuildError> {
    let mut simulation = build(plan, true)?;
    simulation.hosts_mut().set_tap(Tap::new(true));
    simulation.run_until(Time::ZERO + plan.duration);
    Ok(observe::metrics(plan, &mut simulation))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(misses: &[&str]) -> Measured {
        let described = REFERENCES[0].scenarios().unwrap();
        let mut measured = described.into_iter().find(|it| it.name == "a_tcp_reno_q1").unwrap();
        let miss = |metric: &&str| ((*metric).to_owned(), "a cause".to_owned());
        measured.misses = misses.iter().map(miss).collect();
        measured
    }

    fn run(metric: &str, value: f64) -> Metrics {
        [(metric.to_owned(), value)].into()
    }

    #[test]
    fn every_scenario_has_measurements_and_every_miss_a_scenario() {
        for reference in REFERENCES {
            let scenarios = reference.scenarios().unwrap();
            for measured in &scenarios {
                check(&measured.source, &[]).unwrap_or_else(|faults| panic!("{faults}"));
                assert!(!measured.measurements.is_empty(), "{}", measured.name);
            }
            let listed: usize = scenarios.iter().map(|measured| measured.misses.len()).sum();
            assert_eq!(listed, reference.misses.lines().count() - 1, "{}", reference.name);
            let name = format!("{}/{}", reference.name, scenarios[0].name);
            assert!(find(&name).is_some() && find(&format!("{name}x")).is_none());
        }
    }

    #[test]
    fn a_miss_has_its_cause_and_an_agreement_none() {
        let measured = measured(&["fct_s"]);
        let took = measured.measurements["fct_s"].mean;
        let row = |seconds| measured.row("fct_s", &[run("fct_s", seconds)], 40.0).unwrap();
        let (near, far) = (row(1.04 * took), row(1.06 * took));
        assert_eq!((near.agrees, near.cause.as_deref()), (true, None));
        assert_eq!((far.agrees, far.cause.as_deref()), (false, Some("a cause")));
        assert_eq!(measured.stale(&[far]).count(), 0);
        assert_eq!(measured.stale(&[near]).collect::<Vec<_>>(), ["fct_s"]);
    }

    #[test]
    fn an_option_that_one_side_never_saw_misses_however_early_it_came() {
        let measured = measured(&[]);
        let metric = "t_MP_JOIN_SYN_c2s_p1_ms";
        let row = measured.row(metric, &[run(metric, 1.0)], 40.0).unwrap();
        assert!(!row.agrees && row.kernel_mean.is_none());
        assert!(measured.row("t_DSS_ACK_ACK_c2s_p0_ms", &[Metrics::new()], 40.0).is_none());
        let counter = "mib_client_MPTcp.MPJoinSynTx";
        assert!(measured.row(counter, &[run(counter, 0.0)], 40.0).is_none());
        assert_eq!(
            measured.row(counter, &[run(counter, 1.0)], 40.0).unwrap().kernel_mean,
            Some(0.0)
        );
    }
}
