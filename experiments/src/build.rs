//! A plan becomes a simulation.
//!
//! ```text
//! links, paths ──► Net (a link per direction, a pair of routes per path)
//! hosts ─────────► World (stacks, listeners, routing tables)      ──► Simulation
//! timeline ──────► Timeline (links) and host changes
//! ```

mod boxes;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use mptcpsim_core::capacity::Capacity;
use mptcpsim_core::link::{LinkChange, LinkConfig};
use mptcpsim_core::net::{Element, Net, NetBuilder, NetError, RouteId};
use mptcpsim_core::rng::Seed;
use mptcpsim_core::sim::{Simulation, SimulationError};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::timeline::{Change as NetChange, Timeline};
use mptcpsim_core::units::Bytes;
use mptcpsim_models::app::{AppSpec, Schedule};
use mptcpsim_models::congestion::Congestion;
use mptcpsim_models::host::{FlowStart, HostChange, HostConfig, Listener, Packet, Watched, World};
use mptcpsim_models::middlebox::Middlebox;
use mptcpsim_models::mptcp::SocketOptions;
use mptcpsim_models::params::ParamError;
use mptcpsim_models::path_manager::userspace::mptcpd;
use mptcpsim_models::path_manager::userspace::netlink::DynDaemon;
use mptcpsim_models::path_manager::userspace::plugins::{AddrAdv, Sspi};
use mptcpsim_models::path_manager::{AnyPathManager, endpoints, multipath};
use mptcpsim_models::scheduler::AnyScheduler;
use mptcpsim_models::tcp::Nagle;
use mptcpsim_models::tcp::TcpConfig;
use thiserror::Error;

use crate::plan::{
    Change, EndpointPlan, FlowEnd, FlowPlan, HostId, HostPlan, InterfaceId, MiddleboxPlan, Plan,
    RadioPlan, Station, Work,
};
use crate::scenario::{
    AppDirection, EndpointFlag, Mptcpd, MptcpdPlugin, Multipath, NotifyFlag, Protocol,
};

/// The largest IP packet, as on Ethernet.
const MTU: u16 = 1_500;
/// The initial window (RFC 6928).
const INITIAL_CWND: u32 = 10;

/// What of one's own takes the place of what a plan says. A closure that changes the options of
/// sockets is one.
pub trait Policies {
    /// Changes the options of a socket of a flow: the end that opens the connection first, then the
    /// end that accepts it.
    fn socket(&mut self, flow: &FlowPlan, options: &mut SocketOptions);

    /// What the two ends of a flow do, the one that opens the connection first.
    fn apps(&mut self, _flow: &FlowPlan) -> Option<(AppSpec, AppSpec)> {
        None
    }

    /// The box that stands in a middlebox's place; the plan says which segments it gets to see.
    fn middlebox(&mut self, _plan: &MiddleboxPlan) -> Option<Box<dyn Middlebox>> {
        None
    }
}

impl<F: FnMut(&FlowPlan, &mut SocketOptions)> Policies for F {
    fn socket(&mut self, flow: &FlowPlan, options: &mut SocketOptions) {
        self(flow, options);
    }
}

/// Everything as the plan says.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsPlanned;

impl Policies for AsPlanned {
    fn socket(&mut self, _flow: &FlowPlan, _options: &mut SocketOptions) {}
}

/// Why a plan cannot be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The network.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The timeline.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    /// An algorithm.
    #[error(transparent)]
    Param(#[from] ParamError),
}

/// The simulation of a plan at time zero, its flows waiting for their time.
///
/// Links are called like `wifi.up` and `wifi.down`. Hosts log events if `log_events`; that changes nothing
/// else.
///
/// # Errors
/// If the engine refuses something that the check let pass.
pub fn build(plan: &Plan, log_events: bool) -> Result<Simulation<World>, BuildError> {
    build_with(plan, log_events, &mut AsPlanned)
}

/// Like [`build`], with policies of one's own.
///
/// # Errors
/// If the engine refuses something that the check let pass.
pub fn build_with(
    plan: &Plan,
    log_events: bool,
    policies: &mut dyn Policies,
) -> Result<Simulation<World>, BuildError> {
    let seed = Seed(plan.seed);
    let (net, routes) = network(plan, seed, policies).build(seed)?;
    let configs = (0..).zip(&plan.hosts).map(|(id, host)| host_config(plan, id, host)).collect();
    let mut world = World::new(configs, ends(plan), seed, log_events);
    add_routes(&mut world, plan, &routes);
    world.watch(watched(plan));
    add_flows(&mut world, plan, policies)?;
    let timeline = timeline(plan, &net, &mut world);
    let mut simulation = Simulation::new(net, timeline, world)?;
    simulation.with_hosts(|world, out| world.start(out));
    Ok(simulation)
}

