//! Data that a subflow may not deliver, and the connection's own timeout (`mptcp_reinject_data`,
//! `mptcp_retransmit_timer`, `mptcp_meta_retransmit_timer`).
//!
//! With its first timeout a subflow counts as *potentially failed*: it gets no new data until it is
//! heard again, and all it holds is offered to the others. The connection's timeout is twice the
//! longest of its subflows; it sends the oldest data somewhere else.

use mptcpsim_core::time::Span;

use super::State;
use crate::mptcp::{Connection, Env, MetaState, Sub};
use crate::observe::mib::Counter;
use crate::scheduler::{Ask, Pick, Piece, SubflowSet};
use crate::tcp::{Error, State as TcpState};

/// `2 * TCP_TIMEOUT_INIT`, while no subflow has a timeout of its own.
const INITIAL_TIMEOUT: Span = Span::from_secs(2);
/// `TCP_RTO_MAX`.
const LONGEST_TIMEOUT: Span = Span::from_secs(120);

fn can_send(sub: &Sub) -> bool {
    sub.tcp.state().can_send() && !sub.pre_established && !sub.removed
}

impl State {
    /// The subflows that carry the data at `from` (`path_mask`).
    fn carriers(&self, from: u64) -> SubflowSet {
        let at = self.sent.partition_point(|piece| piece.from + u64::from(piece.len) <= from);
        self.sent.get(at).map_or(SubflowSet::EMPTY, |piece| piece.carried_by)
    }

    /// Adds data to what is to be sent again, in order, each byte once.
    fn send_again(&mut self, piece: Piece) {
        let at = self.again.partition_point(|other| other.from < piece.from);
        let covers = |other: &Piece| {
            other.from <= piece.from
                && other.from + u64::from(other.len) >= piece.from + u64::from(piece.len)
        };
        let before = at.checked_sub(1).and_then(|at| self.again.get(at));
        if !before.is_some_and(covers) && !self.again.get(at).is_some_and(covers) {
            self.again.insert(at, piece);
        }
    }
}

impl Connection {
    /// A subflow has run into a timeout.
    pub(in crate::mptcp) fn subflow_timed_out(&mut self, env: &mut Env<'_>, index: usize) {
        if !self.is_mptcp() {
            return;
        }
        self.reinject(env, index);
        self.subs[index].stale = true;
        self.touched.mark(index);
        env.log.mptcp(env.now, index, "potentially-failed", || "timeout".into());
        self.push_pending(env);
    }

    /// Offers what a subflow holds to the others, if there are any.
    pub(in crate::mptcp) fn reinject(&mut self, env: &mut Env<'_>, index: usize) {
        let alone =
            !self.subs.iter().enumerate().any(|(other, sub)| other != index && can_send(sub));
        let una = self.tx.una;
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        if alone || self.state == MetaState::Closed {
            return;
        }
        let tcp = &self.subs[index].tcp;
        let mut offered = 0;
        for chunk in tcp.outstanding(self.windows[index].snd_una) {
            let end = chunk.stream + u64::from(chunk.len);
            let known = (chunk.seq + chunk.len).at_or_before(state.subflows[index].reinjected);
            if !chunk.mapped || known || end <= una {
                continue;
            }
            let from = chunk.stream.max(una);
            let mut carried_by = state.carriers(from);
            carried_by.insert(index);
            let len = (end - from) as u32;
            state.send_again(Piece { from, len, carried_by, data_fin: false });
            offered += len;
        }
        state.subflows[index].reinjected = tcp.write_seq();
        if offered > 0 {
            env.log.mptcp(env.now, index, "offered-again", || format!("{offered} bytes"));
        }
    }

    /// The first data to be sent again that is still needed.
    pub(super) fn next_again(&mut self) -> Option<Piece> {
        let una = self.tx.una;
        let state = self.out_of_tree.as_deref_mut()?;
        loop {
            let piece = state.again.front_mut()?;
            let end = piece.from + u64::from(piece.len);
            if end <= una {
                state.again.pop_front();
                continue;
            }
            if piece.from < una {
                piece.len = (end - una) as u32;
                piece.from = una;
            }
            return Some(*piece);
        }
    }

    pub(super) fn push_again(&mut self, env: &mut Env<'_>, piece: Piece) -> bool {
        let (subflow, limit) = match self.pick(env, Ask::Again(piece)) {
            Pick::On { subflow, limit } | Pick::Copy { subflow, limit, .. } => (subflow, limit),
            Pick::Wait => return false,
        };
        let mss = self.subs[subflow].tcp.current_mss().max(1);
        let len = piece.len.min(limit.max(mss));
        if let Some(state) = self.out_of_tree.as_deref_mut()
            && let Some(first) = state.again.front_mut()
        {
            first.from += u64::from(len);
            first.len -= len;
            if first.len == 0 {
                state.again.pop_front();
            }
        }
        env.log.mptcp(env.now, subflow, "reinject", || {
            format!("offsets {} to {}", piece.from, piece.from + u64::from(len))
        });
        self.give(env, subflow, piece.from, len);
        true
    }

