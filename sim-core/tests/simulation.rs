//! What hosts, boxes and the timeline can rely on.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[allow(dead_code, reason = "each test file uses a part")]
mod common;

use common::Numbered;
use mptcpsim_core::capacity::Capacity;
use mptcpsim_core::impair::{Impairments, Loss, LossError};
use mptcpsim_core::link::{LinkChange, LinkConfig, LinkError, LinkId};
use mptcpsim_core::middlebox::{Direction, Emit, Middlebox, Passage, Way};
use mptcpsim_core::net::{Net, NetBuilder, NetError, RouteId};
use mptcpsim_core::queue::{Limit, QueueConfig, QueueError};
use mptcpsim_core::rng::Seed;
use mptcpsim_core::sim::{Hosts, Outbox, Simulation, SimulationError};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::timeline::{Change, Timeline};
use mptcpsim_core::units::Rate;

const MS: Span = Span::from_ms(1);

fn at(ms: u64) -> Time {
    Time::ZERO + MS * ms
}

/// What happened to the hosts.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Packet { at: Time, route: RouteId, number: u64 },
    Wake { at: Time, endpoint: u32 },
    Change { at: Time, change: u32 },
}

#[derive(Clone, Default)]
struct Log {
    events: Vec<Event>,
    /// Depth of calls, to find recursion.
    inside: bool,
    answers: u64,
}

impl Hosts for Log {
    type Packet = Numbered;

    fn on_packet(
        &mut self,
        at: Time,
        route: RouteId,
        packet: Numbered,
        out: &mut Outbox<'_, Numbered>,
    ) {
        assert!(!self.inside, "called while it was sending");
        self.inside = true;
        self.events.push(Event::Packet { at, route, number: packet.number });
        if self.answers > 0 {
            self.answers -= 1;
            out.send(route.reverse(), Numbered::new(packet.number + 1, 1_000));
        }
        out.request_stop();
        self.inside = false;
    }

    fn on_wake(&mut self, at: Time, endpoint: u32, _: &mut Outbox<'_, Numbered>) {
        self.events.push(Event::Wake { at, endpoint });
    }

    fn on_change(&mut self, at: Time, change: u32, _: &mut Outbox<'_, Numbered>) {
        self.events.push(Event::Change { at, change });
    }
}

/// 8 Mbit/s: a packet of 1000 bytes takes 1 ms.
fn link(delay_ms: u64) -> LinkConfig {
    LinkConfig::new(Capacity::Fixed(Rate::from_bps(8_000_000)), MS * delay_ms)
}

fn simulation(builder: NetBuilder<Numbered>, timeline: Timeline) -> Simulation<Log> {
    Simulation::new(builder.build(Seed(1)).unwrap(), timeline, Log::default()).unwrap()
}

fn send(simulation: &mut Simulation<Log>, route: RouteId, numbers: &[u64]) {
    simulation.with_hosts(|_, out| {
        for &number in numbers {
            out.send(route, Numbered::new(number, 1_000));
        }
    });
}

/// Sends everything back where it came from.
#[derive(Clone)]
struct Mirror;

impl Middlebox<Numbered> for Mirror {
    fn name(&self) -> &str {
        "mirror"
    }

    fn on_packet(&mut self, _: Time, passage: Passage, packet: Numbered, out: &mut Emit<Numbered>) {
        out.back(passage, packet);
    }

    fn clone_box(&self) -> Box<dyn Middlebox<Numbered>> {
        Box::new(self.clone())
    }
}

/// Lets everything pass, and sends a copy again a millisecond later; counts by direction.
#[derive(Clone, Default)]
struct Repeater {
    pending: Vec<(Time, Passage, Numbered)>,
}

impl Middlebox<Numbered> for Repeater {
    fn name(&self) -> &str {
        "repeater"
    }

    fn on_packet(
        &mut self,
        now: Time,
        passage: Passage,
        packet: Numbered,
        out: &mut Emit<Numbered>,
    ) {
        self.pending.push((now + MS, passage, packet.clone()));
        out.forward(passage, packet);
    }

    fn due(&self) -> Time {
        self.pending.iter().map(|(due, ..)| *due).min().unwrap_or(Time::NEVER)
    }

