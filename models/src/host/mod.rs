//! Hosts in a network: who gets a packet, who sends one.
//!
//! A [`World`] holds all hosts of a simulation and all their connections. The
//! actor of the engine is the connection, so a host with ten thousand of them
//! scans none. Packets carry the number of their four-tuple; a table says which
//! subflow of which connection it belongs to, so finding it is one look-up.

mod activity;
mod ahead;
mod changes;
mod cookies;
mod door;
mod listen;
mod packet;
mod tables;
mod tap;
mod tuples;
mod turn;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use mptcpsim_core::net::RouteId;
use mptcpsim_core::rng::{Seed, Stream};
use mptcpsim_core::sim::{Hosts, Outbox};
use mptcpsim_core::time::Time;

pub use self::activity::{Activity, Spent, Watched};
pub use self::changes::HostChange;
pub use self::door::Delivered;
pub use self::listen::Listener;
pub use self::packet::{Packet, Protocol};
pub use self::tables::Tables;
pub use self::tap::{Tap, Tapped};
pub use self::tuples::{Binding, TupleId, TupleTable};

use crate::app::{App, AppSpec};
use crate::mptcp::{
    ActiveMptcp, Connection, EphemeralPorts, FastOpenCookies, Opening, SocketOptions, SynCookies,
};
use crate::mptcp_keys::{Key, draw_key, token};
use crate::observe::event::{EventLog, Logged};
use crate::observe::mib::Mib;
use crate::path_manager::binder::SourceRoute;
use crate::path_manager::endpoints;
use crate::path_manager::multipath::Interfaces;
use crate::path_manager::userspace::netlink::{DynDaemon, Netlink};
use crate::segment::FourTuple;
use crate::tcp::{State, TcpConfig};
use crate::wire::drop_unheard;

/// What a host is made of.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Its name.
    pub name: String,
    /// Knobs, kernel line, MTU.
    pub tcp: Arc<TcpConfig>,
    /// Endpoints and limits of its path manager.
    pub endpoints: endpoints::Config,
    /// Interfaces and addresses, the first one first.
    pub addresses: Vec<(String, IpAddr)>,
    /// The daemon that manages paths, if one runs.
    pub daemon: Option<Box<dyn DynDaemon>>,
}

/// A host and what its connections share.
#[derive(Clone, Debug)]
pub struct Host {
    config: HostConfig,
    addresses: Vec<IpAddr>,
    mib: Mib,
    log: EventLog,
    random: Stream,
    ports: EphemeralPorts,
    active: ActiveMptcp,
    fast_open: FastOpenCookies,
    cookies: SynCookies,
    listeners: Vec<Listener>,
    /// Connections by their token.
    tokens: BTreeMap<u32, u32>,
    /// Where packets go by source and destination.
    routes: BTreeMap<(IpAddr, IpAddr), RouteId>,
    /// Where packets go that pass gateways.
    source_routes: BTreeMap<(IpAddr, IpAddr, SourceRoute), RouteId>,
    /// Addresses whose interface is down.
    down: Vec<IpAddr>,
    /// What the interfaces may be used for; path managers learn it later.
    interfaces: Interfaces,
    /// Addresses whose interfaces changed, and when path managers learn it.
    changed: Vec<IpAddr>,
    address_worker: Time,
    netlink: Netlink,
    /// Packets for which there was no route.
    unroutable: u64,
}

/// A connection with its application.
#[derive(Clone, Debug)]
pub struct Actor {
    host: u32,
    flow: u32,
    connection: Connection,
    app: App,
    /// The four-tuple and the route of each subflow.
    ways: Vec<Way>,
}

#[derive(Clone, Copy, Debug)]
struct Way {
    tuple: TupleId,
    route: Option<RouteId>,
}

impl Actor {
    /// Number of its host.
    pub const fn host(&self) -> usize {
        self.host as usize
    }

    /// Number of the flow it serves.
    pub const fn flow(&self) -> usize {
        self.flow as usize
    }

    /// The connection.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The route of the packets of subflow `index`, once it has sent one.
    pub fn route(&self, index: usize) -> Option<RouteId> {
        self.ways.get(index).and_then(|way| way.route)
    }

    /// The application.
    pub const fn app(&self) -> &App {
        &self.app
    }
}

