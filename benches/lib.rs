//! Networks and flows that the benches and measurements of this package run on.
//!
//! They are the workloads of `mptcpsim bench`, built without a scenario: packets of 1500 bytes,
//! drop-tail queues of one bandwidth-delay product, an acknowledgement for every segment,
//! buffers that never limit, Reno.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mptcpsim_core::capacity::Capacity;
use mptcpsim_core::link::LinkConfig;
use mptcpsim_core::net::{Element, Net, NetBuilder, RouteId};
use mptcpsim_core::queue::{Limit, QueueConfig};
use mptcpsim_core::rng::Seed;
use mptcpsim_core::sim::Simulation;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::timeline::Timeline;
use mptcpsim_core::units::{Bytes, Rate};
use mptcpsim_models::app::{AppSpec, Script};
use mptcpsim_models::congestion;
use mptcpsim_models::host::{FlowStart, HostConfig, Listener, Packet, World};
use mptcpsim_models::mptcp::SocketOptions;
use mptcpsim_models::path_manager::endpoints::{Config, Endpoint, Limits};
use mptcpsim_models::rules::Stack;
use mptcpsim_models::sysctl::BufferLimits;
use mptcpsim_models::tcp::TcpConfig;

const PORT: u16 = 5001;
/// Links to and from a shared bottleneck.
const ACCESS: Line = Line { mbit: 10_000, delay: Span::from_us(10), queue: 10_000 };

/// A link in each direction.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Mbit/s.
    pub mbit: u64,
    /// One way.
    pub delay: Span,
    /// Packets that may wait.
    pub queue: u64,
}

/// Connections with a host of their own at each end.
#[derive(Clone, Debug)]
pub struct Flows {
    /// How many.
    pub connections: u32,
    /// The lines of each connection; more than one makes it an MPTCP connection.
    pub lines: Vec<Line>,
    /// A line that all share, with fast links to and from it.
    pub bottleneck: Option<Line>,
    /// How many of its lines a connection uses.
    pub subflows: usize,
    /// Clients send all the time; otherwise they send one byte and then nothing.
    pub busy: bool,
}

impl Flows {
    /// One TCP flow on one link of 1 Gbit/s and 10 ms.
    pub fn w1() -> Self {
        let line = Line { mbit: 1_000, delay: Span::from_ms(10), queue: 1_666 };
        Self { connections: 1, lines: vec![line], bottleneck: None, subflows: 1, busy: true }
    }

    /// One MPTCP connection over two links of 100 Mbit/s, 10 and 20 ms.
    pub fn w2() -> Self {
        let near = Line { mbit: 100, delay: Span::from_ms(10), queue: 166 };
        let far = Line { mbit: 100, delay: Span::from_ms(20), queue: 333 };
        Self { connections: 1, lines: vec![near, far], bottleneck: None, subflows: 2, busy: true }
    }

    /// TCP flows through one link of 10 Gbit/s and 4.98 ms.
    pub fn w4(connections: u32) -> Self {
        let bottleneck = Line { mbit: 10_000, delay: Span::from_us(4_980), queue: 8_333 };
        let lines = vec![ACCESS];
        Self { connections, lines, bottleneck: Some(bottleneck), subflows: 1, busy: true }
    }

    /// One MPTCP connection that has opened `subflows` of 8 possible subflows and rests.
    pub fn idle(subflows: usize) -> Self {
        let line = Line { mbit: 100, delay: Span::from_ms(10), queue: 166 };
        Self { connections: 1, lines: vec![line; 8], bottleneck: None, subflows, busy: false }
    }

    /// A simulation in which all flows start at once.
    ///
    /// # Errors
    /// If the network is impossible.
    pub fn start(&self) -> Result<Simulation<World>, Error> {
        let mut net = Net::builder();
        let shared = self.bottleneck.map(|line| add_line(&mut net, "bottleneck", line));
        let mut ends = Vec::new();
        let mut routes = Vec::new();
        for connection in 0..self.connections {
            for (path, line) in self.lines.iter().enumerate() {
                routes.push(add_path(&mut net, &format!("{connection}.{path}"), *line, shared));
                ends.extend([2 * connection + 1, 2 * connection]);
            }
        }
        let net = net.build(Seed(1))?;
        let hosts = (0..2 * self.connections).map(|host| self.host(host)).collect();
        let mut world = World::new(hosts, ends, Seed(1), false);
        for (number, route) in routes.into_iter().enumerate() {
            let (connection, path) = (number / self.lines.len(), number % self.lines.len());
            let (client, server) = (2 * connection as u32, 2 * connection as u32 + 1);
            let (here, there) = (address(client, path), address(server, path));
            world.add_route(client as usize, here, there, route);
            world.add_route(server as usize, there, here, route.reverse());
        }
        for connection in 0..self.connections {
            self.add_flow(&mut world, connection);
        }
        let mut simulation = Simulation::new(net, Timeline::default(), world)?;
        simulation.with_hosts(|world, out| world.start(out));
        Ok(simulation)
    }

