//! The metrics of the measurements, taken from a simulation.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mptcpsim_core::sim::Simulation;
use mptcpsim_models::host::{Actor, Tapped, World};
use mptcpsim_models::mptcp::Mode;
use mptcpsim_models::segment::{Flags, Segment};

use super::super::Metrics;
use crate::plan::Plan;

/// The name that a metric measured on v0.94 has here.
pub(super) fn counter_of_0_94(measured: &str) -> String {
    let counter = ["client", "server"].into_iter().find_map(|side| {
        let counter = measured.strip_prefix(side)?.strip_prefix("_MPTCP_")?;
        Some(format!("mib_{side}_MPTcp.{counter}"))
    });
    counter.unwrap_or_else(|| measured.into())
}

/// All metrics of the first flow of a plan.
pub(super) fn metrics(plan: &Plan, simulation: &mut Simulation<World>) -> Metrics {
    let mut metrics = Metrics::new();
    let Some(flow) = plan.flows.first() else { return metrics };
    let client = flow.from.host.0;
    transfer(simulation.hosts(), &mut metrics);
    for (side, end) in [("client", &flow.from), ("server", &flow.to)] {
        let Some(host) = plan.hosts.get(end.host.0) else { continue };
        let counters = simulation.hosts().mib(end.host.0);
        for (counter, value) in counters.into_iter().flat_map(|mib| mib.iter(host.stack)) {
            let name = counter.name().replace("MPTcpExt", "MPTcp.");
            metrics.insert(format!("mib_{side}_{name}"), value as f64);
        }
    }
    let seen: Vec<Tapped> = simulation.hosts_mut().tap().drain().collect();
    packets(&seen, client, &mut metrics);
    metrics
}

/// What the applications saw.
fn transfer(world: &World, metrics: &mut Metrics) {
    let end =
        |client| world.actors().iter().find(move |actor| actor.connection().is_client() == client);
    let (Some(client), Some(server)) = (end(true), end(false)) else { return };
    let read = |actor: &Actor| actor.app().ledger().bytes();
    let (receiver, sender) =
        if read(client) > read(server) { (client, server) } else { (server, client) };
    let ledger = receiver.app().ledger();
    let mut put = |name: &str, value: f64| {
        metrics.insert(name.to_owned(), value);
    };
    let fct = ledger.last_byte_at().map_or(0.0, |at| at.as_secs_f64());
    put("fct_s", fct);
    put("goodput_mbps", ledger.bytes() as f64 * 8e-6 / fct);
    put("max_gap_ms", ledger.longest_gap().0.as_secs_f64() * 1e3);
    put("delivered_bytes", ledger.bytes() as f64);
    let complete = ledger.bytes() == sender.app().sent() && ledger.ended_at().is_some();
    put("complete", f64::from(u8::from(complete)));
    put("intact", f64::from(u8::from(ledger.wrong_bytes() == 0)));
    for (name, actor) in [("state_client", client), ("state_server", server)] {
        let state = match actor.connection().mode() {
            Mode::Mptcp => 0.0,
            Mode::FellBack(_) => 1.0,
            Mode::Plain => 2.0,
        };
        put(name, state);
    }
}

/// First transmission of each option by packet class, direction and path; retransmissions and
/// shares by path.
fn packets(seen: &[Tapped], client: usize, metrics: &mut Metrics) {
    let mut bytes: BTreeMap<u8, u64> = BTreeMap::new();
    let mut highest = BTreeMap::new();
    for tapped in seen {
        let of_client = tapped.host == client;
        let path = path_of(tapped, of_client);
        if !tapped.sent {
            *bytes.entry(path).or_default() += u64::from(tapped.segment.payload.len());
            continue;
        }
        first_options(tapped, of_client, path, metrics);
        if !tapped.segment.payload.is_empty() {
            let end = tapped.segment.end_seq();
            let top = highest.entry(tapped.tuple).or_insert(tapped.segment.seq);
            if tapped.segment.seq.before(*top) {
                *metrics.entry(format!("rexmit_pkts_p{path}")).or_default() += 1.0;
            }
            *top = top.latest(end);
        }
    }
    let total: u64 = bytes.values().sum();
    for (path, count) in bytes {
        metrics.insert(format!("share_p{path}"), count as f64 / total.max(1) as f64);
        metrics.entry(format!("rexmit_pkts_p{path}")).or_default();
    }
}

/// Path number from the client's address of a packet.
fn path_of(tapped: &Tapped, of_client: bool) -> u8 {
    let from_client = of_client == tapped.sent;
    let client = if from_client { tapped.tuple.src } else { tapped.tuple.dst };
    match client.ip() {
        IpAddr::V4(addr) => addr.octets()[2],
        IpAddr::V6(_) => 0,
    }
}

/// Notes the options of a packet that no packet before had; of SYNs the first four.
fn first_options(tapped: &Tapped, of_client: bool, path: u8, metrics: &mut Metrics) {
    let direction = if of_client { "c2s" } else { "s2c" };
    let class = class(&tapped.segment);
    let at = tapped.at.as_secs_f64() * 1e3;
    for option in options(&tapped.segment) {
        let name = format!("t_{option}_{class}_{direction}_p{path}");
        let times = if class == "SYN" { &["", "_2", "_3", "_4"][..] } else { &[""][..] };
        let mut names = times.iter().map(|time| format!("{name}{time}_ms"));
        if let Some(next) = names.find(|name| !metrics.contains_key(name)) {
            metrics.insert(next, at);
        }
    }
}

fn class(segment: &Segment) -> &'static str {
    let has = |flag| segment.flags.has(flag);
    match () {
        () if has(Flags::SYN) && has(Flags::ACK) => "SYNACK",
        () if has(Flags::SYN) => "SYN",
        () if has(Flags::RST) => "RST",
        () if !segment.payload.is_empty() => "DATA",
        () if has(Flags::FIN) => "FIN",
        () => "ACK",
    }
}

fn options(segment: &Segment) -> Vec<&'static str> {
    let mut names = Vec::new();
    if let Some(rare) = segment.rare() {
        let flags = [
            (rare.mp_capable.is_some(), "MP_CAPABLE"),
            (rare.mp_join.is_some(), "MP_JOIN"),
            (rare.add_addr.is_some_and(|option| !option.echo), "ADD_ADDR"),
            (rare.add_addr.is_some_and(|option| option.echo), "ADD_ADDR_ECHO"),
            (rare.remove_addr.is_some(), "RM_ADDR"),
            (rare.mp_prio.is_some(), "MP_PRIO"),
            (rare.mp_fail.is_some(), "MP_FAIL"),
            (rare.mp_fastclose.is_some(), "MP_FASTCLOSE"),
            (rare.mp_tcprst.is_some(), "MP_TCPRST"),
        ];
        names.extend(flags.iter().filter(|(there, _)| *there).map(|(_, name)| *name));
    }
    if let Some(dss) = &segment.dss {
        names.push(match (dss.data_fin, dss.has_mapping()) {
            (true, _) => "DATA_FIN",
            (false, true) => "DSS_MAP",
            (false, false) => "DSS_ACK",
        });
    }
    if names.is_empty() {
        match class(segment) {
            "RST" => names.push("(RST)"),
            "SYN" | "SYNACK" => names.push("(none)"),
            _ => {}
        }
    }
    names
}
