//! Building segments (Linux `tcp_write_xmit`, `__tcp_transmit_skb`). What is sent again stands in `retransmit`.
//!
//! Where the kernel loops over a queue and transmits, [`Subflow::poll`] returns
//! one segment per call and remembers where the loop stands.

use mptcpsim_core::time::{Span, Time};

use super::scoreboard::{Chunk, Marks};
use super::timers::TimerKind;
use super::{Cx, State, Subflow, Wants};
use crate::congestion::{CaEvent, CaState, CongestionControl, Window};
use crate::observe::mib::Counter;
use crate::segment::{Ecn, Flags, MAX_BURST, MAX_OPTIONS, Segment};
use crate::seq::{Seq, SeqRange};

/// `TCP_MSS_DEFAULT`.
const DEFAULT_MSS: u32 = 536;

/// A segment that is about to leave. The owner adds MPTCP options to it and calls
/// [`Subflow::complete`].
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// Header and payload; window, SACK blocks and header length are still missing.
    pub segment: Segment,
    /// The chunk the payload is from: its mapping, if it is mapped.
    pub chunk: Option<Chunk>,
    /// Where the burst began that the segment is part of: its segments share their options.
    pub skb_seq: Seq,
    /// It was sent before.
    pub retransmission: bool,
}

impl Outgoing {
    /// Takes the segment out and leaves a fresh one.
    pub(crate) fn take_segment(&mut self) -> Segment {
        self.chunk = None;
        self.retransmission = false;
        std::mem::take(&mut self.segment)
    }
}

/// ECN of one subflow (RFC 3168).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EcnState {
    /// Congestion was experienced: echo it until the peer has reduced its window.
    pub(super) echo: bool,
    /// Tell the peer with the next new data that the window was reduced.
    cwr: bool,
}

impl EcnState {
    pub(super) fn queue_cwr(&mut self, negotiated: bool) {
        self.cwr |= negotiated;
    }
    pub(super) fn withdraw_cwr(&mut self) {
        self.cwr = false;
    }
    pub(super) fn cwr_received(&mut self) {
        self.echo = false;
    }
    /// True if this is news.
    pub(super) fn ce_received(&mut self) -> bool {
        !std::mem::replace(&mut self.echo, true)
    }
}

/// Where the loop over new data stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Burst {
    /// Segments sent since the loop began.
    pub(super) sent: u32,
    /// Bursts since the loop began.
    count: u8,
    /// What leaves at once, as one buffer, is under way: where it begins and how long it is.
    open: bool,
    start: Seq,
    len: u16,
    /// The window, not the data, ended the loop.
    cwnd_limited: bool,
    /// The peer's window ended it.
    window_limited: bool,
    /// The loop runs to tell a spurious timeout from a real one.
    pub(super) frto_probe: bool,
    /// When data was last sent: bursts form only behind other data.
    last_at: Time,
    /// Highest `cwnd` use since the last validation (`snd_cwnd_used`), and when.
    used: u32,
    validated_at: Time,
    usage_seq: Seq,
}

impl Burst {
    fn end(&self) -> Seq {
        self.start + u32::from(self.len)
    }
}

impl Subflow {
    /// Writes the next segment to send to `out`, a fresh one; false if there is none now.
    pub fn poll(&mut self, cx: &mut Cx<'_>, out: &mut Outgoing) -> bool {
        if self.wants.has(Wants::RESET) {
            self.wants = Wants::default();
            let segment = self.reset_segment(cx);
            *out = self.bare(segment);
            return true;
        }
        if self.wants.take(Wants::SYN) {
            let segment = self.syn_segment(cx);
            *out = self.bare(segment);
            return true;
        }
        let pure_ack = self.wants.take(Wants::PURE_ACK);
        let open = self.state.synchronised() || self.is_open_early();
        if open && !pure_ack && self.poll_data(cx, out) {
            return true;
        }
        let ack = self.wants.take(Wants::ACK) || pure_ack;
        if !ack && !self.wants.take(Wants::LAST_ACK) {
            return false;
        }
        let challenged = self.state == State::SynReceived && self.opened_both_ways();
        if matches!(self.state, State::Closed | State::SynSent | State::SynReceived) && !challenged
        {
            return false;
        }
        out.skb_seq = self.send_seq(cx);
        self.write_header(cx, out.skb_seq, Flags::NONE, &mut out.segment);
        true
    }

