//! What boxes did to segments: the evidence for saying which box broke what.

use std::collections::BTreeMap;
use std::sync::Arc;

use mptcpsim_core::middlebox::Direction;
use mptcpsim_core::net::RouteId;
use mptcpsim_core::time::Time;

use super::{Effect, Kind};
use crate::host::TupleId;

/// A segment that a box did not just pass on.
#[derive(Clone, Debug, PartialEq)]
pub struct Touch {
    /// When.
    pub at: Time,
    /// The name of the box.
    pub middlebox: Arc<str>,
    /// Which way the segment went.
    pub route: RouteId,
    /// Its addresses as they came to the box.
    pub tuple: TupleId,
    /// It was the n-th of its flow in its direction that came to the box, counted from 1.
    pub number: u64,
    /// What kind of segment it was.
    pub kind: Kind,
    /// What was done.
    pub effect: Effect,
}

/// The first touch of each flow and direction by each box, and how many there were.
#[derive(Clone, Debug, Default)]
pub struct Touches {
    first: Vec<Touch>,
    counts: BTreeMap<Arc<str>, [u64; 2]>,
}

impl Touches {
    /// The first touch of each flow, direction and effect by each box, in order of time.
    pub fn first(&self) -> &[Touch] {
        &self.first
    }

    /// How many segments the box of this name touched, each way.
    pub fn count(&self, middlebox: &str) -> [u64; 2] {
        self.counts.get(middlebox).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, middlebox: &Arc<str>, direction: Direction) {
        let counts = match self.counts.get_mut(middlebox) {
            Some(counts) => counts,
            None => self.counts.entry(Arc::clone(middlebox)).or_default(),
        };
        counts[direction as usize] += 1;
    }

    pub(super) fn add_first(&mut self, touch: Touch) {
        self.first.push(touch);
    }
}
