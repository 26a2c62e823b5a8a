//! The connection's own timer: data that a subflow does not deliver is sent on another
//! (Linux `__mptcp_retrans`, `mptcp_pm_subflow_chk_stale`, `__mptcp_retransmit_pending_data`).
//!
//! The timer runs while data is unacknowledged at the data level and restarts
//! with every progress. When it fires, one fragment goes to a subflow that has
//! nothing else to do. A subflow that stays silent over several rounds becomes
//! *stale*: it gets no more data and everything unacknowledged is sent anew.

use mptcpsim_core::time::{Span, Time};

use super::{Connection, Env, MetaState, cx};
use crate::observe::mib::Counter;
use crate::path_manager::PathEvent;
use crate::scheduler::{Ask, Pick, Piece};
use crate::segment::ResetReason;
use crate::tcp::{TickTimer, TimerKind};

/// Interval of the timer while no subflow has one of its own running (`TCP_RTO_MIN`).
const MIN_INTERVAL: Span = Span::from_ms(200);

/// The timers of a connection.
#[derive(Clone, Debug)]
pub(super) struct MetaTimers {
    pub(super) retransmit: TickTimer,
    /// What the timer is set to next.
    interval: Span,
    /// Firings for the DATA_FIN without an answer.
    fin_retransmits: u32,
    /// The end of waiting for an answer to MP_FAIL.
    pub(super) fail: TickTimer,
    /// The end of waiting for a new subflow.
    pub(super) close: TickTimer,
    /// When announcements are repeated.
    pub(super) announce: TickTimer,
    /// When the path manager wants to be called.
    pub(super) path_manager: Time,
}

impl Default for MetaTimers {
    fn default() -> Self {
        Self {
            retransmit: TickTimer::default(),
            interval: MIN_INTERVAL,
            fin_retransmits: 0,
            fail: TickTimer::default(),
            close: TickTimer::default(),
            announce: TickTimer::default(),
            path_manager: Time::NEVER,
        }
    }
}

impl MetaTimers {
    pub(super) fn due(&self) -> Time {
        let others = self.announce.due().min(self.fail.due()).min(self.path_manager);
        self.retransmit.due().min(self.close.due()).min(others)
    }

    pub(super) fn stop_all(&mut self) {
        *self = Self::default();
    }
}

impl Connection {
    /// B: handles every timer that is due.
    pub fn on_timer(&mut self, env: &mut Env<'_>) {
        let tick = env.config.rules.tick;
        for index in 0..self.subs.len() {
            let sub = &mut self.subs[index];
            if sub.tcp.due() <= env.now {
                let timeouts = sub.tcp.totals().timeouts;
                sub.tcp.on_timer(&mut cx!(self, env, index));
                let timed_out = sub.tcp.totals().timeouts > timeouts;
                self.mark_ready(index);
                if timed_out && self.out_of_tree.is_some() {
                    self.subflow_timed_out(env, index);
                }
                self.check_subflow_state(env, index);
            }
        }
        if self.timers.retransmit.fires(env.now, tick) {
            self.retransmit_timeout(env);
        }
        if self.out_of_tree.is_some() {
            self.timers_out_of_tree(env);
        }
        if self.timers.announce.fires(env.now, tick) {
            self.announce_timeout(env);
        }
        if self.timers.path_manager <= env.now {
            self.timers.path_manager = Time::NEVER;
            self.path_event(env, PathEvent::Timer);
        }
        if self.timers.fail.fires(env.now, tick) {
            self.reset_subflow(env, 0, ResetReason::UNSPECIFIED);
            self.check_subflow_state(env, 0);
        }
        if self.timers.close.fires(env.now, tick) {
            self.set_meta_state(env, MetaState::Closed);
        }
    }

    /// Progress at the data level (`__mptcp_clean_una`).
    pub(super) fn data_acked(&mut self, env: &mut Env<'_>) {
        if self.out_of_tree.is_some() {
            self.progress_out_of_tree(env);
            return;
        }
        self.timers.fin_retransmits = 0;
        let waiting = self.tx.una < self.tx.nxt || (self.tx.fin_sent && !self.tx.fin_acked);
        if waiting {
            self.restart_timer(env);
        } else {
            self.timers.retransmit.stop();
        }
        self.work |= self.tx.fin_acked;
    }

    pub(super) fn start_timer_if_idle(&mut self, env: &Env<'_>) {
        if !self.timers.retransmit.is_set() && self.tx.una < self.tx.nxt {
            self.restart_timer(env);
        }
    }

    pub(super) fn start_fin_timer(&mut self, env: &Env<'_>) {
        if !self.timers.retransmit.is_set() {
            self.timers.interval = MIN_INTERVAL;
            self.restart_timer(env);
        }
    }

    fn restart_timer(&mut self, env: &Env<'_>) {
        self.timers.retransmit.set(env.now, self.timers.interval);
    }

    /// The longest time that an active subflow still waits for its own timer, taken whenever the
    /// scheduler is asked (`mptcp_timeout_from_subflow`). What was found last stays in force:
    /// whether a loss probe or a timeout was pending then decides how soon a dead path is noticed.
    pub(super) fn update_interval(&mut self, env: &Env<'_>) {
        let longest = self
            .subs
            .iter()
            .filter(|sub| sub.active() && sub.stale_count == 0)
            .filter(|sub| sub.tcp.timer_kind() != TimerKind::None)
            .map(|sub| sub.tcp.retransmit_due() - env.now)
            .max()
            .unwrap_or(Span::ZERO);
        self.timers.interval = if longest.is_zero() { MIN_INTERVAL } else { longest };
    }

