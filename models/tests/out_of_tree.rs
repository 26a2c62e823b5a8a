//! The out-of-tree line end to end: transfers over one and several paths, and their handshakes.

use crate::lab::{self, CLIENT, Lab, SERVER, path};
use mptcpsim_models::mptcp::{MetaState, Mode};
use mptcpsim_models::observe::mib::Counter;
use mptcpsim_models::rules::Stack;

fn line(lab: Lab) -> Lab {
    lab.with(|lab| {
        for host in [&mut lab.client, &mut lab.server] {
            host.rules = Stack::OutOfTree.rules();
            host.sysctl = host.rules.sysctl_defaults();
        }
    })
}

/// All data arrived, unchanged, and both ends are through.
fn assert_complete(outcome: &lab::Outcome, bytes: u64) {
    let ledger = outcome.receiver().app().ledger();
    assert_eq!((ledger.bytes(), ledger.wrong_bytes()), (bytes, 0));
    for actor in [outcome.client(), outcome.server()] {
        assert_eq!(actor.connection().state(), MetaState::Closed);
        assert!(actor.connection().is_closed(), "{:?}", actor.connection().state());
    }
}

#[test]
fn one_path() {
    for checksum in [false, true] {
        let mut lab = line(Lab::upload(vec![path(10, 10)], 600_000));
        lab.client.sysctl.mptcp_checksum = checksum;
        lab.server.sysctl.mptcp_checksum = checksum;
        let outcome = lab.run(20);
        assert_complete(&outcome, 600_000);
        assert_eq!(outcome.client().connection().mode(), Mode::Mptcp);
        assert_eq!(outcome.client().connection().checksum(), checksum);
        assert_eq!(outcome.counter(CLIENT, Counter::CsumEnabled), u64::from(checksum));
        assert!(outcome.goodput() > 7.0, "{}", outcome.goodput());
    }
}

#[test]
fn two_paths_carry_more_than_one() {
    for lab in [
        Lab::upload(vec![path(10, 10), path(10, 20)], 6_000_000),
        Lab::download(vec![path(10, 10), path(10, 20)], 6_000_000),
    ] {
        let outcome = line(lab).run(20);
        assert_complete(&outcome, 6_000_000);
        assert_eq!(outcome.counter(CLIENT, Counter::MpJoinSynTx), 3);
        assert_eq!(outcome.counter(SERVER, Counter::MpJoinAckRx), 3);
        assert!(outcome.goodput() > 14.0, "{}", outcome.goodput());
    }
}

/// A transfer between hosts of two lines, or of one with other settings.
fn pair(change: impl FnOnce(&mut Lab)) -> lab::Outcome {
    let lab = line(Lab::upload(vec![path(10, 10), path(10, 20)], 2_000_000));
    lab.with(change).run(30)
}

fn upstream(config: &mut mptcpsim_models::tcp::TcpConfig) {
    *config = lab::config();
}

#[test]
fn hosts_of_different_lines_speak_plain_tcp() {
    for outcome in [pair(|lab| upstream(&mut lab.client)), pair(|lab| upstream(&mut lab.server))] {
        assert_complete(&outcome, 2_000_000);
        assert_eq!(outcome.counter(CLIENT, Counter::MpCapableFallbackSynAck), 1);
        assert_eq!(outcome.server().connection().mode(), Mode::Plain);
        assert_eq!(outcome.client().connection().subflow_count(), 1);
    }
}

#[test]
fn an_end_that_may_not_use_mptcp_makes_it_plain_tcp() {
    let server = pair(|lab| lab.server.sysctl.mptcp_enabled = 0);
    let client = pair(|lab| lab.client.sysctl.mptcp_enabled = 0);
    let socket = pair(|lab| lab.server_options.mptcp = false);
    for outcome in [&server, &client, &socket] {
        assert_complete(outcome, 2_000_000);
        assert_eq!(outcome.server().connection().mode(), Mode::Plain);
    }
    assert_eq!(server.counter(CLIENT, Counter::MpCapableFallbackSynAck), 1);
    assert_eq!(client.counter(CLIENT, Counter::MpCapableSynTx), 0);
}

#[test]
fn checksums_are_in_force_if_one_end_wants_them() {
    let both = |client, server| {
        let outcome = pair(|lab| {
            lab.client.sysctl.mptcp_checksum = client;
            lab.server.sysctl.mptcp_checksum = server;
        });
        assert_complete(&outcome, 2_000_000);
        [outcome.client(), outcome.server()].map(|actor| actor.connection().checksum())
    };
    assert_eq!(both(true, false), [true; 2]);
    assert_eq!(both(false, true), [true; 2]);
    assert_eq!(both(false, false), [false; 2]);
}

#[test]
fn path_managers_by_name() {
    let subflows = |name: &str| {
        let outcome = pair(|lab| lab.client.sysctl.mptcp_path_manager = name.to_owned());
        assert_complete(&outcome, 2_000_000);
        outcome.client().connection().subflow_count()
    };
    assert_eq!(subflows("default"), 1);
    assert_eq!(subflows("ndiffports"), 2);
    assert_eq!(subflows("fullmesh"), 4);
}

#[test]
fn a_backup_carries_nothing_while_the_other_path_lives() {
    let outcome = pair(|lab| {
        lab.server_addresses = Some(1);
        let backup = mptcpsim_models::path_manager::multipath::Multipath::Backup;
        lab.client_endpoints.multipath.set(lab::addr(CLIENT, 1), backup);
    });
    assert_complete(&outcome, 2_000_000);
    assert!(
        outcome.client().connection().is_backup(1) && outcome.server().connection().is_backup(1)
    );
    assert!(outcome.share(1) < 1e-9, "{}", outcome.share(1));
}

#[test]
fn a_dead_path_is_left_after_one_timeout() {
    let down = mptcpsim_core::link::LinkChange { up: Some(false), ..Default::default() };
    let lab = Lab::upload(vec![path(10, 10).at(1_000, down), path(10, 20)], 4_000_000);
    let outcome = line(lab).with(|lab| lab.server_addresses = Some(1)).run(30);
    let ledger = outcome.receiver().app().ledger();
    assert_eq!((ledger.bytes(), ledger.wrong_bytes()), (4_000_000, 0));
    let gap = ledger.longest_gap().0.as_ms();
    assert!((200..500).contains(&gap), "{gap}");
}

#[test]
fn an_abrupt_end_reaches_the_peer() {
    let mut lab = line(Lab::upload(vec![path(10, 10), path(10, 20)], 0));
    lab.client_app = mptcpsim_models::app::AppSpec::Bulk {
        send: Some(mptcpsim_core::units::Bytes::new(500_000)),
        until: None,
        abort: true,
        delay: mptcpsim_core::time::Span::ZERO,
    };
    let outcome = lab.run(30);
    assert!(outcome.counter(CLIENT, Counter::MpFastcloseTxOld) > 0);
    assert_eq!(outcome.counter(SERVER, Counter::MpFastcloseRxOld), 1);
    assert_eq!(outcome.server().connection().error(), Some(mptcpsim_models::tcp::Error::Reset));
    assert!(outcome.client().connection().is_closed() && outcome.server().connection().is_closed());
}
