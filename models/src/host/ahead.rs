//! What a connection that receives soon needs, so that it is near when the packet comes.

use mptcpsim_core::prefetch::prefetch;

use super::{Binding, World};

impl World {
    /// Brings near what a packet for `binding` will meet: first the connection itself, then what it
    /// points to, then what that points to. False at the end.
    pub(super) fn bring_near(&self, binding: Binding, step: u8) -> bool {
        let subflow = binding.subflow as usize;
        let Some(actor) = self.actors.get(binding.connection as usize) else { return false };
        match step {
            0 => prefetch(actor),
            1 => {
                actor.connection.prefetch(subflow);
                if let Some(way) = actor.ways.get(subflow) {
                    prefetch(way);
                }
                if let Some(host) = self.hosts.get(actor.host as usize) {
                    host.mib.prefetch();
                    prefetch(&host.config);
                }
            }
            _ => {
                actor.connection.prefetch_queues(subflow);
                return false;
            }
        }
        true
    }
}
