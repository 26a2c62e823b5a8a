//! The scenario of a plan with nothing left to guess: what a run writes beside its results.

use std::collections::BTreeMap;

use super::{DirectionPlan, EndpointPlan, FlowPlan, HostPlan, LinkPlan, PathPlan, Plan, Station};
use crate::check::default_port;
use crate::scenario::{
    Addresses, App, Capacity, Delay, Endpoint, EndpointLimits, Flow, Host, HostMptcp, Link, OneWay,
    Path, Record, Scenario, Table,
};
use crate::shipped;

impl Plan {
    /// The scenario in its long form with every default written out. Running it gives the same run again.
    ///
    /// It names the files of [`Plan::traces`]: whoever writes the scenario writes them beside it.
    pub fn resolved(&self) -> Scenario {
        Scenario {
            name: Some(self.name.clone()),
            duration: Some(self.duration),
            seed: Some(self.seed),
            topology: None,
            traffic: None,
            links: self.links.iter().map(|link| (link.name.clone(), self.link(link))).collect(),
            middleboxes: self.scenario.middleboxes.clone(),
            hosts: self.hosts.iter().map(|host| (host.name.clone(), self.host(host))).collect(),
            paths: self.paths.iter().map(|path| self.path(path)).collect(),
            flows: self.declared_flows(),
            timeline: self.scenario.timeline.clone(),
            coverage: self.scenario.coverage.clone(),
            record: Record {
                interval: Some(self.record.interval),
                tables: Some(self.record.tables.clone()),
                options: self.record.options,
                sequence: self.record.tables.contains(&Table::Sequence),
                pcap: self.record.pcap,
                snap_length: Some(self.record.snap_length),
                ss: self.record.ss,
                ss_at: self
                    .record
                    .ss_at
                    .iter()
                    .map(|at| *at - mptcpsim_core::time::Time::ZERO)
                    .collect(),
                nstat: self.record.nstat,
            },
            sweep: None,
        }
    }

    /// The names of the files that the resolved scenario refers to, with their text. What comes with mptcpsim
    /// keeps its name and is not among them.
    pub fn traces(&self) -> Vec<(String, &str)> {
        let directions =
            self.links.iter().flat_map(|link| [(link, "up", &link.up), (link, "down", &link.down)]);
        let traces = directions.flat_map(|(link, name, plan)| {
            let rate = plan.files.rate.as_deref().map(|text| (rate_name(link, name, plan), text));
            let delay =
                plan.files.delay.as_deref().map(|text| (delay_name(link, name, plan), text));
            rate.into_iter().chain(delay)
        });
        let recordings = self.recordings.iter();
        let recordings = recordings.map(|(flow, text)| (self.recording_name(*flow), text.as_str()));
        traces.chain(recordings).filter(|(_, text)| shipped::name_of(text).is_none()).collect()
    }

    fn link(&self, link: &LinkPlan) -> Link {
        let (up, down) = (one_way(&link.up, link, "up"), one_way(&link.down, link, "down"));
        if up == down {
            Link { both: up, ..Link::default() }
        } else {
            Link { up: Some(up), down: Some(down), ..Link::default() }
        }
    }

    fn host(&self, host: &HostPlan) -> Host {
        let declared = self.scenario.hosts.get(&host.name);
        let addresses = host.interfaces.iter().map(|interface| {
            let addresses = match interface.addresses.as_slice() {
                [only] => Addresses::One(*only),
                several => Addresses::Many(several.to_vec()),
            };
            (interface.name.clone(), addresses)
        });
        Host {
            stack: declared.map(|declared| declared.stack).unwrap_or_default(),
            addresses: addresses.collect(),
            sysctl: declared.map_or_else(BTreeMap::new, |declared| declared.sysctl.clone()),
            module_parameters: declared
                .map_or_else(BTreeMap::new, |declared| declared.module_parameters.clone()),
            route: host.route,
            mptcpd: host.mptcpd.clone(),
            radios: declared.map_or_else(BTreeMap::new, |declared| declared.radios.clone()),
            mptcp: Some(HostMptcp {
                endpoints: Some(host.endpoints.iter().map(endpoint).collect()),
                limits: EndpointLimits {
                    subflows: Some(host.subflow_limit),
                    add_addr_accepted: Some(host.add_addr_accepted),
                },
                multipath: declared
                    .and_then(|declared| declared.mptcp.as_ref())
                    .map_or_else(BTreeMap::new, |mptcp| mptcp.multipath.clone()),
            }),
        }
    }

