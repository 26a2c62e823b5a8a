//! Packets lie still, tickets travel.
//!
//! A packet is written once, when it is sent, and read once, when it arrives.
//! In between, queues and links move a ticket of a few bytes, as a router
//! moves descriptors and not frames. That keeps rings small and lets one slab
//! hold as many packets as are in flight at once, wherever they are.

use std::num::NonZeroU32;

use crate::net::{Kind, Place, RouteId};
use crate::packet::Packet;
use crate::prefetch::prefetch_some;
use crate::units::Bytes;

/// The right to one packet of a [`Pool`], to be handed back in the end.
///
/// It is cloned only when pool and network are cloned as a whole.
#[derive(Clone, Debug)]
#[must_use = "a ticket that is dropped leaks its packet"]
pub(crate) struct Ticket {
    /// The index of its slot plus one, so that no ticket takes no room.
    slot: NonZeroU32,
    /// Where in the network the packet is: an index into the tape of routes.
    pub(crate) position: u32,
    /// What stands behind that: noted in advance, so that moving on need not wait for the tape.
    pub(crate) next: Place,
    /// The length of the packet, and [`DATA`]: what every queue asks, kept at hand.
    len_and_kind: u32,
}

/// Set in [`Ticket::len_and_kind`] for packets with payload.
const DATA: u32 = 1 << 31;

impl Ticket {
    pub(crate) fn len(&self) -> Bytes {
        Bytes::new(u64::from(self.len_and_kind & !DATA))
    }

    /// The place of its packet.
    pub(crate) fn place(&self) -> u32 {
        index(self.slot) as u32
    }

    pub(crate) fn is_data(&self) -> bool {
        self.len_and_kind & DATA != 0
    }
}

/// A packet or a free place, in cache lines of its own.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Slot<P>(Option<P>);

/// All packets that are under way.
#[derive(Clone, Debug)]
pub(crate) struct Pool<P> {
    slots: Vec<Slot<P>>,
    free: Vec<NonZeroU32>,
}

impl<P> Default for Pool<P> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<P: Packet> Pool<P> {
    pub(crate) fn insert(&mut self, packet: P, position: u32) -> Ticket {
        let len = u32::try_from(packet.len().get()).unwrap_or(u32::MAX) & !DATA;
        let len_and_kind = if packet.is_data() { len | DATA } else { len };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[index(slot)].0 = Some(packet);
                slot
            }
            None => {
                self.slots.push(Slot(Some(packet)));
                NonZeroU32::MIN.saturating_add(self.slots.len() as u32 - 1)
            }
        };
        let next = Place::new(Kind::End(RouteId(0)));
        Ticket { slot, position, next, len_and_kind }
    }

    /// Takes the packet out; there always is one, as tickets are unique.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<P> {
        self.free.push(ticket.slot);
        self.slots[index(ticket.slot)].0.take()
    }

    pub(crate) fn discard(&mut self, ticket: Ticket) {
        self.take(ticket);
    }

    /// A ticket for a copy of the packet.
    pub(crate) fn copy(&mut self, ticket: &Ticket) -> Option<Ticket> {
        let packet = self.get(ticket)?.clone();
        Some(Ticket { next: ticket.next, ..self.insert(packet, ticket.position) })
    }

    /// Brings the packet near, as somebody will ask for it soon.
    #[inline]
    pub(crate) fn prefetch(&self, place: u32) {
        prefetch_some(self.slots.get(place as usize));
    }

    /// What is at the place of a ticket that may have been handed back.
    pub(crate) fn at(&self, place: u32) -> Option<&P> {
        self.slots.get(place as usize)?.0.as_ref()
    }

    pub(crate) fn get(&self, ticket: &Ticket) -> Option<&P> {
        self.slots[index(ticket.slot)].0.as_ref()
    }

    /// Marks the packet if it is ECN-capable.
    pub(crate) fn mark_ce(&mut self, ticket: &Ticket) -> bool {
        self.slots[index(ticket.slot)].0.as_mut().is_some_and(Packet::mark_ce)
    }

    pub(crate) fn corrupt(&mut self, ticket: &Ticket, random: u64) {
        if let Some(packet) = &mut self.slots[index(ticket.slot)].0 {
            packet.corrupt(random);
        }
    }

    pub(crate) fn flow(&self, ticket: &Ticket) -> u64 {
        self.get(ticket).map_or(0, Packet::flow)
    }

    pub(crate) fn id(&self, ticket: &Ticket) -> u64 {
        self.get(ticket).map_or(0, Packet::id)
    }

    /// How many packets are under way.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

fn index(slot: NonZeroU32) -> usize {
    slot.get() as usize - 1
}
