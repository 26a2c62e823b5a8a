//! Flows: who opens a connection to whom, from which address, and what runs over it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Bytes;
use mptcpsim_models::{congestion, path_manager, scheduler};

use super::Report;
use super::algorithms;
use super::fault::Problem;
use super::key::KeyPath;
use super::network::{Network, check_name};
use crate::plan::{Algorithm, FlowEnd, FlowPlan, HostId, HostPlan, InterfaceId, PathPlan, Route};
use crate::scenario::{App, Flow, Scenario};

/// The port that servers of measurement tools such as iperf listen on.
const FIRST_PORT: u16 = 5_001;
/// More than any transfer of a run: data sequence numbers of a petabyte.
const MAX_BYTES: Bytes = Bytes::new(1_000_000_000_000_000);
/// The largest buffer that a socket option can ask for.
const MAX_BUFFER: Bytes = Bytes::new(i32::MAX as u64);
/// More connections than fit into memory.
const MAX_FLOWS: u64 = 1_000_000;

/// A flow whose hosts are found, and where it was written.
pub(super) struct Draft {
    /// Which of the scenario's flows.
    pub(super) declared: usize,
    pub(super) key: KeyPath,
    pub(super) plan: FlowPlan,
    times: u32,
    every: Span,
}

/// The flows of a scenario; faulty ones are reported and left out.
pub(super) fn check(
    scenario: &Scenario,
    network: &Network,
    paths: &[PathPlan],
    routes: &[Route],
    report: &mut Report,
) -> Vec<Draft> {
    let key = KeyPath::root().key("flows");
    if scenario.flows.is_empty() {
        let help = "add a table `[[flows]]`, for example with `app = { kind = \"bulk\", bytes = \"20 MB\" }`";
        report.invalid(&key, "there is no flow", help);
    }
    let mut by_path = routes.iter().collect::<Vec<_>>();
    by_path.sort_by_key(|route| route.path);
    let checker = Checker { network, paths, routes: by_path };
    let mut drafts = Vec::new();
    let (mut names, mut services) = (BTreeMap::new(), BTreeMap::new());
    for (index, flow) in scenario.flows.iter().enumerate() {
        let key = key.index(index);
        let name = flow.name.clone().unwrap_or_else(|| format!("flow{}", index + 1));
        check_name("flow", &name, &key.key("name"), report);
        if let Some(first) = names.insert(name.clone(), key.clone()) {
            let what = format!("the flow name `{name}`");
            report.fault(&key.key("name"), Problem::Duplicate { what, first });
        }
        let Some(draft) = checker.flow(flow, index, name, &key, report) else { continue };
        let service = (draft.plan.to.host, draft.plan.port);
        if let Some(first) = services.insert(service, key.clone()) {
            let what = format!("port {} of the host", draft.plan.port);
            report.fault(&key.key("port"), Problem::Duplicate { what, first });
        }
        drafts.push(draft);
    }
    let total: u64 = drafts.iter().map(|draft| u64::from(draft.times)).sum();
    if total > MAX_FLOWS {
        let help = format!("write at most {MAX_FLOWS} in all");
        report.invalid(&key, format!("{total} connections are too many"), help);
        drafts.clear();
    }
    drafts
}

/// Repeated flows one by one, each with the algorithms of its hosts unless it names its own.
pub(super) fn finish(
    drafts: Vec<Draft>,
    scenario: &Scenario,
    hosts: &[HostPlan],
    report: &mut Report,
) -> Vec<FlowPlan> {
    let mut flows = Vec::new();
    for draft in drafts {
        let mut plan = draft.plan;
        let Some(flow) = scenario.flows.get(draft.declared) else { continue };
        for end in [&mut plan.from, &mut plan.to] {
            let Some(host) = hosts.get(end.host.0) else { continue };
            end.congestion_control = algorithms::congestion_control(flow, host);
            end.scheduler = algorithms::scheduler(flow, host);
            end.path_manager = algorithms::path_manager(flow, host);
        }
        algorithms::check(flow, &draft.key, [&plan.from, &plan.to], report);
        let stacks = [&plan.from, &plan.to].map(|end| hosts.get(end.host.0).map(|host| host.stack));
        algorithms::check_stacks(flow, &draft.key, stacks, report);
        if draft.times == 1 {
            flows.push(plan);
            continue;
        }
        for number in 0..draft.times {
            let start = plan.start + draft.every * u64::from(number);
            let name = format!("{}-{}", plan.name, number + 1);
            flows.push(FlowPlan { name, start, ..plan.clone() });
        }
    }
    flows
}

