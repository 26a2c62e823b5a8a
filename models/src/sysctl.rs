//! The knobs of a host, under Linux' own names.
//!
//! One table gives every knob its name, default, bounds and meaning; `set`
//! takes the text that `sysctl -w` would. Knobs that only one kernel line has
//! are marked so. Times keep the unit of the kernel's knob.

use thiserror::Error;

use crate::congestion;
use crate::fast_open_keys::FastOpenKeys;
use crate::path_manager::binder::Gateways;
use crate::rules::Stack;
use crate::scheduler;

/// Minimum, default and maximum of a socket buffer in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferLimits {
    /// Smallest size.
    pub min: u32,
    /// Size of a new socket.
    pub default: u32,
    /// Largest size that auto-tuning gives.
    pub max: u32,
}

/// How the packets of an interface wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Qdisc {
    /// First come, first served.
    #[default]
    PfifoFast,
    /// FQ-CoDel.
    FqCodel,
    /// Fair queueing, which paces the segments of each connection (`sch_fq`).
    Fq,
}

impl Qdisc {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PfifoFast, Self::FqCodel, Self::Fq];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PfifoFast => "pfifo_fast",
            Self::FqCodel => "fq_codel",
            Self::Fq => "fq",
        }
    }

    /// The one with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|qdisc| qdisc.name() == name)
    }
}

/// Why a knob cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SysctlError {
    /// No such knob.
    #[error("unknown sysctl `{0}`")]
    Unknown(String),
    /// The other kernel line has it.
    #[error("sysctl `{name}` belongs to the {line} stack")]
    OtherLine {
        /// The knob.
        name: &'static str,
        /// The line that has it.
        line: &'static str,
    },
    /// The value does not fit.
    #[error("`{value}` is no value for sysctl `{name}`: expected {expected}")]
    Value {
        /// The knob.
        name: &'static str,
        /// The text given.
        value: String,
        /// What would be right.
        expected: String,
    },
}

/// What can be said of one knob.
#[derive(Clone, Debug)]
pub struct Description {
    /// Full name.
    pub name: &'static str,
    /// Default value as text.
    pub default: String,
    /// Allowed values in words.
    pub expected: String,
    /// Which lines have it; `None` is both.
    pub only: Option<Stack>,
    /// One line of explanation.
    pub help: &'static str,
}

/// How a knob's value is read, shown and bounded.
trait Knob: Sized {
    fn read(text: &str, low: i64, high: i64) -> Option<Self>;
    fn show(&self) -> String;
    fn expected(low: i64, high: i64) -> String;
}

macro_rules! integer_knob {
    ($($type:ty),*) => {$(
        impl Knob for $type {
            fn read(text: &str, low: i64, high: i64) -> Option<Self> {
                let text = text.trim();
                let value = match text.strip_prefix("0x") {
                    Some(digits) => i64::from_str_radix(digits, 16).ok()?,
                    None => text.parse().ok()?,
                };
                (low..=high).contains(&value).then_some(value)?.try_into().ok()
            }
            fn show(&self) -> String {
                self.to_string()
            }
            fn expected(low: i64, high: i64) -> String {
                format!("a whole number from {low} to {high}")
            }
        }
    )*};
}
integer_knob!(u8, u32, u64);

impl Knob for bool {
    fn read(text: &str, _: i64, _: i64) -> Option<Self> {
        match text.trim() {
            "0" | "false" => Some(false),
            "1" | "true" => Some(true),
            _ => None,
        }
    }
    fn show(&self) -> String {
        u8::from(*self).to_string()
    }
    fn expected(_: i64, _: i64) -> String {
        "0 or 1".into()
    }
}

impl Knob for BufferLimits {
    fn read(text: &str, low: i64, high: i64) -> Option<Self> {
        let mut fields = text.split_whitespace().map(|field| u32::read(field, low, high));
        let limits = Self { min: fields.next()??, default: fields.next()??, max: fields.next()?? };
        let ordered = limits.min <= limits.max;
        (ordered && fields.next().is_none()).then_some(limits)
    }
    fn show(&self) -> String {
        format!("{} {} {}", self.min, self.default, self.max)
    }
    fn expected(low: i64, high: i64) -> String {
        format!("three numbers, minimum default maximum, each from {low} to {high}")
    }
}

