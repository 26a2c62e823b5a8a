//! Falling back to plain TCP (RFC 8684 section 3.7; Linux `mptcp_try_fallback`,
//! `__mptcp_do_fallback`).

use super::{Connection, Env, MetaState, Mode};
use crate::observe::mib::Counter;
use crate::segment::ResetReason;

impl Connection {
    /// The connection becomes plain TCP for the reason that `why` counts.
    pub(super) fn fall_back(&mut self, env: &mut Env<'_>, why: Counter) {
        if !self.is_mptcp() {
            return;
        }
        env.mib.inc(why);
        env.log.mptcp(env.now, 0, "fallback", || why.name().into());
        // A server whose client never spoke MPTCP has a plain socket, not a fallen-back one.
        let plain = !self.client && self.state == MetaState::Opening;
        if self.state == MetaState::Opening
            && let Some(window) = self.windows.first_mut()
        {
            window.multipath = false;
        }
        self.mode = if plain { Mode::Plain } else { Mode::FellBack(why) };
        self.timers.stop_all();
        self.tx.window_end = u64::MAX;
        self.update_reserve(env, 0);
        self.mark_ready(0);
    }

    /// Falls back if that is still possible, else resets the subflow. True if it fell back.
    pub(super) fn try_fall_back(&mut self, env: &mut Env<'_>, index: usize, why: Counter) -> bool {
        if self.fallback_allowed && index == 0 && !self.rx.holds_out_of_order() {
            self.fall_back(env, why);
            return true;
        }
        env.mib.inc(Counter::FallbackFailed);
        self.reset_subflow(env, index, ResetReason::MPTCP);
        false
    }

    /// True if SYNs must no longer carry MP_CAPABLE: it went unanswered too often
    /// (`mptcp_active_detect_blackhole`).
    pub(super) fn drops_capable(&mut self, env: &mut Env<'_>) -> bool {
        let limit = u32::from(env.config.sysctl.syn_retrans_before_tcp_fallback);
        let tries = self.subs[0].tcp.syn_retransmissions();
        if tries <= limit {
            return false;
        }
        self.fall_back(env, Counter::MpCapableSynTxDrop);
        true
    }

    /// The first plain SYN behind those with MP_CAPABLE was answered at once: something on the
    /// path swallows MP_CAPABLE (`mptcp_active_disable`).
    pub(super) fn detect_blackhole(&mut self, env: &mut Env<'_>) {
        let limit = u64::from(env.config.sysctl.syn_retrans_before_tcp_fallback);
        let first_plain_syn = self.subs[0].tcp.totals().retransmissions == limit + 1;
        if first_plain_syn && self.mode == Mode::FellBack(Counter::MpCapableSynTxDrop) {
            env.mib.inc(Counter::Blackhole);
            env.active.disable(env.now);
        }
    }
}