/// The network before its random streams are seeded.
struct Network {
    builder: NetBuilder<Packet>,
    routes: Vec<RouteId>,
}

impl Network {
    fn build(self, seed: Seed) -> Result<(Net<Packet>, Vec<RouteId>), NetError> {
        Ok((self.builder.build(seed)?, self.routes))
    }
}

fn network(plan: &Plan, seed: Seed, policies: &mut dyn Policies) -> Network {
    let mut builder = Net::builder();
    let mut links = Vec::new();
    for link in &plan.links {
        let up = builder.link(link_name(&link.name, true), link.up.config.clone());
        let down = builder.link(link_name(&link.name, false), link.down.config.clone());
        links.push((up, down));
    }
    let boxes = plan.middleboxes.iter().map(|plan| {
        let placed = boxes::placed(plan, policies.middlebox(plan), seed);
        builder.middlebox(plan.name.clone(), Box::new(placed))
    });
    let boxes: Vec<_> = boxes.collect();
    let switched = switched_interfaces(plan, &mut builder);
    let mut routes = Vec::new();
    for path in &plan.paths {
        let [a, b] = path.ends.map(|end| switched.get(&end).copied());
        let via = || {
            path.via.iter().filter_map(|station| match station {
                Station::Link(link) => links.get(link.0).copied(),
                Station::Reversed(link) => links.get(link.0).map(|(up, down)| (*down, *up)),
                Station::Middlebox(id) => boxes.get(id.0).map(|it| (*it, *it)),
            })
        };
        let forward = a.map(|a| a.out).into_iter().chain(via().map(|link| link.0));
        let forward = forward.chain(b.map(|b| b.into)).collect::<Vec<_>>();
        let reverse = b.map(|b| b.out).into_iter().chain(via().rev().map(|link| link.1));
        let reverse = reverse.chain(a.map(|a| a.into)).collect::<Vec<_>>();
        routes.push(builder.route(&forward, &reverse));
    }
    Network { builder, routes }
}

/// The name of one direction of a link.
pub(crate) fn link_name(link: &str, upwards: bool) -> String {
    format!("{link}.{}", if upwards { "up" } else { "down" })
}

/// The two links that stand for an interface that goes up and down.
#[derive(Clone, Copy)]
struct Switched {
    out: Element,
    into: Element,
}

/// Links without rate and delay in front of the interfaces that the timeline switches: a link that is
/// down loses packets, which is what an interface does.
fn switched_interfaces(
    plan: &Plan,
    builder: &mut NetBuilder<Packet>,
) -> BTreeMap<InterfaceId, Switched> {
    let switched = plan.timeline.iter().filter_map(|timed| match timed.change {
        Change::Interface { interface, .. } => Some(interface),
        _ => None,
    });
    let mut add = |id| {
        let config = || LinkConfig::new(Capacity::Unlimited, Span::ZERO);
        let [out, into] = interface_names(plan, id).map(|name| builder.link(name, config()));
        Switched { out, into }
    };
    switched.collect::<BTreeSet<_>>().into_iter().map(|id| (id, add(id))).collect()
}

fn interface_names(plan: &Plan, id: InterfaceId) -> [String; 2] {
    let host = plan.hosts.get(id.host.0);
    let interface = host.and_then(|host| host.interfaces.get(id.interface));
    let name = |host: &HostPlan| host.name.clone();
    let (host, interface) =
        (host.map(name).unwrap_or_default(), interface.map_or("", |interface| &interface.name));
    ["out", "in"].map(|way| format!("{host}.{interface}.{way}"))
}

/// The host at the end of each route.
fn ends(plan: &Plan) -> Vec<u32> {
    let number = |end: InterfaceId| u32::try_from(end.host.0).unwrap_or(u32::MAX);
    plan.paths.iter().flat_map(|path| [number(path.ends[1]), number(path.ends[0])]).collect()
}

