//! What goes wrong on a link: loss, jitter and with it reordering.

use mptcpsim_core::time::Span;
use mptcpsim_core::units::Probability;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity;

/// Which packets are lost after they were serialised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "model", rename_all = "kebab-case")]
pub enum Loss {
    /// Every packet with the same probability, independently.
    Bernoulli {
        /// The probability that a packet is lost.
        #[schemars(with = "quantity::Chance")]
        probability: Probability,
        /// Which packets can be lost.
        #[serde(default)]
        filter: PacketFilter,
        /// In which direction of the link.
        #[serde(default)]
        direction: Directions,
    },
    /// Bursts: a good and a bad state, each with its own loss (Gilbert 1960, Elliott 1963).
    GilbertElliott {
        /// Probability per packet to go from the good state to the bad one (p).
        #[schemars(with = "quantity::Chance")]
        good_to_bad: Probability,
        /// Probability per packet to go from the bad state to the good one (r).
        #[schemars(with = "quantity::Chance")]
        bad_to_good: Probability,
        /// Loss in the bad state (1-h).
        #[serde(default = "always")]
        #[schemars(with = "quantity::Chance")]
        loss_in_bad: Probability,
        /// Loss in the good state (1-k).
        #[serde(default)]
        #[schemars(with = "quantity::Chance")]
        loss_in_good: Probability,
        /// Which packets can be lost.
        #[serde(default)]
        filter: PacketFilter,
        /// In which direction of the link.
        #[serde(default)]
        direction: Directions,
    },
    /// Exactly the packets that are named.
    List {
        /// Which packets of the direction, counted from 1 among those the filter lets through.
        #[schemars(example = [10, 11])]
        numbers: Vec<u64>,
        /// Which packets are counted.
        #[serde(default)]
        filter: PacketFilter,
        /// In which direction of the link.
        #[serde(default)]
        direction: Directions,
    },
}

impl Loss {
    /// In which directions packets are lost.
    pub fn direction(&self) -> Directions {
        match self {
            Self::Bernoulli { direction, .. }
            | Self::GilbertElliott { direction, .. }
            | Self::List { direction, .. } => *direction,
        }
    }

    /// The same model for the one direction it is attached to.
    pub(crate) fn in_its_direction(mut self) -> Self {
        match &mut self {
            Self::Bernoulli { direction, .. }
            | Self::GilbertElliott { direction, .. }
            | Self::List { direction, .. } => *direction = Directions::Both,
        }
        self
    }
}

/// Which packets a loss model looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PacketFilter {
    /// All packets.
    #[default]
    All,
    /// Only packets that carry data: acknowledgements are never lost.
    Data,
}

/// One direction of a link, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Directions {
    /// Both directions.
    #[default]
    Both,
    /// From the first end of a path to the second.
    Up,
    /// From the second end of a path to the first.
    Down,
}

/// Delay that varies from packet to packet, on top of the link's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "distribution", rename_all = "kebab-case")]
pub enum Jitter {
    /// Any value up to a largest one is as likely as any other.
    Uniform {
        /// The largest extra delay.
        #[schemars(with = "quantity::Time")]
        max: Span,
        /// Let packets overtake each other; otherwise none arrives before its predecessor.
        #[serde(default)]
        reorder: bool,
    },
    /// Around a mean, bell-shaped and never negative.
    Normal {
        /// The mean extra delay.
        #[schemars(with = "quantity::Time")]
        mean: Span,
        /// Its standard deviation.
        #[schemars(with = "quantity::Time")]
        deviation: Span,
        /// Let packets overtake each other; otherwise none arrives before its predecessor.
        #[serde(default)]
        reorder: bool,
    },
    /// Mostly small with a long tail.
    Exponential {
        /// The mean extra delay.
        #[schemars(with = "quantity::Time")]
        mean: Span,
        /// The largest extra delay.
        #[schemars(with = "quantity::Time")]
        cap: Span,
        /// Let packets overtake each other; otherwise none arrives before its predecessor.
        #[serde(default)]
        reorder: bool,
    },
}

fn always() -> Probability {
    Probability::ONE
}
