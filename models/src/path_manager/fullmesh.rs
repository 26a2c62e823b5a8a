//! A subflow between every pair of addresses: the path manager `fullmesh` of the out-of-tree line
//! (`net/mptcp/mptcp_fullmesh.c`).
//!
//! Both ends announce all their addresses as soon as the connection exists. The client opens
//! subflows, and only once the first one is fully established: from each of its addresses to each
//! address of the peer of the same family, remote by remote. A pair is tried once. An address that
//! disappears is withdrawn, and its subflows end.

use std::net::{IpAddr, SocketAddr};

use super::multipath::Multipath;
use super::{PathAction, PathEvent, PathManager, PathsView};

/// Addresses of each end that are used (`MPTCP_MAX_ADDR`).
const MAX_ADDRESSES: usize = 8;

/// The path manager.
#[derive(Clone, Debug)]
pub(crate) struct Fullmesh {
    /// Subflows of each pair of addresses: the module's `num_subflows`.
    pub(crate) num_subflows: u8,
    fully_established: bool,
    /// Addresses that the peer announced.
    remotes: Vec<(u8, SocketAddr)>,
    /// Pairs that were tried.
    tried: Vec<(IpAddr, u8)>,
}

/// The id of an address of this host: its place among them, loopback having the first.
pub(crate) fn address_id(addresses: &[IpAddr], addr: IpAddr) -> Option<u8> {
    let place = addresses.iter().take(MAX_ADDRESSES).position(|known| *known == addr)?;
    u8::try_from(place + 2).ok()
}

impl Fullmesh {
    pub(crate) fn new(num_subflows: u8) -> Self {
        Self { num_subflows, fully_established: false, remotes: Vec::new(), tried: Vec::new() }
    }

    /// All pairs that were not tried yet.
    fn join_all(&mut self, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        let Some(first) = view.subflows.first() else { return };
        if !self.fully_established || !view.client {
            return;
        }
        let initial = (first.local.ip(), 0);
        if !self.tried.contains(&initial) {
            self.tried.push(initial);
            self.open(initial.0, (0, first.remote), 1, view, actions);
        }
        let remotes = std::iter::once((0, first.remote)).chain(self.remotes.clone());
        for remote in remotes {
            for &local in usable(view) {
                let pair = (local, remote.0);
                if local.is_ipv4() == remote.1.is_ipv4() && !self.tried.contains(&pair) {
                    self.tried.push(pair);
                    self.open(local, remote, 0, view, actions);
                }
            }
        }
    }

    /// The subflows of one pair, those there are already left out.
    fn open(
        &self,
        local: IpAddr,
        (remote_id, remote): (u8, SocketAddr),
        existing: u8,
        view: &PathsView<'_>,
        actions: &mut Vec<PathAction>,
    ) {
        let Some(local_id) = address_id(view.addresses, local) else { return };
        let backup = view.multipath.of(local) == Multipath::Backup;
        for _ in existing..self.num_subflows {
            actions.push(PathAction::Open { local, local_id, remote, remote_id, backup });
        }
    }

    fn announce_all(view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        let first = view.subflows.first().map(|first| first.local.ip());
        for &addr in usable(view).filter(|addr| Some(**addr) != first) {
            if let Some(id) = address_id(view.addresses, addr) {
                actions.push(PathAction::Announce { id, addr, port: None });
            }
        }
    }
}

fn usable<'a>(view: &PathsView<'a>) -> impl Iterator<Item = &'a IpAddr> {
    let multipath = view.multipath;
    let on = move |addr: &&IpAddr| multipath.of(**addr) != Multipath::Off;
    view.addresses.iter().take(MAX_ADDRESSES).filter(on)
}

impl PathManager for Fullmesh {
    fn on_event(&mut self, event: PathEvent, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        match event {
            PathEvent::Created => Self::announce_all(view, actions),
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
                self.tried.retain(|(_, remote_id)| *remote_id != id);
                actions.push(PathAction::CloseRemote { id });
            }
            PathEvent::AddressGone { addr } => {
                self.tried.retain(|(local, _)| *local != addr);
                let initial = view.subflows.first().is_some_and(|first| first.local.ip() == addr);
                let own = address_id(view.addresses, addr);
                for id in initial.then_some(0).into_iter().chain(own) {
                    if view.subflows.iter().any(|path| path.alive && path.local_id == id) {
                        actions.push(PathAction::CloseLocal { id });
                        actions.push(PathAction::Withdraw { id });
                    }
                }
            }
            PathEvent::SubflowEstablished { .. }
            | PathEvent::SubflowClosed { .. }
            | PathEvent::AddAddrDone { .. }
            | PathEvent::EndpointsChanged
            | PathEvent::InitialAddressRemoved
            | PathEvent::BackupChanged { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::PathView;
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
        };
        let addresses = [addr("10.0.0.1"), addr("10.0.1.1")];
        let view = PathsView {
            subflows: &[first],
            client,
            no_join_id0: false,
            signal_pending: false,
            addresses: &addresses,
            multipath,
        };
        let mut actions = Vec::new();
        let mut mesh = Fullmesh::new(1);
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
}