fn add_routes(world: &mut World, plan: &Plan, routes: &[RouteId]) {
    for route in &plan.routes {
        let (Some(path), Some(id)) = (plan.paths.get(route.path.0), routes.get(route.path.0))
        else {
            continue;
        };
        let [a, b] = path.ends.map(|end| end.host.0);
        world.add_route(a, route.a, route.b, *id);
        world.add_route(b, route.b, route.a, id.reverse());
    }
    for (path, id) in plan.paths.iter().zip(routes) {
        let Some(gateways) = path.relays else { continue };
        let [a, b] = path.ends.map(|end| addresses(plan, end));
        let [from, to] = path.ends.map(|end| end.host.0);
        for (&a, &b) in a.iter().flat_map(|a| b.iter().map(move |b| (a, b))) {
            world.add_source_route(from, (a, b), gateways, *id);
            world.add_source_route(to, (b, a), gateways, id.reverse());
        }
    }
}

/// The interfaces whose energy is counted.
fn watched(plan: &Plan) -> Vec<Watched> {
    let watched = |radio: &RadioPlan| Watched {
        host: radio.interface.host.0,
        addresses: addresses(plan, radio.interface).to_vec(),
        hold: radio.power.hold,
        tail: radio.power.tail,
    };
    plan.radios.iter().map(watched).collect()
}

fn addresses(plan: &Plan, id: InterfaceId) -> &[IpAddr] {
    let host = plan.hosts.get(id.host.0);
    let interface = host.and_then(|host| host.interfaces.get(id.interface));
    interface.map_or(&[], |interface| &interface.addresses)
}

fn host_config(whole: &Plan, id: usize, plan: &HostPlan) -> HostConfig {
    let addresses = plan.interfaces.iter().flat_map(|interface| {
        interface.addresses.iter().map(|address| (interface.name.clone(), *address))
    });
    let tcp = TcpConfig {
        sysctl: plan.sysctl.clone(),
        rules: plan.stack.rules(),
        mtu: plan.route.mtu.unwrap_or(MTU),
        initial_cwnd: plan.route.initcwnd.unwrap_or(INITIAL_CWND),
        quickack: plan.route.quickack,
        tso: true,
        merged_size: None,
    };
    HostConfig {
        name: plan.name.clone(),
        tcp: tcp.into(),
        endpoints: endpoints::Config {
            endpoints: plan.endpoints.iter().map(endpoint).collect(),
            limits: endpoints::Limits {
                subflows: plan.subflow_limit,
                add_addr_accepted: plan.add_addr_accepted,
            },
            multipath: interfaces(plan),
        },
        addresses: addresses.collect(),
        daemon: plan.mptcpd.as_ref().map(|config| daemon(config, unrouted(whole, id, plan))),
    }
}

/// The addresses of a host that no path leads from.
fn unrouted(whole: &Plan, id: usize, plan: &HostPlan) -> Vec<IpAddr> {
    let reaches = |interface| {
        let end = InterfaceId { host: HostId(id), interface };
        whole.paths.iter().any(|path| path.ends.contains(&end))
    };
    let interfaces = plan.interfaces.iter().enumerate().filter(|(number, _)| !reaches(*number));
    interfaces.flat_map(|(_, interface)| interface.addresses.iter().copied()).collect()
}

fn daemon(config: &Mptcpd, unrouted: Vec<IpAddr>) -> Box<dyn DynDaemon> {
    let flags = config.addr_flags.as_ref().map_or_else(mptcpd::AddrFlags::default, |given| {
        let has = |flag| given.contains(&flag);
        mptcpd::AddrFlags {
            subflow: has(EndpointFlag::Subflow),
            signal: has(EndpointFlag::Signal),
            backup: has(EndpointFlag::Backup),
            fullmesh: has(EndpointFlag::Fullmesh),
        }
    });
    let notify = config.notify_flags.as_ref().map_or_else(mptcpd::NotifyFlags::default, |given| {
        let has = |flag| given.contains(&flag);
        mptcpd::NotifyFlags {
            existing: has(NotifyFlag::Existing),
            skip_link_local: has(NotifyFlag::SkipLinkLocal),
            skip_loopback: has(NotifyFlag::SkipLoopback),
            check_route: has(NotifyFlag::CheckRoute),
        }
    });
    let mut daemon = mptcpd::Mptcpd::new(flags, notify).without_route(unrouted);
    if let Some(named) = config.path_manager {
        daemon = daemon.path_manager(plugin_name(named));
    }
    for plugin in &config.load_plugins {
        let (name, worst) = (plugin_name(*plugin), mptcpd::Mptcpd::LOW);
        daemon = match plugin {
            MptcpdPlugin::AddrAdv => daemon.load(name, worst, AddrAdv::default()),
            MptcpdPlugin::Sspi => daemon.load(name, worst, Sspi::default()),
        };
    }
    Box::new(daemon)
}

