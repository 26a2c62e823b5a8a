//! Sizes and times that are drawn at random.

use mptcpsim_core::time::Span;
use mptcpsim_core::units::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity;

/// A size, or what sizes are drawn from; no drawn size is below 1 B.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Sizes {
    /// Always the same.
    Fixed(#[schemars(with = "quantity::ByteCount")] Bytes),
    /// Each size between two with the same probability.
    Uniform {
        /// The smallest size.
        #[schemars(with = "quantity::ByteCount")]
        from: Bytes,
        /// The largest size.
        #[schemars(with = "quantity::ByteCount")]
        to: Bytes,
    },
    /// Exponential.
    Exponential {
        /// The mean.
        #[schemars(with = "quantity::ByteCount")]
        exponential: Bytes,
    },
    /// Pareto: many small ones and a few very large ones.
    Pareto {
        /// The mean.
        #[schemars(with = "quantity::ByteCount")]
        pareto: Bytes,
        /// Above 1; the nearer to 1, the heavier the tail.
        #[schemars(example = 1.2)]
        shape: f64,
    },
    /// Lognormal.
    Lognormal {
        /// The median.
        #[schemars(with = "quantity::ByteCount")]
        lognormal: Bytes,
        /// The standard deviation of the logarithm.
        #[schemars(example = 1.5)]
        sigma: f64,
    },
    /// A distribution that was measured.
    Measured {
        /// Which one.
        measured: MeasuredSizes,
    },
    /// A distribution function of one's own.
    Cumulative {
        /// Its points in order, the last one with probability 1; straight lines between.
        cumulative: Vec<SizePoint>,
    },
}

/// A point of a distribution function of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SizePoint {
    /// The size.
    #[schemars(with = "quantity::ByteCount")]
    pub bytes: Bytes,
    /// The probability of that size or less.
    #[schemars(example = 0.5)]
    pub probability: f64,
}

/// A distribution of flow sizes that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MeasuredSizes {
    /// Flows of a cluster for web search (M. Alizadeh et al., "Data Center TCP (DCTCP)", SIGCOMM 2010).
    WebSearch,
    /// Flows of a cluster for data mining (A. Greenberg et al., "VL2", SIGCOMM 2009).
    DataMining,
}

/// A time, or what times are drawn from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Times {
    /// Always the same.
    Fixed(#[schemars(with = "quantity::Time")] Span),
    /// Each time between two with the same probability.
    Uniform {
        /// The shortest time.
        #[schemars(with = "quantity::Time")]
        from: Span,
        /// The longest time.
        #[schemars(with = "quantity::Time")]
        to: Span,
    },
    /// Exponential: between arrivals, a Poisson process.
    Exponential {
        /// The mean.
        #[schemars(with = "quantity::Time")]
        exponential: Span,
    },
    /// Pareto.
    Pareto {
        /// The mean.
        #[schemars(with = "quantity::Time")]
        pareto: Span,
        /// Above 1; the nearer to 1, the heavier the tail.
        #[schemars(example = 1.5)]
        shape: f64,
    },
    /// Lognormal.
    Lognormal {
        /// The median.
        #[schemars(with = "quantity::Time")]
        lognormal: Span,
        /// The standard deviation of the logarithm.
        #[schemars(example = 1.0)]
        sigma: f64,
    },
}

impl Default for Times {
    fn default() -> Self {
        Self::Fixed(Span::ZERO)
    }
}

impl Times {
    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// A time in the middle: the mean or the median.
    pub(crate) fn typical(&self) -> Span {
        match self {
            Self::Fixed(time)
            | Self::Exponential { exponential: time }
            | Self::Pareto { pareto: time, .. }
            | Self::Lognormal { lognormal: time, .. } => *time,
            Self::Uniform { from, to } => (*from + *to) / 2,
        }
    }
}
