//! Loose source routes through gateways: the path manager `binder` of the out-of-tree line
//! (`net/mptcp/mptcp_binder.c`).
//!
//! A host with one address still has several paths if some gateways forward packets with the IP
//! option "loose source route" (RFC 791). `net.mptcp.mptcp_binder_gateways` lists them: addresses
//! of one route separated by `,`, routes by `-`. The client opens a subflow through each list once
//! the connection is fully established; the first subflow stays without gateways. Nothing is
//! announced, every address has id 0, and there is no IPv6.
//!
//! The packets of such a subflow carry the option and are that much shorter. They take the path
//! whose `relays` are the same gateways; if there is none they are lost. Answers go back the way
//! the packets came, as Linux hosts reverse the route.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use super::{PathAction, PathEvent, PathManager, PathsView};

/// Most gateways of a route (`MPTCP_GW_LIST_MAX_LEN`).
pub const MAX_GATEWAYS: usize = 6;
/// Most routes (`MPTCP_GW_MAX_LISTS`).
pub const MAX_ROUTES: usize = 10;
/// The option beside the gateways: no-operation, type, length, pointer, and the destination.
const OPTION: usize = 8;

/// A loose source route: the gateways that a packet is to pass, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceRoute {
    gateways: [Ipv4Addr; MAX_GATEWAYS],
    len: u8,
}

impl SourceRoute {
    /// The route through `gateways`; none or more than [`MAX_GATEWAYS`] make no route.
    pub fn new(gateways: &[Ipv4Addr]) -> Option<Self> {
        let mut route = Self { gateways: [Ipv4Addr::UNSPECIFIED; MAX_GATEWAYS], len: 0 };
        route.gateways.get_mut(..gateways.len())?.copy_from_slice(gateways);
        route.len = u8::try_from(gateways.len()).ok().filter(|len| *len > 0)?;
        Some(route)
    }

    /// The gateways in order.
    pub fn gateways(&self) -> &[Ipv4Addr] {
        self.gateways.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Bytes of the IP option, padded.
    pub const fn option_len(&self) -> u8 {
        OPTION as u8 + 4 * self.len
    }
}

/// All routes of a host: the value of `net.mptcp.mptcp_binder_gateways`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateways(Vec<SourceRoute>);

impl Gateways {
    /// The routes in order.
    pub fn routes(&self) -> &[SourceRoute] {
        &self.0
    }
}

/// The text is no list of gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoGateways;

impl FromStr for Gateways {
    type Err = NoGateways;

    fn from_str(text: &str) -> Result<Self, NoGateways> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let route = |list: &str| {
            let gateways = list.split(',').map(|gateway| gateway.trim().parse());
            let gateways = gateways.collect::<Result<Vec<Ipv4Addr>, _>>().ok()?;
            SourceRoute::new(&gateways)
        };
        let routes = text.split('-').map(route).collect::<Option<Vec<_>>>().ok_or(NoGateways)?;
        (routes.len() <= MAX_ROUTES).then_some(Self(routes)).ok_or(NoGateways)
    }
}

impl fmt::Display for Gateways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = self.0.iter().map(|route| {
            let gateways = route.gateways().iter().map(Ipv4Addr::to_string);
            gateways.collect::<Vec<_>>().join(",")
        });
        f.write_str(&lists.collect::<Vec<_>>().join("-"))
    }
}

/// The path manager; what it knows is in the host's settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Binder;

impl PathManager for Binder {
    fn on_event(&mut self, event: PathEvent, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        let Some(first) = view.subflows.first() else { return };
        let (local, remote) = (first.local.ip(), first.remote);
        if event != PathEvent::FullyEstablished || !view.client || !matches!(local, IpAddr::V4(_)) {
            return;
        }
        let open = |route: &SourceRoute| PathAction::Open {
            local,
            local_id: 0,
            remote,
            remote_id: 0,
            backup: false,
            source_route: Some(*route),
        };
        actions.extend(view.gateways.routes().iter().map(open));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_are_read_as_the_sysctl_has_them() {
        let gateways: Gateways = "10.0.8.1,10.0.9.1-10.0.7.1".parse().unwrap();
        assert_eq!(gateways.routes().len(), 2);
        assert_eq!(gateways.routes()[0].gateways().len(), 2);
        assert_eq!(gateways.routes()[1].option_len(), 12);
        assert_eq!(gateways.to_string(), "10.0.8.1,10.0.9.1-10.0.7.1");
        assert_eq!("".parse(), Ok(Gateways::default()));
        for wrong in [
            "10.0.8",
            "fe80::1",
            "10.0.8.1-",
            "1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1",
        ] {
            assert_eq!(wrong.parse::<Gateways>(), Err(NoGateways), "{wrong}");
        }
        let eleven = ["10.0.0.1"; 11].join("-");
        assert_eq!(eleven.parse::<Gateways>(), Err(NoGateways));
    }
}
