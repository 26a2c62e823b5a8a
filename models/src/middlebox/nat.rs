//! Network address and port translation (RFC 3022; behaviour as RFC 5382 describes it).
//!
//! Mappings end lazily: a segment that comes after the idle timeout finds none.
//! From inside it then gets a new one, with another port; from outside it is
//! dropped. Addresses inside options (ADD_ADDR) and payload are left as they are.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use mptcpsim_core::middlebox::{Direction, Emit};
use mptcpsim_core::time::{Span, Time};

use super::{Effect, Middlebox, Sight};
use crate::host::{Packet, Protocol, TupleId};
use crate::segment::FourTuple;

#[derive(Clone, Copy, Debug)]
struct Mapping {
    /// The tuple of the other side.
    other: TupleId,
    used_at: Time,
}

/// Gives flows from inside another source address and port.
#[derive(Clone, Debug)]
pub(super) struct Nat {
    /// Which way leads out.
    outwards: Direction,
    address: IpAddr,
    /// What is added to a port.
    port_shift: u16,
    idle: Span,
    /// By the tuple inside.
    inside: BTreeMap<TupleId, Mapping>,
    /// By the tuple outside, as packets go out.
    outside: BTreeMap<TupleId, Mapping>,
    /// Mappings that ended; each moves the ports of new ones by one.
    ended: u16,
}

impl Nat {
    pub(super) fn new(outwards: Direction, address: IpAddr, port_shift: u16, idle: Span) -> Self {
        Self {
            outwards,
            address,
            port_shift,
            idle,
            inside: BTreeMap::new(),
            outside: BTreeMap::new(),
            ended: 0,
        }
    }

    fn translate_out(&mut self, now: Time, packet: &mut Packet, out: &mut Emit<Packet>) -> bool {
        let id = packet.tuple;
        if let Some(mapping) = self.inside.get_mut(&id) {
            if now <= mapping.used_at + self.idle {
                mapping.used_at = now;
                packet.tuple = mapping.other;
                return true;
            }
            let ended = mapping.other;
            self.outside.remove(&ended);
            self.ended = self.ended.wrapping_add(1);
        }
        let tuples = &mut out.tables.tuples;
        let Some(FourTuple { src, dst }) = tuples.tuple(id) else { return false };
        // An echo request has no ports that a NAT could change.
        let shift = match packet.protocol {
            Protocol::Tcp => self.port_shift.wrapping_add(self.ended),
            Protocol::IcmpEcho => 0,
        };
        let src = SocketAddr::new(self.address, src.port().wrapping_add(shift));
        let other = tuples.intern(FourTuple { src, dst });
        self.inside.insert(id, Mapping { other, used_at: now });
        self.outside.insert(other, Mapping { other: id, used_at: now });
        packet.tuple = other;
        true
    }

    fn translate_in(&mut self, now: Time, packet: &mut Packet) -> bool {
        let Some(mapping) = self.outside.get(&packet.tuple.reversed()) else { return false };
        let inside = mapping.other;
        let Some(mapping) = self.inside.get_mut(&inside) else { return false };
        if now > mapping.used_at + self.idle {
            return false;
        }
        mapping.used_at = now;
        packet.tuple = inside.reversed();
        true
    }
}

impl Middlebox for Nat {
    fn kind(&self) -> &'static str {
        "nat"
    }

    fn sees_all_protocols(&self) -> bool {
        true
    }

    fn on_packet(&mut self, sight: &Sight, mut packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let translated = if sight.direction() == self.outwards {
            self.translate_out(sight.now, &mut packet, out)
        } else {
            self.translate_in(sight.now, &mut packet)
        };
        if !translated {
            return Effect::Dropped;
        }
        out.forward(sight.passage, packet);
        Effect::Rewrote
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(self.clone())
    }
}
