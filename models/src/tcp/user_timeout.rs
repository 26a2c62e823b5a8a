//! How long the application waits for data to be acknowledged: `TCP_USER_TIMEOUT` (RFC 5482 section
//! 2, without its option; Linux `tcp_write_timeout`, `tcp_clamp_rto_to_user_timeout`,
//! `tcp_clamp_probe0_to_user_timeout`).
//!
//! It takes the place of the number of retries: the connection ends when that much time has passed
//! since the first retransmission, or since the first probe of a closed window, and the timers run
//! out no later than that.

use mptcpsim_core::time::{Span, Time};

use super::timers::TimerKind;
use super::{Cx, State, Subflow};

/// The least delay of a timer that was to run out before (`TCP_TIMEOUT_MIN`), in ticks.
const MIN_TICKS: u64 = 2;

/// A limit, and what it needs to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct UserTimeout {
    limit: Span,
    /// When the window was first probed since it closed (`icsk_probes_tstamp`).
    probes_since: Option<Time>,
}

impl Subflow {
    /// Ends when sent data is not acknowledged for `limit`; zero leaves it to the number of retries.
    #[cold]
    pub fn set_user_timeout(&mut self, cx: &Cx<'_>, limit: Span) {
        let probed = self.timers.kind() == TimerKind::WindowProbe && self.timers.probes_out > 0;
        let before = self.timers.user_timeout.take().map(|user| user.probes_since);
        // Probes before it was first set were not counted.
        let probes_since = before.unwrap_or(probed.then_some(cx.now));
        let user = UserTimeout { limit, probes_since };
        self.timers.user_timeout = (!limit.is_zero()).then(|| Box::new(user));
    }

    /// The limit, if there is one.
    pub fn user_timeout(&self) -> Option<Span> {
        self.timers.user_timeout.as_ref().map(|user| user.limit)
    }

    /// True if the limit has passed; none without limit (`retransmits_timed_out`).
    pub(super) fn user_timed_out(&self, now: Time) -> Option<bool> {
        let limit = self.user_timeout()?;
        let since = self.first_retransmission().filter(|_| self.timers.retransmits > 0);
        Some(since.is_some_and(|since| elapsed_ms(since, now) >= limit.as_ms()))
    }

    /// A retransmission timeout that does not go beyond the limit.
    pub(super) fn clamp_rto_to_user_timeout(&self, cx: &Cx<'_>, rto: Span) -> Span {
        let (Some(limit), Some(since)) = (self.user_timeout(), self.first_retransmission()) else {
            return rto;
        };
        let left = limit.as_ms().saturating_sub(elapsed_ms(since, cx.now));
        if left == 0 { cx.config.rules.tick } else { rto.min(Span::from_ms(left)) }
    }

    /// A delay of the next probe that does not go beyond the limit.
    pub(super) fn clamp_probe_to_user_timeout(&self, cx: &Cx<'_>, delay: Span) -> Span {
        let Some(user) = &self.timers.user_timeout else { return delay };
        let Some(since) = user.probes_since else { return delay };
        let left = user.limit - (cx.now - since);
        delay.min(left.max(cx.config.rules.tick * MIN_TICKS))
    }

    /// The window is to be probed: true if it was for too long (`tcp_probe_timer`).
    pub(super) fn probed_too_long(&mut self, now: Time) -> bool {
        let Some(user) = &mut self.timers.user_timeout else { return false };
        let since = *user.probes_since.get_or_insert(now);
        now - since >= user.limit
    }

    /// The window is open.
    pub(super) fn end_probing(&mut self) {
        if let Some(user) = &mut self.timers.user_timeout {
            user.probes_since = None;
        }
    }

    /// When what is unacknowledged was first sent again; a SYN counts from when it was first sent
    /// (`retrans_stamp`).
    fn first_retransmission(&self) -> Option<Time> {
        if self.state == State::SynSent {
            return Some(self.opened_at);
        }
        self.recovery.retrans_stamp
    }
}

/// Milliseconds of the timestamp clock between two moments.
const fn elapsed_ms(since: Time, now: Time) -> u64 {
    now.as_ms().saturating_sub(since.as_ms())
}