/// A flow that starts at some time: who connects to whom, and what both do then.
#[derive(Clone, Debug)]
pub struct FlowStart {
    /// When.
    pub at: Time,
    /// The client's host.
    pub client: usize,
    /// Source address.
    pub from: IpAddr,
    /// Server address and port.
    pub to: std::net::SocketAddr,
    /// The client's socket.
    pub options: SocketOptions,
    /// What the client does.
    pub app: AppSpec,
}

/// All hosts and connections of a simulation.
#[derive(Clone, Debug)]
pub struct World {
    hosts: Vec<Host>,
    actors: Vec<Actor>,
    flows: Vec<FlowStart>,
    /// The next flow to start, in order of time.
    next_flow: usize,
    /// The engine's number of the actor that starts flows.
    starter: Option<u32>,
    /// Flows in the order in which they start.
    start_order: Vec<usize>,
    /// Which host is at the end of each route.
    ends: Vec<u32>,
    changes: Vec<HostChange>,
    tap: Tap,
    doors: door::Doors,
    /// Flows whose client has finished.
    finished: usize,
}

impl World {
    /// Hosts without connections. `ends` says which host is at the end of each route of the
    /// network.
    pub fn new(hosts: Vec<HostConfig>, ends: Vec<u32>, seed: Seed, log_events: bool) -> Self {
        let mut hosts = hosts;
        share_configs(&mut hosts);
        let hosts = hosts
            .into_iter()
            .map(|config| Host {
                addresses: config.addresses.iter().map(|(_, addr)| *addr).collect(),
                mib: Mib::default(),
                log: EventLog::new(log_events),
                random: Stream::new(seed, &format!("host.{}", config.name)),
                ports: EphemeralPorts::default(),
                active: ActiveMptcp::default(),
                fast_open: {
                    let mut key = Stream::new(seed, &format!("host.{}.fast-open", config.name));
                    FastOpenCookies::new([key.next_u64(), key.next_u64()])
                },
                cookies: SynCookies::new(
                    Stream::new(seed, &format!("host.{}.cookies", config.name)).next_u64(),
                ),
                listeners: Vec::new(),
                tokens: BTreeMap::new(),
                routes: BTreeMap::new(),
                source_routes: BTreeMap::new(),
                down: Vec::new(),
                interfaces: config.endpoints.multipath.clone(),
                changed: Vec::new(),
                address_worker: Time::NEVER,
                netlink: Netlink::new(config.addresses.clone(), config.daemon.clone()),
                unroutable: 0,
                config,
            })
            .collect();
        Self {
            hosts,
            actors: Vec::new(),
            flows: Vec::new(),
            next_flow: 0,
            starter: None,
            start_order: Vec::new(),
            ends,
            changes: Vec::new(),
            tap: Tap::default(),
            doors: door::Doors::default(),
            finished: 0,
        }
    }

