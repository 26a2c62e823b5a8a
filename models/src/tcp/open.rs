//! The three-way handshake (RFC 9293 section 3.5; Linux `tcp_rcv_synsent_state_process`,
//! `tcp_conn_request`, `tcp_check_req`).

use mptcpsim_core::time::Time;

use super::ack::AckVerdict;
use super::receive::{Receiver, Step};
use super::rtt::INITIAL_RTO;
use super::timers::{TimerKind, Timers};
use super::window::{Space, initial_ratio, initial_window};
use super::{Cx, Error, Negotiated, State, Subflow, Totals, Wants};
use crate::congestion::CaState;
use crate::observe::event::Event;
use crate::observe::mib::Counter;
use crate::segment::{Flags, Segment, TCP_HEADER, Timestamps};
use crate::seq::{Seq, SeqRange};

/// Segment size of a peer that announces none.
const DEFAULT_MSS: u16 = 536;
/// Segments that a round trip brings at first (`TCP_INIT_CWND`).
pub(crate) const INITIAL_SEGMENTS: u32 = 10;

/// What a new subflow is given.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Initial send sequence number.
    pub iss: Seq,
    /// Bytes of the IP header: 20 or 40.
    pub ip_header: u8,
    /// Size of the receive buffer in bytes of memory.
    pub rcvbuf: u32,
    /// The application has chosen it: it will not grow.
    pub rcvbuf_locked: bool,
    /// Whether small segments wait.
    pub nagle: super::Nagle,
    /// Bytes that MPTCP options take in each data segment.
    pub option_reserve: u8,
}

impl Subflow {
    /// A subflow that does nothing yet.
    fn new(cx: &mut Cx<'_>, offer: Offer, state: State) -> Self {
        let mtu = cx.config.mtu;
        let mss = mtu.saturating_sub(u16::from(offer.ip_header) + u16::from(TCP_HEADER));
        let ratio = initial_ratio(cx.config);
        let mut subflow = Self {
            state,
            iss: offer.iss,
            irs: Seq(0),
            negotiated: Negotiated::default(),
            snd_wnd: 0,
            snd_wl1: Seq(0),
            max_window: 0,
            peer_mss: mss,
            mss_cache: mss,
            option_reserve: 0,
            ip_header: offer.ip_header,
            tx: super::scoreboard::TxQueue::new(offer.iss + 1),
            fin_queued: false,
            fin_sent: false,
            orphaned: false,
            unaccepted: false,
            shadow: false,
            nagle: offer.nagle,
            small_sent: offer.iss + 1,
            rtt: super::rtt::Rtt::default(),
            rate: super::rate::Rate::default(),
            recovery: super::recovery::Recovery::default(),
            rack: super::rack::Rack::default(),
            sack: super::sack::SackCache::default(),
            rx: Receiver::new(Seq(0), offer.rcvbuf, offer.rcvbuf_locked, ratio, mss),
            acks: super::acking::Acks::default(),
            timers: Timers::default(),
            wants: Wants::default(),
            burst: super::output::Burst::default(),
            pacing: super::pacing::Pacing::default(),
            ecn: super::output::EcnState::default(),
            last_sent: Time::ZERO,
            opened_at: cx.now,
            totals: Totals::default(),
            error: None,
            reset_answers: None,
            crossed: false,
            fast_open: None,
            unmeasured: false,
            chrono: super::chrono::Chrono::default(),
        };
        subflow.recovery.reordering = cx.sysctl().tcp_reordering;
        subflow.offer_window(cx);
        let w = cx.w();
        w.snd_una = offer.iss;
        w.snd_nxt = offer.iss + 1;
        subflow
    }

    fn offer_window(&mut self, cx: &Cx<'_>) {
        let sysctl = &cx.config.sysctl;
        let space = Space::window_from(self.rx.ratio, self.rx.rcvbuf);
        let mss = u32::from(self.rx.advmss);
        let largest =
            if self.rx.rcvbuf_locked { space } else { sysctl.tcp_rmem.max.max(sysctl.rmem_max) };
        let (window, shift) = initial_window(space, mss, largest, sysctl.tcp_window_scaling);
        let cap = cx.config.rules.initial_window_segments.map_or(u32::MAX, |segments| {
            let options = if self.state == State::SynReceived { self.option_reserve } else { 0 };
            segments * (mss - u32::from(options))
        });
        let window = window.min(cap);
        self.rx.rcv_wnd = window;
        self.rx.rcv_ssthresh = window;
        self.negotiated.rcv_wscale = shift;
    }