    fn on_timer(&mut self, now: Time, out: &mut Emit<Numbered>) {
        for (_, passage, packet) in self.pending.extract_if(.., |(due, ..)| *due <= now) {
            let number =
                packet.number + if passage.direction() == Direction::Forward { 100 } else { 200 };
            out.forward(passage, Numbered { number, ..packet });
        }
    }

    fn clone_box(&self) -> Box<dyn Middlebox<Numbered>> {
        Box::new(self.clone())
    }
}

#[test]
fn a_packet_takes_transmission_and_propagation_on_each_link() {
    let mut builder = Net::builder();
    let (a, b) = (builder.link("a", link(5)), builder.link("b", link(7)));
    let route = builder.route(&[a, b], &[b]);
    let mut simulation = simulation(builder, Timeline::new());
    send(&mut simulation, route, &[1, 2]);
    simulation.run_until(Time::NEVER);
    let expected = [(14, 1), (15, 2)];
    let expected = expected.map(|(ms, number)| Event::Packet { at: at(ms), route, number });
    assert_eq!(simulation.hosts().events, expected);
    assert_eq!((simulation.now(), simulation.packet_hops()), (at(15), 4));
}

#[test]
fn an_answer_from_the_first_box_comes_after_the_call_that_sent() {
    let mut builder = Net::builder();
    let (up, down) = (builder.link("up", link(1)), builder.link("down", link(1)));
    let mirror = builder.middlebox("mirror", Box::new(Mirror));
    let route = builder.route(&[mirror, up], &[down, mirror]);
    let mut simulation = simulation(builder, Timeline::new());
    simulation.hosts_mut().answers = 1;
    // The answer to what comes back (on the reverse route) runs into the mirror at the far side.
    send(&mut simulation, route, &[1]);
    simulation.run_until(at(100));
    let packet = |ms, route, number| Event::Packet { at: at(ms), route, number };
    assert_eq!(
        simulation.hosts().events,
        [packet(0, route.reverse(), 1), packet(0, route.reverse(), 2)]
    );
}

#[test]
fn a_box_answers_in_the_middle_of_a_longer_way() {
    let mut builder = Net::builder();
    let names = ["a", "b", "c", "d"].map(|name| builder.link(name, link(0)));
    let [a, b, c, d] = names;
    let [first, second] =
        ["x", "y"].map(|name| builder.middlebox(name, Box::new(Repeater::default())));
    let mirror = builder.middlebox("mirror", Box::new(Mirror));
    let route = builder.route(&[a, first, mirror, b, second], &[second, c, mirror, first, d]);
    let mut simulation = simulation(builder, Timeline::new());
    send(&mut simulation, route, &[1]);
    simulation.run_until(at(50));
    // Through a (1 ms) to the mirror, back through `first`, home through d (1 ms). The repeater
    // sees the packet twice, and its copy of the first time again on the way home: that one has
    // one more box to pass than the copy of the second time.
    let packet = |ms, number| Event::Packet { at: at(ms), route: route.reverse(), number };
    assert_eq!(
        simulation.hosts().events,
        [packet(2, 1), packet(3, 201), packet(4, 101), packet(5, 301)]
    );
}

/// Lets the first packet pass and sends all others back.
#[derive(Clone, Default)]
struct Gate {
    shut: bool,
}

impl Middlebox<Numbered> for Gate {
    fn name(&self) -> &str {
        "gate"
    }

    fn on_packet(&mut self, _: Time, passage: Passage, packet: Numbered, out: &mut Emit<Numbered>) {
        match std::mem::replace(&mut self.shut, true) {
            true => out.back(passage, packet),
            false => out.forward(passage, packet),
        }
    }

    fn clone_box(&self) -> Box<dyn Middlebox<Numbered>> {
        Box::new(self.clone())
    }
}

#[test]
fn packets_that_run_in_a_circle_die() {
    let mut builder = Net::builder();
    let (there, back) = (builder.link("there", link(1)), builder.link("back", link(1)));
    let gate = builder.middlebox("gate", Box::new(Gate::default()));
    let mirror = builder.middlebox("mirror", Box::new(Mirror));
    let route = builder.route(&[gate, mirror, there], &[back, mirror, gate]);
    let mut simulation = simulation(builder, Timeline::new());
    send(&mut simulation, route, &[1]);
    simulation.run_until(at(50));
    assert_eq!(simulation.hosts().events, []);
}

