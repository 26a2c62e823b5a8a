//! A tap on every interface: what hosts sent and received, for captures and tests.

use mptcpsim_core::time::Time;

use super::activity::{Activity, Watched};
use crate::segment::{FourTuple, Segment};

/// A segment seen at a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Tapped {
    /// When.
    pub at: Time,
    /// Number of the host.
    pub host: usize,
    /// The host sent it; else it received it.
    pub sent: bool,
    /// Its addresses.
    pub tuple: FourTuple,
    /// The segment.
    pub segment: Segment,
}

/// Collects segments; costs one test when off.
#[derive(Clone, Debug)]
pub struct Tap {
    enabled: bool,
    packets: bool,
    options: bool,
    mappings: bool,
    /// How many segments are collected before somebody should take them.
    most: usize,
    seen: Vec<Tapped>,
    /// Interfaces whose activity is counted.
    activities: Vec<Activity>,
}

impl Default for Tap {
    fn default() -> Self {
        Self::new(false)
    }
}

impl Tap {
    /// A tap that collects if `enabled`.
    pub const fn new(enabled: bool) -> Self {
        Self {
            enabled,
            packets: enabled,
            options: false,
            mappings: false,
            most: usize::MAX,
            seen: Vec::new(),
            activities: Vec::new(),
        }
    }

    /// The same tap, which stops a conditional run ([`mptcpsim_core::sim::Simulation::run_while`])
    /// whenever it holds `most` segments, so that they can be taken; it goes on collecting if not.
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// The same tap, which also has MPTCP options noted as events of the hosts.
    pub fn with_options(self) -> Self {
        Self { enabled: true, options: true, ..self }
    }

    /// The same tap, which also has the mappings that leave noted as events of the hosts.
    pub fn with_mappings(self) -> Self {
        Self { enabled: true, mappings: true, ..self }
    }

    /// The same tap, which takes over what another one knows about the activity of interfaces.
    pub(super) fn with_activities(self, before: &mut Self) -> Self {
        let activities = std::mem::take(&mut before.activities);
        Self { enabled: self.enabled || !activities.is_empty(), activities, ..self }
    }

    pub(super) fn watch(&mut self, watched: Vec<Watched>) {
        self.activities = watched.into_iter().map(Activity::new).collect();
        self.enabled |= !self.activities.is_empty();
    }

    pub(super) fn activities(&self) -> &[Activity] {
        &self.activities
    }

    pub(super) const fn notes_options(&self) -> bool {
        self.options
    }

    pub(super) const fn notes_mappings(&self) -> bool {
        self.mappings
    }

    /// True if it holds as much as it should.
    pub(super) const fn is_full(&self) -> bool {
        self.seen.len() >= self.most
    }

    pub(super) const fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub(super) fn push(&mut self, tapped: Tapped) {
        for activity in &mut self.activities {
            activity.note(&tapped);
        }
        if self.packets {
            self.seen.push(tapped);
        }
    }

    /// What was seen so far, in order of time.
    pub fn seen(&self) -> &[Tapped] {
        &self.seen
    }

    /// Takes what was seen so far.
    pub fn drain(&mut self) -> impl Iterator<Item = Tapped> + '_ {
        self.seen.drain(..)
    }
}
