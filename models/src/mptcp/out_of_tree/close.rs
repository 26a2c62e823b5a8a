//! Closing: FINs of subflows follow the acknowledged DATA_FIN, first those of the end that closed
//! first (`mptcp_sub_close`, `mptcp_sub_close_passive`); MP_FASTCLOSE and its repetition
//! (`mptcp_send_active_reset`); withdrawn addresses.

use crate::mptcp::{Connection, Env, MetaState, cx};
use crate::observe::mib::Counter;
use crate::path_manager::PathAction;
use crate::segment::{AddAddr, ResetReason, Segment};
use crate::tcp::{Error, State as TcpState};

/// Timeouts that the end that closed second waits for the FIN of a subflow.
const PATIENCE: u64 = 8;
/// Repetitions of MP_FASTCLOSE.
const FASTCLOSES: u8 = 3;

impl Connection {
    /// The peer's DATA_FIN is acknowledged on the subflow it came on.
    pub(in crate::mptcp) fn answer_data_fin(&mut self) {
        let from = self.out_of_tree.as_ref().and_then(|state| state.data_fin_from);
        let able = |index: &usize| self.subs[*index].tcp.state().synchronised();
        if let Some(index) = from.filter(able).or_else(|| self.ack_subflow()) {
            self.subs[index].tcp.request_ack();
            self.mark_ready(index);
        }
    }

    /// The DATA_FIN of the end that closes first is acknowledged: FINs follow.
    pub(in crate::mptcp) fn close_subflows_out_of_tree(&mut self, env: &mut Env<'_>) {
        if !self.is_mptcp() || self.out_of_tree.is_none() {
            return;
        }
        for index in 0..self.subs.len() {
            let sub = &mut self.subs[index];
            sub.tcp.shutdown(&mut cx!(self, env, index));
        }
        self.mark_all_ready();
    }

    /// The end that closed second is done, and lets the other one send its FINs first.
    pub(in crate::mptcp) fn wait_for_fins(&mut self, env: &mut Env<'_>) {
        self.set_meta_state(env, MetaState::Closed);
        self.timers.stop_all();
        for index in 0..self.subs.len() {
            let waits = self.subs[index].tcp.state() == TcpState::Established;
            let span = self.subs[index].tcp.rto() * PATIENCE;
            match self.out_of_tree.as_deref_mut() {
                Some(state) if waits => {
                    state.subflows[index].close.set(env.now, span);
                    self.touched.mark(index);
                }
                _ => self.close_subflow(env, index),
            }
        }
    }

    pub(super) fn close_subflow(&mut self, env: &mut Env<'_>, index: usize) {
        let sub = &mut self.subs[index];
        sub.tcp.shutdown(&mut cx!(self, env, index));
        self.mark_ready(index);
        self.check_subflow_state(env, index);
    }

    /// The peer sent the FIN of a subflow: this end's follows if the connection is over.
    #[cold]
    pub(in crate::mptcp) fn peer_closed_subflow(&mut self, env: &mut Env<'_>, index: usize) {
        if self.state != MetaState::Closed {
            return;
        }
        if let Some(state) = self.out_of_tree.as_deref_mut() {
            state.subflows[index].close.stop();
        }
        let sub = &mut self.subs[index];
        sub.tcp.shutdown(&mut cx!(self, env, index));
        self.mark_ready(index);
    }

    // ---- abrupt ends -----------------------------------------------------------------------

    /// The options of a reset: MP_FASTCLOSE is believed, MP_FAIL not even counted.
    pub(in crate::mptcp) fn reset_out_of_tree(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        segment: &Segment,
    ) {
        if !self.is_mptcp() {
            return;
        }
        if let Some(key) = segment.rare().and_then(|rare| rare.mp_fastclose) {
            env.mib.inc(Counter::MpFastcloseRxOld);
            self.fastclose_received(env, key);
        }
        self.reinject(env, index);
    }

    /// Ends the connection at once: MP_FASTCLOSE on one subflow, resets on the others.
    pub(in crate::mptcp) fn fastclose_out_of_tree(&mut self, env: &mut Env<'_>) {
        let chosen = self.ack_subflow();
        self.timers.stop_all();
        self.fail_all(env, Error::Aborted);
        for index in 0..self.subs.len() {
            if Some(index) != chosen && self.subs[index].tcp.state() != TcpState::Closed {
                self.reset_subflow(env, index, ResetReason::UNSPECIFIED);
            }
        }
        if let Some(index) = chosen {
            self.send_fastclose(env, index);
        }
    }

    fn send_fastclose(&mut self, env: &mut Env<'_>, index: usize) {
        let rto = self.subs[index].tcp.rto();
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        let path = &mut state.subflows[index];
        path.fastclose = true;
        path.repeat.set(env.now, rto);
        self.subs[index].tcp.request_ack();
        self.mark_ready(index);
    }

    /// MP_FASTCLOSE went unanswered: again, and in the end a reset.
    pub(super) fn repeat_fastclose(&mut self, env: &mut Env<'_>, index: usize) {
        if self.subs[index].tcp.state() == TcpState::Closed {
            return;
        }
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        let path = &mut state.subflows[index];
        path.repeats += 1;
        if path.repeats > FASTCLOSES {
            self.reset_subflow(env, index, ResetReason::UNSPECIFIED);
        } else {
            self.send_fastclose(env, index);
        }
    }

    // ---- what the path manager wants -----------------------------------------------------------

    pub(in crate::mptcp) fn path_action_out_of_tree(
        &mut self,
        env: &mut Env<'_>,
        action: PathAction,
    ) {
        match action {
            PathAction::Announce { id, addr, port } => {
                let hmac = (self.capable_version() == 1).then(|| {
                    crate::mptcp_keys::draft_add_addr_hmac(self.local_key, id, addr, port)
                });
                let option = AddAddr { address_id: id, addr, port, echo: false, hmac };
                if let Some(state) = self.out_of_tree.as_deref_mut() {
                    state.announce.push_back(option);
                }
                self.send_ack(None);
            }
            // The address is gone: nothing can be said on its subflows.
            PathAction::CloseLocal { id } => self.end_where(env, |sub| sub.local_id == id, false),
            PathAction::CloseRemote { id } => self.end_where(env, |sub| sub.remote_id == id, true),
            other => self.path_action(env, other),
        }
    }

    fn end_where(
        &mut self,
        env: &mut Env<'_>,
        chosen: impl Fn(&crate::mptcp::Sub) -> bool,
        by_peer: bool,
    ) {
        for index in 0..self.subs.len() {
            let sub = &self.subs[index];
            if sub.removed || !chosen(sub) || sub.tcp.state() == TcpState::Closed {
                continue;
            }
            if by_peer {
                env.mib.inc(Counter::RemoveAddrSubDelete);
                self.reset_subflow(env, index, ResetReason::UNSPECIFIED);
            } else {
                self.reinject(env, index);
                let sub = &mut self.subs[index];
                sub.tcp.forget(&mut cx!(self, env, index));
            }
            self.check_subflow_state(env, index);
        }
    }
}
