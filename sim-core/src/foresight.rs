//! What the next events will meet, brought near step by step.
//!
//! With thousands of flows the state of links, packets and connections does not fit into the caches
//! near the processor, and each event would wait for several lines of it, one after the other: the
//! link says which packet comes, the packet whose it is, the connection where its queues are. So
//! what an event will meet is asked for a step at a time, with other events in between, and nobody
//! waits. It changes no result.
//!
//! What a packet will meet on its next link is brought near when the one before it moves on, and
//! what it will meet at its host when it comes to its last link. In networks of so many links that
//! it would be gone again before it is needed ([`MANY_LINKS`]), both wait until the packet is one of
//! the next to move, as the calendar knows.

use crate::calendar::ActorId;
use crate::net::{Place, RouteId};
use crate::pool::Ticket;

/// From so many links on, the calendar is asked what comes.
pub(crate) const MANY_LINKS: usize = 4_096;

/// What a link will do when it is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coming {
    /// Where the next packet goes from it.
    pub(crate) to: Place,
    /// And in which slot that packet lies.
    pub(crate) slot: u32,
    /// Where on the tape of routes it is now.
    pub(crate) position: u32,
    /// This is foreseen already.
    pub(crate) foreseen: bool,
}

impl Coming {
    #[inline]
    pub(crate) fn note(&mut self, ticket: &Ticket) {
        let Ticket { next, position, .. } = *ticket;
        *self = Self { to: next, slot: ticket.place(), position, ..*self };
    }
}

/// A packet that goes on from one link to another soon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) link: u32,
    pub(crate) next: u32,
}

/// A packet that is at the end of its route soon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The flow it belongs to, once it is known.
    pub(crate) flow: Option<u64>,
    /// Where it comes from, unless that is near already.
    pub(crate) from: Option<LastLink>,
}

/// Where a packet is that arrives soon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastLink {
    pub(crate) link: u32,
    /// The slot in which it lies.
    pub(crate) slot: u32,
    /// The route that an answer takes.
    pub(crate) answer: RouteId,
}

/// What comes of a link that will be due.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Foreseen {
    Move(Move),
    Arrival(Arrival),
}

/// How many links are foreseen at a time: a few more than what they foresee takes to be near.
const ENOUGH: usize = 36;

/// How often [`Hosts::expect`](crate::sim::Hosts::expect) is called for a packet.
pub const EXPECT_STEPS: usize = 5;

/// The events that are to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Foresight {
    pub(crate) moves: Ahead<Move, 4, 2>,
    /// There are fewer of them, so each takes a step whenever another one comes.
    pub(crate) arrivals: Ahead<Arrival, 1, EXPECT_STEPS>,
    /// How many links are foreseen and not yet due.
    pub(crate) links: usize,
    /// Who is to be foreseen next.
    pub(crate) told: Option<ActorId>,
}

impl Foresight {
    pub(crate) const fn is_enough(&self) -> bool {
        self.links >= ENOUGH
    }
}

/// Events of one kind, each of which takes a step when as many as the pace have come after it, and again when
/// as many more have.
#[derive(Clone, Debug)]
pub(crate) struct Ahead<T, const PACE: usize, const STEPS: usize> {
    events: [Option<T>; REMEMBERED],
    next: usize,
}

/// Events of a kind that are remembered.
const REMEMBERED: usize = 16;

impl<T: Copy, const PACE: usize, const STEPS: usize> Default for Ahead<T, PACE, STEPS> {
    fn default() -> Self {
        const { assert!(PACE * STEPS < REMEMBERED) };
        Self { events: [None; REMEMBERED], next: 0 }
    }
}

impl<T: Copy, const PACE: usize, const STEPS: usize> Ahead<T, PACE, STEPS> {
    /// Takes in one more. Those before whose turn it is take a step, the first one 0.
    #[inline]
    pub(crate) fn note(&mut self, event: T, step: impl Fn(usize, &mut T)) {
        for number in 0..STEPS {
            let place = (self.next + REMEMBERED - (number + 1) * PACE) % REMEMBERED;
            if let Some(event) = &mut self.events[place] {
                step(number, event);
            }
        }
        self.events[self.next] = Some(event);
        self.next = (self.next + 1) % REMEMBERED;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn each_takes_its_steps_at_the_pace_of_events() {
        let taken = RefCell::new(Vec::new());
        let mut ahead = Ahead::<u32, 3, 5>::default();
        for event in 0..64 {
            ahead.note(event, |step, earlier| taken.borrow_mut().push((*earlier, step, event)));
        }
        let mut of_the_tenth = taken.into_inner();
        of_the_tenth.retain(|(event, ..)| *event == 10);
        assert_eq!(of_the_tenth, [(10, 0, 13), (10, 1, 16), (10, 2, 19), (10, 3, 22), (10, 4, 25)]);
    }
}