    fn poll_data(&mut self, cx: &mut Cx<'_>, out: &mut Outgoing) -> bool {
        if self.wants.has(Wants::AGAIN)
            && let Some(again) = self.poll_again(cx)
        {
            *out = again;
            return true;
        }
        if self.wants.has(Wants::PUSH) {
            if self.next_new(cx, out) {
                return true;
            }
            self.wants.clear(Wants::PUSH);
            self.end_push(cx);
        }
        if self.wants.take(Wants::WINDOW_PROBE) && !self.is_refused(cx.w().snd_nxt) {
            *out = self.window_probe(cx);
            return true;
        }
        false
    }

    /// What is sent for the second time, or to find out whether it must be.
    #[inline(never)]
    fn poll_again(&mut self, cx: &mut Cx<'_>) -> Option<Outgoing> {
        if self.wants.take(Wants::HEAD) && !self.tx.is_empty() {
            return Some(self.retransmit(cx, 0, true));
        }
        if self.wants.has(Wants::RETRANSMIT) {
            if let Some(out) = self.next_retransmission(cx) {
                return Some(out);
            }
            self.wants.clear(Wants::RETRANSMIT);
        }
        if self.wants.take(Wants::PROBE) { self.loss_probe(cx) } else { None }
    }

    pub(super) fn bare(&self, segment: Segment) -> Outgoing {
        Outgoing { skb_seq: segment.seq, segment, chunk: None, retransmission: false }
    }

    /// The number of a segment without data (`tcp_acceptable_seq`): within the peer's window.
    pub(super) fn send_seq(&self, cx: &Cx<'_>) -> Seq {
        let end = self.window_end(cx);
        let nxt = cx.window().snd_nxt;
        let shift = self.negotiated.snd_wscale;
        if nxt.at_or_before(end) || nxt - end < 1 << shift { nxt } else { end }
    }

    pub(super) fn header(&self, cx: &Cx<'_>, seq: Seq, flags: Flags) -> Segment {
        let mut segment = Segment::default();
        self.write_header(cx, seq, flags, &mut segment);
        segment
    }

    fn write_header(&self, cx: &Cx<'_>, seq: Seq, flags: Flags, segment: &mut Segment) {
        segment.seq = seq;
        segment.ack = self.rx.rcv_nxt;
        segment.flags = self.header_flags() | flags;
        segment.timestamps = self.timestamps(cx.now);
    }

    /// Fills in what depends on the options: SACK blocks, window, header length. Call it when
    /// the MPTCP options are in; the segment must then be sent.
    pub fn complete(&mut self, cx: &mut Cx<'_>, out: &mut Outgoing) {
        let segment = &mut out.segment;
        let syn = segment.flags.has(Flags::SYN);
        if segment.flags.has(Flags::ACK) && !syn {
            self.add_sack_blocks(segment);
            let before = self.rx.rcv_wnd;
            let tells = segment.dss.is_some_and(|dss| dss.has_ack());
            segment.window = self.select_window(cx, tells);
            self.count_zero_window(cx, before);
            self.ack_sent(cx);
        }
        segment.seal(self.ip_header);
        self.totals.segs_out += 1;
        // RFC 4022 counts no segments with nothing but what was sent before.
        let again = self.state == State::SynSent && self.syn_retransmissions() > 0;
        let opens_again = syn && (again || self.opened_both_ways());
        if !out.retransmission && !opens_again {
            cx.mib.inc(Counter::OutSegs);
        }
    }

    fn count_zero_window(&self, cx: &mut Cx<'_>, before: u32) {
        match (before, self.rx.rcv_wnd) {
            (0, 1..) => cx.mib.inc(Counter::FromZeroWindowAdv),
            (1.., 0) => cx.mib.inc(Counter::ToZeroWindowAdv),
            _ => {}
        }
    }