    fn path(&self, path: &PathPlan) -> Path {
        let between = path.ends.map(|end| {
            let host = &self.hosts[end.host.0];
            format!("{}.{}", host.name, host.interfaces[end.interface].name)
        });
        let via = path.via.iter().map(|station| match station {
            Station::Link(link) => self.links[link.0].name.clone(),
            Station::Reversed(link) => format!("{}.down", self.links[link.0].name),
            Station::Middlebox(id) => self.middleboxes[id.0].name.clone(),
        });
        Path {
            // A name made of those of the stations is made again; it is none that can be given.
            name: Some(path.name.clone()).filter(|name| !name.contains('+')),
            between: Some(between),
            via: Some(via.collect()),
            middleboxes: Vec::new(),
            relays: path.relays.iter().flat_map(|route| route.gateways()).copied().collect(),
            link: Link::default(),
        }
    }

    /// The flows as written, with names, hosts and addresses filled in. Repeated ones stay one entry.
    fn declared_flows(&self) -> Vec<Flow> {
        let declared = self.scenario.flows.iter().enumerate();
        let flows = declared.map_while(|(index, flow)| {
            let first = self.flows.iter().find(|plan| plan.declared == index)?;
            Some(self.flow(flow, index, first))
        });
        flows.collect()
    }

    fn flow(&self, flow: &Flow, index: usize, plan: &FlowPlan) -> Flow {
        let mut flow = flow.clone();
        if let App::Trace { file, .. } = &mut flow.app {
            *file = self.recording_name(index);
        }
        if let Some(file) = flow.repeat.as_mut().and_then(|repeat| repeat.file.as_mut()) {
            *file = self.recording_name(index);
        }
        Flow {
            name: flow.name.clone().or_else(|| Some(format!("flow{}", index + 1))),
            from: Some(self.hosts[plan.from.host.0].name.clone()),
            to: Some(self.hosts[plan.to.host.0].name.clone()),
            start: Some(flow.start.unwrap_or_default()),
            source: Some(plan.from.address.to_string()),
            destination: Some(plan.to.address.to_string()),
            // Connections that differ have ports of their own, which are found again.
            port: Some(flow.port.unwrap_or_else(|| default_port(index))),
            ..flow
        }
    }

    /// The name of what a flow replays.
    fn recording_name(&self, flow: usize) -> String {
        let text = self.recordings.get(&flow).map(String::as_str);
        file_name(text, || format!("traces/flow{}.csv", flow + 1))
    }
}

/// The name of a file with this text: its own, or another one that is unique and relative to the scenario.
fn file_name(text: Option<&str>, other: impl FnOnce() -> String) -> String {
    text.and_then(shipped::name_of).map_or_else(other, str::to_owned)
}

/// The name of the file with the rate of one direction.
fn rate_name(link: &LinkPlan, direction: &str, plan: &DirectionPlan) -> String {
    file_name(plan.files.rate.as_deref(), || match plan.described.rate {
        Some(Capacity::Series { .. }) => format!("traces/{}-{direction}-rate.csv", link.name),
        _ => format!("traces/{}-{direction}.trace", link.name),
    })
}

/// The same for its delay.
fn delay_name(link: &LinkPlan, direction: &str, plan: &DirectionPlan) -> String {
    let text = plan.files.delay.as_deref();
    file_name(text, || format!("traces/{}-{direction}-delay.csv", link.name))
}

fn one_way(plan: &DirectionPlan, link: &LinkPlan, direction: &str) -> OneWay {
    let mut described = plan.described.clone();
    if let Some(Capacity::Trace { trace: file } | Capacity::Series { series: file, .. }) =
        &mut described.rate
    {
        *file = rate_name(link, direction, plan);
    }
    if let Some(Delay::Series { series, .. }) = &mut described.delay {
        *series = delay_name(link, direction, plan);
    }
    described
}

fn endpoint(plan: &EndpointPlan) -> Endpoint {
    Endpoint {
        interface: None,
        address: Some(plan.address),
        flags: plan.flags.iter().copied().collect(),
        id: Some(plan.id),
        port: plan.port,
    }
}
