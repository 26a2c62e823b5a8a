//! What the sender makes of dubious acknowledgements (Linux `tcp_fastretrans_alert` and around).
//!
//! ```text
//!              ECE                    loss marked by RACK
//!   Open ────────────► CWR      Open/Disorder/CWR ───────► Recovery ──high_seq acked──► Open
//!     ▲ │ SACK, dup ACK                                        │  RTO
//!     │ └──► Disorder                                          ▼
//!     └──────────────── high_seq acked, or spurious (F-RTO) ── Loss
//! ```
//! The window is reduced proportionally to delivery (PRR, RFC 6937), and undone when timestamps,
//! D-SACKs or F-RTO (RFC 5682) show that nothing was lost.

use mptcpsim_core::time::{Span, Time};

use super::ack::{Ack, AckFlags, Rexmit};
use super::scoreboard::Marks;
use super::timers::TimerKind;
use super::{Cx, Subflow, Wants};
use crate::congestion::{CaEvent, CaState, INFINITE_SSTHRESH};
use crate::observe::event::Event;
use crate::observe::mib::Counter;
use crate::seq::Seq;

/// State of loss recovery.
#[derive(Clone, Debug, Default)]
pub(super) struct Recovery {
    /// `snd_nxt` when the current state was entered.
    pub(super) high_seq: Seq,
    /// `ssthresh` to return to; 0 if there is nothing to undo.
    prior_ssthresh: u32,
    /// `snd_una` when the recovery began, while it can still be undone.
    pub(super) undo_marker: Option<Seq>,
    /// Retransmissions not yet reported as duplicates; -1 while none was sent.
    pub(super) undo_retrans: i32,
    /// Packets delivered and sent since the reduction began (PRR).
    prr_delivered: u32,
    pub(super) prr_out: u32,
    /// Packets the path may reorder.
    pub(super) reordering: u32,
    pub(super) reord_seen: bool,
    /// Watching whether a timeout was spurious.
    frto: bool,
    /// When the first retransmission of this episode was sent.
    pub(super) retrans_stamp: Option<Time>,
    /// `snd_nxt` at the outstanding tail loss probe, and whether it repeated data.
    pub(super) tlp_high_seq: Option<Seq>,
    pub(super) tlp_retrans: bool,
    /// Number of the record where the walk for retransmissions continues.
    pub(super) hint: Option<u32>,
}

impl Subflow {
    /// Takes the state machine one acknowledgement further (`tcp_fastretrans_alert`).
    pub(super) fn fastretrans_alert(&mut self, cx: &mut Cx<'_>, ack: &mut Ack, duplicate: bool) {
        if ack.flags.has(AckFlags::ECE) {
            self.recovery.prior_ssthresh = 0;
        }
        if self.check_sack_reneging(cx, ack) {
            return;
        }
        if cx.w().ca_state == CaState::Open {
            self.recovery.retrans_stamp = None;
        } else if cx.w().snd_una.at_or_after(self.recovery.high_seq) && self.leave_episode(cx) {
            return;
        }
        match cx.w().ca_state {
            CaState::Recovery => {
                if !ack.flags.has(AckFlags::SND_UNA_ADVANCED) {
                    self.count_reno_sacks(cx, ack, duplicate);
                }
                self.in_recovery(cx, ack);
            }
            CaState::Loss => {
                self.process_loss(cx, ack, duplicate);
                self.identify_loss(cx, ack);
                let open = cx.w().ca_state == CaState::Open;
                if open || ack.flags.has(AckFlags::LOST_RETRANS) {
                    self.count_reno_sacks(cx, ack, duplicate);
                    self.maybe_enter_recovery(cx, ack);
                }
            }
            CaState::Open | CaState::Disorder | CaState::Cwr => {
                self.count_reno_sacks(cx, ack, duplicate);
                if cx.w().ca_state <= CaState::Disorder {
                    self.try_undo_dsack(cx);
                }
                self.identify_loss(cx, ack);
                self.maybe_enter_recovery(cx, ack);
            }
        }
    }

