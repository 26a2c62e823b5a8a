//! RACK: loss detection by time (RFC 8985; Linux `tcp_recovery.c`), and tail loss probes.
//!
//! A packet is lost when one sent sufficiently later has been delivered.

use mptcpsim_core::time::{Span, Time};

use super::ack::{Ack, AckFlags};
use super::rate::RateSample;
use super::scoreboard::{Marks, Record};
use super::timers::TimerKind;
use super::{Cx, Subflow, Wants};
use crate::congestion::CaState;
use crate::observe::event::Event;
use crate::observe::mib::Counter;
use crate::seq::Seq;

/// Recoveries over which a widened reordering window is kept (`TCP_RACK_RECOVERY_THRESH`).
const RECOVERY_THRESH: u8 = 16;

/// `tcp_recovery` bits.
const STATIC_REO_WND: u8 = 2;
const NO_DUPTHRESH: u8 = 4;

/// The most recently sent packet known to be delivered, and the reordering window.
#[derive(Clone, Debug)]
pub(super) struct Rack {
    sent_at: Time,
    end_seq: Seq,
    rtt: Span,
    pub(super) advanced: bool,
    reo_wnd_steps: u8,
    reo_wnd_persist: u8,
    pub(super) dsack_seen: bool,
    last_delivered: u32,
}

impl Default for Rack {
    fn default() -> Self {
        Self {
            sent_at: Time::ZERO,
            end_seq: Seq(0),
            rtt: Span::ZERO,
            advanced: false,
            reo_wnd_steps: 1,
            reo_wnd_persist: 0,
            dsack_seen: false,
            last_delivered: 0,
        }
    }
}

impl Rack {
    /// A recovery ended without undo: the widened window is worth less.
    pub(super) fn recovery_ended(&mut self) {
        self.reo_wnd_persist = self.reo_wnd_persist.saturating_sub(1);
    }

    /// A recovery was undone by D-SACKs: keep the widened window longer.
    pub(super) fn undone_by_dsack(&mut self) {
        self.reo_wnd_persist = (self.reo_wnd_persist + 1).min(RECOVERY_THRESH);
    }
}

/// True if the transmission (t1, seq1) came after (t2, seq2).
fn sent_after(t1: Time, seq1: Seq, t2: Time, seq2: Seq) -> bool {
    t1 > t2 || (t1 == t2 && seq1.after(seq2))
}

impl Subflow {
    /// A packet was delivered (`tcp_rack_advance`).
    pub(super) fn rack_advance(&mut self, cx: &mut Cx<'_>, record: &Record) {
        let rtt = cx.now - record.sent_at;
        // Faster than the path allows: the original arrived, not the retransmission.
        let min_rtt_us = cx.w().min_rtt_us;
        if record.marks.was_retransmitted() && rtt.as_us() < u64::from(min_rtt_us) {
            return;
        }
        let rack = &mut self.rack;
        rack.advanced = true;
        rack.rtt = rtt;
        if sent_after(record.sent_at, record.end(), rack.sent_at, rack.end_seq) {
            rack.sent_at = record.sent_at;
            rack.end_seq = record.end();
        }
    }

    /// A packet was sent again, but what was acknowledged is an earlier copy, as the echoed timestamp
    /// tells (`tcp_skb_spurious_retrans`).
    pub(super) fn is_spurious(&self, record: &Record) -> bool {
        record.marks.was_retransmitted() && self.echoes_before(record.sent_at)
    }

    /// How much later than a packet another one may be delivered before it counts as lost
    /// (`tcp_rack_reo_wnd`).
    fn reo_wnd(&self, cx: &mut Cx<'_>) -> Span {
        let recovery = cx.sysctl().tcp_recovery;
        let w = cx.w();
        if !self.recovery.reord_seen {
            let enough = w.sacked_out >= self.recovery.reordering && recovery & NO_DUPTHRESH == 0;
            if w.ca_state >= CaState::Recovery || enough {
                return Span::ZERO;
            }
        }
        let quarter = u64::from(w.min_rtt_us >> 2) * u64::from(self.rack.reo_wnd_steps);
        Span::from_us(quarter.min(u64::from(w.srtt_us >> 3)))
    }

    /// Marks packets lost; returns the longest time until another may be (`tcp_rack_detect_loss`).
    fn rack_detect_loss(&mut self, cx: &mut Cx<'_>) -> Option<Span> {
        let reo_wnd = self.reo_wnd(cx);
        let mut timeout = None;
        let mut next = self.tx.oldest_sent();
        while let Some(index) = next {
            next = self.tx.sent_after(index);
            let Some(record) = self.tx.get(index) else { break };
            if record.marks.has(Marks::LOST) && !record.marks.has(Marks::RETRANS) {
                continue;
            }
            let rack = &self.rack;
            if !sent_after(rack.sent_at, rack.end_seq, record.sent_at, record.end()) {
                break;
            }
            let deadline = record.sent_at + rack.rtt + reo_wnd;
            if deadline <= cx.now {
                self.mark_lost(cx, index);
                self.tx.list_remove(index);
            } else {
                timeout = timeout.max(Some(deadline - cx.now));
            }
        }
        timeout
    }

    /// Looks for losses after an acknowledgement; true if a timer now watches over some
    /// (`tcp_rack_mark_lost`).
    pub(super) fn rack_mark_lost(&mut self, cx: &mut Cx<'_>) -> bool {
        if !self.rack.advanced {
            return false;
        }
        self.rack.advanced = false;
        let Some(timeout) = self.rack_detect_loss(cx) else { return false };
        let slack = cx.config.rules.tick * 2;
        self.timers.set(cx, TimerKind::Reordering, timeout + slack);
        true
    }

