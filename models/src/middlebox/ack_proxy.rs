//! Proxies that acknowledge data before the receiver does and repeat it themselves when it gets
//! lost behind them: enhancing proxies of radio and satellite links (RFC 3135, section 3.1).
//!
//! The sender gets acknowledgements without DATA_ACK. What the proxy has taken over is kept until
//! the receiver acknowledges it.

use std::collections::{BTreeMap, VecDeque};

use mptcpsim_core::middlebox::{Direction, Emit, Passage};
use mptcpsim_core::time::{Span, Time};

use super::{Effect, Kind, Middlebox, Sight, edit};
use crate::host::{Packet, Protocol};
use crate::segment::{Flags, Segment, Timestamps};
use crate::seq::Seq;

/// One direction of data.
#[derive(Clone, Debug, Default)]
struct Half {
    /// What comes next in order; data up to here is acknowledged.
    next: Option<Seq>,
    /// Taken over and not yet acknowledged by the receiver.
    kept: VecDeque<(Passage, Packet)>,
    /// When the oldest is sent again.
    again_at: Option<Time>,
    /// The last the receiver said: number, window, its clock.
    heard: Option<(Seq, u16, Option<Timestamps>)>,
}

/// Acknowledges data of the flows that it sees.
#[derive(Clone, Debug)]
pub(super) struct AckProxy {
    timeout: Span,
    /// The receiver's own acknowledgements of data taken over go no further.
    absorb: bool,
    halves: BTreeMap<(u32, Direction), Half>,
}

impl AckProxy {
    pub(super) fn new(timeout: Span, absorb: bool) -> Self {
        Self { timeout, absorb, halves: BTreeMap::new() }
    }

    /// Data from the sender: passes, and is acknowledged if it is in order.
    fn on_data(&mut self, sight: &Sight, packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let half = self.halves.entry(sight.half()).or_default();
        let first = sight.isn.map(|isn| isn + 1);
        let next = *half.next.get_or_insert(first.unwrap_or(packet.segment.seq));
        let segment = &packet.segment;
        let in_order = segment.seq.at_or_before(next) && segment.end_seq().after(next);
        let plain = !segment.flags.intersects(Flags::FIN | Flags::RST);
        if !in_order || !plain {
            out.forward(sight.passage, packet);
            return Effect::None;
        }
        half.next = Some(segment.end_seq());
        half.kept.push_back((sight.passage, packet.clone()));
        half.again_at.get_or_insert(sight.now + self.timeout);
        if let Some(ack) = half.acknowledgement(&packet) {
            out.back(sight.passage, ack);
        }
        out.forward(sight.passage, packet);
        Effect::Answered
    }

    /// From the receiver of the data that goes `data`. True if nobody else needs it.
    fn on_ack(&mut self, sight: &Sight, data: (u32, Direction), segment: &Segment) -> bool {
        let Some(half) = self.halves.get_mut(&data) else { return false };
        half.heard = Some((segment.ack, segment.window, segment.timestamps));
        let before = half.kept.len();
        half.forget_up_to(segment.ack);
        if half.kept.len() != before {
            half.again_at = (!half.kept.is_empty()).then_some(sight.now + self.timeout);
        }
        let known = half.next.is_some_and(|next| segment.ack.at_or_before(next));
        self.absorb && known && before > 0 && sight.kind == Kind::Ack && segment.seq_len() == 0
    }
}

impl Half {
    fn forget_up_to(&mut self, ack: Seq) {
        let known = |kept: &(Passage, Packet)| kept.1.segment.end_seq().at_or_before(ack);
        while self.kept.front().is_some_and(known) {
            self.kept.pop_front();
        }
    }

    /// An acknowledgement as the receiver would write it, without MPTCP options.
    fn acknowledgement(&self, data: &Packet) -> Option<Packet> {
        let (_, window, clock) = self.heard?;
        let of = &data.segment;
        let timestamps = of.timestamps.map(|sent| Timestamps {
            val: clock.map_or(sent.ecr, |clock| clock.val),
            ecr: sent.val,
        });
        let mut segment = Segment {
            seq: of.ack,
            ack: self.next?,
            flags: Flags::ACK,
            window,
            timestamps,
            ..Segment::default()
        };
        segment.seal(edit::ip_header(of));
        Some(Packet { segment, tuple: data.tuple.reversed(), protocol: Protocol::Tcp })
    }
}

impl Middlebox for AckProxy {
    fn kind(&self) -> &'static str {
        "ack-proxy"
    }

    fn on_packet(&mut self, sight: &Sight, packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let data = (sight.flow, sight.opposite());
        match sight.kind {
            Kind::Syn | Kind::Rst => {
                for direction in [Direction::Forward, Direction::Reverse] {
                    self.halves.remove(&(sight.flow, direction));
                }
            }
            _ => {
                self.halves.entry(data).or_default();
                if self.on_ack(sight, data, &packet.segment) {
                    return Effect::Dropped;
                }
            }
        }
        if !packet.segment.payload.is_empty() {
            return self.on_data(sight, packet, out);
        }
        out.forward(sight.passage, packet);
        Effect::None
    }

    fn due(&self) -> Time {
        self.halves.values().filter_map(|half| half.again_at).min().unwrap_or(Time::NEVER)
    }

    fn on_timer(&mut self, now: Time, out: &mut Emit<Packet>) {
        for half in self.halves.values_mut() {
            if half.again_at.is_some_and(|at| at <= now) {
                half.again_at = half.kept.front().map(|(passage, packet)| {
                    out.forward(*passage, packet.clone());
                    now + self.timeout
                });
            }
        }
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(self.clone())
    }
}
