//! Path managers end to end: what happens to interfaces, gateways, daemons, and a user's own.

use std::net::Ipv4Addr;

use crate::lab::{CLIENT, Lab, Outcome, SERVER, addr, path};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::host::HostChange;
use mptcpsim_models::observe::mib::Counter;
use mptcpsim_models::path_manager::binder::SourceRoute;
use mptcpsim_models::path_manager::endpoints::Config;
use mptcpsim_models::path_manager::multipath::Multipath;
use mptcpsim_models::path_manager::userspace::mptcpd::{AddrFlags, Mptcpd, NotifyFlags};
use mptcpsim_models::path_manager::userspace::netlink::{Command, Daemon, Event, HostView};
use mptcpsim_models::path_manager::{AnyPathManager, Name};
use mptcpsim_models::rules::Stack;

fn at(ms: u64) -> Time {
    Time::ZERO + Span::from_ms(ms)
}

fn assert_complete(outcome: &Outcome, bytes: u64) {
    let ledger = outcome.receiver().app().ledger();
    assert_eq!((ledger.bytes(), ledger.wrong_bytes()), (bytes, 0));
}

fn managed(lab: Lab, name: Name) -> Lab {
    lab.with(|lab| {
        let manager = AnyPathManager::new(name, lab.client.rules.stack);
        lab.options.path_manager = Some(manager.clone());
        lab.server_options.path_manager = Some(manager);
    })
}

fn out_of_tree(lab: Lab) -> Lab {
    lab.with(|lab| {
        for host in [&mut lab.client, &mut lab.server] {
            host.rules = Stack::OutOfTree.rules();
            host.sysctl = host.rules.sysctl_defaults();
        }
        lab.server_addresses = Some(1);
    })
}

/// An upload of `bytes` over two paths; the first one's interface goes down after a second, with
/// all that it sends and receives, and comes up again at `up`.
fn flapping(bytes: u64, up: u64) -> Lab {
    let link = |up| mptcpsim_core::link::LinkChange { up: Some(up), ..Default::default() };
    let first = path(10, 10).at(1_000, link(false)).at(up, link(true));
    out_of_tree(Lab::upload(vec![first, path(10, 20)], bytes)).with(|lab| {
        let change =
            |up| HostChange::Interface { host: CLIENT, addresses: vec![addr(CLIENT, 0)], up };
        lab.host_changes = vec![(at(1_000), change(false)), (at(up), change(true))];
    })
}

#[test]
fn fullmesh_withdraws_the_address_of_a_lost_interface_and_joins_again_when_it_is_back() {
    let outcome = flapping(6_000_000, 3_000).run(30);
    assert_complete(&outcome, 6_000_000);
    assert_eq!(outcome.counter(CLIENT, Counter::RemAddrTx), 1);
    assert_eq!(outcome.counter(SERVER, Counter::RemoveAddrSubDelete), 1);
    let connection = outcome.client().connection();
    assert_eq!(connection.subflow_count(), 3);
    let closed = connection.subflow_statistics(0).unwrap().closed_at().unwrap();
    assert_eq!(closed, at(1_500));
    assert_eq!(connection.tuple(2).unwrap().src.ip(), addr(CLIENT, 0));
    assert!(connection.subflow_statistics(2).unwrap().established_at().unwrap() > at(3_500));
}

#[test]
fn an_interface_that_flaps_for_less_than_half_a_second_is_not_noticed() {
    let outcome = flapping(4_000_000, 1_300).run(30);
    assert_complete(&outcome, 4_000_000);
    assert_eq!(outcome.counter(CLIENT, Counter::RemAddrTx), 0);
    assert_eq!(outcome.client().connection().subflow_count(), 2);
}

#[test]
fn an_interface_that_becomes_a_backup_is_told_with_mp_prio_and_left() {
    let lab = out_of_tree(Lab::upload(vec![path(10, 10), path(10, 20)], 4_000_000));
    let outcome = lab
        .with(|lab| {
            let (addresses, multipath) = (vec![addr(CLIENT, 1)], Multipath::Backup);
            let change = HostChange::SetMultipath { host: CLIENT, addresses, multipath };
            lab.host_changes = vec![(at(500), change)];
        })
        .run(30);
    assert_complete(&outcome, 4_000_000);
    let backups = [outcome.client(), outcome.server()].map(|end| end.connection().is_backup(1));
    assert_eq!(backups, [true; 2]);
    assert!((0.1..0.4).contains(&outcome.share(1)), "{}", outcome.share(1));
}

#[test]
fn a_join_without_a_route_is_tried_again_after_a_second() {
    let lab = out_of_tree(Lab::upload(vec![path(10, 10), path(10, 20)], 4_000_000));
    let outcome = lab
        .with(|lab| {
            let change =
                |up| HostChange::Interface { host: CLIENT, addresses: vec![addr(CLIENT, 1)], up };
            lab.host_changes = vec![(at(0), change(false)), (at(300), change(true))];
        })
        .run(30);
    assert_complete(&outcome, 4_000_000);
    let established = outcome.client().connection().subflow_statistics(1).unwrap().established_at();
    let established = established.unwrap();
    assert!(established > at(1_000) && established < at(1_200), "{established}");
}

