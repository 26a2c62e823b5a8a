//! What differs between the two kernel lines, as data.
//!
//! Code asks a field of [`Rules`]; it never asks which line it is. Each field
//! names the kernel function that decides it.

use mptcpsim_core::time::Span;
use serde::{Deserialize, Serialize};

use crate::congestion;
use crate::mptcp_keys::Version;
use crate::sysctl::{BufferLimits, Sysctl};

/// The two lines of MPTCP in Linux.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stack {
    /// MPTCP v1 (RFC 8684) as in Linux since 5.6; the model follows 6.18.
    #[default]
    Upstream,
    /// MPTCP v0 (RFC 6824) of the mptcp.org kernels 0.94 to 0.96.
    OutOfTree,
}

impl Stack {
    /// The name used in scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::OutOfTree => "out-of-tree",
        }
    }

    /// What this line does.
    pub const fn rules(self) -> &'static Rules {
        match self {
            Self::Upstream => &UPSTREAM,
            Self::OutOfTree => &OUT_OF_TREE,
        }
    }
}

/// How the receive buffer becomes a window (`tcp_win_from_space`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowFromSpace {
    /// By the measured ratio of payload to memory (since 6.7, `scaling_ratio`).
    MeasuredRatio,
    /// All but 1/2^`tcp_adv_win_scale`.
    AdvWinScale,
}

/// How the receive buffer follows the rate (`tcp_rcv_space_adjust`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiveTuning {
    /// Twice what a round trip brings, and more while that grows (`tcp_rcvbuf_grow`, 6.18).
    GrowingRound,
    /// Twice what a round trip brings and 16 segments, up to doubled while that grows; the buffer
    /// starts at eight initial windows (`tcp_fixup_rcvbuf`, 4.14).
    TwoRounds,
}

/// Who may send what when (`mptcp_next_segment` and `mptcp_write_xmit` out of tree,
/// `__mptcp_push_pending` upstream), what starts a subflow, what ends a connection: procedures, not
/// data. Each has a folder of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Procedures {
    /// Those of `net/mptcp` upstream.
    Upstream,
    /// Those of the mptcp.org kernels, with state of their own.
    OutOfTree,
}