struct Checker<'a> {
    network: &'a Network,
    paths: &'a [PathPlan],
    /// In the order of their paths.
    routes: Vec<&'a Route>,
}

impl Checker<'_> {
    fn flow(
        &self,
        flow: &Flow,
        declared: usize,
        name: String,
        key: &KeyPath,
        report: &mut Report,
    ) -> Option<Draft> {
        check_app(&flow.app, &key.key("app"), report);
        for (field, buffer) in
            [("receive_buffer", flow.receive_buffer), ("send_buffer", flow.send_buffer)]
        {
            check_buffer(buffer, &key.key(field), report);
        }
        let (from, to) = self.hosts(flow, key, report)?;
        let (source, destination) = self.first_subflow(flow, from, to, key, report)?;
        let end = |host, address| FlowEnd {
            host,
            address,
            congestion_control: Algorithm { name: congestion::Name::default(), params: Vec::new() },
            scheduler: Algorithm { name: scheduler::Name::default(), params: Vec::new() },
            path_manager: Algorithm { name: path_manager::Name::default(), params: Vec::new() },
            receive_buffer: flow.receive_buffer,
            send_buffer: flow.send_buffer,
        };
        let plan = FlowPlan {
            name,
            start: Time::ZERO + flow.start.unwrap_or_default(),
            protocol: flow.protocol,
            from: end(from, source),
            to: end(to, destination),
            port: flow.port.unwrap_or_else(|| default_port(declared)),
            app: flow.app.clone(),
        };
        Some(Draft {
            declared,
            key: key.clone(),
            plan,
            times: flow.repeat.map_or(1, |repeat| repeat.times),
            every: flow.repeat.map_or(Span::ZERO, |repeat| repeat.every),
        })
    }

    /// The two hosts; those of the first path unless the flow names others.
    fn hosts(&self, flow: &Flow, key: &KeyPath, report: &mut Report) -> Option<(HostId, HostId)> {
        let (from_key, to_key) = (key.key("from"), key.key("to"));
        let ends = self.paths.first().map(|path| path.ends.map(|end| end.host));
        let other = |one: HostId| {
            let [a, b] = ends?;
            (self.network.hosts.len() == 2).then_some(if one == a { b } else { a })
        };
        let named = |name: &Option<String>, key, report: &mut Report| {
            name.as_ref().map(|name| self.network.find_host(name, key, report))
        };
        let (from, to) = (named(&flow.from, &from_key, report), named(&flow.to, &to_key, report));
        let from = match (from, to) {
            (Some(from), _) => from?,
            (None, Some(to)) if self.network.hosts.len() == 2 => other(to?)?,
            (None, _) => ends?[0],
        };
        let to = match to {
            Some(to) => to?,
            None => other(from).or_else(|| {
                if !report.is_doubtful(&KeyPath::root().key("paths")) {
                    let example = "to = \"server\"".to_owned();
                    report.fault(&to_key, Problem::Missing { key: "to".into(), example });
                }
                None
            })?,
        };
        if from == to {
            report.invalid(&to_key, "a host has no connection to itself", "name another host");
            return None;
        }
        Some((from, to))
    }

    /// The addresses of the first subflow: those named, or those of the first path that fits.
    fn first_subflow(
        &self,
        flow: &Flow,
        from: HostId,
        to: HostId,
        key: &KeyPath,
        report: &mut Report,
    ) -> Option<(IpAddr, IpAddr)> {
        let source = self.named_addresses(&flow.source, from, &key.key("source"), report)?;
        let destination =
            self.named_addresses(&flow.destination, to, &key.key("destination"), report)?;
        let by_path = &self.routes;
        let fits = |a, b| source.contains(&a) && destination.contains(&b);
        let own = |route: &&&Route| self.joins(route);
        let found = by_path.iter().filter(own).chain(by_path.iter().filter(|route| !own(route)));
        let found = found.clone().find_map(|route| {
            match (fits(route.a, route.b), fits(route.b, route.a)) {
                (true, _) => Some((route.a, route.b)),
                (_, true) => Some((route.b, route.a)),
                _ => None,
            }
        });
        if found.is_none() && !report.is_doubtful(&KeyPath::root().key("paths")) {
            let name = |host: HostId| self.network.hosts.get(host.0).map_or("", |host| &host.name);
            let what = format!("no path leads from {} to {}", name(from), name(to));
            let help = "add a `[[paths]]` that joins them, or name other addresses";
            report.invalid(key, what, help);
        }
        found
    }

    /// Whether the addresses of a route are those of its path's own interfaces.
    fn joins(&self, route: &Route) -> bool {
        let Some(path) = self.paths.get(route.path.0) else { return false };
        let [a, b] = path.ends;
        self.network.addresses(a).contains(&route.a) && self.network.addresses(b).contains(&route.b)
    }

    /// The addresses that an interface or an address names; without a name all of the host.
    fn named_addresses(
        &self,
        name: &Option<String>,
        host: HostId,
        key: &KeyPath,
        report: &mut Report,
    ) -> Option<Vec<IpAddr>> {
        let all = self.network.all_addresses(host).collect::<Vec<_>>();
        let Some(name) = name else { return Some(all) };
        match name.parse::<IpAddr>() {
            Ok(address) if all.contains(&address) => Some(vec![address]),
            Ok(address) => {
                let host = self.network.hosts.get(host.0).map_or("", |host| &host.name);
                let known = all.iter().map(IpAddr::to_string);
                let what = format!("address of {host}");
                report.fault(key, Problem::unknown(&what, &address.to_string(), known));
                None
            }
            Err(_) => {
                let id: InterfaceId = self.network.find_interface(host, name, key, report)?;
                Some(self.network.addresses(id).to_vec())
            }
        }
    }
}