    /// All that was outstanding when the episode began is acknowledged. True if its state is held.
    fn leave_episode(&mut self, cx: &mut Cx<'_>) -> bool {
        let una = cx.w().snd_una;
        match cx.w().ca_state {
            CaState::Cwr if una != self.recovery.high_seq => {
                self.end_cwnd_reduction(cx);
                self.change_ca_state(cx, CaState::Open);
            }
            CaState::Recovery => {
                if !self.negotiated.sack {
                    cx.w().sacked_out = 0;
                }
                if self.try_undo_recovery(cx) {
                    return true;
                }
                self.end_cwnd_reduction(cx);
            }
            _ => {}
        }
        false
    }

    /// Without SACK the state is held until something above what was outstanding is acknowledged:
    /// duplicates of before are no sign of new losses (RFC 6582 section 3.2; `tcp_is_non_sack_preventing_reopen`).
    fn holds_state(&mut self, cx: &mut Cx<'_>) -> bool {
        if self.negotiated.sack || cx.w().snd_una != self.recovery.high_seq {
            return false;
        }
        self.check_retrans_stamp();
        true
    }

    fn in_recovery(&mut self, cx: &mut Cx<'_>, ack: &mut Ack) {
        if ack.flags.has(AckFlags::SND_UNA_ADVANCED) && self.try_undo_partial(cx, ack) {
            return;
        }
        if self.try_undo_dsack(cx) {
            self.try_to_open(cx, ack);
        }
        self.identify_loss(cx, ack);
        if cx.w().ca_state == CaState::Recovery {
            ack.rexmit = Rexmit::Lost;
        } else if cx.w().lost_out > 0 {
            self.enter_recovery(cx, ack.flags.has(AckFlags::ECE));
            ack.rexmit = Rexmit::Lost;
        }
    }

    fn maybe_enter_recovery(&mut self, cx: &mut Cx<'_>, ack: &mut Ack) {
        if cx.w().lost_out == 0 {
            self.try_to_open(cx, ack);
            return;
        }
        self.enter_recovery(cx, ack.flags.has(AckFlags::ECE));
        ack.rexmit = Rexmit::Lost;
    }

    /// Lets RACK mark losses (`tcp_identify_packet_loss`); without SACK the third duplicate
    /// acknowledgement marks the head.
    fn identify_loss(&mut self, cx: &mut Cx<'_>, ack: &mut Ack) {
        if self.tx.is_empty() {
            return;
        }
        self.rack_keep_static(cx);
        if !self.negotiated.sack {
            self.newreno_mark_lost(cx, ack);
            return;
        }
        let retrans_out = cx.w().retrans_out;
        if self.rack_mark_lost(cx) {
            ack.flags.clear(AckFlags::SET_XMIT_TIMER);
        }
        if retrans_out > cx.w().retrans_out {
            ack.flags.set(AckFlags::LOST_RETRANS);
        }
    }

    /// Without SACK each duplicate acknowledgement stands for one packet that left the network; an
    /// acknowledgement of new data begins the count anew (`tcp_add_reno_sack`, `tcp_reset_reno_sack`).
    fn count_reno_sacks(&mut self, cx: &mut Cx<'_>, ack: &Ack, duplicate: bool) {
        if self.negotiated.sack {
            return;
        }
        if ack.flags.has(AckFlags::SND_UNA_ADVANCED) {
            cx.w().sacked_out = 0;
        }
        if duplicate {
            let before = cx.w().sacked_out;
            cx.w().sacked_out += 1;
            self.check_reno_reordering(cx, 0);
            let delivered = cx.w().sacked_out.saturating_sub(before);
            self.rate.delivered = self.rate.delivered.wrapping_add(delivered);
        }
    }

    /// NewReno without SACK: the third duplicate acknowledgement marks the head, a partial
    /// acknowledgement the next (RFC 6582; `tcp_newreno_mark_lost`).
    fn newreno_mark_lost(&mut self, cx: &mut Cx<'_>, ack: &Ack) {
        let advanced = ack.flags.has(AckFlags::SND_UNA_ADVANCED);
        let w = cx.w();
        let una = w.snd_una;
        let third = w.ca_state < CaState::Recovery && w.sacked_out >= self.recovery.reordering;
        let partial = w.ca_state == CaState::Recovery && advanced;
        if third || partial {
            let head_lost = self.tx.front().is_some_and(|record| {
                record.marks.has(Marks::LOST) || !record.seq.at_or_before(una)
            });
            if !head_lost {
                self.mark_lost(cx, 0);
            }
        }
    }

