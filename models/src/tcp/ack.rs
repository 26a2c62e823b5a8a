//! Processing an acknowledgement (Linux `tcp_ack`, `tcp_clean_rtx_queue`).

use mptcpsim_core::time::{Span, Time};

use super::rate::RateSample;
use super::scoreboard::Marks;
use super::timers::TimerKind;
use super::{Cx, State, Subflow};
use crate::congestion::{AckSample, CaState, HyStartSigns};
use crate::observe::mib::Counter;
use crate::segment::{Flags, Segment};
use crate::seq::Seq;

/// What an acknowledgement turned out to be (`FLAG_*` of `tcp_input.c`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AckFlags(u32);

impl AckFlags {
    /// The segment carried data.
    pub(super) const DATA: Self = Self(1);
    /// It changed the window.
    pub(super) const WIN_UPDATE: Self = Self(1 << 1);
    /// It acknowledged new data cumulatively.
    pub(super) const DATA_ACKED: Self = Self(1 << 2);
    /// ... that had been retransmitted.
    pub(super) const RETRANS_DATA_ACKED: Self = Self(1 << 3);
    /// It acknowledged the SYN.
    pub(super) const SYN_ACKED: Self = Self(1 << 4);
    /// It selectively acknowledged new data.
    pub(super) const DATA_SACKED: Self = Self(1 << 5);
    /// It carried ECE.
    pub(super) const ECE: Self = Self(1 << 6);
    /// A retransmission was lost again.
    pub(super) const LOST_RETRANS: Self = Self(1 << 7);
    /// Data sent once, before the recovery, was (s)acked: the timeout was spurious.
    pub(super) const ORIG_SACK_ACKED: Self = Self(1 << 8);
    /// `snd_una` moved.
    pub(super) const SND_UNA_ADVANCED: Self = Self(1 << 9);
    /// It reported a duplicate.
    pub(super) const DSACKING_ACK: Self = Self(1 << 10);
    /// The duplicate was a tail loss probe.
    pub(super) const DSACK_TLP: Self = Self(1 << 11);
    /// The head of the queue had been selectively acknowledged: reneging.
    pub(super) const SACK_RENEGING: Self = Self(1 << 12);
    /// The retransmission timer is to be set anew.
    pub(super) const SET_XMIT_TIMER: Self = Self(1 << 13);

    const CA_ALERT: Self = Self(Self::DATA_SACKED.0 | Self::ECE.0 | Self::DSACKING_ACK.0);
    pub(super) const NOT_DUP: Self = Self(Self::DATA.0 | Self::WIN_UPDATE.0 | Self::ACKED.0);
    const ACKED: Self = Self(Self::DATA_ACKED.0 | Self::SYN_ACKED.0);
    const FORWARD_PROGRESS: Self = Self(Self::ACKED.0 | Self::DATA_SACKED.0);

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
    pub(super) fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }
    pub(super) fn clear(&mut self, other: Self) {
        self.0 &= !other.0;
    }
}

/// The findings of one acknowledgement, gathered on the way through the steps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ack {
    pub(super) flags: AckFlags,
    /// `snd_una` before.
    pub(super) prior_una: Seq,
    /// Highest SACKed number before (`prior_fack`).
    pub(super) prior_fack: Seq,
    /// Lowest number newly acknowledged out of order: the extent of reordering.
    pub(super) reord: Option<Seq>,
    /// Send times of the first and last newly SACKed packet.
    pub(super) first_sacked: Option<Time>,
    pub(super) last_sacked: Option<Time>,
    /// `rate.delivered` and `.lost` before.
    delivered: u32,
    lost: u32,
    pub(super) sample: RateSample,
    /// What to retransmit when all is counted.
    pub(super) rexmit: Rexmit,
}

/// What recovery decided to send (`REXMIT_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Rexmit {
    #[default]
    None,
    /// Packets taken for lost.
    Lost,
    /// New data, to tell a spurious timeout from a real one (F-RTO).
    New,
}

