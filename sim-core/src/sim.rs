//! The loop: who is due first, wakes up first.
//!
//! Actors are numbered in a fixed order: the timeline, then links, then
//! middleboxes, each in the order of names, then endpoints in the order in
//! which hosts make them. At equal times lower numbers act first: the
//! environment changes, then packets move, then timers fire. Samples are taken
//! between calls of [`Simulation::run_until`], so they come last.

use thiserror::Error;

use crate::calendar::{ActorId, Calendar};
pub use crate::foresight::EXPECT_STEPS;
use crate::foresight::{Arrival, Foreseen, Foresight};
use crate::impair::LossError;
use crate::link::LinkId;
use crate::net::{FIRST_LINK, Net, RouteId, Woken};
use crate::packet::Packet;
use crate::time::Time;
use crate::timeline::{Change, Timeline};
use crate::trace::Trace;

/// What is at the ends of the routes.
pub trait Hosts {
    /// What they send each other.
    type Packet: Packet;

    /// A packet has come to the end of `route`.
    fn on_packet(
        &mut self,
        now: Time,
        route: RouteId,
        packet: Self::Packet,
        out: &mut Outbox<'_, Self::Packet>,
    );

    /// An endpoint is due. It is not due again until [`Outbox::set_due`] says so.
    fn on_wake(&mut self, now: Time, endpoint: u32, out: &mut Outbox<'_, Self::Packet>);

    /// A packet of a flow arrives soon: what it will meet may be [prefetched](crate::prefetch), a
    /// bit more with each `step` from 0 to [`EXPECT_STEPS`] - 1.
    fn expect(&self, _flow: u64, _step: usize, _tables: &<Self::Packet as Packet>::Tables) {}

    /// An entry of the timeline that is meant for hosts.
    fn on_change(&mut self, _now: Time, _change: u32, _out: &mut Outbox<'_, Self::Packet>) {}
}

/// What hosts can do.
pub struct Outbox<'a, P: Packet> {
    engine: &'a mut Engine<P>,
}

impl<P: Packet> Outbox<'_, P> {
    /// The time.
    pub fn now(&self) -> Time {
        self.engine.now
    }

    /// Sends a packet. What comes back at once comes after the present call.
    pub fn send(&mut self, route: RouteId, packet: P) {
        let Engine { net, calendar, now, .. } = &mut *self.engine;
        net.send(calendar, *now, route, packet);
    }

    /// Adds an endpoint: something that can be due. Endpoints are numbered from 0.
    pub fn new_endpoint(&mut self) -> u32 {
        let actor = self.engine.calendar.add();
        actor.0 - self.engine.first_endpoint
    }

    /// Makes an endpoint due at `due`, or with [`Time::NEVER`] not at all. A moment that has
    /// passed counts as now.
    pub fn set_due(&mut self, endpoint: u32, due: Time) {
        let actor = self.engine.first_endpoint + endpoint;
        if (actor as usize) < self.engine.calendar.len() {
            self.engine.calendar.set(ActorId(actor), due.max(self.engine.now));
        }
    }

    /// [`Outbox::set_due`] comes soon: what it will need is [prefetched](crate::prefetch).
    #[inline]
    pub fn expect_due(&self, endpoint: u32) {
        self.engine.calendar.bring_near(ActorId(self.engine.first_endpoint + endpoint));
    }

    /// Asks [`Simulation::run_while`] to look whether to go on.
    pub fn request_stop(&mut self) {
        self.engine.stop_requested = true;
    }

    /// The network.
    pub fn net(&self) -> &Net<P> {
        &self.engine.net
    }

    /// What packets refer to by number.
    pub const fn tables(&mut self) -> &mut P::Tables {
        self.engine.net.tables_mut()
    }
}

/// All of a simulation but its hosts.
#[derive(Clone)]
struct Engine<P: Packet> {
    now: Time,
    calendar: Calendar,
    net: Net<P>,
    first_endpoint: u32,
    stop_requested: bool,
    foresight: Foresight,
}

