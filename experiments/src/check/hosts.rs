//! Hosts: settings by their kernel names, endpoints and limits of the in-kernel path manager.

use std::collections::BTreeSet;
use std::net::IpAddr;

use mptcpsim_models::path_manager::Name as PathManagerModel;
use mptcpsim_models::rules::Stack as StackModel;
use mptcpsim_models::sysctl::{Sysctl, SysctlError};

use super::Report;
use super::algorithms;
use super::fault::Problem;
use super::flows::Draft;
use super::key::KeyPath;
use super::network::{DeclaredHost, Network};
use crate::plan::{EndpointPlan, FlowEnd, FlowPlan, HostId, HostPlan};
use crate::scenario::{
    Endpoint, EndpointFlag, MptcpdPlugin, Multipath, PathManager, Protocol, Scenario, Stack,
    SysctlValue,
};

/// `MPTCP_PM_ADDR_MAX` of the kernel: endpoints of a host, and the largest limit.
const MOST_ENDPOINTS: usize = 8;
/// The kernel's limit of additional subflows when nobody sets it.
const DEFAULT_SUBFLOWS: u8 = 2;

/// How a host takes part in the scenario's connections.
#[derive(Default)]
struct Role<'a> {
    /// It opens an MPTCP connection.
    opens: bool,
    /// It accepts one.
    accepts: bool,
    /// A connection it opens asks for a full mesh: the key that says so.
    fullmesh: Option<&'a KeyPath>,
}

/// All hosts of the network.
pub(super) fn check(
    scenario: &Scenario,
    network: &Network,
    flows: &[Draft],
    report: &mut Report,
) -> Vec<HostPlan> {
    let roles = roles(network, flows, scenario);
    let mut hosts = Vec::new();
    let mut needed = DEFAULT_SUBFLOWS;
    for (declared, role) in network.hosts.iter().zip(&roles) {
        let host = host(declared, role, report);
        if made_by_default(declared, role) {
            needed = needed.max(u8::try_from(host.endpoints.len()).unwrap_or(u8::MAX));
        }
        hosts.push(host);
    }
    for ((host, declared), role) in hosts.iter_mut().zip(&network.hosts).zip(&roles) {
        let limits = declared.host.mptcp.as_ref().map(|mptcp| mptcp.limits).unwrap_or_default();
        let meshes = role.fullmesh.is_some() && made_by_default(declared, role);
        let most = u8::try_from(MOST_ENDPOINTS).unwrap_or(u8::MAX);
        host.subflow_limit = limits.subflows.unwrap_or(if meshes { most } else { needed });
        host.add_addr_accepted = limits.add_addr_accepted.unwrap_or(if meshes { most } else { 0 });
    }
    hosts
}

fn roles<'a>(network: &Network, flows: &'a [Draft], scenario: &Scenario) -> Vec<Role<'a>> {
    let mut roles = network.hosts.iter().map(|_| Role::default()).collect::<Vec<_>>();
    for draft in flows {
        let Some(flow) = scenario.flows.get(draft.declared) else { continue };
        if flow.protocol == Protocol::Tcp {
            continue;
        }
        if let Some(role) = roles.get_mut(draft.plan.from.host.0) {
            role.opens = true;
            if flow.mptcp.path_manager == Some(PathManager::Fullmesh) {
                role.fullmesh = Some(&draft.key);
            }
        }
        if let Some(role) = roles.get_mut(draft.plan.to.host.0) {
            role.accepts = true;
        }
    }
    roles
}

/// Endpoints make sense without being asked for where a host opens connections from several addresses.
fn made_by_default(declared: &DeclaredHost, role: &Role<'_>) -> bool {
    let given = declared.host.mptcpd.is_some()
        || declared.host.mptcp.as_ref().is_some_and(|mptcp| mptcp.endpoints.is_some());
    let addresses = declared.interfaces.iter().map(|interface| interface.addresses.len());
    !given && role.opens && !role.accepts && addresses.sum::<usize>() > 1
}

fn host(declared: &DeclaredHost, role: &Role<'_>, report: &mut Report) -> HostPlan {
    let stack = match declared.host.stack {
        Stack::Upstream => StackModel::Upstream,
        Stack::OutOfTree => StackModel::OutOfTree,
    };
    let endpoints = if made_by_default(declared, role) {
        default_endpoints(declared, role)
    } else {
        given_endpoints(declared, role, report)
    };
    HostPlan {
        name: declared.name.clone(),
        stack,
        interfaces: declared.interfaces.clone(),
        sysctl: sysctl(declared, stack, report),
        modules: algorithms::modules(declared, report),
        route: declared.host.route,
        endpoints,
        subflow_limit: DEFAULT_SUBFLOWS,
        add_addr_accepted: 0,
        multipath: multipath(declared, report),
        mptcpd: declared.host.mptcpd.clone(),
    }
}