    /// A cumulative acknowledgement without SACK: one packet filled the hole, the others had been
    /// counted by their duplicate acknowledgements (`tcp_remove_reno_sacks`).
    pub(super) fn remove_reno_sacks(&mut self, cx: &mut Cx<'_>, acked: u32) {
        let w = cx.w();
        if acked > 0 {
            let delivered = acked.saturating_sub(w.sacked_out).max(1);
            self.rate.delivered = self.rate.delivered.wrapping_add(delivered);
            w.sacked_out = w.sacked_out.saturating_sub(acked - 1);
        }
        self.check_reno_reordering(cx, acked);
    }

    /// More duplicate acknowledgements than packets that can have caused them: the path reorders
    /// (`tcp_check_reno_reordering`).
    fn check_reno_reordering(&mut self, cx: &mut Cx<'_>, acked: u32) {
        let max = cx.sysctl().tcp_max_reordering;
        let w = cx.w();
        let holes = w.lost_out.max(1).min(w.packets_out);
        if w.sacked_out + holes > w.packets_out {
            w.sacked_out = w.packets_out - holes;
            self.recovery.reordering = (w.packets_out + acked).min(max);
            self.totals.reord_seen += 1;
            cx.mib.inc(Counter::RenoReorder);
        }
    }

    /// Marks a record as lost, or its retransmission as lost again (`tcp_mark_skb_lost`).
    pub(super) fn mark_lost(&mut self, cx: &mut Cx<'_>, index: usize) {
        let number = self.tx.number(index);
        let Some(record) = self.tx.get_mut(index) else { return };
        if record.marks.has(Marks::SACKED) {
            return;
        }
        if record.marks.has(Marks::LOST) {
            if record.marks.has(Marks::RETRANS) {
                record.marks.clear(Marks::RETRANS);
                cx.w().retrans_out -= 1;
                cx.mib.inc(Counter::LostRetransmit);
                self.rate.lost = self.rate.lost.wrapping_add(1);
            } else {
                return;
            }
        } else {
            record.marks.set(Marks::LOST);
            cx.w().lost_out += 1;
            self.rate.lost = self.rate.lost.wrapping_add(1);
            self.totals.lost += 1;
        }
        // The walk for retransmissions must not have passed this record.
        self.recovery.hint = self
            .recovery
            .hint
            .map(|hint| if (number.wrapping_sub(hint) as i32) < 0 { number } else { hint });
    }

    /// A receiver that forgot what it had SACKed (`tcp_check_sack_reneging`).
    fn check_sack_reneging(&mut self, cx: &mut Cx<'_>, ack: &mut Ack) -> bool {
        if !ack.flags.has(AckFlags::SACK_RENEGING) || !ack.flags.has(AckFlags::SND_UNA_ADVANCED) {
            return false;
        }
        let half_srtt = Span::from_us(u64::from(cx.w().srtt_us >> 4));
        self.timers.set(cx, TimerKind::Rto, half_srtt.max(Span::from_ms(10)));
        ack.flags.clear(AckFlags::SET_XMIT_TIMER);
        true
    }

    /// Reordering was seen down to `low` (`tcp_check_sack_reordering`).
    #[cold]
    pub(super) fn check_reordering(&mut self, cx: &mut Cx<'_>, low: Seq) {
        let max = cx.sysctl().tcp_max_reordering;
        let highest = self.sack.highest(cx.w().snd_una);
        let mss = u32::from(self.mss_cache).max(1);
        if !low.before(highest) {
            return;
        }
        let metric = highest - low;
        if metric > self.recovery.reordering.saturating_mul(mss) {
            self.recovery.reordering = metric.div_ceil(mss).min(max);
        }
        self.recovery.reord_seen = true;
        self.totals.reord_seen += 1;
        cx.mib.inc(Counter::SackReorder);
    }

    pub(super) fn change_ca_state(&mut self, cx: &mut Cx<'_>, new: CaState) {
        if cx.w().ca_state != new {
            cx.event(Event::Congestion(new));
        }
        cx.w().retransmits = self.timers.retransmits;
        cx.ca_set_state(new);
    }

    // ---- reduction -----------------------------------------------------------------------

    fn init_undo(&mut self, cx: &mut Cx<'_>) {
        let w = cx.w();
        self.recovery.undo_marker = Some(w.snd_una);
        self.recovery.undo_retrans = w.retrans_out as i32;
        if self.recovery.tlp_high_seq.is_some() && self.recovery.tlp_retrans {
            self.recovery.undo_retrans += 1;
        }
        if self.recovery.undo_retrans == 0 {
            self.recovery.undo_retrans = -1;
        }
    }