impl<P: Packet> Engine<P> {
    /// A link is due: in a large network others are looked for that are due soon.
    #[inline]
    fn look_ahead(&mut self, link: u32, hosts: &impl Hosts<Packet = P>) {
        if !self.net.is_large() {
            return;
        }
        self.foresight.links -= usize::from(self.net.forget(link));
        while !self.foresight.is_enough()
            && let Some(actor) = self.calendar.foresee()
        {
            self.net.bring_coming_near(actor);
            let Some(actor) = self.foresight.told.replace(actor) else { continue };
            let foreseen = self.net.foresee(&self.calendar, actor);
            self.foresight.links += usize::from(foreseen.is_some());
            match foreseen {
                Some(Foreseen::Move(next)) => {
                    let Self { net, calendar, foresight, .. } = self;
                    foresight.moves.note(next, |step, it| net.bring_move_near(calendar, step, it));
                }
                Some(Foreseen::Arrival(arrival)) => self.expect(arrival, hosts),
                None => {}
            }
        }
    }

    /// A packet arrives soon: what it meets, and what those meet that were expected earlier, is brought near a
    /// part at a time.
    #[inline]
    fn expect(&mut self, arrival: Arrival, hosts: &impl Hosts<Packet = P>) {
        let Self { net, calendar, foresight, .. } = self;
        foresight.arrivals.note(arrival, |step, arrival| {
            net.bring_arrival_near(calendar, step, arrival);
            if let Some(flow) = arrival.flow {
                hosts.expect(flow, step, net.tables());
            }
        });
    }
}

/// What is wrong with a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SimulationError {
    /// It changes a link that does not exist.
    #[error("the timeline changes link {} at {at}, but there is no such link", link.0)]
    NoSuchLink {
        /// When.
        at: Time,
        /// Which.
        link: LinkId,
    },
    /// It sets a loss model that makes no sense.
    #[error("the timeline changes a link at {at}: {source}")]
    Loss {
        /// When.
        at: Time,
        /// What is wrong.
        source: LossError,
    },
}

/// How far a simulation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The wanted time.
    End,
    /// The moment when it was told not to go on.
    Stop,
    /// The number of events that it may do at once.
    Events,
}

/// A network with hosts at its ends, at some time.
///
/// A clone is a fork: it goes on independently, and the same way if nothing is changed.
#[derive(Clone)]
pub struct Simulation<H: Hosts> {
    engine: Engine<H::Packet>,
    timeline: Timeline,
    hosts: H,
}

const TIMELINE: ActorId = ActorId(0);

impl<H: Hosts> Simulation<H> {
    /// A simulation at time zero.
    ///
    /// # Errors
    /// If the timeline does not fit the network.
    pub fn new(net: Net<H::Packet>, timeline: Timeline, hosts: H) -> Result<Self, SimulationError> {
        check(&timeline, &net)?;
        let mut calendar = Calendar::new();
        for _ in 0..=net.actors() {
            calendar.add();
        }
        calendar.set(TIMELINE, timeline.due());
        net.start(&mut calendar);
        let first_endpoint = calendar.len() as u32;
        let engine = Engine {
            now: Time::ZERO,
            calendar,
            net,
            first_endpoint,
            stop_requested: false,
            foresight: Foresight::default(),
        };
        Ok(Self { engine, timeline, hosts })
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.engine.now
    }

    /// When something is due next; [`Time::NEVER`] if nothing is.
    pub fn next_due(&mut self) -> Time {
        self.engine.calendar.first().map_or(Time::NEVER, |(due, _)| due)
    }

    /// The hosts.
    pub fn hosts(&self) -> &H {
        &self.hosts
    }

    /// The hosts, to change them without sending anything.
    pub fn hosts_mut(&mut self) -> &mut H {
        &mut self.hosts
    }

    /// The network. After a run, counters and backlogs are those of [`Simulation::now`].
    pub fn net(&self) -> &Net<H::Packet> {
        &self.engine.net
    }

    /// Records from now on as `trace` says.
    pub fn set_trace(&mut self, trace: Trace) {
        self.engine.net.set_trace(trace);
    }

    /// How many packets have finished a transmission so far, on all links together.
    pub fn packet_hops(&self) -> u64 {
        self.engine.net.packet_hops()
    }

