//! Virtual time in picoseconds.
//!
//! A picosecond divides the byte time of 1, 10, 25, 40 and 100 Gbit/s links
//! without remainder, so transmission times of common links carry no rounding
//! at all. A `u64` of picoseconds lasts 213 days.

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::units::{ParseError, Quantity, largest_exact_unit, parse_quantity};

/// Picoseconds in one second.
const PS_PER_SEC: u64 = 1_000_000_000_000;

/// A moment: picoseconds since the start of the simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// A length of time in picoseconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u64);

impl Time {
    /// The start of the simulation.
    pub const ZERO: Self = Self(0);
    /// Later than every event: the due date of an actor with nothing to do.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `ps` picoseconds after the start.
    pub const fn from_ps(ps: u64) -> Self {
        Self(ps)
    }

    /// Picoseconds since the start.
    pub const fn as_ps(self) -> u64 {
        self.0
    }

    /// Whole nanoseconds since the start, rounded down.
    pub const fn as_ns(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole microseconds since the start, rounded down (the kernel's `tcp_mstamp`).
    pub const fn as_us(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole milliseconds since the start, rounded down.
    pub const fn as_ms(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// Seconds since the start, for reports only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / PS_PER_SEC as f64
    }

    /// The time passed since `earlier`, zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The first moment at or after this one that is a whole number of `step`s after the start.
    pub const fn round_up(self, step: Span) -> Self {
        match (step.0, self.0) {
            (0, _) | (_, u64::MAX) => self,
            (step, at) => Self(at.div_ceil(step).saturating_mul(step)),
        }
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than every simulation.
    pub const MAX: Self = Self(u64::MAX);

    /// A span of `ps` picoseconds.
    pub const fn from_ps(ps: u64) -> Self {
        Self(ps)
    }

    /// A span of `ns` nanoseconds.
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns.saturating_mul(1_000))
    }

    /// A span of `us` microseconds.
    pub const fn from_us(us: u64) -> Self {
        Self(us.saturating_mul(1_000_000))
    }

    /// A span of `ms` milliseconds.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000_000))
    }

    /// A span of `secs` seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(PS_PER_SEC))
    }

    /// A span of `secs` seconds, rounded to the nearest picosecond; negative and NaN give zero.
    pub fn from_secs_f64(secs: f64) -> Self {
        Self((secs * PS_PER_SEC as f64 + 0.5) as u64)
    }

    /// Picoseconds.
    pub const fn as_ps(self) -> u64 {
        self.0
    }

    /// Whole nanoseconds, rounded down.
    pub const fn as_ns(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole microseconds, rounded down.
    pub const fn as_us(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole milliseconds, rounded down.
    pub const fn as_ms(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// Seconds, for reports only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / PS_PER_SEC as f64
    }

    /// True for a span of no length.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Add<Span> for Time {
    type Output = Self;
    /// Saturates: a moment beyond the end of time is [`Time::NEVER`].
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Time {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Sub for Time {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        self.since(earlier)
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Mul<u64> for Span {
    type Output = Self;
    fn mul(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl Div<u64> for Span {
    type Output = Self;
    fn div(self, divisor: u64) -> Self {
        Self(self.0 / divisor)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NEVER => f.write_str("never"),
            Self(ps) => write!(f, "{}.{:012} s", ps / PS_PER_SEC, ps % PS_PER_SEC),
        }
    }
}

/// Units of time, largest first, in picoseconds.
const UNITS: &[(&str, u64)] = &[
    ("h", 3_600 * PS_PER_SEC),
    ("min", 60 * PS_PER_SEC),
    ("s", PS_PER_SEC),
    ("ms", 1_000_000_000),
    ("us", 1_000_000),
    ("ns", 1_000),
    ("ps", 1),
];

/// Spans print in the largest unit up to seconds that shows them exactly.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&largest_exact_unit(self.0, &UNITS[2..]))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Span {
    type Err = ParseError;

    /// Reads a decimal number and a unit: `15 ms`, `2.5 s`, `100us`, `1 min`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_quantity(text, Quantity { what: "a time", example: "15 ms", units: UNITS, zero: "s" })
            .map(Self)
    }
}

impl TryFrom<String> for Span {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_parse_and_print_the_same_value() {
        for (text, ps, shown) in [
            ("15 ms", 15_000_000_000, "15 ms"),
            ("0.5 s", PS_PER_SEC / 2, "500 ms"),
            ("1.5ms", 1_500_000_000, "1500 us"),
            ("2 min", 120 * PS_PER_SEC, "120 s"),
            ("0 s", 0, "0 s"),
            ("1e3 us", 1_000_000_000, "1 ms"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.as_ps(), span.to_string().as_str()), (ps, shown), "{text}");
        }
    }

    #[test]
    fn bad_spans_say_what_would_be_right() {
        for text in ["", "15", "ms", "-3 ms", "15 m", "1 Mbit/s", "1e30 s", "0.1 ps", "nan s"] {
            let error = text.parse::<Span>().unwrap_err().to_string();
            assert!(error.contains("15 ms"), "{text}: {error}");
        }
    }

    #[test]
    fn rounding_up_reaches_the_next_tick() {
        let tick = Span::from_ms(4);
        assert_eq!(Time::from_ps(1).round_up(tick), Time::ZERO + tick);
        assert_eq!((Time::ZERO + tick).round_up(tick), Time::ZERO + tick);
        assert_eq!(Time::NEVER.round_up(tick), Time::NEVER);
    }
}
