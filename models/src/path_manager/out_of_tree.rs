//! The path managers of the out-of-tree line, by name (`net.mptcp.mptcp_path_manager`).

use std::net::IpAddr;

use super::fullmesh::{Fullmesh, address_id};
use super::ndiffports::Ndiffports;
use super::{PathAction, PathEvent, PathManager, PathsView};
use crate::sysctl::Sysctl;

/// A path manager of this line.
#[derive(Clone, Debug)]
pub(crate) enum AnyPathManager {
    /// `default`: opens and announces nothing, accepts everything (`mptcp_pm_default`).
    Default,
    /// See [`Fullmesh`].
    Fullmesh(Fullmesh),
    /// See [`Ndiffports`].
    Ndiffports(Ndiffports),
}

impl AnyPathManager {
    /// The one that the host's knobs name; a name that no module has is `default`.
    pub(crate) fn from_sysctl(sysctl: &Sysctl) -> Self {
        match sysctl.mptcp_path_manager.as_str() {
            "fullmesh" => Self::Fullmesh(Fullmesh::new(sysctl.fullmesh_num_subflows)),
            "ndiffports" => {
                Self::Ndiffports(Ndiffports { num_subflows: sysctl.ndiffports_num_subflows })
            }
            _ => Self::Default,
        }
    }

    /// The id of a local address in joins of the peer (`get_local_id`).
    pub(crate) fn local_id(&self, addresses: &[IpAddr], addr: IpAddr) -> u8 {
        match self {
            Self::Fullmesh(_) => address_id(addresses, addr).unwrap_or(0),
            Self::Default | Self::Ndiffports(_) => 0,
        }
    }
}

impl PathManager for AnyPathManager {
    fn on_event(&mut self, event: PathEvent, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        match self {
            Self::Default => {
                if let PathEvent::RemoveAddr { id } = event {
                    actions.push(PathAction::CloseRemote { id });
                }
            }
            Self::Fullmesh(mesh) => mesh.on_event(event, view, actions),
            Self::Ndiffports(ports) => {
                if let PathEvent::RemoveAddr { id } = event {
                    actions.push(PathAction::CloseRemote { id });
                }
                ports.on_event(event, view, actions);
            }
        }
    }
}
