//! Rates, byte counts and probabilities that carry their unit.
//!
//! Quantities are read from text such as `50 Mbit/s` exactly, in integer
//! arithmetic; a value that is no whole number of the base unit is refused
//! rather than rounded.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::time::Span;

/// Why a text is no quantity of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not {what}: {why}; write for example `{example}`")]
pub struct ParseError {
    text: String,
    what: &'static str,
    why: String,
    example: &'static str,
}

/// What [`parse_quantity`] reads: the words for its errors and the units with their values.
#[derive(Clone, Copy)]
pub(crate) struct Quantity {
    pub(crate) what: &'static str,
    pub(crate) example: &'static str,
    /// Unit names with their size in the base unit.
    pub(crate) units: &'static [(&'static str, u64)],
    /// The unit that need not be written for the number zero.
    pub(crate) zero: &'static str,
}

/// Reads `NUMBER UNIT` into base units, exactly.
pub(crate) fn parse_quantity(text: &str, quantity: Quantity) -> Result<u64, ParseError> {
    let fail = |why: String| ParseError {
        text: text.to_owned(),
        what: quantity.what,
        why,
        example: quantity.example,
    };
    let trimmed = text.trim();
    let (number, unit) = split_number(trimmed);
    if number.is_empty() {
        return Err(fail("it must start with a number that is not negative".into()));
    }
    let (digits, exponent) = parse_decimal(number).ok_or_else(|| fail("bad number".into()))?;
    let unit = match unit.trim() {
        "" if digits == 0 => quantity.zero,
        "" => return Err(fail(format!("the unit is missing ({})", names(quantity.units)))),
        unit => unit,
    };
    let &(_, size) = quantity.units.iter().find(|(name, _)| *name == unit).ok_or_else(|| {
        fail(format!("unknown unit `{unit}`, expected one of {}", names(quantity.units)))
    })?;
    scale(digits, size, exponent).map_err(|why| fail(why.into()))
}

/// Splits at the end of the leading number: digits, a point, an exponent.
fn split_number(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if end > 0 && matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let after = digits(end + 1 + sign);
        if after > end + 1 + sign {
            end = after;
        }
    }
    text.split_at(end)
}

/// The value of a decimal number as `digits * 10^exponent`.
fn parse_decimal(number: &str) -> Option<(u128, i32)> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let digits: u128 = format!("0{whole}{fraction}").parse().ok()?;
    Some((digits, exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?))
}

/// `digits * size * 10^exponent`, if that is a whole number that fits.
fn scale(digits: u128, size: u64, exponent: i32) -> Result<u64, &'static str> {
    const TOO_LARGE: &str = "the value is too large";
    if digits == 0 {
        return Ok(0);
    }
    let product = digits.checked_mul(u128::from(size)).ok_or(TOO_LARGE)?;
    let power = 10u128.checked_pow(exponent.unsigned_abs());
    let value = match (exponent >= 0, power) {
        (true, Some(power)) => product.checked_mul(power).ok_or(TOO_LARGE)?,
        (true, None) => return Err(TOO_LARGE),
        (false, Some(power)) if product % power == 0 => product / power,
        (false, _) => return Err("it is finer than the smallest unit"),
    };
    u64::try_from(value).map_err(|_| TOO_LARGE)
}

