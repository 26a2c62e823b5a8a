//! Application-level gateways: they replace addresses in the payload (FTP, SIP) by ones of
//! another length, and shift all later sequence numbers and acknowledgements.

use mptcpsim_core::middlebox::{Direction, Emit};

use super::sequence::move_acks;
use super::{Effect, Middlebox, Sight};
use crate::host::Packet;
use crate::payload::Payload;
use crate::seq::Seq;

/// Replaces a run of bytes in the stream of each flow that goes `direction`.
#[derive(Clone, Debug)]
pub(super) struct Alg {
    pub(super) direction: Direction,
    /// Offset in the subflow's stream.
    pub(super) at: u32,
    /// Bytes that go.
    pub(super) remove: u32,
    /// Bytes that come.
    pub(super) insert: Vec<u8>,
    /// The initial sequence number of each flow, by its number.
    pub(super) isn: std::collections::BTreeMap<u32, Seq>,
}

impl Alg {
    fn inserted(&self) -> u32 {
        self.insert.len() as u32
    }

    /// Where a byte of the sender's stream is in the receiver's.
    fn there(&self, offset: u32) -> u32 {
        if offset <= self.at {
            offset
        } else {
            (offset.max(self.at + self.remove) - self.remove) + self.inserted()
        }
    }

    /// Where a byte of the receiver's stream was in the sender's: what replaces bytes counts as
    /// acknowledged when all of it is.
    fn back(&self, offset: u32) -> u32 {
        if offset < self.at + self.inserted() {
            offset.min(self.at)
        } else {
            offset - self.inserted() + self.remove
        }
    }

    fn change(&self, start: u32, payload: &Payload) -> Option<Payload> {
        let end = start + payload.len();
        let (gone, rest) = (self.at, self.at + self.remove);
        let holds_start = start <= gone && gone < end;
        if !holds_start && (end <= gone || start >= rest) {
            return None;
        }
        let mut changed = payload.slice(0, gone.saturating_sub(start));
        if holds_start {
            changed = changed.concat(&Payload::bytes(self.insert.clone()));
        }
        let after = rest.saturating_sub(start);
        Some(changed.concat(&payload.slice(after, payload.len().saturating_sub(after))))
    }
}

impl Middlebox for Alg {
    fn kind(&self) -> &'static str {
        "alg"
    }

    fn on_packet(&mut self, sight: &Sight, mut packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let segment = &mut packet.segment;
        let mut effect = Effect::None;
        if sight.direction() == self.direction {
            if let Some(isn) = sight.isn {
                self.isn.insert(sight.flow, isn);
                let start = (segment.seq - isn).saturating_sub(1);
                if !segment.flags.has(crate::segment::Flags::SYN) {
                    segment.seq = isn + 1 + self.there(start);
                }
                if !segment.payload.is_empty()
                    && let Some(changed) = self.change(start, &segment.payload)
                {
                    segment.payload = changed;
                    effect = Effect::Altered;
                }
            }
        } else if let Some(isn) = self.isn.get(&sight.flow) {
            let first = *isn + 1;
            move_acks(segment, true, |seq| first + self.back(seq - first));
        }
        out.forward(sight.passage, packet);
        effect
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(self.clone())
    }
}
