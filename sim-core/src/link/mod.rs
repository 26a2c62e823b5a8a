//! One direction of a link: queue, transmission, propagation.
//!
//! ```text
//! push ──► queue ──► transmission ──► loss, damage ──► propagation ──► pop
//!          waits     one at a time,   dice             delay, jitter
//!                    capacity
//! ```
//!
//! Links are lazy: nothing happens between two looks at a link. When somebody
//! looks (a packet comes, one is to be taken out, a probe asks), the link first
//! catches up: it finishes transmissions and begins the next, each at the exact
//! time at which that happened, with the dice thrown and the queue discipline
//! asked in that order. So a packet needs one wake-up per link, when it
//! arrives at the far end. Where nothing that comes later can change when a
//! packet leaves, its times are fixed on entry (`schedule`).

mod change;
mod config;
mod counters;
#[cfg(test)]
mod eager;
mod schedule;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::mem::offset_of;

pub use change::LinkChange;
pub use config::{LinkConfig, LinkError};
pub use counters::{Count, Counters, Incidents, Traffic};

use counters::Tally;

use crate::capacity::{Capacity, Progress, Work};
use crate::impair::{Dice, Fate, Impairments};
use crate::packet::Packet;
use crate::pool::Ticket;
use crate::prefetch::{prefetch, prefetch_entrance, prefetch_some};
use crate::queue::{Arrival, Backlog, Queue, Verdict, Waiting};
use crate::rng::{Seed, Stream};
use crate::time::{Span, Time};
use crate::trace::{Cause, Point, Shared};

/// The number of a link, in the order of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// A packet that may not enter, given back.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Ticket);

/// A packet on its way to the far end.
#[derive(Clone, Debug)]
struct Flying {
    arrival: Time,
    ticket: Ticket,
}

/// What is rarely asked for.
#[derive(Clone, Debug)]
struct Aside {
    /// Where dice come from when a change asks for them.
    seed: Seed,
    impairments: Impairments,
    /// Where in a delivery trace the link is.
    progress: Progress,
    /// What was left of the packet in transmission when the capacity changed.
    rest: Work,
    incidents: Incidents,
    /// The part of those dropped as the link went down that had been sent.
    dropped_flying: Count,
}

/// One direction of a link.
///
/// Each quarter is a cache line, of which the third is not asked where departures are fixed: it ends
/// with what waits, and the last one begins with the discipline.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Link {
    id: LinkId,
    up: bool,
    /// The capacity has changed during the transmission.
    resumed: bool,
    /// Departures are fixed on entry: `schedule`.
    scheduling: bool,
    /// How many of the last in the pipe are not sent yet.
    scheduled: u32,
    /// The packet in transmission, if it is not a scheduled one in the pipe.
    sending: Option<Ticket>,
    /// When the transmission under way ends; [`Time::NEVER`] without one.
    finish: Time,
    /// Since when it is sent, at the present capacity; without one, since when the link is idle.
    /// While departures are fixed: from when on it will be idle.
    since: Time,
    backlog: Backlog,

    /// What is on its way, the next arrival first.
    pipe: VecDeque<Flying>,
    delay: Span,
    capacity: Capacity,

    aside: Box<Aside>,
    dice: Option<Box<Dice>>,
    name: String,
    queue: Queue,

    tally: Tally,
}

const _: () = assert!(offset_of!(Link, tally) + size_of::<Tally>() == 256);

impl Link {
    /// The link called `name`; its random streams depend on `seed` and name.
    pub(crate) fn new(
        id: LinkId,
        name: &str,
        config: LinkConfig,
        seed: Seed,
    ) -> Result<Self, LinkError> {
        let LinkConfig { capacity, delay, queue, impairments, up } = config;
        let stream = Stream::new(seed, &format!("link.{name}.queue"));
        let queue = Queue::new(&queue, capacity.mean_rate(), stream)?;
        impairments.loss.check()?;
        let dice = match impairments.is_none() {
            true => None,
            false => Some(Box::new(Dice::new(impairments.clone(), seed, name)?)),
        };
        Ok(Self {
            id,
            up,
            sending: None,
            resumed: false,
            scheduling: false,
            scheduled: 0,
            finish: Time::NEVER,
            since: Time::ZERO,
            capacity,
            delay,
            backlog: Backlog::default(),
            queue,
            pipe: VecDeque::new(),
            dice,
            name: name.to_owned(),
            aside: Box::new(Aside {
                seed,
                impairments,
                progress: Progress::default(),
                rest: Work::default(),
                incidents: Incidents::default(),
                dropped_flying: Count::default(),
            }),
            tally: Tally::default(),
        })
    }

