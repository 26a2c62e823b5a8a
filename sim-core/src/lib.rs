//! The engine under mptcpsim: a deterministic discrete-event simulator of packet networks.
//!
//! It knows links, queues, middleboxes, routes and time, and not one word of
//! what the packets mean. Whoever uses it brings a [`packet::Packet`] and
//! [`sim::Hosts`] that send and receive:
//!
//! ```text
//!             Hosts ──► send ──► Net: route ─► Link ─► Middlebox ─► Link ──► on_packet ──► Hosts
//!               ▲                                                                           │
//!               └── on_wake ◄── Calendar: who is due when ◄── set_due ──────────────────────┘
//! ```
//!
//! # Five ideas
//!
//! - **Everything is a thing with a due date**: links, middleboxes, endpoints and the timeline
//!   have one entry each in the [`calendar`]; the loop in [`sim`] wakes whoever is first.
//! - **Links are lazy**: a [`link`] catches up when somebody looks, in exact virtual time, so a
//!   packet costs one event per link, whatever queue, capacity or impairment it meets.
//! - **Packets lie still**: they wait in one slab while small tickets travel from ring to ring.
//! - **Chance has names**: every element has its own random streams ([`rng`]), so that adding one
//!   never changes what another does.
//! - **Time is an integer**: picoseconds ([`time`]); quantities carry their units ([`units`]).
//!
//! # Example
//!
//! A host sends ten packets over a slow link; the other one counts what arrives.
//!
//! ```
//! use mptcpsim_core::capacity::Capacity;
//! use mptcpsim_core::link::LinkConfig;
//! use mptcpsim_core::net::{Net, RouteId};
//! use mptcpsim_core::packet::Packet;
//! use mptcpsim_core::queue::{Limit, QueueConfig};
//! use mptcpsim_core::rng::Seed;
//! use mptcpsim_core::sim::{Hosts, Outbox, Simulation};
//! use mptcpsim_core::time::{Span, Time};
//! use mptcpsim_core::timeline::Timeline;
//! use mptcpsim_core::units::Bytes;
//!
//! #[derive(Clone)]
//! struct Datagram;
//!
//! impl Packet for Datagram {
//!     type Tables = ();
//!     fn len(&self) -> Bytes {
//!         Bytes::new(1_000)
//!     }
//!     fn flow(&self) -> u64 {
//!         0
//!     }
//!     fn is_data(&self) -> bool {
//!         true
//!     }
//!     fn mark_ce(&mut self) -> bool {
//!         false
//!     }
//!     fn corrupt(&mut self, _random: u64) {}
//! }
//!
//! struct Counter {
//!     arrived: u32,
//!     last: Time,
//! }
//!
//! impl Hosts for Counter {
//!     type Packet = Datagram;
//!     fn on_packet(&mut self, now: Time, _: RouteId, _: Datagram, _: &mut Outbox<'_, Datagram>) {
//!         self.arrived += 1;
//!         self.last = now;
//!     }
//!     fn on_wake(&mut self, _: Time, _endpoint: u32, _: &mut Outbox<'_, Datagram>) {}
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let capacity = Capacity::Fixed("8 Mbit/s".parse()?);
//! let slow = LinkConfig::new(capacity, "20 ms".parse()?)
//!     .with_queue(QueueConfig::DropTail { limit: Limit::Packets(6) });
//! let mut builder = Net::builder();
//! let (up, down) = (builder.link("dsl.up", slow.clone()), builder.link("dsl.down", slow));
//! let route = builder.route(&[up], &[down]);
//!
//! let hosts = Counter { arrived: 0, last: Time::ZERO };
//! let mut simulation = Simulation::new(builder.build(Seed(1))?, Timeline::new(), hosts)?;
//! simulation.with_hosts(|_, out| (0..10).for_each(|_| out.send(route, Datagram)));
//! simulation.run_until(Time::ZERO + Span::from_secs(1));
//!
//! // Six fit in the queue: 1 ms each to send, and 20 ms on the way.
//! assert_eq!(simulation.hosts().arrived, 6);
//! assert_eq!(simulation.hosts().last, Time::ZERO + Span::from_ms(26));
//! assert_eq!(simulation.packet_hops(), 6);
//! # Ok(())
//! # }
//! ```

// Time, quantities and chance.
pub mod rng;
pub mod time;
pub mod units;

// A link and its parts.
pub mod capacity;
pub mod impair;
pub mod link;
pub mod packet;
pub mod prefetch;
pub mod queue;

// A network.
pub mod middlebox;
pub mod net;

// The loop, what changes meanwhile, and what can be seen of it.
pub mod calendar;
pub mod sim;
pub mod timeline;
pub mod trace;

// Measuring.
pub mod engine_bench;

mod foresight;
mod pool;

#[cfg(test)]
mod test_packet;
