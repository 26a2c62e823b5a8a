//! A tap on every interface: what hosts sent and received, for captures and tests.

use mptcpsim_core::time::Time;

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
#[derive(Clone, Debug, Default)]
pub struct Tap {
    enabled: bool,
    seen: Vec<Tapped>,
}

impl Tap {
    /// A tap that collects if `enabled`.
    pub const fn new(enabled: bool) -> Self {
        Self { enabled, seen: Vec::new() }
    }

    pub(super) const fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub(super) fn push(&mut self, tapped: Tapped) {
        self.seen.push(tapped);
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
