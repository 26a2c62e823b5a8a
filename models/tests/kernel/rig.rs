//! The measured scenarios as simulations: fields as the measurements' own definition has them.

use mptcpsim_core::capacity::Capacity;
use mptcpsim_core::link::LinkChange;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::{Bytes, Rate};
use mptcpsim_models::app::{AppSpec, Script};
use mptcpsim_models::congestion;
use mptcpsim_models::host::HostChange;
use mptcpsim_models::path_manager::endpoints::{Config, Endpoint, Limits};
use mptcpsim_models::rules::Stack;
use serde_json::Value;

use crate::lab::{CLIENT, Lab, Path, SERVER, endpoint};

/// Bytes of the request of an `http` scenario.
const REQUEST: u64 = 200;

/// What keeps a scenario from being simulated here; `None` if nothing does.
pub(crate) fn unsupported(scenario: &Value) -> Option<&'static str> {
    if scenario.get("pre_client").is_some() {
        return Some("routes of its own");
    }
    let events = scenario["events"].as_array();
    let link_down = |event: &Value| event["cmd"].as_str().unwrap().starts_with("ip link");
    events.is_some_and(|events| events.iter().any(link_down)).then_some("interface down")
}

pub(crate) fn lab(scenario: &Value, seed: u64) -> Lab {
    let paths: Vec<Path> = scenario["paths"].as_array().unwrap().iter().map(path).collect();
    let mut lab = Lab::upload(paths, 0);
    lab.seed = seed;
    lab.events = true;
    lab.client.sysctl.kernel_defects = true;
    lab.server.sysctl.kernel_defects = true;
    set_sysctls(&mut lab, scenario);
    set_apps(&mut lab, &scenario["work"]);
    let algorithm = congestion::Name::from_name(scenario["cc"].as_str().unwrap()).unwrap();
    lab = lab.congestion(algorithm);
    lab.options.mptcp = scenario["client_proto"] != "tcp";
    lab.server_options.mptcp = scenario["server_proto"] != "tcp";
    let sndbuf = scenario["app_client"]["sndbuf"].as_u64();
    lab.options.sndbuf = sndbuf.map(|bytes| 2 * bytes as u32);
    lab.client_endpoints = endpoints(&scenario["pm"]["client"]);
    lab.server_endpoints = endpoints(&scenario["pm"]["server"]);
    lab.host_changes = host_changes(scenario);
    lab
}

/// Runs of a scenario: several where chance plays a part.
pub(crate) fn seeds(scenario: &Value) -> u64 {
    let paths = scenario["paths"].as_array().unwrap();
    if paths.iter().any(|path| path.get("loss").is_some()) { 20 } else { 1 }
}

fn path(value: &Value) -> Path {
    let number = |key: &str| value[key].as_f64();
    let changes = value["sched"].as_array().into_iter().flatten().map(|entry| {
        let at = Time::ZERO + Span::from_us((entry["t_ms"].as_f64().unwrap() * 1e3) as u64);
        let change = LinkChange {
            up: entry["up"].as_u64().map(|up| up == 1),
            capacity: entry["rate"]
                .as_f64()
                .map(|rate| Capacity::Fixed(Rate::from_bps(rate as u64))),
            ..LinkChange::default()
        };
        (at, change)
    });
    Path {
        rate: number("rate").unwrap() as u64,
        delay: Span::from_us((number("delay_ms").unwrap() * 1e3) as u64),
        queue_bdp: number("queue_bdp").unwrap_or(1.0),
        queue_packets: value["queue_pkts"].as_u64(),
        loss: number("loss").unwrap_or(0.0),
        lost: value["dropnth"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect(),
        impairments: None,
        changes: changes.collect(),
        boxes: value["mb"]
            .as_array()
            .into_iter()
            .flatten()
            .map(crate::kernel::boxes::middlebox)
            .collect(),
    }
}

fn set_sysctls(lab: &mut Lab, scenario: &Value) {
    for (key, client, server) in
        [("sysctl", true, true), ("sysctl_client", true, false), ("sysctl_server", false, true)]
    {
        for (name, value) in scenario[key].as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if client {
                lab.client.sysctl.set(Stack::Upstream, name, &text).unwrap();
            }
            if server {
                lab.server.sysctl.set(Stack::Upstream, name, &text).unwrap();
            }
        }
    }
}

