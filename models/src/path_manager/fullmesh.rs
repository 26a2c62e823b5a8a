//! A subflow between every pair of addresses: the path manager `fullmesh` of the out-of-tree line
//! (`net/mptcp/mptcp_fullmesh.c`).
//!
//! Both ends announce all their addresses as soon as the connection exists. The client opens
//! subflows, and only once the first one is fully established: from each of its addresses to each
//! address of the peer of the same family, remote by remote. A pair is tried once; if there was no
//! route it is tried again after a second. With `create_on_err` a pair whose subflow timed out
//! is joined anew.
//!
//! The host notices half a second late that an interface has gone down, come up or changed its use
//! (`mptcp_address_worker`). An address that is gone is withdrawn and its subflows end, a new one is
//! announced and joined from, and a changed priority is sent with MP_PRIO. If the first subflow
//! leaves from an address that must not be used, the connection has no path manager.

use std::net::{IpAddr, SocketAddr};

use mptcpsim_core::time::{Span, Time};

use super::multipath::Multipath;
use super::{PathAction, PathEvent, PathManager, PathsView};
use crate::params::params;
use crate::tcp::Error;

/// Addresses of each end that are used (`MPTCP_MAX_ADDR`).
const MAX_ADDRESSES: usize = 8;
/// The wait before a pair without a route is tried again (`MPTCP_SUBFLOW_RETRY_DELAY`).
const RETRY: Span = Span::from_ms(1_000);

params! {
    /// The parameters of the module.
    pub struct Params {
        num_subflows: u32 = 1, 1..=16,
            "subflows for each pair of addresses";
        create_on_err: bool = 0, 0..=1,
            "join a pair anew when its subflow has timed out";
    }
}

/// A local address and the id of a remote one.
type Pair = (IpAddr, u8);

/// The path manager.
#[derive(Clone, Debug)]
pub struct Fullmesh {
    pub(super) params: Params,
    /// The first subflow's address must not be used: nothing is done.
    passive: bool,
    fully_established: bool,
    /// Addresses that the peer announced.
    remotes: Vec<(u8, SocketAddr)>,
    /// Pairs that have a subflow, or had one that could not be opened.
    tried: Vec<Pair>,
    /// Pairs to be tried again, and those that were.
    retry: Vec<Pair>,
    retried: Vec<Pair>,
    retry_at: Time,
}

/// The id of an address of this host: its place among them, loopback having the first.
pub(crate) fn address_id(addresses: &[IpAddr], addr: IpAddr) -> Option<u8> {
    let place = addresses.iter().take(MAX_ADDRESSES).position(|known| *known == addr)?;
    u8::try_from(place + 2).ok()
}

impl Default for Fullmesh {
    fn default() -> Self {
        Self {
            params: Params::default(),
            passive: false,
            fully_established: false,
            remotes: Vec::new(),
            tried: Vec::new(),
            retry: Vec::new(),
            retried: Vec::new(),
            retry_at: Time::NEVER,
        }
    }
}

impl Fullmesh {
    /// All pairs that were not tried yet.
    fn join_all(&mut self, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        let Some(first) = view.subflows.first() else { return };
        if !self.fully_established || !view.client {
            return;
        }
        let initial = (first.local.ip(), 0);
        if !self.tried.contains(&initial) && first.alive {
            self.tried.push(initial);
            self.open(initial, first.remote, 1, view, actions);
        }
        let remotes = std::iter::once((0, first.remote)).chain(self.remotes.clone());
        for (remote_id, remote) in remotes {
            for &local in usable(view) {
                let pair = (local, remote_id);
                if local.is_ipv4() == remote.is_ipv4() && !self.tried.contains(&pair) {
                    self.tried.push(pair);
                    self.open(pair, remote, 0, view, actions);
                }
            }
        }
    }

    /// The subflows of one pair, those there are already left out.
    fn open(
        &self,
        (local, remote_id): Pair,
        remote: SocketAddr,
        existing: u32,
        view: &PathsView<'_>,
        actions: &mut Vec<PathAction>,
    ) {
        let Some(local_id) = address_id(view.addresses, local) else { return };
        let backup = view.multipath.of(local) == Multipath::Backup;
        let source_route = None;
        for _ in existing..self.params.num_subflows {
            actions.push(PathAction::Open {
                local,
                local_id,
                remote,
                remote_id,
                backup,
                source_route,
            });
        }
    }

    /// The pair may be tried as if it never had been.
    fn forget(&mut self, gone: impl Fn(&Pair) -> bool) {
        for pairs in [&mut self.tried, &mut self.retry, &mut self.retried] {
            pairs.retain(|pair| !gone(pair));
        }
    }

