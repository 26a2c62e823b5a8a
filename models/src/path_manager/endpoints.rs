//! The in-kernel path manager of upstream Linux (`net/mptcp/pm_kernel.c`).
//!
//! The administrator lists endpoints, addresses of the host with flags, and
//! limits. A `subflow` endpoint is a local address to join from, a `signal`
//! endpoint an address to announce, a `fullmesh` endpoint joins from here to
//! every address of the peer. `ip mptcp endpoint` and `ip mptcp limits` set them.

use std::net::{IpAddr, SocketAddr};

use super::multipath::Interfaces;
use super::{PathAction, PathEvent, PathManager, PathView, PathsView};

/// Most endpoints of a kind, and most additional subflows (`MPTCP_PM_ADDR_MAX`).
pub const MAX_ENDPOINTS: usize = 8;

/// An address of the host that connections may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Address id, 1 to 255.
    pub id: u8,
    /// The address.
    pub addr: IpAddr,
    /// A port of its own to listen on (`signal` only).
    pub port: Option<u16>,
    /// Join from it.
    pub subflow: bool,
    /// Announce it.
    pub signal: bool,
    /// Ask peers to use its subflows as backups.
    pub backup: bool,
    /// Join from it to every address of the peer.
    pub fullmesh: bool,
}

/// How many subflows and announcements a connection may have (`ip mptcp limits`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Additional subflows, opened and accepted.
    pub subflows: u8,
    /// Announcements of the peer that are acted upon.
    pub add_addr_accepted: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self { subflows: 2, add_addr_accepted: 0 }
    }
}

/// What the administrator configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The endpoints in the order they were added.
    pub endpoints: Vec<Endpoint>,
    /// The limits.
    pub limits: Limits,
    /// What the interfaces may be used for (out-of-tree line).
    pub multipath: Interfaces,
}

impl Config {
    /// The endpoint with address `addr`, whatever its port.
    pub fn by_addr(&self, addr: IpAddr) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.addr == addr)
    }

    /// The lowest id that is free.
    pub fn free_id(&self) -> Option<u8> {
        (1..=u8::MAX).find(|id| self.endpoints.iter().all(|endpoint| endpoint.id != *id))
    }
}

/// A set of address ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct IdSet([u64; 4]);

impl IdSet {
    fn insert(&mut self, id: u8) {
        self.0[usize::from(id >> 6)] |= 1 << (id & 63);
    }
    fn remove(&mut self, id: u8) {
        self.0[usize::from(id >> 6)] &= !(1 << (id & 63));
    }
    fn contains(&self, id: u8) -> bool {
        self.0[usize::from(id >> 6)] >> (id & 63) & 1 == 1
    }
}

/// What the path manager knows of one connection.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// Endpoints already used or announced in this connection (complement of `id_avail_bitmap`).
    used: IdSet,
    /// Id of the endpoint whose address the first subflow has: in this connection it is id 0.
    initial_id: Option<u8>,
    initial_noted: bool,
    /// Endpoints announced so far (`add_addr_signaled`).
    pub(crate) add_addr_signaled: u8,
    /// Announcements of the peer acted upon (`add_addr_accepted`).
    pub(crate) add_addr_accepted: u8,
    /// Local endpoints joined from (`local_addr_used`).
    pub(crate) local_addr_used: u8,
    /// Additional subflows that exist or are being opened (`extra_subflows`).
    pub(crate) extra_subflows: u8,
    fully_established: bool,
}

/// [`Endpoints`] together with the host's configuration.
pub struct WithConfig<'a> {
    /// The state of the connection.
    pub state: &'a mut Endpoints,
    /// The host's configuration.
    pub config: &'a Config,
}

impl Endpoints {
    /// True if another subflow may be accepted (`mptcp_pm_allow_new_subflow`); counts it.
    pub fn accept_subflow(&mut self, limits: Limits) -> bool {
        if self.extra_subflows >= limits.subflows {
            return false;
        }
        self.extra_subflows += 1;
        true
    }

    /// Counts what another path manager than [`WithConfig`] does.
    pub(crate) fn count(&mut self, event: PathEvent, actions: &[PathAction]) {
        if let PathEvent::SubflowClosed { joined: true, .. } = event {
            self.extra_subflows = self.extra_subflows.saturating_sub(1);
        }
        let opened = actions.iter().filter(|action| matches!(action, PathAction::Open { .. }));
        self.extra_subflows = self.extra_subflows.saturating_add(opened.count() as u8);
    }

    /// The id that `addr` has in this connection.
    pub fn local_id(&self, config: &Config, addr: IpAddr) -> u8 {
        let id = config.by_addr(addr).map_or(0, |endpoint| endpoint.id);
        if self.initial_id == Some(id) { 0 } else { id }
    }
}