const fn plugin_name(plugin: MptcpdPlugin) -> &'static str {
    match plugin {
        MptcpdPlugin::AddrAdv => "addr_adv",
        MptcpdPlugin::Sspi => "sspi",
    }
}

fn interfaces(plan: &HostPlan) -> multipath::Interfaces {
    let mut interfaces = multipath::Interfaces::default();
    for (address, multipath) in &plan.multipath {
        interfaces.set(*address, use_of(*multipath));
    }
    interfaces
}

const fn use_of(multipath: Multipath) -> multipath::Multipath {
    match multipath {
        Multipath::On => multipath::Multipath::On,
        Multipath::Off => multipath::Multipath::Off,
        Multipath::Backup => multipath::Multipath::Backup,
    }
}

fn endpoint(plan: &EndpointPlan) -> endpoints::Endpoint {
    let has = |flag| plan.flags.contains(&flag);
    endpoints::Endpoint {
        id: plan.id,
        addr: plan.address,
        port: plan.port,
        subflow: has(EndpointFlag::Subflow),
        signal: has(EndpointFlag::Signal),
        backup: has(EndpointFlag::Backup),
        fullmesh: has(EndpointFlag::Fullmesh),
    }
}

/// Flows, and a listener for each port: repetitions of a flow share theirs.
fn add_flows(
    world: &mut World,
    plan: &Plan,
    policies: &mut dyn Policies,
) -> Result<(), ParamError> {
    let mut listening = BTreeSet::new();
    for flow in &plan.flows {
        let (client, server) = policies.apps(flow).unwrap_or_else(|| apps(&flow.work));
        let [client, server] = [client, server].map(|app| late(flow.reads_after, app));
        let mut options = socket(plan, flow, &flow.from)?;
        policies.socket(flow, &mut options);
        let number = world.add_flow(FlowStart {
            at: flow.start,
            client: flow.from.host.0,
            from: flow.from.address,
            to: SocketAddr::new(flow.to.address, flow.port),
            options,
            app: client,
        });
        if listening.insert((flow.to.host, flow.port)) {
            let mut options = socket(plan, flow, &flow.to)?;
            policies.socket(flow, &mut options);
            let listener =
                Listener { port: flow.port, addr: None, options, app: server, flow: number };
            world.listen(flow.to.host.0, listener);
        }
    }
    Ok(())
}

fn socket(plan: &Plan, flow: &FlowPlan, end: &FlowEnd) -> Result<SocketOptions, ParamError> {
    // The kernel doubles what SO_RCVBUF and SO_SNDBUF ask for, to account for its overhead.
    let doubled = |bytes: Bytes| u32::try_from(bytes.get().saturating_mul(2)).unwrap_or(u32::MAX);
    let (control, scheduler) = (&end.congestion_control, &end.scheduler);
    let (stack, manager) = (plan.hosts[end.host.0].stack, &end.path_manager);
    Ok(SocketOptions {
        mptcp: end.protocol == Protocol::Mptcp,
        congestion_control: Some(Congestion::with_params(control.name, &control.params)?),
        scheduler: Some(AnyScheduler::with_params(scheduler.name, stack, &scheduler.params)?),
        path_manager: Some(AnyPathManager::with_params(manager.name, stack, &manager.params)?),
        rcvbuf: end.receive_buffer.map(doubled),
        sndbuf: end.send_buffer.map(doubled),
        nagle: Nagle::with_nodelay(flow.app.sets_nodelay()),
        md5_key: end.md5_key.clone(),
        fast_open: end.fast_open,
        fast_open_without_cookie: false,
        fast_open_keys: None,
        user_timeout: Span::ZERO,
    })
}

/// An application that begins to read some time after its start.
fn late(reads_after: Span, app: AppSpec) -> AppSpec {
    if reads_after.is_zero() { app } else { AppSpec::Late { reads_after, app: Box::new(app) } }
}

