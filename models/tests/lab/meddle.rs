//! A box of a test's own: changes the segments that it is shown.

use mptcpsim_core::middlebox::Emit;
use mptcpsim_models::host::Packet;
use mptcpsim_models::middlebox::{Effect, Middlebox, Sight};
use mptcpsim_models::segment::{Dss, Segment};

#[derive(Clone, Copy, Debug)]
enum Change {
    Segment(fn(&mut Segment)),
    Dss(fn(&mut Dss)),
}

#[derive(Clone, Copy, Debug)]
struct Meddle(Change);

/// Changes whole segments.
pub(crate) fn segments(change: fn(&mut Segment)) -> Box<dyn Middlebox> {
    Box::new(Meddle(Change::Segment(change)))
}

/// Changes the DSS of segments that have one.
pub(crate) fn mappings(change: fn(&mut Dss)) -> Box<dyn Middlebox> {
    Box::new(Meddle(Change::Dss(change)))
}

impl Middlebox for Meddle {
    fn kind(&self) -> &'static str {
        "meddle"
    }

    fn on_packet(&mut self, sight: &Sight, mut packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let before = packet.segment.clone();
        match self.0 {
            Change::Segment(change) => change(&mut packet.segment),
            Change::Dss(change) => {
                if let Some(dss) = &mut packet.segment.dss {
                    change(dss);
                }
            }
        }
        let effect = if packet.segment == before { Effect::None } else { Effect::Rewrote };
        out.forward(sight.passage, packet);
        effect
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(*self)
    }
}
