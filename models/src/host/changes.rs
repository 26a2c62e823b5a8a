//! Changes of hosts while connections run: endpoints, limits, interfaces; and what daemons want.
//!
//! Endpoints and limits take effect at once, and so do interfaces upstream. Out of tree the kernel
//! collects what happens to interfaces for half a second, then looks what is different
//! (`mptcp_address_worker`): an interface that flaps in between is not noticed.

use std::net::IpAddr;

use mptcpsim_core::sim::Outbox;
use mptcpsim_core::time::{Span, Time};

use super::{Host, Packet, World};
use crate::path_manager::endpoints::Endpoint;
use crate::path_manager::multipath::Multipath;
use crate::path_manager::userspace::netlink::{Command, Event};
use crate::path_manager::{PathEvent, endpoints};
use crate::rules::Procedures;

/// How long the out-of-tree line collects what happens to interfaces.
const COLLECTED: Span = Span::from_ms(500);

/// A change of a host's configuration at some time.
#[derive(Clone, Debug, PartialEq)]
pub enum HostChange {
    /// An endpoint is added, or replaced if its id exists.
    AddEndpoint {
        /// Host number.
        host: usize,
        /// The endpoint.
        endpoint: endpoints::Endpoint,
    },
    /// The endpoint with this id is removed; 0 is the address of each connection's first subflow.
    RemoveEndpoint {
        /// Host number.
        host: usize,
        /// Its id.
        id: u8,
    },
    /// The priority of an endpoint changes.
    SetBackup {
        /// Host number.
        host: usize,
        /// Id of the endpoint.
        id: u8,
        /// Use its subflows as backups.
        backup: bool,
    },
    /// The limits change.
    SetLimits {
        /// Host number.
        host: usize,
        /// The new limits.
        limits: endpoints::Limits,
    },
    /// An interface goes up or down.
    Interface {
        /// Host number.
        host: usize,
        /// The addresses of the interface.
        addresses: Vec<IpAddr>,
        /// Whether it is up from then on.
        up: bool,
    },
    /// An interface is used in another way (`ip link set dev IFACE multipath`).
    SetMultipath {
        /// Host number.
        host: usize,
        /// The addresses of the interface.
        addresses: Vec<IpAddr>,
        /// What it may be used for.
        multipath: Multipath,
    },
}

impl HostChange {
    /// Number of the host.
    pub const fn host(&self) -> usize {
        match self {
            Self::AddEndpoint { host, .. }
            | Self::RemoveEndpoint { host, .. }
            | Self::SetBackup { host, .. }
            | Self::SetLimits { host, .. }
            | Self::Interface { host, .. }
            | Self::SetMultipath { host, .. } => *host,
        }
    }
}

impl World {
    /// Changes a host and tells its connections, and its daemon.
    pub(super) fn change(&mut self, now: Time, change: HostChange, out: &mut Outbox<'_, Packet>) {
        let number = change.host();
        if self.doors.has(number) {
            self.doors.hand_out(change);
            return;
        }
        let Some(host) = self.hosts.get_mut(number) else { return };
        let events = match change {
            HostChange::Interface { addresses, up, .. } => {
                host.down.retain(|addr| !addresses.contains(addr));
                if !up {
                    host.down.extend(&addresses);
                }
                host.hear_interface(&addresses, up);
                host.interfaces_changed(now, addresses)
            }
            HostChange::SetMultipath { addresses, multipath, .. } => {
                addresses.iter().for_each(|addr| host.interfaces.set(*addr, multipath));
                host.interfaces_changed(now, addresses)
            }
            other => vec![host.configure(other)],
        };
        for event in events {
            self.tell(now, number, event, out);
        }
        self.run_deferred(now, number, out);
        self.wake_starter(out);
    }

    /// Tells all connections of a host.
    fn tell(&mut self, now: Time, host: usize, event: PathEvent, out: &mut Outbox<'_, Packet>) {
        for number in 0..self.actors.len() as u32 {
            if self.actors[number as usize].host() != host {
                continue;
            }
            let Some(mut turn) = self.turn(now, number, out) else { continue };
            if !turn.actor.connection.is_closed() {
                turn.actor.connection.path_event(&mut turn.env, event);
                turn.run();
            }
        }
    }

    /// Path managers of the out-of-tree line learn what has happened to interfaces.
    pub(super) fn run_address_workers(&mut self, now: Time, out: &mut Outbox<'_, Packet>) {
        for number in 0..self.hosts.len() {
            let host = &mut self.hosts[number];
            if host.address_worker > now {
                continue;
            }
            host.address_worker = Time::NEVER;
            for addr in std::mem::take(&mut host.changed) {
                if let Some(event) = self.hosts[number].learn(addr) {
                    self.tell(now, number, event, out);
                }
            }
            self.run_deferred(now, number, out);
        }
    }

    // ---- daemons ---------------------------------------------------------------------------

    /// Daemons learn which addresses there are, and who listens.
    pub(super) fn start_daemons(&mut self, out: &mut Outbox<'_, Packet>) {
        for number in 0..self.hosts.len() {
            let host = &mut self.hosts[number];
            if !host.netlink.is_heard() {
                continue;
            }
            for index in 0..host.addresses.len() {
                host.hear(Event::AddressFound { addr: host.addresses[index] });
            }
            for index in 0..host.listeners.len() {
                host.hear(Event::ListenerCreated { port: host.listeners[index].port });
            }
            self.run_deferred(Time::ZERO, number, out);
        }
    }

