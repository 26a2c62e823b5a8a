//! Flows: who opens a connection to whom, from which address, and what runs over it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use mptcpsim_core::rng::{Seed, Stream};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Bytes;
use mptcpsim_models::wire::Md5Key;
use mptcpsim_models::{congestion, path_manager, scheduler};

use super::Report;
use super::algorithms;
use super::fault::Problem;
use super::key::KeyPath;
use super::network::{Network, check_name};
use super::workloads::{self, Part, Recording};
use crate::plan::{
    Algorithm, FlowEnd, FlowPlan, HostId, HostPlan, InterfaceId, PathPlan, Route, Work,
};
use crate::scenario::{App, Flow, Repeat, Scenario};

/// The port that servers of measurement tools such as iperf listen on.
const FIRST_PORT: u16 = 5_001;
/// The largest buffer that a socket option can ask for.
const MAX_BUFFER: Bytes = Bytes::new(i32::MAX as u64);
/// More connections than fit into memory.
const MAX_FLOWS: u64 = 1_000_000;
/// From here on are the ports of connections that a server must tell apart.
const FIRST_OWN_PORT: u16 = 10_000;

/// A flow whose hosts are found, and where it was written.
pub(super) struct Draft {
    /// Which of the scenario's flows.
    pub(super) declared: usize,
    pub(super) key: KeyPath,
    pub(super) plan: FlowPlan,
    /// What its application replays, or when connections arrive and what they carry.
    recording: Option<Recording>,
    /// When each repetition starts, from the start of the first.
    starts: Vec<Span>,
}

/// The flows of a scenario; faulty ones are reported and left out.
pub(super) fn check(
    scenario: &Scenario,
    network: &Network,
    paths: &[PathPlan],
    routes: &[Route],
    folder: Option<&Path>,
    report: &mut Report,
) -> Vec<Draft> {
    let key = KeyPath::root().key("flows");
    if scenario.flows.is_empty() {
        let help = "add a table `[[flows]]`, for example with `app = { kind = \"bulk\", bytes = \"20 MB\" }`";
        report.invalid(&key, "there is no flow", help);
    }
    let mut by_path = routes.iter().collect::<Vec<_>>();
    by_path.sort_by_key(|route| route.path);
    let seed = seed(scenario);
    let checker = Checker { network, paths, routes: by_path, folder, seed };
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
    let count = |draft: &Draft| {
        draft.starts.len() as u64 * u64::from(workloads::connections(&draft.plan.app))
    };
    let total: u64 = drafts.iter().map(count).sum();
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
    let mut ports = Ports::of(&drafts);
    for draft in drafts {
        let mut plan = draft.plan.clone();
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
        draft.connections(&plan, seed(scenario), &mut ports, &mut flows);
    }
    if ports.exhausted {
        let what = "there are more connections of sizes of their own than ports";
        let help = "let fewer flows draw what they send";
        report.invalid(&KeyPath::root().key("flows"), what, help);
    }
    flows
}

impl Draft {
    /// The connections of the flow, one by one.
    fn connections(
        &self,
        plan: &FlowPlan,
        seed: Seed,
        ports: &mut Ports,
        flows: &mut Vec<FlowPlan>,
    ) {
        let of = workloads::connections(&plan.app);
        let several = self.starts.len() > 1 || of > 1;
        for (repetition, after) in self.starts.iter().enumerate() {
            for number in 0..of {
                let mut plan = plan.clone();
                plan.start += *after;
                if several {
                    let count = repetition * of as usize + number as usize + 1;
                    plan.name = format!("{}-{count}", plan.name);
                    if workloads::differs(&plan.app) || self.recording.is_some() {
                        plan.port = ports.next();
                    }
                }
                let (part, recording) = (Part { number, of }, self.recording.as_ref());
                plan.work =
                    workloads::work(&plan.app, &plan.name, part, plan.start, recording, seed);
                let arrival = recording.and_then(|it| it.values.get(repetition));
                if let (Work::Bulk { bytes, .. }, Some((_, arrived))) = (&mut plan.work, arrival) {
                    *bytes = *arrived;
                }
                flows.push(plan);
            }
        }
    }

    /// The text of what its application replays.
    pub(super) fn recording(&self) -> Option<&str> {
        self.recording.as_ref().map(|recording| recording.text.as_str())
    }
}

/// Ports of connections that have one of their own though their flow has several.
struct Ports {
    taken: BTreeSet<u16>,
    next: u16,
    exhausted: bool,
}

impl Ports {
    fn of(drafts: &[Draft]) -> Self {
        let taken = drafts.iter().map(|draft| draft.plan.port).collect();
        Self { taken, next: FIRST_OWN_PORT, exhausted: false }
    }

    fn next(&mut self) -> u16 {
        while self.taken.contains(&self.next) && self.next < u16::MAX {
            self.next += 1;
        }
        let port = self.next;
        self.exhausted |= port == u16::MAX;
        self.next = self.next.saturating_add(1);
        port
    }
}

/// The seed of every random stream.
pub(super) fn seed(scenario: &Scenario) -> Seed {
    Seed(scenario.seed.unwrap_or(1))
}

