//! Doors: hosts whose stack is elsewhere, such as a real kernel behind a network device.
//!
//! The network brings packets to a door and takes others from it; what its stack would do with
//! them is not simulated. Whoever has the stack takes what was delivered, and lets enter what the
//! stack sends. Changes of the host's configuration are handed out in the same way.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mptcpsim_core::net::RouteId;
use mptcpsim_core::sim::Outbox;
use mptcpsim_core::time::Time;

use super::packet::Packet;
use super::turn::find_route;
use super::{HostChange, Protocol, Tapped, World};
use crate::segment::{Flags, FourTuple, Segment};

/// A packet that came to a door.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered {
    /// When.
    pub at: Time,
    /// Number of the host.
    pub host: usize,
    /// The route it came on.
    pub route: RouteId,
    /// Its addresses.
    pub tuple: FourTuple,
    /// The segment.
    pub segment: Segment,
    /// A link damaged it: its TCP checksum is to be wrong.
    pub damaged: bool,
}

/// All doors of a world.
#[derive(Clone, Debug, Default)]
pub(super) struct Doors {
    /// Hosts that are doors.
    hosts: Vec<usize>,
    delivered: Vec<Delivered>,
    changes: Vec<HostChange>,
    /// The way back to an address that a middlebox made up: by host, own address, peer's address.
    ways: BTreeMap<(usize, IpAddr, IpAddr), RouteId>,
}

impl Doors {
    pub(super) const fn any(&self) -> bool {
        !self.hosts.is_empty()
    }

    pub(super) fn has(&self, host: usize) -> bool {
        self.hosts.contains(&host)
    }

    pub(super) fn hand_out(&mut self, change: HostChange) {
        self.changes.push(change);
    }
}

impl World {
    /// Makes a host a door: its stack is elsewhere, and its flows are not started.
    pub fn open_door(&mut self, host: usize) {
        if !self.doors.has(host) {
            self.doors.hosts.push(host);
        }
    }

    /// Takes what has come to doors, in order of time.
    pub fn drain_delivered(&mut self) -> impl Iterator<Item = Delivered> + '_ {
        self.doors.delivered.drain(..)
    }

    /// Takes the changes of hosts that are doors, in order of time.
    pub fn drain_changes(&mut self) -> impl Iterator<Item = HostChange> + '_ {
        self.doors.changes.drain(..)
    }

    /// A segment that the stack behind a door sends. False if it has nowhere to go.
    pub fn enter(
        &mut self,
        host: usize,
        tuple: FourTuple,
        segment: Segment,
        out: &mut Outbox<'_, Packet>,
    ) -> bool {
        let Some(owner) = self.hosts.get_mut(host) else { return false };
        let (src, dst) = (tuple.src.ip(), tuple.dst.ip());
        let known = owner.routes.get(&(src, dst)).copied();
        let route = known
            .or_else(|| self.doors.ways.get(&(host, src, dst)).copied())
            .or_else(|| find_route(&owner.routes, &owner.addresses, tuple));
        let Some(route) = route else {
            owner.unroutable += 1;
            return false;
        };
        if self.tap.is_enabled() {
            let segment = segment.clone();
            self.tap.push(Tapped { at: out.now(), host, sent: true, tuple, segment });
        }
        let number = out.tables().tuples.intern(tuple);
        out.send(route, Packet::new(segment, number));
        true
    }

    /// Takes a packet that has come to a door; false if it is for a host that is simulated.
    #[cold]
    pub(super) fn deliver_to_door(
        &mut self,
        at: Time,
        route: RouteId,
        packet: &Packet,
        out: &mut Outbox<'_, Packet>,
    ) -> bool {
        let host = self.ends.get(route.0 as usize).map(|host| *host as usize);
        let Some(host) = host.filter(|host| self.doors.has(*host)) else { return false };
        let tuple = out.tables().tuples.tuple(packet.tuple);
        if let Some(tuple) = tuple.filter(|_| packet.protocol == Protocol::Tcp) {
            self.doors.ways.insert((host, tuple.dst.ip(), tuple.src.ip()), route.reverse());
            let segment = packet.segment.clone();
            let damaged = segment.flags == Flags::NONE;
            self.doors.delivered.push(Delivered { at, host, route, tuple, segment, damaged });
        }
        true
    }
}