/// What is allowed on hosts, but hardly meant.
pub(super) fn warnings(network: &Network, hosts: &[HostPlan], flows: &[FlowPlan]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (number, (host, declared)) in hosts.iter().zip(&network.hosts).enumerate() {
        let has = |plugin| {
            host.mptcpd.as_ref().is_some_and(|mptcpd| mptcpd.load_plugins.contains(&plugin))
        };
        let name = &host.name;
        if has(MptcpdPlugin::AddrAdv) && !host.endpoints.is_empty() {
            warnings.push(format!(
                "two managers configure {name}: mptcpd's plugin addr_adv, and the endpoints at {}; with \
                 NetworkManager that is its property connection.mptcp-flags, which is then set to 0x0",
                declared.key.key("mptcp").key("endpoints")
            ));
        }
        let ends = flows.iter().flat_map(FlowPlan::ends).filter(|end| end.host.0 == number);
        let in_user_space = |end: &FlowEnd| end.path_manager.name == PathManagerModel::Userspace;
        let userspace = ends.clone().any(in_user_space);
        if has(MptcpdPlugin::Sspi) && !userspace {
            warnings.push(format!(
                "mptcpd's plugin sspi has nothing to do on {name}: no connection there has the path \
                 manager userspace"
            ));
        }
        if userspace && host.mptcpd.is_none() {
            warnings.push(format!(
                "no daemon manages the paths of {name}: its connections open no subflow and accept none"
            ));
        }
    }
    warnings
}

/// The addresses of the interfaces whose use is given.
fn multipath(declared: &DeclaredHost, report: &mut Report) -> Vec<(IpAddr, Multipath)> {
    let given = declared.host.mptcp.iter().flat_map(|mptcp| &mptcp.multipath);
    let key = declared.key.key("mptcp").key("multipath");
    let mut used = Vec::new();
    for (name, multipath) in given {
        let found = declared.interfaces.iter().find(|interface| interface.name == *name);
        if found.is_none() {
            let what = format!("interface of {}", declared.name);
            let known = declared.interfaces.iter().map(|interface| interface.name.clone());
            report.fault(&key.key(name), Problem::unknown(&what, name, known));
        } else if declared.host.stack != Stack::OutOfTree {
            let what = "only hosts with `stack = \"out-of-tree\"` have this";
            report.invalid(&key.key(name), what, "give an endpoint the flag `backup` instead");
        }
        let addresses = found.into_iter().flat_map(|interface| &interface.addresses);
        used.extend(addresses.map(|address| (*address, *multipath)));
    }
    used
}

fn sysctl(declared: &DeclaredHost, stack: StackModel, report: &mut Report) -> Sysctl {
    let mut sysctl = stack.rules().sysctl_defaults();
    for (name, value) in &declared.host.sysctl {
        let text = match value {
            SysctlValue::Integer(value) => value.to_string(),
            SysctlValue::Text(text) => text.clone(),
        };
        let Err(error) = sysctl.set(stack, name, &text) else { continue };
        let problem = match &error {
            SysctlError::Value { .. } => Problem::BadValue(error.to_string()),
            SysctlError::Unknown(_) | SysctlError::OtherLine { .. } => {
                Problem::unknown("sysctl", name, known_sysctls(stack))
            }
        };
        report.fault(&declared.key.key("sysctl").key(name), problem);
    }
    sysctl
}

/// The names of the settings that a stack has.
pub(crate) fn known_sysctls(stack: StackModel) -> impl Iterator<Item = String> {
    let all = Sysctl::describe(stack).into_iter();
    all.filter(move |knob| knob.only.is_none_or(|line| line == stack)).map(|knob| knob.name.into())
}

fn default_endpoints(declared: &DeclaredHost, role: &Role<'_>) -> Vec<EndpointPlan> {
    let mut flags = BTreeSet::from([EndpointFlag::Subflow]);
    if role.fullmesh.is_some() {
        flags.insert(EndpointFlag::Fullmesh);
    }
    let addresses = declared.interfaces.iter().flat_map(|interface| &interface.addresses);
    let endpoint = |(id, address): (u8, &IpAddr)| EndpointPlan {
        address: *address,
        flags: flags.clone(),
        id,
        port: None,
    };
    (1..).zip(addresses.take(MOST_ENDPOINTS)).map(endpoint).collect()
}

