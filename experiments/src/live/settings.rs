//! What a scenario says of a host, as a real kernel is told: sysctls, addresses, routes, endpoints.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use mptcpsim_models::host::HostChange;
use mptcpsim_models::path_manager;
use mptcpsim_models::path_manager::endpoints::Endpoint;
use mptcpsim_models::rules::Stack;
use mptcpsim_models::scheduler;
use mptcpsim_models::sysctl::Sysctl;

use super::LiveError;
use crate::plan::{EndpointPlan, HostPlan, InterfacePlan, Plan};
use crate::scenario::{EndpointFlag, SysctlValue};

/// Packets that wait between the kernel and the device: more than any window here.
const QUEUE: u32 = 10_000;
/// The metric of default routes: behind those that a path gives.
const FAR: usize = 1_000;

/// Without these the kernel would drop packets whose way back is another one, answer at addresses
/// other than the scenario's, or wait before it uses an address.
const SURROUNDINGS: [(&str, &str); 5] = [
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv6.conf.default.router_solicitations", "0"),
    ("net.ipv4.tcp_no_metrics_save", "1"),
];

/// Says what a real kernel cannot do of what the plan wants of host `number`.
pub(super) fn check(plan: &Plan, number: usize) -> Result<(), LiveError> {
    let Some(host) = plan.hosts.get(number) else { return Ok(()) };
    let unfit = |what: String| Err(LiveError::Unfit(format!("host `{}` {what}", host.name)));
    if host.stack != Stack::Upstream {
        return unfit("has the out-of-tree stack, which no kernel that runs here has".to_owned());
    }
    if host.mptcpd.is_some() {
        return unfit("runs mptcpd: that is simulated only".to_owned());
    }
    for end in plan.flows.iter().flat_map(|flow| flow.ends()).filter(|end| end.host.0 == number) {
        if end.scheduler.name != scheduler::Name::Default {
            let name = end.scheduler.name.name();
            return unfit(format!("uses scheduler `{name}`; the kernel has `default` alone"));
        }
        if !is_in_kernel(end.path_manager.name) {
            let name = end.path_manager.name.name();
            return unfit(format!("uses path manager `{name}`; a real host has `endpoints`"));
        }
    }
    Ok(())
}

/// All are the kernel's own path manager there; how it is used, the endpoints say.
const fn is_in_kernel(name: path_manager::Name) -> bool {
    use path_manager::Name::{Default, Endpoints, Fullmesh};
    matches!(name, Endpoints | Default | Fullmesh)
}

/// Says if the kernel lacks a congestion control that flows of host `number` use.
pub(super) fn check_congestion_controls(plan: &Plan, number: usize) -> Result<(), LiveError> {
    let available = read("net.ipv4.tcp_available_congestion_control").unwrap_or_default();
    let ends = plan.flows.iter().flat_map(|flow| flow.ends());
    for end in ends.filter(|end| end.host.0 == number) {
        let wanted = end.congestion_control.name.name();
        if !available.split_whitespace().any(|name| name == wanted) {
            return Err(LiveError::Unfit(format!(
                "this kernel has no congestion control `{wanted}`; it has {available}"
            )));
        }
    }
    Ok(())
}

/// Sets what the simulated host would have, in the namespace of the calling thread; says what
/// could not be set.
pub(super) fn set_sysctls(plan: &Plan, number: usize) -> Vec<String> {
    let Some(host) = plan.hosts.get(number) else { return Vec::new() };
    let declared = plan.scenario().hosts.get(&host.name);
    let mut problems = Vec::new();
    for (name, value) in SURROUNDINGS {
        // Not every kernel has every one, and what a simulated host lacks is not missed.
        let _ = write(name, value);
    }
    for knob in Sysctl::describe(host.stack) {
        let theirs = knob.only.is_some_and(|only| only != host.stack);
        // Each socket has its own, and a namespace may not change the default.
        if theirs || knob.name == "net.ipv4.tcp_congestion_control" {
            continue;
        }
        let given = declared.and_then(|host| host.sysctl.get(knob.name));
        let value = match given {
            Some(SysctlValue::Integer(value)) => value.to_string(),
            Some(SysctlValue::Text(value)) => value.clone(),
            // A key that nobody has given the kernel draws too.
            None if knob.name == "net.ipv4.tcp_fastopen_key" => continue,
            None => knob.default,
        };
        let current = read(knob.name);
        let same = current.as_deref().is_some_and(|current| words(current) == words(&value));
        if same || current.is_none() && given.is_none() {
            continue;
        }
        if let Err(error) = write(knob.name, &value) {
            problems.push(format!("{}: cannot set {} to {value}: {error}", host.name, knob.name));
        }
    }
    problems
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn path(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name.replace('.', "/"))
}