/// The differences.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The line.
    pub stack: Stack,
    /// Length of a timer tick: 1 s / `hz`.
    pub tick: Span,
    /// Timer ticks per second: `CONFIG_HZ` of the kernels the rules were measured on.
    pub hz: u32,
    /// `tcp_syn_linear_timeouts` exists (6.5); before, SYN timeouts double at once.
    pub syn_linear_timeouts: u8,
    /// See [`WindowFromSpace`].
    pub window_from_space: WindowFromSpace,
    /// The SYN/ACK of a join repeats the B flag of the SYN; since 6.10 it tells what this host wants
    /// (`subflow_init_req`, `mptcp_synack_options`).
    pub join_answer_mirrors_backup: bool,
    /// An IPv4 ADD_ADDR, or an echo, goes beside the DSS if there is room; since 5.15 alone on a
    /// pure ACK (`mptcp_established_options_add_addr`).
    pub add_addr_beside_dss: bool,
    /// The DSS is written behind the options about addresses; since 5.15 in front of them
    /// (`mptcp_write_options`).
    pub dss_written_last: bool,
    /// The SYN of a join that an ADD_ADDR leads to leaves before the echo; since 5.19 behind it
    /// (`mptcp_pm_nl_add_addr_received`).
    pub join_before_echo: bool,
    /// The peer's DATA_FIN is acknowledged before the subflows' FINs; since 6.12 they carry the
    /// acknowledgement (`mptcp_check_data_fin`).
    pub data_ack_before_fin: bool,
    /// ADD_ADDR is repeated after the subflows' timeouts; before 6.18 only after
    /// `net.mptcp.add_addr_timeout` (`mptcp_adjust_add_addr_timeout`).
    pub add_addr_timeout_adapts: bool,
    /// See [`ReceiveTuning`].
    pub receive_tuning: ReceiveTuning,
    /// Segments that the first window advertised holds at most (`tcp_default_init_rwnd`, until 4.19).
    pub initial_window_segments: Option<u32>,
    /// See [`Procedures`].
    pub procedures: Procedures,
    /// The protocol: its digests and its options.
    pub version: Version,
    /// A full segment with PSH is acknowledged as soon as it is read (`tcp_measure_rcv_mss`, since
    /// Linux 6.7).
    pub full_push_acks: bool,
    /// Keys that a client and a server draw until they do without MPTCP because all their tokens are
    /// in use (`mptcp_token_new_connect`, `subflow_check_req`); without it they draw on
    /// (`mptcp_connect_init`, `mptcp_reqsk_new_mptcp`).
    pub key_draws: Option<[u32; 2]>,
    /// When the answer to a join was sent is not remembered: only an echoed timestamp tells the round
    /// trip of the handshake, and without timestamps the first data does (seen on Linux 6.18).
    pub joins_timed_by_echo: bool,
    /// SYN cookies are used for joins too (`subflow_init_req_cookie_join_save`).
    pub join_cookies: bool,
    /// The SYN/ACK of a peer whose SYN crossed ours opens the connection; before 6.11 it is challenged,
    /// and what that brings opens it (`tcp_validate_incoming`).
    pub crossing_syn_ack_opens: bool,
    /// A segment that ends beyond the window is refused while data is unread (`tcp_sequence`, since
    /// Linux 6.17).
    pub window_is_strict: bool,
    /// What arrives ahead of a gap tells the peer's segment size too (`tcp_data_queue_ofo`, since
    /// Linux 6.17).
    pub measures_ahead_of_gaps: bool,
    /// Data ahead of a gap lets the window grow although there is no SACK, so that the acknowledgements of it are no
    /// duplicates to the sender (`tcp_data_queue_ofo`, until 5.8).
    pub window_grows_ahead_without_sack: bool,
    /// So many more window probes may go unanswered than `net.ipv4.tcp_retries2` says
    /// (`tcp_probe_timer`).
    pub probes_beyond_retries: u8,
    /// Resets say why (MP_TCPRST, RFC 8684 section 3.6).
    pub reset_reasons: bool,
    /// Connections from a host to itself use MPTCP (`mptcp_doit`).
    pub loopback: bool,
    /// The default of `net.ipv4.tcp_congestion_control`.
    pub congestion_control: congestion::Name,
    /// The default of `net.ipv4.tcp_rmem`.
    pub tcp_rmem: BufferLimits,
    /// The default of `net.ipv4.tcp_comp_sack_nr`; 0 where acknowledgements are not compressed
    /// (before 4.18).
    pub comp_sack_nr: u8,
    /// The default of `net.core.rmem_max`.
    pub rmem_max: u32,
    /// Bytes of memory that a socket buffer without data counts (`SKB_TRUESIZE` of its head: the room
    /// reserved for headers; before Linux 6.3 rounded up to a power of two).
    pub buffer_memory: u32,
    /// A second full segment on a subflow is acknowledged at once only if the window advances,
    /// whether or not all has gone up to the connection (`mptcp_sockopt_sync_locked`; before Linux 4.18
    /// `__tcp_ack_snd_check` knew no other condition).
    pub no_low_water: bool,
    /// Only the window of the connection keeps its right edge, not that of a subflow
    /// (`mptcp_set_rwin`; as measured).
    pub subflow_windows_shrink: bool,
    /// The window of every subflow is that of the connection: when a reader opens it all subflows
    /// say so, and what fills the buffer out of order is no reason to delay acknowledgements
    /// (`mptcp_cleanup_rbuf`, `__mptcp_select_window` of v0.94, `mptcp_data_ack`).
    pub connection_window: bool,
    /// The window that a subflow advertises because another one has done so is rounded up to what its
    /// field can say; in 6.18 it keeps its right edge and the field is rounded down (`mptcp_set_rwin`).
    pub kept_window_rounds_up: bool,
    /// The last segment of several that leave at once has PSH (`__tcp_transmit_skb`, since 5.4).
    pub bursts_push: bool,
    /// Small segments that follow each other share a buffer in the connection's queues
    /// (`mptcp_try_coalesce`; `mptcp_ofo_queue_after` of v0.94 copies nothing).
    pub buffers_coalesce: bool,
    /// A FIN without data leaves even if the congestion window is full (`tcp_cwnd_test`; not so in
    /// 6.18).
    pub lone_fin_ignores_cwnd: bool,
    /// The window of a subflow decays while it rests, as that of plain TCP does (`tcp_skb_entail`;
    /// `mptcp_skb_entail` of v0.94 has no `tcp_slow_start_after_idle_check`).
    pub subflows_restart_after_idle: bool,
    /// That the congestion window was full once is remembered for the rest of its round trip; before
    /// 6.1 more packets out, but fewer than the window, made it forgotten (`tcp_cwnd_validate`).
    pub full_window_remembered: bool,
    /// Sending waits for more room only if the next acknowledgement is at most this away, or half a
    /// round trip (`tcp_tso_should_defer`, since 6.18); before, whenever half a round trip has passed.
    pub defers_for: Option<Span>,
}

impl Rules {
    /// The rules that packet scripts can be run by, with the names they have there.
    pub const FOR_SCRIPTS: [(&'static str, &'static Self); 4] = [
        ("upstream", &UPSTREAM_1000_HZ),
        ("upstream-2023", &UPSTREAM_2023),
        ("upstream-2021", &UPSTREAM_2021),
        ("out-of-tree", &OUT_OF_TREE),
    ];