    /// Starts an active open: a SYN will follow.
    pub fn connect(cx: &mut Cx<'_>, offer: Offer) -> Self {
        let mut subflow = Self::new(cx, offer, State::SynSent);
        cx.mib.inc(Counter::ActiveOpens);
        cx.event(Event::State { from: State::Closed, to: State::SynSent });
        subflow.wants.set(Wants::SYN);
        subflow.timers.set(cx, TimerKind::Rto, INITIAL_RTO);
        subflow
    }

    /// Answers a SYN: a SYN/ACK will follow.
    pub fn accept(cx: &mut Cx<'_>, offer: Offer, syn: &Segment) -> Self {
        let mut subflow = Self::new(cx, offer, State::SynReceived);
        subflow.negotiate(cx, syn);
        // The window counts segments as they will be, with their options (`tcp_openreq_init_rwin`).
        let shift = subflow.negotiated.rcv_wscale;
        if cx.config.rules.initial_window_segments.is_some() {
            subflow.option_reserve = offer.option_reserve;
        }
        subflow.offer_window(cx);
        subflow.negotiated.rcv_wscale = shift;
        let wants_ecn = syn.flags.has(Flags::ECE) && syn.flags.has(Flags::CWR);
        subflow.negotiated.ecn = wants_ecn && cx.sysctl().tcp_ecn != 0;
        subflow.irs = syn.seq;
        subflow.rx.start_at(syn.seq + 1);
        subflow.snd_wl1 = syn.seq;
        subflow.set_peer_window(u32::from(syn.window));
        cx.event(Event::State { from: State::Closed, to: State::SynReceived });
        subflow.wants.set(Wants::SYN);
        subflow.timers.set(cx, TimerKind::Rto, INITIAL_RTO);
        subflow
    }

    /// Times the SYN (or SYN/ACK) was repeated.
    pub const fn syn_retransmissions(&self) -> u32 {
        self.timers.total_timeouts
    }

    /// A SYN was received again while the SYN/ACK is under way.
    pub fn repeat_syn_ack(&mut self) {
        self.wants.set(Wants::SYN);
    }

    /// Takes the peer's SYN options (RFC 7323, RFC 2018).
    fn negotiate(&mut self, cx: &Cx<'_>, syn: &Segment) {
        let sysctl = &cx.config.sysctl;
        let rare = syn.rare();
        self.peer_mss = rare.and_then(|rare| rare.mss).unwrap_or(DEFAULT_MSS).max(48);
        let scale = rare.and_then(|rare| rare.window_scale).filter(|_| sysctl.tcp_window_scaling);
        self.negotiated.window_scaling = scale.is_some();
        self.negotiated.snd_wscale = scale.unwrap_or(0).min(14);
        if scale.is_none() {
            self.negotiated.rcv_wscale = 0;
        }
        self.negotiated.sack = sysctl.tcp_sack && rare.is_some_and(|rare| rare.sack_permitted);
        self.negotiated.timestamps = sysctl.tcp_timestamps && syn.timestamps.is_some();
        if let Some(stamp) = syn.timestamps {
            self.rx.timestamps.recent = stamp.val;
        }
        let headers = u16::from(self.ip_header) + u16::from(TCP_HEADER);
        let timestamps = self.negotiated.timestamps_len();
        let segment = self.peer_mss.min(cx.config.mtu.saturating_sub(headers));
        self.mss_cache = segment.saturating_sub(timestamps);
        self.rx.advmss = self.rx.advmss.saturating_sub(timestamps);
        self.rx.initialize_rcv_mss(self.mss_cache);
    }

    /// There is no room for both of them (`tcp_synack_options` beside a signature).
    pub(crate) fn choose_sack_over_timestamps(&mut self) {
        if self.negotiated.sack {
            self.forgo_timestamps();
        }
    }

    /// Does without timestamps.
    pub(crate) fn forgo_timestamps(&mut self) {
        if std::mem::take(&mut self.negotiated.timestamps) {
            self.rx.advmss += 12;
            self.mss_cache += 12;
        }
    }

    fn set_peer_window(&mut self, window: u32) {
        self.snd_wnd = window;
        self.max_window = self.max_window.max(window);
    }

