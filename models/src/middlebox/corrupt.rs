//! Boxes that change payload without changing its length, and set the TCP checksum right: only
//! a DSS checksum notices (RFC 8684 section 3.7).

use mptcpsim_core::middlebox::Emit;

use super::{Effect, Middlebox, Sight};
use crate::host::Packet;
use crate::payload::Payload;

/// The bit that is flipped: letters change case.
const FLIPPED: u8 = 0x20;

/// Changes single bytes of each flow, retransmissions included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Corrupt {
    /// Offset in the subflow's stream of the first byte that changes.
    pub(super) at: u64,
    /// From one byte to the next.
    pub(super) stride: u64,
    /// How many bytes change.
    pub(super) bytes: u64,
}

impl Corrupt {
    /// The offsets in `start..start + len` that change, relative to `start`.
    fn hits(self, start: u64, len: u64) -> impl Iterator<Item = usize> {
        let stride = self.stride.max(1);
        let first = start.saturating_sub(self.at).div_ceil(stride);
        let offsets = (first..self.bytes).map(move |k| self.at + k * stride);
        let inside = offsets.skip_while(move |at| *at < start);
        inside.take_while(move |at| *at < start + len).map(move |at| (at - start) as usize)
    }
}

impl Middlebox for Corrupt {
    fn kind(&self) -> &'static str {
        "corrupt"
    }

    fn on_packet(&mut self, sight: &Sight, mut packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let payload = &mut packet.segment.payload;
        let len = u64::from(payload.len());
        let mut effect = Effect::None;
        if let Some(isn) = sight.isn {
            let start = u64::from(packet.segment.seq - (isn + 1));
            let mut hits = self.hits(start, len).peekable();
            if hits.peek().is_some() {
                let mut bytes: Vec<u8> = payload.iter().collect();
                hits.for_each(|at| bytes[at] ^= FLIPPED);
                *payload = Payload::bytes(bytes);
                effect = Effect::Altered;
            }
        }
        out.forward(sight.passage, packet);
        effect
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(*self)
    }
}