    /// `tcp_enter_recovery`.
    pub(super) fn enter_recovery(&mut self, cx: &mut Cx<'_>, ece: bool) {
        cx.mib.inc(if self.negotiated.sack {
            Counter::SackRecovery
        } else {
            Counter::RenoRecovery
        });
        self.recovery.prior_ssthresh = 0;
        self.init_undo(cx);
        if !matches!(cx.w().ca_state, CaState::Cwr | CaState::Recovery) {
            if !ece {
                self.recovery.prior_ssthresh = cx.w().current_ssthresh();
            }
            self.init_cwnd_reduction(cx);
        }
        self.change_ca_state(cx, CaState::Recovery);
    }

    /// `tcp_enter_cwr`: a congestion signal without loss.
    pub(super) fn enter_cwr(&mut self, cx: &mut Cx<'_>) {
        self.recovery.prior_ssthresh = 0;
        if cx.w().ca_state < CaState::Cwr {
            self.recovery.undo_marker = None;
            self.init_cwnd_reduction(cx);
            self.change_ca_state(cx, CaState::Cwr);
        }
    }

    /// `tcp_init_cwnd_reduction`.
    pub(super) fn init_cwnd_reduction(&mut self, cx: &mut Cx<'_>) {
        self.recovery.high_seq = cx.w().snd_nxt;
        self.recovery.tlp_high_seq = None;
        self.recovery.prr_delivered = 0;
        self.recovery.prr_out = 0;
        let w = cx.w();
        w.cwnd_cnt = 0;
        w.prior_cwnd = w.cwnd;
        let ssthresh = cx.ca_ssthresh();
        cx.w().ssthresh = ssthresh;
        self.ecn.queue_cwr(self.negotiated.ecn);
    }

    /// Proportional rate reduction (RFC 6937; `tcp_cwnd_reduction`).
    pub(super) fn cwnd_reduction(
        &mut self,
        cx: &mut Cx<'_>,
        acked_sacked: u32,
        losses: u32,
        una_advanced: bool,
    ) {
        let w = cx.w();
        if acked_sacked == 0 || w.prior_cwnd == 0 {
            return;
        }
        let recovery = &mut self.recovery;
        recovery.prr_delivered += acked_sacked;
        let in_flight = i64::from(w.in_flight());
        let delta = i64::from(w.ssthresh) - in_flight;
        let (delivered, out) = (i64::from(recovery.prr_delivered), i64::from(recovery.prr_out));
        let quota = if delta < 0 {
            let prior = i64::from(w.prior_cwnd);
            (i64::from(w.ssthresh) * delivered + prior - 1) / prior - out
        } else {
            let catch_up = (delivered - out).max(i64::from(acked_sacked));
            let bonus = i64::from(una_advanced && losses == 0);
            delta.min(catch_up + bonus)
        };
        let quota = quota.max(i64::from(recovery.prr_out == 0));
        w.cwnd = (in_flight + quota).max(0) as u32;
    }

    /// `tcp_end_cwnd_reduction`.
    pub(super) fn end_cwnd_reduction(&mut self, cx: &mut Cx<'_>) {
        if self.pacing.controls_rate {
            return;
        }
        let undoable = self.recovery.undo_marker.is_some();
        let w = cx.w();
        if w.ssthresh < INFINITE_SSTHRESH && (w.ca_state == CaState::Cwr || undoable) {
            w.cwnd = w.ssthresh;
        }
        cx.ca_event(CaEvent::CompleteCwr);
    }

