//! TCP as Linux speaks it: one subflow as a value machine.
//!
//! A [`Subflow`] reads no clock and owns no socket. Whoever drives it hands it
//! segments, timer expiries and bytes to send together with a [`Cx`], and then
//! asks it for segments until there are none ([`Subflow::poll`]). It knows of
//! MPTCP only that queued bytes may carry a mapping and that received segments
//! may carry options that somebody else reads; a plain TCP connection is the
//! same machine with nobody else.
//!
//! ```text
//!             on_segment                          push / shutdown
//!                 │                                     │
//!   validate ─► ack ─► (options: caller) ─► data     write queue
//!    receive.rs  ack.rs, sack.rs,          receive.rs   │ output.rs
//!                recovery.rs, rack.rs         │       poll: retransmission, new data,
//!                     │                       │             pure ACK (acking.rs)
//!                  timers.rs               in order: take_arrived
//! ```
//!
//! Read `net/ipv4/tcp_input.c` and `tcp_output.c` beside it; each function here
//! names the one it follows. RFC 9293 (TCP), 7323 (timestamps, window scale),
//! 2018 and 2883 (SACK, DSACK), 8985 (RACK-TLP), 6937 (PRR), 5682 (F-RTO),
//! 6298 (RTO), 3168 (ECN).

mod ack;
mod acking;
mod buffer;
mod chrono;
mod close;
pub(crate) mod cookie;
mod fast_open;
mod info;
mod nagle;
mod open;
mod output;
mod pacing;
mod rack;
mod rate;
mod receive;
mod receiver_rtt;
mod recovery;
mod reorder;
mod retransmit;
mod rtt;
mod sack;
pub(crate) mod scoreboard;
mod timers;
mod user_timeout;
mod validate;
mod wants;
mod window;

use mptcpsim_core::prefetch::prefetch;
use mptcpsim_core::time::{Span, Time};

pub use self::buffer::Buffer;
pub use self::chrono::Chrono;
pub use self::info::TcpInfo;
pub use self::nagle::Nagle;
pub(crate) use self::open::INITIAL_SEGMENTS;
pub use self::open::Offer;
pub use self::output::Outgoing;
pub use self::rate::RateSample;
pub use self::receive::{Arrived, Step};
pub use self::scoreboard::Chunk;
pub(crate) use self::timers::TickTimer;
pub use self::timers::TimerKind;
use self::wants::Wants;
pub use self::window::Space;
pub(crate) use self::window::initial_ratio;

use crate::congestion::{
    self, AckSample, CaEvent, CaState, Congestion, CongestionControl, Flow, Window,
};
use crate::observe::event::{Event, EventLog};
use crate::observe::mib::{Counter, Mib};
use crate::rules::Rules;
use crate::segment::{Flags, Segment};
use crate::seq::Seq;
use crate::sysctl::Sysctl;

/// The connection states of RFC 9293 section 3.3.2 that a subflow can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Over.
    Closed,
    /// SYN sent.
    SynSent,
    /// SYN received, SYN/ACK sent.
    SynReceived,
    /// Open both ways.
    Established,
    /// FIN sent.
    FinWait1,
    /// FIN acknowledged.
    FinWait2,
    /// The peer's FIN received.
    CloseWait,
    /// Both FINs sent at once.
    Closing,
    /// FIN sent after the peer's.
    LastAck,
    /// Over, waiting for stray segments.
    TimeWait,
}

impl State {
    /// Data may be sent: ESTABLISHED or CLOSE_WAIT.
    pub const fn can_send(self) -> bool {
        matches!(self, Self::Established | Self::CloseWait)
    }

    /// The handshake is behind, the end is not reached.
    pub const fn synchronised(self) -> bool {
        !matches!(self, Self::Closed | Self::SynSent | Self::SynReceived | Self::TimeWait)
    }

    /// The peer may still send data.
    pub const fn can_receive(self) -> bool {
        matches!(self, Self::Established | Self::FinWait1 | Self::FinWait2)
    }

    /// The name Linux' `ss` prints.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSE",
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECV",
            Self::Established => "ESTAB",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::CloseWait => "CLOSE-WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST-ACK",
            Self::TimeWait => "TIME-WAIT",
        }
    }
}

