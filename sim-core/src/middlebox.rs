//! Boxes between links that look into packets: NATs, firewalls, proxies.
//!
//! A box sits in routes, sees both directions of each, and may stand in the
//! routes of many paths at once. It takes no time; a box that holds packets
//! back says when it is due.

use crate::net::RouteId;
use crate::packet::Packet;
use crate::time::Time;

/// Which of the two routes of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The first of the pair.
    Forward,
    /// The other.
    Reverse,
}

/// Where and which way a packet passes a box: where to go on, or back.
///
/// A box that holds a packet back keeps its passage with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Passage {
    route: RouteId,
    pub(crate) position: u32,
}

impl Passage {
    /// A passage outside a network, for trying a box alone.
    pub fn on(route: RouteId) -> Self {
        Self { route, position: 0 }
    }

    pub(crate) fn at(route: RouteId, position: u32) -> Self {
        Self { route, position }
    }

    /// The route of the packet.
    pub fn route(self) -> RouteId {
        self.route
    }

    /// Its direction.
    pub fn direction(self) -> Direction {
        self.route.direction()
    }
}

/// Which way a box sends a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// On, along its route.
    Forward,
    /// Towards where packets of this route come from.
    Back,
}

/// A packet that leaves a box.
#[derive(Clone, Debug, PartialEq)]
pub struct Emission<P> {
    /// Where it passed.
    pub passage: Passage,
    /// Which way it goes.
    pub way: Way,
    /// The packet.
    pub packet: P,
}

/// What a box sends, in order, and the tables that it shares with hosts and other boxes.
#[derive(Clone, Debug)]
pub struct Emit<P: Packet> {
    emissions: Vec<Emission<P>>,
    /// What packets refer to by number.
    pub tables: P::Tables,
}

impl<P: Packet> Default for Emit<P> {
    fn default() -> Self {
        Self { emissions: Vec::new(), tables: P::Tables::default() }
    }
}

impl<P: Packet> Emit<P> {
    /// Sends a packet on along the route of `passage`.
    pub fn forward(&mut self, passage: Passage, packet: P) {
        self.emissions.push(Emission { passage, way: Way::Forward, packet });
    }

    /// Sends a packet towards where packets of `passage` come from.
    pub fn back(&mut self, passage: Passage, packet: P) {
        self.emissions.push(Emission { passage, way: Way::Back, packet });
    }

    /// Takes out what was sent.
    pub fn drain(&mut self) -> impl Iterator<Item = Emission<P>> {
        self.emissions.drain(..)
    }
}

/// A box on the way.
///
/// What it does not send on or back is gone. What several boxes send at one time moves in the
/// order in which it was sent, each packet one box at a time.
pub trait Middlebox<P: Packet>: Send {
    /// What kind of box it is, for reports.
    fn name(&self) -> &str;

    /// A packet comes.
    fn on_packet(&mut self, now: Time, passage: Passage, packet: P, out: &mut Emit<P>);

    /// When it wants to act by itself.
    fn due(&self) -> Time {
        Time::NEVER
    }

    /// It is due. The due date must change, or it is due again at once.
    fn on_timer(&mut self, _now: Time, _out: &mut Emit<P>) {}

    /// A copy, for forking a simulation.
    fn clone_box(&self) -> Box<dyn Middlebox<P>>;
}

impl<P: Packet> Clone for Box<dyn Middlebox<P>> {
    fn clone(&self) -> Self {
        self.clone_box()
    }
}
