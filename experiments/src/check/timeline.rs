//! The timeline: what changes when.

use std::net::IpAddr;

use mptcpsim_core::capacity::Capacity as Model;
use mptcpsim_core::impair::Filter;
use mptcpsim_core::link::LinkChange;
use mptcpsim_core::time::{Span, Time};

use super::Report;
use super::hosts;
use super::key::KeyPath;
use super::links::{self, Side, check_delay, check_rate};
use super::network::Network;
use super::queues::{self, Product};
use crate::plan::{
    Change, EndpointPlan, HostId, HostPlan, LinkId, LinkPlan, PathPlan, TimedChange,
};
use crate::scenario::{
    Capacity, Coverage, Directions, EndpointChange, EndpointLimits, Interval, LinkSet, Multipath,
    Scenario, Stack, TimelineEntry,
};

/// The changes in order of time; those at the same time in the order written.
pub(super) fn check(
    scenario: &Scenario,
    network: &Network,
    paths: &[PathPlan],
    links: &[LinkPlan],
    hosts: &[HostPlan],
    report: &mut Report,
) -> Vec<TimedChange> {
    let root = KeyPath::root().key("timeline");
    let written = scenario.timeline.iter().enumerate();
    let written = written.map(|(index, entry)| (root.index(index), entry.clone()));
    let mut entries = written.chain(coverage(scenario, report)).collect::<Vec<_>>();
    entries.sort_by_key(|(_, entry)| entry.at);
    let mut endpoints = hosts.iter().map(|host| host.endpoints.clone()).collect::<Vec<_>>();
    let limits = hosts.iter().map(|host| (host.subflow_limit, host.add_addr_accepted));
    let mut limits = limits.collect::<Vec<_>>();
    let own = links.iter().map(|link| link.up.delays.longest() + link.down.delays.longest());
    let round_trips = links::longest_round_trips(&own.collect::<Vec<_>>(), paths);
    let round_trips = round_trips.as_slice();
    let mut changes = Vec::new();
    for (key, entry) in entries {
        let at = Time::ZERO + entry.at;
        let (endpoints, limits) = (&mut endpoints, &mut limits);
        let mut checker = Checker { network, round_trips, endpoints, limits, key: &key, report };
        changes.extend(checker.entry(&entry).into_iter().map(|change| TimedChange { at, change }));
    }
    changes
}

/// What coverage comes to: a link or an interface is down but for its intervals.
fn coverage(scenario: &Scenario, report: &mut Report) -> Vec<(KeyPath, TimelineEntry)> {
    let root = KeyPath::root().key("coverage");
    let mut entries = Vec::new();
    for (index, coverage) in scenario.coverage.iter().enumerate() {
        let key = root.index(index);
        let Coverage { link, host, interface, intervals } = coverage;
        if link.is_some() == host.is_some() || host.is_some() != interface.is_some() {
            let what = "coverage is that of a link, or of an interface of a host";
            report.invalid(&key, what, "write `link`, or `host` and `interface`");
            continue;
        }
        check_intervals(intervals, &key.key("intervals"), report);
        let turned = |at, up| {
            let set = link.is_some().then(|| LinkSet { up: Some(up), ..LinkSet::default() });
            let (link, host, interface) = (link.clone(), host.clone(), interface.clone());
            let up = host.is_some().then_some(up);
            TimelineEntry { link, set, host, interface, up, ..TimelineEntry::nothing(at) }
        };
        let mut add = |at, up| entries.push((key.clone(), turned(at, up)));
        if intervals.first().is_some_and(|first| !first.from.is_zero()) {
            add(Span::ZERO, false);
        }
        for interval in intervals {
            if !interval.from.is_zero() {
                add(interval.from, true);
            }
            if let Some(to) = interval.to {
                add(to, false);
            }
        }
    }
    entries
}

fn check_intervals(intervals: &[Interval], key: &KeyPath, report: &mut Report) {
    if intervals.is_empty() {
        report.invalid(key, "there is never coverage", "write for example `[\"0 s..12 s\"]`");
    }
    for (index, pair) in intervals.windows(2).enumerate() {
        let [before, after] = pair else { continue };
        if before.to.is_none_or(|end| after.from <= end) {
            let what = format!("`{after}` does not begin after `{before}` has ended");
            report.invalid(&key.index(index + 1), what, "write intervals in order of time");
        }
    }
}

