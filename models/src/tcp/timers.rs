//! The timers of a subflow: a fixed table, no handles, nothing to cancel.
//!
//! Retransmission timeout, loss probe, reordering timer and window probe share
//! one slot, as `icsk_retransmit_timer` does. Kernel timers run out at a tick
//! ([`crate::clock`]); since most are moved before they fire, the rounding is
//! done when the exact moment comes.

use mptcpsim_core::time::{Span, Time};

use super::user_timeout::UserTimeout;
use super::{Cx, Error, State, Subflow, Wants};
use crate::clock::timer_expiry;
use crate::observe::event::Event;
use crate::observe::mib::Counter;
use crate::sysctl::Sysctl;

/// Timeouts of a connection nobody owns any more (`tcp_orphan_retries` = 0).
const ORPHAN_RETRIES: u8 = 8;
/// How long TIME_WAIT lasts (`TCP_TIMEWAIT_LEN`).
pub(super) const TIME_WAIT: Span = Span::from_secs(60);

/// What the retransmission slot is set for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimerKind {
    /// Nothing.
    #[default]
    None,
    /// Retransmission timeout.
    Rto,
    /// Tail loss probe.
    LossProbe,
    /// RACK's reordering window.
    Reordering,
    /// Zero-window probe.
    WindowProbe,
}

/// A timer that is rounded up to its tick when its moment has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TickTimer {
    /// When it was set; [`Time::NEVER`] once `at` is a tick.
    set_at: Time,
    at: Time,
}

impl Default for TickTimer {
    fn default() -> Self {
        Self { set_at: Time::NEVER, at: Time::NEVER }
    }
}

impl TickTimer {
    pub(crate) fn set(&mut self, now: Time, delay: Span) {
        *self = Self { set_at: now, at: now + delay };
    }

    pub(crate) fn stop(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_set(&self) -> bool {
        self.at != Time::NEVER
    }

    pub(crate) fn due(&self) -> Time {
        self.at
    }

    /// True, and stopped, if it fires now.
    pub(crate) fn fires(&mut self, now: Time, tick: Span) -> bool {
        if now < self.at {
            return false;
        }
        if self.set_at != Time::NEVER {
            self.at = timer_expiry(self.set_at, self.at - self.set_at, tick);
            self.set_at = Time::NEVER;
            if now < self.at {
                return false;
            }
        }
        self.stop();
        true
    }
}

/// All timers.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    kind: TimerKind,
    slot: TickTimer,
    pub(super) delayed_ack: TickTimer,
    /// When a compressed ACK leaves: a high-resolution timer, exact.
    pub(super) compressed_ack: Option<Time>,
    /// The end of TIME_WAIT or of an orphaned FIN_WAIT2.
    pub(super) life: TickTimer,
    /// Doublings of the timeout.
    pub(super) backoff: u8,
    /// Timeouts without progress.
    pub(super) retransmits: u8,
    /// Timeouts so far, whatever came between.
    pub(super) total_timeouts: u32,
    /// Unanswered window probes.
    pub(super) probes_out: u8,
    /// How long the application waits.
    pub(super) user_timeout: Option<Box<UserTimeout>>,
}

impl Timers {
    /// What the slot is set for.
    pub(super) const fn kind(&self) -> TimerKind {
        self.kind
    }

    pub(super) fn stop_retransmit(&mut self) {
        self.kind = TimerKind::None;
        self.slot.stop();
    }

    /// Sets the slot (`tcp_reset_xmit_timer`).
    pub(super) fn set(&mut self, cx: &Cx<'_>, kind: TimerKind, delay: Span) {
        let longest = Span::from_ms(u64::from(cx.config.sysctl.tcp_rto_max_ms));
        self.kind = kind;
        self.slot.set(cx.now, delay.min(longest));
    }

    fn due(&self) -> Time {
        let exact = self.compressed_ack.unwrap_or(Time::NEVER);
        self.slot.due().min(self.delayed_ack.due()).min(self.life.due()).min(exact)
    }
}

impl Subflow {
    /// When [`Subflow::on_timer`] wants to be called.
    pub fn due(&self) -> Time {
        self.timers.due().min(self.pacing.due())
    }

    /// What the retransmission timer is set for.
    pub const fn timer_kind(&self) -> TimerKind {
        self.timers.kind()
    }

    /// When the retransmission timer runs out, before rounding to a tick.
    pub fn retransmit_due(&self) -> Time {
        self.timers.slot.due()
    }

