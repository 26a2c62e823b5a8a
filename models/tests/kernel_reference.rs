//! The simulation beside Linux 6.18 (`tests/data/kernel-6.18`): scenarios measured between two
//! network namespaces over emulated links, mean and spread of three to five runs each.
//!
//! What misses its tolerance stands in `misses.csv` with its cause. The test fails on a miss that
//! is not listed and on a listed one that agrees by now. `cargo test -p
//! mptcpsim-models kernel_reference:: -- --nocapture` prints everything.

use crate::kernel;
use crate::kernel::compare::Findings;
use crate::kernel::measure::Metrics;
use serde_json::Value;

const SCENARIOS: &str = include_str!("data/kernel-6.18/scenarios.json");
const SUMMARY: &str = include_str!("data/kernel-6.18/summary.csv");
const MISSES: &str = include_str!("data/kernel-6.18/misses.csv");

/// Counters of handshakes, joins, addresses, priorities, resets and fallbacks: they must be equal.
/// Those of data (out-of-order queues, shared windows, duplicates) follow the packets' timing.
const EXACT_COUNTERS: &[&str] = &[
    "MPCapable",
    "MPJoin",
    "AddAddr",
    "EchoAdd",
    "RmAddr",
    "RmSubflow",
    "MPPrio",
    "MPFastclose",
    "MPRst",
    "MPFail",
    "InfiniteMap",
    "DataCsumErr",
    "Fallback",
    "Blackhole",
    "DSSNotMatching",
    "DSSNoMatch",
    "DSSCorruption",
    "PortAdd",
    "MismatchPort",
];

/// Options whose first appearance is compared.
const TIMED_OPTIONS: &[&str] = &[
    "MP_CAPABLE",
    "MP_JOIN",
    "ADD_ADDR",
    "RM_ADDR",
    "MP_PRIO",
    "MP_FAIL",
    "MP_FASTCLOSE",
    "MP_TCPRST",
    "(none)_SYN",
];

fn mean(runs: &[Metrics]) -> Metrics {
    let mut sum = Metrics::new();
    for run in runs {
        for (name, value) in run {
            *sum.entry(name.clone()).or_default() += value;
        }
    }
    sum.values_mut().for_each(|value| *value /= runs.len() as f64);
    sum
}

fn simulate(scenario: &Value) -> Metrics {
    let timeout = scenario["timeout"].as_f64();
    let runs: Vec<_> = (1..=kernel::rig::seeds(scenario))
        .map(|seed| kernel::measure::run(&kernel::rig::lab(scenario, seed), timeout))
        .collect();
    mean(&runs)
}

/// How far a metric may be from the measured mean; `None` if it is not compared.
fn tolerance(metric: &str, (mean, deviation): (f64, f64), rtt_ms: f64) -> Option<f64> {
    let counter = metric.split_once("MPTcp.").map(|(_, name)| name);
    match metric {
        "complete" | "intact" | "state_client" | "state_server" => Some(0.0),
        "fct_s" => Some((0.05 * mean).max(2.0 * deviation)),
        _ if metric.starts_with("share_") => Some(0.05_f64.max(2.0 * deviation)),
        _ if metric.starts_with("t_") => {
            TIMED_OPTIONS.iter().any(|option| metric.contains(option)).then_some(rtt_ms)
        }
        _ => counter
            .filter(|name| EXACT_COUNTERS.iter().any(|exact| name.contains(exact)))
            .map(|_| 2.0 * deviation),
    }
}

#[test]
fn the_simulation_agrees_with_linux_6_18_where_no_miss_is_listed() {
    let scenarios: Vec<Value> = serde_json::from_str(SCENARIOS).unwrap();
    let measured = kernel::compare::measured(SUMMARY, str::to_owned);
    let mut findings = Findings::default();
    for scenario in &scenarios {
        let name = scenario["name"].as_str().unwrap();
        if let Some(why) = kernel::rig::unsupported(scenario) {
            findings.leave_out(name, why);
            continue;
        }
        let ours = simulate(scenario);
        let kernel = &measured[name];
        println!("{name}: {:.3} s, Linux {:.3} s", ours["fct_s"], kernel["fct_s"].0);
        findings.compare((name, scenario), kernel, &ours, tolerance);
    }
    findings.assert_are(MISSES);
}
