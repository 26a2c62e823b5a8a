//! Who receives soon, so that what they need is near when the packet comes.
//!
//! First the connection itself is fetched. What it points to can be found only when it is there, so
//! that follows a few packets later, and what that points to a few later still.

use mptcpsim_core::prefetch::prefetch;

use super::{Actor, Binding, Host};

/// Packets from one step to the next.
const STEP: usize = 4;

/// The last few receivers that were announced, the oldest at `next`.
#[derive(Clone, Debug, Default)]
pub(super) struct Ahead {
    announced: [Option<Binding>; 2 * STEP],
    next: usize,
}

impl Ahead {
    /// A packet for `binding` is on its last link.
    pub(super) fn announce(&mut self, binding: Binding, actors: &[Actor], hosts: &[Host]) {
        let actor = |binding: Binding| actors.get(binding.connection as usize);
        if let Some(actor) = actor(binding) {
            prefetch(actor);
        }
        let earlier = self.announced[(self.next + STEP) % self.announced.len()];
        if let Some(earlier) = earlier
            && let Some(actor) = actor(earlier)
        {
            actor.connection.prefetch(earlier.subflow as usize);
            if let Some(way) = actor.ways.get(earlier.subflow as usize) {
                prefetch(way);
            }
            if let Some(host) = hosts.get(actor.host as usize) {
                host.mib.prefetch();
                prefetch(&host.config);
            }
        }
        let oldest = self.announced[self.next].replace(binding);
        if let Some(oldest) = oldest
            && let Some(actor) = actor(oldest)
        {
            actor.connection.prefetch_queues(oldest.subflow as usize);
        }
        self.next = (self.next + 1) % self.announced.len();
    }
}
