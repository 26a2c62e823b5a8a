//! A link that does everything at the time when it happens, event by event.
//!
//! The reference for the lazy link. It shares the decisions (disciplines,
//! dice) and nothing of the order in which they are taken: rates that change
//! and delivery opportunities are events here.

use std::collections::VecDeque;

use super::*;
use crate::capacity::OPPORTUNITY;
use crate::test_packet::TestPacket;
use crate::trace::{Points, Record, Trace};
use crate::units::Rate;

pub(super) const SEED: Seed = Seed(7);

/// One round of rates and of opportunities, both of the same length.
pub(super) const STEPS: [(u64, u64); 4] =
    [(0, 20_000_000), (1_700, 0), (2_900, 3_000_000), (4_001, 333_333_333)];
pub(super) const OPPORTUNITIES: [u64; 6] = [0, 1, 2, 2, 4, 5];
pub(super) const ROUND: Span = Span::from_ms(5);

/// Something that happens to a link from outside, so long after the one before.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) gap: Span,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Push(TestPacket),
    Change(LinkChange),
    /// Somebody looks: must make no difference.
    Look,
}

/// What came of it.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) departures: Vec<(Time, TestPacket)>,
    pub(super) records: Vec<Record>,
    pub(super) counters: Counters,
    pub(super) backlog: Backlog,
    pub(super) busy: Span,
}

/// How an eager link sends: by events.
enum Sender {
    Unlimited,
    /// The rates to come, with their times; the rate now.
    Rates {
        coming: VecDeque<(Time, Rate)>,
        rate: Rate,
    },
    /// Opportunities to come.
    Opportunities(VecDeque<Time>),
}

/// A link that handles every event at its time.
struct Eager {
    now: Time,
    config: LinkConfig,
    sender: Sender,
    queue: Queue,
    dice: Dice,
    backlog: Backlog,
    /// The packet in transmission, and what is left: bits times 10^12 at a rate, else bytes.
    service: Option<(Ticket, u128)>,
    /// What was left when it last ceased to be sent at a rate.
    begun: u128,
    service_since: Time,
    idle_since: Time,
    flying: Vec<(Time, Ticket)>,
    last_arrival: Time,
    shared: Shared<TestPacket>,
    counters: Counters,
    /// The time of all transmissions that are over.
    busy: Span,
    departures: Vec<(Time, TestPacket)>,
}

impl Eager {
    fn new(config: LinkConfig, horizon: Time) -> Self {
        let stream = Stream::new(SEED, "link.test.queue");
        Self {
            now: Time::ZERO,
            sender: Self::sender(&config.capacity, Time::ZERO, horizon),
            queue: Queue::new(&config.queue, config.capacity.mean_rate(), stream).unwrap(),
            dice: Dice::new(config.impairments.clone(), SEED, "test").unwrap(),
            backlog: Backlog::default(),
            service: None,
            begun: 0,
            service_since: Time::ZERO,
            idle_since: Time::ZERO,
            flying: Vec::new(),
            last_arrival: Time::ZERO,
            shared: Shared { trace: Trace::all(Points::ALL), ..Shared::default() },
            counters: Counters::default(),
            busy: Span::ZERO,
            departures: Vec::new(),
            config,
        }
    }

    /// All events of a capacity after `now`, found by looking at small steps of time.
    fn sender(capacity: &Capacity, now: Time, horizon: Time) -> Sender {
        match capacity {
            Capacity::Unlimited => Sender::Unlimited,
            Capacity::Fixed(rate) => Sender::Rates { coming: VecDeque::new(), rate: *rate },
            Capacity::Steps(_) | Capacity::Trace(_) => {
                let mut coming = VecDeque::new();
                let mut opportunities = VecDeque::new();
                let mut rate = Rate::from_bps(0);
                for round in 0.. {
                    let start = ROUND * round;
                    if Time::ZERO + start > horizon {
                        break;
                    }
                    for (offset, bps) in STEPS {
                        let at = Time::ZERO + start + Span::from_us(offset);
                        match at <= now {
                            true => rate = Rate::from_bps(bps),
                            false => coming.push_back((at, Rate::from_bps(bps))),
                        }
                    }
                    let moments = OPPORTUNITIES.map(|ms| Time::ZERO + start + Span::from_ms(ms));
                    opportunities.extend(moments.into_iter().filter(|&at| at > now));
                }
                match capacity {
                    Capacity::Steps(_) => Sender::Rates { coming, rate },
                    _ => Sender::Opportunities(opportunities),
                }
            }
        }
    }

    fn note(&mut self, point: Point, ticket: &Ticket) {
        self.shared.note(point, self.now, LinkId(0), ticket);
    }