    /// A retransmission timeout: everything may be lost (`tcp_enter_loss`).
    pub(super) fn enter_loss(&mut self, cx: &mut Cx<'_>) {
        let new_recovery = cx.w().ca_state < CaState::Recovery;
        self.timeout_mark_lost(cx);
        let w = cx.w();
        let fresh = w.ca_state <= CaState::Disorder
            || self.recovery.high_seq.at_or_before(w.snd_una)
            || (w.ca_state == CaState::Loss && self.timers.retransmits == 0);
        if fresh {
            self.recovery.prior_ssthresh = w.current_ssthresh();
            w.prior_cwnd = w.cwnd;
            let ssthresh = cx.ca_ssthresh();
            cx.w().ssthresh = ssthresh;
            cx.ca_event(CaEvent::Loss);
            self.init_undo(cx);
        }
        let initial = cx.sysctl().tcp_reordering;
        let frto = cx.sysctl().tcp_frto != 0;
        let w = cx.w();
        w.cwnd = w.in_flight() + 1;
        w.cwnd_cnt = 0;
        // The reordering was overestimated if it kept losses hidden.
        if w.ca_state <= CaState::Disorder && w.sacked_out >= initial {
            self.recovery.reordering = self.recovery.reordering.min(initial);
        }
        self.recovery.high_seq = w.snd_nxt;
        self.recovery.tlp_high_seq = None;
        self.change_ca_state(cx, CaState::Loss);
        self.ecn.queue_cwr(self.negotiated.ecn);
        self.recovery.frto = frto && (new_recovery || self.timers.retransmits > 0);
    }

    fn timeout_mark_lost(&mut self, cx: &mut Cx<'_>) {
        let reneged = self.tx.front().is_some_and(|record| record.marks.has(Marks::SACKED));
        if reneged {
            cx.mib.inc(Counter::SackReneging);
            cx.w().sacked_out = 0;
            self.sack.clear();
        } else if !self.negotiated.sack {
            cx.w().sacked_out = 0;
        }
        for index in 0..self.tx.len() {
            if reneged && let Some(record) = self.tx.get_mut(index) {
                record.marks.clear(Marks::SACKED);
            }
            let recent =
                self.tx.get(index).is_some_and(|record| self.rack_still_in_flight(cx.now, record));
            if reneged || index == 0 || !recent {
                self.mark_lost(cx, index);
            }
        }
        self.recovery.hint = None;
    }

    /// F-RTO and the way out of the Loss state (`tcp_process_loss`).
    fn process_loss(&mut self, cx: &mut Cx<'_>, ack: &mut Ack, duplicate: bool) {
        let recovered = cx.w().snd_una.at_or_after(self.recovery.high_seq);
        let advanced = ack.flags.has(AckFlags::SND_UNA_ADVANCED);
        if advanced && self.try_undo_loss(cx, false) {
            return;
        }
        if self.recovery.frto {
            if ack.flags.has(AckFlags::ORIG_SACK_ACKED) && self.try_undo_loss(cx, true) {
                return;
            }
            let nxt = cx.w().snd_nxt;
            if nxt.after(self.recovery.high_seq) {
                if ack.flags.has(AckFlags::DATA_SACKED) || duplicate {
                    self.recovery.frto = false;
                }
            } else if advanced && !recovered {
                self.recovery.high_seq = nxt;
                if self.tx.unsent(nxt).is_some() && self.window_end(cx).after(nxt) {
                    ack.rexmit = Rexmit::New;
                    return;
                }
                self.recovery.frto = false;
            }
        }
        if recovered {
            self.try_undo_recovery(cx);
            return;
        }
        // Duplicates tell of new data once it is under way.
        let tells = duplicate && cx.w().snd_nxt.after(self.recovery.high_seq);
        self.count_reno_sacks(cx, ack, tells);
        ack.rexmit = Rexmit::Lost;
    }

    /// Sends what recovery decided (`tcp_xmit_recovery`).
    pub(super) fn xmit_recovery(&mut self, cx: &mut Cx<'_>, rexmit: Rexmit) {
        match rexmit {
            Rexmit::None => {}
            Rexmit::Lost => self.start_retransmit(cx),
            Rexmit::New => {
                // Two new segments tell whether the timeout was real; if none can leave, repair.
                self.wants.set(Wants::PUSH);
                self.burst.frto_probe = true;
            }
        }
    }

    /// New data could not be sent for F-RTO: repair after all.
    pub(super) fn frto_gave_nothing(&mut self, cx: &mut Cx<'_>) {
        if cx.w().snd_nxt.at_or_before(self.recovery.high_seq) {
            self.recovery.frto = false;
            self.start_retransmit(cx);
        }
    }

    // ---- undo ----------------------------------------------------------------------------

    /// An acknowledgement of the original, sent before the retransmission (Eifel, RFC 3522;
    /// `tcp_packet_delayed`).
    fn packet_delayed(&self) -> bool {
        self.recovery.retrans_stamp.is_some_and(|stamp| self.echoes_before(stamp))
    }