fn read(name: &str) -> Option<String> {
    fs::read_to_string(path(name)).ok().map(|text| text.trim().to_owned())
}

fn write(name: &str, value: &str) -> std::io::Result<()> {
    fs::write(path(name), value)
}

/// The name of the device of an interface.
pub(super) fn device(host: &HostPlan, interface: usize) -> String {
    let name = host.interfaces.get(interface).map_or("", |interface| &interface.name);
    let fits = (1..16).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_graphic() && c != '/' && c != ':');
    if fits && name != "lo" { name.to_owned() } else { format!("if{interface}") }
}

/// The commands for `ip` that give host `number` its addresses, routes, endpoints and limits.
///
/// A packet leaves by the device of its source address; one without, by the first path that leads
/// to its destination.
pub(super) fn ip_commands(plan: &Plan, number: usize) -> String {
    let Some(host) = plan.hosts.get(number) else { return String::new() };
    let mut commands = vec!["link set lo up".to_owned()];
    for (index, interface) in host.interfaces.iter().enumerate() {
        let (device, table) = (device(host, index), table(index));
        commands.push(format!("link set dev {device} up txqueuelen {QUEUE}"));
        for address in &interface.addresses {
            let quick = if address.is_ipv6() { " nodad" } else { "" };
            commands.push(format!("addr add {address} dev {device}{quick}"));
            let family = if address.is_ipv6() { "-6 " } else { "" };
            commands.push(format!("{family}rule add from {address} lookup {table}"));
        }
        commands.extend(routes(plan, number, index));
    }
    let (subflows, accepted) = (host.subflow_limit, host.add_addr_accepted);
    commands.push(format!("mptcp limits set subflows {subflows} add_addr_accepted {accepted}"));
    commands.extend(host.endpoints.iter().map(|endpoint| declared_endpoint(host, endpoint)));
    commands.join("\n") + "\n"
}

/// The number of the routing table for packets from an interface's addresses.
const fn table(interface: usize) -> usize {
    100 + interface
}

/// All addresses of the family of one.
const fn everywhere(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "0.0.0.0/0" } else { "::/0" }
}

/// The routes that lead out of an interface.
fn routes(plan: &Plan, number: usize, index: usize) -> Vec<String> {
    let Some(host) = plan.hosts.get(number) else { return Vec::new() };
    let (device, table, attributes) = (device(host, index), table(index), attributes(host));
    let mut families = addresses(plan, number, index).map(everywhere).collect::<Vec<_>>();
    families.sort_unstable();
    families.dedup();
    let defaults = families.into_iter().flat_map(|family| {
        let add = format!("route add {family} dev {device}");
        let metric = FAR + index;
        [format!("{add} table {table}{attributes}"), format!("{add} metric {metric}{attributes}")]
    });
    let mut routes: Vec<String> = defaults.collect();
    for (way, path) in plan.paths.iter().enumerate() {
        let [a, b] = path.ends.map(|end| (end.host.0, end.interface));
        let far = [(a, b), (b, a)].into_iter().filter(|(own, _)| *own == (number, index));
        for (_, (host, interface)) in far {
            for peer in addresses(plan, host, interface) {
                let same = |own: &IpAddr| own.is_ipv4() == peer.is_ipv4();
                let Some(own) = addresses(plan, number, index).find(same) else { continue };
                let metric = way + 1;
                routes.push(format!(
                    "route add {peer} dev {device} src {own} metric {metric}{attributes}"
                ));
            }
        }
    }
    routes
}

fn addresses(plan: &Plan, host: usize, interface: usize) -> impl Iterator<Item = IpAddr> + '_ {
    let interface = plan.hosts.get(host).and_then(|host| host.interfaces.get(interface));
    interface.into_iter().flat_map(|interface| interface.addresses.iter().copied())
}

