//! One scenario and one seed give one result, however the run is watched, split or placed.

#[allow(dead_code, reason = "each test file uses a part")]
mod common;

use common::{Holder, World, digest, world, world_among};
use mptcpsim_core::middlebox::Middlebox;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::trace::{Cause, Point, Points, Trace};

const END: Time = Time::from_ps(300_000_000_000);

fn run(mut world: World) -> World {
    world.run_until(END);
    assert!(world.hosts().received > 500);
    world
}

#[test]
fn runs_repeat() {
    let first = digest(&run(world(1, 0)));
    assert_eq!(first, digest(&run(world(1, 0))));
    assert_ne!(first, digest(&run(world(2, 0))));
}

#[test]
fn the_order_of_declaration_does_not_matter() {
    let first = digest(&run(world(1, 0)));
    for turn in 1..8 {
        assert_eq!(first, digest(&run(world(1, turn))), "turn {turn}");
    }
}

/// In large networks what comes is foreseen, which is nothing but a hint.
#[test]
fn the_size_of_the_network_does_not_matter() {
    assert_eq!(digest(&run(world(1, 0))), digest(&run(world_among(1, 0, 5_000))));
}

#[test]
fn tracing_and_sampling_change_nothing() {
    let plain = run(world(1, 0));
    let mut watched = world(1, 0);
    watched.set_trace(Trace::all(Points::ALL));
    while watched.now() < END {
        watched.run_until(watched.now() + Span::from_us(333));
    }
    watched.run_until(END);
    assert_eq!(digest(&plain), digest(&watched));
    // The records themselves do not depend on how the run was split either.
    let mut traced = world(1, 3);
    traced.set_trace(Trace::all(Points::ALL));
    traced.run_until(watched.now());
    assert_eq!(watched.net().trace().digest(), traced.net().trace().digest());
    assert_ne!(watched.net().trace().digest(), plain.net().trace().digest());
}

#[test]
fn a_trace_can_be_short_and_selective() {
    let mut full = world(1, 0);
    full.set_trace(Trace::all(Points::ALL));
    let full = run(full);
    let drops = |point: Point| matches!(point, Point::Dropped(_));
    let records = full.net().trace().records();
    for cause in [Cause::Queue, Cause::Aqm, Cause::Loss, Cause::Down] {
        assert!(records.iter().any(|record| record.point == Point::Dropped(cause)), "{cause:?}");
    }
    let mut short = world(1, 0);
    short.set_trace(Trace::last(Points::DROPS, 10));
    let short = run(short).net().trace().records();
    let expected: Vec<_> = records.into_iter().filter(|record| drops(record.point)).collect();
    assert_eq!(short.len(), 10);
    assert!(short.iter().all(|record| expected.contains(record)));
}

#[test]
fn threads_do_not_matter() {
    let expected: Vec<_> = (0..8).map(|seed| digest(&run(world(seed, 0)))).collect();
    let threads: Vec<_> =
        (0..8).map(|seed| std::thread::spawn(move || digest(&run(world(seed, 0))))).collect();
    let found: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_fork_goes_on_like_the_original() {
    let mut original = world(1, 0);
    original.run_until(Time::ZERO + Span::from_ms(95));
    let mut fork = original.clone();
    original.run_until(END);
    fork.run_until(END);
    assert_eq!(digest(&original), digest(&fork));
    assert_eq!(digest(&original), digest(&run(world(1, 0))));
}

#[test]
fn every_packet_is_accounted_for_at_any_time() {
    let mut world = world(3, 0);
    for _ in 0..600 {
        world.run_until(world.now() + Span::from_us(501));
        let mut under_way = 0;
        let mut offered = [0; 2];
        for (_, name, link) in world.net().links() {
            let (traffic, incidents) = (link.counters().traffic, link.counters().incidents);
            let inside = link.backlog().packets + link.propagating() as u64;
            under_way += inside;
            assert_eq!(
                traffic.offered.packets + incidents.duplicated.packets,
                traffic.delivered.packets + incidents.dropped_packets() + inside,
                "{name}"
            );
            offered[usize::from(name == "back")] += traffic.offered.packets;
        }
        assert_eq!(under_way, world.net().in_flight() as u64);
        assert!(offered[0] > 0);
    }
    let hops: u64 =
        world.net().links().map(|(_, _, link)| link.counters().traffic.sent.packets).sum();
    assert_eq!(world.packet_hops(), hops);
}

#[test]
fn boxes_are_known_by_name() {
    let world = world(1, 1);
    let names: Vec<_> = world.net().boxes().map(|(name, it)| (name, it.name())).collect();
    assert_eq!(names, [("firewall", "holder"), ("nat", "holder")]);
    assert_eq!(Holder::default().due(), Time::NEVER);
}