    fn may_undo(&self) -> bool {
        self.recovery.undo_marker.is_some()
            && (self.recovery.undo_retrans == 0 || self.packet_delayed())
    }

    fn undo_reduction(&mut self, cx: &mut Cx<'_>, unmark: bool) {
        if unmark {
            for index in 0..self.tx.len() {
                if let Some(record) = self.tx.get_mut(index) {
                    record.marks.clear(Marks::LOST);
                }
            }
            cx.w().lost_out = 0;
            self.recovery.hint = None;
        }
        if self.recovery.prior_ssthresh > 0 {
            let cwnd = cx.ca_undo_cwnd();
            let w = cx.w();
            w.cwnd = cwnd;
            if self.recovery.prior_ssthresh > w.ssthresh {
                w.ssthresh = self.recovery.prior_ssthresh;
                self.ecn.withdraw_cwr();
            }
        }
        self.recovery.undo_marker = None;
        self.rack.advanced = true;
        self.totals.spurious_recoveries += 1;
        cx.event(Event::Undo);
    }

    /// The end of an episode, undone if it was none (`tcp_try_undo_recovery`). True if the state is held.
    fn try_undo_recovery(&mut self, cx: &mut Cx<'_>) -> bool {
        if self.may_undo() {
            let loss = cx.w().ca_state == CaState::Loss;
            self.undo_reduction(cx, false);
            cx.mib.inc(if loss { Counter::LossUndo } else { Counter::FullUndo });
        } else {
            self.rack.recovery_ended();
        }
        if self.holds_state(cx) {
            return true;
        }
        self.change_ca_state(cx, CaState::Open);
        false
    }

    fn try_undo_dsack(&mut self, cx: &mut Cx<'_>) -> bool {
        if self.recovery.undo_marker.is_none() || self.recovery.undo_retrans != 0 {
            return false;
        }
        self.rack.undone_by_dsack();
        self.undo_reduction(cx, false);
        cx.mib.inc(Counter::DsackUndo);
        true
    }

    /// A partial acknowledgement by the original transmission (`tcp_try_undo_partial`).
    fn try_undo_partial(&mut self, cx: &mut Cx<'_>, ack: &mut Ack) -> bool {
        if self.recovery.undo_marker.is_none() || !self.packet_delayed() {
            return false;
        }
        self.check_reordering(cx, ack.prior_una);
        if cx.w().retrans_out > 0 {
            return true;
        }
        self.check_retrans_stamp();
        self.undo_reduction(cx, true);
        cx.mib.inc(Counter::PartialUndo);
        self.try_keep_open(cx);
        false
    }

    fn try_undo_loss(&mut self, cx: &mut Cx<'_>, frto: bool) -> bool {
        if !frto && !self.may_undo() {
            return false;
        }
        self.undo_reduction(cx, true);
        cx.mib.inc(Counter::LossUndo);
        if frto {
            cx.mib.inc(Counter::SpuriousRtos);
        }
        self.timers.retransmits = 0;
        if !self.holds_state(cx) && (frto || self.negotiated.sack) {
            self.change_ca_state(cx, CaState::Open);
        }
        true
    }

    /// The time of the first retransmission is of no use once none is outstanding.
    fn check_retrans_stamp(&mut self) {
        if !self.any_retrans_done() {
            self.recovery.retrans_stamp = None;
        }
    }

    fn any_retrans_done(&self) -> bool {
        self.tx.front().is_some_and(|record| record.marks.has(Marks::EVER_RETRANS))
    }

    fn try_to_open(&mut self, cx: &mut Cx<'_>, ack: &Ack) {
        self.check_retrans_stamp();
        if ack.flags.has(AckFlags::ECE) {
            self.enter_cwr(cx);
        }
        if cx.w().ca_state != CaState::Cwr {
            self.try_keep_open(cx);
        }
    }

    pub(super) fn try_keep_open(&mut self, cx: &mut Cx<'_>) {
        let w = cx.w();
        let left_out = w.sacked_out + w.lost_out > 0;
        let state =
            if left_out || self.any_retrans_done() { CaState::Disorder } else { CaState::Open };
        if cx.w().ca_state != state {
            self.change_ca_state(cx, state);
            self.recovery.high_seq = cx.w().snd_nxt;
        }
    }
}
