//! What the network needs to know of a packet.

use crate::units::Bytes;

/// Something that links carry.
///
/// The network never looks into packets; it asks these questions.
pub trait Packet: Clone {
    /// What packets refer to by number and hosts and middleboxes share: addresses, say. `()` for
    /// packets that say all there is to say.
    type Tables: Clone + std::fmt::Debug + Default + Send;

    /// Bytes at the IP level: what takes time on a link and room in a queue.
    fn len(&self) -> Bytes;

    /// True for a packet without bytes.
    fn is_empty(&self) -> bool {
        self.len() == Bytes::ZERO
    }

    /// Which flow it belongs to: fair queues keep flows apart by it.
    fn flow(&self) -> u64;

    /// True if it carries payload; losses can spare pure acknowledgements.
    fn is_data(&self) -> bool;

    /// Marks it "congestion experienced" (RFC 3168); false if it is not ECN-capable.
    fn mark_ce(&mut self) -> bool;

    /// Damages it, where and how as `random` says, the way a checksum may notice or not.
    fn corrupt(&mut self, random: u64);

    /// What identifies it in a trace.
    fn id(&self) -> u64 {
        self.flow()
    }
}
