//! Events and commands of the generic netlink family `mptcp_pm` (`include/uapi/linux/mptcp_pm.h`),
//! and those of the host's addresses (rtnetlink) that a path manager in user space listens to.
//!
//! Tokens are those of this end, as `ss` shows them.

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};

use crate::path_manager::endpoints::{Config, Endpoint, Limits};
use crate::tcp::Error;

/// What the kernel reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// `MPTCP_EVENT_CREATED`: the connection exists.
    Created {
        /// The connection.
        token: u32,
        /// Local address and port of its first subflow.
        local: SocketAddr,
        /// Remote address and port of its first subflow.
        remote: SocketAddr,
        /// The peer opened it.
        server_side: bool,
    },
    /// `MPTCP_EVENT_ESTABLISHED`: it is fully established.
    Established {
        /// The connection.
        token: u32,
        /// Local address and port of its first subflow.
        local: SocketAddr,
        /// Remote address and port of its first subflow.
        remote: SocketAddr,
        /// The peer opened it.
        server_side: bool,
    },
    /// `MPTCP_EVENT_CLOSED`: it is over.
    Closed {
        /// The connection.
        token: u32,
    },
    /// `MPTCP_EVENT_ANNOUNCED`: the peer announced an address.
    Announced {
        /// The connection.
        token: u32,
        /// Id of the address.
        id: u8,
        /// Address and port.
        addr: SocketAddr,
    },
    /// `MPTCP_EVENT_REMOVED`: the peer withdrew an address.
    Removed {
        /// The connection.
        token: u32,
        /// Id of the address.
        id: u8,
    },
    /// `MPTCP_EVENT_SUB_ESTABLISHED`: a joined subflow is ready.
    SubflowEstablished {
        /// The connection.
        token: u32,
        /// Local address and port.
        local: SocketAddr,
        /// Remote address and port.
        remote: SocketAddr,
        /// One end wants it as a backup.
        backup: bool,
    },
    /// `MPTCP_EVENT_SUB_CLOSED`: a subflow is gone.
    SubflowClosed {
        /// The connection.
        token: u32,
        /// Local address and port.
        local: SocketAddr,
        /// Remote address and port.
        remote: SocketAddr,
        /// What it ended with.
        error: Option<Error>,
    },
    /// `MPTCP_EVENT_SUB_PRIORITY`: the peer wants a subflow as a backup, or no longer.
    SubflowPriority {
        /// The connection.
        token: u32,
        /// Local address and port.
        local: SocketAddr,
        /// Remote address and port.
        remote: SocketAddr,
        /// As a backup.
        backup: bool,
    },
    /// `MPTCP_EVENT_LISTENER_CREATED`: a socket of the host listens.
    ListenerCreated {
        /// Its port.
        port: u16,
    },
    /// `MPTCP_EVENT_LISTENER_CLOSED`: it does no longer.
    ListenerClosed {
        /// Its port.
        port: u16,
    },
    /// Answer to `RTM_GETADDR`, when the daemon starts: the host has an address.
    AddressFound {
        /// The address.
        addr: IpAddr,
    },
    /// `RTM_NEWADDR`: the host has got an address.
    AddressAdded {
        /// The address.
        addr: IpAddr,
    },
    /// `RTM_DELADDR`: the host has lost an address.
    AddressRemoved {
        /// The address.
        addr: IpAddr,
    },
    /// `RTM_NEWLINK` with or without `IFF_UP`: an interface went up or down. One that goes up is
    /// reported before its addresses, one that goes down after them.
    Link {
        /// Its number ([`HostView::interface`]).
        index: u32,
        /// It is up.
        up: bool,
    },
}

impl Event {
    /// The connection it is about; `None` if about the host.
    pub const fn token(&self) -> Option<u32> {
        match self {
            Self::Created { token, .. }
            | Self::Established { token, .. }
            | Self::Closed { token }
            | Self::Announced { token, .. }
            | Self::Removed { token, .. }
            | Self::SubflowEstablished { token, .. }
            | Self::SubflowClosed { token, .. }
            | Self::SubflowPriority { token, .. } => Some(*token),
            Self::ListenerCreated { .. }
            | Self::ListenerClosed { .. }
            | Self::AddressFound { .. }
            | Self::AddressAdded { .. }
            | Self::AddressRemoved { .. }
            | Self::Link { .. } => None,
        }
    }
}

/// What the kernel is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `MPTCP_PM_CMD_ANNOUNCE`: announce an address.
    Announce {
        /// The connection.
        token: u32,
        /// Id of the address.
        id: u8,
        /// The address.
        addr: IpAddr,
        /// A port of its own.
        port: Option<u16>,
    },
    /// `MPTCP_PM_CMD_REMOVE`: withdraw an address; its subflows end.
    Remove {
        /// The connection.
        token: u32,
        /// Id of the address.
        id: u8,
    },
    /// `MPTCP_PM_CMD_SUBFLOW_CREATE`: open a subflow.
    CreateSubflow {
        /// The connection.
        token: u32,
        /// Local address.
        local: IpAddr,
        /// Its id.
        local_id: u8,
        /// Remote address and port.
        remote: SocketAddr,
        /// Its id.
        remote_id: u8,
        /// As a backup.
        backup: bool,
    },
    /// `MPTCP_PM_CMD_SUBFLOW_DESTROY`: close a subflow.
    DestroySubflow {
        /// The connection.
        token: u32,
        /// Local address and port.
        local: SocketAddr,
        /// Remote address and port.
        remote: SocketAddr,
    },
    /// `MPTCP_PM_CMD_SET_FLAGS` with a token: change the priority of a subflow (MP_PRIO).
    SetBackup {
        /// The connection.
        token: u32,
        /// Local address and port.
        local: SocketAddr,
        /// Remote address and port.
        remote: SocketAddr,
        /// As a backup.
        backup: bool,
    },
    /// `MPTCP_PM_CMD_ADD_ADDR`: a new endpoint for the path manager in the kernel, or other flags
    /// for the one with its id.
    AddEndpoint(Endpoint),
    /// `MPTCP_PM_CMD_DEL_ADDR`: the endpoint goes.
    RemoveEndpoint {
        /// Its id.
        id: u8,
    },
    /// `MPTCP_PM_CMD_FLUSH_ADDRS`: all endpoints go.
    FlushEndpoints,
    /// `MPTCP_PM_CMD_SET_LIMITS`: other limits for the path manager in the kernel.
    SetLimits(Limits),
}

