//! Every built-in middlebox on the path of a transfer: what it does to MPTCP, and what not.

use crate::lab::{self, CLIENT, Lab, Outcome, Path, SERVER, addr, path};
use mptcpsim_core::middlebox::Direction;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::host::{Actor, Tap};
use mptcpsim_models::middlebox::{
    Copies, Effect, Filter, FirewallRules, Kinds, OptionSet, Order, Replace, Shift, Spec,
};
use mptcpsim_models::mptcp::Mode;
use mptcpsim_models::observe::mib::Counter;
use mptcpsim_models::segment::Flags;
use mptcpsim_models::tcp::State;

const BYTES: u64 = 500_000;

fn upload(path: Path) -> Outcome {
    Lab::upload(vec![path], BYTES).run(20)
}

fn through(spec: &Spec) -> Path {
    path(10, 10).middlebox(Filter::default(), spec)
}

fn on(kinds: &str) -> Filter {
    Filter { on: Kinds::from_name(kinds).unwrap(), ..Filter::default() }
}

fn strip(replace: Replace) -> Spec {
    Spec::Strip { options: OptionSet::MPTCP, replace }
}

fn is_mptcp(outcome: &Outcome) -> bool {
    let ends = [outcome.client(), outcome.server()];
    ends.iter().all(|actor| actor.connection().mode() == Mode::Mptcp)
}

fn assert_intact(outcome: &Outcome) {
    let ledger = outcome.receiver().app().ledger();
    assert_eq!((ledger.bytes(), ledger.wrong_bytes()), (BYTES, 0));
    assert!(ledger.ended_at().is_some());
}

/// What the box did, each way.
fn touched(outcome: &Outcome, name: &str) -> [u64; 2] {
    outcome.simulation.net().tables().touches.count(name)
}

#[test]
fn mptcp_does_not_mind() {
    let shift = Shift::Random;
    let harmless = [
        Spec::Nat {
            outwards: Direction::Forward,
            address: "203.0.113.7".parse().unwrap(),
            port_shift: 77,
            idle: Span::from_secs(60),
        },
        Spec::Sequence { shift, sack: true },
        Spec::Split { size: 500, copies: Copies::All },
        Spec::Split { size: 1_000, copies: Copies::First },
        Spec::Coalesce { hold: Span::from_ms(3), same_options: true, parts: 2 },
        Spec::Reorder { order: Order::Reverse },
        Spec::Reorder { order: Order::ByKind },
        Spec::Clamp { mss: Some(1_000), window: None },
        Spec::Firewall(FirewallRules {
            out_of_window: true,
            unseen_acks: true,
            ..FirewallRules::default()
        }),
    ];
    for spec in harmless {
        let outcome = upload(through(&spec));
        assert!(is_mptcp(&outcome), "{spec:?}");
        assert_intact(&outcome);
    }
}

#[test]
fn options_are_stripped_whatever_takes_their_place() {
    for replace in [Replace::Nop, Replace::Eol, Replace::Remove] {
        let outcome = upload(through(&strip(replace)));
        assert!(!is_mptcp(&outcome));
        assert_eq!(outcome.counter(CLIENT, Counter::MpCapableFallbackSynAck), 1);
        assert_intact(&outcome);
        let touches = outcome.simulation.net().tables().touches.first();
        assert_eq!((touches[0].number, touches[0].effect), (1, Effect::Stripped));
    }
}

#[test]
fn clamping_lowers_segments_and_windows() {
    let largest = |spec: &Spec| {
        let mut simulation = Lab::upload(vec![through(spec)], BYTES).build();
        simulation.hosts_mut().set_tap(Tap::new(true));
        simulation.run_until(Time::ZERO + Span::from_secs(5));
        let seen = simulation.hosts_mut().tap().seen();
        let arrived = seen.iter().filter(|tapped| !tapped.sent);
        let data = arrived.clone().map(|tapped| tapped.segment.payload.len()).max().unwrap();
        let window = arrived.map(|tapped| tapped.segment.window).max().unwrap();
        (data, window)
    };
    let (free, window) = largest(&Spec::Clamp { mss: Some(1_460), window: None });
    let (clamped, _) = largest(&Spec::Clamp { mss: Some(1_000), window: None });
    assert_eq!(free - clamped, 460);
    let (_, narrow) = largest(&Spec::Clamp { mss: None, window: Some(100) });
    assert!(narrow == 100 && window > 100);
}

