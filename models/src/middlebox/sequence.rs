//! Boxes that replace initial sequence numbers by ones of their own, as firewalls do that do not
//! trust those of the hosts (Honda et al.).

use std::collections::BTreeMap;

use mptcpsim_core::middlebox::{Direction, Emit};
use mptcpsim_core::rng::Stream;

use super::{Effect, Middlebox, Shift, Sight};
use crate::host::Packet;
use crate::segment::{Flags, SackBlocks, Segment};
use crate::seq::{Seq, SeqRange};

/// Shifts the sequence numbers of each direction.
#[derive(Clone, Debug)]
pub(super) struct Sequence {
    shift: Shift,
    /// Whether SACK blocks are shifted too; boxes that forget them make SACK useless.
    sack: bool,
    random: Stream,
    /// Of each flow, the shift of each direction.
    flows: BTreeMap<u32, [u32; 2]>,
}

impl Sequence {
    pub(super) fn new(shift: Shift, sack: bool, random: Stream) -> Self {
        Self { shift, sack, random, flows: BTreeMap::new() }
    }

    fn shifts(&mut self, flow: u32) -> [u32; 2] {
        let (shift, random) = (self.shift, &mut self.random);
        *self.flows.entry(flow).or_insert_with(|| match shift {
            Shift::Fixed(shifts) => shifts,
            Shift::Random => [random.next_u64() as u32, random.next_u64() as u32],
        })
    }
}

/// Moves the acknowledgements of a segment back by `by`.
pub(super) fn move_acks(segment: &mut Segment, sack: bool, back: impl Fn(Seq) -> Seq) {
    if segment.flags.has(Flags::ACK) {
        segment.ack = back(segment.ack);
    }
    if !sack {
        return;
    }
    let shifted = |block: &SeqRange| SeqRange::new(back(block.start), back(block.end));
    let mut blocks = SackBlocks::default();
    for block in segment.sack.as_slice() {
        blocks.push(shifted(block));
    }
    segment.sack = blocks;
    if let Some(fourth) = segment.rare.as_mut().and_then(|rare| rare.fourth_sack.as_mut()) {
        *fourth = shifted(fourth);
    }
}

impl Middlebox for Sequence {
    fn kind(&self) -> &'static str {
        "sequence"
    }

    fn on_packet(&mut self, sight: &Sight, mut packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let [forward, reverse] = self.shifts(sight.flow);
        let (own, other) = match sight.direction() {
            Direction::Forward => (forward, reverse),
            Direction::Reverse => (reverse, forward),
        };
        packet.segment.seq += own;
        move_acks(&mut packet.segment, self.sack, |seq| seq - other);
        out.forward(sight.passage, packet);
        Effect::Rewrote
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(self.clone())
    }
}