/// What became of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AckVerdict {
    /// It was processed.
    Done,
    /// It is older than what is known.
    Old,
    /// It acknowledges what was never sent, or is too old to be believed.
    Invalid,
}

/// Slow start has ended, at the present window.
#[cold]
fn count_hystart(cx: &mut Cx<'_>, HyStartSigns { train, delay }: HyStartSigns) {
    let cwnd = u64::from(cx.w().cwnd);
    cx.mib.add(Counter::HystartTrainDetect, u64::from(train));
    cx.mib.add(Counter::HystartTrainCwnd, u64::from(train) * cwnd);
    cx.mib.add(Counter::HystartDelayDetect, u64::from(delay));
    cx.mib.add(Counter::HystartDelayCwnd, u64::from(delay) * cwnd);
}

impl Subflow {
    /// Processes the acknowledgement of `segment` (`tcp_ack`).
    pub(super) fn ack(&mut self, cx: &mut Cx<'_>, segment: &Segment) -> AckVerdict {
        let ack_seq = segment.ack;
        let (una, nxt, packets_out) = {
            let w = cx.w();
            (w.snd_una, w.snd_nxt, w.packets_out)
        };
        if ack_seq.after(nxt) {
            return AckVerdict::Invalid;
        }
        let mut ack = Ack {
            flags: AckFlags::default(),
            prior_una: una,
            prior_fack: self.sack.highest(una),
            reord: None,
            first_sacked: None,
            last_sacked: None,
            delivered: self.rate.delivered,
            lost: self.rate.lost,
            sample: RateSample::default(),
            rexmit: Rexmit::None,
        };
        ack.sample.prior_in_flight = cx.w().in_flight();
        if ack_seq.before(una) {
            return self.old_ack(cx, segment, ack);
        }
        if ack_seq.after(una) {
            ack.flags.set(AckFlags::SND_UNA_ADVANCED);
            self.timers.retransmits = 0;
        }
        self.note_stamp(cx.now, segment);
        self.note_ack_header(cx, segment, &mut ack);
        if packets_out == 0 {
            self.ack_without_outstanding(cx, &mut ack);
            return AckVerdict::Done;
        }
        self.clean_rtx_queue(cx, ack_seq, &mut ack);
        self.rack_update_reo_wnd(&ack.sample);
        if self.recovery.tlp_high_seq.is_some() {
            self.process_tlp_ack(cx, ack_seq, &ack);
        }
        self.judge(cx, &mut ack);
        if ack.flags.has(AckFlags::SET_XMIT_TIMER) {
            self.set_xmit_timer(cx);
        }
        self.count_delivery(cx, &mut ack);
        self.cong_control(cx, &ack);
        self.xmit_recovery(cx, ack.rexmit);
        AckVerdict::Done
    }

    /// Window, SACK blocks, ECN echo (the first half of `tcp_ack`).
    fn note_ack_header(&mut self, cx: &mut Cx<'_>, segment: &Segment, ack: &mut Ack) {
        if segment.seq_len() > 0 {
            ack.flags.set(AckFlags::DATA);
        }
        self.update_peer_window(cx, segment, ack);
        if self.negotiated.sack && !segment.sack.is_empty() {
            self.sacktag(cx, segment, ack);
        }
        if self.negotiated.ecn && segment.flags.has(Flags::ECE) && !segment.flags.has(Flags::SYN) {
            ack.flags.set(AckFlags::ECE);
        }
        self.timers.probes_out = 0;
    }

    /// The window that the peer advertises with a segment, in bytes.
    pub(crate) fn window_of(&self, segment: &Segment) -> u32 {
        let shift = if segment.flags.has(Flags::SYN) { 0 } else { self.negotiated.snd_wscale };
        u32::from(segment.window) << shift
    }