/// What of the host a subflow looks at.
#[derive(Clone, Debug)]
pub struct TcpConfig {
    /// The knobs.
    pub sysctl: Sysctl,
    /// The kernel line.
    pub rules: &'static Rules,
    /// Largest IP packet in bytes.
    pub mtu: u16,
    /// Initial window in packets (route attribute `initcwnd`).
    pub initial_cwnd: u32,
    /// Acknowledge every segment at once (route attribute `quickack`).
    pub quickack: bool,
    /// Form bursts as segmentation offload does (`tcp_tso_should_defer`).
    pub tso: bool,
    /// The device hands over longer packets as what it has merged from segments with so many bytes
    /// of data (`gso_size`).
    pub merged_size: Option<u16>,
}

impl TcpConfig {
    /// A host of a kernel line as it is when nobody has set anything, on Ethernet.
    pub fn new(rules: &'static Rules) -> Self {
        let sysctl = rules.sysctl_defaults();
        Self {
            sysctl,
            rules,
            mtu: 1_500,
            initial_cwnd: 10,
            quickack: false,
            tso: true,
            merged_size: None,
        }
    }

    /// True if nothing differs.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let Self { sysctl, rules, mtu, initial_cwnd, quickack, tso, merged_size } = self;
        std::ptr::eq(*rules, other.rules)
            && *sysctl == other.sysctl
            && (*mtu, *initial_cwnd) == (other.mtu, other.initial_cwnd)
            && (*quickack, *tso) == (other.quickack, other.tso)
            && *merged_size == other.merged_size
    }

    /// The size of the segments that a packet with `len` bytes of data was merged from.
    fn merged_from(&self, len: u32) -> Option<u16> {
        self.merged_size.filter(|size| len > u32::from(*size))
    }

    /// The buffer that a segment comes in.
    fn buffer(&self, segment: &Segment) -> Buffer {
        match self.merged_from(segment.payload.len()) {
            None => Buffer::of(segment.wire_len(), self.rules),
            Some(_) => Buffer::in_pages(segment.wire_len()),
        }
    }
}

/// What a subflow may use of its surroundings during one call.
pub struct Cx<'a> {
    /// Now.
    pub now: Time,
    /// The host's settings.
    pub config: &'a TcpConfig,
    /// The host's counters.
    pub mib: &'a mut Mib,
    /// Where events go.
    pub log: &'a mut EventLog,
    /// The congestion control of the connection.
    pub congestion: &'a mut Congestion,
    /// The windows of all subflows of the connection, seen from this subflow.
    pub flow: Flow<'a>,
    /// The receive buffer that limits the advertised window.
    pub space: &'a mut Space,
    /// The application waits for room in the send buffer (`SOCK_NOSPACE`).
    pub starved: bool,
}

impl Cx<'_> {
    /// The subflow's window.
    fn window(&self) -> &Window {
        self.flow.view()
    }

    fn w(&mut self) -> &mut Window {
        self.flow.window()
    }

    fn sysctl(&self) -> &Sysctl {
        &self.config.sysctl
    }

    fn event(&mut self, event: Event) {
        self.log.push(self.now, self.flow.me(), event);
    }

    fn ca_ssthresh(&mut self) -> u32 {
        self.congestion.ssthresh(&mut self.flow.reborrow())
    }

    fn ca_event(&mut self, event: CaEvent) {
        self.congestion.cwnd_event(&mut self.flow.reborrow(), event);
    }

    fn ca_set_state(&mut self, new: CaState) {
        self.congestion.set_state(&mut self.flow.reborrow(), new);
        self.w().ca_state = new;
    }

    fn ca_cong_avoid(&mut self, acked: u32) {
        self.congestion.cong_avoid(&mut self.flow.reborrow(), acked);
    }

    fn ca_pkts_acked(&mut self, sample: AckSample) {
        self.congestion.pkts_acked(&mut self.flow.reborrow(), sample);
    }

    fn ca_undo_cwnd(&mut self) -> u32 {
        self.congestion.undo_cwnd(&mut self.flow.reborrow())
    }

    fn ca_control(&mut self, sample: &congestion::RateSample) {
        self.congestion.cong_control(&mut self.flow.reborrow(), sample);
    }

    fn ca_release(&mut self) {
        self.congestion.release(&mut self.flow.reborrow());
    }

    fn ca_init(&mut self) {
        self.congestion.init(&mut self.flow.reborrow());
    }
}

