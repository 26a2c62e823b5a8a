//! Which segments are acceptable, and what the others are answered with (Linux `tcp_validate_incoming`;
//! RFC 9293 section 3.10.7.4, RFC 5961, RFC 7323 section 5).

use super::acking::MAX_QUICKACKS;
use super::receive::Step;
use super::{Cx, Error, State, Subflow};
use crate::observe::mib::Counter;
use crate::segment::{Flags, Segment};
use crate::seq::{Seq, SeqRange};

impl Subflow {
    /// True if the segment will not be refused on an open connection.
    pub(crate) fn accepts(&self, cx: &mut Cx<'_>, segment: &Segment) -> bool {
        self.state.synchronised()
            && segment.flags.has(Flags::ACK)
            && !segment.flags.intersects(Flags::RST | Flags::SYN)
            && !self.too_old_timestamp(cx, segment)
            && self.in_window(cx, segment)
    }

    /// Refuses what is not acceptable (`tcp_validate_incoming`).
    #[inline(always)]
    pub(super) fn refuse(&mut self, cx: &mut Cx<'_>, segment: &Segment) -> Option<Step> {
        let reset = segment.flags.has(Flags::RST);
        if self.too_old_timestamp(cx, segment) && !reset {
            cx.mib.inc(Counter::PawsEstab);
            self.duplicate_ack(cx, segment);
            return Some(Step::Drop);
        }
        let resets = reset && self.is_reset_by(segment.seq);
        if !self.in_window(cx, segment) && !resets {
            if !reset {
                if segment.flags.has(Flags::SYN) {
                    self.challenge_syn(cx);
                } else {
                    self.duplicate_ack(cx, segment);
                }
            }
            return Some(Step::Drop);
        }
        if reset {
            if resets {
                return Some(self.reset_received(cx));
            }
            cx.mib.inc(Counter::ChallengeAck);
            self.challenge(cx, true);
            return Some(Step::Drop);
        }
        if segment.flags.has(Flags::SYN) {
            self.challenge_syn(cx);
            return Some(Step::Drop);
        }
        (!segment.flags.has(Flags::ACK)).then_some(Step::Drop)
    }

    /// RFC 5961 section 3.2: only the exact number resets, others are challenged. Linux takes two
    /// more: that of the FIN, which some hosts repeat (`tcp_reset_check`), and the end of the data
    /// farthest ahead, as SACK tells it.
    #[cold]
    fn is_reset_by(&self, seq: Seq) -> bool {
        let fin_came = matches!(self.state, State::CloseWait | State::LastAck | State::Closing);
        let next = self.rx.rcv_nxt;
        let farthest = self.rx.reorder.farthest_block();
        seq == next || (fin_came && seq + 1 == next) || farthest == Some(seq)
    }

    #[cold]
    fn reset_received(&mut self, cx: &mut Cx<'_>) -> Step {
        let half_closed = self.state == State::CloseWait;
        self.fail(cx, if half_closed { Error::Pipe } else { Error::Reset });
        Step::Reset
    }

    #[cold]
    fn challenge_syn(&mut self, cx: &mut Cx<'_>) {
        cx.mib.inc(Counter::SynChallenge);
        cx.mib.inc(Counter::ChallengeAck);
        self.challenge(cx, true);
    }

    /// RFC 9293 section 3.10.7.4; Linux counts from the last advertisement (`tcp_sequence`).
    fn in_window(&self, cx: &mut Cx<'_>, segment: &Segment) -> bool {
        if segment.end_seq().before(self.rx.rcv_wup) {
            return false;
        }
        let edge = self.rx.rcv_nxt + self.rx.remaining_window();
        if segment.end_seq().at_or_before(edge) {
            return true;
        }
        let unread = if cx.window().multipath { 0 } else { cx.space.used };
        let nothing_unread = self.peek_arrived().is_none() && unread == 0;
        let holds = !cx.config.rules.window_is_strict || nothing_unread;
        let fits = segment.seq.at_or_before(edge) && holds;
        if !fits && cx.config.rules.window_is_strict {
            cx.mib.inc(Counter::BeyondWindow);
        }
        fits
    }

    /// PAWS (RFC 7323 section 5), with the exception for reordered pure acknowledgements
    /// (`tcp_paws_discard`, `tcp_disordered_ack`).
    fn too_old_timestamp(&self, cx: &mut Cx<'_>, segment: &Segment) -> bool {
        let Some(stamp) = segment.timestamps.filter(|_| self.negotiated.timestamps) else {
            return false;
        };
        let behind = self.rx.timestamps.recent.wrapping_sub(stamp.val) as i32;
        if behind <= 0 {
            return false;
        }
        let pure_ack = segment.seq_len() == 0
            && segment.seq == self.rx.rcv_nxt
            && segment.ack == cx.w().snd_una
            && u32::from(segment.window) << self.negotiated.snd_wscale == self.snd_wnd;
        let tolerance = self.rtt.rto.as_ms() * 12 / 10;
        !(pure_ack && u64::from(behind as u32) <= tolerance)
    }

    /// Answers a segment outside the window or with old data (`tcp_send_dupack`).
    #[cold]
    fn duplicate_ack(&mut self, cx: &mut Cx<'_>, segment: &Segment) {
        let rx = &mut self.rx;
        if segment.seq_len() > 0 && segment.seq.before(rx.rcv_nxt) {
            cx.mib.inc(Counter::DelayedAckLost);
            let range = SeqRange::new(segment.seq, segment.end_seq().earliest(rx.rcv_nxt));
            self.report_duplicate(cx, range);
            self.enter_quickack_mode(MAX_QUICKACKS);
        }
        self.challenge(cx, segment.payload.is_empty());
    }
}
