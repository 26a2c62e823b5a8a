//! The `--name=value` lines of a script.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mptcpsim_core::time::Span;

use super::calls::Places;
use super::script::{Position, Script, Setting};

/// What a script sets.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    v6: bool,
    local: Option<IpAddr>,
    remote: Option<IpAddr>,
    bind_port: u16,
    connect_port: u16,
    /// How far from its time a packet may be.
    pub(super) tolerance: Span,
    /// The same in percent of the time since the event before.
    pub(super) tolerance_percent: u64,
    /// Microseconds per tick of the script's timestamps; 0 not to compare them.
    pub(super) stamp_tick_us: u64,
    /// PSH is compared.
    pub(super) strict: bool,
    /// Bytes of the largest packet.
    pub(super) mtu: Option<u16>,
    /// Longer packets of the script are several segments with so many bytes of data.
    pub(super) mss: Option<u16>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            v6: false,
            local: None,
            remote: None,
            bind_port: 8_080,
            connect_port: 8_080,
            tolerance: Span::from_us(4_000),
            tolerance_percent: 0,
            stamp_tick_us: 0,
            strict: false,
            mtu: None,
            mss: None,
        }
    }
}

/// Settings that change nothing here.
const WITHOUT_EFFECT: [&str; 16] = [
    "code_command",
    "code_format",
    "code_sockopt",
    "debug",
    "define",
    "dry_run",
    "gateway_ip",
    "init_scripts",
    "netmask_ip",
    "netmask",
    "non_fatal",
    "send_omit_free",
    "speed",
    "tcp_ts_ecr_scaled",
    "verbose",
    "wire_client_dev",
];

impl Settings {
    /// Reads the settings given and then those of a script; the one that nobody here can do
    /// otherwise.
    pub(super) fn of(given: &[(String, String)], script: &Script) -> Result<Self, Setting> {
        let mut settings = Self::default();
        for (name, value) in given {
            settings.set(name, value).ok_or_else(|| Setting {
                name: name.clone(),
                value: value.clone(),
                position: Position::default(),
            })?;
        }
        for setting in &script.settings {
            settings.set(&setting.name, &setting.value).ok_or_else(|| setting.clone())?;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "tolerance_usecs" => self.tolerance = Span::from_us(value.parse().ok()?),
            "tolerance_percent" => self.tolerance_percent = value.parse().ok()?,
            "tcp_ts_tick_usecs" => self.stamp_tick_us = value.parse().ok()?,
            "ip_version" => match value {
                "ipv4" => self.v6 = false,
                "ipv6" => self.v6 = true,
                _ => return None,
            },
            "local_ip" => self.local = Some(value.parse().ok()?),
            "remote_ip" => self.remote = Some(value.parse().ok()?),
            "bind_port" => self.bind_port = value.parse().ok()?,
            "connect_port" => self.connect_port = value.parse().ok()?,
            "strict_segments" => self.strict = matches!(value, "" | "1" | "true"),
            "mtu" => self.mtu = Some(value.parse().ok()?),
            "mss" => self.mss = Some(value.parse().ok()?),
            name if WITHOUT_EFFECT.contains(&name) => {}
            _ => return None,
        }
        Some(())
    }

    /// Where the ends are: those of packetdrill unless the script says otherwise.
    pub(super) fn places(&self) -> Places {
        let (local, remote, any) = if self.v6 {
            (
                IpAddr::V6(Ipv6Addr::new(0xfd3d, 0x0a0b, 0x17d6, 0, 0, 0, 0, 1)),
                IpAddr::V6(Ipv6Addr::new(0xfd3d, 0xfa7b, 0xd17d, 0, 0, 0, 0, 1)),
                IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            )
        } else {
            (
                IpAddr::V4(Ipv4Addr::new(192, 168, 0, 2)),
                IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
                IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            )
        };
        Places {
            local: self.local.unwrap_or(local),
            bind: SocketAddr::new(any, self.bind_port),
            remote: SocketAddr::new(self.remote.unwrap_or(remote), self.connect_port),
        }
    }

    /// Bytes of the largest packet: the segments of both families are of one size.
    pub(super) fn mtu(&self) -> u16 {
        self.mtu.unwrap_or(if self.v6 { 1_520 } else { 1_500 })
    }

    /// How far from its time something may happen that is due `delay` behind the event before.
    pub(super) fn tolerance(&self, delay: Span) -> Span {
        let share = Span::from_ps(delay.as_ps() / 100 * self.tolerance_percent);
        self.tolerance.max(share)
    }
}
