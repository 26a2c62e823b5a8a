//! The multipath TCP daemon mptcpd: it listens to the kernel and lets plugins decide.
//!
//! Each plugin has a priority, -20 the best and 19 the worst. A connection belongs to the plugin
//! that the configuration names (`path-manager`), else to the best one: it alone is told what
//! happens to the connection. What happens to the host's addresses all plugins are told, the best
//! first. `notify-flags` filter addresses, `addr-flags` are those of endpoints that plugins make.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;

use super::netlink::{Command, Daemon, Event, HostView};
use super::plugins::{AddrAdv, Sspi};

/// Flags of the endpoints that plugins make (`addr-flags`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddrFlags {
    /// Join from the address.
    pub subflow: bool,
    /// Announce the address.
    pub signal: bool,
    /// Ask peers to use its subflows as backups.
    pub backup: bool,
    /// Join from it to every address of the peer.
    pub fullmesh: bool,
}

impl Default for AddrFlags {
    fn default() -> Self {
        Self { subflow: true, signal: false, backup: false, fullmesh: false }
    }
}

/// Which addresses of the host plugins are told of (`notify-flags`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotifyFlags {
    /// Also those that were there when the daemon started.
    pub existing: bool,
    /// Not those that are valid on their link only.
    pub skip_link_local: bool,
    /// Not those of the host itself.
    pub skip_loopback: bool,
    /// Not those that have no route to anywhere ([`Mptcpd::without_route`]).
    pub check_route: bool,
}

impl Default for NotifyFlags {
    fn default() -> Self {
        Self { existing: true, skip_link_local: true, skip_loopback: true, check_route: false }
    }
}

/// What a plugin can do and see while it is called.
#[derive(Debug)]
pub struct Context<'a> {
    /// What is to be done.
    pub commands: &'a mut Vec<Command>,
    /// The host.
    pub host: HostView<'a>,
    /// Flags for endpoints.
    pub flags: AddrFlags,
    ids: &'a mut Ids,
}

impl Context<'_> {
    /// The id that the daemon gives to an address (`mptcpd_idm`).
    pub fn id(&mut self, addr: IpAddr) -> u8 {
        self.ids.of(addr)
    }

    /// The address has no id any more; the one it had.
    pub fn forget(&mut self, addr: IpAddr) -> Option<u8> {
        self.ids.0.remove(&addr)
    }
}