    /// The SYN or SYN/ACK of the current state.
    pub(super) fn syn_segment(&mut self, cx: &mut Cx<'_>) -> Segment {
        let answer = self.state == State::SynReceived;
        let sysctl = cx.sysctl();
        let scaling = sysctl.tcp_window_scaling && (!answer || self.negotiated.window_scaling);
        let sack = sysctl.tcp_sack && (!answer || self.negotiated.sack);
        let stamps = sysctl.tcp_timestamps && (!answer || self.negotiated.timestamps);
        let mut flags = Flags::SYN;
        if answer {
            flags = flags | Flags::ACK;
            if self.negotiated.ecn {
                flags = flags | Flags::ECE;
            }
        } else if sysctl.tcp_ecn == 1 {
            flags = flags | Flags::ECE | Flags::CWR;
        }
        let headers = u16::from(self.ip_header) + u16::from(TCP_HEADER);
        let mss = cx.config.mtu.saturating_sub(headers);
        let mut segment = Segment {
            seq: self.iss,
            ack: self.rx.rcv_nxt,
            flags,
            window: self.rx.rcv_wnd.min(u32::from(u16::MAX)) as u16,
            timestamps: stamps.then(|| Timestamps {
                val: self.timestamp_clock(cx.now),
                ecr: self.rx.timestamps.recent,
            }),
            ..Segment::default()
        };
        let rare = segment.rare_mut();
        rare.mss = Some(mss);
        rare.window_scale = scaling.then_some(self.negotiated.rcv_wscale);
        rare.sack_permitted = sack;
        if self.fast_open.is_some() {
            self.add_fast_open(cx, &mut segment);
        }
        self.rx.rcv_wup = self.rx.rcv_nxt;
        segment
    }

    /// The SYN or SYN/ACK was not answered in time.
    pub(super) fn syn_timeout(&mut self, cx: &mut Cx<'_>) {
        let active = self.state == State::SynSent;
        let sysctl = cx.sysctl();
        let retries = if active { sysctl.tcp_syn_retries } else { sysctl.tcp_synack_retries };
        // Linear timeouts come on top of the doubling ones (`tcp_write_timeout`).
        let linear = if active { sysctl.tcp_syn_linear_timeouts } else { 0 };
        // One more for what is open already (`tcp_fastopen_synack_timer`).
        let retries = retries + u8::from(self.opened_by_syn());
        let waited = active && self.user_timed_out(cx.now) == Some(true);
        if waited || self.timers.total_timeouts >= u32::from(retries) + u32::from(linear) {
            cx.mib.inc(Counter::AttemptFails);
            self.time_out(cx);
            return;
        }
        self.timers.total_timeouts += 1;
        self.timers.retransmits = self.timers.retransmits.saturating_add(1);
        if self.timers.total_timeouts > u32::from(linear) {
            self.timers.backoff += 1;
        }
        cx.mib.inc(Counter::Timeouts);
        cx.mib.inc(Counter::SynRetrans);
        cx.mib.inc(Counter::RetransSegs);
        self.totals.retransmissions += 1;
        let retransmits = self.timers.retransmits;
        cx.event(Event::Timeout(retransmits));
        self.wants.set(Wants::SYN);
        let mut delay = self.backed_off_rto();
        if active {
            delay = self.clamp_rto_to_user_timeout(cx, delay);
        }
        self.timers.set(cx, TimerKind::Rto, delay);
    }

    /// SYN-SENT: waiting for the SYN/ACK.
    #[cold]
    pub(super) fn on_segment_syn_sent(&mut self, cx: &mut Cx<'_>, segment: &Segment) -> Step {
        if segment.flags.has(Flags::ACK) && !self.acknowledges_syn(segment.ack) {
            if !segment.flags.has(Flags::RST) {
                self.answer_with_reset(segment);
            }
            return Step::Drop;
        }
        if segment.flags.has(Flags::RST) {
            if segment.flags.has(Flags::ACK) {
                cx.mib.inc(Counter::AttemptFails);
                self.fail(cx, Error::Refused);
                return Step::Reset;
            }
            return Step::Drop;
        }
        if !segment.flags.has(Flags::SYN) {
            return Step::Drop;
        }
        if !segment.flags.has(Flags::ACK) {
            return self.syns_crossed(cx, segment);
        }
        self.irs = segment.seq;
        self.negotiate(cx, segment);
        self.negotiated.ecn = cx.sysctl().tcp_ecn == 1
            && segment.flags.has(Flags::ECE)
            && !segment.flags.has(Flags::CWR);
        self.rx.start_at(segment.seq + 1);
        self.snd_wl1 = segment.seq;
        self.set_peer_window(u32::from(segment.window));
        self.note_timestamps(cx.now, segment);
        if self.fast_open.is_some() {
            self.take_accepted(cx, segment.ack);
        }
        cx.w().snd_una = segment.ack;
        self.established(cx);
        self.acks.scheduled = true;
        self.wants.set(Wants::ACK);
        Step::Established
    }

    /// The peer opens the same connection at the same time (RFC 9293 section 3.5): each SYN is
    /// answered, and either answer ends the handshake.
    #[cold]
    fn syns_crossed(&mut self, cx: &mut Cx<'_>, syn: &Segment) -> Step {
        self.crossed = true;
        self.set_state(cx, State::SynReceived);
        self.negotiate(cx, syn);
        self.negotiated.ecn = cx.sysctl().tcp_ecn == 1 && syn.flags.has(Flags::ECE | Flags::CWR);
        self.irs = syn.seq;
        self.rx.start_at(syn.seq + 1);
        self.snd_wl1 = syn.seq;
        self.set_peer_window(u32::from(syn.window));
        self.wants.set(Wants::SYN);
        Step::Drop
    }

