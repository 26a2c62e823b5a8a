//! Firewalls that follow the sequence numbers of a flow and drop what does not fit their idea of
//! TCP (Honda et al.).

use std::collections::BTreeMap;

use mptcpsim_core::middlebox::{Direction, Emit};

use super::{Effect, Kind, Middlebox, Sight};
use crate::host::Packet;
use crate::segment::{Flags, Segment};
use crate::seq::Seq;

/// What a firewall drops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Acknowledgements without data, but for the third of a handshake.
    pub pure_acks: bool,
    /// Acknowledgements without data that repeat number and window of the last one.
    pub duplicate_acks: bool,
    /// Data outside the window that the other end announced.
    pub out_of_window: bool,
    /// Data behind a gap in the sequence numbers it has seen.
    pub holes: bool,
    /// Acknowledgements of data it has not seen.
    pub unseen_acks: bool,
}

impl Rules {
    /// The names that [`Rules::with`] knows.
    pub const NAMES: [&'static str; 5] =
        ["pure-acks", "duplicate-acks", "out-of-window", "holes", "unseen-acks"];

    /// These rules and the one of that name; `None` if there is none.
    pub fn with(mut self, name: &str) -> Option<Self> {
        let rule = match name {
            "pure-acks" => &mut self.pure_acks,
            "duplicate-acks" => &mut self.duplicate_acks,
            "out-of-window" => &mut self.out_of_window,
            "holes" => &mut self.holes,
            "unseen-acks" => &mut self.unseen_acks,
            _ => return None,
        };
        *rule = true;
        Some(self)
    }
}

/// What was seen of one direction.
#[derive(Clone, Copy, Debug, Default)]
struct Half {
    /// Behind the highest sequence number.
    end: Option<Seq>,
    /// The last acknowledgement and its window field.
    ack: Option<(Seq, u16)>,
    /// Window scale of the SYN.
    scale: u8,
}

impl Half {
    /// Behind the last number that may be sent to this end.
    fn edge(&self) -> Option<Seq> {
        self.ack.map(|(ack, window)| ack + (u32::from(window) << self.scale))
    }

    fn note(&mut self, segment: &Segment) {
        let end = segment.end_seq();
        self.end = Some(self.end.map_or(end, |highest| highest.latest(end)));
        if segment.flags.has(Flags::ACK) {
            self.ack = Some((segment.ack, segment.window));
        }
        if segment.flags.has(Flags::SYN) {
            self.scale = segment.rare().and_then(|rare| rare.window_scale).unwrap_or(0);
        }
    }
}

/// A firewall with its memory of flows.
#[derive(Clone, Debug)]
pub(super) struct Firewall {
    rules: Rules,
    halves: BTreeMap<(u32, Direction), Half>,
}

impl Firewall {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, halves: BTreeMap::new() }
    }

    fn drops(&self, sight: &Sight, segment: &Segment, own: &Half, other: &Half) -> bool {
        let rules = &self.rules;
        let pure = sight.kind == Kind::Ack && segment.seq_len() == 0;
        let repeats = own.ack == Some((segment.ack, segment.window));
        let data = !segment.payload.is_empty();
        let beyond_edge = other.edge().is_some_and(|edge| segment.end_seq().after(edge));
        let beyond_end = own.end.is_some_and(|end| segment.seq.after(end));
        let unseen = other.end.is_some_and(|end| segment.ack.after(end));
        (rules.pure_acks && pure)
            || (rules.duplicate_acks && pure && repeats)
            || (rules.out_of_window && data && beyond_edge)
            || (rules.holes && data && beyond_end)
            || (rules.unseen_acks && segment.flags.has(Flags::ACK) && unseen)
    }
}

impl Middlebox for Firewall {
    fn kind(&self) -> &'static str {
        "firewall"
    }

    fn on_packet(&mut self, sight: &Sight, packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let other = (sight.flow, sight.opposite());
        let own = self.halves.get(&sight.half()).copied().unwrap_or_default();
        let other = self.halves.get(&other).copied().unwrap_or_default();
        let opens = matches!(sight.kind, Kind::Syn | Kind::SynAck | Kind::Rst);
        if !opens && self.drops(sight, &packet.segment, &own, &other) {
            return Effect::Dropped;
        }
        let half = self.halves.entry(sight.half()).or_default();
        if sight.kind == Kind::Syn {
            *half = Half::default();
        }
        half.note(&packet.segment);
        out.forward(sight.passage, packet);
        Effect::None
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(self.clone())
    }
}