/// A plugin of the daemon: its callbacks, all of which do nothing unless written.
///
/// The connection's events go to the plugin that has it, the host's to all.
#[allow(unused_variables, reason = "a callback that does nothing needs nothing")]
pub trait Plugin {
    /// `new_connection`, `connection_established`, `connection_closed`, `new_address`,
    /// `address_removed`, `new_subflow`, `subflow_closed`, `subflow_priority`: an event of a
    /// connection.
    fn on_connection(&mut self, event: &Event, cx: &mut Context<'_>) {}
    /// `new_local_address`: the host has an address.
    fn new_local_address(&mut self, addr: IpAddr, cx: &mut Context<'_>) {}
    /// `delete_local_address`: it has lost it.
    fn delete_local_address(&mut self, addr: IpAddr, cx: &mut Context<'_>) {}
    /// `new_interface`, `update_interface`, `delete_interface`: an interface went up or down.
    fn on_interface(&mut self, name: &str, up: bool, cx: &mut Context<'_>) {}
    /// `listener_created`, `listener_closed`: sockets that listen.
    fn on_listener(&mut self, event: &Event, cx: &mut Context<'_>) {}
}

/// A plugin in a box. Implemented for every [`Plugin`] that can be cloned, printed and sent to another
/// thread.
pub trait DynPlugin: Plugin + Debug + Send {
    /// The same plugin in the same state.
    fn clone_box(&self) -> Box<dyn DynPlugin>;
}

impl<T: Plugin + Clone + Debug + Send + 'static> DynPlugin for T {
    fn clone_box(&self) -> Box<dyn DynPlugin> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn DynPlugin> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

/// Ids of addresses, the lowest free one first.
#[derive(Clone, Debug, Default)]
struct Ids(BTreeMap<IpAddr, u8>);

impl Ids {
    fn of(&mut self, addr: IpAddr) -> u8 {
        let used = |id: &u8| self.0.values().any(|known| known == id);
        let free = (1..u8::MAX).find(|id| !used(id)).unwrap_or(u8::MAX);
        *self.0.entry(addr).or_insert(free)
    }
}

#[derive(Clone, Debug)]
struct Loaded {
    name: String,
    priority: i8,
    plugin: Box<dyn DynPlugin>,
}

/// The daemon.
#[derive(Clone, Debug, Default)]
pub struct Mptcpd {
    flags: AddrFlags,
    notify: NotifyFlags,
    /// The plugin that new connections get.
    named: Option<String>,
    /// The best first.
    plugins: Vec<Loaded>,
    /// The plugin of each connection, by token.
    connections: BTreeMap<u32, usize>,
    ids: Ids,
    /// Addresses from which nothing can be reached.
    unrouted: Vec<IpAddr>,
}

impl Mptcpd {
    /// Priority of the plugins that come with the daemon (`MPTCPD_PLUGIN_PRIORITY_LOW`).
    pub const LOW: i8 = 19;

    /// A daemon without plugins.
    pub fn new(flags: AddrFlags, notify: NotifyFlags) -> Self {
        Self { flags, notify, ..Self::default() }
    }

    /// New connections go to the plugin called `name` (`path-manager`).
    #[must_use]
    pub fn path_manager(mut self, name: &str) -> Self {
        self.named = Some(name.to_owned());
        self
    }

    /// Loads a plugin.
    #[must_use]
    pub fn load(mut self, name: &str, priority: i8, plugin: impl DynPlugin + 'static) -> Self {
        let loaded = Loaded { name: name.to_owned(), priority, plugin: Box::new(plugin) };
        let place = self.plugins.partition_point(|other| other.priority <= priority);
        self.plugins.insert(place, loaded);
        self
    }

    /// Loads the plugin of this name that comes with the daemon; `None` if there is none.
    #[must_use]
    pub fn load_named(self, name: &str) -> Option<Self> {
        match name {
            "addr_adv" => Some(self.load(name, Self::LOW, AddrAdv::default())),
            "sspi" => Some(self.load(name, Self::LOW, Sspi::default())),
            _ => None,
        }
    }

    /// The names of these plugins.
    pub const PLUGINS: &'static [&'static str] = &["addr_adv", "sspi"];

    /// Nothing can be reached from these addresses: with `check_route` plugins are not told of them.
    #[must_use]
    pub fn without_route(mut self, addresses: Vec<IpAddr>) -> Self {
        self.unrouted = addresses;
        self
    }

    /// Whether `notify-flags` let an event about an address through.
    fn lets_through(&self, event: &Event) -> bool {
        match *event {
            Event::AddressFound { addr } => self.notify.existing && self.wants(addr),
            Event::AddressAdded { addr } | Event::AddressRemoved { addr } => self.wants(addr),
            _ => true,
        }
    }

    fn wants(&self, addr: IpAddr) -> bool {
        let link_local = match addr {
            IpAddr::V4(addr) => addr.is_link_local(),
            IpAddr::V6(addr) => addr.segments()[0] & 0xffc0 == 0xfe80,
        };
        let skipped = self.notify.skip_loopback && addr.is_loopback()
            || self.notify.skip_link_local && link_local
            || self.notify.check_route && self.unrouted.contains(&addr);
        !skipped
    }

    /// The plugin of a connection: the one named, else the best.
    fn plugin_of(&mut self, event: &Event) -> Option<usize> {
        let token = event.token()?;
        if let Some(known) = self.connections.get(&token) {
            return Some(*known);
        }
        let by_name = |name: &String| self.plugins.iter().position(|other| other.name == *name);
        let best = (!self.plugins.is_empty()).then_some(0);
        let chosen = self.named.as_ref().and_then(by_name).or(best)?;
        self.connections.insert(token, chosen);
        Some(chosen)
    }
}

impl Daemon for Mptcpd {
    fn on_event(&mut self, event: &Event, host: &HostView<'_>, commands: &mut Vec<Command>) {
        let owner = self.plugin_of(event);
        if !self.lets_through(event) || event.token().is_some() && owner.is_none() {
            return;
        }
        for (number, loaded) in self.plugins.iter_mut().enumerate() {
            let (host, flags, ids) = (*host, self.flags, &mut self.ids);
            let mut cx = Context { commands, host, flags, ids };
            let plugin = &mut loaded.plugin;
            match event {
                Event::AddressFound { addr } | Event::AddressAdded { addr } => {
                    plugin.new_local_address(*addr, &mut cx);
                }
                Event::AddressRemoved { addr } => plugin.delete_local_address(*addr, &mut cx),
                Event::Link { index, up } => {
                    let name = host.interface(*index).unwrap_or_default();
                    plugin.on_interface(name, *up, &mut cx);
                }
                Event::ListenerCreated { .. } | Event::ListenerClosed { .. } => {
                    plugin.on_listener(event, &mut cx);
                }
                _ if Some(number) == owner => plugin.on_connection(event, &mut cx),
                _ => {}
            }
        }
        if let Event::Closed { token } = event {
            self.connections.remove(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path_manager::endpoints::Config;

    #[derive(Clone, Debug)]
    struct Named(u8);

    impl Plugin for Named {
        fn on_connection(&mut self, event: &Event, cx: &mut Context<'_>) {
            let token = event.token().unwrap();
            cx.commands.push(Command::Remove { token, id: self.0 });
        }
        fn new_local_address(&mut self, _: IpAddr, cx: &mut Context<'_>) {
            cx.commands.push(Command::RemoveEndpoint { id: self.0 });
        }
    }

    fn told(daemon: &mut Mptcpd, event: &Event) -> Vec<Command> {
        let mut commands = Vec::new();
        let host = HostView { addresses: &[], kernel: &Config::default() };
        daemon.on_event(event, &host, &mut commands);
        commands
    }

    const REMOVED: Event = Event::Removed { token: 7, id: 1 };

    fn two() -> Mptcpd {
        Mptcpd::default().load("worse", 5, Named(1)).load("better", -3, Named(2))
    }

    #[test]
    fn a_connection_belongs_to_the_best_plugin_or_the_one_named() {
        assert_eq!(told(&mut two(), &REMOVED), [Command::Remove { token: 7, id: 2 }]);
        let mut named = two().path_manager("worse");
        assert_eq!(told(&mut named, &REMOVED), [Command::Remove { token: 7, id: 1 }]);
        let mut unknown = two().path_manager("nobody");
        assert_eq!(told(&mut unknown, &REMOVED), [Command::Remove { token: 7, id: 2 }]);
    }

    #[test]
    fn all_plugins_hear_of_addresses_the_best_first() {
        let address = |text: &str| Event::AddressAdded { addr: text.parse().unwrap() };
        let both = [Command::RemoveEndpoint { id: 2 }, Command::RemoveEndpoint { id: 1 }];
        assert_eq!(told(&mut two(), &address("10.0.0.1")), both);
        for skipped in ["127.0.0.1", "169.254.1.1", "fe80::1", "::1"] {
            assert_eq!(told(&mut two(), &address(skipped)), [], "{skipped}");
        }
    }

    #[test]
    fn addresses_that_were_there_or_lead_nowhere_can_be_kept_back() {
        let addr: IpAddr = "10.0.0.1".parse().unwrap();
        let heard = |notify, event| {
            let mut daemon = Mptcpd { notify, ..two() }.without_route(vec![addr]);
            !told(&mut daemon, &event).is_empty()
        };
        let (found, added) = (Event::AddressFound { addr }, Event::AddressAdded { addr });
        let all = NotifyFlags::default();
        assert!(heard(all, found) && heard(all, added));
        let later = NotifyFlags { existing: false, ..all };
        assert!(!heard(later, found) && heard(later, added));
        let routed = NotifyFlags { check_route: true, ..all };
        assert!(!heard(routed, found) && !heard(routed, added));
    }

    #[test]
    fn plugins_hear_of_interfaces_by_name() {
        let addresses = [("eth0", "10.0.0.1"), ("eth0", "10.0.0.2"), ("wlan0", "10.0.1.1")]
            .map(|(name, addr)| (name.to_owned(), addr.parse().unwrap()));
        let mut daemon = Mptcpd::default().load("watcher", 0, Watcher(Vec::new()));
        for index in 0..3 {
            let mut commands = Vec::new();
            let host = HostView { addresses: &addresses, kernel: &Config::default() };
            daemon.on_event(&Event::Link { index, up: index == 0 }, &host, &mut commands);
        }
        let shown = format!("{daemon:?}");
        assert!(shown.contains(r#"[("eth0", true), ("wlan0", false), ("", false)]"#), "{shown}");
    }

    /// Notes what it hears of interfaces.
    #[derive(Clone, Debug)]
    struct Watcher(Vec<(String, bool)>);

    impl Plugin for Watcher {
        fn on_interface(&mut self, name: &str, up: bool, _: &mut Context<'_>) {
            self.0.push((name.to_owned(), up));
        }
    }

    #[test]
    fn ids_are_the_lowest_free_ones() {
        let mut ids = Ids::default();
        let addr = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!([ids.of(addr("10.0.0.1")), ids.of(addr("10.0.0.2"))], [1, 2]);
        ids.0.remove(&addr("10.0.0.1"));
        assert_eq!([ids.of(addr("10.0.0.2")), ids.of(addr("10.0.0.3"))], [2, 1]);
    }
}