    /// As many blocks as fit behind the other options (`tcp_established_options`).
    fn add_sack_blocks(&mut self, segment: &mut Segment) {
        if !self.negotiated.sack {
            return;
        }
        let dsack = self.rx.reorder.dsack;
        if dsack.is_none() && self.rx.reorder.is_empty() {
            return;
        }
        let room = MAX_OPTIONS.saturating_sub(segment.options_len());
        let fits = usize::from(room.saturating_sub(4) / 8);
        let blocks = dsack.into_iter().chain(self.rx.reorder.reported()).take(fits);
        let mut fourth: Option<SeqRange> = None;
        for block in blocks {
            if !segment.sack.push(block) {
                fourth = Some(block);
            }
        }
        if let Some(block) = fourth {
            segment.rare_mut().fourth_sack = Some(block);
        }
        if fits > 0 {
            self.rx.reorder.dsack = None;
        }
    }

    // ---- new data ------------------------------------------------------------------------

    /// Queues `len` bytes of the stream from `stream` on for sending. Mapped bytes form chunks of
    /// at most `limit` bytes, one mapping each.
    pub fn push(&mut self, cx: &mut Cx<'_>, stream: u64, len: u32, mapped: bool, limit: u32) {
        self.nagle_queued();
        let nxt = cx.w().snd_nxt;
        if self.tx.push(stream, len, mapped, limit, nxt) {
            self.restart_after_idle(cx);
        }
        self.wants.set(Wants::PUSH);
    }

    /// Nothing pushed later may join what is queued now.
    pub fn freeze_queue(&mut self) {
        self.tx.freeze();
    }

    /// Bytes that a chunk may grow to: whole segments, as many as one burst holds
    /// (`tcp_xmit_size_goal`).
    pub fn size_goal(&self) -> u32 {
        let mss = self.current_mss().max(1);
        // Never more than half of the largest window seen (`tcp_bound_to_half_wnd`).
        let half =
            if self.max_window > DEFAULT_MSS { self.max_window / 2 } else { self.max_window };
        let burst = if half > 0 { MAX_BURST.min(half) } else { MAX_BURST };
        (burst / mss).max(1) * mss
    }

    /// Bytes queued and not yet sent.
    pub fn unsent_bytes(&self, snd_nxt: Seq) -> u32 {
        (self.tx.write_seq - snd_nxt).saturating_sub(u32::from(self.fin_queued && !self.fin_sent))
    }

    /// Socket buffers that hold what is queued, sent or not: one for each burst and each chunk.
    pub(crate) fn buffers(&self) -> u64 {
        u64::from(self.tx.sent_buffers()) + self.tx.unsent_chunks() as u64
    }

    /// The chunk at the end of the queue, if nothing of it has been sent.
    pub fn open_chunk(&self, snd_nxt: Seq) -> Option<&Chunk> {
        self.tx.open_chunk(snd_nxt)
    }

    /// How much of the buffer at the end of a plain queue was sent, and how much was not, if more may
    /// join it (`tcp_write_queue_tail`).
    pub(crate) fn plain_tail(&self, snd_nxt: Seq) -> Option<(u32, u32)> {
        self.tx.plain_tail(snd_nxt)
    }

    /// Bytes that congestion window and window let out now, in whole segments; none if they are paced.
    pub(crate) fn sendable_bytes(&self, w: &Window) -> u32 {
        if self.pacing.is_on() {
            return 0;
        }
        let mss = self.current_mss().max(1);
        let window = (w.snd_una + self.snd_wnd).offset_from(w.snd_nxt).max(0) as u32;
        let room = w.cwnd.saturating_sub(w.in_flight()).saturating_mul(mss);
        room.min(window) / mss * mss
    }

