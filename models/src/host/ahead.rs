//! What a connection that receives soon needs, so that it is near when the packet comes.

use mptcpsim_core::prefetch::prefetch;

use super::{Actor, Binding, Host, World};

impl World {
    /// Brings near what a packet for `binding` will meet: first the connection itself, then what it
    /// points to, then what that points to, and no more at a time than the processor can wait for at
    /// once. False at the end.
    pub(super) fn bring_near(&self, binding: Binding, step: u8) -> bool {
        let subflow = binding.subflow as usize;
        let Some(actor) = self.actors.get(binding.connection as usize) else { return false };
        match step {
            0 => actor.prefetch(),
            1 => {
                actor.connection.prefetch_subflow(subflow);
                prefetch(&*actor.ways);
                if let Some(host) = self.hosts.get(actor.host as usize) {
                    host.prefetch();
                }
            }
            2 => {
                actor.connection.prefetch_half(subflow);
                if let Some(host) = self.hosts.get(actor.host as usize) {
                    host.mib.prefetch();
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

impl Actor {
    fn prefetch(&self) {
        prefetch(&self.host);
        prefetch(&self.ways);
        prefetch(&self.app);
        self.connection.prefetch();
    }
}

impl Host {
    fn prefetch(&self) {
        prefetch(&self.config.tcp);
        prefetch(&self.log);
        prefetch(&self.mib);
        prefetch(&self.addresses);
        prefetch(&self.down);
        prefetch(&self.netlink);
    }
}
