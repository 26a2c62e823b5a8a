//! Closing: DATA_FIN, then the subflows; resets; subflows that end by themselves
//! (RFC 8684 section 3.3.3; Linux `mptcp_check_data_fin`, `__mptcp_close_ssk`).

use mptcpsim_core::time::Span;

use super::{Connection, Env, MetaState, Mode, cx};
use crate::mptcp_keys::Key;
use crate::observe::mib::Counter;
use crate::path_manager::PathEvent;
use crate::segment::{MpTcpRst, ResetReason, Segment};
use crate::tcp::{Error, State};

impl Connection {
    // ---- C: from above -------------------------------------------------------------------

    /// C: the application writes no more. It may still read.
    pub fn close(&mut self, env: &mut Env<'_>) {
        if self.tx.fin_wanted {
            return;
        }
        self.tx.fin_wanted = true;
        match self.state {
            MetaState::Opening
                if self.subs.first().is_some_and(|sub| sub.tcp.state() == State::SynSent) =>
            {
                let sub = &mut self.subs[0];
                sub.tcp.shutdown(&mut cx!(self, env, 0));
                self.set_meta_state(env, MetaState::Closed);
            }
            MetaState::Established => self.set_meta_state(env, MetaState::FinWait1),
            MetaState::CloseWait => self.set_meta_state(env, MetaState::LastAck),
            _ => {}
        }
        self.push_pending(env);
    }

    /// C: the application is gone (`close`): it writes no more, and nobody will read
    /// (`tcp_close`, `mptcp_close`).
    #[cold]
    pub fn release(&mut self, env: &mut Env<'_>) {
        self.close(env);
        self.released = true;
        if self.state == MetaState::Closed {
            self.orphan_all(env);
        }
        if !self.is_mptcp()
            && let Some(sub) = self.subs.first_mut()
        {
            sub.tcp.orphan(&mut cx!(self, env, 0));
        }
    }

    /// C: ends the connection at once: every subflow is reset, with MP_FASTCLOSE
    /// (`mptcp_do_fastclose`).
    #[cold]
    pub fn abort(&mut self, env: &mut Env<'_>) {
        if self.is_mptcp() && self.out_of_tree.is_some() {
            self.fastclose_out_of_tree(env);
            return;
        }
        let key = self.remote_key.filter(|_| self.is_mptcp());
        for index in 0..self.subs.len() {
            if self.subs[index].tcp.state() == State::Closed {
                continue;
            }
            if self.is_mptcp() {
                let pending = &mut self.subs[index].pending;
                pending.fastclose = key;
                pending.reset = Some(MpTcpRst::new(ResetReason::UNSPECIFIED));
            }
            let sub = &mut self.subs[index];
            sub.tcp.abort(&mut cx!(self, env, index));
        }
        self.mark_all_ready();
        self.timers.stop_all();
        self.fail_all(env, Error::Aborted);
    }

    /// The peer closed at once. Only our own key proves that it is the peer.
    pub(super) fn fastclose_received(&mut self, env: &mut Env<'_>, key: u64) {
        if Key(key) != self.local_key {
            return;
        }
        if self.out_of_tree.is_none() {
            env.mib.inc(Counter::MpFastcloseRx);
        }
        env.log.mptcp(env.now, 0, "fastclose", || "received".into());
        for index in 0..self.subs.len() {
            if self.subs[index].tcp.state() != State::Closed {
                self.reset_subflow(env, index, ResetReason::UNSPECIFIED);
            }
        }
        self.timers.stop_all();
        self.fail_all(env, Error::Reset);
    }

    // ---- DATA_FIN ------------------------------------------------------------------------

    /// True while outgoing segments carry the DATA_FIN.
    pub(super) fn data_fin_enabled(&self) -> bool {
        self.tx.fin_sent && !self.tx.fin_done
    }

    /// Sends the DATA_FIN when all data has been given to subflows (`__mptcp_check_send_data_fin`).
    #[inline]
    pub(super) fn check_data_fin(&mut self, env: &mut Env<'_>) {
        let done = self.tx.head >= self.tx.written && self.tx.fin_wanted;
        if done && !self.tx.fin_sent && self.state != MetaState::Opening {
            self.send_data_fin(env);
        }
    }

    #[cold]
    fn send_data_fin(&mut self, env: &mut Env<'_>) {
        self.tx.fin_sent = true;
        if self.is_mptcp() {
            env.log.mptcp(env.now, 0, "data-fin", || "sent".into());
            self.forget_opening(env);
            self.ack_all();
            self.start_fin_timer(env);
        } else {
            let sub = &mut self.subs[0];
            sub.tcp.shutdown(&mut cx!(self, env, 0));
            self.mark_ready(0);
        }
    }

    /// Joins that are not answered yet are given up without a word (`mptcp_subflow_shutdown`).
    fn forget_opening(&mut self, env: &mut Env<'_>) {
        for index in 0..self.subs.len() {
            let sub = &mut self.subs[index];
            if sub.tcp.state() == State::SynSent {
                sub.tcp.forget(&mut cx!(self, env, index));
                self.check_subflow_state(env, index);
            }
        }
    }

