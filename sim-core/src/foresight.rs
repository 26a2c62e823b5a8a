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

/// What is to be brought near for an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nothing more.
    #[default]
    Nothing,
    /// The queues of a link, and of the one that a packet goes on to.
    Queues(u32, u32),
    /// Where in the calendar a link will stand next, and the one that a packet goes on to.
    Dates(u32, u32),
    /// The queue of a link, and whose the packet in a slot is.
    Flow(u32, u32),
    /// What a packet of a flow meets at its host, which has been told so many times.
    Host(u64, u8),
    /// Where on the tape the route of an answer begins.
    Start(RouteId),
    /// The link that stands there.
    FirstLink(RouteId),
    /// The queue of that link.
    Entrance(u32),
}

/// Events from one step to the next.
const PACE: usize = 3;
/// Steps of an event after the first.
const STEPS: usize = 5;
/// Events that are remembered: enough for all steps.
const REMEMBERED: usize = 16;
const _: () = assert!(REMEMBERED > PACE * STEPS);
/// How many links are foreseen at a time: a few more than their events have steps.
const ENOUGH: usize = 20;

/// The events that are to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Foresight {
    events: [Wanted; REMEMBERED],
    next: usize,
    /// How many links are foreseen and not yet due.
    pub(crate) links: usize,
    /// Who is to be foreseen next.
    pub(crate) told: Option<ActorId>,
}

impl Foresight {
    pub(crate) const fn is_enough(&self) -> bool {
        self.links >= ENOUGH
    }

    /// Takes in one more. Those that came [`PACE`] events ago, or a multiple of it, take a `step`.
    #[inline]
    pub(crate) fn note(&mut self, event: Wanted, step: impl Fn(&mut Wanted)) {
        for age in 1..=STEPS {
            let event = &mut self.events[(self.next + REMEMBERED - age * PACE) % REMEMBERED];
            if *event != Wanted::Nothing {
                step(event);
            }
        }
        self.events[self.next] = event;
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
        let mut foresight = Foresight::default();
        for event in 0..64u8 {
            let step = |wanted: &mut Wanted| {
                let Wanted::Host(flow, step) = wanted else { panic!("{wanted:?}") };
                taken.borrow_mut().push((*flow, *step, event));
                *step += 1;
            };
            foresight.note(Wanted::Host(u64::from(event), 0), step);
        }
        let mut of_the_tenth = taken.into_inner();
        of_the_tenth.retain(|(flow, ..)| *flow == 10);
        let steps = [(10, 0, 13), (10, 1, 16), (10, 2, 19), (10, 3, 22), (10, 4, 25)];
        assert_eq!(of_the_tenth, steps);
    }
}
