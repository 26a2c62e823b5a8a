//! Boxes that write options in an order of their own.

use mptcpsim_core::middlebox::Emit;

use super::{Effect, Middlebox, Sight, edit};
use crate::host::Packet;

/// The order in which a box writes options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The last one first.
    #[default]
    Reverse,
    /// By the number of the option's kind, MPTCP's own by subtype.
    ByKind,
}

/// Writes options in another order, padded at the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reorder {
    pub(super) order: Order,
}

impl Middlebox for Reorder {
    fn kind(&self) -> &'static str {
        "reorder-options"
    }

    fn on_packet(&mut self, sight: &Sight, mut packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let mut options = edit::options(&packet.segment, sight.version);
        let before = options.clone();
        match self.order {
            Order::Reverse => options.reverse(),
            Order::ByKind => {
                options.sort_by_key(|option| (option.first().copied(), option.get(2).copied()));
            }
        }
        let changed =
            options != before && edit::set_options(&mut packet.segment, &options, sight.version);
        out.forward(sight.passage, packet);
        if changed { Effect::Rewrote } else { Effect::None }
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(*self)
    }
}