    /// The peer's DATA_FIN is known; it counts once all data before it is there.
    #[cold]
    pub(super) fn data_fin_received(&mut self, offset: u64) {
        if self.rx.data_fin.is_none() && !self.rx.eof {
            self.rx.data_fin = Some(offset);
        }
        self.check_received_fin();
    }

    /// A DATA_FIN is acted upon when its segment has been answered: the kernel leaves that to its
    /// worker, after the acknowledgement at the TCP level (`mptcp_schedule_work`).
    pub(super) fn check_received_fin(&mut self) {
        self.work |= self.rx.data_fin == Some(self.rx.next);
    }

    /// What had to wait until the last segment was answered (`mptcp_worker`).
    #[cold]
    pub(super) fn do_work(&mut self, env: &mut Env<'_>) {
        self.data_fin_acked(env);
        self.take_data_fin(env);
    }

    /// Takes the DATA_FIN if it is next (`mptcp_check_data_fin`).
    fn take_data_fin(&mut self, env: &mut Env<'_>) {
        if self.rx.data_fin != Some(self.rx.next) {
            return;
        }
        self.rx.data_fin = None;
        self.rx.eof = true;
        env.log.mptcp(env.now, 0, "data-fin", || "received".into());
        match self.state {
            MetaState::Established => self.set_meta_state(env, MetaState::CloseWait),
            MetaState::FinWait1 => self.set_meta_state(env, MetaState::Closing),
            // The subflows' FINs carry the acknowledgement, and another one follows them.
            MetaState::FinWait2 if self.is_mptcp() && !env.config.rules.data_ack_before_fin => {
                self.finish(env);
                self.ack_behind_all();
                self.orphan_all(env);
                return;
            }
            MetaState::FinWait2 => {
                self.finish(env);
                self.orphan_all(env);
            }
            _ => {}
        }
        if self.out_of_tree.is_some() {
            self.answer_data_fin();
        } else if self.is_mptcp() {
            self.ack_all();
        }
    }

    /// This host's DATA_FIN is acknowledged (`mptcp_check_data_fin_ack`).
    fn data_fin_acked(&mut self, env: &mut Env<'_>) {
        if !self.tx.fin_acked || std::mem::replace(&mut self.tx.fin_done, true) {
            return;
        }
        match self.state {
            MetaState::FinWait1 => {
                self.set_meta_state(env, MetaState::FinWait2);
                self.close_subflows_out_of_tree(env);
            }
            MetaState::LastAck if self.out_of_tree.is_some() && self.is_mptcp() => {
                self.wait_for_fins(env);
            }
            MetaState::Closing | MetaState::LastAck => {
                self.finish(env);
                self.orphan_all(env);
            }
            _ => {}
        }
    }

    /// Both directions are done: close every subflow (`mptcp_shutdown_subflows`).
    fn finish(&mut self, env: &mut Env<'_>) {
        self.set_meta_state(env, MetaState::Closed);
        self.timers.stop_all();
        for index in 0..self.subs.len() {
            let sub = &mut self.subs[index];
            sub.tcp.shutdown(&mut cx!(self, env, index));
        }
        self.mark_all_ready();
    }

    /// Once the application is gone too nobody needs the subflows (`__mptcp_destroy_sock`).
    fn orphan_all(&mut self, env: &mut Env<'_>) {
        if !self.released {
            return;
        }
        for index in 0..self.subs.len() {
            let sub = &mut self.subs[index];
            sub.tcp.orphan(&mut cx!(self, env, index));
        }
    }

    // ---- subflows that end ---------------------------------------------------------------

    /// The peer reset a subflow.
    #[cold]
    pub(super) fn subflow_reset(&mut self, env: &mut Env<'_>, index: usize, segment: &Segment) {
        if self.out_of_tree.is_some() {
            self.reset_out_of_tree(env, index, segment);
        } else {
            self.take_reset_options(env, index, segment);
        }
        env.log.mptcp(env.now, index, "reset", || "received".into());
        if self.is_mptcp() && self.answers_reset(index) {
            let sub = &mut self.subs[index];
            sub.pending.reset = Some(MpTcpRst::new(ResetReason::UNSPECIFIED));
            sub.tcp.reset_in_turn();
        }
        self.check_subflow_state(env, index);
    }

    /// The options of a reset: why it came, and whether it ends the connection.
    pub(super) fn take_reset_options(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        segment: &Segment,
    ) {
        let Some(rare) = segment.rare.as_deref().filter(|_| self.is_mptcp()) else { return };
        if let Some(reset) = rare.mp_tcprst {
            self.subs[index].statistics.reset_reason = Some(reset.reason);
            if !self.answers_reset(index) {
                env.mib.inc(Counter::MpRstRx);
            }
        }
        if let Some(key) = rare.mp_fastclose {
            self.fastclose_received(env, key);
        }
        if rare.mp_fail.is_some() {
            env.mib.inc(Counter::MpFailRx);
        }
    }