impl PathManager for WithConfig<'_> {
    fn on_event(&mut self, event: PathEvent, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        match event {
            PathEvent::FullyEstablished => {
                self.state.fully_established = true;
                self.create_and_announce(view, actions);
            }
            PathEvent::SubflowEstablished { .. } | PathEvent::AddAddrDone { .. } => {
                self.create_and_announce(view, actions);
            }
            PathEvent::SubflowClosed { joined, .. } => {
                if joined {
                    self.state.extra_subflows = self.state.extra_subflows.saturating_sub(1);
                }
            }
            PathEvent::AddAddr { id, addr } => self.add_addr_received(id, addr, view, actions),
            PathEvent::RemoveAddr { id } => {
                if id != 0 && self.state.add_addr_accepted > 0 {
                    self.state.add_addr_accepted -= 1;
                }
                actions.push(PathAction::CloseRemote { id });
            }
            PathEvent::Created
            | PathEvent::Closed
            | PathEvent::Timer
            | PathEvent::Unreachable { .. }
            | PathEvent::PriorityReceived { .. }
            | PathEvent::AddressGone { .. }
            | PathEvent::AddressAdded { .. }
            | PathEvent::AddressPriority { .. } => {}
            PathEvent::EndpointsChanged => self.endpoints_changed(view, actions),
            PathEvent::InitialAddressRemoved => {
                actions.push(PathAction::Withdraw { id: 0 });
                actions.push(PathAction::CloseLocal { id: 0 });
            }
            PathEvent::BackupChanged { id, backup } => {
                let id = if self.state.initial_id == Some(id) { 0 } else { id };
                actions.push(PathAction::Prioritise { id, backup });
            }
        }
    }
}