    fn add_flow(&self, world: &mut World, connection: u32) {
        let (client, server) = (2 * connection, 2 * connection + 1);
        let options = SocketOptions {
            mptcp: self.lines.len() > 1,
            congestion_control: Some(congestion::Congestion::new(congestion::Name::Reno)),
            ..SocketOptions::default()
        };
        let bulk = |send| AppSpec::Bulk { send, until: None, abort: false, delay: Span::ZERO };
        let byte = Bytes::new(1);
        let busy = bulk(None);
        let script = Script::alike(byte, byte, Span::from_secs(3_600), 2);
        let delay = Span::ZERO;
        let idle = AppSpec::Request { script: script.clone(), delay, server_closes: false };
        let answer = AppSpec::Respond { script, close_after: None };
        let sink = bulk(Some(Bytes::ZERO));
        let (client_app, app) = if self.busy { (busy, sink) } else { (idle, answer) };
        let flow = world.add_flow(FlowStart {
            at: Time::ZERO,
            client: client as usize,
            from: address(client, 0),
            to: SocketAddr::new(address(server, 0), PORT),
            options: options.clone(),
            app: client_app,
        });
        world.listen(server as usize, Listener { port: PORT, addr: None, options, app, flow });
    }

    /// A host; those with even numbers are clients, which join from all their addresses.
    fn host(&self, host: u32) -> HostConfig {
        let rules = Stack::Upstream.rules();
        let mut sysctl = rules.sysctl_defaults();
        let buffer = BufferLimits { min: 4_096, default: 131_072, max: 1 << 26 };
        (sysctl.tcp_rmem, sysctl.tcp_wmem) = (buffer, buffer);
        let addresses = (0..self.lines.len()).map(|path| address(host, path));
        let joining = addresses.clone().enumerate().skip(1).take(self.subflows - 1);
        let joining = joining.filter(|_| host.is_multiple_of(2));
        let endpoints = joining.map(|(path, addr)| Endpoint {
            id: path as u8,
            addr,
            port: None,
            subflow: true,
            signal: false,
            backup: false,
            fullmesh: false,
        });
        let tcp = TcpConfig { sysctl, quickack: true, ..TcpConfig::new(rules) };
        HostConfig {
            name: format!("host {host}"),
            tcp: tcp.into(),
            endpoints: Config {
                endpoints: endpoints.collect(),
                limits: Limits { subflows: 8, add_addr_accepted: 8 },
                ..Config::default()
            },
            addresses: addresses.enumerate().map(|(i, addr)| (format!("eth{i}"), addr)).collect(),
            daemon: None,
        }
    }
}

/// Why a simulation cannot be built.
pub type Error = Box<dyn std::error::Error>;

fn address(host: u32, path: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, path as u8, (host >> 8) as u8, host as u8))
}

/// Adds a link in each direction.
fn add_line(net: &mut NetBuilder<Packet>, name: &str, line: Line) -> [Element; 2] {
    let queue = QueueConfig::DropTail { limit: Limit::Packets(line.queue) };
    let capacity = Capacity::Fixed(Rate::from_bps(line.mbit * 1_000_000));
    let config = LinkConfig::new(capacity, line.delay).with_queue(queue);
    ["up", "down"].map(|direction| net.link(format!("{name}.{direction}"), config.clone()))
}

/// Adds a path of one line, or of three with the one in the middle shared.
fn add_path(
    net: &mut NetBuilder<Packet>,
    name: &str,
    line: Line,
    shared: Option<[Element; 2]>,
) -> RouteId {
    let [up, down] = add_line(net, &format!("in{name}"), line);
    let Some([shared_up, shared_down]) = shared else { return net.route(&[up], &[down]) };
    let [far_up, far_down] = add_line(net, &format!("out{name}"), line);
    net.route(&[up, shared_up, far_up], &[far_down, shared_down, down])
}