fn set_apps(lab: &mut Lab, work: &Value) {
    let bytes = work["bytes"].as_u64().map(Bytes::new);
    let delay = Span::from_secs_f64(work["delay"].as_f64().unwrap_or(0.0));
    let sender = AppSpec::Bulk {
        send: bytes,
        until: work["secs"].as_f64().map(Span::from_secs_f64),
        abort: work["abort"].as_u64() == Some(1),
        delay,
    };
    let receiver = crate::lab::bulk(0);
    (lab.client_app, lab.server_app) = match work["kind"].as_str().unwrap() {
        "up" => (sender, receiver),
        "down" => (receiver, sender),
        _ => {
            let (request, response) = (Bytes::new(REQUEST), bytes.unwrap());
            let script = Script::alike(request, response, Span::ZERO, 1);
            let client = AppSpec::Request { script: script.clone(), delay, server_closes: true };
            (client, AppSpec::Respond { script, close_after: Some(1) })
        }
    };
}

/// `ip mptcp limits set ...` and `ip mptcp endpoint add ...`.
fn endpoints(value: &Value) -> Config {
    let mut config = Config::default();
    if let Some(text) = value["limits"].as_str() {
        let words: Vec<_> = text.split_whitespace().collect();
        let number = |at: usize| words[at].parse().unwrap();
        config.limits = Limits { subflows: number(1), add_addr_accepted: number(3) };
    }
    for text in value["endpoints"].as_array().into_iter().flatten() {
        let id = config.free_id().unwrap();
        config.endpoints.push(parse_endpoint(text.as_str().unwrap(), id));
    }
    config
}

fn parse_endpoint(text: &str, free_id: u8) -> Endpoint {
    let words: Vec<_> = text.split_whitespace().collect();
    let mut endpoint = endpoint(free_id, words[0].parse().unwrap());
    for (at, word) in words.iter().enumerate() {
        match *word {
            "subflow" => endpoint.subflow = true,
            "signal" => endpoint.signal = true,
            "backup" => endpoint.backup = true,
            "fullmesh" => endpoint.fullmesh = true,
            "id" => endpoint.id = words[at + 1].parse().unwrap(),
            "port" => endpoint.port = Some(words[at + 1].parse().unwrap()),
            _ => {}
        }
    }
    endpoint
}

/// The `ip mptcp endpoint` commands of a scenario. The command's own run time, some milliseconds,
/// is part of what was measured.
fn host_changes(scenario: &Value) -> Vec<(Time, HostChange)> {
    let mut changes = Vec::new();
    for event in scenario["events"].as_array().into_iter().flatten() {
        let Some(command) = event["cmd"].as_str().unwrap().strip_prefix("ip mptcp endpoint ")
        else {
            continue;
        };
        let host = if event["ns"] == "client" { CLIENT } else { SERVER };
        let at = Time::ZERO + Span::from_secs_f64(event["t"].as_f64().unwrap() + 0.004);
        let (verb, rest) = command.split_once(' ').unwrap();
        let words: Vec<_> = rest.split_whitespace().collect();
        changes.push((
            at,
            match verb {
                "add" => HostChange::AddEndpoint { host, endpoint: parse_endpoint(rest, 1) },
                "delete" => HostChange::RemoveEndpoint { host, id: words[1].parse().unwrap() },
                _ => HostChange::SetBackup {
                    host,
                    id: words[1].parse().unwrap(),
                    backup: words[2] == "backup",
                },
            },
        ));
    }
    changes
}
