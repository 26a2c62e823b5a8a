//! TCP inside ICMP echo requests: a way past boxes that meddle with TCP, which a pair of kernel
//! modules once offered for MPTCP.
//!
//! ```text
//!   IP │ TCP │ data   ──►   IP │ ICMP echo 8 │ shim 16: addresses, ports, length │ TCP │ data
//! ```
//!
//! Each end has one of these boxes next to it. A packet of a flow with the port gets 24 bytes
//! more; if it would then not fit into the MTU it leaves as plain TCP, so without a smaller MSS
//! full segments take the way through the meddling boxes after all. Behind the other box it is
//! TCP again. Neither the checksum of ICMP nor that of TCP is verified there, nor the outer
//! addresses: damage is delivered, and a NAT of addresses is tolerated.

use mptcpsim_core::middlebox::{Direction, Emit};

use super::clamp::lower_mss;
use super::{Effect, Middlebox, Sight};
use crate::host::{Packet, Protocol};

/// Bytes that it takes: an echo request header and the copy of addresses, ports and length.
pub(super) const OVERHEAD: u8 = 24;

/// One end of the detour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Icmp {
    /// Which way leads into the network, away from the host of this box.
    pub(super) outwards: Direction,
    /// Flows with this port at one end take the detour.
    pub(super) port: u16,
    /// Longer packets are not wrapped.
    pub(super) mtu: u32,
    /// By how much the hosts' segments are made smaller.
    pub(super) mss_adjust: u16,
}

impl Icmp {
    fn takes(&self, packet: &Packet, out: &Emit<Packet>) -> bool {
        let tuple = out.tables.tuples.tuple(packet.tuple);
        tuple.is_some_and(|tuple| {
            tuple.src.is_ipv4() && [tuple.src.port(), tuple.dst.port()].contains(&self.port)
        })
    }
}

impl Middlebox for Icmp {
    fn kind(&self) -> &'static str {
        "icmp"
    }

    fn sees_all_protocols(&self) -> bool {
        true
    }

    fn on_packet(&mut self, sight: &Sight, mut packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let takes = self.takes(&packet, out);
        let mut effect = Effect::None;
        let wrapped = packet.protocol == Protocol::IcmpEcho;
        if takes && sight.direction() != self.outwards && wrapped {
            packet.protocol = Protocol::Tcp;
            packet.segment.header_len -= OVERHEAD;
        } else if takes && sight.direction() == self.outwards && !wrapped {
            lower_mss(&mut packet.segment, |mss| mss.saturating_sub(self.mss_adjust));
            if packet.segment.wire_len() + u32::from(OVERHEAD) <= self.mtu {
                packet.protocol = Protocol::IcmpEcho;
                packet.segment.header_len += OVERHEAD;
                effect = Effect::Wrapped;
            }
        }
        out.forward(sight.passage, packet);
        effect
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(*self)
    }
}