    fn retry_all(&mut self, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        self.retry_at = Time::NEVER;
        for pair in std::mem::take(&mut self.retry) {
            self.retried.push(pair);
            let first = view.subflows.first().map(|first| (0, first.remote));
            let known = first.into_iter().chain(self.remotes.iter().copied());
            if let Some((_, remote)) = known.into_iter().find(|(id, _)| *id == pair.1) {
                self.open(pair, remote, 0, view, actions);
            }
        }
    }

    fn closed(
        &mut self,
        subflow: usize,
        error: Option<Error>,
        view: &PathsView<'_>,
        actions: &mut Vec<PathAction>,
    ) {
        let Some(path) = view.subflows.get(subflow) else { return };
        let pair = (path.local.ip(), path.remote_id);
        let same = |other: &&super::PathView| (other.local.ip(), other.remote_id) == pair;
        if view.subflows.iter().filter(|path| path.alive).any(|path| same(&path)) {
            return;
        }
        self.forget(|other| *other == pair);
        if self.params.create_on_err && error == Some(Error::TimedOut) {
            self.join_all(view, actions);
        }
    }
}

fn announce_all(view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
    let first = view.subflows.first().map(|first| first.local.ip());
    for &addr in usable(view).filter(|addr| Some(**addr) != first) {
        announce(addr, view, actions);
    }
}

fn announce(addr: IpAddr, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
    if let Some(id) = address_id(view.addresses, addr) {
        actions.push(PathAction::Announce { id, addr, port: None });
    }
}

fn usable<'a>(view: &PathsView<'a>) -> impl Iterator<Item = &'a IpAddr> {
    let multipath = view.multipath;
    let on = move |addr: &&IpAddr| multipath.of(**addr) != Multipath::Off;
    view.addresses.iter().take(MAX_ADDRESSES).filter(on)
}

/// The ids that an address has: its own, and 0 if the first subflow has it.
fn ids(addr: IpAddr, view: &PathsView<'_>) -> impl Iterator<Item = u8> {
    let initial = view.subflows.first().is_some_and(|first| first.local.ip() == addr);
    initial.then_some(0).into_iter().chain(address_id(view.addresses, addr))
}

/// Subflows end, and the peer is told: of the ids of the subflows, else of the address's own.
fn withdraw(addr: IpAddr, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
    let in_use = |id: &u8| view.subflows.iter().any(|path| path.alive && path.local_id == *id);
    let mut used = ids(addr, view).filter(in_use).peekable();
    if used.peek().is_none() {
        actions.extend(address_id(view.addresses, addr).map(|id| PathAction::Withdraw { id }));
    }
    for id in used {
        actions.push(PathAction::CloseLocal { id });
        actions.push(PathAction::Withdraw { id });
    }
}

impl PathManager for Fullmesh {
    fn on_event(&mut self, event: PathEvent, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        if self.passive {
            return;
        }
        match event {
            PathEvent::Created => {
                let first = view.subflows.first().map(|first| first.local.ip());
                self.passive = first.is_some_and(|addr| view.multipath.of(addr) == Multipath::Off);
                if !self.passive {
                    announce_all(view, actions);
                }
            }
            PathEvent::FullyEstablished => {
                self.fully_established = true;
                self.join_all(view, actions);
            }
            PathEvent::AddAddr { id, addr } => {
                let known = self.remotes.iter().any(|(known, _)| *known == id);
                if !known && self.remotes.len() < MAX_ADDRESSES {
                    self.remotes.push((id, addr));
                }
                self.join_all(view, actions);
            }
            PathEvent::RemoveAddr { id } => {
                self.remotes.retain(|(known, _)| *known != id);
                self.forget(|(_, remote_id)| *remote_id == id);
                actions.push(PathAction::CloseRemote { id });
            }
            PathEvent::AddressGone { addr } => {
                self.forget(|(local, _)| *local == addr);
                withdraw(addr, view, actions);
            }
            PathEvent::AddressAdded { addr } => {
                announce(addr, view, actions);
                self.join_all(view, actions);
            }
            PathEvent::AddressPriority { addr, backup } => {
                actions.extend(ids(addr, view).map(|id| PathAction::Prioritise { id, backup }));
            }
            PathEvent::Unreachable { local, remote_id } => {
                let pair = (local, remote_id);
                if !self.retried.contains(&pair) && !self.retry.contains(&pair) {
                    self.retry.push(pair);
                    self.retry_at = self.retry_at.min(view.now + RETRY);
                }
            }
            PathEvent::Timer => self.retry_all(view, actions),
            PathEvent::SubflowClosed { subflow, error, .. } => {
                self.closed(subflow, error, view, actions);
            }
            PathEvent::SubflowEstablished { .. }
            | PathEvent::Closed
            | PathEvent::PriorityReceived { .. }
            | PathEvent::AddAddrDone { .. }
            | PathEvent::EndpointsChanged
            | PathEvent::InitialAddressRemoved
            | PathEvent::BackupChanged { .. } => {}
        }
    }