    fn retransmit_timeout(&mut self, env: &mut Env<'_>) {
        if !self.is_mptcp() || self.state == MetaState::Closed {
            return;
        }
        if self.out_of_tree.is_some() {
            self.meta_timeout(env);
            return;
        }
        self.check_stale(env);
        if self.tx.una >= self.tx.nxt {
            if self.tx.fin_sent && !self.tx.fin_acked {
                self.repeat_data_fin(env);
            }
            return;
        }
        self.refresh_views();
        let from = self.tx.una;
        let len = u32::try_from(self.tx.nxt - from).unwrap_or(u32::MAX);
        let oldest = Piece { from, len, ..Piece::default() };
        if let Pick::On { subflow, .. } = self.pick(env, Ask::Retransmit(oldest)) {
            self.retransmit_fragment(env, subflow);
        }
        self.restart_timer(env);
        // The scheduler is asked again, and the interval with it (`mptcp_check_and_set_pending`).
        self.push_pending(env);
    }

    /// Sends the oldest unacknowledged fragment on another subflow, as far as it was ever sent.
    fn retransmit_fragment(&mut self, env: &mut Env<'_>, index: usize) {
        let end = self.tx.fragment_end(self.tx.una).min(self.tx.nxt);
        let mut from = self.tx.una;
        while from < end {
            let pushed = self.push_range(env, index, from, end);
            if pushed == 0 {
                break;
            }
            from += pushed;
            env.mib.inc(Counter::MptcpRetrans);
        }
        if from > self.tx.una {
            self.fallback_allowed = false;
            self.statistics.retransmits += 1;
            let una = self.tx.una;
            env.log.mptcp(env.now, index, "reinject", || format!("offsets {una} to {from}"));
        }
    }

    /// DATA_FIN again, on every subflow; the interval doubles (`mptcp_set_datafin_timeout`).
    fn repeat_data_fin(&mut self, env: &mut Env<'_>) {
        self.timers.fin_retransmits += 1;
        let retransmits = self.timers.fin_retransmits;
        // The timer is armed before the new interval is set: it takes effect one round later.
        self.restart_timer(env);
        self.timers.interval = MIN_INTERVAL * (1 << retransmits.min(9));
        self.ack_all();
    }

    // ---- stale subflows ------------------------------------------------------------------

    /// Counts rounds without a sign of life on subflows that have something outstanding.
    fn check_stale(&mut self, env: &mut Env<'_>) {
        for index in 0..self.subs.len() {
            let una = self.windows[index].snd_una;
            let sub = &mut self.subs[index];
            if !sub.active() || sub.tcp.is_idle(una) {
                continue;
            }
            self.touched.mark(index);
            let heard = sub.tcp.last_heard();
            if sub.stale_count == 0 {
                sub.stale_heard = heard;
                sub.stale_count = 1;
            } else if sub.stale_heard == heard {
                sub.stale_count = sub.stale_count.saturating_add(1);
                self.maybe_stale(env, index);
            } else {
                sub.stale_count = 0;
            }
        }
    }

    /// Gives a silent subflow up if there is a better one.
    fn maybe_stale(&mut self, env: &mut Env<'_>, index: usize) {
        let limit = env.config.sysctl.stale_loss_cnt;
        if limit == 0 || u32::from(self.subs[index].stale_count) <= limit {
            return;
        }
        let healthy = (limit - 1).max(1);
        let alternative = self.subs.iter().enumerate().any(|(other, sub)| {
            other != index && sub.active() && u32::from(sub.stale_count) < healthy
        });
        if !alternative {
            return;
        }
        self.subs[index].stale = true;
        env.mib.inc(Counter::SubflowStale);
        env.log.mptcp(env.now, index, "stale", || "no sign of life".into());
        self.send_anew(env);
        self.push_pending(env);
    }

    /// A segment arrived on a subflow: it lives.
    pub(super) fn subflow_heard(&mut self, env: &mut Env<'_>, index: usize) {
        let sub = &mut self.subs[index];
        if std::mem::take(&mut sub.stale) {
            sub.stale_count = 0;
            self.touched.mark(index);
            if self.out_of_tree.is_some() {
                env.log.mptcp(env.now, index, "recovered", || "heard again".into());
                return;
            }
            env.mib.inc(Counter::SubflowRecover);
            env.log.mptcp(env.now, index, "recovered", || "heard again".into());
        }
    }

    /// Everything unacknowledged goes out again, on whatever subflow the scheduler chooses.
    pub(super) fn send_anew(&mut self, env: &mut Env<'_>) -> bool {
        if self.out_of_tree.is_some() {
            return self.is_mptcp();
        }
        if !self.is_mptcp() || self.tx.una >= self.tx.nxt {
            return false;
        }
        self.tx.recovery = Some(self.tx.nxt);
        self.tx.head = self.tx.una;
        let (una, nxt) = (self.tx.una, self.tx.nxt);
        env.log.mptcp(env.now, 0, "send-anew", || format!("offsets {una} to {nxt}"));
        true
    }
}
