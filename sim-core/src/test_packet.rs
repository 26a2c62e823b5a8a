//! A packet for tests.

use crate::packet::Packet;
use crate::units::Bytes;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestPacket {
    pub(crate) flow: u64,
    pub(crate) len: u64,
    pub(crate) ecn_capable: bool,
    pub(crate) marked: bool,
    pub(crate) damage: u64,
}

impl TestPacket {
    pub(crate) fn new(flow: u64, len: u64) -> Self {
        Self { flow, len, ecn_capable: false, marked: false, damage: 0 }
    }
}

impl Packet for TestPacket {
    type Tables = ();

    fn len(&self) -> Bytes {
        Bytes::new(self.len)
    }

    fn flow(&self) -> u64 {
        self.flow
    }

    fn is_data(&self) -> bool {
        self.len > 100
    }

    fn mark_ce(&mut self) -> bool {
        self.marked |= self.ecn_capable;
        self.ecn_capable
    }

    fn corrupt(&mut self, random: u64) {
        self.damage = random;
    }
}