#[test]
fn a_nat_that_forgets_changes_ports_and_the_server_resets() {
    let nat = Spec::Nat {
        outwards: Direction::Forward,
        address: "203.0.113.7".parse().unwrap(),
        port_shift: 0,
        idle: Span::from_secs(2),
    };
    let mut lab = Lab::upload(vec![through(&nat)], BYTES);
    // Silence behind the handshake, longer than the mapping lasts.
    lab.client_app = mptcpsim_models::app::AppSpec::Bulk {
        send: Some(mptcpsim_core::units::Bytes::new(BYTES)),
        until: None,
        abort: false,
        delay: Span::from_secs(3),
    };
    let outcome = lab.run(20);
    assert_eq!(outcome.receiver().app().ledger().bytes(), 0);
    assert!(outcome.client().connection().error().is_some());
    lab.client_app = lab::bulk(BYTES);
    assert_intact(&lab.run(20));
}

#[test]
fn hosts_behind_a_nat_are_seen_with_its_address() {
    let address = "203.0.113.7".parse().unwrap();
    let idle = Span::from_secs(60);
    let nat = Spec::Nat { outwards: Direction::Forward, address, port_shift: 5, idle };
    let outcome = upload(through(&nat));
    let (client, server) = (outcome.client().connection(), outcome.server().connection());
    assert_eq!(client.tuple(0).unwrap().src.ip(), addr(CLIENT, 0));
    let seen = server.tuple(0).unwrap().dst;
    assert_eq!(seen.ip(), address);
    assert_eq!(seen.port(), client.tuple(0).unwrap().src.port() + 5);
    assert!(touched(&outcome, "p0.box0").iter().all(|count| *count > 100));
}

#[test]
fn a_gateway_that_changes_lengths_needs_checksums_to_be_noticed() {
    let alg = Spec::Alg {
        direction: Direction::Forward,
        at: 100_000,
        remove: 9,
        insert: b"203.0.113.77".to_vec(),
    };
    let mut lab = Lab::upload(vec![through(&alg)], BYTES);
    lab.client.sysctl.checksum_enabled = true;
    let outcome = lab.run(20);
    assert!(outcome.counter(SERVER, Counter::DataCsumErr) > 0);
    // Plain TCP takes what it gets, three bytes more.
    lab.options.mptcp = false;
    let outcome = lab.run(20);
    assert_eq!(outcome.receiver().app().ledger().bytes(), BYTES + 3);
    assert_eq!(touched(&outcome, "p0.box0"), [1, 0]);
}

#[test]
fn acknowledgements_without_data_ack_end_mptcp() {
    for absorb in [false, true] {
        // The sender hears of no queue behind the proxy: that must be long.
        let proxy = Spec::AckProxy { timeout: Span::from_ms(300), absorb };
        let outcome = upload(through(&proxy).queue(40.0));
        assert!(!is_mptcp(&outcome), "absorb {absorb}");
        assert_intact(&outcome);
    }
}

#[test]
fn a_proxy_repeats_what_is_lost_behind_it() {
    let proxy = Spec::AckProxy { timeout: Span::from_ms(100), absorb: false };
    let mut lossy = through(&proxy).queue(40.0);
    lossy.lost = vec![30, 31, 77];
    let mut lab = Lab::upload(vec![lossy], BYTES);
    lab.options.mptcp = false;
    assert_intact(&lab.run(30));
}

