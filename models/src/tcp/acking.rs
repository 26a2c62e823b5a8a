//! When to acknowledge (Linux `__tcp_ack_snd_check`, `tcp_send_delayed_ack`, quick-ACK mode).

use mptcpsim_core::time::{Span, Time};

use super::{Cx, Space, Subflow, Wants};
use crate::congestion::CaEvent;
use crate::observe::mib::Counter;
use crate::seq::Seq;

/// Quick acknowledgements at the start of a connection (`TCP_MAX_QUICKACKS`).
pub(super) const MAX_QUICKACKS: u32 = 16;
/// `TCP_ATO_MIN`, `TCP_DELACK_MIN`.
const ATO_MIN: Span = Span::from_ms(40);
/// `TCP_DELACK_MAX`.
const DELACK_MAX: Span = Span::from_ms(200);
/// Duplicate ACKs sent at once before compression starts (`TCP_FASTRETRANS_THRESH`).
const DUP_ACKS_AT_ONCE: u8 = 3;

/// State of acknowledging.
#[derive(Clone, Debug, Default)]
pub(super) struct Acks {
    /// Something is to be acknowledged, some time.
    pub(super) scheduled: bool,
    /// ... at once.
    pub(super) now: bool,
    /// A small segment arrived, the second one, since the last ACK.
    pushed: bool,
    pushed_twice: bool,
    /// Quick ACKs left.
    quick: u8,
    /// Data flows both ways: acknowledgements ride on data.
    pingpong: bool,
    /// The estimated time between segments.
    pub(super) ato: Span,
    pub(super) last_data: Time,
    /// The segment size that the last small segment told; two in a row that agree are believed.
    pub(super) last_seg_size: u16,
    compressed: u8,
    dup_acks: u8,
    compressed_at: Seq,
    /// When the last out-of-window segment was answered.
    last_challenge: Option<Time>,
}

impl Acks {
    /// A connection that acknowledges quickly at first.
    pub(super) const fn in_quick_mode(&self) -> bool {
        self.quick > 0 && !self.pingpong
    }

    /// At least one quick acknowledgement: the window grows, and the sender should know.
    pub(super) fn quick_once(&mut self) {
        self.quick |= 1;
    }

    /// No more quick acknowledgements.
    pub(super) fn leave_quick_mode(&mut self) {
        self.quick = 0;
    }

    /// Small segments ask for an acknowledgement when read (`tcp_measure_rcv_mss`).
    pub(super) fn note_push(&mut self, full: bool, psh: bool) {
        if full {
            self.pushed |= psh;
        } else {
            self.pushed_twice |= self.pushed;
            self.pushed = true;
        }
    }
}

impl Subflow {
    /// More quick acknowledgements (`tcp_incr_quickack`).
    fn add_quickacks(&mut self, max: u32) {
        let window = self.rx.rcv_wnd / (2 * u32::from(self.rx.rcv_mss).max(1));
        let quick = if window == 0 { 2 } else { window }.min(max);
        self.acks.quick = self.acks.quick.max(quick as u8);
    }

    /// `tcp_enter_quickack_mode`.
    #[cold]
    pub(super) fn enter_quickack_mode(&mut self, max: u32) {
        self.add_quickacks(max);
        self.acks.pingpong = false;
        self.acks.ato = ATO_MIN;
    }

    /// The next segments are acknowledged at once (`tcp_enter_quickack_mode`).
    pub(crate) fn acknowledge_quickly(&mut self) {
        self.enter_quickack_mode(MAX_QUICKACKS);
    }

    /// The peer speaks and this side answers: wait for the answer.
    pub(super) fn enter_pingpong(&mut self) {
        self.acks.pingpong = true;
    }

    /// Data arrived: estimate the spacing (`tcp_event_data_recv`).
    pub(super) fn data_received(&mut self, cx: &mut Cx<'_>) {
        self.acks.scheduled = true;
        let since = cx.now - self.acks.last_data;
        if self.acks.ato.is_zero() {
            self.add_quickacks(MAX_QUICKACKS);
            self.acks.ato = ATO_MIN;
        } else if since <= ATO_MIN / 2 {
            self.acks.ato = self.acks.ato / 2 + ATO_MIN / 2;
        } else if since < self.acks.ato {
            self.acks.ato = (self.acks.ato / 2 + since).min(self.rtt.rto);
        } else if since > self.rtt.rto {
            // The sender restarts its window: it needs acknowledgements.
            self.add_quickacks(MAX_QUICKACKS);
        }
        self.acks.last_data = cx.now;
    }