    // ---- the connection's timeout ------------------------------------------------------------

    /// Twice the longest timeout of the subflows, with its doublings (`mptcp_set_rto`).
    fn meta_timeout_span(&self) -> Span {
        let longest = self.subs.iter().filter(|sub| can_send(sub)).map(|sub| sub.tcp.rto()).max();
        let span = longest.map_or(INITIAL_TIMEOUT, |rto| rto * 2);
        let backoff = self.out_of_tree.as_ref().map_or(0, |state| state.backoff);
        (span * (1 << backoff.min(16))).min(LONGEST_TIMEOUT)
    }

    fn meta_waits(&self) -> bool {
        let blocked = self.tx.head < self.tx.written && self.tx.window_end <= self.tx.head;
        self.tx.una < self.tx.nxt || (self.tx.fin_sent && !self.tx.fin_acked) || blocked
    }

    pub(super) fn start_meta_timer(&mut self, env: &Env<'_>) {
        if !self.timers.retransmit.is_set() && self.meta_waits() {
            let span = self.meta_timeout_span();
            self.timers.retransmit.set(env.now, span);
        }
    }

    /// Progress at the data level.
    #[inline(never)]
    pub(in crate::mptcp) fn progress_out_of_tree(&mut self, env: &mut Env<'_>) {
        let una = self.tx.una;
        self.work |= self.tx.fin_acked;
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        while let Some(piece) = state.sent.front()
            && piece.from + u64::from(piece.len) <= una
        {
            state.sent.pop_front();
        }
        state.backoff = 0;
        if std::mem::take(&mut state.lost) {
            // The way is free again: everything that is out is sent once more.
            let all: Vec<Piece> = state.sent.iter().copied().collect();
            all.into_iter().for_each(|piece| state.send_again(piece));
        }
        self.timers.retransmit.stop();
        self.start_meta_timer(env);
    }

    pub(in crate::mptcp) fn meta_timeout(&mut self, env: &mut Env<'_>) {
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        if state.backoff > env.config.sysctl.tcp_retries2 {
            self.fail_all(env, Error::TimedOut);
            return;
        }
        state.backoff += 1;
        if self.tx.una < self.tx.nxt {
            state.lost = true;
            self.retransmit_oldest(env);
        } else if self.tx.fin_sent && !self.tx.fin_acked {
            self.send_lone_data_fin(env);
        } else if self.tx.head < self.tx.written {
            self.probe_all();
        }
        self.start_meta_timer(env);
    }

    /// The oldest data goes to a subflow that has not carried it, if there is one.
    fn retransmit_oldest(&mut self, env: &mut Env<'_>) {
        self.refresh_views();
        let Some(&oldest) = self.out_of_tree.as_ref().and_then(|state| state.sent.front()) else {
            return;
        };
        let from = oldest.from.max(self.tx.una);
        let len = (oldest.from + u64::from(oldest.len)).saturating_sub(from) as u32;
        let ask = Ask::Retransmit(Piece { from, len, ..oldest });
        if let Pick::On { subflow, .. } | Pick::Copy { subflow, .. } = self.pick(env, ask) {
            let len = len.min(self.subs[subflow].tcp.current_mss().max(1));
            env.mib.inc(Counter::MptcpRetrans);
            self.statistics.retransmits += 1;
            env.log.mptcp(env.now, subflow, "reinject", || {
                format!("offsets {from} to {}: timeout", from + u64::from(len))
            });
            self.give(env, subflow, from, len);
        }
    }

    /// The window is closed and nothing is out that could open it: every subflow asks
    /// (`mptcp_send_probe0`).
    fn probe_all(&mut self) {
        for index in 0..self.subs.len() {
            if can_send(&self.subs[index]) {
                self.subs[index].tcp.probe_window_now();
                self.mark_ready(index);
            }
        }
    }

    // ---- other timers ------------------------------------------------------------------------

    /// Handles the timers of the subflows' state that are due.
    pub(in crate::mptcp) fn timers_out_of_tree(&mut self, env: &mut Env<'_>) {
        let tick = env.config.rules.tick;
        for index in 0..self.subs.len() {
            let Some(state) = self.out_of_tree.as_deref_mut() else { return };
            if state.due(index) > env.now {
                continue;
            }
            self.touched.mark(index);
            let path = &mut state.subflows[index];
            let repeat = path.repeat.fires(env.now, tick);
            let close = path.close.fires(env.now, tick);
            if self.subs[index].tcp.state() == TcpState::Closed {
                continue;
            }
            if repeat && self.subs[index].pre_established {
                self.repeat_third_ack(env, index);
            } else if repeat {
                self.repeat_fastclose(env, index);
            }
            if close {
                self.close_subflow(env, index);
            }
        }
    }
}
