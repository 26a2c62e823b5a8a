//! Paths join interfaces through links; routes say which path a pair of addresses uses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mptcpsim_models::path_manager::binder::{MAX_GATEWAYS, SourceRoute};

use super::Report;
use super::fault::Problem;
use super::key::KeyPath;
use super::network::{Network, path_name};
use crate::plan::{HostId, InterfaceId, PathId, PathPlan, Route, Station};
use crate::scenario::{Link, Path, Scenario};

/// The paths of a scenario; faulty ones are reported and left out.
pub(super) fn join(scenario: &Scenario, network: &Network, report: &mut Report) -> Vec<PathPlan> {
    let key = KeyPath::root().key("paths");
    if scenario.paths.is_empty() {
        let help = "add a table `[[paths]]`, for example with `rate` and `delay`";
        report.invalid(&key, "there is no path", help);
    }
    let mut paths = Vec::new();
    let mut names = BTreeMap::new();
    let mut joined = BTreeMap::new();
    for (index, path) in scenario.paths.iter().enumerate() {
        let key = key.index(index);
        if report.is_spoilt(&key.key("between")) || report.is_spoilt(&key.key("via")) {
            continue;
        }
        let ends = ends(path, index, network, &key, report);
        let via = via(path, index, network, &key, report);
        let (Some(ends), Some(via)) = (ends, via) else { continue };
        let name = path_name(path, index);
        if let Some(first) = names.insert(name.clone(), key.clone()) {
            let what = format!("the path name `{name}`");
            report.fault(&key.key("name"), Problem::Duplicate { what, first });
        }
        let relays = relays(path, &key, report);
        let [a, b] = ends;
        if let Some(first) = joined.insert((a.min(b), a.max(b), relays), key.clone()) {
            let what = "this pair of interfaces".to_owned();
            report.fault(&key.key("between"), Problem::Duplicate { what, first });
        }
        paths.push(PathPlan { name, ends, via, relays });
    }
    paths
}

/// The gateways that packets on a path must be sent through.
fn relays(path: &Path, key: &KeyPath, report: &mut Report) -> Option<SourceRoute> {
    let key = key.key("relays");
    let route = SourceRoute::new(&path.relays);
    if !path.relays.is_empty() && route.is_none() {
        let what = format!("{} gateways do not fit into an IP header", path.relays.len());
        report.invalid(&key, what, format!("write at most {MAX_GATEWAYS}"));
    } else if route.is_some() && path.between.is_none() {
        let help = "add `between` with the ends of the path that packets without gateways take";
        report.invalid(&key, "a path through gateways has no interfaces of its own", help);
    }
    route
}

/// The interfaces that a path joins.
fn ends(
    path: &Path,
    index: usize,
    network: &Network,
    key: &KeyPath,
    report: &mut Report,
) -> Option<[InterfaceId; 2]> {
    let Some(between) = &path.between else {
        let interface = path_name(path, index);
        let end = |host: &str, report: &mut Report| {
            network.find_interface(network.host(host)?, &interface, key, report)
        };
        return Some([end("client", report)?, end("server", report)?]);
    };
    let key = key.key("between");
    let [a, b] = [0, 1].map(|side| end(between.get(side)?, network, &key.index(side), report));
    let (a, b) = (a?, b?);
    if a.host == b.host {
        let help = "join interfaces of two hosts";
        report.invalid(&key, "the path leads from a host to itself", help);
        return None;
    }
    let families = |id| network.addresses(id).iter().map(IpAddr::is_ipv4).collect::<Vec<_>>();
    let shared = families(a).iter().any(|family| families(b).contains(family));
    if !shared && !report.is_doubtful(&KeyPath::root().key("hosts")) {
        let what = "one end has only IPv4 addresses and the other only IPv6";
        report.invalid(&key, what, "give both interfaces an address of the same kind");
        return None;
    }
    Some([a, b])
}

/// The interface that `host.interface` names.
fn end(text: &str, network: &Network, key: &KeyPath, report: &mut Report) -> Option<InterfaceId> {
    let Some((host, interface)) = text.split_once('.') else {
        let help = "write `host.interface`, for example `phone.wlan0`";
        report.invalid(key, format!("`{text}` names no interface"), help);
        return None;
    };
    let host = network.find_host(host, key, report)?;
    network.find_interface(host, interface, key, report)
}