    /// Data is sent, for the first time or again: the acknowledgement rides along, and no rest is as
    /// long as the timeout (`tcp_event_data_sent`).
    pub(super) fn data_sent(&mut self, cx: &mut Cx<'_>) {
        if cx.w().in_flight() == 0 {
            cx.ca_event(CaEvent::TxStart);
        }
        cx.w().last_sent_us = cx.now.as_us();
        self.sends_at(cx.now);
        if cx.now - self.acks.last_data < self.acks.ato {
            self.acks.pingpong = true;
        }
    }

    /// More than a segment waits for an ACK: it leaves at once.
    pub fn acknowledge_beyond_a_segment(&mut self) {
        self.acks.now |= self.rx.owes_more_than_a_segment();
    }

    /// Decides about an ACK after a segment (`__tcp_ack_snd_check`).
    pub(super) fn ack_snd_check(&mut self, cx: &mut Cx<'_>, may_reorder: bool) {
        if !self.owes_ack() {
            return;
        }
        let more_than_a_segment = self.rx.owes_more_than_a_segment();
        // The low-water mark of a subflow is 0: the reader reads elsewhere (`mptcp_sockopt_sync_locked`).
        // That of TCP has not read the segment that has just come.
        let no_low_water = cx.window().multipath && cx.config.rules.no_low_water;
        let reader_sees_all = !no_low_water && !cx.space.plain;
        let reader_waits = reader_sees_all && self.rx.copied == self.rx.rcv_nxt;
        let window_grows =
            more_than_a_segment && (reader_waits || self.window_now(cx) >= self.rx.rcv_wnd);
        if window_grows || self.acks.now || self.acks.in_quick_mode() || cx.config.quickack {
            self.wants.set(Wants::ACK);
        } else if may_reorder && !self.rx.reorder.is_empty() {
            self.compress_ack(cx);
        } else {
            self.delay_ack(cx);
        }
    }

    /// Duplicate ACKs: three at once, then one now and then (`tcp_comp_sack_*`).
    #[inline(never)]
    fn compress_ack(&mut self, cx: &mut Cx<'_>) {
        let sysctl = cx.sysctl();
        if !self.negotiated.sack || self.acks.compressed >= sysctl.tcp_comp_sack_nr {
            self.wants.set(Wants::ACK);
            return;
        }
        let limit = Span::from_ns(sysctl.tcp_comp_sack_delay_ns);
        if self.acks.compressed_at != self.rx.rcv_nxt {
            self.acks.compressed_at = self.rx.rcv_nxt;
            self.acks.dup_acks = 0;
        }
        if self.acks.dup_acks < DUP_ACKS_AT_ONCE {
            self.acks.dup_acks += 1;
            self.wants.set(Wants::ACK);
            return;
        }
        self.acks.compressed += 1;
        if self.timers.compressed_ack.is_none() {
            let srtt = cx.w().srtt_us;
            let rcv_rtt = self.rx.rtt.rtt_us;
            let rtt = if srtt > 0 && srtt < rcv_rtt { srtt } else { rcv_rtt };
            let twentieth = Span::from_us(u64::from(rtt >> 3) / 20);
            self.timers.compressed_ack = Some(cx.now + twentieth.min(limit));
        }
    }

    /// A compressed ACK leaves now, before the blocks it reports are displaced
    /// (`tcp_sack_compress_send_ack`). The segment that displaces them is not yet acknowledged.
    pub(super) fn flush_compressed_ack(&mut self, cx: &mut Cx<'_>) {
        if self.acks.compressed == 0 {
            return;
        }
        cx.mib.add(Counter::AckCompressed, u64::from(self.acks.compressed) - 1);
        self.acks.compressed = 0;
        self.acks.scheduled = false;
        self.timers.compressed_ack = None;
        self.rx.reorder.freeze_report();
        self.wants.set(Wants::ACK);
    }

    pub(super) fn compressed_ack_timeout(&mut self) {
        self.timers.compressed_ack = None;
        if self.acks.compressed > 0 {
            self.acks.compressed -= 1;
            self.wants.set(Wants::ACK);
        }
    }