impl WithConfig<'_> {
    /// `mptcp_pm_create_subflow_or_signal_addr`.
    fn create_and_announce(&mut self, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        self.note_initial(view, actions);
        let announced = self.announce_next(view, actions);
        let config = self.config;
        let joins = config.endpoints.iter().filter(|e| e.subflow || e.fullmesh);
        let local_max = joins.clone().count() as u8;
        for endpoint in joins {
            if self.state.local_addr_used >= local_max
                || self.state.extra_subflows >= config.limits.subflows
            {
                break;
            }
            // An endpoint with both flags is announced and joined from at once.
            let used = self.state.used.contains(endpoint.id) && announced != Some(endpoint.id);
            if used || endpoint.addr.is_ipv4() != is_v4(view) {
                continue;
            }
            self.state.used.insert(endpoint.id);
            self.state.local_addr_used += 1;
            self.join_from(
                endpoint.addr,
                endpoint.id,
                endpoint.backup,
                endpoint.fullmesh,
                view,
                actions,
            );
        }
    }

    /// The endpoint with the first subflow's address counts as used and as id 0
    /// (`mptcp_mpc_endpoint_setup`).
    fn note_initial(&mut self, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        if std::mem::replace(&mut self.state.initial_noted, true) {
            return;
        }
        let Some(first) = view.subflows.first() else { return };
        if let Some(endpoint) = self.config.by_addr(first.local.ip()) {
            self.state.used.insert(endpoint.id);
            self.state.initial_id = Some(endpoint.id);
            if endpoint.subflow || endpoint.fullmesh {
                self.state.local_addr_used += 1;
            }
            if endpoint.backup {
                actions.push(PathAction::Prioritise { id: 0, backup: true });
            }
        }
    }

    /// One announcement at a time: the next follows the echo or the last timeout. The id of the
    /// endpoint that is announced now.
    fn announce_next(&mut self, view: &PathsView<'_>, actions: &mut Vec<PathAction>) -> Option<u8> {
        let signals = || self.config.endpoints.iter().filter(|endpoint| endpoint.signal);
        if view.signal_pending || usize::from(self.state.add_addr_signaled) >= signals().count() {
            return None;
        }
        let endpoint = signals().find(|e| !self.state.used.contains(e.id))?;
        self.state.used.insert(endpoint.id);
        self.state.add_addr_signaled += 1;
        actions.push(PathAction::Announce {
            id: endpoint.id,
            addr: endpoint.addr,
            port: endpoint.port,
        });
        Some(endpoint.id)
    }

    /// Joins from one local address to the peer's first address, or to all of them.
    fn join_from(
        &mut self,
        local: IpAddr,
        local_id: u8,
        backup: bool,
        fullmesh: bool,
        view: &PathsView<'_>,
        actions: &mut Vec<PathAction>,
    ) {
        for (remote, remote_id) in remotes(view, fullmesh) {
            let reaches_limit = self.state.extra_subflows >= self.config.limits.subflows;
            let forbidden = remote_id == 0 && view.no_join_id0;
            if reaches_limit || forbidden || connected(view, local, remote) {
                continue;
            }
            self.state.extra_subflows += 1;
            actions.push(PathAction::Open {
                local,
                local_id,
                remote,
                remote_id,
                backup,
                source_route: None,
            });
        }
    }

    /// `mptcp_pm_nl_add_addr_received`: echo, and join if the limits allow.
    fn add_addr_received(
        &mut self,
        id: u8,
        addr: SocketAddr,
        view: &PathsView<'_>,
        actions: &mut Vec<PathAction>,
    ) {
        let limits = self.config.limits;
        if self.state.add_addr_accepted >= limits.add_addr_accepted {
            return;
        }
        let mut started = false;
        for (local, local_id, backup) in self.locals_for(addr, view) {
            let full = self.state.extra_subflows >= limits.subflows;
            if full || connected(view, local, addr) {
                continue;
            }
            self.state.extra_subflows += 1;
            started = true;
            actions.push(PathAction::Open {
                local,
                local_id,
                remote: addr,
                remote_id: id,
                backup,
                source_route: None,
            });
        }
        if started {
            self.state.add_addr_accepted += 1;
        }
    }

    /// Where to join an announced address from: all fullmesh endpoints, else wherever the host's
    /// routing table leads (`fill_local_addresses_vec`).
    fn locals_for(&self, addr: SocketAddr, view: &PathsView<'_>) -> Vec<(IpAddr, u8, bool)> {
        let same_family = |candidate: &IpAddr| candidate.is_ipv4() == addr.is_ipv4();
        let meshed: Vec<_> = self
            .config
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.fullmesh && same_family(&endpoint.addr))
            .map(|e| (e.addr, self.state.local_id(self.config, e.addr), e.backup))
            .collect();
        if !meshed.is_empty() {
            return meshed;
        }
        let routed = view.addresses.iter().copied().find(|local| routes_to(*local, addr.ip()));
        let fallback = view.subflows.first().map(|first| first.local.ip());
        routed
            .or(fallback.filter(same_family))
            .map(|local| {
                let backup = self.config.by_addr(local).is_some_and(|e| e.backup);
                (local, self.state.local_id(self.config, local), backup)
            })
            .into_iter()
            .collect()
    }

    /// Endpoints were added, removed or changed while the connection runs.
    fn endpoints_changed(&mut self, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        for path in view.subflows.iter().filter(|path| path.alive) {
            let gone = path.local_id != 0
                && self.config.endpoints.iter().all(|endpoint| endpoint.id != path.local_id)
                && self.state.used.contains(path.local_id);
            if gone {
                let id = path.local_id;
                self.state.used.remove(id);
                self.state.local_addr_used = self.state.local_addr_used.saturating_sub(1);
                actions.push(PathAction::Withdraw { id });
                actions.push(PathAction::CloseLocal { id });
            }
        }
        self.withdraw_announced(actions);
        if self.state.fully_established {
            self.create_and_announce(view, actions);
        }
    }

    /// Takes back announcements of endpoints that are gone and that no subflow uses
    /// (`mptcp_pm_remove_anno_addr`).
    fn withdraw_announced(&mut self, actions: &mut Vec<PathAction>) {
        let kept = |id| self.config.endpoints.iter().any(|endpoint| endpoint.id == id);
        let gone: Vec<u8> = (1..=u8::MAX)
            .filter(|id| self.state.used.contains(*id) && !kept(*id))
            .filter(|id| self.state.initial_id != Some(*id))
            .collect();
        for id in gone {
            self.state.used.remove(id);
            self.state.add_addr_signaled = self.state.add_addr_signaled.saturating_sub(1);
            actions.push(PathAction::Withdraw { id });
        }
    }
}

fn is_v4(view: &PathsView<'_>) -> bool {
    view.subflows.first().is_none_or(|first| first.remote.is_ipv4())
}

/// The peer's first address, or all addresses that live subflows lead to.
fn remotes(view: &PathsView<'_>, all: bool) -> Vec<(SocketAddr, u8)> {
    let mut found: Vec<(SocketAddr, u8)> = Vec::new();
    let first = view.subflows.first().map(|first| (first.remote, 0));
    let live = view.subflows.iter().filter(|path| all && path.alive);
    for (remote, id) in first.into_iter().chain(live.map(|path| (path.remote, path.remote_id))) {
        if found.iter().all(|(_, known)| *known != id) {
            found.push((remote, id));
        }
    }
    found
}

fn connected(view: &PathsView<'_>, local: IpAddr, remote: SocketAddr) -> bool {
    let same = |path: &&PathView| path.local.ip() == local && path.remote == remote;
    view.subflows.iter().filter(|path| path.alive).any(|path| same(&path))
}

/// A stand-in for the routing table: addresses of one /24 (or /64) reach each other directly.
fn routes_to(local: IpAddr, remote: IpAddr) -> bool {
    match (local, remote) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.octets()[..3] == b.octets()[..3],
        (IpAddr::V6(a), IpAddr::V6(b)) => a.octets()[..8] == b.octets()[..8],
        _ => false,
    }
}