struct Checker<'a> {
    network: &'a Network,
    paths: &'a [PathPlan],
    /// In the order of their paths.
    routes: Vec<&'a Route>,
    folder: Option<&'a Path>,
    seed: Seed,
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
        let (app_key, faults) = (key.key("app"), report.faults.len());
        workloads::check(&flow.app, &app_key, report);
        let arrivals = flow.repeat.as_ref().and_then(|repeat| repeat.file.as_ref());
        let recording = match arrivals {
            Some(file) => {
                let key = key.key("repeat").key("file");
                workloads::read_file(file, self.folder, &key, report)
            }
            None => workloads::read(&flow.app, self.folder, &app_key, report),
        };
        for (field, buffer) in
            [("receive_buffer", flow.receive_buffer), ("send_buffer", flow.send_buffer)]
        {
            check_buffer(buffer, &key.key(field), report);
        }
        let md5_key = check_md5_key(flow.md5_key.as_deref(), &key.key("md5_key"), report);
        let (from, to) = self.hosts(flow, key, report)?;
        let (source, destination) = self.first_subflow(flow, from, to, key, report)?;
        let end = |host, address, protocol| FlowEnd {
            host,
            address,
            protocol,
            congestion_control: Algorithm { name: congestion::Name::default(), params: Vec::new() },
            scheduler: Algorithm { name: scheduler::Name::default(), params: Vec::new() },
            path_manager: Algorithm { name: path_manager::Name::default(), params: Vec::new() },
            receive_buffer: flow.receive_buffer,
            send_buffer: flow.send_buffer,
            md5_key: md5_key.clone(),
            fast_open: flow.fast_open,
        };
        let plan = FlowPlan {
            declared,
            name,
            start: Time::ZERO + flow.start.unwrap_or_default(),
            from: end(from, source, flow.protocol),
            to: end(to, destination, flow.accepting_protocol.unwrap_or(flow.protocol)),
            port: flow.port.unwrap_or_else(|| default_port(declared)),
            reads_after: flow.reads_after.unwrap_or_default(),
            app: flow.app.clone(),
            work: Work::default(),
        };
        if let Some(repeat) = &flow.repeat {
            check_repeat(repeat, &flow.app, &key.key("repeat"), report);
        }
        // What is faulty must not be drawn from.
        let starts = match &flow.repeat {
            _ if report.faults.len() > faults => Vec::new(),
            Some(repeat) => self.starts(repeat, recording.as_ref(), &plan.name),
            None => vec![Span::ZERO],
        };
        Some(Draft { declared, key: key.clone(), plan, recording, starts })
    }

    /// When the repetitions of a flow start.
    fn starts(&self, repeat: &Repeat, recording: Option<&Recording>, name: &str) -> Vec<Span> {
        if !repeat.at.is_empty() {
            return repeat.at.clone();
        }
        if let (Some(_), Some(arrivals)) = (&repeat.file, recording) {
            return arrivals.values.iter().map(|(at, _)| *at).collect();
        }
        let mut dice = Stream::new(self.seed, &format!("flow.{name}.starts"));
        let mut at = Span::ZERO;
        let next = || {
            let start = at;
            at += repeat.every.draw(&mut dice);
            start
        };
        std::iter::repeat_with(next).take(repeat.times.unwrap_or(0) as usize).collect()
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
pub(crate) fn default_port(flow: usize) -> u16 {
    u16::try_from(flow).ok().and_then(|flow| FIRST_PORT.checked_add(flow)).unwrap_or(u16::MAX)
}

fn check_repeat(repeat: &Repeat, app: &App, key: &KeyPath, report: &mut Report) {
    workloads::check_times(&repeat.every, &key.key("every"), report);
    let Repeat { times, at, file, .. } = repeat;
    match times {
        Some(times) if !at.is_empty() && at.len() != *times as usize => {
            let what = format!("{} times for {times} connections", at.len());
            report.invalid(&key.key("at"), what, "leave `times` out");
        }
        None if at.is_empty() && file.is_none() => {
            let example = "times = 10".to_owned();
            report.fault(&key.key("times"), Problem::Missing { key: "times".into(), example });
        }
        _ => {}
    }
    if file.is_some() && (times.is_some() || !at.is_empty()) {
        let what = "the file says how many connections there are, and when";
        report.invalid(&key.key("file"), what, "leave `times` and `at` out");
    }
    if file.is_some() && !matches!(app, App::Bulk { .. }) {
        let what = "the file says what is sent, which only the application `bulk` is told";
        report.invalid(
            &key.key("file"),
            what,
            "write `app = { kind = \"bulk\", bytes = \"1 B\" }`",
        );
    }
}

fn check_buffer(buffer: Option<Bytes>, key: &KeyPath, report: &mut Report) {
    let Some(bytes) = buffer else { return };
    if bytes == Bytes::ZERO || bytes > MAX_BUFFER {
        let help = format!("write a size from 1 B to {MAX_BUFFER}, for example `256 KiB`");
        report.invalid(key, format!("a buffer of {bytes}"), help);
    }
}

fn check_md5_key(text: Option<&str>, key: &KeyPath, report: &mut Report) -> Option<Md5Key> {
    let text = text?;
    let found = Md5Key::new(text.as_bytes());
    if found.is_none() {
        let help = format!("write 1 to {} bytes", Md5Key::MAX_LEN);
        report.invalid(key, format!("a key of {} bytes", text.len()), help);
    }
    found
}