/// What both ends agreed on in the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Negotiated {
    /// Timestamps in every segment.
    pub timestamps: bool,
    /// Selective acknowledgements.
    pub sack: bool,
    /// Window scaling.
    pub window_scaling: bool,
    /// Explicit congestion notification.
    pub ecn: bool,
    /// Shift of the windows the peer sends.
    pub snd_wscale: u8,
    /// Shift of the windows sent to the peer.
    pub rcv_wscale: u8,
}

impl Negotiated {
    /// Bytes that timestamps take in a segment.
    pub(crate) const fn timestamps_len(self) -> u16 {
        if self.timestamps { 12 } else { 0 }
    }
}

/// Totals over the life of a subflow, as `tcp_info` has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Segments sent.
    pub segs_out: u64,
    /// Segments received.
    pub segs_in: u64,
    /// Segments with data sent.
    pub data_segs_out: u64,
    /// Segments with data received.
    pub data_segs_in: u64,
    /// Payload bytes sent, retransmissions included.
    pub bytes_sent: u64,
    /// Payload bytes acknowledged.
    pub bytes_acked: u64,
    /// Payload bytes received in order.
    pub bytes_received: u64,
    /// Segments sent again.
    pub retransmissions: u64,
    /// Payload bytes sent again.
    pub bytes_retransmitted: u64,
    /// Packets whose acknowledgement said that congestion was experienced.
    pub delivered_ce: u32,
    /// Segments received for which there was no memory.
    pub drops: u32,
    /// Packets taken for lost.
    pub lost: u32,
    /// Retransmission timeouts.
    pub timeouts: u32,
    /// Duplicate segments the peer reported.
    pub dsack_dups: u32,
    /// How often the path was seen to reorder what was sent.
    pub reord_seen: u32,
    /// Segments received ahead of a gap.
    pub rcv_ooopack: u32,
    /// Retransmissions that proved unnecessary.
    pub spurious_recoveries: u32,
}

/// One TCP connection between two addresses: the whole of a plain TCP connection, or one of the
/// subflows of an MPTCP connection.
///
/// Contract: after any call that takes a [`Cx`], call [`Subflow::poll`] until it returns `None`,
/// then [`Subflow::due`] says when [`Subflow::on_timer`] wants to be called next.
#[derive(Clone, Debug)]
pub struct Subflow {
    state: State,
    iss: Seq,
    irs: Seq,
    negotiated: Negotiated,
    /// The peer's last window in bytes, and the segment that brought it.
    snd_wnd: u32,
    snd_wl1: Seq,
    max_window: u32,
    /// Segment size the peer announced, and the one in use: without the options that not every segment has.
    peer_mss: u16,
    mss_cache: u16,
    /// Bytes that MPTCP options take in each data segment.
    option_reserve: u8,
    ip_header: u8,
    tx: scoreboard::TxQueue,
    /// The FIN is queued behind all data.
    fin_queued: bool,
    fin_sent: bool,
    /// Nobody reads what arrives.
    orphaned: bool,
    /// No application has accepted it yet (`sk_socket`).
    unaccepted: bool,
    /// Only a shadow is left that waits for the peer's FIN or for strays
    /// (`struct tcp_timewait_sock`).
    shadow: bool,
    /// Whether small segments wait.
    nagle: Nagle,
    /// The number behind the last small segment sent (`snd_sml`).
    small_sent: Seq,
    rtt: rtt::Rtt,
    rate: rate::Rate,
    recovery: recovery::Recovery,
    rack: rack::Rack,
    sack: sack::SackCache,
    rx: receive::Receiver,
    acks: acking::Acks,
    timers: timers::Timers,
    wants: Wants,
    burst: output::Burst,
    pacing: pacing::Pacing,
    ecn: output::EcnState,
    last_sent: Time,
    opened_at: Time,
    totals: Totals,
    /// Why it ended, once `state` is [`State::Closed`].
    error: Option<Error>,
    /// The reset to send answers a segment: it takes that segment's acknowledgement as its number
    /// (RFC 9293 section 3.5.2).
    reset_answers: Option<Seq>,
    /// When the SYN/ACK was sent is not known.
    unmeasured: bool,
    chrono: chrono::Chrono,
    /// The peer's SYN arrived while ours was under way.
    crossed: bool,
    /// The SYN may carry data.
    fast_open: Option<Box<fast_open::FastOpening>>,
}

