//! Path managers: which addresses are announced and which subflows are opened.
//!
//! A path manager is told what happens ([`PathEvent`]), sees plain values ([`PathsView`]) and says
//! what it wants done ([`PathAction`]).
//!
//! [`Name`] is a path manager's name, [`AnyPathManager`] an instance, [`PathManager`] what one has to
//! do, and [`AnyPathManager::Custom`] one's own.

pub mod binder;
mod choice;
pub mod endpoints;
pub mod fullmesh;
pub mod multipath;
pub mod ndiffports;
pub mod userspace;

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};

use mptcpsim_core::time::Time;

use self::binder::{Gateways, SourceRoute};
pub use self::choice::{AnyPathManager, Name};
use self::multipath::Interfaces;
use crate::tcp::Error;

/// What a path manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathEvent {
    /// The TCP handshake of the first subflow is complete: the connection exists.
    Created,
    /// The connection is fully established: subflows may be opened.
    FullyEstablished,
    /// A joined subflow is established.
    SubflowEstablished {
        /// Index of the subflow.
        subflow: usize,
    },
    /// A subflow is gone.
    SubflowClosed {
        /// Index of the subflow.
        subflow: usize,
        /// Address id of its local address.
        local_id: u8,
        /// It was joined (not the first one).
        joined: bool,
        /// What it ended with, if not in peace.
        error: Option<Error>,
    },
    /// The peer wants a subflow as a backup, or no longer (MP_PRIO).
    PriorityReceived {
        /// Index of the subflow.
        subflow: usize,
        /// As a backup.
        backup: bool,
    },
    /// The connection is over.
    Closed,
    /// A subflow was not opened: there is no route from its address (`ENETUNREACH`).
    Unreachable {
        /// Its local address.
        local: IpAddr,
        /// Id of its remote address.
        remote_id: u8,
    },
    /// The time has come that [`PathManager::due`] named.
    Timer,
    /// The peer announced an address.
    AddAddr {
        /// Its id.
        id: u8,
        /// Address and port.
        addr: SocketAddr,
    },
    /// The peer confirmed an announcement, or it was given up.
    AddAddrDone {
        /// Id of the announced address.
        id: u8,
    },
    /// The peer withdrew an address.
    RemoveAddr {
        /// Its id.
        id: u8,
    },
    /// The host's endpoints changed.
    EndpointsChanged,
    /// The host has lost an address, or must not use it any more.
    AddressGone {
        /// The address.
        addr: IpAddr,
    },
    /// The host has an address again that it had lost, or may use it now.
    AddressAdded {
        /// The address.
        addr: IpAddr,
    },
    /// The interface of an address is a backup from now on, or no longer.
    AddressPriority {
        /// The address.
        addr: IpAddr,
        /// As a backup.
        backup: bool,
    },
    /// The administrator withdrew the address of the first subflow.
    InitialAddressRemoved,
    /// The administrator changed the priority of an endpoint.
    BackupChanged {
        /// Id of the endpoint.
        id: u8,
        /// Use its subflows as backups.
        backup: bool,
    },
}

/// What a path manager wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathAction {
    /// Announce an address.
    Announce {
        /// Its id.
        id: u8,
        /// The address.
        addr: IpAddr,
        /// A port of its own, if it listens on one.
        port: Option<u16>,
    },
    /// Confirm an announcement of the peer (version 1).
    Echo {
        /// Its id.
        id: u8,
        /// Address as announced.
        addr: SocketAddr,
        /// The port was in the option.
        with_port: bool,
    },
    /// Open a subflow.
    Open {
        /// Local address.
        local: IpAddr,
        /// Id of the local address.
        local_id: u8,
        /// Remote address and port.
        remote: SocketAddr,
        /// Id of the remote address.
        remote_id: u8,
        /// Ask the peer to use it as a backup.
        backup: bool,
        /// The gateways that its packets are to pass.
        source_route: Option<SourceRoute>,
    },
    /// Close one subflow.
    Close {
        /// Its local address and port.
        local: SocketAddr,
        /// Its remote address and port.
        remote: SocketAddr,
    },
    /// Change the priority of one subflow.
    SetPriority {
        /// Its local address and port.
        local: SocketAddr,
        /// Its remote address and port.
        remote: SocketAddr,
        /// Use it as a backup.
        backup: bool,
    },
    /// Withdraw an announced or used address.
    Withdraw {
        /// Its id.
        id: u8,
    },
    /// Close all subflows that use a local address id.
    CloseLocal {
        /// The id.
        id: u8,
    },
    /// Close all subflows that use a remote address id.
    CloseRemote {
        /// The id.
        id: u8,
    },
    /// Change the priority of all subflows with a local address id.
    Prioritise {
        /// The id.
        id: u8,
        /// Use them as backups.
        backup: bool,
    },
}

/// A subflow as path managers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathView {
    /// Local address and port.
    pub local: SocketAddr,
    /// Remote address and port.
    pub remote: SocketAddr,
    /// Id of the local address.
    pub local_id: u8,
    /// Id of the remote address.
    pub remote_id: u8,
    /// It was joined (not the first one).
    pub joined: bool,
    /// It is neither closed nor closing.
    pub alive: bool,
    /// One end wants it as a backup.
    pub backup: bool,
}

/// The connection as path managers see it.
#[derive(Clone, Copy, Debug)]
pub struct PathsView<'a> {
    /// Now.
    pub now: Time,
    /// The subflows in order of creation, the first one first.
    pub subflows: &'a [PathView],
    /// This host opened the connection.
    pub client: bool,
    /// The peer forbids joins to its first address (C flag).
    pub no_join_id0: bool,
    /// An announcement or an echo waits to be sent.
    pub signal_pending: bool,
    /// The addresses of the host.
    pub addresses: &'a [IpAddr],
    /// Which of them may be used, and how.
    pub multipath: &'a Interfaces,
    /// The source routes of the host.
    pub gateways: &'a Gateways,
}

/// A path manager.
///
/// One instance serves one end of a connection. [`on_event`](Self::on_event) is called when one of
/// the events happens, at both ends; it pushes what it wants done, in the order it is to be done.
/// It must not assume that an action succeeds: an event will tell. Events about the connection come
/// in order: created, fully established, then subflows and addresses, closed at the end; those about
/// the host's interfaces come at any time. It must not panic.
///
/// The connection does the rest itself: it answers joins, confirms announcements and counts. How
/// many joins it accepts is up to the limits of the host for [`AnyPathManager::Endpoints`], and
/// unlimited for all others.
pub trait PathManager {
    /// Reacts to an event.
    fn on_event(&mut self, event: PathEvent, view: &PathsView<'_>, actions: &mut Vec<PathAction>);

    /// When it wants to be called with [`PathEvent::Timer`]; asked after each event.
    fn due(&self) -> Time {
        Time::NEVER
    }
}

/// A user's path manager in a box. Implemented for every [`PathManager`] that can be cloned, printed
/// and sent to another thread; nothing is left to do by hand.
pub trait DynPathManager: PathManager + Debug + Send {
    /// The same path manager in the same state.
    fn clone_box(&self) -> Box<dyn DynPathManager>;
}

impl<T: PathManager + Clone + Debug + Send + 'static> DynPathManager for T {
    fn clone_box(&self) -> Box<dyn DynPathManager> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn DynPathManager> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}
