//! Several subflows over one pair of addresses, told apart by their source ports: the path manager
//! `ndiffports` of the out-of-tree line (`net/mptcp/mptcp_ndiffports.c`).
//!
//! It is for networks that spread flows over paths by their ports. The client opens the subflows
//! once the connection is fully established; nothing is announced, every address has id 0.

use super::{PathAction, PathEvent, PathManager, PathsView};
use crate::params::params;

params! {
    /// The parameters of the module.
    pub struct Params {
        num_subflows: u32 = 2, 1..=16,
            "subflows of a connection, the first one included";
    }
}

/// The path manager.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ndiffports {
    pub(super) params: Params,
}

impl PathManager for Ndiffports {
    fn on_event(&mut self, event: PathEvent, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        let Some(first) = view.subflows.first() else { return };
        if event != PathEvent::FullyEstablished || !view.client {
            return;
        }
        let alive = view.subflows.iter().filter(|path| path.alive).count();
        for _ in alive..self.params.num_subflows as usize {
            actions.push(PathAction::Open {
                local: first.local.ip(),
                local_id: 0,
                remote: first.remote,
                remote_id: 0,
                backup: false,
                source_route: None,
            });
        }
    }
}