    /// True if the SYNs of both ends crossed on their way.
    pub const fn opened_both_ways(&self) -> bool {
        self.crossed
    }

    /// SYN-RECEIVED: waiting for the third segment.
    #[cold]
    pub(super) fn on_segment_syn_received(&mut self, cx: &mut Cx<'_>, segment: &Segment) -> Step {
        let answers_syn = self.crossed && segment.flags.has(Flags::ACK);
        if segment.flags.has(Flags::SYN) && segment.seq == self.syn_seq() && !answers_syn {
            self.wants.set(Wants::SYN);
            return Step::Drop;
        }
        let crossing = answers_syn && segment.flags.has(Flags::SYN);
        if crossing && cx.config.rules.crossing_syn_ack_opens && segment.ack == self.iss + 1 {
            self.note_timestamps(cx.now, segment);
            cx.w().snd_una = segment.ack;
            self.set_peer_window(u32::from(segment.window));
            self.established(cx);
            // Its SYN is here already.
            self.report_old(cx, SeqRange::new(self.irs, self.irs + 1));
            self.wants.set(Wants::ACK);
            return Step::Established;
        }
        if let Some(step) = self.refuse(cx, segment) {
            if step == Step::Reset {
                cx.mib.inc(Counter::AttemptFails);
            }
            return step;
        }
        let sent_early = if self.is_open_early() { cx.w().snd_nxt - (self.iss + 1) } else { 0 };
        if segment.ack - (self.iss + 1) > sent_early {
            self.answer_with_reset(segment);
            return Step::Drop;
        }
        if !self.opened_by_syn() && !self.crossed {
            cx.mib.inc(Counter::PassiveOpens);
        }
        self.note_timestamps(cx.now, segment);
        cx.w().snd_una = self.iss + 1;
        self.snd_wl1 = segment.seq;
        self.set_peer_window(u32::from(segment.window) << self.negotiated.snd_wscale);
        self.established(cx);
        if self.ack(cx, segment) == AckVerdict::Invalid {
            return Step::Drop;
        }
        if sent_early > 0 {
            self.rearm_rto(cx);
        }
        if self.closes_now() {
            self.shutdown(cx);
        }
        self.wants.set(Wants::PUSH);
        Step::Established
    }

    /// The handshake is complete on this side (`tcp_finish_connect`, `tcp_init_transfer`).
    fn established(&mut self, cx: &mut Cx<'_>) {
        let timeouts = std::mem::take(&mut self.timers.total_timeouts);
        self.timers.stop_retransmit();
        self.timers.retransmits = 0;
        self.timers.backoff = 0;
        self.rx.last_heard = cx.now;
        // As if data had come (`lrcvtime`), unless SYNs crossed.
        if !self.opened_both_ways() {
            self.acks.last_data = cx.now;
        }
        let initial = cx.config.initial_cwnd;
        // RFC 5681 section 3.1: a lost SYN is a sign of congestion, a spurious timeout is not.
        cx.w().cwnd = if timeouts > 1 { 1 } else { initial };
        cx.w().ca_state = CaState::Open;
        self.recovery.high_seq = self.iss + 1;
        self.init_buffer_space();
        if timeouts == 0 && !self.unmeasured {
            let rtt_us = (cx.now - self.opened_at).as_us().clamp(1, u64::from(u32::MAX)) as u32;
            self.rtt_sample(cx, rtt_us, rtt_us);
        } else if let Some(rtt_us) = self.timestamp_rtt_us(cx.now) {
            self.rtt_sample(cx, rtt_us, rtt_us);
        }
        cx.w().mss = self.current_mss();
        cx.w().can_send = true;
        let early = self.is_open_early();
        self.set_state(cx, State::Established);
        self.update_pacing_rate(cx);
        if !early {
            self.start_congestion_control(cx);
        }
        self.wants.set(Wants::PUSH);
    }

    /// `tcp_init_buffer_space`: the window stays within the buffer, with room for a segment.
    fn init_buffer_space(&mut self) {
        let rx = &mut self.rx;
        let (full, segment) = (Space::window_from(rx.ratio, rx.rcvbuf), u32::from(rx.advmss));
        rx.window_clamp = full.min(full.saturating_sub(segment).max(2 * segment));
        rx.rcv_ssthresh = rx.rcv_ssthresh.min(rx.window_clamp);
        let initial = INITIAL_SEGMENTS * u32::from(rx.advmss);
        rx.rtt.read = initial.min(rx.rcv_wnd).min(rx.rcv_ssthresh);
    }
}
