//! Closing (RFC 9293 section 3.6; Linux `tcp_fin`, `tcp_close_state`, `tcp_time_wait`).

use mptcpsim_core::time::Span;

use super::receive::Step;
use super::timers::TIME_WAIT;
use super::{Cx, Error, State, Subflow, Wants};
use crate::observe::mib::Counter;
use crate::segment::{Flags, Segment};

impl Subflow {
    /// Sends a FIN behind everything queued (`tcp_shutdown`).
    pub fn shutdown(&mut self, cx: &mut Cx<'_>) {
        match self.state {
            State::Established => self.queue_fin(cx, State::FinWait1),
            State::CloseWait => self.queue_fin(cx, State::LastAck),
            State::SynReceived if self.opened_by_syn() => self.close_later(),
            State::SynSent | State::SynReceived => {
                self.fail(cx, Error::Aborted);
                self.error = None;
            }
            _ => {}
        }
    }

    fn queue_fin(&mut self, cx: &mut Cx<'_>, next: State) {
        self.fin_queued = true;
        self.tx.write_seq += 1;
        self.set_state(cx, next);
        self.wants.set(Wants::PUSH);
    }

    /// Nobody will read any more: new data is answered by a reset, and a peer that does not close
    /// is not waited for (`tcp_fin_timeout`, `TCPABORTONDATA`).
    #[cold]
    pub fn orphan(&mut self, cx: &mut Cx<'_>) {
        self.orphaned = true;
        if self.state == State::FinWait2 {
            self.shadow = true;
            let patience = Span::from_secs(u64::from(cx.sysctl().tcp_fin_timeout));
            self.timers.life.set(cx.now, patience);
        }
    }

    /// Waits to be accepted, or was: until then its buffer keeps its size.
    #[cold]
    pub fn await_accept(&mut self, waits: bool) {
        self.unaccepted = waits;
    }

    /// Resets the connection: one RST will follow (`tcp_send_active_reset`).
    pub fn abort(&mut self, cx: &mut Cx<'_>) {
        let speaks = !matches!(self.state, State::Closed | State::TimeWait | State::SynSent);
        self.fail(cx, Error::Aborted);
        self.tx.clear();
        if speaks {
            self.wants.set(Wants::RESET);
        }
    }

    /// Ends the connection with a reset that answers `segment` (`tcp_v4_send_reset`).
    #[cold]
    pub fn abort_by_answer(&mut self, cx: &mut Cx<'_>, segment: &Segment) {
        self.fail(cx, Error::Aborted);
        self.tx.clear();
        self.answer_with_reset(segment);
    }

    #[cold]
    pub(super) fn answer_with_reset(&mut self, segment: &Segment) {
        self.wants.set(Wants::RESET);
        self.reset_answers = segment.flags.has(Flags::ACK).then_some(segment.ack);
    }

    /// Sends one more reset on a connection that the peer has just reset.
    pub fn reset_in_turn(&mut self) {
        self.wants.set(Wants::RESET);
    }

    /// Gives up a connection that is being opened, without a word (`tcp_disconnect`).
    pub fn forget(&mut self, cx: &mut Cx<'_>) {
        self.fail(cx, Error::Aborted);
    }

    /// The RST of a subflow that ends.
    #[cold]
    pub(super) fn reset_segment(&mut self, cx: &mut Cx<'_>) -> Segment {
        cx.mib.inc(Counter::OutRsts);
        if let Some(seq) = self.reset_answers.take() {
            return Segment { seq, flags: Flags::RST, ..Segment::default() };
        }
        let mut segment = self.header(cx, self.send_seq(cx), Flags::RST);
        segment.flags = Flags::RST | Flags::ACK;
        segment
    }

    /// The peer's FIN is in order (`tcp_fin`).
    #[cold]
    pub(super) fn fin_received(&mut self, cx: &mut Cx<'_>) {
        self.rx.fin = Some(self.rx.rcv_nxt);
        // Nothing can follow: there is nothing left to report.
        self.rx.reorder.dsack = None;
        self.acks.scheduled = true;
        match self.state {
            State::SynReceived | State::Established => {
                self.set_state(cx, State::CloseWait);
                self.enter_pingpong();
            }
            State::FinWait1 => {
                self.acks.now = true;
                self.set_state(cx, State::Closing);
            }
            State::FinWait2 => {
                self.acks.now = true;
                self.time_wait(cx);
            }
            _ => {}
        }
    }

    /// The peer acknowledged this side's FIN.
    pub(super) fn after_fin_acked(&mut self, cx: &mut Cx<'_>, segment: &Segment) {
        if !self.all_acked(cx) {
            return;
        }
        match self.state {
            State::FinWait1 => {
                self.set_state(cx, State::FinWait2);
                if self.orphaned {
                    self.orphan(cx);
                    self.shadow = !segment.flags.has(Flags::FIN);
                }
            }
            State::Closing => self.time_wait(cx),
            State::LastAck => {
                self.timers = super::timers::Timers::default();
                self.set_state(cx, State::Closed);
            }
            _ => {}
        }
    }

    #[cold]
    fn time_wait(&mut self, cx: &mut Cx<'_>) {
        self.timers.stop_retransmit();
        self.set_state(cx, State::TimeWait);
        self.timers.life.set(cx.now, TIME_WAIT);
    }

    /// The peer's FIN is waited for without a socket: new data is answered by a reset
    /// (`tcp_timewait_state_process`).
    #[cold]
    pub(super) fn on_segment_shadow(&mut self, cx: &mut Cx<'_>, segment: &Segment) -> Step {
        let flags = segment.flags;
        let rcv_nxt = self.rx.rcv_nxt;
        if flags.has(Flags::RST) {
            if segment.seq == rcv_nxt {
                self.set_state(cx, State::Closed);
            }
        } else if flags.has(Flags::SYN) && !segment.seq.before(rcv_nxt) {
            self.abort_by_answer(cx, segment);
        } else if flags.has(Flags::ACK) && segment.end_seq().after(rcv_nxt) {
            if flags.has(Flags::FIN) && segment.end_seq() == rcv_nxt + 1 {
                self.rx.rcv_nxt = segment.end_seq();
                self.note_timestamps(cx.now, segment);
                self.time_wait(cx);
                self.wants.set(Wants::ACK);
            } else {
                cx.mib.inc(Counter::AbortOnData);
                self.abort_by_answer(cx, segment);
            }
        }
        Step::Drop
    }

    /// A stray segment: a repeated FIN is acknowledged again (RFC 9293 section 3.10.7.4).
    #[cold]
    pub(super) fn on_segment_time_wait(&mut self, cx: &mut Cx<'_>, segment: &Segment) -> Step {
        if segment.flags.has(Flags::RST) {
            if segment.seq == self.rx.rcv_nxt {
                self.set_state(cx, State::Closed);
            }
        } else if segment.seq_len() > 0 {
            self.shadow = true;
            self.timers.life.set(cx.now, TIME_WAIT);
            self.acks.scheduled = true;
            self.wants.set(Wants::ACK);
        }
        Step::Drop
    }
}
