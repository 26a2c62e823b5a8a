//! What the next segment of a subflow will meet, brought near a part at a time. What segments rarely
//! need (options of the socket, signalling, endpoints) stays where it is.

use mptcpsim_core::prefetch::{prefetch, prefetch_some};

use super::{Connection, Sub};
use crate::congestion::Window;

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
        prefetch(&self.options.md5_key);
        self.signal.prefetch();
    }

    fn sub_and_window(&self, subflow: usize) -> Option<(&Sub, &Window)> {
        self.subs.get(subflow).zip(self.windows.get(subflow))
    }

    /// Brings near what both directions need of a subflow.
    pub(crate) fn prefetch_subflow(&self, subflow: usize) {
        let Some((sub, window)) = self.sub_and_window(subflow) else { return };
        prefetch(window);
        sub.tcp.prefetch();
        prefetch(&sub.map);
        prefetch(&sub.statistics);
        prefetch(&sub.infinite_from);
        prefetch(&sub.removed);
        prefetch(&*self.dues);
        prefetch_some(self.out_of_tree.as_deref());
    }

    /// Brings near what the subflow needs for its direction: one that waits for acknowledgements
    /// will be sent some.
    pub(crate) fn prefetch_half(&self, subflow: usize) {
        let Some((sub, window)) = self.sub_and_window(subflow) else { return };
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
        let Some((sub, window)) = self.sub_and_window(subflow) else { return };
        if window.packets_out > 0 {
            sub.tcp.prefetch_sent();
            prefetch(&*self.views);
        } else {
            sub.tcp.prefetch_arrived();
        }
    }
}