    /// The next event inside, if it is not after `end`.
    fn next_event(&self, end: Time) -> Option<Time> {
        let finish = match (&self.service, &self.sender) {
            (None, _) => Time::NEVER,
            (Some(_), Sender::Unlimited) => self.now,
            (Some((_, 0)), _) => self.now,
            (Some((_, work)), Sender::Rates { rate, .. }) => match rate.as_bps() {
                0 => Time::NEVER,
                bps => self.now + Span::from_ps(work.div_ceil(u128::from(bps)) as u64),
            },
            (Some(_), Sender::Opportunities(_)) => Time::NEVER,
        };
        let capacity = match &self.sender {
            Sender::Unlimited => Time::NEVER,
            Sender::Rates { coming, .. } => coming.front().map_or(Time::NEVER, |(at, _)| *at),
            Sender::Opportunities(moments) => moments.front().map_or(Time::NEVER, |at| *at),
        };
        Some(finish.min(capacity)).filter(|at| *at <= end)
    }

    /// Lets time pass; the transmission goes on.
    fn pass(&mut self, until: Time) {
        if let (Some((_, work)), Sender::Rates { rate, .. }) = (&mut self.service, &self.sender) {
            let done = u128::from(rate.as_bps()) * u128::from((until - self.now).as_ps());
            *work = work.saturating_sub(done);
        }
        self.now = until;
    }

    /// All events up to and including `end`.
    fn advance(&mut self, end: Time) {
        while let Some(at) = self.next_event(end) {
            self.pass(at);
            match &mut self.sender {
                Sender::Rates { coming, rate } => {
                    if coming.front().is_some_and(|(change, _)| *change == at) {
                        *rate = coming.pop_front().unwrap().1;
                    }
                    if matches!(self.service, Some((_, 0))) {
                        self.finish();
                    }
                }
                Sender::Unlimited => self.finish(),
                Sender::Opportunities(moments) => {
                    let mut left = 0;
                    if moments.front() == Some(&at) {
                        moments.pop_front();
                        left = u128::from(OPPORTUNITY.get());
                    }
                    while let Some((_, bytes)) = &mut self.service
                        && (left > 0 || *bytes == 0)
                    {
                        let used = left.min(*bytes);
                        left -= used;
                        *bytes -= used;
                        if *bytes == 0 {
                            self.finish();
                        }
                    }
                }
            }
        }
        self.pass(end);
    }

    /// Hands out what arrives before `end`.
    fn depart(&mut self, end: Time) {
        self.flying.sort_by_key(|(at, _)| *at);
        while self.flying.first().is_some_and(|(at, _)| *at < end) {
            let (at, ticket) = self.flying.remove(0);
            self.counters.traffic.delivered.add(ticket.len());
            self.shared.note(Point::Delivered, at, LinkId(0), &ticket);
            self.departures.push((at, self.shared.pool.take(ticket).unwrap()));
        }
    }

    fn finish(&mut self) {
        let (ticket, _) = self.service.take().unwrap();
        self.backlog.remove(ticket.len());
        self.counters.traffic.sent.add(ticket.len());
        self.busy += self.now - self.service_since;
        self.note(Point::Served, &ticket);
        match self.dice.throw(&ticket) {
            Fate::Lost => self.discard(Cause::Loss, ticket),
            Fate::Arrives { jitter, damage, copy } => {
                if let Some(random) = damage {
                    self.shared.pool.corrupt(&ticket, random);
                    self.counters.incidents.corrupted.add(ticket.len());
                    self.note(Point::Corrupted, &ticket);
                }
                let second = self.shared.pool.copy(&ticket).unwrap();
                self.fly(jitter, ticket);
                match copy {
                    Some(jitter) => {
                        self.counters.incidents.duplicated.add(second.len());
                        self.note(Point::Duplicated, &second);
                        self.fly(jitter, second);
                    }
                    None => self.shared.pool.discard(second),
                }
            }
        }
        self.begin();
    }

    fn fly(&mut self, jitter: Span, ticket: Ticket) {
        let mut at = self.now + self.config.delay + jitter;
        if !self.config.impairments.reorder {
            at = at.max(self.last_arrival);
            self.last_arrival = at;
        }
        self.flying.push((at, ticket));
    }

    fn begin(&mut self) {
        loop {
            let pool = &mut self.shared.pool;
            let next = self.queue.next(self.now, self.backlog, |ticket| pool.mark_ce(ticket));
            let Some((waiting, verdict)) = next else { break };
            let ticket = waiting.ticket;
            if let Verdict::Drop(cause) = verdict {
                self.backlog.remove(ticket.len());
                self.discard(cause, ticket);
                continue;
            }
            if verdict == Verdict::Marked {
                self.counters.incidents.marked.add(ticket.len());
                self.note(Point::Marked, &ticket);
            }
            let bytes = u128::from(ticket.len().get());
            let work = match &self.sender {
                Sender::Rates { .. } => bytes * 8_000_000_000_000,
                _ => bytes,
            };
            self.service = Some((ticket, work));
            self.begun = u128::MAX;
            self.service_since = self.now;
            return;
        }
        self.idle_since = self.now;
    }