    /// `tcp_send_delayed_ack`.
    fn delay_ack(&mut self, cx: &mut Cx<'_>) {
        let mut ato = self.acks.ato.max(Span::from_ms(1));
        if ato > ATO_MIN {
            let patient = self.acks.pingpong || self.acks.pushed;
            let mut longest = if patient { DELACK_MAX } else { Span::from_ms(500) };
            let srtt = cx.w().srtt_us;
            if srtt > 0 {
                longest = longest.min(Span::from_us(u64::from(srtt >> 3)).max(ATO_MIN));
            }
            ato = ato.min(longest);
        }
        let ato = ato.min(DELACK_MAX);
        if self.timers.delayed_ack.is_set() {
            // The older deadline stands; if it is near, wait no longer.
            let left = self.timers.delayed_ack.due() - cx.now;
            if left <= ato / 4 {
                self.wants.set(Wants::ACK);
                return;
            }
            if left < ato {
                return;
            }
        }
        self.timers.delayed_ack.set(cx.now, ato);
    }

    /// The delayed ACK timer ran out (`tcp_delack_timer_handler`).
    pub(super) fn delayed_ack_timeout(&mut self, cx: &mut Cx<'_>) {
        if !self.acks.scheduled {
            return;
        }
        if self.acks.pingpong {
            self.acks.pingpong = false;
            self.acks.ato = ATO_MIN;
        } else {
            self.acks.ato = (self.acks.ato * 2).min(self.rtt.rto);
        }
        self.wants.set(Wants::ACK);
        cx.mib.inc(Counter::DelayedAcks);
    }

    /// The application read: acknowledge if that opens the window, which was `current` bytes and may have
    /// become larger if `opens`, or was waited for (`tcp_cleanup_rbuf`, `mptcp_subflow_could_cleanup`).
    /// True if an ACK is to leave.
    pub fn after_read(&mut self, space: Space, current: u32, opens: bool) -> bool {
        if !self.state.can_receive() {
            return false;
        }
        let emptied = self.rx.seen(space).used == 0;
        if self.acks.scheduled {
            let waited = self.acks.pushed_twice || (self.acks.pushed && !self.acks.pingpong);
            let all_read = emptied || (opens && !space.plain && self.rx.rmem == 0);
            if self.rx.owes_more_than_a_segment() || (waited && all_read) {
                self.wants.set(Wants::ACK);
                return true;
            }
        }
        let pushed = self.acks.scheduled && (self.acks.pushed || self.acks.pushed_twice);
        let asked = opens || (pushed && emptied);
        if asked && 2 * current <= self.rx.window_clamp {
            let window = self.rx.window_in(space, self.negotiated.rcv_wscale);
            if window > 0 && window >= 2 * current {
                self.wants.set(Wants::ACK);
                return true;
            }
        }
        false
    }

    /// An acknowledgement is leaving, alone or on data (`tcp_event_ack_sent`).
    pub(super) fn ack_sent(&mut self, cx: &mut Cx<'_>) {
        let acks = &mut self.acks;
        if acks.compressed > 0 {
            cx.mib.add(Counter::AckCompressed, u64::from(acks.compressed));
            acks.compressed = 0;
        }
        self.timers.compressed_ack = None;
        if acks.quick > 0 {
            acks.quick -= 1;
            if acks.quick == 0 {
                acks.ato = ATO_MIN;
            }
        }
        acks.scheduled = false;
        acks.now = false;
        acks.pushed = false;
        acks.pushed_twice = false;
        self.wants.clear(Wants::ACK);
        self.wants.clear(Wants::CHALLENGE);
        self.timers.delayed_ack.stop();
    }

    /// Answers a segment that cannot be accepted, not too often (`tcp_oow_rate_limited`).
    pub(super) fn challenge(&mut self, cx: &mut Cx<'_>, without_data: bool) {
        let gap = Span::from_ms(u64::from(cx.sysctl().tcp_invalid_ratelimit));
        let limited = self.acks.last_challenge.is_some_and(|last| cx.now - last < gap);
        if without_data && limited {
            return;
        }
        if without_data {
            self.acks.last_challenge = Some(cx.now);
        }
        self.wants.set(Wants::CHALLENGE);
        self.wants.set(Wants::ACK);
    }
}