fn names(units: &[(&str, u64)]) -> String {
    units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// `value` in the largest of `units` (given largest first) that shows it as a whole number.
pub(crate) fn largest_exact_unit(value: u64, units: &[(&str, u64)]) -> String {
    let whole = units.iter().find(|(_, size)| value.is_multiple_of(*size));
    let (name, size) = whole.or(units.last()).copied().unwrap_or(("", 1));
    format!("{} {name}", value / size)
}

/// Implements the text forms of a unit type that wraps a `u64`.
macro_rules! text_forms {
    ($type:ident, $quantity:expr) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&largest_exact_unit(self.0, $quantity.units))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $type {
            type Err = ParseError;
            fn from_str(text: &str) -> Result<Self, ParseError> {
                parse_quantity(text, $quantity).map(Self)
            }
        }

        impl TryFrom<String> for $type {
            type Error = ParseError;
            fn try_from(text: String) -> Result<Self, ParseError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}

/// A bit rate in bit/s.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(u64);

text_forms!(
    Rate,
    Quantity {
        what: "a rate",
        example: "50 Mbit/s",
        units: &[
            ("Tbit/s", 1_000_000_000_000),
            ("Gbit/s", 1_000_000_000),
            ("Mbit/s", 1_000_000),
            ("kbit/s", 1_000),
            ("bit/s", 1),
        ],
        zero: "bit/s",
    }
);

impl Rate {
    /// A rate of `bps` bits a second.
    pub const fn from_bps(bps: u64) -> Self {
        Self(bps)
    }

    /// Bits a second.
    pub const fn as_bps(self) -> u64 {
        self.0
    }

    /// The time to send `len`, rounded up to a picosecond; [`Span::MAX`] at rate zero.
    pub fn time_for(self, len: Bytes) -> Span {
        const PS_PER_BYTE_AT_1BPS: u128 = 8 * 1_000_000_000_000;
        if self.0 == 0 {
            return Span::MAX;
        }
        let ps = (u128::from(len.0) * PS_PER_BYTE_AT_1BPS).div_ceil(u128::from(self.0));
        Span::from_ps(u64::try_from(ps).unwrap_or(u64::MAX))
    }

    /// The whole bytes that pass in `span`.
    pub fn bytes_in(self, span: Span) -> Bytes {
        let bits_e12 = u128::from(self.0) * u128::from(span.as_ps());
        Bytes(u64::try_from(bits_e12 / 8_000_000_000_000).unwrap_or(u64::MAX))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(u64);

text_forms!(
    Bytes,
    Quantity {
        what: "a number of bytes",
        example: "150 KB",
        units: &[
            ("TB", 1_000_000_000_000),
            ("GiB", 1 << 30),
            ("GB", 1_000_000_000),
            ("MiB", 1 << 20),
            ("MB", 1_000_000),
            ("KiB", 1 << 10),
            ("KB", 1_000),
            ("kB", 1_000),
            ("B", 1),
        ],
        zero: "B",
    }
);

impl Bytes {
    /// No bytes.
    pub const ZERO: Self = Self(0);

    /// `count` bytes.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// The count.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Add for Bytes {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Bytes {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Mul<u64> for Bytes {
    type Output = Self;
    fn mul(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

/// A probability between 0 and 1; read from and printed as `0.5 %` or a plain number.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Probability(f64);

impl Probability {
    /// Never.
    pub const ZERO: Self = Self(0.0);
    /// Always.
    pub const ONE: Self = Self(1.0);

    /// `value` if it lies in 0..=1.
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The value, 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounding at 1e-12 hides the binary noise of the product: 0.005 shows as 0.5 %.
        let percent = libm::round(self.0 * 1e14) / 1e12;
        write!(f, "{percent} %")
    }
}

impl fmt::Debug for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Probability {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let trimmed = text.trim();
        let (number, divisor) = match trimmed.strip_suffix('%') {
            Some(number) => (number.trim_end(), 100.0),
            None => (trimmed, 1.0),
        };
        let value = number.parse::<f64>().ok().map(|value| value / divisor);
        value.and_then(Self::new).ok_or_else(|| ParseError {
            text: text.to_owned(),
            what: "a probability",
            why: "it must be a number between 0 % and 100 % (or 0 and 1)".into(),
            example: "0.5 %",
        })
    }
}

impl TryFrom<String> for Probability {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<Probability> for String {
    fn from(value: Probability) -> Self {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_parse_and_print() {
        assert_eq!("50 Mbit/s".parse(), Ok(Rate(50_000_000)));
        assert_eq!("2.5 Gbit/s".parse::<Rate>().unwrap().to_string(), "2500 Mbit/s");
        assert_eq!("1.5 KB".parse(), Ok(Bytes(1_500)));
        assert_eq!(Bytes(150_000).to_string(), "150 KB");
    }

    #[test]
    fn absurd_quantities_are_refused() {
        for text in ["-5 Mbit/s", "5 Mbps", "1e40 Gbit/s", "0.3 bit/s", "fast", "5", "∞ bit/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        for text in ["101 %", "-1 %", "nan", "", "50 ms"] {
            assert!(text.parse::<Probability>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_packet_takes_its_bits_over_the_rate() {
        let rate = Rate::from_bps(10_000_000);
        assert_eq!(rate.time_for(Bytes(1_500)), Span::from_us(1_200));
        assert_eq!(rate.bytes_in(Span::from_us(1_200)), Bytes(1_500));
        assert_eq!(Rate::from_bps(0).time_for(Bytes(1)), Span::MAX);
        assert_eq!(Rate::from_bps(100_000_000_000).time_for(Bytes(1)), Span::from_ps(80));
    }

    proptest! {
        #[test]
        fn printed_quantities_read_back(value in any::<u64>(), share in 0.0..=1.0f64) {
            prop_assert_eq!(Rate(value).to_string().parse(), Ok(Rate(value)));
            prop_assert_eq!(Bytes(value).to_string().parse(), Ok(Bytes(value)));
            prop_assert_eq!(Span::from_ps(value).to_string().parse(), Ok(Span::from_ps(value)));
            let read: Probability = Probability(share).to_string().parse().unwrap();
            prop_assert!((read.get() - share).abs() < 1e-12);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = text.parse::<Rate>();
            let _ = text.parse::<Span>();
            let _ = text.parse::<Probability>();
        }
    }
}
