//! Two hosts, some paths, one flow: what the end-to-end tests of this package run on.

pub(crate) mod meddle;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mptcpsim_core::capacity::Capacity;
use mptcpsim_core::impair::{self, Impairments, Loss};
use mptcpsim_core::link::{LinkChange, LinkConfig};
use mptcpsim_core::net::Net;
use mptcpsim_core::queue::{Limit, QueueConfig};
use mptcpsim_core::rng::Seed;
use mptcpsim_core::sim::Simulation;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::timeline::{Change, Timeline};
use mptcpsim_core::units::{Bytes, Probability, Rate};
use mptcpsim_models::app::AppSpec;
use mptcpsim_models::congestion;
use mptcpsim_models::host::{Actor, FlowStart, HostChange, HostConfig, Listener, World};
use mptcpsim_models::middlebox::{Filter, Middlebox, Placed, Spec};
use mptcpsim_models::mptcp::SocketOptions;
use mptcpsim_models::observe::mib::Counter;
use mptcpsim_models::path_manager::binder::SourceRoute;
use mptcpsim_models::path_manager::endpoints::{Config, Endpoint, Limits};
use mptcpsim_models::path_manager::userspace::netlink::DynDaemon;
use mptcpsim_models::rules::Stack;
use mptcpsim_models::tcp::TcpConfig;

pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;
const PORT: u16 = 5001;

#[derive(Clone, Debug)]
pub(crate) struct Path {
    pub(crate) rate: u64,
    pub(crate) delay: Span,
    pub(crate) queue_bdp: f64,
    pub(crate) loss: f64,
    /// Data packets lost, counted from 1.
    pub(crate) lost: Vec<u64>,
    /// In place of `loss` and `lost`, in both directions.
    pub(crate) impairments: Option<Impairments>,
    pub(crate) changes: Vec<(Time, LinkChange)>,
    /// In front of the links of both directions, in the order in which a client's segment comes.
    pub(crate) boxes: Vec<(Filter, Box<dyn Middlebox>)>,
}

/// `mbit` Mbit/s, `ms` one way, a queue of one BDP.
pub(crate) fn path(mbit: u64, ms: u64) -> Path {
    Path {
        rate: mbit * 1_000_000,
        delay: Span::from_ms(ms),
        queue_bdp: 1.0,
        loss: 0.0,
        lost: Vec::new(),
        impairments: None,
        changes: Vec::new(),
        boxes: Vec::new(),
    }
}

impl Path {
    pub(crate) fn queue(self, queue_bdp: f64) -> Self {
        Self { queue_bdp, ..self }
    }
    pub(crate) fn loss(self, loss: f64) -> Self {
        Self { loss, ..self }
    }
    pub(crate) fn at(mut self, ms: u64, change: LinkChange) -> Self {
        self.changes.push((Time::ZERO + Span::from_ms(ms), change));
        self
    }
    pub(crate) fn middlebox(self, filter: Filter, spec: &Spec) -> Self {
        self.own_middlebox(filter, spec.build("box", Seed(1)))
    }
    pub(crate) fn own_middlebox(mut self, filter: Filter, middlebox: Box<dyn Middlebox>) -> Self {
        self.boxes.push((filter, middlebox));
        self
    }
    fn queue_packets(&self) -> u64 {
        let bdp = self.rate as f64 * 2.0 * self.delay.as_secs_f64() / 8.0 / 1500.0;
        ((self.queue_bdp * bdp).round() as u64).max(4)
    }
}

pub(crate) struct Lab {
    pub(crate) paths: Vec<Path>,
    pub(crate) client: TcpConfig,
    pub(crate) server: TcpConfig,
    pub(crate) client_endpoints: Config,
    pub(crate) server_endpoints: Config,
    pub(crate) options: SocketOptions,
    pub(crate) server_options: SocketOptions,
    pub(crate) client_app: AppSpec,
    pub(crate) server_app: AppSpec,
    pub(crate) seed: u64,
    pub(crate) events: bool,
    pub(crate) host_changes: Vec<(Time, HostChange)>,
    /// Addresses that the server has; without it one for each path.
    pub(crate) server_addresses: Option<usize>,
    /// Manages the client's paths.
    pub(crate) daemon: Option<Box<dyn DynDaemon>>,
    /// Further paths between the first addresses, through these gateways.
    pub(crate) relays: Vec<(SourceRoute, usize)>,
}