    /// The knobs of this line before anybody touches them.
    pub fn sysctl_defaults(&self) -> Sysctl {
        Sysctl {
            tcp_syn_linear_timeouts: self.syn_linear_timeouts,
            tcp_congestion_control: self.congestion_control,
            tcp_rmem: self.tcp_rmem,
            tcp_comp_sack_nr: self.comp_sack_nr,
            rmem_max: self.rmem_max,
            ..Sysctl::default()
        }
    }
}

/// Linux 6.18.
pub const UPSTREAM: Rules = Rules {
    stack: Stack::Upstream,
    tick: Span::from_ms(4),
    hz: 250,
    syn_linear_timeouts: 4,
    window_from_space: WindowFromSpace::MeasuredRatio,
    join_answer_mirrors_backup: false,
    add_addr_beside_dss: false,
    dss_written_last: false,
    join_before_echo: false,
    data_ack_before_fin: false,
    add_addr_timeout_adapts: true,
    receive_tuning: ReceiveTuning::GrowingRound,
    initial_window_segments: None,
    procedures: Procedures::Upstream,
    version: Version::V1,
    full_push_acks: true,
    key_draws: Some([4, 5]),
    crossing_syn_ack_opens: true,
    window_is_strict: true,
    measures_ahead_of_gaps: true,
    window_grows_ahead_without_sack: false,
    probes_beyond_retries: 0,
    join_cookies: true,
    joins_timed_by_echo: true,
    reset_reasons: true,
    loopback: true,
    congestion_control: congestion::Name::Cubic,
    tcp_rmem: BufferLimits { min: 4_096, default: 131_072, max: 6_291_456 },
    comp_sack_nr: 44,
    rmem_max: 4_194_304,
    buffer_memory: 832,
    no_low_water: true,
    subflow_windows_shrink: true,
    connection_window: false,
    kept_window_rounds_up: false,
    bursts_push: true,
    buffers_coalesce: true,
    lone_fin_ignores_cwnd: false,
    subflows_restart_after_idle: true,
    full_window_remembered: true,
    defers_for: Some(Span::from_ms(1)),
};

/// Linux 6.18 with 1000 timer ticks per second: the kernels that packet scripts are written for.
pub const UPSTREAM_1000_HZ: Rules = Rules { tick: Span::from_ms(1), hz: 1_000, ..UPSTREAM };

/// MPTCP as in Linux 6.1 to 6.9, of 2022 to 2024, on today's TCP.
pub const UPSTREAM_2023: Rules = Rules {
    join_answer_mirrors_backup: true,
    data_ack_before_fin: true,
    add_addr_timeout_adapts: false,
    lone_fin_ignores_cwnd: true,
    rmem_max: 212_992,
    ..UPSTREAM_1000_HZ
};

/// MPTCP as in Linux 5.12, of 2021, on today's TCP: what the older packet scripts expect.
pub const UPSTREAM_2021: Rules = Rules {
    join_answer_mirrors_backup: true,
    add_addr_beside_dss: true,
    dss_written_last: true,
    join_before_echo: true,
    data_ack_before_fin: true,
    add_addr_timeout_adapts: false,
    lone_fin_ignores_cwnd: true,
    rmem_max: 212_992,
    ..UPSTREAM_1000_HZ
};

/// mptcp.org v0.94 on Linux 4.14.
pub const OUT_OF_TREE: Rules = Rules {
    stack: Stack::OutOfTree,
    tick: Span::from_ms(1),
    hz: 1_000,
    syn_linear_timeouts: 0,
    window_from_space: WindowFromSpace::AdvWinScale,
    join_answer_mirrors_backup: false,
    add_addr_beside_dss: true,
    dss_written_last: true,
    join_before_echo: false,
    data_ack_before_fin: true,
    add_addr_timeout_adapts: false,
    receive_tuning: ReceiveTuning::TwoRounds,
    initial_window_segments: Some(20),
    procedures: Procedures::OutOfTree,
    version: Version::V0,
    full_push_acks: false,
    key_draws: None,
    crossing_syn_ack_opens: false,
    window_is_strict: false,
    measures_ahead_of_gaps: false,
    window_grows_ahead_without_sack: true,
    probes_beyond_retries: 1,
    join_cookies: false,
    joins_timed_by_echo: false,
    reset_reasons: false,
    loopback: false,
    congestion_control: congestion::Name::Lia,
    tcp_rmem: BufferLimits { min: 4_096, default: 87_380, max: 6_291_456 },
    comp_sack_nr: 0,
    rmem_max: 212_992,
    buffer_memory: 1_280,
    no_low_water: true,
    subflow_windows_shrink: true,
    connection_window: true,
    kept_window_rounds_up: true,
    bursts_push: false,
    buffers_coalesce: false,
    lone_fin_ignores_cwnd: true,
    subflows_restart_after_idle: false,
    full_window_remembered: false,
    defers_for: None,
};