    fn discard(&mut self, cause: Cause, ticket: Ticket) {
        self.counters.incidents.dropped(cause).add(ticket.len());
        self.note(Point::Dropped(cause), &ticket);
        self.shared.pool.discard(ticket);
    }

    fn push(&mut self, packet: TestPacket) {
        let ticket = self.shared.pool.insert(packet, 0);
        self.counters.traffic.offered.add(ticket.len());
        if !self.config.up {
            return self.discard(Cause::Down, ticket);
        }
        let idle_since = self.service.is_none().then_some(self.idle_since);
        let (now, len, backlog) = (self.now, ticket.len(), self.backlog);
        let arrival = Arrival { now, len, backlog, idle_since };
        match self.queue.admit(&arrival, || self.shared.pool.mark_ce(&ticket)) {
            Verdict::Drop(cause) => return self.discard(cause, ticket),
            Verdict::Marked => {
                self.counters.incidents.marked.add(ticket.len());
                self.note(Point::Marked, &ticket);
            }
            Verdict::Pass => {}
        }
        self.backlog.add(ticket.len());
        let most = &mut self.counters.traffic.max_backlog;
        most.packets = most.packets.max(self.backlog.packets);
        most.bytes = most.bytes.max(self.backlog.bytes);
        self.note(Point::Enqueued, &ticket);
        let waiting = Waiting { since: self.now, ticket };
        self.queue.push(waiting, |ticket| self.shared.pool.flow(ticket));
        while let Some(victim) = self.queue.evict(self.backlog) {
            self.backlog.remove(victim.ticket.len());
            self.discard(Cause::Queue, victim.ticket);
        }
        if self.service.is_none() {
            self.begin();
            // What takes no time is over before anything else happens.
            self.advance(self.now);
        }
    }

    fn change(&mut self, change: &LinkChange, horizon: Time) {
        if let Some(limit) = change.limit {
            self.queue.set_limit(limit);
        }
        if let Some(delay) = change.delay {
            self.config.delay = delay;
        }
        if let Some(loss) = &change.loss {
            self.dice.set_loss(loss.clone());
        }
        if let Some(capacity) = &change.capacity {
            self.change_capacity(capacity, horizon);
        }
        match change.up {
            Some(false) if self.config.up => self.go_down(),
            Some(up) => self.config.up = up,
            None => {}
        }
    }

    fn change_capacity(&mut self, capacity: &Capacity, horizon: Time) {
        const PER_BYTE: u128 = 8_000_000_000_000;
        let new = Self::sender(capacity, self.now, horizon);
        let old = std::mem::replace(&mut self.sender, new);
        self.queue.set_rate(capacity.mean_rate());
        let Some((_, work)) = &mut self.service else { return };
        *work = match (&old, &self.sender) {
            (Sender::Rates { .. }, Sender::Rates { .. }) => *work,
            (Sender::Rates { .. }, _) => {
                self.begun = *work;
                work.div_ceil(PER_BYTE)
            }
            // Of a byte that was begun at a rate, only the rest is left.
            (_, Sender::Rates { .. }) => (*work * PER_BYTE).min(self.begun),
            _ => *work,
        };
        self.advance(self.now);
    }

    fn go_down(&mut self) {
        if let Some((ticket, _)) = self.service.take() {
            self.busy += self.now - self.service_since;
            self.backlog.remove(ticket.len());
            self.discard(Cause::Down, ticket);
            while let Some(waiting) = self.queue.drain() {
                self.backlog.remove(waiting.ticket.len());
                self.discard(Cause::Down, waiting.ticket);
            }
            self.begin();
        }
        self.flying.sort_by_key(|(at, _)| *at);
        for (_, ticket) in std::mem::take(&mut self.flying) {
            self.discard(Cause::Down, ticket);
        }
        self.config.up = false;
        self.last_arrival = Time::ZERO;
    }
}

pub(super) fn run_eager(config: LinkConfig, steps: &[Step], end: Span) -> Outcome {
    let horizon = steps.iter().fold(Time::ZERO + end, |at, step| at + step.gap);
    let mut link = Eager::new(config, horizon);
    let last = Step { gap: end, what: What::Look };
    for Step { gap, what } in steps.iter().chain([&last]) {
        let until = link.now + *gap;
        link.advance(until);
        link.depart(until);
        match what {
            What::Push(packet) => link.push(packet.clone()),
            What::Change(change) => link.change(change, horizon),
            What::Look => {}
        }
    }
    let records = link.shared.trace.records();
    let Eager { departures, counters, backlog, .. } = link;
    let current = link.service.map_or(Span::ZERO, |_| link.now - link.service_since);
    let busy = link.busy + current;
    Outcome { departures, records, counters, backlog, busy }
}