/// Why a subflow ended against its will (the errno an application would see).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// `ECONNREFUSED`: the SYN was answered by a reset.
    Refused,
    /// `ECONNRESET`: a reset arrived.
    Reset,
    /// `EPIPE`: a reset arrived behind the peer's FIN.
    Pipe,
    /// `ETIMEDOUT`: retransmissions went unanswered.
    TimedOut,
    /// `ECONNABORTED`: this side reset it.
    Aborted,
}

impl Error {
    /// The errno's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "ECONNREFUSED",
            Self::Reset => "ECONNRESET",
            Self::Pipe => "EPIPE",
            Self::TimedOut => "ETIMEDOUT",
            Self::Aborted => "ECONNABORTED",
        }
    }
}

impl Subflow {
    /// Its state.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Its initial send sequence number.
    pub const fn iss(&self) -> Seq {
        self.iss
    }

    /// Its initial receive sequence number.
    pub const fn irs(&self) -> Seq {
        self.irs
    }

    /// What was agreed on in the handshake.
    pub const fn negotiated(&self) -> Negotiated {
        self.negotiated
    }

    /// Totals so far.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Why it ended, if not by FINs.
    pub const fn error(&self) -> Option<Error> {
        self.error
    }

    /// When it was opened.
    pub const fn opened_at(&self) -> Time {
        self.opened_at
    }

    /// The next number expected from the peer.
    pub const fn rcv_nxt(&self) -> Seq {
        self.rx.rcv_nxt
    }

    /// The peer's window in bytes.
    pub const fn snd_wnd(&self) -> u32 {
        self.snd_wnd
    }

    /// The number behind the last byte queued.
    pub const fn write_seq(&self) -> Seq {
        self.tx.write_seq
    }

    /// The retransmission timeout.
    pub const fn rto(&self) -> Span {
        self.rtt.rto
    }

    /// Mean deviation of the round-trip time in microseconds times 4 (`rttvar_us`).
    pub const fn rttvar_us(&self) -> u32 {
        self.rtt.rttvar_us
    }

    /// Consecutive timeouts without progress.
    pub const fn retransmits(&self) -> u8 {
        self.timers.retransmits
    }

    /// How often the timeout is doubled.
    pub const fn backoff(&self) -> u8 {
        self.timers.backoff
    }

    /// Packets that the path may reorder.
    pub const fn reordering(&self) -> u32 {
        self.recovery.reordering
    }

    /// When the peer was last heard (`rcv_tstamp`).
    pub const fn last_heard(&self) -> Time {
        self.rx.last_heard
    }

    /// Mean deviation of the round-trip time in microseconds times 4 (`rttvar_us`).
    pub const fn rttvar_us4(&self) -> u32 {
        self.rtt.rttvar_us
    }

    /// True if nothing is sent and unacknowledged nor waiting to be sent.
    pub fn is_idle(&self, snd_una: Seq) -> bool {
        self.tx.bytes(snd_una) == 0
    }

    /// Bytes queued or sent and not acknowledged.
    pub fn queued_bytes(&self, snd_una: Seq) -> u32 {
        self.tx.bytes(snd_una)
    }

    /// Payload bytes that fit into one segment now (`tcp_current_mss`).
    pub fn current_mss(&self) -> u32 {
        u32::from(self.mss_cache.saturating_sub(self.option_reserve.into()))
    }

    /// Sets the bytes that MPTCP options take in each data segment.
    pub fn reserve_options(&mut self, cx: &mut Cx<'_>, bytes: u8) {
        if self.option_reserve != bytes {
            self.option_reserve = bytes;
        }
        cx.w().mss = self.current_mss();
    }