#[test]
fn boxes_repeat_on_the_path_a_packet_came_by() {
    let mut builder = Net::builder();
    let repeater = builder.middlebox("repeater", Box::new(Repeater::default()));
    let mut path = |name: &str, delay| {
        let there = builder.link(format!("{name}.up"), link(delay));
        let back = builder.link(format!("{name}.down"), link(delay));
        builder.route(&[there, repeater], &[back, repeater])
    };
    let (one, two) = (path("one", 1), path("two", 10));
    let mut simulation = simulation(builder, Timeline::new());
    send(&mut simulation, one, &[1]);
    send(&mut simulation, two.reverse(), &[2]);
    simulation.run_until(at(50));
    let packet = |ms, route, number| Event::Packet { at: at(ms), route, number };
    assert_eq!(
        simulation.hosts().events,
        [
            packet(2, one, 1),
            packet(3, one, 101),
            packet(11, two.reverse(), 2),
            packet(12, two.reverse(), 202),
        ]
    );
}

#[test]
fn at_equal_times_the_environment_changes_then_packets_move_then_timers_fire() {
    let mut builder = Net::builder();
    let (a, b) = (builder.link("a", link(1)), builder.link("b", link(1)));
    let route = builder.route(&[a], &[b]);
    let other = builder.route(&[b], &[a]);
    let timeline = Timeline::from_iter([(at(2), Change::Host(9)), (at(2), Change::Host(8))]);
    let mut simulation = simulation(builder, timeline);
    simulation.with_hosts(|_, out| {
        for _ in 0..2 {
            out.new_endpoint();
        }
        out.set_due(1, at(2));
        out.set_due(0, at(2));
        out.send(other, Numbered::new(2, 1_000));
        out.send(route, Numbered::new(1, 1_000));
    });
    simulation.run_until(at(2));
    let at = at(2);
    assert_eq!(
        simulation.hosts().events,
        [
            Event::Change { at, change: 9 },
            Event::Change { at, change: 8 },
            Event::Packet { at, route, number: 1 },
            Event::Packet { at, route: other, number: 2 },
            Event::Wake { at, endpoint: 0 },
            Event::Wake { at, endpoint: 1 },
        ]
    );
}

#[test]
fn a_link_that_goes_down_loses_what_it_carries() {
    let mut builder = Net::builder();
    let (a, b) = (builder.link("a", link(10)), builder.link("b", link(1)));
    let route = builder.route(&[a], &[b]);
    let up = |up| Change::Link(LinkId(0), LinkChange { up: Some(up), ..LinkChange::default() });
    let timeline = Timeline::from_iter([(at(12), up(false)), (at(14), up(true))]);
    let mut simulation = simulation(builder, timeline);
    send(&mut simulation, route, &(1..=20).collect::<Vec<_>>());
    simulation.run_until(at(13));
    send(&mut simulation, route, &[21]);
    simulation.run_until(at(14));
    send(&mut simulation, route, &[22]);
    simulation.run_until(at(100));
    // The first arrives at 11 ms; the second would at 12 ms, but the change comes first.
    let packet = |ms, number| Event::Packet { at: at(ms), route, number };
    assert_eq!(simulation.hosts().events, [packet(11, 1), packet(25, 22)]);
    let counters = simulation.net().link(LinkId(0)).unwrap().counters();
    assert_eq!(counters.incidents.dropped_down.packets, 20);
}

#[test]
fn runs_can_stop_early() {
    let mut builder = Net::builder();
    let a = builder.link("a", link(1));
    let route = builder.route(&[a], &[a]);
    let mut simulation = simulation(builder, Timeline::new());
    send(&mut simulation, route, &[1, 2, 3]);
    let enough = |count: usize| move |hosts: &Log| hosts.events.len() < count;
    assert!(!simulation.run_while(at(50), enough(2)));
    assert_eq!((simulation.now(), simulation.hosts().events.len()), (at(3), 2));
    assert!(simulation.run_while(at(50), enough(9)));
    assert_eq!((simulation.now(), simulation.hosts().events.len()), (at(50), 3));
}

