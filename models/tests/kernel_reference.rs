//! The simulation beside Linux 6.18 (`tests/data/kernel-6.18`): scenarios measured between two
//! network namespaces over emulated links, mean and spread of three to five runs each.

mod lab;
#[path = "kernel/measure.rs"]
mod measure;
#[path = "kernel/rig.rs"]
mod rig;

use std::collections::BTreeMap;

use measure::Metrics;
use serde_json::Value;

const SCENARIOS: &str = include_str!("data/kernel-6.18/scenarios.json");
const SUMMARY: &str = include_str!("data/kernel-6.18/summary.csv");

type Summary = BTreeMap<String, BTreeMap<String, (f64, f64)>>;

fn summary() -> Summary {
    let mut all = Summary::new();
    for row in csv::Reader::from_reader(SUMMARY.as_bytes()).records() {
        let row = row.unwrap();
        let number = |at: usize| row[at].parse::<f64>().unwrap_or(0.0);
        all.entry(row[0].into()).or_default().insert(row[1].into(), (number(2), number(3)));
    }
    all
}

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
    let runs: Vec<_> = (1..=rig::seeds(scenario))
        .map(|seed| measure::run(&rig::lab(scenario, seed), timeout))
        .collect();
    mean(&runs)
}

#[test]
fn table() {
    let scenarios: Vec<Value> = serde_json::from_str(SCENARIOS).unwrap();
    let summary = summary();
    let only = std::env::var("ONLY").unwrap_or_default();
    for scenario in &scenarios {
        let name = scenario["name"].as_str().unwrap();
        if !name.contains(&only) {
            continue;
        }
        if let Some(why) = rig::unsupported(scenario) {
            println!("{name}: not simulated: {why}");
            continue;
        }
        let ours = simulate(scenario);
        let kernel = &summary[name];
        let mut diffs = Vec::new();
        for (metric, &(mean, std)) in kernel {
            let got = ours.get(metric).copied();
            let relevant = [
                "fct_s",
                "complete",
                "intact",
                "state_",
                "share_",
                "rexmit_",
                "t_",
                "mib_",
                "max_gap_ms",
            ]
            .iter()
            .any(|p| metric.starts_with(p))
                && !metric.contains("OFO")
                && !metric.contains("Tcp") | metric.contains("MPTcp");
            if !relevant {
                continue;
            }
            let got_v = got.unwrap_or(0.0);
            let tol = if metric.starts_with("t_") {
                25.0
            } else if metric.starts_with("share") {
                0.05
            } else if metric == "fct_s" {
                (mean * 0.05).max(2.0 * std)
            } else if metric.starts_with("rexmit") {
                (mean * 0.3).max(2.0 * std).max(5.0)
            } else if metric == "max_gap_ms" {
                mean * 0.3
            } else if metric.contains("WndShared") {
                mean * 0.5 + 10.0
            } else {
                (2.0 * std).max(0.01)
            };
            if (got_v - mean).abs() > tol || (got.is_none() && mean != 0.0) {
                diffs.push(format!(
                    "{metric} {} vs {mean:.3}+-{std:.2}",
                    got.map_or("-".into(), |g| format!("{g:.3}"))
                ));
            }
        }
        for (metric, value) in &ours {
            if metric.starts_with("mib_")
                && metric.contains("MPTcp")
                && !kernel.contains_key(metric)
                && *value > 0.0
                && !metric.contains("OFO")
                && !metric.contains("MPCurrEstab")
            {
                diffs.push(format!("{metric} {value} vs none"));
            }
        }
        println!(
            "{name}: fct {:.3} vs {:.3}+-{:.3}  {}",
            ours["fct_s"],
            kernel["fct_s"].0,
            kernel["fct_s"].1,
            if diffs.is_empty() { "OK".into() } else { diffs.join("; ") }
        );
    }
}
