//! The engine alone, for measuring: packets that circulate through links for ever.
//!
//! Hosts send back whatever comes. So every packet-hop costs what the engine
//! costs and nothing else.

use std::num::NonZeroU64;

use thiserror::Error;

use crate::capacity::Capacity;
use crate::link::LinkConfig;
use crate::net::{Net, NetError, RouteId};
use crate::packet::Packet;
use crate::rng::{Seed, Stream};
use crate::sim::{Hosts, Outbox, Simulation, SimulationError};
use crate::time::{Span, Time};
use crate::timeline::Timeline;
use crate::units::{Bytes, Rate};

/// A closed network of first-in-first-out links of 100 Mbit/s and 10 us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedNetwork {
    /// How many links there are.
    pub links: u32,
    /// How many flows; each has a route of its own through links drawn at random.
    pub flows: u32,
    /// How many packets each flow has under way.
    pub window: u32,
    /// How many links a packet passes in each direction.
    pub hops: u32,
}

impl ClosedNetwork {
    /// Flows that share nothing: two links each, 20 packets under way.
    pub const fn disjoint(flows: u32) -> Self {
        Self { links: 2 * flows, flows, window: 20, hops: 1 }
    }

    /// As many links as a FatTree of parameter `k` has (3 k^3 / 4 cables in two directions), eight
    /// flows a host with routes of six links, four packets under way on each.
    pub const fn fat_tree(k: u32) -> Self {
        Self { links: k * k * k * 3 / 2, flows: 2 * k * k * k, window: 4, hops: 6 }
    }
}

/// Why a closed network cannot run.
#[derive(Debug, Error)]
pub enum BenchError {
    /// There is nothing to measure.
    #[error("a closed network needs links, flows and hops")]
    Empty,
    /// The network.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The simulation.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
}

/// A packet as large as one with a TCP segment.
#[derive(Clone, Debug)]
pub struct BenchPacket {
    flow: u64,
    /// Stands for the segment.
    _body: [NonZeroU64; 15],
}

const BODY: [NonZeroU64; 15] = [NonZeroU64::MIN; 15];

impl Packet for BenchPacket {
    type Tables = ();

    /// Slightly different lengths keep links from beating time together.
    fn len(&self) -> Bytes {
        Bytes::new(1_500 - self.flow % 64)
    }

    fn flow(&self) -> u64 {
        self.flow
    }

    fn is_data(&self) -> bool {
        true
    }

    fn mark_ce(&mut self) -> bool {
        false
    }

    fn corrupt(&mut self, _: u64) {}
}

/// Hosts that send back what comes.
#[derive(Clone, Copy, Debug)]
pub struct Echo;

impl Hosts for Echo {
    type Packet = BenchPacket;

    fn on_packet(
        &mut self,
        _: Time,
        route: RouteId,
        packet: BenchPacket,
        out: &mut Outbox<'_, BenchPacket>,
    ) {
        out.send(route.reverse(), packet);
    }

    fn on_wake(&mut self, _: Time, _: u32, _: &mut Outbox<'_, BenchPacket>) {}
}

impl ClosedNetwork {
    /// The network with all packets on their way.
    ///
    /// # Errors
    /// If a number is zero or the network would be too large.
    pub fn start(&self) -> Result<Simulation<Echo>, BenchError> {
        if self.links == 0 || self.flows == 0 || self.hops == 0 {
            return Err(BenchError::Empty);
        }
        let capacity = Capacity::Fixed(Rate::from_bps(100_000_000));
        let config = LinkConfig::new(capacity, Span::from_us(10));
        let mut builder = Net::builder();
        let links: Vec<_> =
            (0..self.links).map(|n| builder.link(format!("{n:06}"), config.clone())).collect();
        // Shuffled, then dealt out: all links carry about the same.
        let mut stream = Stream::new(Seed(1), "bench");
        let mut deck = Vec::new();
        let mut deal = |count: u32| -> Vec<_> {
            let draw = |_| {
                if deck.is_empty() {
                    deck.clone_from(&links);
                }
                deck.swap_remove(stream.below(deck.len() as u64) as usize)
            };
            (0..count).map(draw).collect()
        };
        let routes: Vec<_> = (0..self.flows)
            .map(|_| (deal(self.hops), deal(self.hops)))
            .map(|(forward, reverse)| builder.route(&forward, &reverse))
            .collect();
        let mut simulation = Simulation::new(builder.build(Seed(1))?, Timeline::new(), Echo)?;
        // Flows begin one after the other, for the same reason.
        let gap = Span::from_us(1_300) / u64::from(self.flows);
        for route in routes {
            simulation.run_until(simulation.now() + gap);
            simulation.with_hosts(|_, out| {
                for _ in 0..self.window {
                    out.send(route, BenchPacket { flow: u64::from(route.0), _body: BODY });
                }
            });
        }
        Ok(simulation)
    }

    /// Lets the packets circulate for `duration`, and gives the packet-hops.
    ///
    /// # Errors
    /// If the network cannot be built.
    pub fn run(&self, duration: Span) -> Result<u64, BenchError> {
        let mut simulation = self.start()?;
        simulation.run_until(Time::ZERO + duration);
        Ok(simulation.packet_hops())
    }
}
