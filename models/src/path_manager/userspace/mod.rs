//! A daemon manages the paths: the path manager `userspace` of upstream Linux
//! (`net/mptcp/pm_userspace.c`), and the daemon mptcpd.
//!
//! With `net.mptcp.pm_type = 1` (or `net.mptcp.path_manager = userspace`) the kernel opens and
//! announces nothing by itself. It reports what happens as events of the generic netlink family
//! `mptcp_pm` and does what it is told with commands; [`netlink`] has both, [`netlink::Daemon`] is
//! who listens, and [`mptcpd`] the daemon of that name with its plugins. Announcements of the peer
//! are confirmed and its joins accepted as long as a daemon listens. The daemon answers at once: it
//! takes no time.

pub mod mptcpd;
pub mod netlink;
pub mod plugins;

use std::net::{IpAddr, SocketAddr};

use self::netlink::{Command, Event, Netlink};
use super::endpoints::Config;
use super::{PathAction, PathEvent, PathsView};

/// What the kernel keeps of a connection that a daemon manages.
#[derive(Clone, Debug, Default)]
pub struct Userspace {
    /// Ids of local addresses (`userspace_pm_local_addr_list`).
    ids: Vec<(IpAddr, u8)>,
}

impl Userspace {
    /// The id that a local address has in this connection.
    pub(crate) fn local_id(&self, addr: IpAddr) -> u8 {
        self.ids.iter().find(|(known, _)| *known == addr).map_or(0, |(_, id)| *id)
    }

    /// Tells the daemon of an event of the connection called `token`, and says what it wants done
    /// here. What it wants done elsewhere waits in `netlink`.
    pub(crate) fn report(
        &mut self,
        token: u32,
        event: PathEvent,
        view: &PathsView<'_>,
        netlink: &mut Netlink,
        kernel: &Config,
        actions: &mut Vec<PathAction>,
    ) {
        let Some(event) = translate(token, event, view) else { return };
        for command in netlink.report(&event, kernel) {
            if command.token() == Some(token) {
                self.act(command, view, actions);
            } else {
                netlink.defer(command);
            }
        }
    }

    /// What a command about this connection means.
    pub(crate) fn act(
        &mut self,
        command: Command,
        view: &PathsView<'_>,
        actions: &mut Vec<PathAction>,
    ) {
        match command {
            Command::Announce { id, addr, port, .. } => {
                self.note(addr, id, view);
                actions.push(PathAction::Announce { id, addr, port });
            }
            Command::Remove { id, .. } => {
                self.ids.retain(|(_, known)| *known != id);
                actions.push(PathAction::Withdraw { id });
                actions.push(PathAction::CloseLocal { id });
            }
            Command::CreateSubflow { local, local_id, remote, remote_id, backup, .. } => {
                self.note(local, local_id, view);
                let source_route = None;
                actions.push(PathAction::Open {
                    local,
                    local_id,
                    remote,
                    remote_id,
                    backup,
                    source_route,
                });
            }
            Command::DestroySubflow { local, remote, .. } => {
                actions.push(PathAction::Close { local, remote });
            }
            Command::SetBackup { local, remote, backup, .. } => {
                actions.push(PathAction::SetPriority { local, remote, backup });
            }
            Command::AddEndpoint(_)
            | Command::RemoveEndpoint { .. }
            | Command::FlushEndpoints
            | Command::SetLimits(_) => {}
        }
    }

    /// The address of the first subflow keeps its id 0.
    fn note(&mut self, addr: IpAddr, id: u8, view: &PathsView<'_>) {
        let initial = view.subflows.first().is_some_and(|first| first.local.ip() == addr);
        if !initial && self.local_id(addr) == 0 {
            self.ids.push((addr, id));
        }
    }
}

/// The event that the kernel sends, if it sends one.
fn translate(token: u32, event: PathEvent, view: &PathsView<'_>) -> Option<Event> {
    let ends = |index: usize| -> Option<(SocketAddr, SocketAddr)> {
        view.subflows.get(index).map(|path| (path.local, path.remote))
    };
    let (local, remote) = ends(0)?;
    let server_side = !view.client;
    Some(match event {
        PathEvent::Created => Event::Created { token, local, remote, server_side },
        PathEvent::FullyEstablished => Event::Established { token, local, remote, server_side },
        PathEvent::Closed => Event::Closed { token },
        PathEvent::AddAddr { id, addr } => Event::Announced { token, id, addr },
        PathEvent::RemoveAddr { id } => Event::Removed { token, id },
        PathEvent::SubflowEstablished { subflow } => {
            let (local, remote) = ends(subflow)?;
            let backup = view.subflows.get(subflow)?.backup;
            Event::SubflowEstablished { token, local, remote, backup }
        }
        PathEvent::SubflowClosed { subflow, error, .. } => {
            let (local, remote) = ends(subflow)?;
            Event::SubflowClosed { token, local, remote, error }
        }
        PathEvent::PriorityReceived { subflow, backup } => {
            let (local, remote) = ends(subflow)?;
            Event::SubflowPriority { token, local, remote, backup }
        }
        PathEvent::AddAddrDone { .. }
        | PathEvent::Unreachable { .. }
        | PathEvent::Timer
        | PathEvent::EndpointsChanged
        | PathEvent::AddressGone { .. }
        | PathEvent::AddressAdded { .. }
        | PathEvent::AddressPriority { .. }
        | PathEvent::InitialAddressRemoved
        | PathEvent::BackupChanged { .. } => return None,
    })
}