/// Paths of 20 Mbit/s and 10 ms, 10 Mbit/s and 25 ms.
pub(crate) fn unequal_paths() -> Vec<Path> {
    vec![path(20, 10), path(10, 25)]
}

pub(crate) fn addr(host: usize, path: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, path as u8, host as u8 + 1))
}

pub(crate) fn config() -> TcpConfig {
    let rules = Stack::Upstream.rules();
    TcpConfig::new(rules)
}

pub(crate) fn endpoint(id: u8, addr: IpAddr) -> Endpoint {
    Endpoint { id, addr, port: None, subflow: false, signal: false, backup: false, fullmesh: false }
}

pub(crate) fn bulk(bytes: u64) -> AppSpec {
    AppSpec::Bulk { send: Some(Bytes::new(bytes)), until: None, abort: false, delay: Span::ZERO }
}

impl Lab {
    /// An upload of `bytes` over `paths`, joined from every client address.
    pub(crate) fn upload(paths: Vec<Path>, bytes: u64) -> Self {
        let limits = Limits { subflows: 4, add_addr_accepted: 4 };
        let endpoints = (1..paths.len())
            .map(|i| Endpoint { subflow: true, ..endpoint(i as u8, addr(CLIENT, i)) })
            .collect();
        Self {
            paths,
            client: config(),
            server: config(),
            client_endpoints: Config { endpoints, limits, ..Config::default() },
            server_endpoints: Config { limits, ..Config::default() },
            options: SocketOptions::default(),
            server_options: SocketOptions::default(),
            client_app: bulk(bytes),
            server_app: bulk(0),
            seed: 1,
            events: false,
            host_changes: Vec::new(),
            server_addresses: None,
            daemon: None,
            relays: Vec::new(),
        }
    }

