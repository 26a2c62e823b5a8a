//! A segment on its way: the packet that links carry.

use mptcpsim_core::units::Bytes;

use super::tables::Tables;
use super::tuples::TupleId;
use crate::segment::{Ecn, Flags, Segment};

/// A TCP segment and the number of its four-tuple.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// The segment.
    pub segment: Segment,
    /// Its addresses.
    pub tuple: TupleId,
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
    fn corrupt(&mut self, _random: u64) {
        self.segment.flags = Flags::NONE;
    }

    fn id(&self) -> u64 {
        u64::from(self.tuple.0) << 32 | u64::from(self.segment.seq.0)
    }
}
