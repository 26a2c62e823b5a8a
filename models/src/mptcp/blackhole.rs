//! Paths that swallow SYNs with MP_CAPABLE (Linux `mptcp_active_disable` and its neighbours in
//! `net/mptcp/ctrl.c`).
//!
//! When only the plain SYN of a client is answered, the host's clients do without MPTCP for a
//! while, longer each time, until a handshake with MPTCP succeeds again.

use mptcpsim_core::time::{Span, Time};

/// Doublings of the pause at most.
const MAX_DOUBLINGS: u32 = 6;

/// Whether a host's clients ask for MPTCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct ActiveMptcp {
    /// How often in a row it was given up (`active_disable_times`), and when last.
    times: u32,
    since: Time,
}

impl ActiveMptcp {
    /// A SYN without MP_CAPABLE was answered where those with it were not.
    pub(super) fn disable(&mut self, now: Time) {
        self.times = self.times.saturating_add(1);
        self.since = now;
    }

    /// MPTCP got through.
    pub(super) fn enable(&mut self) {
        self.times = 0;
    }

    /// True while clients do without (`mptcp_active_should_disable`); `timeout` is the sysctl
    /// `net.mptcp.blackhole_timeout` in seconds, 0 for never.
    pub fn is_disabled(&self, now: Time, timeout: u32) -> bool {
        let Some(doublings) = self.times.checked_sub(1) else { return false };
        let pause = u64::from(timeout) << doublings.min(MAX_DOUBLINGS);
        pause > 0 && now <= self.since + Span::from_secs(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_and_ends_with_success() {
        let at = |secs| Time::ZERO + Span::from_secs(secs);
        let mut active = ActiveMptcp::default();
        assert!(!active.is_disabled(at(0), 3_600));
        active.disable(at(10));
        assert!(active.is_disabled(at(3_610), 3_600) && !active.is_disabled(at(3_611), 3_600));
        assert!(!active.is_disabled(at(11), 0));
        active.disable(at(4_000));
        assert!(active.is_disabled(at(11_200), 3_600) && !active.is_disabled(at(11_201), 3_600));
        active.enable();
        assert!(!active.is_disabled(at(4_001), 3_600));
    }
}