struct Checker<'a> {
    network: &'a Network,
    /// The longest round trip through each link.
    round_trips: &'a [Span],
    /// The endpoints of each host at the time of the entry.
    endpoints: &'a mut [Vec<EndpointPlan>],
    /// The limits of each host at that time.
    limits: &'a mut [(u8, u8)],
    key: &'a KeyPath,
    report: &'a mut Report,
}

impl Checker<'_> {
    fn entry(&mut self, entry: &TimelineEntry) -> Vec<Change> {
        match entry {
            TimelineEntry {
                link: Some(link),
                set: Some(set),
                host: None,
                endpoint: None,
                interface: None,
                up: None,
                limits: None,
                multipath: None,
                ..
            } => self.link(link, entry.direction.unwrap_or_default(), set),
            TimelineEntry {
                host: Some(host),
                endpoint: Some(change),
                link: None,
                direction: None,
                set: None,
                interface: None,
                up: None,
                limits: None,
                multipath: None,
                ..
            } => self.endpoint(host, change).into_iter().collect(),
            TimelineEntry {
                host: Some(host),
                interface: Some(interface),
                up: Some(up),
                link: None,
                direction: None,
                set: None,
                endpoint: None,
                limits: None,
                multipath: None,
                ..
            } => self.interface(host, interface, *up).into_iter().collect(),
            TimelineEntry {
                host: Some(host),
                interface: Some(interface),
                multipath: Some(multipath),
                link: None,
                direction: None,
                set: None,
                endpoint: None,
                limits: None,
                up: None,
                ..
            } => self.multipath(host, interface, *multipath).into_iter().collect(),
            TimelineEntry {
                host: Some(host),
                limits: Some(limits),
                link: None,
                direction: None,
                set: None,
                endpoint: None,
                interface: None,
                up: None,
                multipath: None,
                ..
            } => self.limits(host, *limits).into_iter().collect(),
            _ => {
                let what = "the entry is no change of a link and none of a host";
                let help = "write `link` and `set`; or `host` and `endpoint` or `limits`; or `host`, `interface` and `up` or `multipath`";
                self.report.invalid(self.key, what, help);
                Vec::new()
            }
        }
    }

    fn link(&mut self, name: &str, direction: Directions, set: &LinkSet) -> Vec<Change> {
        let Some(link) = self.network.find_link(name, &self.key.key("link"), self.report) else {
            return Vec::new();
        };
        if *set == LinkSet::default() {
            let help = "write for example `set = { up = false }`";
            self.report.invalid(&self.key.key("set"), "nothing changes", help);
        }
        let upwards = match direction {
            Directions::Both => [true, false].as_slice(),
            Directions::Up => &[true],
            Directions::Down => &[false],
        };
        upwards.iter().map(|&upwards| self.one_direction(link, upwards, set)).collect()
    }

    fn one_direction(&mut self, link: LinkId, upwards: bool, set: &LinkSet) -> Change {
        let key = self.key.key("set");
        let side = if upwards { "up" } else { "down" };
        let limit = set.limit.map(|limit| {
            let product = self.product(link, upwards, set);
            queues::room(limit, product, &key.key("limit"), self.report)
        });
        let loss = set.loss.as_ref();
        let loss = loss.and_then(|loss| links::loss_in(side, loss, &key.key("loss"), self.report));
        let model = loss.as_ref().map(links::loss_model);
        if let Some((_, filter)) = model
            && filter != self.filter(link, upwards)
        {
            let what = "a change of loss keeps the filter of the link";
            let help =
                "give the link itself a loss with this filter, of probability `0 %` if need be";
            self.report.invalid(&key.key("loss").key("filter"), what, help);
        }
        let rate = set.rate.map(|rate| check_rate(rate, &key.key("rate"), self.report));
        let set = LinkChange {
            up: set.up,
            capacity: rate.map(Model::Fixed),
            delay: set.delay.map(|delay| check_delay(delay, &key.key("delay"), self.report)),
            loss: model.map(|(loss, _)| loss),
            limit,
        };
        Change::Link { link, upwards, set }
    }

    /// Which packets the loss of a direction looks at.
    fn filter(&self, link: LinkId, upwards: bool) -> Filter {
        let side = self.side(link, upwards);
        let loss = side.and_then(|side| side.get("loss", |way| way.loss.as_ref()));
        loss.map_or(Filter::All, |(loss, _)| links::loss_model(loss).1)
    }

    fn side(&self, link: LinkId, upwards: bool) -> Option<Side<'_>> {
        self.network.links.get(link.0).map(if upwards { Side::up } else { Side::down })
    }

    /// What "BDP" means for a link once `set` holds.
    fn product(&self, link: LinkId, upwards: bool, set: &LinkSet) -> Product {
        let side = self.side(link, upwards);
        let fixed = side.and_then(|side| side.get("rate", |way| way.rate.as_ref()));
        let fixed = fixed.and_then(|(capacity, _)| match capacity {
            Capacity::Fixed(rate) => Some(*rate),
            _ => None,
        });
        Product {
            rate: set.rate.or(fixed).unwrap_or_default(),
            round_trip: self.round_trips.get(link.0).copied().unwrap_or_default(),
        }
    }

    fn interface(&mut self, host: &str, interface: &str, up: bool) -> Option<Change> {
        let host = self.host(host)?;
        let key = self.key.key("interface");
        let interface = self.network.find_interface(host, interface, &key, self.report)?;
        Some(Change::Interface { interface, up })
    }

    fn multipath(&mut self, host: &str, interface: &str, multipath: Multipath) -> Option<Change> {
        let host = self.host(host)?;
        if hosts::declared(self.network, host)?.host.stack != Stack::OutOfTree {
            let what = "only hosts with `stack = \"out-of-tree\"` have this";
            let help = "change the flags of an endpoint instead";
            self.report.invalid(&self.key.key("multipath"), what, help);
        }
        let key = self.key.key("interface");
        let interface = self.network.find_interface(host, interface, &key, self.report)?;
        Some(Change::Multipath { interface, multipath })
    }

    fn limits(&mut self, host: &str, limits: EndpointLimits) -> Option<Change> {
        let host = self.host(host)?;
        let known = self.limits.get_mut(host.0)?;
        known.0 = limits.subflows.unwrap_or(known.0);
        known.1 = limits.add_addr_accepted.unwrap_or(known.1);
        Some(Change::SetLimits(host, known.0, known.1))
    }

    fn endpoint(&mut self, host: &str, change: &EndpointChange) -> Option<Change> {
        let host = self.host(host)?;
        let declared = hosts::declared(self.network, host)?;
        let key = self.key.key("endpoint");
        match change {
            EndpointChange::Add { endpoint } => {
                let others = self.endpoints.get_mut(host.0)?;
                let endpoint = hosts::endpoint(endpoint, declared, others, &key, self.report)?;
                others.push(endpoint.clone());
                Some(Change::SetEndpoint(host, endpoint))
            }
            EndpointChange::Remove { id: Some(0), interface: None, address: None } => {
                Some(Change::RemoveEndpoint(host, 0))
            }
            EndpointChange::Remove { id, interface, address } => {
                let position = self.find(host, *id, interface, *address)?;
                let gone = self.endpoints.get_mut(host.0)?.remove(position);
                Some(Change::RemoveEndpoint(host, gone.id))
            }
            EndpointChange::Change { id, interface, address, flags } => {
                let flags = flags.iter().copied().collect();
                hosts::check_flags(&flags, &key, self.report);
                let position = self.find(host, *id, interface, *address)?;
                let endpoint = self.endpoints.get_mut(host.0)?.get_mut(position)?;
                endpoint.flags = flags;
                Some(Change::SetEndpoint(host, endpoint.clone()))
            }
        }
    }

    /// Which of the host's endpoints is named.
    fn find(
        &mut self,
        host: HostId,
        id: Option<u8>,
        interface: &Option<String>,
        address: Option<IpAddr>,
    ) -> Option<usize> {
        let declared = hosts::declared(self.network, host)?;
        let key = self.key.key("endpoint");
        if id.is_some() && (interface.is_some() || address.is_some()) {
            let help = "name it by `id`, by `interface` or by `address`";
            self.report.invalid(&key, "the endpoint is named twice", help);
            return None;
        }
        let address = match id {
            Some(_) => None,
            None => Some(hosts::address(interface, address, declared, &key, self.report)?),
        };
        let endpoints = self.endpoints.get(host.0)?;
        let named =
            |endpoint: &EndpointPlan| id == Some(endpoint.id) || address == Some(endpoint.address);
        let found = endpoints.iter().position(named);
        if found.is_none() {
            let known =
                endpoints.iter().map(|endpoint| format!("{} ({})", endpoint.id, endpoint.address));
            let known = known.collect::<Vec<_>>().join(", ");
            let what = format!("{} has no such endpoint at this time", declared.name);
            let help =
                if known.is_empty() { "it has none".to_owned() } else { format!("it has {known}") };
            self.report.invalid(&key, what, help);
        }
        found
    }

    fn host(&mut self, name: &str) -> Option<HostId> {
        self.network.find_host(name, &self.key.key("host"), self.report)
    }
}
