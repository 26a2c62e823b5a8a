//! Falling back to plain TCP (RFC 8684 section 3.7; Linux `mptcp_try_fallback`,
//! `__mptcp_do_fallback`).

use mptcpsim_core::time::Span;

use super::{Connection, Env, MetaState, Mode, cx};
use crate::observe::mib::Counter;
use crate::rules::Stack;
use crate::segment::{ResetReason, Segment};

/// How long an answer to MP_FAIL may take (`TCP_RTO_MAX`).
const FAIL_TIMEOUT: Span = Span::from_secs(120);

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
        if self.state != MetaState::Opening {
            self.count_plain_acks();
        }
        self.mode = if plain { Mode::Plain } else { Mode::FellBack(why) };
        self.rx.space.plain = plain;
        self.timers.stop_all();
        // What MPTCP held back may leave now.
        self.pushed = false;
        self.tx.window_end = u64::MAX;
        self.tx.plain_acked = ((self.tx.una - self.tx.in_syn) as u32).wrapping_add(1);
        self.update_reserve(env, 0);
        if self.data_fin_enabled() {
            // What the DATA_FIN said, a FIN has to say now (`mptcp_do_fallback`).
            self.subs[0].tcp.shutdown(&mut cx!(self, env, 0));
        }
        self.mark_ready(0);
    }

    /// Falls back if that is still possible, else resets the subflow. True if it fell back.
    #[cold]
    pub(super) fn try_fall_back(&mut self, env: &mut Env<'_>, index: usize, why: Counter) -> bool {
        if self.fallback_allowed && index == 0 && !self.rx.holds_out_of_order() {
            self.fall_back(env, why);
            return true;
        }
        env.mib.inc(Counter::FallbackFailed);
        self.reset_subflow(env, index, ResetReason::MPTCP);
        false
    }

    // ---- wrong checksums -----------------------------------------------------------------

    /// A checksum was wrong on a subflow on which one was right before, or that was joined: the
    /// peer is told by MP_FAIL. True if the data is accepted all the same, because there is no
    /// other subflow to send it on (`subflow_check_data_avail`, `mptcp_subflow_fail`).
    pub(super) fn report_checksum(&mut self, env: &mut Env<'_>, index: usize, dsn: u64) -> bool {
        env.log.mptcp(env.now, index, "checksum-error", String::new);
        self.subs[index].pending.fail = Some(dsn);
        if !self.fallback_allowed {
            self.reset_subflow(env, index, ResetReason::MIDDLEBOX);
            self.subs[index].tcp.purge_arrived();
            return false;
        }
        self.timers.fail.set(env.now, FAIL_TIMEOUT);
        self.subs[index].tcp.request_ack();
        self.mark_ready(index);
        true
    }

    /// The peer found a checksum wrong, or answers our saying so (`mptcp_pm_mp_fail_received`).
    #[cold]
    pub(super) fn fail_received(&mut self, env: &mut Env<'_>, index: usize) {
        env.mib.inc(Counter::MpFailRx);
        env.log.mptcp(env.now, index, "mp-fail", || "received".into());
        if !self.fallback_allowed {
            return;
        }
        if self.timers.fail.is_set() {
            self.timers.fail.stop();
            return;
        }
        let dsn = self.rx.first_dsn.wrapping_add(self.rx.next);
        let sub = &mut self.subs[index];
        sub.pending.fail = Some(dsn);
        sub.send_infinite = true;
        sub.tcp.request_ack();
        self.mark_ready(index);
    }

    /// The next data has an infinite mapping, and what follows none: the connection is plain TCP
    /// (`mptcp_update_infinite_map`).
    #[cold]
    pub(super) fn map_infinitely(&mut self, env: &mut Env<'_>) {
        if !self.fallback_allowed || self.rx.holds_out_of_order() {
            env.mib.inc(Counter::FallbackFailed);
            self.reset_subflow(env, 0, ResetReason::MPTCP);
            return;
        }
        self.update_reserve(env, 0);
        let sub = &mut self.subs[0];
        // Linux cuts the buffer anew when the option that one of its segments still has counts no
        // more: those segments are longer than the MTU, IP refuses them, and nothing overtakes them.
        // If the data joins what waits in a buffer, that has the infinite mapping too.
        let most = match env.config.sysctl.kernel_defects {
            true => sub.tcp.size_goal(),
            false => sub.tcp.current_mss(),
        };
        let fitting = sub.tcp.current_mss();
        let from = self.tx.head;
        let joins = sub.tcp.open_chunk(self.windows[0].snd_nxt).is_some();
        let len = (self.tx.written - from).min(u64::from(most));
        sub.send_infinite = false;
        sub.infinite_from = from;
        self.fall_back(env, Counter::InfiniteMapTx);
        let sub = &mut self.subs[0];
        sub.tcp.freeze_queue();
        let too_long = len > u64::from(fitting);
        if too_long && joins {
            sub.tcp.refuse_last();
        }
        sub.tcp.push(&mut cx!(self, env, 0), from, len as u32, true, len as u32);
        sub.tcp.freeze_queue();
        if too_long {
            sub.tcp.refuse_last();
        }
        self.tx.head += len;
        self.tx.nxt = self.tx.nxt.max(self.tx.head);
        self.mark_ready(0);
    }

    /// RFC 8684 section 3.7: data that is acknowledged without DATA_ACK shows that MPTCP does not
    /// pass. Linux looks at the first acknowledgement only; later ones leave it sending old data
    /// again, as new bytes of what is plain TCP for the peer.
    pub(super) fn notice_plain_ack(&mut self, env: &mut Env<'_>, index: usize, segment: &Segment) {
        let silent = !segment.has_mptcp();
        let acked = self.windows[index].snd_una - self.subs[index].tcp.iss();
        let news = acked.wrapping_sub(self.subs[index].acked) as i32 > 0;
        self.subs[index].acked = acked;
        if silent && news && !env.config.sysctl.kernel_defects {
            let _ = self.fallback_allowed && self.try_fall_back(env, index, Counter::DssFallback);
        }
    }

    // ---- SYNs that are swallowed ---------------------------------------------------------

    /// True if SYNs must no longer carry MP_CAPABLE: it went unanswered too often
    /// (`mptcp_active_detect_blackhole`).
    pub(super) fn drops_capable(&mut self, env: &mut Env<'_>) -> bool {
        let stack = env.config.rules.stack;
        let limit = u32::from(env.config.sysctl.capable_syn_retries(stack));
        let tries = self.subs[0].tcp.syn_retransmissions();
        if tries <= limit {
            return false;
        }
        self.fall_back(
            env,
            match stack {
                Stack::Upstream => Counter::MpCapableSynTxDrop,
                Stack::OutOfTree => Counter::MpCapableRetransFallback,
            },
        );
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
