//! Links: capacity, delay, queue, and what goes wrong on the way.

use mptcpsim_core::time::Span;
use mptcpsim_core::units::Probability;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::impairment::{Jitter, Loss};
use super::limit::Limit;
use super::preset::LinkPreset;
use super::quantity;
use super::variation::{Capacity, Delay, Outage};

/// A link: the keys of both directions, and what differs in one of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Link {
    /// What keys that are not given are like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<LinkPreset>,
    /// What both directions have in common.
    #[serde(flatten)]
    pub both: OneWay,
    /// What differs from the first end of a path to the second (upload, in the usual client-first order).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up: Option<OneWay>,
    /// What differs from the second end of a path to the first (download).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down: Option<OneWay>,
}

/// One direction of a link, in the order a packet meets it: queue, serialisation, loss, delay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OneWay {
    /// How fast packets leave the queue, counted in bytes from the IP header on: a rate, or how it varies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Capacity>,
    /// Propagation delay, one way: always the same, or varying over time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
    /// The queue in front of the link; without it drop-tail with room for one bandwidth-delay product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// Random loss after serialisation: a lost packet has used capacity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// Delay that varies from packet to packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
    /// How often a packet arrives twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::Chance>")]
    pub duplication: Option<Probability>,
    /// How often a packet arrives with a bit changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::Chance>")]
    pub corruption: Option<Probability>,
    /// Times in which nothing is served while packets wait in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outages: Option<Vec<Outage>>,
}

/// Which packets wait, which are marked and which are dropped.
///
/// Limits count packets not yet fully serialised, the one in service included:
/// `"100 packets"`, `"150 KB"`, or `"1 BDP"`, the product of the link's rate
/// and the longest round trip of the paths that use it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "discipline", rename_all = "kebab-case")]
pub enum Queue {
    /// First in, first out; what does not fit is dropped.
    Droptail {
        /// How much may wait.
        #[serde(default = "Limit::one_bdp")]
        #[schemars(with = "quantity::QueueLimit")]
        limit: Limit,
    },
    /// Random early detection (Floyd and Jacobson 1993), in its gentle form.
    Red {
        /// Average backlog at which drops or marks begin.
        #[serde(default = "Limit::quarter_bdp")]
        #[schemars(with = "quantity::QueueLimit")]
        min: Limit,
        /// Average backlog at which their probability reaches `max_probability`; at twice this it is 1.
        #[serde(default = "Limit::three_quarters_bdp")]
        #[schemars(with = "quantity::QueueLimit")]
        max: Limit,
        /// Probability of a drop or mark at the average backlog `max`.
        #[serde(default = "two_percent")]
        #[schemars(with = "quantity::Chance")]
        max_probability: Probability,
        /// Weight of a new sample in the average backlog.
        #[serde(default = "red_weight")]
        weight: f64,
        /// Mark packets that allow it instead of dropping them.
        #[serde(default)]
        ecn: bool,
        /// How much may wait at most.
        #[serde(default = "Limit::two_bdp")]
        #[schemars(with = "quantity::QueueLimit")]
        limit: Limit,
    },
    /// CoDel (RFC 8289): drops from the head once packets have waited too long.
    Codel {
        /// Waiting time that is tolerated for longer than an `interval`.
        #[serde(default = "five_ms")]
        #[schemars(with = "quantity::Time")]
        target: Span,
        /// For how long it must be exceeded: about the longest round trip.
        #[serde(default = "hundred_ms")]
        #[schemars(with = "quantity::Time")]
        interval: Span,
        /// Mark packets that allow it instead of dropping them.
        #[serde(default)]
        ecn: bool,
        /// How much may wait at most.
        #[serde(default = "Limit::codel")]
        #[schemars(with = "quantity::QueueLimit")]
        limit: Limit,
    },
    /// Marks every packet that arrives above a threshold, as data-centre switches do for DCTCP (RFC 8257).
    EcnThreshold {
        /// Backlog above which packets are marked.
        #[schemars(with = "quantity::QueueLimit")]
        mark: Limit,
        /// How much may wait at most.
        #[serde(default = "Limit::one_bdp")]
        #[schemars(with = "quantity::QueueLimit")]
        limit: Limit,
    },
    /// FQ-CoDel (RFC 8290): a CoDel queue per flow, served in turn.
    FqCodel {
        /// Number of queues that flows are hashed to.
        #[serde(default = "fq_codel_flows")]
        #[schemars(range(min = 1, max = 65_536))]
        flows: u32,
        /// Bytes a queue may send in its turn.
        #[serde(default = "fq_codel_quantum")]
        #[schemars(range(min = 1, max = 1_000_000))]
        quantum: u32,
        /// Waiting time that is tolerated for longer than an `interval`.
        #[serde(default = "five_ms")]
        #[schemars(with = "quantity::Time")]
        target: Span,
        /// For how long it must be exceeded: about the longest round trip.
        #[serde(default = "hundred_ms")]
        #[schemars(with = "quantity::Time")]
        interval: Span,
        /// Mark packets that allow it instead of dropping them.
        #[serde(default = "yes")]
        ecn: bool,
        /// How much may wait in all queues together.
        #[serde(default = "Limit::fq_codel")]
        #[schemars(with = "quantity::QueueLimit")]
        limit: Limit,
    },
}

impl Default for Queue {
    fn default() -> Self {
        Self::Droptail { limit: Limit::one_bdp() }
    }
}

fn two_percent() -> Probability {
    Probability::new(0.02).unwrap_or(Probability::ONE)
}

fn red_weight() -> f64 {
    0.002
}

fn five_ms() -> Span {
    Span::from_ms(5)
}

fn hundred_ms() -> Span {
    Span::from_ms(100)
}

fn fq_codel_flows() -> u32 {
    1_024
}

fn fq_codel_quantum() -> u32 {
    1_514
}

fn yes() -> bool {
    true
}
