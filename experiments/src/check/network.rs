//! Which links, hosts and interfaces there are, from the long form and the short one.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::Report;
use super::fault::Problem;
use super::key::KeyPath;
use crate::plan::{
    HostId, InterfaceId, InterfacePlan, LinkId, MiddleboxId, MiddleboxPlan, Station,
};
use crate::scenario::{Host, Link, Path, Scenario};

/// The hosts that paths without `between` join.
const SHORT_FORM_HOSTS: [&str; 2] = ["client", "server"];
/// Names become parts of file names and columns.
const MAX_NAME: usize = 40;

/// Everything that can be referred to by name.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) links: Vec<DeclaredLink>,
    pub(super) middleboxes: Vec<MiddleboxPlan>,
    pub(super) hosts: Vec<DeclaredHost>,
    /// The numbers of links and hosts by name.
    links_by_name: BTreeMap<String, usize>,
    hosts_by_name: BTreeMap<String, usize>,
}

/// A link and where it was written.
#[derive(Debug)]
pub(super) struct DeclaredLink {
    pub(super) name: String,
    pub(super) key: KeyPath,
    pub(super) link: Link,
}

/// A host and where it was written.
#[derive(Debug)]
pub(super) struct DeclaredHost {
    pub(super) name: String,
    pub(super) key: KeyPath,
    pub(super) host: Host,
    pub(super) interfaces: Vec<InterfacePlan>,
}

/// Collects what the scenario declares; faulty names and addresses are reported.
pub(super) fn declare(scenario: &Scenario, report: &mut Report) -> Network {
    let mut network = Network::default();
    network.declare_links(scenario, report);
    network.declare_middleboxes(scenario, report);
    network.declare_hosts(scenario, report);
    network.declare_short_form_hosts(scenario, report);
    network.order_interfaces(scenario);
    network.check_addresses(report);
    network
}

/// The name of a path: its own, that of its links, or its number.
pub(super) fn path_name(path: &Path, index: usize) -> String {
    let given = path.name.clone();
    let links = || path.via.as_ref().filter(|via| !via.is_empty()).map(|via| via.join("+"));
    given.or_else(links).unwrap_or_else(|| format!("path{}", index + 1))
}

/// Reports a name that cannot be part of a file name, a column or a key path.
pub(super) fn check_name(what: &str, name: &str, key: &KeyPath, report: &mut Report) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(allowed) {
        let what = format!("`{}` cannot be the name of a {what}", name.escape_default());
        let help = format!("use 1 to {MAX_NAME} letters, digits, `-` and `_`");
        report.invalid(key, what, help);
    }
}

impl Network {
    /// The link called `name`.
    pub(super) fn link(&self, name: &str) -> Option<LinkId> {
        self.links_by_name.get(name).copied().map(LinkId)
    }

    /// The host called `name`.
    pub(super) fn host(&self, name: &str) -> Option<HostId> {
        self.hosts_by_name.get(name).copied().map(HostId)
    }

    /// The link called `name`, or a fault at `key`.
    pub(super) fn find_link(
        &self,
        name: &str,
        key: &KeyPath,
        report: &mut Report,
    ) -> Option<LinkId> {
        let found = self.link(name);
        if found.is_none() {
            let known = self.links.iter().map(|link| link.name.clone());
            report.fault(key, Problem::unknown("link", name, known));
        }
        found
    }

    /// The middlebox called `name`.
    pub(super) fn middlebox(&self, name: &str) -> Option<MiddleboxId> {
        self.middleboxes.iter().position(|it| it.name == name).map(MiddleboxId)
    }

    /// The middlebox called `name`, or a fault at `key`.
    pub(super) fn find_middlebox(
        &self,
        name: &str,
        key: &KeyPath,
        report: &mut Report,
    ) -> Option<MiddleboxId> {
        let found = self.middlebox(name);
        if found.is_none() {
            let known = self.middleboxes.iter().map(|it| it.name.clone());
            report.fault(key, Problem::unknown("middlebox", name, known));
        }
        found
    }

