//! Changes of a link while it runs.

use super::{Aside, Link};
use crate::capacity::{Capacity, Work};
use crate::impair::{Dice, Loss};
use crate::packet::Packet;
use crate::queue::Limit;
use crate::time::{Span, Time};
use crate::trace::{Cause, Point, Shared};

/// What changes; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkChange {
    /// How fast it sends. A packet in transmission finishes at the new rate what is left of it.
    pub capacity: Option<Capacity>,
    /// The delay of packets whose transmission ends from now on. Those already on their way keep
    /// theirs and are not overtaken.
    pub delay: Option<Span>,
    /// How packets get lost from now on.
    pub loss: Option<Loss>,
    /// The largest backlog. What already waits may stay.
    pub limit: Option<Limit>,
    /// Down: all that waits or is under way is lost without a word, and nothing enters until the
    /// link is up again.
    pub up: Option<bool>,
}

impl Link {
    /// Applies a change at `now`.
    pub(crate) fn change<P: Packet>(
        &mut self,
        now: Time,
        change: &LinkChange,
        shared: &mut Shared<P>,
    ) {
        self.catch_up(now, shared);
        self.unschedule();
        if let Some(limit) = change.limit {
            self.queue.set_limit(limit);
        }
        if let Some(delay) = change.delay {
            self.delay = delay;
        }
        if let Some(loss) = &change.loss {
            self.set_loss(loss.clone());
        }
        if let Some(capacity) = &change.capacity {
            self.set_capacity(now, capacity.clone());
            self.catch_up(now, shared);
        }
        if let Some(up) = change.up {
            if self.up && !up {
                self.go_down(now, shared);
            }
            self.up = up;
        }
    }

    fn set_loss(&mut self, loss: Loss) {
        if let Some(dice) = &mut self.dice {
            dice.set_loss(loss);
        } else if loss != Loss::None {
            let sent = self.counters().traffic.sent.packets;
            let Aside { seed, impairments, .. } = &*self.aside;
            let dice = Dice::new(impairments.clone(), *seed, &self.name).ok();
            self.dice = dice.map(|mut dice| {
                dice.skip(sent);
                dice.set_loss(loss);
                Box::new(dice)
            });
        }
    }

    fn set_capacity(&mut self, now: Time, capacity: Capacity) {
        let old = std::mem::replace(&mut self.capacity, capacity);
        let progress = std::mem::take(&mut self.aside.progress);
        self.queue.set_rate(self.capacity.mean_rate());
        if let Some(sending) = &self.sending {
            let work = if self.resumed { self.aside.rest } else { Work::of(sending.len()) };
            let rest = old.remaining(self.since, work, now, &progress);
            self.since = now;
            self.aside.rest = rest;
            self.resumed = true;
            self.finish = self.capacity.serve(now, rest, &mut self.aside.progress);
        }
    }

    fn go_down<P: Packet>(&mut self, now: Time, shared: &mut Shared<P>) {
        if let Some(ticket) = self.sending.take() {
            self.drop_waiting(Cause::Down, now, ticket, shared);
            while let Some(waiting) = self.queue.drain() {
                self.drop_waiting(Cause::Down, now, waiting.ticket, shared);
            }
            self.begin(now, shared);
        }
        while let Some(flying) = self.pipe.pop_front() {
            self.aside.incidents.dropped(Cause::Down).add(flying.ticket.len());
            self.aside.dropped_flying.add(flying.ticket.len());
            shared.note(Point::Dropped(Cause::Down), now, self.id, &flying.ticket);
            shared.pool.discard(flying.ticket);
        }
    }
}