    /// Packets from `src` to `dst` take `route`.
    pub fn add_route(&mut self, host: usize, src: IpAddr, dst: IpAddr, route: RouteId) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.routes.entry((src, dst)).or_insert(route);
        }
    }

    /// Packets from `src` to `dst` that are to pass these gateways take `route`.
    pub fn add_source_route(
        &mut self,
        host: usize,
        (src, dst): (IpAddr, IpAddr),
        gateways: SourceRoute,
        route: RouteId,
    ) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.source_routes.entry((src, dst, gateways)).or_insert(route);
        }
    }

    /// A host listens.
    pub fn listen(&mut self, host: usize, listener: Listener) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.listeners.push(listener);
        }
    }

    /// Adds a flow; call [`World::start`] when all are there. Returns its number.
    pub fn add_flow(&mut self, flow: FlowStart) -> usize {
        self.flows.push(flow);
        self.flows.len() - 1
    }

    /// Adds a change for the timeline; returns the number to put there.
    pub fn add_change(&mut self, change: HostChange) -> u32 {
        self.changes.push(change);
        self.changes.len() as u32 - 1
    }

    /// Begins: the flows will start at their times.
    pub fn start(&mut self, out: &mut Outbox<'_, Packet>) {
        let starter = out.new_endpoint();
        self.starter = Some(starter);
        let mut order: Vec<usize> = (0..self.flows.len()).collect();
        order.sort_by_key(|&flow| self.flows[flow].at);
        self.start_order = order;
        self.start_daemons(out);
        self.wake_starter(out);
    }

    // ---- what one can see ----------------------------------------------------------------

    /// The connections, in the order they were made.
    pub fn actors(&self) -> &[Actor] {
        &self.actors
    }

    /// Number of hosts.
    pub fn host_count(&self) -> usize {
        self.hosts.len()
    }

    /// The configuration of a host.
    pub fn host_config(&self, host: usize) -> Option<&HostConfig> {
        self.hosts.get(host).map(|host| &host.config)
    }

    /// The counters of a host.
    pub fn mib(&self, host: usize) -> Option<&Mib> {
        self.hosts.get(host).map(|host| &host.mib)
    }

    /// Takes the events of a host.
    pub fn drain_events(&mut self, host: usize) -> Vec<Logged> {
        self.hosts.get_mut(host).map(|host| host.log.drain().collect()).unwrap_or_default()
    }

    /// Collects what hosts send and receive from now on.
    pub fn set_tap(&mut self, tap: Tap) {
        self.tap = tap.with_activities(&mut self.tap);
    }

    /// What hosts sent and received.
    pub const fn tap(&mut self) -> &mut Tap {
        &mut self.tap
    }

    /// Watches how active these interfaces are, from now on.
    pub fn watch(&mut self, watched: Vec<Watched>) {
        self.tap.watch(watched);
    }

    /// The activity of the interfaces that are watched, in their order.
    pub fn activities(&self) -> &[Activity] {
        self.tap.activities()
    }

    /// True if the tap should be emptied before the simulation goes on.
    pub const fn tap_is_full(&self) -> bool {
        self.tap.is_full()
    }

    /// Number of flows whose client has finished.
    pub const fn finished_flows(&self) -> usize {
        self.finished
    }

    /// Number of flows.
    pub fn flow_count(&self) -> usize {
        self.flows.len()
    }

    // ---- starting flows ------------------------------------------------------------------

    fn wake_starter(&mut self, out: &mut Outbox<'_, Packet>) {
        let flow = self.start_order.get(self.next_flow).map(|&flow| self.flows[flow].at);
        let worker = self.hosts.iter().map(|host| host.address_worker).min();
        let next = flow.into_iter().chain(worker).min().unwrap_or(Time::NEVER);
        if let Some(starter) = self.starter {
            out.set_due(starter, next);
        }
    }

    fn start_due_flows(&mut self, now: Time, out: &mut Outbox<'_, Packet>) {
        while let Some(&flow) = self.start_order.get(self.next_flow)
            && self.flows[flow].at <= now
        {
            self.next_flow += 1;
            self.start_flow(now, flow, out);
        }
        self.wake_starter(out);
    }

    fn start_flow(&mut self, now: Time, flow: usize, out: &mut Outbox<'_, Packet>) {
        let FlowStart { client, from, to, options, app, .. } = self.flows[flow].clone();
        if self.doors.has(client) {
            return;
        }
        let endpoint = self.new_actor_number(out);
        let Some(host) = self.hosts.get_mut(client) else { return };
        let tuple = FourTuple { src: std::net::SocketAddr::new(from, host.ports.take()), dst: to };
        let key = host.unused_key(endpoint, true);
        let mut env = host.env(now, endpoint);
        let connection = Connection::connect(&mut env, Opening { key, tuple, iss: None }, options);
        self.add_actor(now, client as u32, flow, connection, &app);
        self.write_with_syn(now, endpoint, out);
        self.run_actor(now, endpoint, out);
    }

    fn add_actor(
        &mut self,
        now: Time,
        host: u32,
        flow: usize,
        connection: Connection,
        app: &AppSpec,
    ) {
        let (flow, app) = (flow as u32, App::new(app, now));
        self.actors.push(Actor { host, flow, connection, app, ways: Vec::new() });
    }

    /// The number of the next connection; the engine's endpoint numbers run one ahead, because
    /// the first endpoint starts flows.
    fn new_actor_number(&mut self, out: &mut Outbox<'_, Packet>) -> u32 {
        let _ = out.new_endpoint();
        self.actors.len() as u32
    }
}