#[test]
fn a_split_proxy_ends_mptcp_and_the_data_is_intact() {
    for buffer in [None, Some(20_000)] {
        let outcome = upload(through(&Spec::SplitProxy { buffer }));
        assert!(!is_mptcp(&outcome));
        assert_eq!(outcome.counter(CLIENT, Counter::MpCapableFallbackSynAck), 1);
        assert_intact(&outcome);
        let touches = outcome.simulation.net().tables().touches.first();
        assert_eq!((touches[0].number, touches[0].effect), (1, Effect::Answered));
        let ends = [outcome.client(), outcome.server()];
        assert!(ends.iter().all(|end| end.connection().is_closed()));
    }
}

#[test]
fn a_split_proxy_repairs_what_is_lost_behind_it() {
    // In front of the box there is nothing that could lose data: no more is sent there than the probes for what a full
    // box is slow to acknowledge.
    let mut lossy = through(&Spec::SplitProxy { buffer: None });
    lossy.lost = vec![30, 31, 77, 200];
    let outcome = Lab::upload(vec![lossy], BYTES).run(30);
    assert_intact(&outcome);
    assert_eq!(outcome.counter(CLIENT, Counter::FastRetrans), 0);
    assert_eq!(outcome.counter(CLIENT, Counter::Timeouts), 0);
    assert!(outcome.retransmissions(0) <= outcome.counter(CLIENT, Counter::LossProbes));
}

#[test]
fn a_split_proxy_answers_before_the_server_does() {
    let outcome = Lab::download(vec![through(&Spec::SplitProxy { buffer: None })], BYTES).run(30);
    assert_intact(&outcome);
    let established = |actor: &Actor| actor.connection().statistics().established_at.unwrap();
    // The box stands in front of both links of 10 ms: its answer takes one of them, the server's both.
    assert!(established(outcome.client()) - Time::ZERO < Span::from_ms(11));
    assert!(established(outcome.server()) - Time::ZERO > Span::from_ms(20));
}

#[test]
fn a_split_proxy_passes_on_what_a_box_in_front_of_it_changed() {
    let corrupt = Spec::Corrupt { at: 1_000, stride: 50_000, bytes: 10 };
    let front = path(10, 10).middlebox(Filter::default(), &corrupt);
    let proxy = Spec::SplitProxy { buffer: None };
    let mut lossy = front.middlebox(Filter::default(), &proxy);
    lossy.lost = vec![1, 36, 37];
    let outcome = Lab::upload(vec![lossy], BYTES).run(30);
    let ledger = outcome.receiver().app().ledger();
    assert_eq!((ledger.bytes(), ledger.wrong_bytes()), (BYTES, 10));
}

#[test]
fn a_join_through_a_split_proxy_is_refused() {
    let proxied = through(&Spec::SplitProxy { buffer: None });
    let outcome = Lab::upload(vec![path(10, 10), proxied], BYTES).run(30);
    assert!(is_mptcp(&outcome));
    assert_intact(&outcome);
    assert_eq!(outcome.client().connection().subflow(1).unwrap().state(), State::Closed);
    // The box gives up its other half: nobody waits at the server.
    assert!(outcome.server().connection().is_closed());
}

#[test]
fn delayed_acknowledgements_lengthen_the_round_trip() {
    let delayed = path(10, 10).middlebox(on("ack"), &Spec::Hold { delay: Span::from_ms(40) });
    let outcome = upload(delayed);
    assert!(is_mptcp(&outcome));
    assert_intact(&outcome);
    let srtt_ms = outcome.client().connection().window(0).unwrap().srtt_us / 8_000;
    assert!(srtt_ms >= 60, "{srtt_ms} ms");
}

#[test]
fn a_firewall_without_pure_acknowledgements_stops_an_upload() {
    let rules = FirewallRules { pure_acks: true, ..FirewallRules::default() };
    let outcome = upload(through(&Spec::Firewall(rules)));
    assert!(outcome.receiver().app().ledger().bytes() < BYTES);
    assert!(touched(&outcome, "p0.box0")[1] > 0);
}