    fn due(&self) -> Time {
        self.retry_at
    }
}

#[cfg(test)]
mod tests {
    use super::super::PathView;
    use super::super::binder::Gateways;
    use super::super::multipath::Interfaces;
    use super::*;

    fn addr(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn run(client: bool, multipath: &Interfaces, events: &[PathEvent]) -> Vec<PathAction> {
        let first = PathView {
            local: "10.0.0.1:1000".parse().unwrap(),
            remote: "10.0.0.2:80".parse().unwrap(),
            local_id: 0,
            remote_id: 0,
            joined: false,
            alive: true,
            backup: false,
        };
        let addresses = [addr("10.0.0.1"), addr("10.0.1.1")];
        let gateways = Gateways::default();
        let view = PathsView {
            now: Time::ZERO,
            gateways: &gateways,
            subflows: &[first],
            client,
            no_join_id0: false,
            signal_pending: false,
            addresses: &addresses,
            multipath,
        };
        let mut actions = Vec::new();
        let mut mesh = Fullmesh::default();
        events.iter().for_each(|event| mesh.on_event(*event, &view, &mut actions));
        actions
    }

    /// Local address and remote address of the joins.
    fn joins(actions: &[PathAction]) -> Vec<(u8, u8)> {
        let pair = |action: &PathAction| match action {
            PathAction::Open { local_id, remote_id, .. } => Some((*local_id, *remote_id)),
            _ => None,
        };
        actions.iter().filter_map(pair).collect()
    }

    const ANNOUNCED: PathEvent = PathEvent::AddAddr {
        id: 3,
        addr: SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 1, 2)), 80),
    };

    #[test]
    fn every_pair_is_joined_once_the_first_subflow_is_fully_established() {
        let events = [PathEvent::Created, ANNOUNCED, PathEvent::FullyEstablished, ANNOUNCED];
        let actions = run(true, &Interfaces::default(), &events);
        assert!(matches!(actions[0], PathAction::Announce { id: 3, .. }));
        assert_eq!(joins(&actions), [(3, 0), (2, 3), (3, 3)]);
    }

    #[test]
    fn only_the_client_joins_and_both_announce() {
        let events = [PathEvent::Created, PathEvent::FullyEstablished];
        assert_eq!(run(false, &Interfaces::default(), &events).len(), 1);
    }

    #[test]
    fn an_interface_can_be_kept_out_or_for_emergencies() {
        let events = [PathEvent::Created, PathEvent::FullyEstablished];
        let mut multipath = Interfaces::default();
        multipath.set(addr("10.0.1.1"), Multipath::Off);
        assert!(run(true, &multipath, &events).is_empty());
        multipath.set(addr("10.0.1.1"), Multipath::Backup);
        assert!(matches!(run(true, &multipath, &events)[1], PathAction::Open { backup: true, .. }));
    }

    #[test]
    fn a_lost_address_is_withdrawn_over_what_is_left() {
        let gone = PathEvent::AddressGone { addr: addr("10.0.0.1") };
        let actions = run(true, &Interfaces::default(), &[gone]);
        assert_eq!(actions, [PathAction::CloseLocal { id: 0 }, PathAction::Withdraw { id: 0 }]);
    }

    #[test]
    fn what_an_interface_does_is_told() {
        let (gone, back) = (addr("10.0.1.1"), addr("10.0.1.1"));
        let events = [
            PathEvent::Created,
            PathEvent::FullyEstablished,
            PathEvent::AddressGone { addr: gone },
            PathEvent::AddressAdded { addr: back },
            PathEvent::AddressPriority { addr: addr("10.0.0.1"), backup: true },
        ];
        let actions = run(true, &Interfaces::default(), &events);
        assert_eq!(joins(&actions), [(3, 0), (3, 0)]);
        assert!(actions.contains(&PathAction::Withdraw { id: 3 }));
        assert!(actions.contains(&PathAction::Prioritise { id: 0, backup: true }));
    }

    #[test]
    fn a_pair_without_a_route_is_tried_again_once() {
        let missing = PathEvent::Unreachable { local: addr("10.0.1.1"), remote_id: 0 };
        let events = [PathEvent::FullyEstablished, missing, PathEvent::Timer, missing];
        let events = [&events[..], &[PathEvent::Timer]].concat();
        let actions = run(true, &Interfaces::default(), &events);
        assert_eq!(joins(&actions), [(3, 0), (3, 0)]);
    }

    #[test]
    fn a_connection_from_an_unusable_address_is_left_alone() {
        let mut multipath = Interfaces::default();
        multipath.set(addr("10.0.0.1"), Multipath::Off);
        let events = [PathEvent::Created, PathEvent::FullyEstablished, ANNOUNCED];
        assert!(run(true, &multipath, &events).is_empty());
    }
}
