//! Path managers: which addresses are announced and which subflows are opened.

pub mod endpoints;
mod fullmesh;
pub mod multipath;
mod ndiffports;
mod out_of_tree;

use std::net::{IpAddr, SocketAddr};

use self::multipath::Interfaces;
pub(crate) use self::out_of_tree::AnyPathManager;

/// What a path manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathEvent {
    /// The connection exists: addresses may be announced. Out-of-tree line only.
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
    },
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
    /// The host has lost an address. Out-of-tree line only.
    AddressGone {
        /// The address.
        addr: IpAddr,
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
}

/// The connection as path managers see it.
#[derive(Clone, Copy, Debug)]
pub struct PathsView<'a> {
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
}

/// A path manager.
///
/// Called when one of the events happens; it pushes what it wants done, in the
/// order it is to be done. It must not assume that an action succeeds: an event
/// will tell.
pub trait PathManager {
    /// Reacts to an event.
    fn on_event(&mut self, event: PathEvent, view: &PathsView<'_>, actions: &mut Vec<PathAction>);
}