    /// A reset before the fourth ACK of a join is itself a segment that is not allowed then: Linux
    /// answers it with a reset and reads none of its options (`check_fully_established`).
    fn answers_reset(&self, index: usize) -> bool {
        let sub = &self.subs[index];
        self.out_of_tree.is_none()
            && sub.joined
            && sub.opener
            && !sub.fully_established
            && sub.statistics.established_at().is_some()
    }

    /// Acts upon a subflow that has ended (`__mptcp_close_subflow`).
    pub(super) fn check_subflow_state(&mut self, env: &mut Env<'_>, index: usize) {
        let sub = &self.subs[index];
        if sub.removed {
            return;
        }
        let state = sub.tcp.state();
        if !self.is_mptcp() {
            self.check_plain_state(env, index, state);
            return;
        }
        // A FIN without DATA_FIN ends the subflow only.
        if state == State::CloseWait && self.out_of_tree.is_some() {
            self.peer_closed_subflow(env, index);
        }
        let sub = &self.subs[index];
        let half_closed = state == State::CloseWait
            && self.state == MetaState::Established
            && sub.tcp.peek_arrived().is_none()
            && self.rx.data_fin.is_none();
        if half_closed {
            self.discard_subflow(env, index);
        } else if state == State::Closed {
            self.subflow_gone(env, index);
        }
    }

    #[inline]
    fn check_plain_state(&mut self, env: &mut Env<'_>, index: usize, state: State) {
        if index != 0 {
            return;
        }
        if self.tx.fin_acked && self.state == MetaState::FinWait1 {
            self.set_meta_state(env, MetaState::FinWait2);
        }
        if !matches!(state, State::Closed | State::TimeWait) {
            return;
        }
        self.plain_closed(env);
    }

    #[cold]
    fn plain_closed(&mut self, env: &mut Env<'_>) {
        self.subs[0].removed = true;
        self.subs[0].statistics.closed = env.now;
        if let Some(error) = self.subs[0].tcp.error() {
            self.fail_all(env, error);
        } else {
            self.set_meta_state(env, MetaState::Closed);
        }
        self.timers.stop_all();
    }

    /// The connection does without a subflow from now on. The subflow says what it had to say and
    /// ends with a FIN. It answers data with a reset; not so the first one, whose socket lives as
    /// long as the connection and is closed for sending only (`mptcp_close_ssk`,
    /// `__mptcp_subflow_disconnect`).
    pub(super) fn discard_subflow(&mut self, env: &mut Env<'_>, index: usize) {
        let sub = &mut self.subs[index];
        sub.tcp.shutdown(&mut cx!(self, env, index));
        if sub.joined {
            sub.tcp.orphan(&mut cx!(self, env, index));
        }
        self.mark_ready(index);
        self.subflow_gone(env, index);
    }

    /// A subflow is lost to the connection: what it held is sent on others, and if it was the last
    /// one the connection waits a while for a new one. One that was only requested is not missed.
    fn subflow_gone(&mut self, env: &mut Env<'_>, index: usize) {
        let sub = &mut self.subs[index];
        sub.removed = true;
        sub.statistics.closed = env.now;
        self.windows[index].can_send = false;
        self.touched.mark(index);
        if self.out_of_tree.is_some() {
            self.reinject(env, index);
        }
        let sub = &self.subs[index];
        if self.out_of_tree.is_none() && sub.is_requested() {
            return;
        }
        let (local_id, joined) = (sub.local_id, sub.joined);
        let error = sub.tcp.error();
        if self.state == MetaState::Opening {
            self.connect_failed(env, error.unwrap_or(Error::Reset));
            return;
        }
        env.log.mptcp(env.now, index, "subflow-closed", || {
            error.map_or_else(String::new, |error| error.name().into())
        });
        self.path_event(env, PathEvent::SubflowClosed { subflow: index, local_id, joined, error });
        if self.state == MetaState::Closed {
            return;
        }
        if self.send_anew(env) {
            self.push_pending(env);
        }
        if self.subs.iter().all(|sub| sub.removed) {
            self.last_subflow_gone(env, error);
        }
    }

    fn last_subflow_gone(&mut self, env: &mut Env<'_>, error: Option<Error>) {
        if self.out_of_tree.is_some() && self.state != MetaState::Closed {
            // There is nothing that could open another.
            self.fail_all(env, error.unwrap_or(Error::Reset));
        } else if self.state == MetaState::Established && self.mode == Mode::Mptcp {
            let patience = Span::from_secs(u64::from(env.config.sysctl.close_timeout));
            self.rx.error = self.rx.error.or(error);
            self.abandoned = true;
            self.timers.close.set(env.now, patience);
        } else {
            self.set_meta_state(env, MetaState::Closed);
        }
    }
}
