//! Boxes that keep segments for a while: shapers that treat some segments apart, and those that
//! delay acknowledgements.

use std::collections::VecDeque;

use mptcpsim_core::middlebox::{Emit, Passage};
use mptcpsim_core::time::{Span, Time};

use super::{Effect, Middlebox, Sight};
use crate::host::Packet;

/// Keeps each segment for a time; others overtake it.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    delay: Span,
    held: VecDeque<(Time, Passage, Packet)>,
}

impl Hold {
    pub(super) fn new(delay: Span) -> Self {
        Self { delay, held: VecDeque::new() }
    }
}

impl Middlebox for Hold {
    fn kind(&self) -> &'static str {
        "hold"
    }

    fn on_packet(&mut self, sight: &Sight, packet: Packet, _: &mut Emit<Packet>) -> Effect {
        self.held.push_back((sight.now + self.delay, sight.passage, packet));
        Effect::Delayed
    }

    fn due(&self) -> Time {
        self.held.front().map_or(Time::NEVER, |(due, ..)| *due)
    }

    fn on_timer(&mut self, now: Time, out: &mut Emit<Packet>) {
        while self.due() <= now
            && let Some((_, passage, packet)) = self.held.pop_front()
        {
            out.forward(passage, packet);
        }
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(self.clone())
    }
}
