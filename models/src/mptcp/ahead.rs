//! What the next segment of a subflow will meet, brought near a part at a time. What segments rarely
//! need (options of the socket, signalling, endpoints) stays where it is.

use mptcpsim_core::prefetch::prefetch;

use super::Connection;

impl Connection {
    /// Brings near what every segment meets of the connection itself.
    pub(crate) fn prefetch(&self) {
        prefetch(&self.tx);
        prefetch(&self.rx);
        prefetch(&self.statistics);
        prefetch(&self.scheduler);
        prefetch(&self.subs);
        prefetch(&self.dues);
        prefetch(&self.congestion);
        prefetch(&self.timers);
        prefetch(&self.touched);
        prefetch(&self.version);
    }

    /// Brings near what both directions need of a subflow.
    pub(crate) fn prefetch_subflow(&self, subflow: usize) {
        let (Some(sub), Some(window)) = (self.subs.get(subflow), self.windows.get(subflow)) else {
            return;
        };
        prefetch(window);
        sub.tcp.prefetch();
        prefetch(&sub.map);
        prefetch(&sub.statistics);
        prefetch(&sub.infinite_from);
        if let Some(state) = &self.out_of_tree {
            prefetch(&**state);
        }
    }

    /// Brings near what the subflow needs for its direction: one that waits for acknowledgements
    /// will be sent some.
    pub(crate) fn prefetch_half(&self, subflow: usize) {
        let (Some(sub), Some(window)) = (self.subs.get(subflow), self.windows.get(subflow)) else {
            return;
        };
        if window.packets_out > 0 {
            sub.tcp.prefetch_sender();
            self.tx.prefetch();
        } else {
            sub.tcp.prefetch_receiver();
            self.rx.prefetch();
        }
        if let Some(state) = &self.out_of_tree {
            state.prefetch(subflow);
        }
    }

    /// Brings near the ends of a subflow's queues, and what the scheduler will look at.
    pub(crate) fn prefetch_queues(&self, subflow: usize) {
        let (Some(sub), Some(window)) = (self.subs.get(subflow), self.windows.get(subflow)) else {
            return;
        };
        sub.tcp.prefetch_queues();
        if window.packets_out > 0 {
            prefetch(&*self.views);
        }
    }
}