    /// RFC 9293 section 3.10.7.4; Linux `tcp_ack_update_window`.
    fn update_peer_window(&mut self, cx: &mut Cx<'_>, segment: &Segment, ack: &mut Ack) {
        let window = self.window_of(segment);
        let newer = segment.ack.after(cx.w().snd_una)
            || segment.seq.after(self.snd_wl1)
            || (segment.seq == self.snd_wl1 && (window > self.snd_wnd || window == 0));
        if newer {
            self.snd_wl1 = segment.seq;
            if window != self.snd_wnd {
                ack.flags.set(AckFlags::WIN_UPDATE);
                self.snd_wnd = window;
                self.max_window = self.max_window.max(window);
            }
        }
        let w = cx.w();
        if segment.ack.after(w.snd_una) {
            self.totals.bytes_acked += u64::from(segment.ack - w.snd_una);
            w.snd_una = segment.ack;
        }
    }

    #[cold]
    fn old_ack(&mut self, cx: &mut Cx<'_>, segment: &Segment, mut ack: Ack) -> AckVerdict {
        // RFC 5961 section 5.2: an ACK older than any window is an attack or a ghost.
        if segment.ack.before(ack.prior_una - self.max_window.min(ack.prior_una - self.iss)) {
            return AckVerdict::Invalid;
        }
        if self.negotiated.sack && !segment.sack.is_empty() {
            self.sacktag(cx, segment, &mut ack);
            self.fastretrans_alert(cx, &mut ack, false);
            self.count_delivery(cx, &mut ack);
            self.xmit_recovery(cx, ack.rexmit);
        }
        AckVerdict::Old
    }

    fn ack_without_outstanding(&mut self, cx: &mut Cx<'_>, ack: &mut Ack) {
        if ack.flags.has(AckFlags::DSACKING_ACK) {
            self.fastretrans_alert(cx, ack, false);
            self.count_delivery(cx, ack);
        }
        self.ack_probe(cx);
        if self.recovery.tlp_high_seq.is_some() {
            let una = cx.w().snd_una;
            self.process_tlp_ack(cx, una, ack);
        }
    }

    /// Asks recovery when anything is dubious (`tcp_ack_is_dubious`).
    fn judge(&mut self, cx: &mut Cx<'_>, ack: &mut Ack) {
        let dubious = !ack.flags.has(AckFlags::NOT_DUP)
            || ack.flags.has(AckFlags::CA_ALERT)
            || cx.w().ca_state != CaState::Open;
        if dubious {
            let duplicate = !ack.flags.has(AckFlags::SND_UNA_ADVANCED)
                && !ack.flags.has(AckFlags::NOT_DUP)
                && !ack.flags.has(AckFlags::DSACKING_ACK);
            self.fastretrans_alert(cx, ack, duplicate);
        }
    }