    /// Handles every timer that is due.
    pub fn on_timer(&mut self, cx: &mut Cx<'_>) {
        let tick = cx.config.rules.tick;
        if self.timers.delayed_ack.fires(cx.now, tick) {
            self.delayed_ack_timeout(cx);
        }
        if self.timers.compressed_ack.is_some_and(|at| at <= cx.now) {
            self.compressed_ack_timeout();
        }
        if self.pacing.due() <= cx.now {
            self.pacing_timeout(cx);
        }
        if self.timers.slot.fires(cx.now, tick) {
            match std::mem::take(&mut self.timers.kind) {
                TimerKind::None => {}
                TimerKind::Rto => self.retransmission_timeout(cx),
                TimerKind::LossProbe => self.send_loss_probe(cx),
                TimerKind::Reordering => self.rack_timeout(cx),
                TimerKind::WindowProbe => self.window_probe_timeout(cx),
            }
        }
        if self.timers.life.fires(cx.now, tick) {
            self.set_state(cx, State::Closed);
        }
    }

    /// Probe timer if possible, else the retransmission timer (`tcp_set_xmit_timer`).
    pub(super) fn set_xmit_timer(&mut self, cx: &mut Cx<'_>) {
        // The timer waits for the answer to the SYN/ACK.
        if self.state == State::SynReceived {
            return;
        }
        if !self.schedule_loss_probe(cx, true) {
            self.rearm_rto(cx);
        }
    }

    /// Restarts the retransmission timer; time already waited behind a probe counts
    /// (`tcp_rearm_rto`).
    pub(super) fn rearm_rto(&mut self, cx: &mut Cx<'_>) {
        if cx.w().packets_out == 0 {
            self.timers.stop_retransmit();
            return;
        }
        let waited = matches!(self.timers.kind, TimerKind::Reordering | TimerKind::LossProbe);
        let delay = if waited {
            self.rto_remaining(cx.now).max(Span::from_us(1))
        } else {
            self.backed_off_rto()
        };
        self.timers.set(cx, TimerKind::Rto, delay);
    }

    /// Time until the head of the queue would time out (`tcp_rto_delta_us`).
    pub(super) fn rto_remaining(&self, now: Time) -> Span {
        let sent = self.tx.front().map_or(now, |record| record.sent_at);
        sent + self.backed_off_rto() - now
    }

    /// The timeout with its doublings.
    pub(super) fn backed_off_rto(&self) -> Span {
        self.rtt.rto * (1 << self.timers.backoff.min(30))
    }

    /// `tcp_retransmit_timer`.
    fn retransmission_timeout(&mut self, cx: &mut Cx<'_>) {
        if matches!(self.state, State::SynSent | State::SynReceived) {
            self.syn_timeout(cx);
            return;
        }
        if cx.w().packets_out == 0 {
            return;
        }
        if self.gives_up(cx) {
            self.time_out(cx);
            return;
        }
        cx.mib.inc(Counter::Timeouts);
        self.totals.timeouts += 1;
        self.enter_loss(cx);
        self.timers.retransmits = self.timers.retransmits.saturating_add(1);
        self.timers.total_timeouts += 1;
        let retransmits = self.timers.retransmits;
        cx.event(Event::Timeout(retransmits));
        self.wants.set(Wants::HEAD);
        self.timers.backoff = (self.timers.backoff + 1).min(30);
        let delay = self.clamp_rto_to_user_timeout(cx, self.backed_off_rto());
        self.timers.set(cx, TimerKind::Rto, delay);
    }

    /// True once the application waits no longer, or the retries are used up (`tcp_write_timeout`):
    /// as many timeouts as `retries` doublings of the minimum timeout last.
    fn gives_up(&self, cx: &Cx<'_>) -> bool {
        if let Some(over) = self.user_timed_out(cx.now) {
            return over;
        }
        let sysctl = &cx.config.sysctl;
        let retries =
            if self.is_left() { orphan_retries(sysctl, true) } else { sysctl.tcp_retries2 };
        let Some(since) = self.recovery.retrans_stamp else { return false };
        if self.timers.retransmits == 0 {
            return false;
        }
        let base = Span::from_us(u64::from(sysctl.tcp_rto_min_us));
        let longest = Span::from_ms(u64::from(sysctl.tcp_rto_max_ms));
        cx.now - since >= boundary(base, longest, retries)
    }