    /// The window decays over idle times longer than the timeout
    /// (RFC 2861; `tcp_slow_start_after_idle_check`, `tcp_cwnd_restart`), and does so with each buffer
    /// that is filled before anything leaves (`tcp_skb_entail`). TCP sends one before it fills another.
    fn restart_after_idle(&mut self, cx: &mut Cx<'_>) {
        let goes_on = cx.window().multipath && !cx.config.rules.subflows_restart_after_idle;
        let exempt = goes_on || self.pacing.controls_rate;
        if !cx.sysctl().tcp_slow_start_after_idle || cx.w().packets_out > 0 || exempt {
            return;
        }
        let mut idle = cx.now - self.last_sent;
        let rto = self.rtt.rto;
        if self.last_sent == Time::ZERO || idle <= rto {
            return;
        }
        cx.ca_event(CaEvent::CwndRestart);
        let initial = cx.config.initial_cwnd;
        let w = cx.w();
        w.ssthresh = w.current_ssthresh();
        let floor = initial.min(w.cwnd);
        while idle > rto && w.cwnd > floor {
            idle = idle - rto;
            w.cwnd >>= 1;
        }
        w.cwnd = w.cwnd.max(floor);
        self.burst.used = 0;
        self.burst.validated_at = cx.now;
        if !cx.window().multipath {
            self.sends_at(cx.now);
        }
    }

    /// What is queued begins to leave.
    pub(crate) const fn sends_at(&mut self, now: Time) {
        self.last_sent = now;
    }

    /// Lets new data leave if there is any, and notes a full window (`tcp_data_snd_check`).
    pub(super) fn look_for_data(&mut self, cx: &Cx<'_>) {
        let w = cx.window();
        if w.in_flight() >= w.cwnd
            || self.tx.unsent(w.snd_nxt).is_some()
            || (self.fin_queued && !self.fin_sent)
        {
            self.wants.set(Wants::PUSH);
        }
    }

    /// One segment of new data, if window and congestion window let it leave.
    fn next_new(&mut self, cx: &mut Cx<'_>, out: &mut Outgoing) -> bool {
        let nxt = cx.w().snd_nxt;
        let Some((&chunk, left)) = self.tx.unsent(nxt) else {
            return self.lone_fin(cx, out);
        };
        if chunk.refused || !self.may_send_data() {
            return false;
        }
        let mss = self.current_mss().max(1);
        if !self.burst.open && !self.start_burst(cx, left, mss) {
            return false;
        }
        let end = self.burst.end();
        let len = (end - nxt).min(mss);
        let last = left == len && self.tx.sends_last_chunk();
        self.burst.open = nxt + len != end;
        self.send_new(cx, chunk, len, last, left == len, out);
        true
    }

    /// Decides how much of the `left` bytes of a chunk leaves at once; false to wait
    /// (`tcp_write_xmit`).
    fn start_burst(&mut self, cx: &mut Cx<'_>, left: u32, mss: u32) -> bool {
        self.tx.mark_push();
        let w = cx.w();
        if w.in_flight() >= w.cwnd {
            self.burst.cwnd_limited = true;
            return false;
        }
        let nxt = w.snd_nxt;
        let window = self.window_end(cx).offset_from(nxt).max(0) as u32;
        if window < left.min(mss) {
            self.burst.window_limited = true;
            return false;
        }
        let single = left <= mss;
        if single && left < mss && self.tx.sends_last_chunk() && self.nagle_holds(cx) {
            return false;
        }
        if self.is_paced(cx.now) {
            return false;
        }
        let len = if single || !cx.config.tso {
            left.min(mss)
        } else {
            let max_segs = self.burst_segments(cx, mss);
            if self.defers(cx, left, mss, max_segs) {
                return false;
            }
            self.burst_len(cx, left, mss, max_segs, window)
        };
        (self.burst.open, self.burst.start, self.burst.len) = (true, nxt, len as u16);
        self.burst.count = self.burst.count.saturating_add(1);
        true
    }

    /// The first burst of several has just left.
    pub(crate) const fn first_burst_left(&self) -> bool {
        self.burst.count == 1 && !self.burst.open
    }

    /// Segments of the largest burst: what leaves in a millisecond (`tcp_tso_autosize`).
    fn burst_segments(&self, cx: &Cx<'_>, mss: u32) -> u32 {
        let rate_segs = (cx.window().pacing_rate >> 10) / u64::from(mss);
        let own =
            if self.pacing.controls_rate { cx.congestion.min_tso_segs(cx.window()) } else { None };
        let floor = u64::from(own.unwrap_or(u32::from(cx.sysctl().tcp_min_tso_segs)));
        rate_segs.max(floor).min(u64::from(MAX_BURST / mss)) as u32
    }

