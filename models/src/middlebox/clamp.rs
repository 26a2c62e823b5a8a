//! Boxes that lower what hosts announce: the MSS on SYNs, as PPPoE routers do, or the window, as
//! some traffic shapers do.

use mptcpsim_core::middlebox::Emit;

use super::{Effect, Middlebox, Sight};
use crate::host::Packet;
use crate::segment::Segment;

/// Lowers the MSS option and the window field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clamp {
    pub(super) mss: Option<u16>,
    /// The field as it is in the header, without scaling.
    pub(super) window: Option<u16>,
}

/// Lowers the MSS option of a segment that has one.
pub(super) fn lower_mss(segment: &mut Segment, most: impl Fn(u16) -> u16) -> bool {
    let Some(mss) = segment.rare.as_mut().and_then(|rare| rare.mss.as_mut()) else { return false };
    let lower = most(*mss).min(*mss);
    std::mem::replace(mss, lower) != lower
}

impl Middlebox for Clamp {
    fn kind(&self) -> &'static str {
        "clamp"
    }

    fn on_packet(&mut self, sight: &Sight, mut packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let segment = &mut packet.segment;
        let mut changed = self.mss.is_some_and(|most| lower_mss(segment, |_| most));
        if let Some(most) = self.window
            && segment.window > most
        {
            segment.window = most;
            changed = true;
        }
        out.forward(sight.passage, packet);
        if changed { Effect::Rewrote } else { Effect::None }
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(*self)
    }
}
