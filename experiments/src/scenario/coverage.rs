//! Where a device that moves has coverage.

use std::fmt;
use std::str::FromStr;

use mptcpsim_core::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::quantity;

/// When a link (`link`) or the interface of a host (`host` and `interface`) carries packets: it is down at all
/// other times, as if the timeline said so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// The link. Nobody is told when it goes down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The host with the interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The interface; its host sees it go down, as far as its path manager looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The times with coverage, in order.
    #[schemars(with = "Vec<quantity::TimeInterval>")]
    pub intervals: Vec<Interval>,
}

/// A time from a first to a last moment, or open: `0 s..12 s`, `30 s..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval {
    /// When it begins.
    pub from: Span,
    /// When it ends, if it does.
    pub to: Option<Span>,
}

/// Why a text is no interval.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a time from a first to a later moment; write for example `5 s..12 s` or `30 s..`"
)]
pub struct IntervalError(String);

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..", self.from)?;
        self.to.map_or(Ok(()), |to| to.fmt(f))
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, IntervalError> {
        let parse = || {
            let (from, to) = text.split_once("..")?;
            let from: Span = from.trim().parse().ok()?;
            let to = match to.trim() {
                "" => None,
                to => Some(to.parse().ok().filter(|to| *to > from)?),
            };
            Some(Self { from, to })
        };
        parse().ok_or_else(|| IntervalError(text.to_owned()))
    }
}

impl TryFrom<String> for Interval {
    type Error = IntervalError;
    fn try_from(text: String) -> Result<Self, IntervalError> {
        text.parse()
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        interval.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn intervals_are_open_or_end_later() {
        let from = Span::from_secs(5);
        assert_eq!("5 s..12 s".parse(), Ok(Interval { from, to: Some(Span::from_secs(12)) }));
        assert_eq!("5s ..".parse(), Ok(Interval { from, to: None }));
        for text in ["", "5 s", "..", "..5 s", "5 s..5 s", "5 s..2 s", "5..12", "1 s..2 s..3 s"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printed_intervals_read_back(from in 0..1u64 << 60, length in prop::option::of(1..1u64 << 60)) {
            let to = length.map(|length| Span::from_ps(from + length));
            let interval = Interval { from: Span::from_ps(from), to };
            prop_assert_eq!(interval.to_string().parse(), Ok(interval));
        }
    }
}