/// Lets hosts with the same settings share them: then they stay in the cache.
fn share_configs(hosts: &mut [HostConfig]) {
    let mut known: Vec<Arc<TcpConfig>> = Vec::new();
    for host in hosts {
        match known.iter().find(|config| config.same(&host.tcp)) {
            Some(config) => host.tcp = Arc::clone(config),
            None => known.push(Arc::clone(&host.tcp)),
        }
    }
}

impl Host {
    /// A key whose token no other connection of the host has (RFC 8684 section 3.1), and which is
    /// connection `number`'s from now on; none if the host gives up looking for one.
    fn unused_key(&mut self, number: u32, client: bool) -> Option<Key> {
        let key = self.draw_key(client)?;
        self.tokens.insert(token(key, self.config.tcp.rules.version), number);
        Some(key)
    }

    /// The same, but nobody's yet.
    fn draw_key(&mut self, client: bool) -> Option<Key> {
        let rules = self.config.tcp.rules;
        let attempts = rules.key_draws.map(|draws| draws[usize::from(!client)]);
        let taken = |token| self.tokens.contains_key(&token);
        draw_key(&mut self.random, rules.version, attempts, taken)
    }
}

impl Hosts for World {
    type Packet = Packet;

    fn on_packet(
        &mut self,
        now: Time,
        route: RouteId,
        packet: Packet,
        out: &mut Outbox<'_, Packet>,
    ) {
        // An echo request is answered below TCP, whatever it holds.
        if packet.protocol == Protocol::IcmpEcho {
            return;
        }
        if self.tap.is_enabled() {
            self.tap_arrival(now, route, &packet, out);
        }
        if self.doors.any() && self.deliver_to_door(now, route, &packet, out) {
            return;
        }
        if let Some(Binding { connection, subflow }) = out.tables().tuples.binding(packet.tuple) {
            self.deliver(now, connection, subflow as usize, route, &packet, out);
        } else if self.tap.notes_options() {
            self.note_unbound(now, route, &packet, out);
        } else {
            self.on_unbound(now, route, &packet, out);
        }
    }

    #[inline]
    fn expect(&self, flow: u64, step: usize, tables: &Tables) {
        let (tuple, tuples) = (TupleId(flow as u32), &tables.tuples);
        if step == 0 {
            tuples.prefetch(tuple);
        } else if let Some(binding) = tuples.binding(tuple) {
            self.bring_near(binding, step);
        }
    }

    fn on_wake(&mut self, now: Time, endpoint: u32, out: &mut Outbox<'_, Packet>) {
        let Some(number) = endpoint.checked_sub(1) else {
            self.run_address_workers(now, out);
            self.start_due_flows(now, out);
            return;
        };
        let Some(mut turn) = self.turn(now, number, out) else { return };
        turn.actor.connection.on_timer(&mut turn.env);
        if turn.run() {
            self.run_commands(now, number, out);
        }
    }

    fn on_change(&mut self, now: Time, change: u32, out: &mut Outbox<'_, Packet>) {
        if let Some(change) = self.changes.get(change as usize).cloned() {
            self.change(now, change, out);
        }
    }
}

impl World {
    /// The packet as the host at the end of `route` reads it: without the options it skips.
    #[cold]
    fn heard(&self, route: RouteId, packet: &Packet) -> Packet {
        let mut heard = packet.clone();
        let host = self.ends.get(route.0 as usize).and_then(|host| self.hosts.get(*host as usize));
        if let Some(host) = host {
            drop_unheard(&mut heard.segment, host.config.tcp.rules.version);
        }
        heard
    }

    /// A segment that belongs to no connection yet: its options are noted with the connection it
    /// opens or joins, before whatever that causes.
    #[cold]
    fn note_unbound(
        &mut self,
        now: Time,
        route: RouteId,
        packet: &Packet,
        out: &mut Outbox<'_, Packet>,
    ) {
        let host = self.ends.get(route.0 as usize).copied();
        let log = |world: &Self| host.map_or(0, |host| world.hosts[host as usize].log.mark());
        let mark = log(self);
        self.on_unbound(now, route, packet, out);
        let behind = log(self);
        if let Some(host) = host {
            self.note_options(now, host, packet, out);
            if log(self) > behind {
                self.hosts[host as usize].log.move_last_to(mark);
            }
        }
    }

