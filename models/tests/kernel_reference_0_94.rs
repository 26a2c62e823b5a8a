//! The simulation beside the mptcp.org kernel v0.94 (`tests/data/kernel-0.94`): scenarios measured
//! between two network namespaces over emulated links, mean and spread of two or three runs each.
//!
//! What misses its tolerance stands in `misses.csv` with its cause. The test fails on a miss that
//! is not listed and on a listed one that agrees by now. `cargo test --test kernel_reference_0_94
//! -- --nocapture` prints everything.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

#[path = "kernel/boxes.rs"]
mod boxes;
mod lab;
#[path = "kernel/measure.rs"]
mod measure;
#[allow(dead_code, reason = "the other line's scenarios need more of it")]
#[path = "kernel/rig.rs"]
mod rig;

use std::collections::{BTreeMap, BTreeSet};

use lab::{CLIENT, Lab, addr};
use measure::Metrics;
use mptcpsim_models::path_manager::multipath::Multipath;
use mptcpsim_models::rules::Stack;
use serde_json::Value;

const SCENARIOS: &str = include_str!("data/kernel-0.94/scenarios.json");
const SUMMARY: &str = include_str!("data/kernel-0.94/summary.csv");
const MISSES: &str = include_str!("data/kernel-0.94/misses.csv");

/// Mean and standard deviation of each metric.
type Measured = BTreeMap<String, (f64, f64)>;

/// Groups that were measured with the kernel's default, checksums on, unless they say otherwise.
const CHECKSUM_GROUPS: &[&str] = &["d_"];

fn measured() -> BTreeMap<String, Measured> {
    let mut all = BTreeMap::<String, Measured>::new();
    for row in csv::Reader::from_reader(SUMMARY.as_bytes()).records() {
        let row = row.unwrap();
        let number = |at: usize| row[at].parse::<f64>().unwrap_or(0.0);
        let metric = ["client", "server"].into_iter().find_map(|side| {
            let counter = row[1].strip_prefix(side)?.strip_prefix("_MPTCP_")?;
            Some(format!("mib_{side}_MPTcp.{counter}"))
        });
        let metric = metric.unwrap_or_else(|| row[1].into());
        all.entry(row[0].into()).or_default().insert(metric, (number(2), number(3)));
    }
    all
}

/// What keeps a scenario from being simulated here; `None` if nothing does.
fn unsupported(name: &str, scenario: &Value) -> Option<&'static str> {
    if scenario.get("extra").is_some() {
        return Some("other flows beside it");
    }
    if scenario.get("events").is_some() {
        return Some("interface down");
    }
    name.ends_with("_noopti").then_some("a kernel without opportunistic retransmission")
}

fn lab(name: &str, scenario: &Value) -> Lab {
    let mut lab = rig::lab(scenario, 1);
    let rules = Stack::OutOfTree.rules();
    for host in [&mut lab.client, &mut lab.server] {
        host.rules = rules;
        host.sysctl = rules.sysctl_defaults();
        host.sysctl.mptcp_checksum = CHECKSUM_GROUPS.iter().any(|group| name.starts_with(group));
        for (key, value) in scenario["mptcp"].as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            host.sysctl.set(Stack::OutOfTree, &format!("net.mptcp.{key}"), &text).unwrap();
        }
        for (key, value) in scenario["modparam"].as_object().into_iter().flatten() {
            let knob = key.replace("/parameters/", ".");
            host.sysctl.set(Stack::OutOfTree, &knob, &value.to_string()).unwrap();
        }
    }
    if scenario.get("pre_client").is_some() {
        lab.client_endpoints.multipath.set(addr(CLIENT, 1), Multipath::Backup);
    }
    let rcvbuf = scenario["app_server"]["rcvbuf"].as_u64();
    lab.server_options.rcvbuf = rcvbuf.map(|bytes| 2 * bytes as u32);
    let both = scenario["server_multi"] == 1;
    lab.server_addresses = if both { None } else { Some(1) };
    lab
}

/// How far a metric may be from the measured mean; `None` if it is not compared.
fn tolerance(metric: &str, (mean, deviation): (f64, f64), rtt_ms: f64) -> Option<f64> {
    match metric {
        "complete" | "intact" => Some(0.0),
        // Only the first of its kind is timed here.
        _ if ["_2_ms", "_3_ms", "_4_ms"].iter().any(|later| metric.ends_with(later)) => None,
        "goodput_mbps" => Some((0.1 * mean).max(2.0 * deviation)),
        _ if metric.starts_with("share_") => Some(0.1_f64.max(2.0 * deviation)),
        _ if metric.starts_with("t_MP_") || metric.starts_with("t_ADD_ADDR") => Some(rtt_ms),
        // Data of a failed subflow and duplicates follow the packets' timing.
        _ if metric.contains("MPTcp.") && !metric.contains("MPTCPRetrans") => Some(2.0 * deviation),
        _ => None,
    }
}

/// Round-trip time of the slowest path.
fn rtt_ms(scenario: &Value) -> f64 {
    let paths = scenario["paths"].as_array().unwrap();
    paths.iter().map(|path| 2.0 * path["delay_ms"].as_f64().unwrap()).fold(0.0, f64::max)
}

/// The metrics of a scenario that differ by more than their tolerance.
fn differences(scenario: &Value, kernel: &Measured, ours: &Metrics) -> Vec<(String, String)> {
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

#[test]
fn the_simulation_agrees_with_the_kernel_0_94_where_no_miss_is_listed() {
    let scenarios: BTreeMap<String, Value> = serde_json::from_str(SCENARIOS).unwrap();
    let measured = measured();
    let mut misses = csv::Reader::from_reader(MISSES.as_bytes());
    let listed: BTreeSet<(String, String)> = misses
        .records()
        .map(|row| row.unwrap())
        .map(|row| (row[0].into(), row[1].into()))
        .collect();
    let mut found = BTreeSet::new();
    let mut agree = 0;
    for (name, scenario) in &scenarios {
        if let Some(why) = unsupported(name, scenario) {
            println!("{name}: not simulated: {why}");
            found.insert((name.clone(), String::from("all")));
            continue;
        }
        let ours = measure::run(&lab(name, scenario), scenario["timeout"].as_f64());
        let kernel = &measured[name];
        let differences = differences(scenario, kernel, &ours);
        agree += usize::from(differences.is_empty());
        println!(
            "{name}: {:.2} Mbit/s, kernel {:.2}",
            ours["goodput_mbps"], kernel["goodput_mbps"].0
        );
        for (metric, values) in differences {
            println!("    {name},{metric},{values}");
            found.insert((name.clone(), metric));
        }
    }
    println!("{agree} of {} agree", scenarios.len());
    let unlisted: Vec<_> = found.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&found).collect();
    assert!(unlisted.is_empty() && stale.is_empty(), "misses: {unlisted:#?}\nagree: {stale:#?}");
}
