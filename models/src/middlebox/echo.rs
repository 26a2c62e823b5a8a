//! Boxes that answer SYNs and copy options they do not know into the SYN/ACK (Honda et al. tested
//! for them; RFC 8684 has no key in the SYN because of them).

use std::collections::BTreeMap;

use mptcpsim_core::middlebox::Emit;

use super::{Effect, Kind, Middlebox, OptionSet, Replace, Sight, edit};
use crate::host::Packet;
use crate::options::Slot;
use crate::wire::OptionBytes;

const CAPABLE: OptionSet = OptionSet::EMPTY.with(Slot::MpCapable);

/// The option kind of MPTCP, and the subtype of MP_CAPABLE in the third byte.
const MPTCP_KIND: u8 = 30;

/// Copies the MP_CAPABLE of SYNs into the SYN/ACKs that answer them.
#[derive(Clone, Debug)]
pub(super) struct Echo {
    /// The server does not see the option.
    strip_syn: bool,
    /// The copy has the form that an answer needs: with a key of eight bytes.
    invent_key: bool,
    /// Of each flow, the option of its SYN.
    seen: BTreeMap<u32, OptionBytes>,
}

impl Echo {
    pub(super) fn new(strip_syn: bool, invent_key: bool) -> Self {
        Self { strip_syn, invent_key, seen: BTreeMap::new() }
    }

    fn on_syn(&mut self, sight: &Sight, packet: &mut Packet) -> Effect {
        let options = edit::options(&packet.segment, sight.version);
        if let Some(option) = options.iter().find(|option| is_capable(option)) {
            self.seen.insert(sight.flow, option.clone());
        }
        let strip = self.strip_syn
            && edit::strip(&mut packet.segment, CAPABLE, Replace::Nop, sight.version);
        if strip { Effect::Stripped } else { Effect::None }
    }

    fn on_syn_ack(&self, sight: &Sight, packet: &mut Packet) -> Effect {
        let Some(seen) = self.seen.get(&sight.flow) else { return Effect::None };
        let mut echoed = seen.clone();
        if self.invent_key {
            echoed.truncate(4);
            echoed[1] = 12;
            echoed.extend(0xdead_beef_1234_5678u64.to_be_bytes());
        }
        let mut options = edit::options(&packet.segment, sight.version);
        options.retain(|option| !is_capable(option));
        options.push(echoed);
        if edit::set_options(&mut packet.segment, &options, sight.version) {
            Effect::Rewrote
        } else {
            Effect::None
        }
    }
}

fn is_capable(option: &OptionBytes) -> bool {
    matches!(**option, [MPTCP_KIND, _, subtype, ..] if subtype >> 4 == 0)
}

impl Middlebox for Echo {
    fn kind(&self) -> &'static str {
        "echo"
    }

    fn on_packet(&mut self, sight: &Sight, mut packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let effect = match sight.kind {
            Kind::Syn => self.on_syn(sight, &mut packet),
            Kind::SynAck => self.on_syn_ack(sight, &mut packet),
            _ => Effect::None,
        };
        out.forward(sight.passage, packet);
        effect
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(self.clone())
    }
}
