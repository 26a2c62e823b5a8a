//! TCP sequence numbers: 32 bits that wrap.
//!
//! A sequence number has no order of its own, only a distance to another one
//! (RFC 9293 section 3.4), so `Seq` has neither `Ord` nor arithmetic with
//! plain numbers on the left.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// A 32-bit sequence number of one direction of a subflow.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Seq(pub u32);

impl Seq {
    /// True if this number comes before `other` on the circle.
    pub const fn before(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }

    /// True if this number comes after `other` on the circle.
    pub const fn after(self, other: Self) -> bool {
        other.before(self)
    }

    /// True if this number is `other` or comes after it.
    pub const fn at_or_after(self, other: Self) -> bool {
        !self.before(other)
    }

    /// True if this number is `other` or comes before it.
    pub const fn at_or_before(self, other: Self) -> bool {
        !other.before(self)
    }

    /// The later of two numbers.
    pub const fn latest(self, other: Self) -> Self {
        if self.before(other) { other } else { self }
    }

    /// The earlier of two numbers.
    pub const fn earliest(self, other: Self) -> Self {
        if self.before(other) { self } else { other }
    }

    /// The distance from `earlier` to this number, negative if this one comes first.
    pub const fn offset_from(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }
}

impl Add<u32> for Seq {
    type Output = Self;
    fn add(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

impl AddAssign<u32> for Seq {
    fn add_assign(&mut self, bytes: u32) {
        *self = *self + bytes;
    }
}

impl Sub<u32> for Seq {
    type Output = Self;
    fn sub(self, bytes: u32) -> Self {
        Self(self.0.wrapping_sub(bytes))
    }
}

impl Sub for Seq {
    type Output = u32;
    /// The bytes from `earlier` to this number; the caller knows that this one is not before it.
    fn sub(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Sequence numbers from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeqRange {
    /// The first number inside.
    pub start: Seq,
    /// The first number behind.
    pub end: Seq,
}

impl SeqRange {
    /// The range from `start` to `end`.
    pub const fn new(start: Seq, end: Seq) -> Self {
        Self { start, end }
    }

    /// How many numbers it holds.
    pub fn len(self) -> u32 {
        self.end - self.start
    }

    /// True if it holds nothing.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// True if `other` lies inside.
    pub const fn contains(self, other: Self) -> bool {
        !other.start.before(self.start) && !self.end.before(other.end)
    }
}

/// The 64-bit value nearest to `reference` whose low 32 bits are `low`: how a 4-byte DSN or
/// DATA_ACK is read (RFC 8684 section 3.3.1; the kernel's `__mptcp_expand_seq`).
pub const fn expand_dsn(reference: u64, low: u32) -> u64 {
    let distance = low.wrapping_sub(reference as u32) as i32;
    reference.wrapping_add(distance as i64 as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_holds_across_the_wrap() {
        let (low, high) = (Seq(u32::MAX - 1), Seq(3));
        assert!(low.before(high) && high.after(low) && !high.before(low));
        assert_eq!(high - low, 5);
        assert_eq!(low.latest(high), high);
        assert_eq!(low.offset_from(high), -5);
    }

    #[test]
    fn short_data_sequence_numbers_expand_to_the_nearest() {
        assert_eq!(expand_dsn(0x1_0000_0005, 0xffff_fff0), 0xffff_fff0);
        assert_eq!(expand_dsn(0xffff_fff0, 5), 0x1_0000_0005);
        assert_eq!(expand_dsn(7, 9), 9);
    }
}