    /// What the daemon of a connection's host wants done elsewhere.
    #[cold]
    pub(super) fn run_commands(&mut self, now: Time, number: u32, out: &mut Outbox<'_, Packet>) {
        if let Some(host) = self.actors.get(number as usize).map(super::Actor::host) {
            self.run_deferred(now, host, out);
        }
    }

    fn run_deferred(&mut self, now: Time, host: usize, out: &mut Outbox<'_, Packet>) {
        while self.hosts[host].netlink.has_deferred() {
            for command in self.hosts[host].netlink.take_deferred() {
                self.command(now, host, command, out);
            }
        }
    }

    fn command(&mut self, now: Time, host: usize, command: Command, out: &mut Outbox<'_, Packet>) {
        match command {
            Command::AddEndpoint(endpoint) => {
                self.change(now, HostChange::AddEndpoint { host, endpoint }, out);
            }
            Command::RemoveEndpoint { id } => {
                self.change(now, HostChange::RemoveEndpoint { host, id }, out);
            }
            Command::FlushEndpoints => {
                let known = &self.hosts[host].config.endpoints.endpoints;
                for id in known.iter().map(|endpoint| endpoint.id).collect::<Vec<_>>() {
                    self.change(now, HostChange::RemoveEndpoint { host, id }, out);
                }
            }
            Command::SetLimits(limits) => {
                self.change(now, HostChange::SetLimits { host, limits }, out);
            }
            other => {
                let token = other.token();
                let number = token.and_then(|token| self.hosts[host].tokens.get(&token).copied());
                let Some(mut turn) = number.and_then(|number| self.turn(now, number, out)) else {
                    return;
                };
                turn.actor.connection.path_command(&mut turn.env, other);
                turn.run();
            }
        }
    }
}

impl Host {
    /// A change of endpoints or limits; what to tell the connections.
    fn configure(&mut self, change: HostChange) -> PathEvent {
        let config = &mut self.config.endpoints;
        match change {
            HostChange::AddEndpoint { endpoint, .. } => {
                let known = &mut config.endpoints;
                let Endpoint { id, backup, .. } = endpoint;
                let earlier = known.iter().find(|other| other.id == id).copied();
                known.retain(|other| other.id != id);
                known.push(endpoint);
                // Other flags for an address in use: its subflows are told (`mptcp_nl_set_flags`).
                match earlier {
                    Some(earlier) if earlier.backup != backup => {
                        PathEvent::BackupChanged { id, backup }
                    }
                    _ => PathEvent::EndpointsChanged,
                }
            }
            HostChange::RemoveEndpoint { id: 0, .. } => PathEvent::InitialAddressRemoved,
            HostChange::RemoveEndpoint { id, .. } => {
                config.endpoints.retain(|other| other.id != id);
                PathEvent::EndpointsChanged
            }
            HostChange::SetBackup { id, backup, .. } => {
                let known = &mut config.endpoints;
                if let Some(endpoint) = known.iter_mut().find(|endpoint| endpoint.id == id) {
                    endpoint.backup = backup;
                }
                PathEvent::BackupChanged { id, backup }
            }
            HostChange::SetLimits { limits, .. } => {
                config.limits = limits;
                PathEvent::EndpointsChanged
            }
            HostChange::Interface { .. } | HostChange::SetMultipath { .. } => {
                PathEvent::EndpointsChanged
            }
        }
    }

    /// Interfaces changed: what to tell the connections now. Out of tree they are told later.
    fn interfaces_changed(&mut self, now: Time, addresses: Vec<IpAddr>) -> Vec<PathEvent> {
        if self.config.tcp.rules.procedures == Procedures::OutOfTree {
            let new = addresses.into_iter().filter(|addr| !self.changed.contains(addr));
            let new: Vec<_> = new.collect();
            self.changed.extend(new);
            self.address_worker = self.address_worker.min(now + COLLECTED);
            return Vec::new();
        }
        addresses.into_iter().filter_map(|addr| self.learn(addr)).collect()
    }

    /// What is different about an address from what path managers know; they know it then.
    fn learn(&mut self, addr: IpAddr) -> Option<PathEvent> {
        let usable = !self.down.contains(&addr);
        let now = if usable { self.interfaces.of(addr) } else { Multipath::Off };
        let known = &mut self.config.endpoints.multipath;
        let before = known.of(addr);
        known.set(addr, now);
        match (before, now) {
            (before, now) if before == now => None,
            (_, Multipath::Off) => Some(PathEvent::AddressGone { addr }),
            (Multipath::Off, _) => Some(PathEvent::AddressAdded { addr }),
            (_, now) => Some(PathEvent::AddressPriority { addr, backup: now == Multipath::Backup }),
        }
    }

    /// Tells the daemon of an interface and its addresses.
    fn hear_interface(&mut self, addresses: &[IpAddr], up: bool) {
        let index = addresses.first().and_then(|addr| self.netlink.interface_of(*addr));
        let link = index.map(|index| Event::Link { index, up });
        link.filter(|_| up).into_iter().for_each(|event| self.hear(event));
        addresses.iter().for_each(|addr| self.hear(address_event(*addr, up)));
        link.filter(|_| !up).into_iter().for_each(|event| self.hear(event));
    }

    /// Tells the daemon of something that concerns no connection.
    fn hear(&mut self, event: Event) {
        for command in self.netlink.report(&event, &self.config.endpoints) {
            self.netlink.defer(command);
        }
    }
}

const fn address_event(addr: IpAddr, up: bool) -> Event {
    if up { Event::AddressAdded { addr } } else { Event::AddressRemoved { addr } }
}
