//! Boxes that join segments: receive offload, normalisers, proxies.
//!
//! Offload joins only segments whose options are the same; a box that does not
//! look at them keeps those of the first segment, and the mapping of the second
//! one is lost (Honda et al.).

use std::collections::BTreeMap;

use mptcpsim_core::middlebox::{Direction, Emit, Passage};
use mptcpsim_core::time::{Span, Time};

use super::{Effect, Middlebox, Sight, edit};
use crate::host::Packet;
use crate::mptcp_keys::Version;
use crate::segment::{Flags, Segment};
use crate::wire::OptionBytes;

#[derive(Clone, Debug)]
struct Held {
    packet: Packet,
    passage: Passage,
    until: Time,
    parts: u32,
}

/// Keeps a data segment until the next one comes, or for a time.
#[derive(Clone, Debug)]
pub(super) struct Coalesce {
    hold: Span,
    /// Join only what has the same MPTCP options.
    same_options: bool,
    /// How many segments become one.
    parts: u32,
    held: BTreeMap<(u32, Direction), Held>,
}

impl Coalesce {
    pub(super) fn new(hold: Span, same_options: bool, parts: u32) -> Self {
        Self { hold, same_options, parts, held: BTreeMap::new() }
    }

    fn joins(&self, first: &Segment, next: &Segment, version: Version) -> bool {
        first.end_seq() == next.seq
            && !first.flags.intersects(Flags::SYN | Flags::FIN | Flags::RST)
            && !next.flags.intersects(Flags::SYN | Flags::RST)
            && (!self.same_options || mptcp(first, version) == mptcp(next, version))
    }

    fn on_data(&mut self, sight: &Sight, packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let until = sight.now + self.hold;
        let (passage, mut parts) = (sight.passage, 1);
        let mut packet = packet;
        if let Some(first) = self.held.remove(&sight.half()) {
            if self.joins(&first.packet.segment, &packet.segment, sight.version) {
                parts += first.parts;
                packet = join(first.packet, &packet);
            } else {
                out.forward(first.passage, first.packet);
            }
        }
        if parts >= self.parts {
            out.forward(passage, packet);
        } else {
            self.held.insert(sight.half(), Held { packet, passage, until, parts });
        }
        if parts > 1 { Effect::Merged } else { Effect::None }
    }
}

/// The first segment with the payload of the second.
fn join(mut first: Packet, next: &Packet) -> Packet {
    let segment = &mut first.segment;
    segment.payload = segment.payload.concat(&next.segment.payload);
    let flags = next.segment.flags;
    for flag in [Flags::PSH, Flags::FIN] {
        if flags.has(flag) {
            segment.flags = segment.flags | flag;
        }
    }
    first
}

fn mptcp(segment: &Segment, version: Version) -> Vec<OptionBytes> {
    let mut options = edit::options(segment, version);
    options.retain(|option| option.first() == Some(&30));
    options
}

impl Middlebox for Coalesce {
    fn kind(&self) -> &'static str {
        "coalesce"
    }

    fn on_packet(&mut self, sight: &Sight, packet: Packet, out: &mut Emit<Packet>) -> Effect {
        if !packet.segment.payload.is_empty() {
            return self.on_data(sight, packet, out);
        }
        if let Some(held) = self.held.remove(&sight.half()) {
            out.forward(held.passage, held.packet);
        }
        out.forward(sight.passage, packet);
        Effect::None
    }

    fn due(&self) -> Time {
        self.held.values().map(|held| held.until).min().unwrap_or(Time::NEVER)
    }

    fn on_timer(&mut self, now: Time, out: &mut Emit<Packet>) {
        while let Some((&half, _)) = self.held.iter().find(|(_, held)| held.until <= now) {
            if let Some(held) = self.held.remove(&half) {
                out.forward(held.passage, held.packet);
            }
        }
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(self.clone())
    }
}