fn attributes(host: &HostPlan) -> String {
    let route = &host.route;
    let mtu = route.mtu.map(|mtu| format!(" mtu {mtu}"));
    let window = route.initcwnd.map(|packets| format!(" initcwnd {packets}"));
    let quick = route.quickack.then(|| " quickack 1".to_owned());
    [mtu, window, quick].into_iter().flatten().collect()
}

fn declared_endpoint(host: &HostPlan, endpoint: &EndpointPlan) -> String {
    let flags = endpoint.flags.iter().map(|flag| match flag {
        EndpointFlag::Subflow => " subflow",
        EndpointFlag::Signal => " signal",
        EndpointFlag::Backup => " backup",
        EndpointFlag::Fullmesh => " fullmesh",
    });
    let flags: String = flags.collect();
    new_endpoint(host, endpoint.address, endpoint.id, endpoint.port, &flags)
}

fn new_endpoint(
    host: &HostPlan,
    address: IpAddr,
    id: u8,
    port: Option<u16>,
    flags: &str,
) -> String {
    let interface = host.interfaces.iter().position(|it| it.addresses.contains(&address));
    let device = interface.map_or(String::new(), |it| format!(" dev {}", device(host, it)));
    let port = port.map_or(String::new(), |port| format!(" port {port}"));
    format!("mptcp endpoint add {address}{device} id {id}{flags}{port}")
}

/// The commands for `ip` that change host `number` as the timeline says.
pub(super) fn change_commands(plan: &Plan, number: usize, change: &HostChange) -> String {
    let Some(host) = plan.hosts.get(number) else { return String::new() };
    let commands = match change {
        HostChange::AddEndpoint { endpoint, .. } => vec![set_endpoint(host, *endpoint)],
        HostChange::RemoveEndpoint { id: 0, .. } => first_addresses(plan, number)
            .into_iter()
            .map(|address| format!("mptcp endpoint delete id 0 {address}"))
            .collect(),
        HostChange::RemoveEndpoint { id, .. } => vec![format!("mptcp endpoint delete id {id}")],
        HostChange::SetBackup { id, backup, .. } => {
            vec![format!("mptcp endpoint change id {id} {}backup", not(*backup))]
        }
        HostChange::SetLimits { limits, .. } => {
            let (subflows, accepted) = (limits.subflows, limits.add_addr_accepted);
            vec![format!("mptcp limits set subflows {subflows} add_addr_accepted {accepted}")]
        }
        HostChange::Interface { addresses, up, .. } => {
            let own = |it: &InterfacePlan| it.addresses == *addresses;
            let index = host.interfaces.iter().position(own).unwrap_or_default();
            let state = if *up { "up" } else { "down" };
            let mut commands = vec![format!("link set dev {} {state}", device(host, index))];
            // They went when the device did.
            commands.extend(routes(plan, number, index).into_iter().filter(|_| *up));
            commands
        }
        HostChange::SetMultipath { .. } => Vec::new(),
    };
    commands.join("\n") + "\n"
}

/// The addresses of host `number` that connections begin with.
fn first_addresses(plan: &Plan, number: usize) -> BTreeSet<IpAddr> {
    let ends = plan.flows.iter().flat_map(|flow| flow.ends());
    ends.filter(|end| end.host.0 == number).map(|end| end.address).collect()
}

/// A new endpoint, or other flags for one that the host has.
fn set_endpoint(host: &HostPlan, endpoint: Endpoint) -> String {
    let Endpoint { id, addr, port, subflow, signal, backup, fullmesh } = endpoint;
    if host.endpoints.iter().any(|known| known.id == id && known.address == addr) {
        let (backup, fullmesh) = (not(backup), not(fullmesh));
        return format!("mptcp endpoint change id {id} {backup}backup {fullmesh}fullmesh");
    }
    let named =
        [(subflow, " subflow"), (signal, " signal"), (backup, " backup"), (fullmesh, " fullmesh")];
    let flags: String = named.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    new_endpoint(host, addr, id, port, &flags)
}

const fn not(set: bool) -> &'static str {
    if set { "" } else { "no" }
}