impl Command {
    /// The connection it is about; `None` if about the host.
    pub const fn token(&self) -> Option<u32> {
        match self {
            Self::Announce { token, .. }
            | Self::Remove { token, .. }
            | Self::CreateSubflow { token, .. }
            | Self::DestroySubflow { token, .. }
            | Self::SetBackup { token, .. } => Some(*token),
            Self::AddEndpoint(_)
            | Self::RemoveEndpoint { .. }
            | Self::FlushEndpoints
            | Self::SetLimits(_) => None,
        }
    }
}

/// The host as a daemon sees it.
#[derive(Clone, Copy, Debug)]
pub struct HostView<'a> {
    /// Interfaces and their addresses.
    pub addresses: &'a [(String, IpAddr)],
    /// What the path manager in the kernel has to go by: the endpoints that `MPTCP_PM_CMD_GET_ADDR`
    /// tells of, the limits that `MPTCP_PM_CMD_GET_LIMITS` does.
    pub kernel: &'a Config,
}

impl<'a> HostView<'a> {
    /// The interface that has `addr`.
    pub fn interface_of(&self, addr: IpAddr) -> Option<&'a str> {
        interface_of(self.addresses, addr)
    }

    /// The interface with this number, counted from 0 in the order of the host's addresses.
    pub fn interface(&self, index: u32) -> Option<&'a str> {
        interfaces(self.addresses).nth(index as usize)
    }
}

fn interface_of(addresses: &[(String, IpAddr)], addr: IpAddr) -> Option<&str> {
    addresses.iter().find(|(_, known)| *known == addr).map(|(name, _)| name.as_str())
}

/// The interfaces that have these addresses, each once.
fn interfaces(addresses: &[(String, IpAddr)]) -> impl Iterator<Item = &str> {
    let first = |at: usize, name: &str| !addresses.iter().take(at).any(|(other, _)| other == name);
    let names = addresses.iter().enumerate();
    names.filter(move |(at, (name, _))| first(*at, name)).map(|(_, (name, _))| name.as_str())
}

/// A daemon that manages the paths of a host.
///
/// One instance serves all connections of a host. It is told every event in the order in which they
/// happen and answers with commands, which are carried out in order and at once: those about the
/// connection of the event first, all others when its turn is over. A command about a connection
/// that is gone does nothing. It must not panic.
pub trait Daemon {
    /// Reacts to an event.
    fn on_event(&mut self, event: &Event, host: &HostView<'_>, commands: &mut Vec<Command>);
}

/// A daemon in a box. Implemented for every [`Daemon`] that can be cloned, printed and sent to another
/// thread.
pub trait DynDaemon: Daemon + Debug + Send {
    /// The same daemon in the same state.
    fn clone_box(&self) -> Box<dyn DynDaemon>;
}

impl<T: Daemon + Clone + Debug + Send + 'static> DynDaemon for T {
    fn clone_box(&self) -> Box<dyn DynDaemon> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn DynDaemon> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

/// The way between the kernel of a host and its daemon.
#[derive(Clone, Debug, Default)]
pub struct Netlink {
    daemon: Option<Box<dyn DynDaemon>>,
    addresses: Vec<(String, IpAddr)>,
    deferred: Vec<Command>,
}

impl Netlink {
    /// A host with these interfaces and addresses, and the daemon that listens.
    pub fn new(addresses: Vec<(String, IpAddr)>, daemon: Option<Box<dyn DynDaemon>>) -> Self {
        Self { daemon, addresses, deferred: Vec::new() }
    }

    /// True if a daemon listens.
    pub const fn is_heard(&self) -> bool {
        self.daemon.is_some()
    }

    /// The number of the interface that has `addr`.
    pub(crate) fn interface_of(&self, addr: IpAddr) -> Option<u32> {
        let name = interface_of(&self.addresses, addr)?;
        let index = interfaces(&self.addresses).position(|other| other == name)?;
        u32::try_from(index).ok()
    }

    /// Tells the daemon, and returns what it wants done.
    pub(crate) fn report(&mut self, event: &Event, kernel: &Config) -> Vec<Command> {
        let mut commands = Vec::new();
        if let Some(daemon) = &mut self.daemon {
            let host = HostView { addresses: &self.addresses, kernel };
            daemon.on_event(event, &host, &mut commands);
        }
        commands
    }

    pub(crate) fn defer(&mut self, command: Command) {
        self.deferred.push(command);
    }

    pub(crate) const fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    pub(crate) fn take_deferred(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.deferred)
    }
}