    /// Calls into the hosts from outside: to start a flow, say.
    pub fn with_hosts<R>(
        &mut self,
        call: impl FnOnce(&mut H, &mut Outbox<'_, H::Packet>) -> R,
    ) -> R {
        let result = call(&mut self.hosts, &mut Outbox { engine: &mut self.engine });
        self.deliver_arrivals();
        result
    }

    /// Does all that is due up to and including `end`. With [`Time::NEVER`], until nothing is due.
    pub fn run_until(&mut self, end: Time) {
        while self.step(end) {}
        self.finish(end);
    }

    /// Adds a change to the timeline. A moment that has passed counts as now.
    ///
    /// # Errors
    /// If the change does not fit the network.
    pub fn schedule(&mut self, at: Time, change: Change) -> Result<(), SimulationError> {
        let at = at.max(self.engine.now);
        check(&std::iter::once((at, change.clone())).collect(), &self.engine.net)?;
        self.timeline.add(at, change);
        self.engine.calendar.set(TIMELINE, self.timeline.due());
        Ok(())
    }

    /// The same, but stops early when `go_on` says no. It is asked after events in which
    /// [`Outbox::request_stop`] was called. True if the end was reached.
    pub fn run_while(&mut self, end: Time, go_on: impl FnMut(&H) -> bool) -> bool {
        self.run_some(end, u64::MAX, go_on) == Reached::End
    }

    /// The same, but does no more than `events` of what is due.
    pub fn run_some(
        &mut self,
        end: Time,
        events: u64,
        mut go_on: impl FnMut(&H) -> bool,
    ) -> Reached {
        for _ in 0..events {
            if !self.step(end) {
                self.finish(end);
                return Reached::End;
            }
            if std::mem::take(&mut self.engine.stop_requested) && !go_on(&self.hosts) {
                self.engine.net.settle(self.engine.now);
                return Reached::Stop;
            }
        }
        self.engine.net.settle(self.engine.now);
        Reached::Events
    }

    fn finish(&mut self, end: Time) {
        if end != Time::NEVER {
            self.engine.now = self.engine.now.max(end);
        }
        self.engine.net.settle(self.engine.now);
    }

    /// Wakes who is due first, if that is not after `end`.
    fn step(&mut self, end: Time) -> bool {
        let Some((due, actor)) = self.engine.calendar.pop(end) else { return false };
        let engine = &mut self.engine;
        engine.now = due;
        let links = engine.net.links().len() as u32;
        if actor == TIMELINE {
            self.change();
        } else if actor.0 < FIRST_LINK + links {
            let link = actor.0 - FIRST_LINK;
            engine.look_ahead(link, &self.hosts);
            match engine.net.wake_link(&mut engine.calendar, due, link) {
                Some(Woken::Arrives(route, packet)) => {
                    self.hosts.on_packet(due, route, packet, &mut Outbox { engine });
                }
                Some(Woken::Approaches(flow)) => {
                    engine.expect(Arrival { flow: Some(flow), from: None }, &self.hosts);
                }
                None => {}
            }
        } else if actor.0 < engine.first_endpoint {
            let middlebox = actor.0 - FIRST_LINK - links;
            engine.net.wake_box(&mut engine.calendar, due, middlebox);
        } else {
            let endpoint = actor.0 - engine.first_endpoint;
            self.hosts.on_wake(due, endpoint, &mut Outbox { engine });
        }
        self.deliver_arrivals();
        true
    }

    /// Applies the next entry of the timeline.
    #[cold]
    fn change(&mut self) {
        let engine = &mut self.engine;
        match self.timeline.next() {
            Some(Change::Link(link, change)) => {
                engine.net.change_link(&mut engine.calendar, engine.now, link, &change);
            }
            Some(Change::Host(change)) => {
                self.hosts.on_change(engine.now, change, &mut Outbox { engine });
            }
            None => {}
        }
        self.engine.calendar.set(TIMELINE, self.timeline.due());
    }

    /// Hands over what has reached hosts without passing a link, one after the other.
    fn deliver_arrivals(&mut self) {
        let engine = &mut self.engine;
        while let Some((route, packet)) = engine.net.next_arrival() {
            self.hosts.on_packet(engine.now, route, packet, &mut Outbox { engine });
        }
    }
}

fn check<P: Packet>(timeline: &Timeline, net: &Net<P>) -> Result<(), SimulationError> {
    for (at, change) in timeline.changes() {
        let Change::Link(link, change) = change else { continue };
        if net.link(*link).is_none() {
            return Err(SimulationError::NoSuchLink { at: *at, link: *link });
        }
        if let Some(loss) = &change.loss {
            loss.check().map_err(|source| SimulationError::Loss { at: *at, source })?;
        }
    }
    Ok(())
}