    /// The link or middlebox called `name`, or a fault at `key`.
    pub(super) fn find_station(
        &self,
        name: &str,
        key: &KeyPath,
        report: &mut Report,
    ) -> Option<Station> {
        let middlebox = self.middlebox(name).map(Station::Middlebox);
        let reversed = || self.link(name.strip_suffix(".down")?).map(Station::Reversed);
        let found = middlebox.or_else(|| self.link(name).map(Station::Link)).or_else(reversed);
        if found.is_none() {
            let links = self.links.iter().map(|link| link.name.clone());
            let known = links.chain(self.middleboxes.iter().map(|it| it.name.clone()));
            let kind = if self.middleboxes.is_empty() { "link" } else { "link or middlebox" };
            report.fault(key, Problem::unknown(kind, name, known));
        }
        found
    }

    /// The host called `name`, or a fault at `key`.
    pub(super) fn find_host(
        &self,
        name: &str,
        key: &KeyPath,
        report: &mut Report,
    ) -> Option<HostId> {
        let found = self.host(name);
        if found.is_none() {
            let known = self.hosts.iter().map(|host| host.name.clone());
            report.fault(key, Problem::unknown("host", name, known));
        }
        found
    }

    /// The interface of `host` called `name`, or a fault at `key`.
    pub(super) fn find_interface(
        &self,
        host: HostId,
        name: &str,
        key: &KeyPath,
        report: &mut Report,
    ) -> Option<InterfaceId> {
        let declared = self.hosts.get(host.0)?;
        let found = declared.interfaces.iter().position(|interface| interface.name == name);
        if found.is_none() && !report.is_doubtful(&declared.key.key("addresses")) {
            let what = format!("interface of {}", declared.name);
            let known = declared.interfaces.iter().map(|interface| interface.name.clone());
            report.fault(key, Problem::unknown(&what, name, known));
        }
        found.map(|interface| InterfaceId { host, interface })
    }

    /// The addresses of an interface.
    pub(super) fn addresses(&self, id: InterfaceId) -> &[IpAddr] {
        let host = self.hosts.get(id.host.0);
        let interface = host.and_then(|host| host.interfaces.get(id.interface));
        interface.map_or(&[], |interface| &interface.addresses)
    }

