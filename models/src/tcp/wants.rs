//! What a subflow is to send next.

/// What a subflow wants to send, apart from what its queues say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wants(u16);

impl Wants {
    /// (Re)send the SYN or SYN/ACK.
    pub(super) const SYN: Self = Self(1);
    /// An ACK right now; data that leaves carries it.
    pub(super) const ACK: Self = Self(1 << 1);
    /// A pure ACK right now, before any data; and one behind whatever else leaves.
    pub(super) const PURE_ACK: Self = Self(1 << 2);
    pub(super) const LAST_ACK: Self = Self(1 << 3);
    /// Walk the retransmission queue.
    pub(super) const RETRANSMIT: Self = Self(1 << 4);
    /// Look for new data to send.
    pub(super) const PUSH: Self = Self(1 << 5);
    /// Send one segment whatever the window says: a tail loss probe.
    pub(super) const PROBE: Self = Self(1 << 6);
    /// Retransmit the head at once: a timeout.
    pub(super) const HEAD: Self = Self(1 << 7);
    /// A zero-window probe.
    pub(super) const WINDOW_PROBE: Self = Self(1 << 8);
    /// A reset, then nothing more.
    pub(super) const RESET: Self = Self(1 << 9);
    /// A repeated ACK for a segment that cannot be accepted.
    pub(super) const CHALLENGE: Self = Self(1 << 10);
    /// Something that was sent is to be sent again.
    pub(super) const AGAIN: Self = Self(Self::HEAD.0 | Self::RETRANSMIT.0 | Self::PROBE.0);

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    pub(super) const fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(super) const fn clear(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    /// True if it was wanted; it is not any more.
    pub(super) const fn take(&mut self, other: Self) -> bool {
        let had = self.has(other);
        self.clear(other);
        had
    }
}
