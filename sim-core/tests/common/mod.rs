//! A small world for tests of whole simulations: two hosts, two paths, everything goes wrong.

#![allow(clippy::unwrap_used, reason = "part of tests")]

use std::collections::VecDeque;

use mptcpsim_core::capacity::{Capacity, Steps};
use mptcpsim_core::impair::{Filter, Impairments, Jitter, Loss};
use mptcpsim_core::link::{LinkChange, LinkConfig};
use mptcpsim_core::middlebox::{Emit, Middlebox, Passage};
use mptcpsim_core::net::{Element, Net, RouteId};
use mptcpsim_core::packet::Packet;
use mptcpsim_core::queue::{CodelConfig, FqCodelConfig, Limit, QueueConfig, RedConfig};
use mptcpsim_core::rng::{Seed, Stream};
use mptcpsim_core::sim::{Hosts, Outbox, Simulation};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::timeline::{Change, Timeline};
use mptcpsim_core::units::{Bytes, Probability, Rate};
use sha2::{Digest, Sha256};

/// A packet with a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub(crate) number: u64,
    pub(crate) len: u64,
    pub(crate) marked: bool,
    pub(crate) damage: u64,
}

impl Numbered {
    pub(crate) fn new(number: u64, len: u64) -> Self {
        Self { number, len, marked: false, damage: 0 }
    }
}

impl Packet for Numbered {
    type Tables = ();

    fn len(&self) -> Bytes {
        Bytes::new(self.len)
    }

    fn flow(&self) -> u64 {
        self.number % 5
    }

    fn is_data(&self) -> bool {
        self.len > 100
    }

    fn mark_ce(&mut self) -> bool {
        self.marked |= self.number.is_multiple_of(2);
        self.number.is_multiple_of(2)
    }

    fn corrupt(&mut self, random: u64) {
        self.damage = random;
    }

    fn id(&self) -> u64 {
        self.number
    }
}

/// A box that holds every fourth packet back for some milliseconds, and answers every ninth.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holder {
    seen: u64,
    held: VecDeque<(Time, Passage, Numbered)>,
}

impl Middlebox<Numbered> for Holder {
    fn name(&self) -> &str {
        "holder"
    }

    fn on_packet(
        &mut self,
        now: Time,
        passage: Passage,
        packet: Numbered,
        out: &mut Emit<Numbered>,
    ) {
        self.seen += 1;
        if self.seen.is_multiple_of(9) {
            out.back(passage, packet);
        } else if self.seen.is_multiple_of(4) {
            self.held.push_back((now + Span::from_ms(3), passage, packet));
        } else {
            out.forward(passage, packet);
        }
    }

    fn due(&self) -> Time {
        self.held.front().map_or(Time::NEVER, |(due, ..)| *due)
    }

    fn on_timer(&mut self, _: Time, out: &mut Emit<Numbered>) {
        if let Some((_, passage, packet)) = self.held.pop_front() {
            out.forward(passage, packet);
        }
    }

    fn clone_box(&self) -> Box<dyn Middlebox<Numbered>> {
        Box::new(self.clone())
    }
}

/// Hosts that send at random times, answer data, and remember what came.
#[derive(Clone)]
pub(crate) struct Talkers {
    routes: Vec<RouteId>,
    stream: Stream,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Over everything that came.
    digest: Sha256,
}

impl Talkers {
    fn note(&mut self, kind: u8, now: Time, values: [u64; 4]) {
        self.digest.update([kind]);
        self.digest.update(now.as_ps().to_le_bytes());
        for value in values {
            self.digest.update(value.to_le_bytes());
        }
    }

    fn send(&mut self, route: RouteId, len: u64, out: &mut Outbox<'_, Numbered>) {
        self.sent += 1;
        out.send(route, Numbered::new(self.sent, len));
    }
}

impl Hosts for Talkers {
    type Packet = Numbered;

    fn on_packet(
        &mut self,
        now: Time,
        route: RouteId,
        packet: Numbered,
        out: &mut Outbox<'_, Numbered>,
    ) {
        self.received += 1;
        let marked = u64::from(packet.marked);
        self.note(0, now, [route.0.into(), packet.number, marked, packet.damage]);
        if packet.is_data() {
            self.send(route.reverse(), 52, out);
        }
    }

    fn on_wake(&mut self, now: Time, endpoint: u32, out: &mut Outbox<'_, Numbered>) {
        self.note(1, now, [endpoint.into(), 0, 0, 0]);
        let route = self.routes[endpoint as usize % self.routes.len()];
        let len = 200 + self.stream.below(1_300);
        self.send(route, len, out);
        let pause = self.stream.exponential(400e-6);
        out.set_due(endpoint, now + Span::from_secs_f64(pause));
    }

    fn on_change(&mut self, now: Time, change: u32, _: &mut Outbox<'_, Numbered>) {
        self.note(2, now, [change.into(), 0, 0, 0]);
    }
}

pub(crate) type World = Simulation<Talkers>;

fn percent(value: f64) -> Probability {
    Probability::new(value / 100.0).unwrap()
}

