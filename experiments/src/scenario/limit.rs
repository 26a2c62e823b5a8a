//! How much may wait in a queue, as text: `100 packets`, `150 KB`, `1 BDP`.

use std::fmt;
use std::str::FromStr;

use mptcpsim_core::units::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The room of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Limit {
    /// A number of packets.
    Packets(u64),
    /// A number of bytes.
    Bytes(Bytes),
    /// A multiple of the bandwidth-delay product of the link and its paths.
    Bdp(f64),
}

/// Why a text is no limit of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{text}` is not a queue limit: {why}; write for example `1 BDP`, `100 packets` or `150 KB`"
)]
pub struct LimitError {
    text: String,
    why: String,
}

impl Limit {
    /// One bandwidth-delay product: what keeps a single Reno flow busy.
    pub(crate) fn one_bdp() -> Self {
        Self::Bdp(1.0)
    }

    pub(crate) fn two_bdp() -> Self {
        Self::Bdp(2.0)
    }

    pub(crate) fn quarter_bdp() -> Self {
        Self::Bdp(0.25)
    }

    pub(crate) fn three_quarters_bdp() -> Self {
        Self::Bdp(0.75)
    }

    /// The default of Linux's sch_codel.
    pub(crate) fn codel() -> Self {
        Self::Packets(1_000)
    }

    /// The default of Linux's sch_fq_codel.
    pub(crate) fn fq_codel() -> Self {
        Self::Packets(10_240)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packets(1) => f.write_str("1 packet"),
            Self::Packets(count) => write!(f, "{count} packets"),
            Self::Bytes(bytes) => bytes.fmt(f),
            Self::Bdp(factor) => write!(f, "{factor} BDP"),
        }
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let fail = |why: &str| LimitError { text: text.to_owned(), why: why.to_owned() };
        let trimmed = text.trim();
        let number = |unit: &str| trimmed.strip_suffix(unit).map(str::trim_end);
        if let Some(count) = number("packets").or_else(|| number("packet")) {
            return match count.parse() {
                Ok(0) | Err(_) => Err(fail("packets are a whole number from 1")),
                Ok(count) => Ok(Self::Packets(count)),
            };
        }
        if let Some(factor) = number("BDP") {
            return match factor.parse::<f64>() {
                Ok(factor) if factor > 0.0 && factor <= 1e6 => Ok(Self::Bdp(factor)),
                _ => Err(fail("the multiple must be a number above 0 and at most 1000000")),
            };
        }
        match trimmed.parse() {
            Ok(Bytes::ZERO) => Err(fail("nothing could ever wait")),
            Ok(bytes) => Ok(Self::Bytes(bytes)),
            Err(_) => Err(fail("expected a number and BDP, packets, B, KB, KiB, MB, MiB or GB")),
        }
    }
}

impl TryFrom<String> for Limit {
    type Error = LimitError;
    fn try_from(text: String) -> Result<Self, LimitError> {
        text.parse()
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> Self {
        limit.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_parse_in_three_units() {
        assert_eq!("100 packets".parse(), Ok(Limit::Packets(100)));
        assert_eq!("1 packet".parse(), Ok(Limit::Packets(1)));
        assert_eq!("150 KB".parse(), Ok(Limit::Bytes(Bytes::new(150_000))));
        assert_eq!("0.5BDP".parse(), Ok(Limit::Bdp(0.5)));
    }

    #[test]
    fn absurd_limits_are_refused() {
        for text in
            ["", "100", "0 packets", "-1 packets", "1.5 packets", "nan BDP", "0 BDP", "0 B", "5 ms"]
        {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printed_limits_read_back(count in 1..u64::MAX, factor in 0.001..1e6f64) {
            for limit in [Limit::Packets(count), Limit::Bytes(Bytes::new(count)), Limit::Bdp(factor)] {
                prop_assert_eq!(limit.to_string().parse(), Ok(limit));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = text.parse::<Limit>();
        }
    }
}
