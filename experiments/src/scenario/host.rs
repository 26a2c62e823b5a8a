//! Hosts: which stack they run, their addresses and their settings.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::radio::Radio;

/// A host and its settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Host {
    /// Whose TCP and MPTCP the host runs.
    pub stack: Stack,
    /// The address of each interface, or a list of addresses.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(example = BTreeMap::from([("wlan0", "10.0.1.1")]))]
    pub addresses: BTreeMap<String, Addresses>,
    /// Settings by the names they have on that stack; `mptcpsim list sysctls` shows them all.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctl: BTreeMap<String, SysctlValue>,
    /// Parameters of kernel modules, as in `/sys/module/mptcp_wvegas/parameters/total_alpha`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(example = BTreeMap::from([("mptcp_wvegas.total_alpha", 20)]))]
    pub module_parameters: BTreeMap<String, i64>,
    /// What `ip mptcp` configures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mptcp: Option<HostMptcp>,
    /// The daemon mptcpd, if it runs on the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mptcpd: Option<Mptcpd>,
    /// What draws power, by the name of the interface: energy.csv tells how much.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(example = BTreeMap::from([("wlan0", "wifi")]))]
    pub radios: BTreeMap<String, Radio>,
    /// What `ip route` configures, for all routes of the host alike.
    #[serde(skip_serializing_if = "RouteAttributes::is_default")]
    pub route: RouteAttributes,
}

/// Attributes of routes that change how TCP behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RouteAttributes {
    /// Initial congestion window in packets; without it 10 (RFC 6928).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub initcwnd: Option<u32>,
    /// Largest IP packet in bytes; without it 1500.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 576, max = 65_535))]
    pub mtu: Option<u16>,
    /// Acknowledge every segment at once instead of every second one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub quickack: bool,
}

impl RouteAttributes {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Whose TCP and MPTCP a host runs: protocol version, defaults and names of settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stack {
    /// Linux as released: MPTCP version 1 (RFC 8684), in-kernel path manager.
    #[default]
    Upstream,
    /// The mptcp.org kernels 0.94: MPTCP version 0 (RFC 6824), path managers as modules.
    OutOfTree,
}

/// One address or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Addresses {
    /// A single address.
    One(IpAddr),
    /// Several addresses, for example IPv4 and IPv6.
    Many(Vec<IpAddr>),
}

impl Addresses {
    /// All addresses, in order.
    pub fn as_slice(&self) -> &[IpAddr] {
        match self {
            Self::One(address) => std::slice::from_ref(address),
            Self::Many(addresses) => addresses,
        }
    }
}

/// The value of a sysctl.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SysctlValue {
    /// A number.
    Integer(i64),
    /// Any other text, such as a name or three numbers.
    Text(String),
}

/// What `ip mptcp` configures on a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HostMptcp {
    /// Endpoints (`ip mptcp endpoint`). Without this key a host with several addresses that opens connections
    /// has a `subflow` endpoint for each, as NetworkManager sets up; an empty list means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Vec<Endpoint>>,
    /// Limits (`ip mptcp limits`).
    #[serde(skip_serializing_if = "EndpointLimits::is_default")]
    pub limits: EndpointLimits,
    /// What interfaces may be used for (`ip link set dev IFACE multipath ...` of the out-of-tree stack).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub multipath: BTreeMap<String, Multipath>,
}

/// What the path managers of the out-of-tree stack may use an interface for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Multipath {
    /// Subflows may use it.
    #[default]
    On,
    /// It is left alone.
    Off,
    /// Its subflows are backups.
    Backup,
}

/// An address that the in-kernel path manager may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Endpoint {
    /// The interface whose first address is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The address, instead of an interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What the address is used for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<EndpointFlag>,
    /// The address identifier; without it the next free one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 255))]
    pub id: Option<u8>,
    /// A port to announce with the address; only with the flag `signal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<u16>,
}

/// What an endpoint is used for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointFlag {
    /// Open a subflow from this address.
    Subflow,
    /// Announce this address to the peer.
    Signal,
    /// Use subflows of this address only when no other is left.
    Backup,
    /// Open a subflow from this address to every known address of the peer.
    Fullmesh,
}

/// The configuration of the daemon mptcpd, under the names of its own file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Mptcpd {
    /// The plugins that are loaded.
    pub load_plugins: Vec<MptcpdPlugin>,
    /// The plugin that connections are given to; without it the one with the best priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_manager: Option<MptcpdPlugin>,
    /// Flags of the endpoints that `addr_adv` makes; without it `subflow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addr_flags: Option<Vec<EndpointFlag>>,
    /// Which addresses plugins are told of; without it `existing`, `skip_link_local` and `skip_loopback`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify_flags: Option<Vec<NotifyFlag>>,
}

/// A plugin of mptcpd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MptcpdPlugin {
    /// Makes an endpoint of every address of the host, for the path manager in the kernel.
    AddrAdv,
    /// Lets a connection have one subflow for each interface; needs the path manager `userspace`.
    Sspi,
}

/// What mptcpd tells plugins of the addresses of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotifyFlag {
    /// Also of those there were before it started.
    Existing,
    /// Not of link-local ones.
    SkipLinkLocal,
    /// Not of the host's own.
    SkipLoopback,
    /// Not of those that no path leads from.
    CheckRoute,
}

/// How many subflows the in-kernel path manager allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EndpointLimits {
    /// Subflows of a connection beyond the first, opened or accepted; without it 2, or as many as the
    /// endpoints made by default need.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 8))]
    pub subflows: Option<u8>,
    /// Announced addresses of the peer that are used; without it 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 8))]
    pub add_addr_accepted: Option<u8>,
}

impl EndpointLimits {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