    /// The application has closed it and waits for nothing (`SOCK_DEAD`).
    const fn is_left(&self) -> bool {
        self.fin_queued && !self.state.can_send()
    }

    pub(super) fn time_out(&mut self, cx: &mut Cx<'_>) {
        cx.mib.inc(Counter::AbortOnTimeout);
        self.fail(cx, Error::TimedOut);
    }

    /// Ends the subflow with an error and nothing on the wire.
    #[cold]
    pub(super) fn fail(&mut self, cx: &mut Cx<'_>, error: Error) {
        self.error = Some(error);
        // `tcp_info` still tells how often it was probed.
        self.timers = Timers { probes_out: self.timers.probes_out, ..Timers::default() };
        self.wants = Wants::default();
        self.set_state(cx, State::Closed);
    }

    // ---- zero-window probes (RFC 9293 section 3.8.6.1; `tcp_probe_timer`) -------------------

    #[cold]
    pub(super) fn arm_window_probe(&mut self, cx: &mut Cx<'_>) {
        let floor = Span::from_us(u64::from(cx.sysctl().tcp_rto_min_us));
        let delay = self.rtt.rto.max(floor) * (1 << self.timers.backoff.min(15));
        let delay = self.clamp_probe_to_user_timeout(cx, delay);
        self.timers.set(cx, TimerKind::WindowProbe, delay);
    }

    /// As many probes as retries were not answered; those of a connection that its application has
    /// left end with the longest timeout, answered or not.
    fn probed_too_often(&self, cx: &Cx<'_>) -> bool {
        let sysctl = &cx.config.sysctl;
        let mut retries = sysctl.tcp_retries2;
        if self.is_left() {
            let longest = Span::from_ms(u64::from(sysctl.tcp_rto_max_ms));
            let alive = self.backed_off_rto() < longest;
            retries = orphan_retries(sysctl, alive);
            if !alive && self.timers.backoff >= retries {
                return true;
            }
        }
        self.timers.probes_out >= retries.saturating_add(cx.config.rules.probes_beyond_retries)
    }

    fn window_probe_timeout(&mut self, cx: &mut Cx<'_>) {
        let nxt = cx.w().snd_nxt;
        if cx.w().packets_out > 0 || self.tx.unsent(nxt).is_none() {
            self.timers.probes_out = 0;
            self.timers.backoff = 0;
            self.end_probing();
            return;
        }
        if self.probed_too_long(cx.now) || self.probed_too_often(cx) {
            self.time_out(cx);
            return;
        }
        self.wants.set(Wants::WINDOW_PROBE);
        self.timers.probes_out = self.timers.probes_out.saturating_add(1);
        self.timers.backoff = (self.timers.backoff + 1).min(cx.sysctl().tcp_retries2);
        self.arm_window_probe(cx);
    }
}

/// How often a connection that its application has left tries again (`tcp_orphan_retries`); `alive`
/// while its timeouts are not the longest.
const fn orphan_retries(sysctl: &Sysctl, alive: bool) -> u8 {
    match sysctl.tcp_orphan_retries {
        0 if alive => ORPHAN_RETRIES,
        retries => retries,
    }
}

/// The time that `retries` doublings of `base`, capped at `longest`, take
/// (`tcp_model_timeout`).
fn boundary(base: Span, longest: Span, retries: u8) -> Span {
    let ratio = (longest.as_ps() / base.as_ps().max(1)).max(1);
    let thresh = u64::from(ratio.ilog2());
    let retries = u64::from(retries);
    if retries <= thresh {
        base * ((2 << retries) - 1)
    } else {
        base * ((2 << thresh) - 1) + longest * (retries - thresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifteen_retries_last_924_seconds() {
        let total = boundary(Span::from_ms(200), Span::from_secs(120), 15);
        assert_eq!(total.as_ms(), 924_600);
    }

    #[test]
    fn a_timer_fires_at_the_tick_after_its_moment() {
        let tick = Span::from_ms(4);
        let mut timer = TickTimer::default();
        timer.set(Time::ZERO + Span::from_ms(1), Span::from_ms(40));
        assert_eq!(timer.due().as_ms(), 41);
        assert!(!timer.fires(timer.due(), tick));
        assert_eq!(timer.due().as_ms(), 44);
        assert!(timer.fires(timer.due(), tick) && !timer.is_set());
    }
}