    /// Brings near what most packets meet.
    #[inline]
    pub(crate) fn bring_near(&self) {
        prefetch(&self.id);
        prefetch(&self.delay);
        prefetch(&self.tally.busy);
    }

    /// Brings near its first packets: the one that arrives next, and the one that leaves after the
    /// present one.
    #[inline]
    pub(crate) fn bring_departures_near(&self) {
        prefetch_some(self.pipe.front());
        prefetch_some(self.pipe.get(1).map(|next| &next.arrival));
        self.bring_departure_near();
    }

    /// Brings near when the packet leaves that follows the present one.
    #[inline]
    pub(crate) fn bring_departure_near(&self) {
        prefetch_some(self.pipe.get(self.propagating() + 1).map(|next| &next.arrival));
    }

    /// Brings near where the next packet will be put.
    #[inline]
    pub(crate) fn bring_entrance_near(&self) {
        prefetch_entrance(&self.pipe);
    }

    /// What happened up to the last look at the link. After a run, that is the time of the
    /// simulation.
    pub fn counters(&self) -> Counters {
        let Aside { incidents, dropped_flying, .. } = &*self.aside;
        let waiting = Count { packets: self.backlog.packets, bytes: self.backlog.bytes.get() };
        let mut flying = Count::default();
        for packet in self.pipe.iter().take(self.propagating()) {
            flying.add(packet.ticket.len());
        }
        let dropped_waiting = incidents.dropped_down.without(&[*dropped_flying]);
        let offered = self.tally.offered;
        let Incidents { dropped_queue, dropped_aqm, lost, duplicated, .. } = *incidents;
        let sent = offered.without(&[dropped_queue, dropped_aqm, dropped_waiting, waiting]);
        let delivered = sent.plus(duplicated).without(&[lost, *dropped_flying, flying]);
        let traffic = Traffic { offered, sent, delivered, max_backlog: self.tally.max_backlog };
        Counters { traffic, incidents: *incidents }
    }

    /// What is not yet sent completely.
    pub fn backlog(&self) -> Backlog {
        self.backlog
    }

    /// Packets that are sent and not yet arrived.
    pub fn propagating(&self) -> usize {
        self.pipe.len() - self.scheduled as usize
    }

    /// True if it works.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// How long it has been sending until `now`, the transmission under way included.
    pub fn busy(&self, now: Time) -> Span {
        let current = if self.is_idle() { Span::ZERO } else { now - self.tally.busy_since };
        self.tally.busy + current
    }

    /// Packets suffer nothing; where departures are fixed, that need not be looked up.
    fn meets_no_dice(&self) -> bool {
        self.scheduling || self.dice.is_none()
    }

    fn is_idle(&self) -> bool {
        self.scheduled == 0 && self.sending.is_none()
    }

    /// How long a packet that comes at `now` would wait before its transmission begins,
    /// first in, first out; [`Span::MAX`] if for ever.
    pub fn queueing_delay(&self, now: Time) -> Span {
        if self.scheduling {
            return self.since - now;
        }
        let Some(sending) = &self.sending else { return Span::ZERO };
        let waiting = self.backlog.bytes - sending.len();
        let mut progress = self.aside.progress;
        match self.capacity.serve(self.finish, Work::of(waiting), &mut progress) {
            Time::NEVER => Span::MAX,
            start => start - now,
        }
    }

    /// No packet comes out before this; [`Time::NEVER`] if nothing is under way.
    pub(crate) fn due(&self) -> Time {
        let next = match &self.sending {
            Some(_) => self.in_order(self.finish + self.delay),
            None => Time::NEVER,
        };
        self.pipe.front().map_or(next, |flying| flying.arrival.min(next))
    }

    /// When the packet behind the next one comes out, if it is on its way.
    pub(crate) fn second_due(&self) -> Option<Time> {
        self.pipe.get(1).map(|flying| flying.arrival)
    }

    /// When a packet that comes at `now` would come out, if that is the first thing that will.
    pub(crate) fn due_from(&self, now: Time, ticket: &Ticket) -> Option<Time> {
        let alone = self.is_idle() && self.pipe.is_empty();
        alone.then(|| self.capacity.finish(now, ticket.len()) + self.delay)
    }

    /// The packet that arrives next, if nothing changes.
    pub(crate) fn next_ticket(&self) -> Option<&Ticket> {
        self.pipe.front().map(|flying| &flying.ticket).or(self.sending.as_ref())
    }