    /// IP will refuse what is queued last, as too long.
    pub(crate) fn refuse_last(&mut self) {
        self.tx.refuse_last();
    }

    /// True if IP refuses what is to be sent next.
    fn is_refused(&self, snd_nxt: Seq) -> bool {
        self.tx.unsent(snd_nxt).is_some_and(|(chunk, _)| chunk.refused)
    }

    /// Asks the peer for its window, whatever the timers say (`tcp_write_wakeup`).
    pub fn probe_window_now(&mut self) {
        self.wants.set(Wants::WINDOW_PROBE);
    }

    /// What is queued or sent and not acknowledged, chunk by chunk, the first one cut to that.
    pub fn outstanding(&self, snd_una: Seq) -> impl Iterator<Item = Chunk> + '_ {
        self.tx.outstanding(snd_una)
    }

    /// Asks for a pure ACK, before any data that waits: it carries what the owner has to say
    /// (`tcp_send_ack`).
    pub fn request_ack(&mut self) {
        self.wants.set(Wants::PURE_ACK);
    }

    /// Asks for a pure ACK behind everything that leaves now.
    pub fn request_last_ack(&mut self) {
        self.wants.set(Wants::LAST_ACK);
    }

    /// True if only a shadow of it is left, which knows nothing of MPTCP (`tcp_timewait_sock`).
    pub const fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// Asks for an ACK after `delay`, on the delayed-ACK timer.
    pub fn schedule_ack(&mut self, cx: &Cx<'_>, delay: Span) {
        self.acks.scheduled = true;
        self.timers.delayed_ack.set(cx.now, delay);
    }

    /// Takes back [`Subflow::schedule_ack`].
    pub fn cancel_scheduled_ack(&mut self) {
        self.acks.scheduled = false;
        self.timers.delayed_ack.stop();
    }

    /// Brings near what segments in both directions need.
    pub(crate) fn prefetch(&self) {
        prefetch(&self.acks);
        prefetch(&self.timers);
        prefetch(&self.totals);
        prefetch(&self.iss);
        prefetch(&self.state);
        prefetch(&self.pacing);
        prefetch(&self.rx.timestamps);
        prefetch(&self.rx.rcv_wup);
    }

    /// Brings near what acknowledgements need.
    pub(crate) fn prefetch_sender(&self) {
        prefetch(&self.recovery);
        prefetch(&self.tx);
        prefetch(&self.sack);
        prefetch(&self.rack);
        prefetch(&self.burst);
        prefetch(&self.rate);
        prefetch(&self.rtt);
        prefetch(&self.chrono);
    }

    /// Brings near what data needs.
    pub(crate) fn prefetch_receiver(&self) {
        prefetch(&self.rx);
    }

    /// Brings near the ends of the queues that acknowledgements ask for.
    pub(crate) fn prefetch_sent(&self) {
        self.tx.prefetch();
    }

    /// Brings near the ends of the queues that data asks for.
    pub(crate) fn prefetch_arrived(&self) {
        self.rx.prefetch_queues();
    }

    /// True if [`Subflow::poll`] may have something.
    pub(crate) fn has_output(&self) -> bool {
        !self.wants.is_empty()
    }

    fn header_flags(&self) -> Flags {
        if self.ecn.echo { Flags::ACK | Flags::ECE } else { Flags::ACK }
    }

    fn set_state(&mut self, cx: &mut Cx<'_>, state: State) {
        if self.state == state {
            return;
        }
        let open = |state| matches!(state, State::Established | State::CloseWait);
        match (open(self.state), open(state)) {
            (false, true) => cx.mib.inc(Counter::CurrEstab),
            (true, false) => {
                cx.mib.dec(Counter::CurrEstab);
                cx.mib.add(Counter::EstabResets, u64::from(state == State::Closed));
            }
            _ => {}
        }
        if self.state.synchronised() && !state.synchronised() {
            cx.ca_release();
        }
        let from = std::mem::replace(&mut self.state, state);
        cx.w().can_send = state.can_send();
        cx.event(Event::State { from, to: state });
    }
}
