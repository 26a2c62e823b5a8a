//! Departures that are known on entry.
//!
//! First in, first out, at one rate and without dice, nothing that comes later
//! changes when a packet leaves. So it is put at the end of the pipe at once,
//! with the time at which it will arrive, and all that is left to do is to
//! notice when its transmission has ended. Before anything about the link
//! changes, the packets that are not sent yet go back to where others wait.

use super::{Flying, Link};
use crate::capacity::{Capacity, Progress, Work};
use crate::packet::Packet;
use crate::pool::Ticket;
use crate::queue::Waiting;
use crate::time::Time;
use crate::trace::{Point, Shared};
use crate::units::Bytes;

impl Link {
    /// True if the departure of a packet that finds the link idle at `now`, and of those behind it,
    /// is fixed.
    pub(super) fn may_schedule(&self, now: Time) -> bool {
        // What left before a change of the delay may arrive later than what would leave now.
        let in_order = |last: &Flying| last.arrival <= now + self.delay;
        matches!(self.capacity, Capacity::Unlimited | Capacity::Fixed(_))
            && self.dice.is_none()
            && self.queue.lets_pass()
            && self.pipe.back().is_none_or(in_order)
    }

    /// When a packet that comes at `now` has left, if departures are fixed and it ever arrives.
    #[inline]
    pub(super) fn departure(&self, now: Time, len: Bytes) -> Option<Time> {
        if !self.scheduling {
            return None;
        }
        let start = self.since.max(now);
        let departure = self.capacity.serve(start, Work::of(len), &mut Progress::default());
        (departure + self.delay != Time::NEVER).then_some(departure)
    }

    /// Puts a packet on its way, behind all others. One alone needs no place in the pipe.
    #[inline]
    pub(super) fn schedule(&mut self, departure: Time, ticket: Ticket) {
        self.since = departure;
        if self.scheduled == 0 {
            match self.sending.take() {
                Some(alone) => self.line_up(self.finish, alone),
                None => {
                    self.finish = departure;
                    if self.pipe.is_empty() {
                        self.sending = Some(ticket);
                        return;
                    }
                }
            }
        }
        self.line_up(departure, ticket);
    }

    #[inline]
    fn line_up(&mut self, departure: Time, ticket: Ticket) {
        self.scheduled += 1;
        self.pipe.push_back(Flying { arrival: departure + self.delay, ticket });
    }

    /// Notices that the transmission under way has ended.
    #[inline(never)]
    pub(super) fn depart<P: Packet>(&mut self, shared: &mut Shared<P>) {
        let (departure, index) = (self.finish, self.propagating());
        self.scheduled = self.scheduled.saturating_sub(1);
        self.finish = match self.pipe.get(index + 1) {
            Some(next) => next.arrival - self.delay,
            None => {
                self.tally.busy += departure - self.tally.busy_since;
                Time::NEVER
            }
        };
        if let Some(Flying { ticket, .. }) = self.pipe.get(index) {
            self.backlog.remove(ticket.len());
            shared.note(Point::Served, departure, self.id, ticket);
        }
    }

    /// Takes back what is not sent yet, as it may leave otherwise from now on.
    pub(super) fn unschedule(&mut self) {
        if std::mem::take(&mut self.scheduling) && !self.is_idle() {
            self.take_back();
        }
    }

    #[cold]
    fn take_back(&mut self) {
        let mut unsent = self.pipe.split_off(self.propagating()).into_iter();
        self.scheduled = 0;
        let alone = self.sending.take();
        let Some(ticket) = alone.or_else(|| Some(unsent.next()?.ticket)) else { return };
        self.since = self.finish - (self.capacity.finish(Time::ZERO, ticket.len()) - Time::ZERO);
        self.resumed = false;
        self.sending = Some(ticket);
        for Flying { ticket, .. } in unsent {
            // Since when it waits is asked only where departures are never fixed.
            self.queue.push(Waiting { since: Time::ZERO, ticket }, |_| 0);
        }
    }
}