#[test]
fn binder_sends_each_subflow_through_its_gateways() {
    let gateways = |number| SourceRoute::new(&[Ipv4Addr::new(10, 9, number, 1)]).unwrap();
    for stack in [Stack::OutOfTree, Stack::Upstream] {
        let lab = Lab::upload(vec![path(5, 10), path(5, 20), path(5, 30)], 3_000_000);
        let lab = if stack == Stack::OutOfTree { out_of_tree(lab) } else { lab };
        let lab = managed(lab, Name::Binder).with(|lab| {
            lab.client.sysctl.mptcp_binder_gateways = "10.9.1.1-10.9.2.1".parse().unwrap();
            lab.relays = vec![(gateways(1), 1), (gateways(2), 2)];
        });
        let outcome = lab.run(30);
        assert_complete(&outcome, 3_000_000);
        assert!(outcome.goodput() > 8.0, "{}", outcome.goodput());
        let connection = outcome.client().connection();
        assert_eq!(connection.subflow_count(), 3);
        let mss = |index| connection.tcp_info(index).unwrap().snd_mss;
        assert_eq!(mss(0), mss(1) + 12);
        assert!((0..3).all(|index| connection.tuple(index).unwrap().src.ip() == addr(CLIENT, 0)));
    }
}

#[test]
fn mptcpd_opens_what_the_kernel_would_not() {
    let daemon = Mptcpd::new(AddrFlags::default(), NotifyFlags::default());
    let daemon = daemon.load_named("addr_adv").unwrap();
    let lab = Lab::upload(vec![path(10, 10), path(10, 20)], 4_000_000).with(|lab| {
        lab.client_endpoints = Config::default();
        lab.daemon = Some(Box::new(daemon));
        let change =
            |up| HostChange::Interface { host: CLIENT, addresses: vec![addr(CLIENT, 1)], up };
        lab.host_changes = vec![(at(1_000), change(false)), (at(1_500), change(true))];
    });
    let outcome = lab.run(30);
    assert_complete(&outcome, 4_000_000);
    let config = &outcome.world().host_config(CLIENT).unwrap().endpoints;
    assert_eq!((config.endpoints.len(), config.limits.subflows), (2, 4));
    let connection = outcome.client().connection();
    assert_eq!(connection.subflow_count(), 3);
    assert_eq!(connection.subflow_statistics(1).unwrap().closed_at(), Some(at(1_000)));
    assert_eq!(outcome.counter(CLIENT, Counter::RmAddrTx), 1);
}

/// Takes all endpoints away when an interface goes down.
#[derive(Clone, Debug)]
struct Flusher;

impl Daemon for Flusher {
    fn on_event(&mut self, event: &Event, host: &HostView<'_>, commands: &mut Vec<Command>) {
        if let Event::Link { index, up: false } = event {
            assert_eq!(host.interface(*index), host.interface_of(addr(CLIENT, 2)));
            let known: Vec<u8> = host.kernel.endpoints.iter().map(|endpoint| endpoint.id).collect();
            assert_eq!((known, host.kernel.limits.subflows), (vec![1, 2], 4));
            commands.push(Command::FlushEndpoints);
        }
    }
}

#[test]
fn a_daemon_hears_of_interfaces_and_can_take_all_endpoints_away() {
    let lab = Lab::upload(vec![path(10, 10); 3], 6_000_000).with(|lab| {
        lab.daemon = Some(Box::new(Flusher));
        let down =
            HostChange::Interface { host: CLIENT, addresses: vec![addr(CLIENT, 2)], up: false };
        lab.host_changes = vec![(at(1_000), down)];
    });
    let outcome = lab.run(30);
    assert_complete(&outcome, 6_000_000);
    assert!(outcome.world().host_config(CLIENT).unwrap().endpoints.endpoints.is_empty());
    let connection = outcome.client().connection();
    let closed = |subflow| connection.subflow_statistics(subflow).unwrap().closed_at();
    // Also the one over an interface that has stayed up.
    assert_eq!([closed(1), closed(2)], [Some(at(1_000)); 2]);
}

#[test]
fn sspi_announces_the_other_interface_and_the_peer_joins_it() {
    let daemon = Mptcpd::new(AddrFlags::default(), NotifyFlags::default());
    let daemon = daemon.load_named("sspi").unwrap();
    let lab = Lab::download(vec![path(10, 10), path(10, 20)], 3_000_000).with(|lab| {
        lab.daemon = Some(Box::new(daemon));
        lab.client.sysctl.pm_type = 1;
        lab.server_endpoints = lab.client_endpoints.clone();
        lab.server_endpoints.endpoints.clear();
        lab.server_addresses = Some(1);
    });
    let outcome = lab.run(30);
    assert_complete(&outcome, 3_000_000);
    assert_eq!(outcome.counter(CLIENT, Counter::AddAddrTx), 1);
    assert_eq!(outcome.counter(SERVER, Counter::AddAddr), 1);
    assert_eq!(outcome.counter(SERVER, Counter::MpJoinSynTx), 1);
}
