//! Several subflows over one pair of addresses, told apart by their source ports: the path manager
//! `ndiffports` of the out-of-tree line (`net/mptcp/mptcp_ndiffports.c`).
//!
//! It is for networks that spread flows over paths by their ports. The client opens the subflows
//! once the connection is fully established; nothing is announced, every address has id 0.

use super::{PathAction, PathEvent, PathManager, PathsView};

/// The path manager; its parameter is the module's `num_subflows`.
#[derive(Clone, Debug)]
pub(crate) struct Ndiffports {
    /// Subflows of a connection, the first one included.
    pub(crate) num_subflows: u8,
}

impl PathManager for Ndiffports {
    fn on_event(&mut self, event: PathEvent, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        let Some(first) = view.subflows.first() else { return };
        if event != PathEvent::FullyEstablished || !view.client {
            return;
        }
        let alive = view.subflows.iter().filter(|path| path.alive).count();
        for _ in alive..usize::from(self.num_subflows) {
            actions.push(PathAction::Open {
                local: first.local.ip(),
                local_id: 0,
                remote: first.remote,
                remote_id: 0,
                backup: false,
            });
        }
    }
}
