//! Which run is next: in order, those that are done already left out, and never too far ahead of the slowest.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many runs beyond the first one that is missing are begun. It bounds what has to be kept in mind to put
/// results in order.
pub(super) const WINDOW: u64 = 4096;

/// Hands out the numbers of runs.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<Ahead>,
    moved: Condvar,
}

/// A set of numbers that is complete up to a point, with few beyond it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ahead {
    /// All below are in the set.
    below: u64,
    /// These are, too.
    beyond: BTreeSet<u64>,
    /// The next to be handed out.
    next: u64,
    stopped: bool,
}

impl Queue {
    /// A queue of all runs that are not in `done`.
    pub(super) fn new(done: Ahead) -> Self {
        Self { state: Mutex::new(Ahead { next: done.below, ..done }), moved: Condvar::new() }
    }

    /// The next of `runs` runs; waits while it is too far ahead. None once all are handed out.
    pub(super) fn next(&self, runs: u64) -> Option<u64> {
        let mut state = self.lock();
        loop {
            let next = state.next;
            if state.stopped || next >= runs {
                return None;
            }
            if state.contains(next) {
                state.next += 1;
            } else if next < state.below + WINDOW {
                state.next += 1;
                return Some(next);
            } else {
                state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Notes that a run has ended.
    pub(super) fn done(&self, run: u64) {
        if self.lock().insert(run) {
            self.moved.notify_all();
        }
    }

    /// Hands out no more.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.moved.notify_all();
    }

    /// A panic under the lock is impossible; were it not, the numbers would still be good.
    fn lock(&self) -> MutexGuard<'_, Ahead> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ahead {
    /// Whether `number` is in the set.
    pub(super) fn contains(&self, number: u64) -> bool {
        number < self.below || self.beyond.contains(&number)
    }

    /// Adds a number; true if that made the complete part larger.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        self.beyond.insert(number);
        let before = self.below;
        while self.beyond.remove(&self.below) {
            self.below += 1;
        }
        self.below > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_not_handed_out_again() {
        let mut done = Ahead::default();
        assert!(done.insert(0) && !done.insert(3) && done.insert(1));
        let queue = Queue::new(done);
        assert_eq!(
            [queue.next(6), queue.next(6), queue.next(6), queue.next(6)],
            [Some(2), Some(4), Some(5), None]
        );
    }

    #[test]
    fn nobody_runs_too_far_ahead() {
        let queue = Queue::new(Ahead::default());
        for run in 0..WINDOW {
            assert_eq!(queue.next(u64::MAX), Some(run));
        }
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.next(u64::MAX));
            queue.done(1);
            queue.done(0);
            assert_eq!(waiting.join().unwrap(), Some(WINDOW));
        });
        queue.stop();
        assert_eq!(queue.next(u64::MAX), None);
    }
}