    /// The same, server to client.
    pub(crate) fn download(paths: Vec<Path>, bytes: u64) -> Self {
        let lab = Self::upload(paths, 0);
        Self { server_app: bulk(bytes), ..lab }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn congestion(mut self, name: congestion::Name) -> Self {
        self.options.congestion_control = Some(congestion::Congestion::new(name));
        self.server_options.congestion_control = Some(congestion::Congestion::new(name));
        self
    }

    pub(crate) fn build(&self) -> Simulation<World> {
        let mut net = Net::builder();
        let mut ends = Vec::new();
        let mut routes = Vec::new();
        let mut timeline = Vec::new();
        for (i, path) in self.paths.iter().enumerate() {
            let queue = QueueConfig::DropTail { limit: Limit::Packets(path.queue_packets()) };
            let link = LinkConfig::new(Capacity::Fixed(Rate::from_bps(path.rate)), path.delay)
                .with_queue(queue);
            let model = if path.lost.is_empty() {
                Loss::Bernoulli { probability: Probability::new(path.loss).unwrap() }
            } else {
                Loss::Listed(path.lost.clone())
            };
            let impairments = Impairments {
                loss: model,
                loss_of: impair::Filter::Data,
                ..Impairments::default()
            };
            let lossy = link.clone().with_impairments(impairments);
            let downwards = matches!(
                self.client_app,
                AppSpec::Bulk { send: Some(Bytes::ZERO), .. } | AppSpec::Request { .. }
            );
            let (lossy_up, lossy_down) = if let Some(impairments) = &path.impairments {
                let both = link.with_impairments(impairments.clone());
                (both.clone(), both)
            } else if downwards {
                (link, lossy)
            } else {
                (lossy, link)
            };
            let up = net.link(format!("p{i}.up"), lossy_up);
            let down = net.link(format!("p{i}.down"), lossy_down);
            let mut forward = Vec::new();
            for (j, (filter, middlebox)) in path.boxes.iter().enumerate() {
                let (name, seed) = (format!("p{i}.box{j}"), Seed(self.seed));
                let placed = Placed::new(&name, filter.clone(), middlebox.clone(), seed);
                forward.push(net.middlebox(name, Box::new(placed)));
            }
            let mut reverse: Vec<_> = forward.iter().rev().copied().collect();
            forward.push(up);
            reverse.push(down);
            routes.push(net.route(&forward, &reverse));
            ends.extend([SERVER as u32, CLIENT as u32]);
            timeline.extend(path.changes.iter().cloned().map(|change| (i, change)));
        }
        let net = net.build(Seed(self.seed)).unwrap();
        let links = timeline.into_iter().flat_map(|(i, (at, change))| {
            ["up", "down"].map(|dir| {
                let link = net.link_named(&format!("p{i}.{dir}")).unwrap();
                (at, Change::Link(link, change.clone()))
            })
        });
        let links: Vec<_> = links.collect();
        let host = |name: &str, number, tcp: &TcpConfig, endpoints: &Config| HostConfig {
            name: name.into(),
            tcp: tcp.clone().into(),
            endpoints: endpoints.clone(),
            addresses: (0..self.paths.len())
                .filter(|i| number == CLIENT || self.server_addresses.is_none_or(|n| *i < n))
                .map(|i| (format!("eth{i}"), addr(number, i)))
                .collect(),
            daemon: (number == CLIENT).then(|| self.daemon.clone()).flatten(),
        };
        let hosts = vec![
            host("client", CLIENT, &self.client, &self.client_endpoints),
            host("server", SERVER, &self.server, &self.server_endpoints),
        ];
        let mut world = World::new(hosts, ends, Seed(self.seed), self.events);
        for (i, route) in routes.iter().enumerate() {
            world.add_route(CLIENT, addr(CLIENT, i), addr(SERVER, i), *route);
            world.add_route(SERVER, addr(SERVER, i), addr(CLIENT, i), route.reverse());
        }
        for (gateways, path) in &self.relays {
            let (client, server) = (addr(CLIENT, 0), addr(SERVER, 0));
            let route = routes[*path];
            world.add_source_route(CLIENT, (client, server), *gateways, route);
        }
        let host_changes = self.host_changes.iter().cloned();
        let hosts = host_changes.map(|(at, change)| (at, Change::Host(world.add_change(change))));
        let timeline: Timeline = links.into_iter().chain(hosts.collect::<Vec<_>>()).collect();
        let to = SocketAddr::new(addr(SERVER, 0), PORT);
        let flow = world.add_flow(FlowStart {
            at: Time::ZERO,
            client: CLIENT,
            from: addr(CLIENT, 0),
            to,
            options: self.options.clone(),
            app: self.client_app.clone(),
        });
        world.listen(
            SERVER,
            Listener {
                port: PORT,
                addr: None,
                options: self.server_options.clone(),
                app: self.server_app.clone(),
                flow,
            },
        );
        let mut simulation = Simulation::new(net, timeline, world).unwrap();
        simulation.with_hosts(|world, out| world.start(out));
        simulation
    }

    pub(crate) fn run(&self, secs: u64) -> Outcome {
        let mut simulation = self.build();
        simulation.run_until(Time::ZERO + Span::from_secs(secs));
        Outcome { simulation }
    }
}

pub(crate) struct Outcome {
    pub(crate) simulation: Simulation<World>,
}

impl Outcome {
    pub(crate) fn world(&self) -> &World {
        self.simulation.hosts()
    }
    pub(crate) fn client(&self) -> &Actor {
        self.world().actors().iter().find(|actor| actor.connection().is_client()).unwrap()
    }
    pub(crate) fn server(&self) -> &Actor {
        self.world().actors().iter().find(|actor| !actor.connection().is_client()).unwrap()
    }
    /// The end that received the data.
    pub(crate) fn receiver(&self) -> &Actor {
        let (client, server) = (self.client(), self.server());
        if client.app().ledger().bytes() > server.app().ledger().bytes() { client } else { server }
    }
    pub(crate) fn completion(&self) -> Span {
        let start = self.client().app().ledger().started_at();
        self.receiver().app().ledger().last_byte_at().unwrap() - start
    }
    /// Mbit/s from the start to the last byte.
    pub(crate) fn goodput(&self) -> f64 {
        let bytes = self.receiver().app().ledger().bytes();
        bytes as f64 * 8e-6 / self.completion().as_secs_f64()
    }
    /// Share of received bytes that came over subflow `index`.
    pub(crate) fn share(&self, index: usize) -> f64 {
        let connection = self.receiver().connection();
        let of = |index| {
            connection
                .subflow_statistics(index)
                .map_or(0, |s| s.delivered_bytes + s.duplicate_bytes)
        };
        let total: u64 = (0..connection.subflow_count()).map(of).sum();
        of(index) as f64 / total as f64
    }
    pub(crate) fn counter(&self, host: usize, counter: Counter) -> u64 {
        self.world().mib(host).unwrap().get(counter)
    }
    pub(crate) fn retransmissions(&self, index: usize) -> u64 {
        [self.client(), self.server()]
            .iter()
            .filter_map(|actor| actor.connection().subflow(index))
            .map(|subflow| subflow.totals().retransmissions)
            .sum()
    }
}
