//! A box in its place: what all boxes need to know of flows, kept once.

use std::sync::Arc;

use mptcpsim_core::middlebox::{Direction, Emit, Middlebox as Element, Passage};
use mptcpsim_core::rng::{Seed, Stream};
use mptcpsim_core::time::Time;

use super::{Effect, Filter, Kind, Middlebox, OptionSet, Sight, Touch};
use crate::host::{Packet, Protocol};
use crate::mptcp_keys::Version;
use crate::seq::Seq;

/// What is remembered of a flow.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    /// The SYN had MP_CAPABLE of version 0.
    out_of_tree: bool,
    opener: Option<Direction>,
    isn: [Option<Seq>; 2],
    /// Segments, and data segments, each way.
    packets: [u64; 2],
    data: [u64; 2],
    third_ack_seen: bool,
    touched: u64,
    /// Effects that were noted, a bit for each, each way.
    noted: [u16; 2],
}

/// A box with its name and its filter, as an element of a network.
#[derive(Clone, Debug)]
pub struct Placed {
    name: Arc<str>,
    filter: Filter,
    middlebox: Box<dyn Middlebox>,
    /// By number.
    flows: Vec<Flow>,
    random: Stream,
}

impl Placed {
    /// A box called `name`; what of it is random depends on `seed` and the name.
    pub fn new(name: &str, filter: Filter, middlebox: Box<dyn Middlebox>, seed: Seed) -> Self {
        let random = Stream::new(seed, &format!("middlebox.{name}.chance"));
        Self { name: name.into(), filter, middlebox, flows: Vec::new(), random }
    }

    /// Looks at a segment before the box does.
    fn look(&mut self, now: Time, passage: Passage, packet: &Packet) -> Sight {
        let (direction, number) = (passage.direction(), packet.tuple.flow());
        let index = number as usize;
        if index >= self.flows.len() {
            self.flows.resize(index + 1, Flow::default());
        }
        let flow = &mut self.flows[index];
        let segment = &packet.segment;
        let mut kind = Kind::of(segment);
        let side = direction as usize;
        flow.packets[side] += 1;
        flow.data[side] += u64::from(kind == Kind::Data);
        match kind {
            Kind::Syn => {
                flow.opener = Some(direction);
                flow.third_ack_seen = false;
                flow.isn[side] = Some(segment.seq);
                if let Some(capable) = segment.mp_capable() {
                    flow.out_of_tree = capable.version == 0;
                }
            }
            Kind::SynAck => flow.isn[side] = Some(segment.seq),
            Kind::Ack | Kind::Data if flow.opener == Some(direction) && !flow.third_ack_seen => {
                flow.third_ack_seen = true;
                kind = Kind::ThirdAck;
            }
            _ => {}
        }
        let version = if flow.out_of_tree { Version::V0 } else { Version::V1 };
        Sight { now, passage, kind, flow: number, version, isn: flow.isn[side] }
    }

    /// True if the box is meant for the segment.
    fn picks(&mut self, sight: &Sight, packet: &Packet) -> bool {
        let filter = &self.filter;
        let flow = &self.flows[sight.flow as usize];
        let side = sight.direction() as usize;
        let segment = &packet.segment;
        filter.direction.is_none_or(|direction| direction == sight.direction())
            && (filter.on.has(sight.kind) || filter.on.has(Kind::of(segment)))
            && (filter.from == 0 || flow.data[side] >= filter.from)
            && sight.now >= filter.after
            && filter.count.is_none_or(|count| flow.touched < count)
            && (filter.options.is_empty() || OptionSet::of(segment).meets(filter.options))
            && filter.probability.is_none_or(|probability| self.random.chance(probability))
    }

    fn note(&mut self, sight: &Sight, touched: &Touch, out: &mut Emit<Packet>) {
        let flow = &mut self.flows[sight.flow as usize];
        let direction = sight.direction();
        flow.touched += 1;
        let touches = &mut out.tables.touches;
        touches.add(&self.name, direction);
        let (noted, bit) = (&mut flow.noted[direction as usize], 1 << touched.effect as u16);
        if *noted & bit == 0 {
            *noted |= bit;
            touches.add_first(touched.clone());
        }
    }
}

impl Element<Packet> for Placed {
    fn name(&self) -> &str {
        &self.name
    }

    fn on_packet(&mut self, now: Time, passage: Passage, packet: Packet, out: &mut Emit<Packet>) {
        let sight = self.look(now, passage, &packet);
        // What travels in another protocol is no segment to a box that looks for TCP.
        let seen = packet.protocol == Protocol::Tcp || self.middlebox.sees_all_protocols();
        if !seen || !self.picks(&sight, &packet) {
            out.forward(passage, packet);
            return;
        }
        let tuple = packet.tuple;
        let effect = self.middlebox.on_packet(&sight, packet, out);
        if effect != Effect::None {
            let number = self.flows[sight.flow as usize].packets[sight.direction() as usize];
            let (middlebox, route) = (Arc::clone(&self.name), passage.route());
            let kind = sight.kind;
            let touch = Touch { at: now, middlebox, route, tuple, number, kind, effect };
            self.note(&sight, &touch, out);
        }
    }

    fn due(&self) -> Time {
        self.middlebox.due()
    }

    fn on_timer(&mut self, now: Time, out: &mut Emit<Packet>) {
        self.middlebox.on_timer(now, out);
    }

    fn clone_box(&self) -> Box<dyn Element<Packet>> {
        Box::new(self.clone())
    }
}