    /// Takes a packet in, or gives it back if it is dropped. Gives the due date if it may have
    /// become earlier.
    pub(crate) fn push<P: Packet>(
        &mut self,
        now: Time,
        ticket: Ticket,
        shared: &mut Shared<P>,
    ) -> Result<Option<Time>, Refused> {
        self.catch_up(now, shared);
        let len = ticket.len();
        self.tally.offered.add(len);
        let idle = self.is_idle();
        if let Err(cause) = self.admit(now, idle, &ticket, shared) {
            self.count_drop(cause, now, &ticket, shared);
            return Err(Refused(ticket));
        }
        self.backlog.add(len);
        self.tally.note_backlog(self.backlog);
        shared.note(Point::Enqueued, now, self.id, &ticket);
        if idle {
            self.tally.busy_since = now;
            self.scheduling = self.scheduling || self.may_schedule(now);
        }
        match self.departure(now, len) {
            Some(departure) => self.schedule(departure, ticket),
            None => self.enqueue(now, idle, ticket, shared),
        }
        Ok(idle.then(|| self.due()))
    }

    /// Lets a packet wait, or sends it at once.
    #[inline(never)]
    fn enqueue<P: Packet>(
        &mut self,
        now: Time,
        idle: bool,
        ticket: Ticket,
        shared: &mut Shared<P>,
    ) {
        self.unschedule();
        if idle && self.queue.lets_pass() {
            return self.transmit(now, ticket);
        }
        self.queue.push(Waiting { since: now, ticket }, |ticket| shared.pool.flow(ticket));
        if self.queue.is_fair() {
            self.evict(now, shared);
        }
        if idle {
            self.begin(now, shared);
        }
    }

    /// Gives out the next packet that has arrived at the far end.
    pub(crate) fn pop<P: Packet>(&mut self, now: Time, shared: &mut Shared<P>) -> Option<Ticket> {
        let arrival = self.finish + self.delay;
        let ticket = if arrival <= now && self.pipe.is_empty() && self.meets_no_dice() {
            // Nothing is ahead of the packet in transmission: it need not pass through the pipe.
            let ticket = self.sending.take()?;
            let finish = self.finish;
            self.count_sent(finish, &ticket, shared);
            self.begin(finish, shared);
            self.catch_up(now, shared);
            shared.note(Point::Delivered, arrival, self.id, &ticket);
            ticket
        } else {
            self.catch_up(now, shared);
            if self.pipe.front()?.arrival > now {
                return None;
            }
            let Flying { arrival, ticket } = self.pipe.pop_front()?;
            shared.note(Point::Delivered, arrival, self.id, &ticket);
            ticket
        };
        Some(ticket)
    }

    /// Does all that has happened up to and including `now`.
    #[inline]
    pub(crate) fn catch_up<P: Packet>(&mut self, now: Time, shared: &mut Shared<P>) {
        while self.finish <= now && self.scheduled > 0 {
            self.depart(shared);
        }
        if self.finish <= now {
            self.send_until(now, shared);
        }
    }

    /// The greater part of packets are popped in time, so this stays out of their way.
    #[inline(never)]
    fn send_until<P: Packet>(&mut self, now: Time, shared: &mut Shared<P>) {
        while self.finish <= now
            && let Some(ticket) = self.sending.take()
        {
            let finish = self.finish;
            self.complete(finish, ticket, shared);
            self.begin(finish, shared);
        }
    }

    #[inline]
    fn admit<P: Packet>(
        &mut self,
        now: Time,
        idle: bool,
        ticket: &Ticket,
        shared: &mut Shared<P>,
    ) -> Result<(), Cause> {
        if !self.up {
            return Err(Cause::Down);
        }
        let idle_since = idle.then_some(self.since);
        let arrival = Arrival { now, len: ticket.len(), backlog: self.backlog, idle_since };
        match self.queue.admit(&arrival, || shared.pool.mark_ce(ticket)) {
            Verdict::Pass => Ok(()),
            Verdict::Marked => {
                self.count_mark(now, ticket, shared);
                Ok(())
            }
            Verdict::Drop(cause) => Err(cause),
        }
    }

    /// Begins the transmission of the next packet, if one waits.
    #[inline(always)]
    fn begin<P: Packet>(&mut self, now: Time, shared: &mut Shared<P>) {
        while !self.scheduling
            && let Some((waiting, verdict)) =
                self.queue.next(now, self.backlog, |ticket| shared.pool.mark_ce(ticket))
        {
            let ticket = waiting.ticket;
            match verdict {
                Verdict::Pass => return self.transmit(now, ticket),
                Verdict::Marked => {
                    self.count_mark(now, &ticket, shared);
                    return self.transmit(now, ticket);
                }
                Verdict::Drop(cause) => self.drop_waiting(cause, now, ticket, shared),
            }
        }
        self.tally.busy += now - self.tally.busy_since;
        self.finish = Time::NEVER;
        self.since = now;
        if let Capacity::Trace(_) = self.capacity {
            self.aside.progress = Progress::default();
        }
    }