    /// Removes what is acknowledged from the retransmission queue (`tcp_clean_rtx_queue`).
    fn clean_rtx_queue(&mut self, cx: &mut Cx<'_>, ack_seq: Seq, ack: &mut Ack) {
        let now = cx.now;
        let (mut first_acked, mut last_acked) = (None, None);
        let mut reord = ack.prior_fack;
        let mut pkts_acked = 0;
        while let Some(record) = self.tx.front() {
            if record.end().after(ack_seq) {
                break;
            }
            let record = *record;
            if record.marks.was_retransmitted() {
                if record.marks.has(Marks::RETRANS) {
                    cx.w().retrans_out -= 1;
                }
                ack.flags.set(AckFlags::RETRANS_DATA_ACKED);
            } else if !record.marks.has(Marks::SACKED) {
                last_acked = Some(record.sent_at);
                first_acked = first_acked.or(last_acked);
                if record.seq.before(reord) {
                    reord = record.seq;
                }
                if record.end().at_or_before(self.recovery.high_seq) {
                    ack.flags.set(AckFlags::ORIG_SACK_ACKED);
                }
            }
            if record.marks.has(Marks::SACKED) {
                cx.w().sacked_out -= 1;
            } else if self.negotiated.sack {
                self.rate.delivered = self.rate.delivered.wrapping_add(1);
                if !self.is_spurious(&record) {
                    self.rack_advance(cx, &record);
                }
            }
            if record.marks.has(Marks::LOST) {
                cx.w().lost_out -= 1;
            }
            cx.w().packets_out -= 1;
            pkts_acked += 1;
            self.rate.delivered_packet(&record, &mut ack.sample);
            ack.flags.set(AckFlags::DATA_ACKED);
            self.tx.pop();
        }
        self.sack.forget_below(ack_seq);
        let head = self.tx.front().map(|record| (record.marks, record.sent_at));
        if head.is_some_and(|(marks, _)| marks.has(Marks::SACKED)) {
            ack.flags.set(AckFlags::SACK_RENEGING);
        }
        let sampled = self.sample_rtt(cx, ack, first_acked, last_acked);
        if ack.flags.has(AckFlags::ACKED) {
            if !self.negotiated.sack {
                self.remove_reno_sacks(cx, pkts_acked);
            }
            ack.flags.set(AckFlags::SET_XMIT_TIMER);
            if reord.before(ack.prior_fack) {
                self.check_reordering(cx, reord);
            }
        } else if let (Some((_, sent_at)), Some(sack_sent)) = (head, ack.first_sacked)
            && sampled
            && now - sack_sent > now - sent_at
        {
            ack.flags.set(AckFlags::SET_XMIT_TIMER);
        }
        cx.ca_pkts_acked(AckSample { pkts_acked, rtt_us: ack.sample.rtt_us });
        let signs = std::mem::take(&mut cx.w().hystart);
        if signs != HyStartSigns::default() {
            count_hystart(cx, signs);
        }
    }

    /// Measures the round trip by the packets acknowledged, else by timestamps
    /// (`tcp_ack_update_rtt`; Karn's rule: never by a retransmitted packet).
    fn sample_rtt(
        &mut self,
        cx: &mut Cx<'_>,
        ack: &mut Ack,
        first_acked: Option<Time>,
        last_acked: Option<Time>,
    ) -> bool {
        let now = cx.now;
        let us = |since: Time| (now - since).as_us().min(u64::from(u32::MAX)) as u32;
        let clean = !ack.flags.has(AckFlags::RETRANS_DATA_ACKED);
        let mut seq_rtt = first_acked.filter(|_| clean).map(us);
        let mut ca_rtt = last_acked.filter(|_| clean).map(us);
        if let (Some(first), Some(last)) = (ack.first_sacked, ack.last_sacked) {
            seq_rtt = seq_rtt.or(Some(us(first)));
            ca_rtt = Some(us(last));
        }
        if seq_rtt.is_none() && ack.flags.has(AckFlags::ACKED) {
            seq_rtt = self.timestamp_rtt_us(now);
            ca_rtt = seq_rtt;
        }
        ack.sample.rtt_us = ca_rtt;
        let Some(seq_rtt_us) = seq_rtt else { return false };
        self.rtt_sample(cx, seq_rtt_us, ca_rtt.unwrap_or(seq_rtt_us));
        true
    }

    /// Completes the rate sample (`tcp_newly_delivered`, `tcp_rate_gen`).
    fn count_delivery(&mut self, cx: &mut Cx<'_>, ack: &mut Ack) {
        ack.sample.acked_sacked = self.rate.delivered.wrapping_sub(ack.delivered);
        let delivered = u64::from(ack.sample.acked_sacked);
        cx.mib.add(Counter::Delivered, delivered);
        if ack.flags.has(AckFlags::ECE) {
            self.totals.delivered_ce += ack.sample.acked_sacked;
            cx.mib.add(Counter::DeliveredCe, delivered);
        }
        ack.sample.losses = self.rate.lost.wrapping_sub(ack.lost);
        let now = cx.now;
        let min_rtt = Span::from_us(u64::from(cx.w().min_rtt_us));
        self.rate.generate(now, min_rtt, &mut ack.sample);
    }