/// What the two ends of a flow do: the one that opens the connection first.
pub(crate) fn apps(work: &Work) -> (AppSpec, AppSpec) {
    let bulk = |send, until, abort| AppSpec::Bulk { send, until, abort, delay: Span::ZERO };
    let (sender, direction) = match work {
        Work::Bulk { bytes, direction, abort } => (bulk(Some(*bytes), None, *abort), *direction),
        Work::Timed { duration, direction, abort } => {
            (bulk(None, Some(*duration), *abort), *direction)
        }
        Work::Exchanges { script, server_closes } => {
            let (script, delay, server_closes) = (script.clone(), Span::ZERO, *server_closes);
            let last = u32::try_from(script.count()).unwrap_or(u32::MAX);
            let client = AppSpec::Request { script: script.clone(), delay, server_closes };
            return (
                client,
                AppSpec::Respond { script, close_after: server_closes.then_some(last) },
            );
        }
        Work::Messages { down, up, .. } => {
            let app = |send: &Schedule, expect: &Schedule| AppSpec::Messages {
                send: send.clone(),
                expect: expect.clone(),
            };
            return (app(up, down), app(down, up));
        }
        Work::Video(video) => return (AppSpec::Play(video.clone()), AppSpec::Serve),
    };
    let receiver = bulk(Some(Bytes::ZERO), None, false);
    match direction {
        AppDirection::Download => (receiver, sender),
        AppDirection::Upload => (sender, receiver),
        AppDirection::Both => (sender.clone(), sender),
    }
}

fn timeline(plan: &Plan, net: &Net<Packet>, world: &mut World) -> Timeline {
    let entries = plan.timeline.iter();
    let written = entries.flat_map(|timed| {
        let changes = changes(plan, &timed.change, net, world);
        changes.into_iter().map(|change| (timed.at, change))
    });
    delays(plan, net).chain(written).collect()
}

/// How the delays of links vary by themselves; what the timeline says at the same time comes later and so wins.
fn delays(plan: &Plan, net: &Net<Packet>) -> impl Iterator<Item = (Time, NetChange)> {
    plan.links.iter().flat_map(|link| [(link, true, &link.up), (link, false, &link.down)]).flat_map(
        |(link, upwards, direction)| {
            let id = net.link_named(&link_name(&link.name, upwards));
            direction.delays.changes(plan.duration).filter_map(move |(at, delay)| {
                let change = LinkChange { delay: Some(delay), ..LinkChange::default() };
                Some((at, NetChange::Link(id?, change)))
            })
        },
    )
}

/// What a change of the plan comes to in the network and at the hosts.
pub(crate) fn changes(
    plan: &Plan,
    change: &Change,
    net: &Net<Packet>,
    world: &mut World,
) -> Vec<NetChange> {
    let link = |name: &str, change: &LinkChange| {
        let link = net.link_named(name);
        link.map(|link| NetChange::Link(link, change.clone()))
    };
    let mut host = |change| vec![NetChange::Host(world.add_change(change))];
    let at = |id: &InterfaceId| (id.host.0, addresses(plan, *id).to_vec());
    match change {
        Change::Link { link: id, upwards, set } => {
            let name = plan.links.get(id.0).map(|link| link_name(&link.name, *upwards));
            link(&name.unwrap_or_default(), set).into_iter().collect()
        }
        Change::Interface { interface, up } => {
            let change = LinkChange { up: Some(*up), ..LinkChange::default() };
            let names = interface_names(plan, *interface);
            let mut all: Vec<_> = names.iter().filter_map(|name| link(name, &change)).collect();
            if !all.is_empty() {
                let (number, addresses) = at(interface);
                all.extend(host(HostChange::Interface { host: number, addresses, up: *up }));
            }
            all
        }
        Change::Multipath { interface, multipath } => {
            let ((number, addresses), multipath) = (at(interface), use_of(*multipath));
            host(HostChange::SetMultipath { host: number, addresses, multipath })
        }
        Change::SetLimits(HostId(number), subflows, add_addr_accepted) => {
            let (subflows, add_addr_accepted) = (*subflows, *add_addr_accepted);
            let limits = endpoints::Limits { subflows, add_addr_accepted };
            host(HostChange::SetLimits { host: *number, limits })
        }
        Change::SetEndpoint(HostId(number), plan) => {
            host(HostChange::AddEndpoint { host: *number, endpoint: endpoint(plan) })
        }
        Change::RemoveEndpoint(HostId(number), id) => {
            host(HostChange::RemoveEndpoint { host: *number, id: *id })
        }
    }
}
