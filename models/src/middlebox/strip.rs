//! Boxes that take options out: normalisers, firewalls that know no MPTCP, some proxies.

use mptcpsim_core::middlebox::Emit;

use super::{Effect, Middlebox, OptionSet, Replace, Sight, edit};
use crate::host::Packet;

/// Takes options out of segments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strip {
    pub(super) options: OptionSet,
    pub(super) replace: Replace,
}

impl Middlebox for Strip {
    fn kind(&self) -> &'static str {
        "strip"
    }

    fn on_packet(&mut self, sight: &Sight, mut packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let hit = edit::strip(&mut packet.segment, self.options, self.replace, sight.version);
        out.forward(sight.passage, packet);
        if hit { Effect::Stripped } else { Effect::None }
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(*self)
    }
}

/// Drops segments: which, says the filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drop;

impl Middlebox for Drop {
    fn kind(&self) -> &'static str {
        "drop"
    }

    fn on_packet(&mut self, _: &Sight, _: Packet, _: &mut Emit<Packet>) -> Effect {
        Effect::Dropped
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(*self)
    }
}