    /// Changes the window: reduces it if the state demands, else lets the algorithm grow it
    /// (`tcp_cong_control`).
    fn cong_control(&mut self, cx: &mut Cx<'_>, ack: &Ack) {
        if self.pacing.controls_rate {
            self.rate_control(cx, ack);
            return;
        }
        let state = cx.w().ca_state;
        if matches!(state, CaState::Cwr | CaState::Recovery) {
            let progress = ack.flags.has(AckFlags::SND_UNA_ADVANCED);
            self.cwnd_reduction(cx, ack.sample.acked_sacked, ack.sample.losses, progress);
        } else {
            // With much reordering in-order delivery is rare: any delivery may raise the window.
            let needed = if self.recovery.reordering > cx.sysctl().tcp_reordering {
                AckFlags::FORWARD_PROGRESS
            } else {
                AckFlags::DATA_ACKED
            };
            if ack.flags.has(needed) {
                cx.ca_cong_avoid(ack.sample.acked_sacked);
            }
        }
        self.update_pacing_rate(cx);
    }

    /// The algorithm sets window and rate by what the path delivers.
    #[inline(never)]
    fn rate_control(&mut self, cx: &mut Cx<'_>, ack: &Ack) {
        self.rate.tell(cx.w());
        cx.ca_control(&ack.sample.told());
        let w = cx.w();
        if w.delivery.app_limited {
            let in_flight = w.in_flight();
            self.rate.app_limited(in_flight);
        }
    }

    /// The rate that cwnd sustains, with headroom (`tcp_update_pacing_rate`). Without pacing it
    /// still serves schedulers and burst sizes.
    pub(super) fn update_pacing_rate(&mut self, cx: &mut Cx<'_>) {
        let ratio = {
            let slow_start = cx.w().cwnd < cx.w().ssthresh / 2;
            let sysctl = cx.sysctl();
            if slow_start { sysctl.tcp_pacing_ss_ratio } else { sysctl.tcp_pacing_ca_ratio }
        };
        let mss = u64::from(self.mss_cache);
        let w = cx.w();
        let packets = u64::from(w.cwnd.max(w.packets_out));
        let rate = mss * 80_000 * u64::from(ratio) * packets;
        w.pacing_rate = if w.srtt_us > 0 { rate / u64::from(w.srtt_us) } else { rate };
    }

    /// True when every byte handed over, and the FIN, is acknowledged.
    pub(super) fn all_acked(&self, cx: &mut Cx<'_>) -> bool {
        self.fin_sent && cx.w().snd_una == self.tx.write_seq && self.tx.is_empty()
    }

    /// Progress of an acknowledgement while a zero-window probe is pending (`tcp_ack_probe`).
    fn ack_probe(&mut self, cx: &mut Cx<'_>) {
        let nxt = cx.w().snd_nxt;
        let Some((_, left)) = self.tx.unsent(nxt) else { return };
        let end = nxt + left.min(self.current_mss());
        if end.at_or_before(self.window_end(cx)) {
            self.timers.backoff = 0;
            self.end_probing();
            if self.timers.kind() == TimerKind::WindowProbe {
                self.timers.stop_retransmit();
            }
        } else {
            self.arm_window_probe(cx);
        }
    }

    /// The number behind the last byte the peer's window allows.
    pub(super) fn window_end(&self, cx: &Cx<'_>) -> Seq {
        cx.window().snd_una + self.snd_wnd
    }

    /// True if the subflow may send data at all.
    pub(super) fn may_send_data(&self) -> bool {
        let open = matches!(
            self.state,
            State::Established
                | State::CloseWait
                | State::FinWait1
                | State::Closing
                | State::LastAck
        );
        open || self.is_open_early()
    }
}