impl Knob for String {
    fn read(text: &str, _: i64, _: i64) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
    fn show(&self) -> String {
        self.clone()
    }
    fn expected(_: i64, _: i64) -> String {
        "a name".into()
    }
}

impl Knob for Option<FastOpenKeys> {
    fn read(text: &str, _: i64, _: i64) -> Option<Self> {
        text.parse().ok().map(Some)
    }
    fn show(&self) -> String {
        self.map_or_else(|| "drawn at random".to_owned(), |keys| keys.to_string())
    }
    fn expected(_: i64, _: i64) -> String {
        "four groups of hexadecimal digits with - between them, perhaps a comma and four more"
            .into()
    }
}

impl Knob for Gateways {
    fn read(text: &str, _: i64, _: i64) -> Option<Self> {
        text.parse().ok()
    }
    fn show(&self) -> String {
        self.to_string()
    }
    fn expected(_: i64, _: i64) -> String {
        "IPv4 addresses, at most 6 for each of 10 routes".into()
    }
}

macro_rules! name_knob {
    ($($type:ty),*) => {$(
        impl Knob for $type {
            fn read(text: &str, _: i64, _: i64) -> Option<Self> {
                Self::from_name(text.trim())
            }
            fn show(&self) -> String {
                self.name().to_owned()
            }
            fn expected(_: i64, _: i64) -> String {
                let names: Vec<_> = Self::ALL.iter().map(|name| name.name()).collect();
                format!("one of {}", names.join(", "))
            }
        }
    )*};
}
name_knob!(congestion::Name, scheduler::Name, Qdisc);

