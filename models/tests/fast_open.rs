//! TCP Fast Open between two hosts (RFC 7413): the data arrives as it was written, a round trip earlier,
//! whatever becomes of the SYN.

use crate::lab::{CLIENT, Lab, Outcome, Path, SERVER, path};
use mptcpsim_core::time::Span;
use mptcpsim_core::units::Bytes;
use mptcpsim_models::app::{AppSpec, Script};
use mptcpsim_models::middlebox::{Filter, Kinds, Spec};
use mptcpsim_models::mptcp::Mode;
use mptcpsim_models::observe::mib::Counter;
use mptcpsim_models::rules::Stack;

/// Clients and servers without cookies.
const CLIENT_BITS: u32 = 0x5;
const SERVER_BITS: u32 = 0x203;

fn fast(mut lab: Lab, mptcp: bool) -> Lab {
    lab.client.sysctl.tcp_fastopen = CLIENT_BITS;
    lab.server.sysctl.tcp_fastopen = SERVER_BITS;
    for options in [&mut lab.options, &mut lab.server_options] {
        options.fast_open = true;
        options.mptcp = mptcp;
    }
    lab
}

fn assert_arrived(outcome: &Outcome, bytes: u64) {
    let ledger = outcome.server().app().ledger();
    assert_eq!((ledger.bytes(), ledger.wrong_bytes()), (bytes, 0));
    assert!(ledger.ended_at().is_some());
    assert!(outcome.client().app().is_done());
}

/// Loses the first `count` packets of a kind.
fn losing(path: Path, on: &str, count: u64) -> Path {
    let on = Kinds::from_name(on).unwrap();
    path.middlebox(Filter { on, count: Some(count), ..Filter::default() }, &Spec::Drop)
}

#[test]
fn an_answer_comes_after_one_round_trip() {
    let small = |fast_open| {
        let script = Script::alike(Bytes::new(300), Bytes::new(2_000), Span::ZERO, 1);
        let mut lab = fast(Lab::upload(vec![path(100, 20)], 0), false);
        lab.options.fast_open = fast_open;
        lab.client_app =
            AppSpec::Request { script: script.clone(), delay: Span::ZERO, server_closes: false };
        lab.server_app = AppSpec::Respond { script, close_after: None };
        let outcome = lab.run(5);
        assert_eq!(outcome.counter(SERVER, Counter::FastOpenPassive), u64::from(fast_open));
        let exchange = outcome.client().app().exchanges()[0];
        exchange.answered_at.unwrap() - exchange.asked_at
    };
    let (usual, fast) = (small(false), small(true));
    assert!(usual > Span::from_ms(40) && usual < Span::from_ms(42), "{usual}");
    assert!(fast > Span::from_ms(40) && fast < Span::from_ms(42), "{fast}");
}

#[test]
fn the_stream_is_the_same_whether_it_fits_in_the_syn_or_not() {
    for mptcp in [false, true] {
        for bytes in [1, 1_000, 1_420, 1_421, 3_000_000] {
            for checksum in [false, true] {
                let mut lab = fast(Lab::upload(vec![path(10, 10), path(10, 20)], bytes), mptcp);
                lab.client.sysctl.checksum_enabled = checksum;
                lab.server.sysctl.checksum_enabled = checksum;
                let outcome = lab.run(20);
                assert_arrived(&outcome, bytes);
                assert_eq!(outcome.counter(CLIENT, Counter::FastOpenActive), 1);
                let mode = outcome.client().connection().mode();
                assert_eq!(mode == Mode::Mptcp, mptcp, "{bytes} bytes: {mode:?}");
            }
        }
    }
}

#[test]
fn a_server_that_does_not_take_data_with_the_syn_gets_it_again() {
    for mptcp in [false, true] {
        let mut lab = fast(Lab::upload(vec![path(10, 10)], 500_000), mptcp);
        lab.server.sysctl.tcp_fastopen = 1;
        let outcome = lab.run(10);
        assert_arrived(&outcome, 500_000);
        assert_eq!(outcome.counter(CLIENT, Counter::FastOpenActiveFail), 1);
        assert_eq!(outcome.counter(CLIENT, Counter::MpCapableDataFallback), u64::from(mptcp));
        assert_eq!(outcome.counter(SERVER, Counter::MpCapableFallbackAck), u64::from(mptcp));
    }
}

#[test]
fn lost_handshakes_lose_no_data() {
    for mptcp in [false, true] {
        for (lost, count) in [("syn", 1), ("syn-ack", 1), ("ack", 1), ("syn-ack", 2), ("data", 3)] {
            let first = losing(path(10, 10), lost, count);
            let outcome = fast(Lab::upload(vec![first], 200_000), mptcp).run(30);
            assert_arrived(&outcome, 200_000);
        }
    }
}

#[test]
fn the_out_of_tree_line_too() {
    let mut lab = fast(Lab::upload(vec![path(10, 10), path(10, 20)], 1_000_000), true);
    lab.server_addresses = Some(1);
    for host in [&mut lab.client, &mut lab.server] {
        let bits = host.sysctl.tcp_fastopen;
        host.rules = Stack::OutOfTree.rules();
        host.sysctl = host.rules.sysctl_defaults();
        host.sysctl.tcp_fastopen = bits;
    }
    let outcome = lab.run(20);
    assert_arrived(&outcome, 1_000_000);
    assert_eq!(outcome.counter(CLIENT, Counter::FastOpenActive), 1);
    assert_eq!(outcome.client().connection().mode(), Mode::Mptcp);
}
