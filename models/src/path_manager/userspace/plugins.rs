//! The plugins that come with mptcpd.
//!
//! `addr_adv` is for the path manager in the kernel: it makes an endpoint of every address of the
//! host, with `addr-flags`, and sets the limits to two more than there are addresses (while that is
//! at most eight). With the flag `subflow` as many announcements of the peer are accepted.
//!
//! `sspi`, single subflow per interface, is for the path manager in user space: it announces the
//! addresses of all interfaces but the first subflow's, and a subflow over an interface that has one
//! of the same connection already is closed. Addresses of one interface count as one.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::mptcpd::{Context, Plugin};
use super::netlink::{Command, Event};
use crate::path_manager::endpoints::{Endpoint, Limits};

/// Limits that the kernel takes, and that need no setting (`addr_adv`).
const LIMITS: std::ops::RangeInclusive<usize> = 2..=8;

/// The plugin `addr_adv`.
#[derive(Clone, Debug, Default)]
pub struct AddrAdv {
    /// Addresses that have an endpoint.
    known: BTreeSet<IpAddr>,
}

impl AddrAdv {
    fn set_limits(&self, cx: &mut Context<'_>) {
        let wanted = 2 + self.known.len();
        if !LIMITS.contains(&wanted) {
            return;
        }
        let subflows = wanted as u8;
        let add_addr_accepted = if cx.flags.subflow { subflows } else { 0 };
        cx.commands.push(Command::SetLimits(Limits { subflows, add_addr_accepted }));
    }
}

impl Plugin for AddrAdv {
    fn new_local_address(&mut self, addr: IpAddr, cx: &mut Context<'_>) {
        if !self.known.insert(addr) {
            return;
        }
        let (id, flags) = (cx.id(addr), cx.flags);
        self.set_limits(cx);
        cx.commands.push(Command::AddEndpoint(Endpoint {
            id,
            addr,
            port: None,
            subflow: flags.subflow,
            signal: flags.signal,
            backup: flags.backup,
            fullmesh: flags.fullmesh,
        }));
    }

    fn delete_local_address(&mut self, addr: IpAddr, cx: &mut Context<'_>) {
        if !self.known.remove(&addr) {
            return;
        }
        self.set_limits(cx);
        if let Some(id) = cx.forget(addr) {
            cx.commands.push(Command::RemoveEndpoint { id });
        }
    }
}

/// The plugin `sspi`.
#[derive(Clone, Debug, Default)]
pub struct Sspi {
    /// Interfaces and the connections that have a subflow over them.
    used: BTreeSet<(String, u32)>,
}

impl Sspi {
    /// Notes that a connection has a subflow from `local`; false if its interface has one already.
    fn take(&mut self, token: u32, local: IpAddr, cx: &Context<'_>) -> bool {
        let interface = cx.host.interface_of(local);
        interface.is_none_or(|name| self.used.insert((name.to_owned(), token)))
    }
}

impl Plugin for Sspi {
    fn on_connection(&mut self, event: &Event, cx: &mut Context<'_>) {
        match *event {
            Event::Established { token, local, .. } => {
                self.take(token, local.ip(), cx);
                let own = cx.host.interface_of(local.ip());
                let others =
                    cx.host.addresses.iter().filter(|(name, _)| Some(name.as_str()) != own);
                for addr in others.map(|(_, addr)| *addr).collect::<Vec<_>>() {
                    let id = cx.id(addr);
                    cx.commands.push(Command::Announce { token, id, addr, port: None });
                }
            }
            Event::SubflowEstablished { token, local, remote, .. }
                if !self.take(token, local.ip(), cx) =>
            {
                cx.commands.push(Command::DestroySubflow { token, local, remote });
            }
            Event::Closed { token } => self.used.retain(|(_, other)| *other != token),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::mptcpd::{AddrFlags, Mptcpd, NotifyFlags};
    use super::super::netlink::{Daemon, HostView};
    use super::*;
    use crate::path_manager::endpoints::Config;

    fn addr(last: u8) -> IpAddr {
        IpAddr::from([10, 0, last, 1])
    }

    fn addresses() -> Vec<(String, IpAddr)> {
        vec![("wlan0".into(), addr(0)), ("wlan0".into(), addr(1)), ("rmnet0".into(), addr(2))]
    }

    fn told(daemon: &mut Mptcpd, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        let host = HostView { addresses: &addresses(), kernel: &Config::default() };
        daemon.on_event(&event, &host, &mut commands);
        commands
    }

    fn limits(subflows: u8, add_addr_accepted: u8) -> Command {
        Command::SetLimits(Limits { subflows, add_addr_accepted })
    }

    #[test]
    fn addr_adv_makes_endpoints_of_addresses_and_room_for_their_subflows() {
        let mut daemon = Mptcpd::default().load_named("addr_adv").unwrap();
        let added = told(&mut daemon, Event::AddressAdded { addr: addr(0) });
        assert_eq!(added[0], limits(3, 3));
        assert!(matches!(added[1], Command::AddEndpoint(Endpoint { id: 1, subflow: true, .. })));
        assert_eq!(told(&mut daemon, Event::AddressAdded { addr: addr(0) }), []);
        let removed = told(&mut daemon, Event::AddressRemoved { addr: addr(0) });
        assert_eq!(removed, [limits(2, 2), Command::RemoveEndpoint { id: 1 }]);
    }

    #[test]
    fn addr_adv_announces_if_that_is_what_the_flags_say_and_knows_the_kernels_limits() {
        let flags = AddrFlags { subflow: false, signal: true, ..AddrFlags::default() };
        let mut daemon = Mptcpd::new(flags, NotifyFlags::default()).load_named("addr_adv").unwrap();
        for number in 0..7 {
            let added = told(&mut daemon, Event::AddressAdded { addr: addr(number) });
            let set = added.iter().any(|command| matches!(command, Command::SetLimits(_)));
            assert_eq!(set, number < 6, "{number}");
            assert!(!set || added[0] == limits(number + 3, 0));
        }
    }

    #[test]
    fn sspi_lets_each_interface_have_one_subflow_of_a_connection() {
        let mut daemon = Mptcpd::default().load_named("sspi").unwrap();
        let (local, remote) = ("10.0.0.1:9".parse().unwrap(), "10.9.0.1:80".parse().unwrap());
        let established = Event::Established { token: 5, local, remote, server_side: false };
        let announced = told(&mut daemon, established);
        assert_eq!(announced, [Command::Announce { token: 5, id: 1, addr: addr(2), port: None }]);
        let mut joined = |from: &str| {
            let local = from.parse().unwrap();
            told(&mut daemon, Event::SubflowEstablished { token: 5, local, remote, backup: false })
        };
        let again = "10.0.1.1:10";
        let local = again.parse().unwrap();
        assert_eq!(joined(again), [Command::DestroySubflow { token: 5, local, remote }]);
        assert_eq!(joined("10.0.2.1:11"), []);
        assert_eq!(joined("10.0.2.1:12").len(), 1);
        told(&mut daemon, Event::Closed { token: 5 });
        assert_eq!(told(&mut daemon, established).len(), 1);
    }
}