    fn note_options(&mut self, at: Time, host: u32, packet: &Packet, out: &mut Outbox<'_, Packet>) {
        if let Some(binding) = out.tables().tuples.binding(packet.tuple) {
            let log = &mut self.hosts[host as usize].log;
            log.about(binding.connection);
            log.options(at, binding.subflow as usize, false, &packet.segment);
        }
    }

    #[cold]
    fn tap_arrival(
        &mut self,
        at: Time,
        route: RouteId,
        packet: &Packet,
        out: &mut Outbox<'_, Packet>,
    ) {
        let host = self.ends.get(route.0 as usize).copied();
        if let (Some(host), Some(tuple)) = (host, out.tables().tuples.tuple(packet.tuple)) {
            if self.tap.notes_options() {
                self.note_options(at, host, packet, out);
            }
            let segment = packet.segment.clone();
            self.tap.push(Tapped { at, host: host as usize, sent: false, tuple, segment });
            if self.tap.is_full() {
                out.request_stop();
            }
        }
    }

    #[inline]
    fn deliver(
        &mut self,
        now: Time,
        number: u32,
        subflow: usize,
        route: RouteId,
        packet: &Packet,
        out: &mut Outbox<'_, Packet>,
    ) {
        let heard;
        let packet = if packet.segment.rare.is_some() {
            heard = self.heard(route, packet);
            &heard
        } else {
            packet
        };
        let Some(mut turn) = self.turn(now, number, out) else { return };
        let connection = &mut turn.actor.connection;
        if connection.subflow(subflow).is_some_and(|sub| sub.state() == State::Closed) {
            self.on_stray(route, packet, out);
            return;
        }
        connection.on_segment(&mut turn.env, subflow, &packet.segment);
        if turn.run() {
            self.run_commands(now, number, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::mib::Counter;
    use crate::rules::Stack;

    fn world(stack: Stack) -> World {
        let rules = stack.rules();
        let tcp = TcpConfig::new(rules);
        let host = HostConfig {
            name: "host".into(),
            tcp: tcp.into(),
            endpoints: endpoints::Config::default(),
            addresses: Vec::new(),
            daemon: None,
        };
        World::new(vec![host], Vec::new(), Seed(1), false)
    }

    /// The tokens of the next `count` keys are in use.
    fn use_up(host: &mut Host, count: usize) {
        let version = host.config.tcp.rules.version;
        let mut ahead = host.random.clone();
        for _ in 0..count {
            host.tokens.insert(token(Key(ahead.next_u64()), version), 7);
        }
    }

    /// Row 24 of the table of fallbacks: no token is free.
    #[test]
    fn row_24_the_upstream_line_gives_up_looking_for_a_token() {
        for (client, draws) in [(true, 4), (false, 5)] {
            let mut world = world(Stack::Upstream);
            use_up(&mut world.hosts[0], draws - 1);
            assert!(world.hosts[0].unused_key(1, client).is_some());
            use_up(&mut world.hosts[0], draws);
            assert_eq!(world.hosts[0].unused_key(2, client), None);
        }
    }

    #[test]
    fn row_24_without_a_token_a_client_is_plain_tcp() {
        let mut world = world(Stack::Upstream);
        let (src, dst) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
        let opening = Opening { key: None, tuple: FourTuple { src, dst }, iss: None };
        let mut env = world.hosts[0].env(Time::ZERO, 0);
        let mut client =
            Connection::connect(&mut env, opening, crate::mptcp::SocketOptions::default());
        let (_, syn) = client.poll_segment(&mut env).unwrap();
        assert_eq!(syn.mp_capable(), None);
        assert_eq!(client.mode(), crate::mptcp::Mode::FellBack(Counter::MpFallbackTokenInit));
        assert_eq!(world.hosts[0].mib.get(Counter::MpFallbackTokenInit), 1);
    }

    #[test]
    fn row_24_the_out_of_tree_line_looks_on() {
        let mut world = world(Stack::OutOfTree);
        use_up(&mut world.hosts[0], 50);
        assert!(world.hosts[0].unused_key(1, true).is_some());
    }
}