    #[inline]
    fn transmit(&mut self, now: Time, ticket: Ticket) {
        let work = Work::of(ticket.len());
        self.finish = self.capacity.serve(now, work, &mut self.aside.progress);
        self.since = now;
        self.resumed = false;
        self.sending = Some(ticket);
    }

    /// Ends a transmission: the packet meets its fate.
    #[inline]
    fn complete<P: Packet>(&mut self, now: Time, ticket: Ticket, shared: &mut Shared<P>) {
        self.count_sent(now, &ticket, shared);
        match &mut self.dice {
            None => self.launch(now + self.delay, ticket),
            Some(dice) => {
                let fate = dice.throw(&ticket);
                self.suffer(fate, now, ticket, shared);
            }
        }
    }

    /// A packet leaves the queue at the end of its transmission.
    fn count_sent<P: Packet>(&mut self, now: Time, ticket: &Ticket, shared: &mut Shared<P>) {
        self.backlog.remove(ticket.len());
        shared.note(Point::Served, now, self.id, ticket);
    }

    #[cold]
    #[inline(never)]
    fn suffer<P: Packet>(&mut self, fate: Fate, now: Time, ticket: Ticket, shared: &mut Shared<P>) {
        let Fate::Arrives { jitter, damage, copy } = fate else {
            self.count_drop(Cause::Loss, now, &ticket, shared);
            return shared.pool.discard(ticket);
        };
        if let Some(random) = damage {
            shared.pool.corrupt(&ticket, random);
            self.aside.incidents.corrupted.add(ticket.len());
            shared.note(Point::Corrupted, now, self.id, &ticket);
        }
        let second = copy.and_then(|jitter| Some((jitter, shared.pool.copy(&ticket)?)));
        self.launch(now + self.delay + jitter, ticket);
        if let Some((jitter, ticket)) = second {
            self.aside.incidents.duplicated.add(ticket.len());
            shared.note(Point::Duplicated, now, self.id, &ticket);
            self.launch(now + self.delay + jitter, ticket);
        }
    }

    /// Puts a packet on its way.
    #[inline(always)]
    fn launch(&mut self, arrival: Time, ticket: Ticket) {
        let arrival = self.in_order(arrival);
        let overtakes = self.pipe.back().is_some_and(|last| last.arrival > arrival);
        self.pipe.push_back(Flying { arrival, ticket });
        if overtakes {
            self.sort_last();
        }
    }

    /// Moves the packet launched last behind all that arrive no later.
    #[cold]
    #[inline(never)]
    fn sort_last(&mut self) {
        let mut at = self.pipe.len() - 1;
        while at > 0 && self.pipe[at - 1].arrival > self.pipe[at].arrival {
            self.pipe.swap(at - 1, at);
            at -= 1;
        }
    }

    /// An arrival does not overtake the one before unless jitter may reorder.
    fn in_order(&self, arrival: Time) -> Time {
        match (self.pipe.back(), &self.dice) {
            (Some(last), None) => arrival.max(last.arrival),
            (Some(last), Some(dice)) if !dice.reorders() => arrival.max(last.arrival),
            _ => arrival,
        }
    }

    #[cold]
    #[inline(never)]
    fn evict<P: Packet>(&mut self, now: Time, shared: &mut Shared<P>) {
        while let Some(victim) = self.queue.evict(self.backlog) {
            self.drop_waiting(Cause::Queue, now, victim.ticket, shared);
        }
    }

    #[cold]
    #[inline(never)]
    fn drop_waiting<P: Packet>(
        &mut self,
        cause: Cause,
        now: Time,
        ticket: Ticket,
        shared: &mut Shared<P>,
    ) {
        self.backlog.remove(ticket.len());
        self.count_drop(cause, now, &ticket, shared);
        shared.pool.discard(ticket);
    }

    #[cold]
    #[inline(never)]
    fn count_drop<P: Packet>(
        &mut self,
        cause: Cause,
        now: Time,
        ticket: &Ticket,
        shared: &mut Shared<P>,
    ) {
        self.aside.incidents.dropped(cause).add(ticket.len());
        shared.note(Point::Dropped(cause), now, self.id, ticket);
    }

    #[cold]
    #[inline(never)]
    fn count_mark<P: Packet>(&mut self, now: Time, ticket: &Ticket, shared: &mut Shared<P>) {
        self.aside.incidents.marked.add(ticket.len());
        shared.note(Point::Marked, now, self.id, ticket);
    }
}