/// What stands on a path.
fn via(
    path: &Path,
    index: usize,
    network: &Network,
    key: &KeyPath,
    report: &mut Report,
) -> Option<Vec<Station>> {
    let Some(names) = &path.via else { return short_form(path, index, network, key, report) };
    let key = key.key("via");
    if path.link != Link::default() {
        let help = "give the keys of the link in `[links.NAME]`, or leave out `via`";
        report.invalid(&key, "a path with `via` has no rate, delay or queue of its own", help);
        return None;
    }
    if !path.middleboxes.is_empty() {
        let help = "name the middleboxes in `via`, between the links";
        report.invalid(&key, "a path with `via` has no list of middleboxes beside it", help);
        return None;
    }
    if names.is_empty() {
        report.invalid(&key, "the path is empty", "name at least one link");
        return None;
    }
    let find =
        |name: &str, key: &KeyPath, report: &mut Report| network.find_station(name, key, report);
    let stations = stations(names, &key, report, find)?;
    if !stations.iter().any(|station| !matches!(station, Station::Middlebox(_))) {
        report.invalid(&key, "the path has no link", "name at least one link");
        return None;
    }
    Some(stations)
}

/// Middleboxes in front of the path's own link.
fn short_form(
    path: &Path,
    index: usize,
    network: &Network,
    key: &KeyPath,
    report: &mut Report,
) -> Option<Vec<Station>> {
    let find = |name: &str, key: &KeyPath, report: &mut Report| {
        network.find_middlebox(name, key, report).map(Station::Middlebox)
    };
    let mut via = stations(&path.middleboxes, &key.key("middleboxes"), report, find)?;
    via.push(Station::Link(network.link(&path_name(path, index))?));
    Some(via)
}

/// What `names` stand for; none may come twice.
fn stations(
    names: &[String],
    key: &KeyPath,
    report: &mut Report,
    find: impl Fn(&str, &KeyPath, &mut Report) -> Option<Station>,
) -> Option<Vec<Station>> {
    let mut stations = Vec::new();
    for (position, name) in names.iter().enumerate() {
        let key = key.index(position);
        let Some(station) = find(name, &key, report) else { continue };
        let again = |other: &Station| other.same(station);
        if stations.iter().any(again) {
            let what = format!("the path runs in a circle: it passes `{name}` twice");
            report.invalid(&key, what, "name each station once, in order from the first end");
        }
        stations.push(station);
    }
    (stations.len() == names.len()).then_some(stations)
}

/// The path of every pair of addresses that can reach each other.
pub(super) fn routes(network: &Network, paths: &[PathPlan]) -> Vec<Route> {
    let mut table = Table::default();
    let own = || paths.iter().enumerate().filter(|(_, path)| path.relays.is_none());
    for (index, path) in own() {
        let [a, b] = path.ends;
        table.add(PathId(index), network.addresses(a), network.addresses(b));
    }
    let everywhere = |host: HostId| network.all_addresses(host).collect::<Vec<_>>();
    for (index, path) in own() {
        let [a, b] = path.ends;
        table.add(PathId(index), network.addresses(a), &everywhere(b.host));
    }
    for (index, path) in own() {
        let [a, b] = path.ends;
        table.add(PathId(index), &everywhere(a.host), network.addresses(b));
    }
    table.0.into_values().collect()
}

/// Routes by the pair of addresses, the smaller one first.
#[derive(Default)]
struct Table(BTreeMap<(IpAddr, IpAddr), Route>);

impl Table {
    /// Routes all pairs of the same family over `path`, but for those that have a route.
    fn add(&mut self, path: PathId, from: &[IpAddr], to: &[IpAddr]) {
        for &a in from {
            for &b in to.iter().filter(|b| b.is_ipv4() == a.is_ipv4()) {
                self.0.entry((a.min(b), a.max(b))).or_insert(Route { a, b, path });
            }
        }
    }
}