#[test]
fn wrapped_in_pings_mptcp_passes_a_box_that_strips_it() {
    let icmp = |outwards, mss_adjust| Spec::Icmp { outwards, port: 5_001, mtu: 1_500, mss_adjust };
    let detour = |mss_adjust| {
        path(10, 10)
            .middlebox(Filter::default(), &icmp(Direction::Forward, mss_adjust))
            .middlebox(Filter::default(), &strip(Replace::Nop))
            .middlebox(Filter::default(), &icmp(Direction::Reverse, mss_adjust))
    };
    let outcome = upload(detour(24));
    assert!(is_mptcp(&outcome));
    assert_intact(&outcome);
    assert_eq!(touched(&outcome, "p0.box1"), [0, 0]);
    // Without a smaller MSS full segments go past the detour and lose their options.
    let outcome = upload(detour(0));
    assert!(!is_mptcp(&outcome));
    assert!(touched(&outcome, "p0.box1")[0] > 0);
    // Without the other end nobody answers.
    let alone = path(10, 10).middlebox(Filter::default(), &icmp(Direction::Forward, 24));
    assert!(outcome_of_handshake(&upload(alone)));
}

/// True if no connection came about.
fn outcome_of_handshake(outcome: &Outcome) -> bool {
    outcome.world().actors().iter().all(|actor| actor.app().ledger().bytes() == 0)
}

#[test]
fn filters_pick_segments() {
    let first_two = Filter { count: Some(2), from: 5, ..on("data") };
    let outcome = upload(path(10, 10).middlebox(first_two, &Spec::Drop));
    assert_eq!(touched(&outcome, "p0.box0"), [2, 0]);
    assert_intact(&outcome);
    let touch = outcome.simulation.net().tables().touches.first()[0].clone();
    assert_eq!((touch.effect, touch.kind.name()), (Effect::Dropped, "data"));
    // SYN, third ACK, four data segments; the third ACK may carry no data.
    assert!((6..=7).contains(&touch.number), "{}", touch.number);
}

#[test]
fn chance_depends_on_the_seed_alone() {
    let run = |seed| {
        let probability = mptcpsim_core::units::Probability::new(0.02);
        let filter = Filter { probability, ..on("data") };
        let mut lab = Lab::upload(vec![path(10, 10).middlebox(filter, &Spec::Drop)], BYTES);
        lab.seed = seed;
        let outcome = lab.run(30);
        assert_intact(&outcome);
        (touched(&outcome, "p0.box0")[0], outcome.completion())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_fork_with_boxes_goes_on_in_the_same_way() {
    let boxes = path(10, 10)
        .middlebox(Filter::default(), &Spec::Sequence { shift: Shift::Random, sack: true })
        .middlebox(
            Filter::default(),
            &Spec::Coalesce { hold: Span::from_ms(3), same_options: true, parts: 2 },
        );
    let mut simulation = Lab::upload(vec![boxes], BYTES).build();
    simulation.run_until(Time::ZERO + Span::from_ms(200));
    let mut twin = simulation.clone();
    let end = Time::ZERO + Span::from_secs(10);
    simulation.run_until(end);
    twin.run_until(end);
    let (one, other) = (Outcome { simulation }, Outcome { simulation: twin });
    assert_intact(&one);
    assert_eq!(one.completion(), other.completion());
}

#[test]
fn sack_blocks_that_a_box_forgets_cost_time() {
    let run = |sack| {
        let shift = Shift::Fixed([1_000_000_000, 2_000_000_000]);
        let mut lossy = through(&Spec::Sequence { shift, sack });
        lossy.lost = vec![50, 60, 70, 80];
        let outcome = upload(lossy);
        assert_intact(&outcome);
        outcome.completion()
    };
    assert!(run(false) > run(true));
}

#[test]
fn a_syn_that_is_dropped_is_a_syn() {
    let mut simulation =
        Lab::upload(vec![path(10, 10).middlebox(on("syn"), &Spec::Drop)], BYTES).build();
    simulation.hosts_mut().set_tap(Tap::new(true));
    simulation.run_until(Time::ZERO + Span::from_secs(10));
    let seen = simulation.hosts_mut().tap().seen();
    assert!(seen.iter().all(|tapped| tapped.sent && tapped.segment.flags.has(Flags::SYN)));
}
