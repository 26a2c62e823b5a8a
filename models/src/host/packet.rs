//! A segment on its way: the packet that links carry.

use mptcpsim_core::units::Bytes;

use super::tables::Tables;
use super::tuples::TupleId;
use crate::payload::Payload;
use crate::segment::{Ecn, Flags, Segment};

/// What the IP header says the packet is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// An ICMP echo request in which a segment hides; an ordinary ping for everybody else.
    IcmpEcho,
}

/// A TCP segment and the number of its four-tuple.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// The segment.
    pub segment: Segment,
    /// Its addresses.
    pub tuple: TupleId,
    /// What it travels as.
    pub protocol: Protocol,
}

impl Packet {
    /// A segment that travels as TCP.
    pub const fn new(segment: Segment, tuple: TupleId) -> Self {
        Self { segment, tuple, protocol: Protocol::Tcp }
    }
}

// Two cache lines: memory in flight is what limits large simulations.
const _: () = assert!(size_of::<Packet>() <= 128);

impl mptcpsim_core::packet::Packet for Packet {
    type Tables = Tables;

    fn len(&self) -> Bytes {
        Bytes::new(u64::from(self.segment.wire_len()))
    }

    fn flow(&self) -> u64 {
        u64::from(self.tuple.0)
    }

    fn is_data(&self) -> bool {
        !self.segment.payload.is_empty()
    }

    fn mark_ce(&mut self) -> bool {
        let capable = self.segment.ecn != Ecn::NotCapable;
        if capable {
            self.segment.ecn = Ecn::Experienced;
        }
        capable
    }

    /// Flips a bit of the payload. The TCP checksum notices at the receiver, which then drops the
    /// packet: modelled by taking its flags away, so that nobody accepts it.
    ///
    /// What hides in an echo request is taken out of it without looking at checksums, so there the
    /// wrong bit is delivered.
    fn corrupt(&mut self, random: u64) {
        let payload = &mut self.segment.payload;
        if self.protocol == Protocol::Tcp || payload.is_empty() {
            self.segment.flags = Flags::NONE;
            return;
        }
        let mut bytes: Vec<u8> = payload.iter().collect();
        let at = (random >> 3) as usize % bytes.len();
        bytes[at] ^= 1 << (random % 8);
        *payload = Payload::bytes(bytes);
    }

    fn id(&self) -> u64 {
        u64::from(self.tuple.0) << 32 | u64::from(self.segment.seq.0)
    }
}
