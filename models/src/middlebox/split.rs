//! Boxes that cut segments: network cards with segmentation offload, and boxes with a smaller
//! MTU behind them. Cards copy all options into each piece, which is why a DSS maps by sequence
//! numbers of its own (RFC 8684 section 3.3).

use mptcpsim_core::middlebox::Emit;

use super::{Effect, Middlebox, OptionSet, Replace, Sight, edit};
use crate::host::Packet;
use crate::segment::Flags;

/// Which pieces get the options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Copies {
    /// All of them, as segmentation offload does.
    #[default]
    All,
    /// The first one; the others get timestamps only.
    First,
    /// The last one; the others get timestamps only.
    Last,
}

/// Cuts segments with more payload than `size`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    pub(super) size: u32,
    pub(super) copies: Copies,
}

impl Split {
    fn piece(&self, sight: &Sight, whole: &Packet, at: u32) -> Packet {
        let (len, mut piece) = (whole.segment.payload.len(), whole.clone());
        let segment = &mut piece.segment;
        let last = at + self.size >= len;
        segment.seq += at;
        segment.payload = segment.payload.slice(at, self.size);
        if !last {
            segment.flags = segment.flags.without(Flags::PSH | Flags::FIN);
        }
        if at > 0 {
            segment.flags = segment.flags.without(Flags::CWR);
        }
        let copied = match self.copies {
            Copies::All => true,
            Copies::First => at == 0,
            Copies::Last => last,
        };
        if !copied {
            edit::strip(segment, OptionSet::MPTCP, Replace::Remove, sight.version);
        }
        piece
    }
}

impl Middlebox for Split {
    fn kind(&self) -> &'static str {
        "split"
    }

    fn on_packet(&mut self, sight: &Sight, packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let len = packet.segment.payload.len();
        if len <= self.size || self.size == 0 {
            out.forward(sight.passage, packet);
            return Effect::None;
        }
        for at in (0..len).step_by(self.size as usize) {
            out.forward(sight.passage, self.piece(sight, &packet, at));
        }
        Effect::Split
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(*self)
    }
}
