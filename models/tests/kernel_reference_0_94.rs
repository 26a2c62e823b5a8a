//! The simulation beside the mptcp.org kernel v0.94 (`tests/data/kernel-0.94`): scenarios measured
//! between two network namespaces over emulated links, mean and spread of two or three runs each.
//!
//! What misses its tolerance stands in `misses.csv` with its cause. The test fails on a miss that
//! is not listed and on a listed one that agrees by now. `cargo test -p
//! mptcpsim-models kernel_reference_0_94 -- --nocapture` prints everything.

use std::collections::BTreeMap;

use crate::kernel;
use crate::kernel::compare::Findings;
use crate::lab::{CLIENT, Lab, addr};

use mptcpsim_models::congestion;
use mptcpsim_models::path_manager::multipath::Multipath;
use mptcpsim_models::path_manager::{self, AnyPathManager};
use mptcpsim_models::rules::Stack;
use mptcpsim_models::scheduler::{self, AnyScheduler};
use serde_json::Value;

const SCENARIOS: &str = include_str!("data/kernel-0.94/scenarios.json");
const SUMMARY: &str = include_str!("data/kernel-0.94/summary.csv");
const MISSES: &str = include_str!("data/kernel-0.94/misses.csv");

/// Groups that were measured with the kernel's default, checksums on, unless they say otherwise.
const CHECKSUM_GROUPS: &[&str] = &["d_"];

/// The name that a measured metric has among the simulated ones.
fn metric(measured: &str) -> String {
    let counter = ["client", "server"].into_iter().find_map(|side| {
        let counter = measured.strip_prefix(side)?.strip_prefix("_MPTCP_")?;
        Some(format!("mib_{side}_MPTcp.{counter}"))
    });
    counter.unwrap_or_else(|| measured.into())
}

/// What keeps a scenario from being simulated here; `None` if nothing does.
fn unsupported(scenario: &Value) -> Option<&'static str> {
    scenario.get("events").is_some().then_some("interface down")
}

fn lab(name: &str, scenario: &Value) -> Lab {
    let mut lab = kernel::rig::lab(scenario, 1);
    let rules = Stack::OutOfTree.rules();
    for host in [&mut lab.client, &mut lab.server] {
        host.rules = rules;
        host.sysctl = rules.sysctl_defaults();
        host.sysctl.mptcp_checksum = CHECKSUM_GROUPS.iter().any(|group| name.starts_with(group));
        for (key, value) in scenario["mptcp"].as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            host.sysctl.set(Stack::OutOfTree, &format!("net.mptcp.{key}"), &text).unwrap();
        }
    }
    for (key, value) in scenario["modparam"].as_object().into_iter().flatten() {
        let (module, param) = key.split_once("/parameters/").unwrap();
        let name = path_manager::Name::ALL.iter().find(|name| name.module() == Some(module));
        let params = [(param, value.to_string())];
        let manager = AnyPathManager::with_params(*name.unwrap(), Stack::OutOfTree, &params);
        lab.options.path_manager = Some(manager.unwrap());
    }
    if name.ends_with("_noopti") {
        lab.options.scheduler = Some(without_relief());
    }
    if scenario.get("pre_client").is_some() {
        lab.client_endpoints.multipath.set(addr(CLIENT, 1), Multipath::Backup);
    }
    let beside = scenario["extra"].as_array().into_iter().flatten();
    let control = |flow: &Value| congestion::Name::from_name(flow["cc"].as_str().unwrap()).unwrap();
    lab.beside = beside.map(control).collect();
    let rcvbuf = scenario["app_server"]["rcvbuf"].as_u64();
    lab.server_options.rcvbuf = rcvbuf.map(|bytes| 2 * bytes as u32);
    let both = scenario["server_multi"] == 1;
    lab.server_addresses = if both { None } else { Some(1) };
    lab
}

/// The default scheduler of a kernel whose `mptcp_rcv_buf_optimization` does nothing.
fn without_relief() -> AnyScheduler {
    let off = [("opportunistic_retransmission", "0"), ("penalisation", "0")];
    AnyScheduler::with_params(scheduler::Name::LowestRtt, Stack::OutOfTree, &off).unwrap()
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

#[test]
fn the_simulation_agrees_with_the_kernel_0_94_where_no_miss_is_listed() {
    let scenarios: BTreeMap<String, Value> = serde_json::from_str(SCENARIOS).unwrap();
    let measured = kernel::compare::measured(SUMMARY, metric);
    let mut findings = Findings::default();
    for (name, scenario) in &scenarios {
        if let Some(why) = unsupported(scenario) {
            findings.leave_out(name, why);
            continue;
        }
        let ours = kernel::measure::run(&lab(name, scenario), scenario["timeout"].as_f64());
        let kernel = &measured[name];
        println!(
            "{name}: {:.2} Mbit/s, kernel {:.2}",
            ours["goodput_mbps"], kernel["goodput_mbps"].0
        );
        findings.compare((name, scenario), kernel, &ours, tolerance);
    }
    findings.assert_are(MISSES);
}