/// The links of the world with their names.
fn links() -> Vec<(&'static str, LinkConfig)> {
    let ms = |ms| Time::ZERO + Span::from_ms(ms);
    let mbit = |mbit: u64| Rate::from_bps(mbit * 1_000_000);
    let steps = Steps::new(
        &[(ms(0), mbit(30)), (ms(40), mbit(3)), (ms(60), mbit(0))],
        Some(Span::from_ms(70)),
    );
    let wifi = LinkConfig::new(Capacity::Steps(steps.unwrap()), Span::from_ms(4))
        .with_queue(QueueConfig::Red(RedConfig {
            min: Limit::Packets(5),
            max: Limit::Packets(20),
            limit: Limit::Packets(40),
            max_probability: percent(10.0),
            weight: 0.02,
            gentle: true,
            ecn: true,
            mean_packet: Bytes::new(1_000),
        }))
        .with_impairments(Impairments {
            loss: Loss::Bernoulli { probability: percent(2.0) },
            loss_of: Filter::Data,
            jitter: Jitter::Uniform { max: Span::from_ms(2) },
            reorder: true,
            ..Impairments::default()
        });
    let lte = LinkConfig::new(Capacity::Fixed(mbit(10)), Span::from_ms(20))
        .with_queue(QueueConfig::FqCodel(FqCodelConfig::default()))
        .with_impairments(Impairments {
            loss: Loss::GilbertElliott {
                p: percent(1.0),
                r: percent(30.0),
                h: percent(20.0),
                k: percent(99.0),
            },
            duplicate: percent(3.0),
            corrupt: percent(3.0),
            ..Impairments::default()
        });
    let back = LinkConfig::new(Capacity::Fixed(mbit(5)), Span::from_ms(1))
        .with_queue(QueueConfig::Codel(CodelConfig::default()));
    let access = LinkConfig::new(Capacity::Fixed(mbit(12)), Span::from_us(10))
        .with_queue(QueueConfig::DropTail { limit: Limit::Packets(50) });
    vec![("wifi", wifi), ("lte", lte), ("back", back), ("access", access)]
}

/// The world. `turn` changes the order in which things are declared, which must not matter.
pub(crate) fn world(seed: u64, turn: usize) -> World {
    world_among(seed, turn, 0)
}

/// The world in a network with so many more links, which nobody uses.
pub(crate) fn world_among(seed: u64, turn: usize, idle: usize) -> World {
    let mut builder = Net::builder();
    for number in 0..idle {
        let idle = LinkConfig::new(Capacity::Unlimited, Span::ZERO);
        builder.link(format!("idle{number}"), idle);
    }
    let mut names = links();
    let count = names.len();
    names.rotate_left(turn % count);
    let mut elements: Vec<(&str, Element)> = Vec::new();
    let boxes = ["nat", "firewall"];
    for name in if turn.is_multiple_of(2) { boxes } else { [boxes[1], boxes[0]] } {
        elements.push((name, builder.middlebox(name, Box::new(Holder::default()))));
    }
    for (name, config) in names {
        elements.push((name, builder.link(name, config)));
    }
    let path = |names: &[&str]| -> Vec<Element> {
        let find = |name: &&str| elements.iter().find(|(other, _)| other == name).unwrap().1;
        names.iter().map(find).collect()
    };
    let routes = vec![
        builder.route(&path(&["nat", "access", "wifi"]), &path(&["back", "nat"])),
        builder.route(
            &path(&["access", "firewall", "nat", "lte"]),
            &path(&["back", "nat", "firewall"]),
        ),
    ];
    let net = builder.build(Seed(seed)).unwrap();
    let hosts = Talkers {
        routes,
        stream: Stream::new(Seed(seed), "talkers"),
        sent: 0,
        received: 0,
        digest: Sha256::new(),
    };
    let timeline = timeline(&net);
    let mut world = Simulation::new(net, timeline, hosts).unwrap();
    world.with_hosts(|_, out| {
        for _ in 0..2 {
            let endpoint = out.new_endpoint();
            out.set_due(endpoint, Time::ZERO);
        }
    });
    world
}

fn timeline(net: &Net<Numbered>) -> Timeline {
    let at = |ms| Time::ZERO + Span::from_ms(ms);
    let link = |name, change| Change::Link(net.link_named(name).unwrap(), change);
    let up = |up| LinkChange { up: Some(up), ..LinkChange::default() };
    let capacity = Some(Capacity::Fixed(Rate::from_bps(2_000_000)));
    Timeline::from_iter([
        (at(90), link("wifi", up(false))),
        (at(120), link("wifi", up(true))),
        (at(100), link("lte", LinkChange { capacity, ..LinkChange::default() })),
        (at(150), Change::Host(7)),
        (at(150), link("access", LinkChange { loss: Some(Loss::None), ..LinkChange::default() })),
    ])
}

/// What the hosts have seen so far.
pub(crate) fn digest(world: &World) -> [u8; 32] {
    world.hosts().digest.clone().finalize().into()
}
