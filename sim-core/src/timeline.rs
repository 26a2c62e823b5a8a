//! What changes at given times, whatever else happens.

use crate::link::{LinkChange, LinkId};
use crate::time::Time;

/// A change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Of a link, in one direction.
    Link(LinkId, LinkChange),
    /// Of something the hosts know under this number ([`crate::sim::Hosts::on_change`]).
    Host(u32),
}

/// Changes in the order of their times; at equal times, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    changes: Vec<(Time, Change)>,
    done: usize,
}

impl Timeline {
    /// Nothing changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a change.
    pub fn add(&mut self, at: Time, change: Change) {
        let behind = self.changes.partition_point(|(time, _)| *time <= at);
        self.changes.insert(behind, (at, change));
    }

    /// All changes, in order.
    pub fn changes(&self) -> &[(Time, Change)] {
        &self.changes
    }

    /// When the next change is due.
    pub(crate) fn due(&self) -> Time {
        self.changes.get(self.done).map_or(Time::NEVER, |(time, _)| *time)
    }

    pub(crate) fn next(&mut self) -> Option<Change> {
        let (_, change) = self.changes.get(self.done)?;
        self.done += 1;
        Some(change.clone())
    }
}

impl FromIterator<(Time, Change)> for Timeline {
    fn from_iter<I: IntoIterator<Item = (Time, Change)>>(changes: I) -> Self {
        let mut changes: Vec<_> = changes.into_iter().collect();
        changes.sort_by_key(|(time, _)| *time);
        Self { changes, done: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_times_keep_their_order() {
        let entries = [(5, 0), (1, 1), (5, 2), (1, 3)].map(|(ps, n)| (Time::from_ps(ps), n));
        let mut added = Timeline::new();
        for (at, number) in entries {
            added.add(at, Change::Host(number));
        }
        let collected: Timeline =
            entries.into_iter().map(|(at, number)| (at, Change::Host(number))).collect();
        assert_eq!(added, collected);
        let order = std::iter::from_fn(|| added.next());
        assert!(order.eq([1, 3, 0, 2].map(Change::Host)));
        assert_eq!(added.due(), Time::NEVER);
    }
}
