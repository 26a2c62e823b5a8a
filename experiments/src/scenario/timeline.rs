//! Changes at given times.

use std::net::IpAddr;

use mptcpsim_core::time::Span;
use mptcpsim_core::units::Rate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::host::{Endpoint, EndpointFlag, EndpointLimits, Multipath};
use super::impairment::{Directions, Loss};
use super::limit::Limit;
use super::quantity;

/// A change: of a link (`link` and `set`), or of a host (`host` and `endpoint`, `host` and `limits`, or `host`,
/// `interface` and `up` or `multipath`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineEntry {
    /// When it happens. At the same time the environment changes first, then packets move.
    #[schemars(with = "quantity::Time")]
    pub at: Span,
    /// The link that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// In which direction of the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Directions>,
    /// What the link is from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<LinkSet>,
    /// The host that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What happens to the endpoints of the host, as with `ip mptcp endpoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointChange>,
    /// The limits of the host's path manager from then on, as with `ip mptcp limits`; what is left out stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<EndpointLimits>,
    /// The interface of the host that goes up or down, or is used in another way. While it is down it loses all
    /// it sends and receives. The path managers of the out-of-tree stack notice after half a second, mptcpd at
    /// once, the path manager in the upstream kernel never: take its endpoint away too if it is to. Whoever wants
    /// nobody to notice, as with a cable pulled at the next switch, takes a link down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Whether the interface is up from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<bool>,
    /// What the interface may be used for from then on (out-of-tree stack).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multipath: Option<Multipath>,
}

impl TimelineEntry {
    /// An entry that changes nothing yet.
    pub(crate) const fn nothing(at: Span) -> Self {
        Self {
            at,
            link: None,
            direction: None,
            set: None,
            host: None,
            endpoint: None,
            limits: None,
            interface: None,
            up: None,
            multipath: None,
        }
    }
}

/// What a link is from a given time on; what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LinkSet {
    /// Whether the link carries packets. A link that goes down loses what is queued or in flight, silently.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up: Option<bool>,
    /// The rate; a packet in service finishes at the new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::BitRate>")]
    pub rate: Option<Rate>,
    /// The propagation delay, one way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::Time>")]
    pub delay: Option<Span>,
    /// The loss model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// The limit of the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<quantity::QueueLimit>")]
    pub limit: Option<Limit>,
}

/// A change of the endpoints of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum EndpointChange {
    /// A new endpoint.
    Add {
        /// The endpoint.
        #[serde(flatten)]
        endpoint: Endpoint,
    },
    /// An endpoint goes: its subflows are closed and the peer is told.
    Remove {
        /// The identifier of the endpoint; 0 stands for the address that connections began with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u8>,
        /// Or its interface.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interface: Option<String>,
        /// Or its address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<IpAddr>,
    },
    /// An endpoint gets other flags: its subflows become backups, or the opposite.
    Change {
        /// The identifier of the endpoint.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u8>,
        /// Or its interface.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interface: Option<String>,
        /// Or its address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<IpAddr>,
        /// All flags it has from then on.
        #[schemars(example = ["subflow", "backup"])]
        flags: Vec<EndpointFlag>,
    },
}
