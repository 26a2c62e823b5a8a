//! What the out-of-tree line does in ways of its own (mptcp.org kernel v0.94, RFC 6824).
//!
//! The connection, its subflows and its stream offsets are the same as upstream;
//! here are the procedures that differ, in the order of the connection's files:
//!
//! | file | what | kernel |
//! |---|---|---|
//! | `open.rs` | keys in SYNs, `pre_established`, receive buffers | `mptcp_ctrl.c` |
//! | `options.rs` | reading options, full establishment | `mptcp_input.c`: `mptcp_handle_options`, `mptcp_data_ack` |
//! | `output.rs` | writing options | `mptcp_output.c`: `mptcp_established_options` |
//! | `send.rs` | a scheduler for each segment | `mptcp_write_xmit`, `mptcp_next_segment` |
//! | `reinject.rs` | data of failed subflows, the connection's timeout | `mptcp_reinject_data`, `mptcp_retransmit_timer` |
//! | `receive.rs` | whole mappings | `mptcp_data_ready` |
//! | `fallback.rs` | infinite mappings | `mptcp_prevalidate_skb`, `mptcp_mp_fail_rcvd` |
//! | `close.rs` | FINs behind the DATA_FIN, MP_FASTCLOSE | `mptcp_sub_close`, `mptcp_send_active_reset` |

mod close;
mod fallback;
mod open;
mod options;
mod output;
mod receive;
mod reinject;
mod send;

use std::collections::VecDeque;

use mptcpsim_core::prefetch::prefetch_some;
use mptcpsim_core::time::{Span, Time};

use super::{Env, Mode};
use crate::rules::Procedures;
use crate::scheduler::Piece;
use crate::segment::AddAddr;
use crate::seq::Seq;
use crate::tcp::TickTimer;

/// Bytes that a DSS takes in each data segment: two 4-byte numbers, mapping, checksum
/// (`MPTCP_SUB_LEN_DSS_ALIGN` and its parts).
pub(super) const DSS_RESERVE: u8 = 20;

/// What this line keeps of a connection beside what both keep.
#[derive(Clone, Debug)]
pub(super) struct State {
    subflows: Vec<SubflowState>,
    /// The version agreed on; 1 changes ADD_ADDR only.
    version: u8,
    /// Data given to subflows and not acknowledged, in order, with its carriers
    /// (`sk_write_queue`, `path_mask`).
    sent: VecDeque<Piece>,
    /// Data to be given to a subflow once more, in order (`reinject_queue`).
    again: VecDeque<Piece>,
    /// The DATA_FIN goes with the last data.
    data_fin_rides: bool,
    /// The subflow that the peer's DATA_FIN came on (`dfin_path_index`).
    data_fin_from: Option<usize>,
    /// Doublings of the connection's timeout, and whether it has run out (`TCP_CA_Loss`).
    backoff: u8,
    lost: bool,
    /// Behind the last small segment sent.
    small_end: u64,
    /// Addresses to announce, one on each segment.
    announce: VecDeque<AddAddr>,
    infinite: Infinite,
}

/// The end of mappings (RFC 6824 section 3.6).
#[derive(Clone, Copy, Debug, Default)]
struct Infinite {
    /// Number of the subflow's first byte under the infinite mapping, and its stream offset.
    sent_from: Option<(Seq, u64)>,
    /// A checksum failed: what arrives does not count before the peer's infinite mapping.
    awaited: bool,
    /// Where the data starts whose checksum failed: MP_FAIL goes with every segment.
    failed: Option<u64>,
}

/// What this line keeps of a subflow.
#[derive(Clone, Debug)]
struct SubflowState {
    /// Behind the last stream offset given to it (`last_end_data_seq`).
    last_end: Option<u64>,
    /// Bytes of the first window that have not been received yet (`init_rcv_wnd`).
    init_rcv_wnd: i64,
    /// The next segment is the third ACK, with both keys (`include_mpc`).
    include_mpc: bool,
    /// What the peer had acknowledged.
    acked: Seq,
    /// Data before this number was given to other subflows already.
    reinjected: Seq,
    /// A DATA_FIN without data is to leave.
    data_fin: bool,
    /// The checksum of data starting here failed: the reset says so.
    mp_fail: Option<u64>,
    /// MP_FASTCLOSE is to leave.
    fastclose: bool,

    /// Repeats the third ACK of a join, or MP_FASTCLOSE; its interval doubles.
    repeat: TickTimer,
    interval: Span,
    repeats: u8,
    /// The end of waiting for the peer's FIN.
    close: TickTimer,
}

impl State {
    /// The state of a new connection, if it is one of this line.
    pub(super) fn of(env: &Env<'_>, mode: Mode) -> Option<Box<Self>> {
        let ours = env.config.rules.procedures == Procedures::OutOfTree && mode == Mode::Mptcp;
        ours.then(|| {
            Box::new(Self {
                subflows: Vec::with_capacity(2),
                version: env.config.sysctl.mptcp_version,
                sent: VecDeque::new(),
                again: VecDeque::new(),
                data_fin_rides: false,
                data_fin_from: None,
                backoff: 0,
                lost: false,
                small_end: 0,
                announce: VecDeque::new(),
                infinite: Infinite::default(),
            })
        })
    }

    /// Brings near what a segment of a subflow meets.
    pub(super) fn prefetch(&self, subflow: usize) {
        prefetch_some(self.subflows.get(subflow));
        prefetch_some(self.sent.front());
        prefetch_some(self.sent.back());
    }

    pub(super) fn add_subflow(&mut self) {
        self.subflows.push(SubflowState {
            last_end: None,
            init_rcv_wnd: 0,
            include_mpc: false,
            acked: Seq(0),
            reinjected: Seq(0),
            data_fin: false,
            mp_fail: None,
            fastclose: false,
            repeats: 0,
            repeat: TickTimer::default(),
            interval: Span::ZERO,
            close: TickTimer::default(),
        });
    }

    /// When a subflow wants to be called for what is of this line.
    pub(super) fn due(&self, index: usize) -> Time {
        let of = |sub: &SubflowState| sub.repeat.due().min(sub.close.due());
        self.subflows.get(index).map_or(Time::NEVER, of)
    }

    /// The only stream offset that a subflow may go on from before it is fully established: it
    /// must not carry data out of order.
    pub(super) fn only_from(&self, index: usize) -> Option<u64> {
        self.subflows.get(index).and_then(|sub| sub.last_end)
    }

    pub(super) fn data_fin_from(&self) -> Option<usize> {
        self.data_fin_from
    }
}
