//! Which segments a box is meant for.

use mptcpsim_core::middlebox::Direction;
use mptcpsim_core::time::Time;
use mptcpsim_core::units::Probability;

use super::OptionSet;
use crate::segment::{Flags, Segment};

/// What kind of segment one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SYN without ACK.
    Syn,
    /// SYN with ACK.
    SynAck,
    /// The first segment behind the SYN of the end that opened the flow.
    ThirdAck,
    /// Without payload.
    Ack,
    /// With payload.
    Data,
    /// Reset.
    Rst,
}

impl Kind {
    pub(super) fn of(segment: &Segment) -> Self {
        let has = |flag| segment.flags.has(flag);
        match () {
            () if has(Flags::SYN) && has(Flags::ACK) => Self::SynAck,
            () if has(Flags::SYN) => Self::Syn,
            () if has(Flags::RST) => Self::Rst,
            () if !segment.payload.is_empty() => Self::Data,
            () => Self::Ack,
        }
    }

    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syn => "SYN",
            Self::SynAck => "SYN/ACK",
            Self::ThirdAck => "third ACK",
            Self::Ack => "ACK",
            Self::Data => "data",
            Self::Rst => "RST",
        }
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// All kinds.
    pub const ALL: Self = Self(u8::MAX);
    /// All but SYN and SYN/ACK.
    pub const NOT_SYN: Self = Self(!(1 << Kind::Syn as u8 | 1 << Kind::SynAck as u8));

    /// The names that [`Kinds::from_name`] knows.
    pub const NAMES: [&'static str; 8] =
        ["syn", "syn-ack", "third-ack", "ack", "data", "rst", "not-syn", "any"];

    /// The set that a name stands for. A third ACK is an `ack`, or `data`, too.
    pub fn from_name(name: &str) -> Option<Self> {
        let only = |kind: Kind| Self(1 << kind as u8);
        Some(match name {
            "syn" => only(Kind::Syn),
            "syn-ack" => only(Kind::SynAck),
            "third-ack" => only(Kind::ThirdAck),
            "ack" => only(Kind::Ack),
            "data" => only(Kind::Data),
            "rst" => only(Kind::Rst),
            "not-syn" => Self::NOT_SYN,
            "any" => Self::ALL,
            _ => return None,
        })
    }

    /// This set and another one.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }
}

/// Picks the segments that a box gets to see; the others pass.
#[derive(Clone, Debug)]
pub struct Filter {
    /// One way only.
    pub direction: Option<Direction>,
    /// Of these kinds.
    pub on: Kinds,
    /// With one of these options; any segment if empty.
    pub options: OptionSet,
    /// From the n-th data segment of a flow in this direction on, counted from 1; 0 for always.
    pub from: u64,
    /// Not before this time.
    pub after: Time,
    /// At most so many segments of a flow are touched.
    pub count: Option<u64>,
    /// Each with this probability.
    pub probability: Option<Probability>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            direction: None,
            on: Kinds::ALL,
            options: OptionSet::EMPTY,
            from: 0,
            after: Time::ZERO,
            count: None,
            probability: None,
        }
    }
}
