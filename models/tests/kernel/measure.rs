//! The metrics of the measurements, taken from a simulation.

use std::collections::BTreeMap;

use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::host::{Tap, Tapped};
use mptcpsim_models::mptcp::Mode;
use mptcpsim_models::segment::{Flags, Segment};

use crate::lab::{CLIENT, Lab, SERVER};

pub(crate) type Metrics = BTreeMap<String, f64>;

/// How long the measured applications wait.
const TIMEOUT: Span = Span::from_secs(40);

pub(crate) fn run(lab: &Lab, timeout: Option<f64>) -> Metrics {
    let mut simulation = lab.build();
    simulation.hosts_mut().set_tap(Tap::new(true));
    let end = timeout.map_or(TIMEOUT, Span::from_secs_f64);
    simulation.run_until(Time::ZERO + end);
    let mut metrics = Metrics::new();
    let outcome = crate::lab::Outcome { simulation };
    transfer_metrics(&outcome, &mut metrics);
    for host in [CLIENT, SERVER] {
        let side = if host == CLIENT { "client" } else { "server" };
        for (counter, value) in outcome.world().mib(host).unwrap().iter(lab.client.rules.stack) {
            let name = counter.name().replace("MPTcpExt", "MPTcp.");
            metrics.insert(format!("mib_{side}_{name}"), value as f64);
        }
    }
    let mut simulation = outcome.simulation;
    let seen: Vec<Tapped> = simulation.hosts_mut().tap().drain().collect();
    option_times(&seen, &mut metrics);
    metrics
}

fn transfer_metrics(outcome: &crate::lab::Outcome, metrics: &mut Metrics) {
    let (client, server) = (outcome.client(), outcome.server());
    let receiver = outcome.receiver();
    let ledger = receiver.app().ledger();
    let sent = if receiver.connection().is_client() { server } else { client }.app().sent();
    let mut put = |name: &str, value: f64| {
        metrics.insert(name.to_owned(), value);
    };
    let fct = ledger.last_byte_at().map_or(0.0, |at| at.as_secs_f64());
    put("fct_s", fct);
    put("goodput_mbps", ledger.bytes() as f64 * 8e-6 / fct);
    put("max_gap_ms", ledger.longest_gap().0.as_secs_f64() * 1e3);
    put("delivered_bytes", ledger.bytes() as f64);
    put("complete", f64::from(u8::from(ledger.bytes() == sent && ledger.ended_at().is_some())));
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

/// Path number from the client's address of a packet.
fn path_of(tapped: &Tapped) -> u8 {
    let client_sent = (tapped.host == CLIENT) == tapped.sent;
    let client = if client_sent { tapped.tuple.src } else { tapped.tuple.dst };
    match client.ip() {
        std::net::IpAddr::V4(addr) => addr.octets()[2],
        std::net::IpAddr::V6(_) => 0,
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

/// First transmission of each option by packet class, direction and path; retransmissions and
/// shares by path.
fn option_times(seen: &[Tapped], metrics: &mut Metrics) {
    let mut bytes: BTreeMap<u8, u64> = BTreeMap::new();
    let mut highest = BTreeMap::new();
    for tapped in seen {
        let path = path_of(tapped);
        if !tapped.sent {
            *bytes.entry(path).or_default() += u64::from(tapped.segment.payload.len());
            continue;
        }
        let direction = if tapped.host == CLIENT { "c2s" } else { "s2c" };
        let class = class(&tapped.segment);
        for option in options(&tapped.segment) {
            let name = format!("t_{option}_{class}_{direction}_p{path}");
            let at = tapped.at.as_secs_f64() * 1e3;
            let again = metrics.insert(format!("{name}_ms"), at);
            if let Some(first) = again {
                metrics.insert(format!("{name}_ms"), first);
                if (option, class) == ("MP_JOIN", "SYN") {
                    metrics.entry(format!("{name}_2_ms")).or_insert(at);
                }
            }
        }
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
