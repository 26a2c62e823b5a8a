//! What the interfaces of a host may be used for: `ip link set dev IFACE multipath on|off|backup`
//! of the out-of-tree line (`IFF_NOMULTIPATH`, `IFF_MPBACKUP`).

use std::net::IpAddr;

/// The use of one interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Multipath {
    /// Subflows may use it.
    #[default]
    On,
    /// Path managers leave it alone.
    Off,
    /// Its subflows are backups.
    Backup,
}

impl Multipath {
    /// Reads `on`, `off` or `backup`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::On, Self::Off, Self::Backup].into_iter().find(|multipath| multipath.name() == name)
    }

    /// The word that `ip link` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Backup => "backup",
        }
    }
}

/// The interfaces whose use is not the default, by their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces(Vec<(IpAddr, Multipath)>);

impl Interfaces {
    /// The interface with address `addr` is used so from now on.
    pub fn set(&mut self, addr: IpAddr, multipath: Multipath) {
        self.0.retain(|(known, _)| *known != addr);
        self.0.push((addr, multipath));
    }

    /// How the interface with address `addr` is used.
    pub fn of(&self, addr: IpAddr) -> Multipath {
        let known = self.0.iter().find(|(known, _)| *known == addr);
        known.map_or(Multipath::On, |(_, multipath)| *multipath)
    }
}
