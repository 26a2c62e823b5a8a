//! What a connection that receives soon needs, so that it is near when the packet comes.

use mptcpsim_core::prefetch::prefetch;

use super::{Actor, Binding, Host, World};

impl World {
    /// Brings near what a packet for `binding` will meet: first the connection itself, then what it
    /// points to, then what that points to, and no more at a time than the processor can wait for at
    /// once.
    #[inline]
    pub(super) fn bring_near(&self, binding: Binding, step: usize) {
        let subflow = binding.subflow as usize;
        let Some(actor) = self.actors.get(binding.connection as usize) else { return };
        match step {
            1 => actor.prefetch(),
            2 => {
                actor.connection.prefetch_subflow(subflow);
                prefetch(&*actor.ways);
                self.hosts[actor.host()].prefetch();
            }
            3 => {
                actor.connection.prefetch_half(subflow);
                self.hosts[actor.host()].mib.prefetch();
            }
            _ => actor.connection.prefetch_queues(subflow),
        }
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