macro_rules! sysctls {
    ($($(#[$only:ident])? $field:ident: $type:ty = $default:expr, $low:literal..=$high:literal,
       $name:literal, $help:literal;)*) => {
        /// All knobs of a host; fields are named after the last part of the sysctl.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Sysctl {
            $(#[doc = concat!("`", $name, "`: ", $help)] pub $field: $type,)*
        }

        impl Default for Sysctl {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Sysctl {
            /// Sets the knob `name` of a host of line `stack` to `value`.
            pub fn set(&mut self, stack: Stack, name: &str, value: &str)
                -> Result<(), SysctlError> {
                match name {
                    $($name => {
                        let only: Option<Stack> = sysctls!(@only $($only)?);
                        if let Some(line) = only && line != stack {
                            return Err(SysctlError::OtherLine { name: $name, line: line.name() });
                        }
                        self.$field = <$type as Knob>::read(value, $low, $high).ok_or_else(|| {
                            SysctlError::Value {
                                name: $name,
                                value: value.to_owned(),
                                expected: <$type as Knob>::expected($low, $high),
                            }
                        })?;
                        Ok(())
                    })*
                    _ => Err(SysctlError::Unknown(name.to_owned())),
                }
            }

            /// Every knob, with the defaults of line `stack`.
            pub fn describe(stack: Stack) -> Vec<Description> {
                let defaults = stack.rules().sysctl_defaults();
                vec![$(Description {
                    name: $name,
                    default: defaults.$field.show(),
                    expected: <$type as Knob>::expected($low, $high),
                    only: sysctls!(@only $($only)?),
                    help: $help,
                },)*]
            }
        }
    };
    (@only) => { None };
    (@only upstream) => { Some(Stack::Upstream) };
    (@only out_of_tree) => { Some(Stack::OutOfTree) };
}

impl Sysctl {
    /// Sockets of a host of line `stack` may use MPTCP (`enabled`, `mptcp_enabled`).
    pub const fn allows_mptcp(&self, stack: Stack) -> bool {
        match stack {
            Stack::Upstream => self.enabled,
            Stack::OutOfTree => self.mptcp_enabled != 0,
        }
    }

    /// A host of line `stack` asks for DSS checksums (`checksum_enabled`, `mptcp_checksum`).
    pub const fn requires_checksum(&self, stack: Stack) -> bool {
        match stack {
            Stack::Upstream => self.checksum_enabled,
            Stack::OutOfTree => self.mptcp_checksum,
        }
    }

    /// SYN retransmissions with MP_CAPABLE before a host of line `stack` tries plain TCP
    /// (`syn_retrans_before_tcp_fallback`, `mptcp_syn_retries`).
    pub const fn capable_syn_retries(&self, stack: Stack) -> u8 {
        match stack {
            Stack::Upstream => self.syn_retrans_before_tcp_fallback,
            Stack::OutOfTree => self.mptcp_syn_retries,
        }
    }
}

const KIB: u32 = 1_024;

sysctls! {
    tcp_rmem: BufferLimits = BufferLimits { min: 4 * KIB, default: 128 * KIB, max: 6 * KIB * KIB },
        1..=2147483647, "net.ipv4.tcp_rmem", "receive buffer: minimum, default, maximum, in bytes (Linux 6.16 and later with 4 GB of memory: 33554432)";
    tcp_wmem: BufferLimits = BufferLimits { min: 4 * KIB, default: 16 * KIB, max: 4 * KIB * KIB },
        1..=2147483647, "net.ipv4.tcp_wmem", "send buffer: minimum, default, maximum, in bytes";
    tcp_moderate_rcvbuf: bool = true, 0..=1, "net.ipv4.tcp_moderate_rcvbuf",
        "grow the receive buffer with the measured rate";
    tcp_congestion_control: congestion::Name = congestion::Name::Cubic, 0..=0,
        "net.ipv4.tcp_congestion_control", "congestion control of new connections";
    tcp_timestamps: bool = true, 0..=2, "net.ipv4.tcp_timestamps", "timestamps option (RFC 7323)";
    tcp_window_scaling: bool = true, 0..=1, "net.ipv4.tcp_window_scaling",
        "window scale option (RFC 7323)";
    tcp_sack: bool = true, 0..=1, "net.ipv4.tcp_sack", "selective acknowledgements (RFC 2018)";
    tcp_dsack: bool = true, 0..=1, "net.ipv4.tcp_dsack",
        "report duplicates in SACK blocks (RFC 2883)";
    tcp_ecn: u8 = 2, 0..=2, "net.ipv4.tcp_ecn",
        "ECN (RFC 3168): 0 off, 1 ask for it, 2 grant it when asked";
    tcp_syn_retries: u8 = 6, 1..=127, "net.ipv4.tcp_syn_retries",
        "retransmissions of a SYN before giving up";
    tcp_syn_linear_timeouts: u8 = 4, 0..=127, "net.ipv4.tcp_syn_linear_timeouts",
        "SYN timeouts of one second before they double";
    tcp_synack_retries: u8 = 5, 0..=255, "net.ipv4.tcp_synack_retries",
        "retransmissions of a SYN/ACK before giving up";
    tcp_syncookies: u8 = 1, 0..=2, "net.ipv4.tcp_syncookies",
        "2 answers every SYN by a cookie (RFC 4987); 0 and 1 none, for here no queue of SYNs overflows";
    tcp_retries1: u8 = 3, 1..=255, "net.ipv4.tcp_retries1",
        "timeouts before the route is suspected";
    tcp_retries2: u8 = 15, 1..=255, "net.ipv4.tcp_retries2",
        "timeouts of an established connection before it ends";
    tcp_orphan_retries: u8 = 0, 0..=255, "net.ipv4.tcp_orphan_retries",
        "timeouts of a connection without application; 0 means 8";
    tcp_fin_timeout: u32 = 60, 1..=1000000, "net.ipv4.tcp_fin_timeout",
        "seconds in FIN_WAIT2 without an application";
    tcp_rto_min_us: u32 = 200_000, 1..=120000000, "net.ipv4.tcp_rto_min_us",
        "smallest retransmission timeout in microseconds";
    tcp_rto_max_ms: u32 = 120_000, 1000..=120000, "net.ipv4.tcp_rto_max_ms",
        "largest retransmission timeout in milliseconds";
    tcp_reordering: u32 = 3, 1..=300, "net.ipv4.tcp_reordering",
        "packets a path may reorder, to begin with";
    tcp_max_reordering: u32 = 300, 1..=65535, "net.ipv4.tcp_max_reordering",
        "packets a path may reorder, at most";
    tcp_recovery: u8 = 1, 0..=7, "net.ipv4.tcp_recovery",
        "RACK: 1 on, 2 fixed reordering window, 4 no duplicate-ACK threshold";
    tcp_early_retrans: u8 = 3, 0..=4, "net.ipv4.tcp_early_retrans", "tail loss probes: 3 or 4 on";
    tcp_frto: u8 = 2, 0..=2, "net.ipv4.tcp_frto", "detect spurious timeouts (RFC 5682): 0 off";
    tcp_slow_start_after_idle: bool = true, 0..=1, "net.ipv4.tcp_slow_start_after_idle",
        "restart the window after an idle time of one timeout";
    tcp_tso_win_divisor: u8 = 3, 0..=255, "net.ipv4.tcp_tso_win_divisor",
        "part of the window that one burst may wait for";
    tcp_min_tso_segs: u8 = 2, 1..=255, "net.ipv4.tcp_min_tso_segs", "smallest burst in segments";
    tcp_pacing_ss_ratio: u32 = 200, 0..=1000, "net.ipv4.tcp_pacing_ss_ratio",
        "pacing rate in slow start, percent of cwnd per round trip";
    tcp_pacing_ca_ratio: u32 = 120, 0..=1000, "net.ipv4.tcp_pacing_ca_ratio",
        "pacing rate after slow start, percent of cwnd per round trip";
    default_qdisc: Qdisc = Qdisc::PfifoFast, 0..=0, "net.core.default_qdisc",
        "queueing discipline of interfaces: with fq connections are paced, with the others only those whose congestion control wants it";
    tcp_fastopen: u32 = 1, 0..=4294967295, "net.ipv4.tcp_fastopen",
        "TCP Fast Open, a sum: 1 clients, 2 servers, 4 clients without cookies, 512 servers without cookies, 1024 all servers";
    tcp_fastopen_key: Option<FastOpenKeys> = None, 0..=0, "net.ipv4.tcp_fastopen_key",
        "key of the cookies that servers give out, and behind a comma the one before: its cookies still open";
    tcp_comp_sack_nr: u8 = 44, 0..=255, "net.ipv4.tcp_comp_sack_nr",
        "duplicate ACKs that may be compressed into one";
    tcp_comp_sack_delay_ns: u64 = 1_000_000, 0..=1000000000, "net.ipv4.tcp_comp_sack_delay_ns",
        "longest delay of a compressed ACK in nanoseconds";
    tcp_comp_sack_slack_ns: u64 = 100_000, 0..=1000000000, "net.ipv4.tcp_comp_sack_slack_ns",
        "additional delay a timer may add to it in nanoseconds";
    rmem_max: u32 = 4_194_304, 2304..=2147483647, "net.core.rmem_max",
        "largest receive buffer in bytes that an application may ask for; windows are scaled for it";
    tcp_invalid_ratelimit: u32 = 500, 0..=3600000, "net.ipv4.tcp_invalid_ratelimit",
        "milliseconds between answers to unacceptable segments";
    tcp_adv_win_scale: u8 = 1, 0..=31, "net.ipv4.tcp_adv_win_scale",
        "part of the receive buffer that is overhead: 1/2^n (out-of-tree line)";

    #[upstream] enabled: bool = true, 0..=1, "net.mptcp.enabled", "sockets may ask for MPTCP";
    #[upstream] checksum_enabled: bool = false, 0..=1, "net.mptcp.checksum_enabled",
        "require DSS checksums";
    #[upstream] allow_join_initial_addr_port: bool = true, 0..=1,
        "net.mptcp.allow_join_initial_addr_port",
        "let peers join towards the initial address (0 sends the C flag)";
    #[upstream] add_addr_timeout: u32 = 120, 0..=86400, "net.mptcp.add_addr_timeout",
        "longest time in seconds before an ADD_ADDR is repeated";
    #[upstream] stale_loss_cnt: u32 = 4, 0..=4294967295, "net.mptcp.stale_loss_cnt",
        "retransmission rounds without progress that make a subflow stale; 0 never";
    #[upstream] close_timeout: u32 = 60, 0..=86400, "net.mptcp.close_timeout",
        "seconds that a connection without subflows waits for a new one";
    #[upstream] syn_retrans_before_tcp_fallback: u8 = 2, 0..=255,
        "net.mptcp.syn_retrans_before_tcp_fallback",
        "SYN retransmissions with MP_CAPABLE before plain TCP is tried";
    #[upstream] blackhole_timeout: u32 = 3_600, 0..=86400, "net.mptcp.blackhole_timeout",
        "seconds without MPTCP after MP_CAPABLE SYNs were dropped; 0 never";
    #[upstream] kernel_defects: bool = false, 0..=1, "mptcpsim.kernel_defects",
        "copy what Linux 6.18 does wrong after options vanish in mid-connection or a checksum fails";
    #[upstream] pm_type: u8 = 0, 0..=1, "net.mptcp.pm_type",
        "path manager: 0 in the kernel, 1 in user space";
    #[upstream] path_manager: String = "kernel".to_owned(), 0..=0, "net.mptcp.path_manager",
        "path manager: kernel or userspace";
    #[upstream] scheduler: scheduler::Name = scheduler::Name::Default, 0..=0, "net.mptcp.scheduler",
        "packet scheduler of new connections";

    #[out_of_tree] mptcp_enabled: u8 = 1, 0..=2, "net.mptcp.mptcp_enabled",
        "MPTCP: 0 off, 1 on, 2 only when the socket asks";
    #[out_of_tree] mptcp_checksum: bool = true, 0..=1, "net.mptcp.mptcp_checksum",
        "require DSS checksums";
    #[out_of_tree] mptcp_syn_retries: u8 = 3, 0..=255, "net.mptcp.mptcp_syn_retries",
        "SYN timeouts with MP_CAPABLE before plain TCP is tried";
    #[out_of_tree] mptcp_version: u8 = 0, 0..=1, "net.mptcp.mptcp_version",
        "protocol version; 1 changes ADD_ADDR only";
    #[out_of_tree] mptcp_path_manager: String = "fullmesh".to_owned(), 0..=0,
        "net.mptcp.mptcp_path_manager", "path manager of new connections";
    #[out_of_tree] mptcp_binder_gateways: Gateways = Gateways::default(), 0..=0,
        "net.mptcp.mptcp_binder_gateways",
        "gateways of the path manager binder: routes separated by -, addresses of one by ,";
    #[out_of_tree] mptcp_scheduler: scheduler::Name = scheduler::Name::Default, 0..=0,
        "net.mptcp.mptcp_scheduler", "packet scheduler of new connections";
}

impl Sysctl {
    /// The scheduler of new connections on a host of line `stack`.
    pub const fn scheduler(&self, stack: Stack) -> scheduler::Name {
        match stack {
            Stack::Upstream => self.scheduler,
            Stack::OutOfTree => self.mptcp_scheduler,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knobs_take_the_text_of_sysctl() {
        let mut sysctl = Sysctl::default();
        sysctl.set(Stack::Upstream, "net.ipv4.tcp_rmem", "4096 131072 131072").unwrap();
        assert_eq!(sysctl.tcp_rmem.max, 131_072);
        sysctl.set(Stack::Upstream, "net.mptcp.enabled", "0").unwrap();
        assert!(!sysctl.enabled);
        let key = "1-2-3-4,5-6-7-8";
        sysctl.set(Stack::Upstream, "net.ipv4.tcp_fastopen_key", key).unwrap();
        let shown = sysctl.tcp_fastopen_key.show();
        assert_eq!(
            shown,
            "00000001-00000002-00000003-00000004,00000005-00000006-00000007-00000008"
        );
    }

    #[test]
    fn wrong_knobs_are_refused_with_what_would_be_right() {
        let mut sysctl = Sysctl::default();
        let mut error = |name: &str, value: &str| {
            sysctl.set(Stack::Upstream, name, value).unwrap_err().to_string()
        };
        assert!(error("net.mptcp.mptcp_enabled", "1").contains("out-of-tree"));
        assert!(error("net.ipv4.tcp_sack", "yes").contains("0 or 1"));
        assert!(error("net.ipv4.tcp_rmem", "4096 131072").contains("three numbers"));
        assert!(error("net.ipv4.tcp_rmem", "9 9 1").contains("minimum"));
        assert!(error("net.ipv4.nonsense", "1").contains("unknown"));
        assert!(error("net.ipv4.tcp_congestion_control", "vegas").contains("cubic"));
    }
}