    /// As much of the chunk as congestion window and window let out, in whole segments if a small
    /// one would have to wait (`tcp_mss_split_point`, `tcp_cwnd_test`).
    fn burst_len(&self, cx: &Cx<'_>, left: u32, mss: u32, max_segs: u32, window: u32) -> u32 {
        let w = cx.window();
        let room = (w.cwnd - w.in_flight()).min((w.cwnd / 2).max(1));
        let most = room.min(max_segs).max(1) * mss;
        let needed = left.min(window);
        if most <= needed || (most <= window && !self.tx.sends_last_chunk()) {
            return most.min(left);
        }
        let partial = needed % mss;
        if partial > 0 && self.nagle_holds(cx) { needed - partial } else { needed }
    }

    fn defers(&mut self, cx: &mut Cx<'_>, left: u32, mss: u32, max_segs: u32) -> bool {
        if cx.w().ca_state >= CaState::Recovery || cx.now - self.burst.last_at > Span::from_ms(1) {
            return false;
        }
        let wnd_end = self.window_end(cx);
        let divisor = u32::from(cx.sysctl().tcp_tso_win_divisor);
        let w = cx.w();
        let send_win = wnd_end - w.snd_nxt;
        let cong_win = (w.cwnd - w.in_flight()) * mss;
        let limit = send_win.min(cong_win);
        if limit >= max_segs * mss || (!self.tx.sends_last_chunk() && limit >= left) {
            return false;
        }
        if let Some(chunk) = self.snd_wnd.min(w.cwnd * mss).checked_div(divisor)
            && limit >= chunk
        {
            return false;
        }
        let srtt = Span::from_us(u64::from(w.srtt_us >> 3));
        let Some(head) = self.tx.front() else { return false };
        let age = cx.now - head.sent_at;
        let waits_long = match cx.config.rules.defers_for {
            Some(longest) => age + longest.min(srtt / 2) < srtt,
            None => age < srtt / 2,
        };
        if waits_long {
            return false;
        }
        if cong_win < send_win && cong_win <= left {
            self.burst.cwnd_limited = true;
            return true;
        }
        if send_win <= cong_win && send_win <= left {
            return true;
        }
        !self.fin_queued
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one segment")]
    pub(super) fn send_new(
        &mut self,
        cx: &mut Cx<'_>,
        chunk: Chunk,
        len: u32,
        last: bool,
        chunk_ends: bool,
        out: &mut Outgoing,
    ) {
        let seq = cx.w().snd_nxt;
        let fin = last && self.fin_queued && !self.fin_sent;
        let mut flags = Flags::NONE;
        let burst_ends = !self.burst.open && len < u32::from(self.burst.len);
        let pushed = match cx.config.rules.bursts_push {
            true => burst_ends || (chunk_ends && (last || chunk.pushed)),
            false => chunk_ends && (last || chunk.mapped),
        };
        if pushed {
            flags = flags | Flags::PSH;
        }
        if fin {
            flags = flags | Flags::FIN;
        }
        if std::mem::take(&mut self.ecn.cwr) {
            flags = flags | Flags::CWR;
        }
        let segment = &mut out.segment;
        self.write_header(cx, seq, flags, segment);
        if self.negotiated.ecn {
            segment.ecn = Ecn::Capable0;
        }
        let offset = u64::from(seq - chunk.seq);
        segment.payload = crate::payload::Payload::pattern(chunk.stream + offset, len);
        if len < self.current_mss() {
            self.small_sent = seq + len;
        }
        self.data_sent(cx);
        self.note_sent(cx, seq, len, fin);
        self.totals.data_segs_out += 1;
        self.totals.bytes_sent += u64::from(len);
        self.pace(cx, len);
        out.chunk = Some(chunk);
        out.skb_seq = self.burst.start;
    }

    /// A FIN without data.
    fn lone_fin(&mut self, cx: &mut Cx<'_>, out: &mut Outgoing) -> bool {
        if !self.fin_queued || self.fin_sent || !self.may_send_data() {
            return false;
        }
        let w = cx.w();
        let (seq, full) = (w.snd_nxt, w.in_flight() >= w.cwnd);
        if full && !cx.config.rules.lone_fin_ignores_cwnd {
            return false;
        }
        let segment = self.header(cx, seq, Flags::FIN);
        self.note_sent(cx, seq, 0, true);
        *out = self.bare(segment);
        true
    }

    /// A segment leaves for the first time (`tcp_event_new_data_sent`).
    fn note_sent(&mut self, cx: &mut Cx<'_>, seq: Seq, len: u32, fin: bool) {
        let now = cx.now;
        let packets_out = cx.w().packets_out;
        let stamp = self.rate.stamp(now, packets_out);
        let mut marks = if fin { Marks::FIN } else { Marks::default() };
        if seq == self.burst.start || len == 0 {
            marks.set(Marks::OPENS_BUFFER);
        }
        self.tx.sent(seq, len, marks, now, stamp);
        self.fin_sent |= fin;
        let w = cx.w();
        w.snd_nxt = seq + len + u32::from(fin);
        w.packets_out += 1;
        cx.mib.inc(Counter::OrigDataSent);
        self.burst.last_at = now;
        self.burst.sent += 1;
        if packets_out == 0 || self.timers.kind() == TimerKind::LossProbe {
            self.rearm_rto(cx);
        }
    }

    /// The loop over new data is over (the end of `tcp_write_xmit`).
    fn end_push(&mut self, cx: &mut Cx<'_>) {
        let sent = std::mem::take(&mut self.burst.sent);
        (self.burst.open, self.burst.count) = (false, 0);
        let window_limited = std::mem::take(&mut self.burst.window_limited);
        self.note_pushed(cx, window_limited);
        let w = cx.w();
        let limited = std::mem::take(&mut self.burst.cwnd_limited) || w.in_flight() >= w.cwnd;
        if sent > 0 || limited {
            self.validate_cwnd(cx, limited);
        }
        if std::mem::take(&mut self.burst.frto_probe) {
            self.frto_gave_nothing(cx);
        }
        if sent > 0 {
            if matches!(cx.w().ca_state, CaState::Cwr | CaState::Recovery) {
                self.recovery.prr_out += sent;
            }
            self.schedule_loss_probe(cx, false);
            return;
        }
        let nxt = cx.w().snd_nxt;
        let stuck = cx.w().packets_out == 0 && self.tx.unsent(nxt).is_some();
        if stuck && self.timers.kind() == TimerKind::None && !self.pacing.is_waiting() {
            self.arm_window_probe(cx);
        }
    }

    /// Notes whether the window was used, and shrinks one that is not (RFC 2861;
    /// `tcp_cwnd_validate`).
    fn validate_cwnd(&mut self, cx: &mut Cx<'_>, limited: bool) {
        let decays = cx.sysctl().tcp_slow_start_after_idle && !self.pacing.controls_rate;
        let initial = cx.config.initial_cwnd;
        let (now, starved) = (cx.now, cx.starved);
        let remembered = cx.config.rules.full_window_remembered;
        let rto = self.rtt.rto;
        let w = cx.w();
        let more = w.packets_out > w.max_packets_out;
        let news = if remembered { limited || (more && !w.is_cwnd_limited) } else { more };
        if news || w.snd_una.at_or_after(self.burst.usage_seq) {
            w.is_cwnd_limited = limited;
            w.max_packets_out = w.packets_out;
            self.burst.usage_seq = w.snd_nxt;
        }
        if w.cwnd_limited() {
            self.burst.used = 0;
            self.burst.validated_at = now;
            return;
        }
        self.burst.used = self.burst.used.max(w.packets_out);
        if decays && now - self.burst.validated_at >= rto {
            if w.ca_state == CaState::Open && !starved {
                let used = self.burst.used.max(initial);
                if used < w.cwnd {
                    w.ssthresh = w.current_ssthresh();
                    w.cwnd = (w.cwnd + used) >> 1;
                }
                self.burst.used = 0;
            }
            self.burst.validated_at = now;
        }
        // Only the system calls of TCP ask this (`tcp_rate_check_app_limited`): MPTCP's do not.
        if !w.multipath && self.tx.unsent(w.snd_nxt).is_none() {
            let in_flight = w.in_flight();
            self.rate.app_limited(in_flight);
        }
    }
}