fn given_endpoints(
    declared: &DeclaredHost,
    role: &Role<'_>,
    report: &mut Report,
) -> Vec<EndpointPlan> {
    let given = declared.host.mptcp.as_ref().and_then(|mptcp| mptcp.endpoints.as_ref());
    let Some(given) = given else { return Vec::new() };
    let key = declared.key.key("mptcp").key("endpoints");
    if given.len() > MOST_ENDPOINTS {
        let what = format!("{} endpoints", given.len());
        report.invalid(&key, what, format!("a host has at most {MOST_ENDPOINTS}"));
    }
    let mut endpoints = Vec::new();
    for (index, described) in given.iter().enumerate() {
        endpoints.extend(endpoint(described, declared, &endpoints, &key.index(index), report));
    }
    let meshes = endpoints.iter().any(|endpoint| endpoint.flags.contains(&EndpointFlag::Fullmesh));
    if let (Some(flow), false) = (role.fullmesh, meshes) {
        let what = format!("no endpoint of {} has the flag `fullmesh`", declared.name);
        let help = format!("set the flag at `{key}`, or leave out the endpoints");
        report.invalid(&flow.key("mptcp").key("path_manager"), what, help);
    }
    endpoints
}

/// One endpoint of a host beside the `others` it has, with its address found.
pub(super) fn endpoint(
    described: &Endpoint,
    declared: &DeclaredHost,
    others: &[EndpointPlan],
    key: &KeyPath,
    report: &mut Report,
) -> Option<EndpointPlan> {
    let address = address(&described.interface, described.address, declared, key, report);
    let flags = described.flags.iter().copied().collect::<BTreeSet<_>>();
    check_flags(&flags, key, report);
    if described.port.is_some() && !flags.contains(&EndpointFlag::Signal) {
        let what = "a port is announced only with the flag `signal`";
        report.invalid(&key.key("port"), what, "add the flag, or leave out the port");
    }
    let address = address?;
    if others.iter().any(|other| other.address == address) {
        let what = format!("{} has an endpoint with the address {address} already", declared.name);
        report.invalid(key, what, "write each address once");
    }
    let taken = |id: u8| others.iter().any(|other| other.id == id);
    if let Some(id) = described.id.filter(|id| taken(*id)) {
        let what = format!("{} has an endpoint with the identifier {id} already", declared.name);
        report.invalid(&key.key("id"), what, "leave out `id` to have the next free one");
    }
    let free = (1..=u8::MAX).find(|id| !taken(*id));
    let id = described.id.or(free).unwrap_or(u8::MAX);
    Some(EndpointPlan { address, flags, id, port: described.port })
}

/// Reports flags that the kernel refuses or that do nothing.
pub(super) fn check_flags(flags: &BTreeSet<EndpointFlag>, key: &KeyPath, report: &mut Report) {
    use EndpointFlag::{Fullmesh, Signal, Subflow};
    let key = key.key("flags");
    if !flags.contains(&Subflow) && !flags.contains(&Signal) {
        let help = "write for example `flags = [\"subflow\"]`";
        report.invalid(
            &key,
            "the endpoint has neither `subflow` nor `signal`: it does nothing",
            help,
        );
    }
    if flags.contains(&Fullmesh) && flags.contains(&Signal) {
        report.invalid(&key, "`fullmesh` and `signal` exclude each other", "leave out one of them");
    }
}

/// The address that an interface or an address names on a host.
pub(super) fn address(
    interface: &Option<String>,
    address: Option<IpAddr>,
    declared: &DeclaredHost,
    key: &KeyPath,
    report: &mut Report,
) -> Option<IpAddr> {
    match (interface, address) {
        (Some(name), None) => {
            let found = declared.interfaces.iter().find(|interface| interface.name == *name);
            if found.is_none() {
                let what = format!("interface of {}", declared.name);
                let known = declared.interfaces.iter().map(|interface| interface.name.clone());
                report.fault(&key.key("interface"), Problem::unknown(&what, name, known));
            }
            found.and_then(|interface| interface.addresses.first()).copied()
        }
        (None, Some(address)) => {
            let own = declared.interfaces.iter().flat_map(|interface| &interface.addresses);
            let own = own.copied().collect::<Vec<_>>();
            if !own.contains(&address) {
                let what = format!("address of {}", declared.name);
                let known = own.iter().map(IpAddr::to_string);
                report.fault(
                    &key.key("address"),
                    Problem::unknown(&what, &address.to_string(), known),
                );
            }
            Some(address)
        }
        _ => {
            let help = "write `interface = \"wlan0\"`, or an `address`";
            report.invalid(key, "an endpoint is either an interface or an address", help);
            None
        }
    }
}

/// The declared host with this number.
pub(super) fn declared(network: &Network, id: HostId) -> Option<&DeclaredHost> {
    network.hosts.get(id.0)
}