/// Each flow has a port of its own, so that the server knows what to do with a connection.
fn default_port(flow: usize) -> u16 {
    u16::try_from(flow).ok().and_then(|flow| FIRST_PORT.checked_add(flow)).unwrap_or(u16::MAX)
}

fn check_app(app: &App, key: &KeyPath, report: &mut Report) {
    let mut bytes = |field: &str, bytes: Bytes| {
        let key = key.key(field);
        if bytes == Bytes::ZERO {
            report.invalid(&key, "nothing would be sent", "write at least `1 B`");
        } else if bytes > MAX_BYTES {
            report.invalid(
                &key,
                format!("{bytes} are too many"),
                format!("write at most {MAX_BYTES}"),
            );
        }
    };
    match app {
        App::Bulk { bytes: count, .. } => bytes("bytes", *count),
        App::Request { request_bytes, response_bytes, .. } => {
            bytes("request_bytes", *request_bytes);
            bytes("response_bytes", *response_bytes);
        }
        App::Timed { duration, .. } if duration.is_zero() => {
            let help = "write for example `duration = \"10 s\"`";
            report.invalid(&key.key("duration"), "a transfer of no length", help);
        }
        App::Timed { .. } => {}
    }
}

fn check_buffer(buffer: Option<Bytes>, key: &KeyPath, report: &mut Report) {
    let Some(bytes) = buffer else { return };
    if bytes == Bytes::ZERO || bytes > MAX_BUFFER {
        let help = format!("write a size from 1 B to {MAX_BUFFER}, for example `256 KiB`");
        report.invalid(key, format!("a buffer of {bytes}"), help);
    }
}