    /// The reordering timer ran out (`tcp_rack_reo_timeout`).
    pub(super) fn rack_timeout(&mut self, cx: &mut Cx<'_>) {
        let before = cx.w().in_flight();
        self.rack_detect_loss(cx);
        let lost = before - cx.w().in_flight();
        if lost > 0 {
            if cx.w().ca_state != CaState::Recovery {
                self.enter_recovery(cx, false);
                self.cwnd_reduction(cx, 1, lost, false);
            }
            self.start_retransmit(cx);
        }
        if self.timers.kind() != TimerKind::Rto {
            self.rearm_rto(cx);
        }
    }

    /// A packet sent less than a round trip ago need not be lost when the timer fires
    /// (`tcp_rack_skb_timeout` in `tcp_timeout_mark_lost`).
    pub(super) fn rack_still_in_flight(&self, now: Time, record: &Record) -> bool {
        record.sent_at + self.rack.rtt > now
    }

    /// Widens the reordering window after D-SACKs (RFC 8985 section 7.2 step 4).
    pub(super) fn rack_update_reo_wnd(&mut self, sample: &RateSample) {
        if !sample.has_prior() {
            return;
        }
        let rack = &mut self.rack;
        if (sample.prior_delivered.wrapping_sub(rack.last_delivered) as i32) < 0 {
            rack.dsack_seen = false;
        }
        if rack.dsack_seen {
            rack.reo_wnd_steps = rack.reo_wnd_steps.saturating_add(1);
            rack.dsack_seen = false;
            rack.last_delivered = self.rate.delivered;
            rack.reo_wnd_persist = RECOVERY_THRESH;
        } else if rack.reo_wnd_persist == 0 {
            rack.reo_wnd_steps = 1;
        }
    }

    /// `tcp_recovery` bit 1 keeps the reordering window fixed.
    pub(super) fn rack_keep_static(&mut self, cx: &Cx<'_>) {
        if cx.config.sysctl.tcp_recovery & STATIC_REO_WND != 0 {
            self.rack.dsack_seen = false;
        }
    }

    /// An acknowledgement after a tail loss probe (`tcp_process_tlp_ack`).
    pub(super) fn process_tlp_ack(&mut self, cx: &mut Cx<'_>, ack_seq: Seq, ack: &Ack) {
        let Some(high) = self.recovery.tlp_high_seq else { return };
        if ack_seq.before(high) {
            return;
        }
        let quiet = !ack.flags.has(AckFlags::SND_UNA_ADVANCED)
            && !ack.flags.has(AckFlags::DATA)
            && !ack.flags.has(AckFlags::WIN_UPDATE)
            && !ack.flags.has(AckFlags::DATA_SACKED);
        if !self.recovery.tlp_retrans || ack.flags.has(AckFlags::DSACK_TLP) {
            self.recovery.tlp_high_seq = None;
        } else if ack_seq.after(high) {
            // The probe repaired a loss that nothing else reported.
            self.init_cwnd_reduction(cx);
            self.change_ca_state(cx, CaState::Cwr);
            self.end_cwnd_reduction(cx);
            self.try_keep_open(cx);
            cx.mib.inc(Counter::LossProbeRecovery);
        } else if quiet {
            self.recovery.tlp_high_seq = None;
        }
    }

    /// Arms the probe timer instead of the retransmission timer (`tcp_schedule_loss_probe`).
    pub(super) fn schedule_loss_probe(&mut self, cx: &mut Cx<'_>, advancing_rto: bool) -> bool {
        let enabled = matches!(cx.sysctl().tcp_early_retrans, 3 | 4);
        let rto_min = Span::from_us(u64::from(cx.sysctl().tcp_rto_min_us));
        let tick = cx.config.rules.tick;
        let w = cx.w();
        let calm = matches!(w.ca_state, CaState::Open | CaState::Cwr);
        if !enabled || w.packets_out == 0 || !self.negotiated.sack || !calm {
            return false;
        }
        let mut timeout = if w.srtt_us > 0 {
            let twice_srtt = Span::from_us(u64::from(w.srtt_us >> 2));
            twice_srtt + if w.packets_out == 1 { rto_min } else { tick * 2 }
        } else {
            super::rtt::INITIAL_RTO
        };
        let rto = if advancing_rto { self.rtt.rto } else { self.rto_remaining(cx.now) };
        if !rto.is_zero() {
            timeout = timeout.min(rto);
        }
        self.timers.set(cx, TimerKind::LossProbe, timeout);
        true
    }

    /// The probe timer ran out (`tcp_send_loss_probe`): new data if there is any, else the last
    /// segment again.
    pub(super) fn send_loss_probe(&mut self, cx: &mut Cx<'_>) {
        if self.recovery.tlp_high_seq.is_some() || cx.w().packets_out == 0 {
            self.rearm_rto(cx);
            return;
        }
        self.recovery.tlp_retrans = false;
        self.wants.set(Wants::PROBE);
        cx.mib.inc(Counter::LossProbes);
        cx.event(Event::LossProbe);
    }

    /// The probe has left.
    pub(super) fn loss_probe_sent(&mut self, cx: &mut Cx<'_>, retransmission: bool) {
        self.recovery.tlp_retrans = retransmission;
        self.recovery.tlp_high_seq = Some(cx.w().snd_nxt);
        self.timers.stop_retransmit();
        self.rearm_rto(cx);
    }
}
