//! Laws of any transfer, whatever the network does to packets: every byte that is read is the one
//! that was written, sequence numbers keep their order, and the transfer ends.

use crate::lab::{self, Lab, Outcome, Path};
use mptcpsim_core::impair::{Filter, Impairments, Jitter, Loss};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Probability;
use mptcpsim_models::congestion::Name;
use mptcpsim_models::host::Actor;
use mptcpsim_models::mptcp::Mode;
use mptcpsim_models::observe::mib::Counter;
use mptcpsim_models::rules::Stack;
use proptest::prelude::*;

fn probability(per_mille: u32) -> Probability {
    Probability::new(f64::from(per_mille) / 1000.0).unwrap()
}

fn loss() -> impl Strategy<Value = Loss> {
    prop_oneof![
        (0_u32..50).prop_map(|p| Loss::Bernoulli { probability: probability(p) }),
        proptest::collection::btree_set(1_u64..60, 0..12)
            .prop_map(|lost| Loss::Listed(lost.into_iter().collect())),
    ]
}

fn impairments() -> impl Strategy<Value = Impairments> {
    let jitter = prop_oneof![
        Just(Jitter::None),
        (1_u64..40).prop_map(|ms| Jitter::Uniform { max: Span::from_ms(ms) }),
    ];
    (loss(), jitter, any::<bool>(), 0_u32..50, 0_u32..20).prop_map(
        |(loss, jitter, reorder, duplicate, corrupt)| Impairments {
            loss,
            loss_of: Filter::All,
            jitter,
            reorder,
            duplicate: probability(duplicate),
            corrupt: probability(corrupt),
        },
    )
}

fn path() -> impl Strategy<Value = Path> {
    (1_u64..50, 1_u64..60, 0.2_f64..2.0, impairments()).prop_map(
        |(mbit, ms, queue_bdp, impairments)| Path {
            queue_bdp,
            impairments: Some(impairments),
            ..lab::path(mbit, ms)
        },
    )
}

#[derive(Debug)]
struct Case {
    mptcp: [bool; 2],
    checksum: bool,
    download: bool,
    congestion: Name,
    bytes: u64,
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let congestion = prop_oneof![Just(Name::Reno), Just(Name::Cubic)];
    let flags = (any::<[bool; 2]>(), any::<bool>(), any::<bool>());
    (flags, congestion, 1_u64..400_000, 1_u64..1000).prop_map(
        |((mptcp, checksum, download), congestion, bytes, seed)| Case {
            mptcp,
            checksum,
            download,
            congestion,
            bytes,
            seed,
        },
    )
}

fn lab_of(case: &Case, paths: Vec<Path>) -> Lab {
    let build = if case.download { Lab::download } else { Lab::upload };
    let mut lab = build(paths, case.bytes).congestion(case.congestion);
    lab.seed = case.seed;
    lab.options.mptcp = case.mptcp[0];
    lab.server_options.mptcp = case.mptcp[1];
    for sysctl in [&mut lab.client.sysctl, &mut lab.server.sysctl] {
        sysctl.checksum_enabled = case.checksum;
    }
    lab
}

/// What must hold at any moment.
fn hold_laws(actor: &Actor) -> Result<(), TestCaseError> {
    prop_assert_eq!(actor.app().ledger().wrong_bytes(), 0);
    let connection = actor.connection();
    for index in 0..connection.subflow_count() {
        let window = connection.window(index).unwrap();
        prop_assert!(window.snd_nxt.at_or_after(window.snd_una));
        prop_assert!(window.cwnd >= 1);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn bytes_arrive_as_they_were_written_and_transfers_end(
        case in case(),
        paths in proptest::collection::vec(path(), 1..=3),
    ) {
        let lab = lab_of(&case, paths);
        let mut simulation = lab.build();
        // Timeouts after a bad start are minutes each.
        for second in (1..=10).chain((1..=9).map(|power| 10 << power)) {
            simulation.run_until(Time::ZERO + Span::from_secs(second));
            for actor in simulation.hosts().actors() {
                hold_laws(actor)?;
            }
            if simulation.hosts().actors().iter().all(|actor| actor.app().is_done()) {
                break;
            }
        }
        let outcome = lab::Outcome { simulation };
        let ends = [outcome.client(), outcome.server()];
        // An end whose peer has given up may wait for ever: nobody tells it (RFC 9293, 3.5.1).
        let gone = ends.iter().any(|end| end.connection().is_closed());
        let done = ends.iter().all(|end| end.app().is_done());
        prop_assert!(gone || done, "both ends wait for ever");
        if done && ends.iter().all(|end| end.connection().error().is_none()) {
            prop_assert_eq!(outcome.receiver().app().ledger().bytes(), case.bytes);
        }
    }
}

/// With SYN cookies at the server; packet number 2 up, the third ACK, is lost or not.
fn upload_by_cookies(stack: Stack, third_ack_lost: bool) -> Outcome {
    let mut lab = Lab::upload(vec![lab::path(10, 10), lab::path(10, 20)], 2_000_000);
    if third_ack_lost {
        for path in &mut lab.paths {
            let loss = Loss::Listed(vec![2]);
            let all = Filter::All;
            path.impairments = Some(Impairments { loss, loss_of: all, ..Impairments::default() });
        }
    }
    lab.server_addresses = Some(1);
    for host in [&mut lab.client, &mut lab.server] {
        host.rules = stack.rules();
        host.sysctl = host.rules.sysctl_defaults();
        host.sysctl.tcp_syncookies = 2;
    }
    let outcome = lab.run(30);
    let ledger = outcome.receiver().app().ledger();
    assert_eq!((ledger.bytes(), ledger.wrong_bytes()), (2_000_000, 0));
    assert!(outcome.counter(lab::SERVER, Counter::SyncookiesRecv) >= 1);
    outcome
}

#[test]
fn a_server_that_answers_by_cookies_speaks_mptcp() {
    let cases = [(Stack::Upstream, false), (Stack::Upstream, true), (Stack::OutOfTree, false)];
    for (stack, third_ack_lost) in cases {
        let outcome = upload_by_cookies(stack, third_ack_lost);
        let server = outcome.server().connection();
        assert_eq!(server.mode(), Mode::Mptcp, "{stack:?} {third_ack_lost}");
        assert_eq!(server.subflow_count(), 2, "{stack:?} {third_ack_lost}");
        assert_eq!(outcome.counter(lab::SERVER, Counter::MpCapableSynRx), 1);
        assert_eq!(outcome.counter(lab::SERVER, Counter::MpJoinSynRx), 1);
        assert_eq!(outcome.counter(lab::SERVER, Counter::MpJoinAckRx), 1);
    }
}

/// Version 0 sends both keys once: if they are lost, the server has never heard of MPTCP.
#[test]
fn a_cookie_without_keys_opens_plain_tcp() {
    let outcome = upload_by_cookies(Stack::OutOfTree, true);
    assert_eq!(outcome.server().connection().mode(), Mode::Plain);
    assert_ne!(outcome.client().connection().mode(), Mode::Mptcp);
}
