//! What a sweep varies.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::quantity;

/// What a sweep varies. Its configurations are all combinations of the lists, of the groups that vary
/// together, and of the points of the sample; each configuration runs once with each seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Sweep {
    /// Seeds as a range that includes both ends, `"1..20"`, or as a list; without it the scenario's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Seeds>,
    /// Groups of keys with lists of equal length: all take their first value, then all their second, and so on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub together: Vec<BTreeMap<String, Vec<serde_json::Value>>>,
    /// Points drawn from ranges of keys, where a grid would need too many runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
    /// The path of a key, such as `links.wifi.delay`, and the values it takes in turn.
    #[serde(flatten)]
    pub keys: BTreeMap<String, Vec<serde_json::Value>>,
}

/// Points drawn at random from ranges of keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// How the points are drawn.
    #[serde(default)]
    pub design: SampleDesign,
    /// How many points there are.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub points: u32,
    /// The seed of the draw; it has nothing to do with the seeds of the runs. Without it 1.
    #[serde(default = "first_seed")]
    #[schemars(range(min = 0, max = 9_223_372_036_854_775_807_i64))]
    pub seed: u64,
    /// The path of a key, and the range or the list that its values come from.
    #[serde(flatten)]
    pub keys: BTreeMap<String, Domain>,
}

/// How the points of a sample are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SampleDesign {
    /// Latin hypercube: each range is cut into as many equal parts as there are points, and each part is
    /// met once (McKay, Beckman and Conover, Technometrics 1979).
    #[default]
    LatinHypercube,
    /// Every value for itself.
    Random,
}

/// Where sampled values come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Domain {
    /// Any of these, equally likely.
    List(Vec<serde_json::Value>),
    /// Anything between two numbers or two quantities.
    Range(Range),
}

/// All values between two ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = serde_json::json!({ "from": "1 Mbit/s", "to": "100 Mbit/s", "scale": "log" }))]
pub struct Range {
    /// The lower end: a number, a rate, a time, a number of bytes or a probability.
    pub from: serde_json::Value,
    /// The upper end, of the same kind.
    pub to: serde_json::Value,
    /// How values spread between the ends.
    #[serde(default)]
    pub scale: Scale,
}

/// How values spread over a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// Evenly in their logarithm, so that 1 to 10 is as likely as 10 to 100; the lower end must not be 0.
    Log,
}

fn first_seed() -> u64 {
    1
}

/// The seeds of a sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Seeds {
    /// All from the first to the last.
    Range(#[schemars(with = "quantity::SeedSpan")] SeedRange),
    /// Exactly these.
    List(Vec<u64>),
}

/// Seeds from a first to a last one, both included: `1..20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SeedRange {
    first: u64,
    last: u64,
}

/// Why a text is no range of seeds.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a range of seeds; write the first and the last, for example `1..20`")]
pub struct SeedsError(String);

impl Seeds {
    /// How many there are.
    pub fn count(&self) -> u64 {
        match self {
            Self::Range(range) => range.last - range.first + 1,
            Self::List(list) => list.len() as u64,
        }
    }

    /// The seed at `index`, counted from 0.
    pub fn at(&self, index: u64) -> Option<u64> {
        match self {
            Self::Range(range) => (range.first..=range.last).nth(usize::try_from(index).ok()?),
            Self::List(list) => list.get(usize::try_from(index).ok()?).copied(),
        }
    }
}

impl fmt::Display for SeedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.last)
    }
}

impl FromStr for SeedRange {
    type Err = SeedsError;

    fn from_str(text: &str) -> Result<Self, SeedsError> {
        let parse = || {
            let (first, last) = text.split_once("..")?;
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (first <= last && last <= i64::MAX.unsigned_abs()).then_some(Self { first, last })
        };
        parse().ok_or_else(|| SeedsError(text.to_owned()))
    }
}

impl TryFrom<String> for SeedRange {
    type Error = SeedsError;
    fn try_from(text: String) -> Result<Self, SeedsError> {
        text.parse()
    }
}

impl From<SeedRange> for String {
    fn from(range: SeedRange) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_seeds_includes_both_ends() {
        let seeds = Seeds::Range("3..5".parse().unwrap());
        assert_eq!(seeds.count(), 3);
        assert_eq!([0, 2, 3].map(|index| seeds.at(index)), [Some(3), Some(5), None]);
        for text in ["", "5", "5..3", "-1..3", "1..", "a..b", "1..99999999999999999999"] {
            assert!(text.parse::<SeedRange>().is_err(), "{text}");
        }
    }
}