    /// All addresses of a host, by interface.
    pub(super) fn all_addresses(&self, host: HostId) -> impl Iterator<Item = IpAddr> + '_ {
        let host = self.hosts.get(host.0);
        let interfaces = host.into_iter().flat_map(|host| &host.interfaces);
        interfaces.flat_map(|interface| interface.addresses.iter().copied())
    }

    fn declare_links(&mut self, scenario: &Scenario, report: &mut Report) {
        let links = KeyPath::root().key("links");
        for (name, link) in &scenario.links {
            let key = links.key(name);
            check_name("link", name, &key, report);
            self.add_link(DeclaredLink { name: name.clone(), key, link: link.with_preset() });
        }
        let paths = KeyPath::root().key("paths");
        for (index, path) in scenario.paths.iter().enumerate() {
            let key = paths.index(index);
            if let Some(name) = &path.name {
                check_name("path", name, &key.key("name"), report);
            }
            if path.via.is_none() && !report.is_spoilt(&key.key("via")) {
                let name = path_name(path, index);
                if let Some(first) = self.link(&name).and_then(|id| self.links.get(id.0)) {
                    let what = format!("the link name `{name}`");
                    let first = first.key.clone();
                    report.fault(&key, Problem::Duplicate { what, first });
                }
                self.add_link(DeclaredLink { name, key, link: path.link.with_preset() });
            }
        }
    }

    fn declare_middleboxes(&mut self, scenario: &Scenario, report: &mut Report) {
        let middleboxes = KeyPath::root().key("middleboxes");
        for (name, middlebox) in &scenario.middleboxes {
            let key = middleboxes.key(name);
            check_name("middlebox", name, &key, report);
            if let Some(link) = self.link(name).and_then(|id| self.links.get(id.0)) {
                let what = format!("the name `{name}`");
                report.fault(&key, Problem::Duplicate { what, first: link.key.clone() });
            }
            super::middleboxes::check(middlebox, &key, report);
            let middlebox = middlebox.clone();
            self.middleboxes.push(MiddleboxPlan { name: name.clone(), middlebox });
        }
    }

    fn declare_hosts(&mut self, scenario: &Scenario, report: &mut Report) {
        let hosts = KeyPath::root().key("hosts");
        for (name, host) in &scenario.hosts {
            let key = hosts.key(name);
            check_name("host", name, &key, report);
            let interfaces = host.addresses.iter().map(|(interface, addresses)| {
                check_name("interface", interface, &key.key("addresses").key(interface), report);
                InterfacePlan { name: interface.clone(), addresses: addresses.as_slice().to_vec() }
            });
            let interfaces = interfaces.collect();
            self.hosts_by_name.insert(name.clone(), self.hosts.len());
            self.hosts.push(DeclaredHost {
                name: name.clone(),
                key,
                host: host.clone(),
                interfaces,
            });
        }
    }

    /// Gives `client` and `server` an interface for each path that names no ends.
    fn declare_short_form_hosts(&mut self, scenario: &Scenario, report: &mut Report) {
        for (index, path) in scenario.paths.iter().enumerate() {
            let key = KeyPath::root().key("paths").index(index);
            if path.between.is_some() || report.is_spoilt(&key.key("between")) {
                continue;
            }
            let interface = path_name(path, index);
            for (end, host_name) in SHORT_FORM_HOSTS.into_iter().enumerate() {
                let id = self.host(host_name).unwrap_or_else(|| self.add_host(host_name));
                let Some(host) = self.hosts.get_mut(id.0) else { continue };
                if host.interfaces.iter().any(|other| other.name == interface) {
                    let first = host.key.key("addresses").key(&interface);
                    let what = format!("the interface name `{interface}`");
                    report.fault(&key, Problem::Duplicate { what, first });
                }
                let addresses = vec![short_form_address(index, end)];
                host.interfaces.push(InterfacePlan { name: interface.clone(), addresses });
            }
        }
    }

    /// Of two links of the same name the first one is found by it.
    fn add_link(&mut self, link: DeclaredLink) {
        self.links_by_name.entry(link.name.clone()).or_insert(self.links.len());
        self.links.push(link);
    }

    fn add_host(&mut self, name: &str) -> HostId {
        self.hosts_by_name.insert(name.to_owned(), self.hosts.len());
        self.hosts.push(DeclaredHost {
            name: name.to_owned(),
            key: KeyPath::root().key("hosts").key(name),
            host: Host::default(),
            interfaces: Vec::new(),
        });
        HostId(self.hosts.len() - 1)
    }

    /// Interfaces count in the order in which paths use them: the first one carries the first subflow.
    fn order_interfaces(&mut self, scenario: &Scenario) {
        let mut first_use = BTreeMap::new();
        for (index, path) in scenario.paths.iter().enumerate() {
            let short =
                || SHORT_FORM_HOSTS.map(|host| format!("{host}.{}", path_name(path, index)));
            for end in path.between.clone().unwrap_or_else(short) {
                first_use.entry(end).or_insert(index);
            }
        }
        for host in &mut self.hosts {
            let name = host.name.as_str();
            host.interfaces.sort_by_cached_key(|interface| {
                let end = format!("{name}.{}", interface.name);
                first_use.get(&end).copied().unwrap_or(usize::MAX)
            });
        }
    }

    fn check_addresses(&self, report: &mut Report) {
        let mut seen = BTreeMap::new();
        for host in &self.hosts {
            for interface in &host.interfaces {
                let key = host.key.key("addresses").key(&interface.name);
                if interface.addresses.is_empty() {
                    report.invalid(&key, "no address", "write for example `\"10.0.1.1\"`");
                }
                for address in &interface.addresses {
                    check_address(*address, &key, report);
                    if let Some(first) = seen.insert(*address, key.clone()) {
                        let what = format!("the address {address}");
                        report.fault(&key, Problem::Duplicate { what, first });
                    }
                }
            }
        }
    }
}

/// 10.0.N.1 for the client and 10.0.N.2 for the server, N counted from 1.
fn short_form_address(path: usize, end: usize) -> IpAddr {
    let [.., high, low] = (path + 1).to_be_bytes();
    let host = if end == 0 { 1 } else { 2 };
    IpAddr::V4(Ipv4Addr::new(10, high, low, host))
}

fn check_address(address: IpAddr, key: &KeyPath, report: &mut Report) {
    let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() || broadcast {
        let what = format!("{address} cannot be the address of an interface");
        report.invalid(key, what, "use a unicast address such as 10.0.1.1 or fd00:1::1");
    }
}