#[test]
fn a_due_date_in_the_past_is_now_and_one_wake_is_one_wake() {
    let mut builder = Net::builder();
    let a = builder.link("a", link(1));
    builder.route(&[a], &[a]);
    let mut simulation = simulation(builder, Timeline::new());
    simulation.run_until(at(5));
    let endpoint = simulation.with_hosts(|_, out| {
        let endpoint = out.new_endpoint();
        out.set_due(endpoint, at(1));
        endpoint
    });
    simulation.run_until(at(50));
    assert_eq!(simulation.hosts().events, [Event::Wake { at: at(5), endpoint }]);
}

#[test]
fn networks_that_make_no_sense_are_refused() {
    let refused = |build: &dyn Fn(&mut NetBuilder<Numbered>)| {
        let mut builder = Net::builder();
        build(&mut builder);
        builder.build(Seed(1)).err().unwrap()
    };
    let error = refused(&|builder| {
        builder.link("a", link(1));
        builder.link("a", link(2));
    });
    assert_eq!(error, NetError::SameName("a".into()));
    let error = refused(&|builder| {
        let a = builder.link("a", link(1));
        let mirror = builder.middlebox("m", Box::new(Mirror));
        builder.route(&[a, mirror], &[mirror]);
    });
    assert_eq!(error, NetError::RouteWithoutLink(RouteId(1)));
    let error = refused(&|builder| {
        let a = builder.link("a", link(1));
        let mirror = builder.middlebox("m", Box::new(Mirror));
        builder.route(&[a, mirror], &[a]);
    });
    assert_eq!(error, NetError::BoxesDiffer(RouteId(0)));
    let error = refused(&|builder| {
        let stranger = Net::<Numbered>::builder().link("a", link(1));
        builder.route(&[stranger], &[stranger]);
    });
    assert_eq!(error, NetError::Foreign(RouteId(0)));
    let error = refused(&|builder| {
        builder.link("a", link(1).with_queue(QueueConfig::DropTail { limit: Limit::Packets(0) }));
    });
    let source = LinkError::Queue(QueueError::NoRoom);
    assert_eq!(error, NetError::Link { name: "a".into(), source });
    assert_eq!(error.to_string(), "link `a`: the queue limit must be at least 1 packet or 1 byte");
    let loss = Loss::Listed(vec![0]);
    let impairments = Impairments { loss, ..Impairments::default() };
    let error = refused(&|builder| {
        builder.link("a", link(1).with_impairments(impairments.clone()));
    });
    let source = LinkError::Loss(LossError::PacketZero);
    assert_eq!(error, NetError::Link { name: "a".into(), source });
}

#[test]
fn timelines_that_do_not_fit_are_refused() {
    let refused = |link, change| {
        let net = Net::<Numbered>::builder().build(Seed(1)).unwrap();
        let timeline = Timeline::from_iter([(at(1), Change::Link(link, change))]);
        Simulation::new(net, timeline, Log::default()).err().unwrap()
    };
    let error = refused(LinkId(0), LinkChange::default());
    assert_eq!(error, SimulationError::NoSuchLink { at: at(1), link: LinkId(0) });
}

#[test]
fn a_box_can_be_tried_alone() {
    let mut out = Emit::default();
    let passage = Passage::on(RouteId(4));
    Mirror.on_packet(Time::ZERO, passage, Numbered::new(1, 40), &mut out);
    let sent: Vec<_> = out.drain().map(|it| (it.passage.route(), it.way)).collect();
    assert_eq!(sent, [(RouteId(4), Way::Back)]);
}

#[test]
fn a_route_that_does_not_exist_leads_nowhere() {
    let net = Net::<Numbered>::builder().build(Seed(1)).unwrap();
    let mut simulation = Simulation::new(net, Timeline::new(), Log::default()).unwrap();
    send(&mut simulation, RouteId(3), &[1]);
    simulation.run_until(Time::NEVER);
    assert_eq!((simulation.hosts().events.len(), simulation.net().in_flight()), (0, 0));
}
