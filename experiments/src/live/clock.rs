//! The wall clock, as virtual time sees it: the one place where real time enters.

use std::time::Duration;

use mptcpsim_core::time::{Span, Time};
use rustix::time::{ClockId, clock_gettime};

/// A clock that showed [`Time::ZERO`] when it was started.
#[derive(Clone, Copy, Debug)]
pub(super) struct WallClock {
    zero: Duration,
}

impl WallClock {
    /// Starts now.
    pub(super) fn start() -> Self {
        Self { zero: monotonic() }
    }

    /// A clock that another process started, by what [`WallClock::zero_ns`] said there.
    pub(super) const fn started_at(zero_ns: u64) -> Self {
        Self { zero: Duration::from_nanos(zero_ns) }
    }

    /// The reading of the system's monotonic clock at time zero.
    pub(super) fn zero_ns(&self) -> u64 {
        u64::try_from(self.zero.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The time.
    pub(super) fn now(&self) -> Time {
        let elapsed = monotonic().saturating_sub(self.zero);
        Time::ZERO + Span::from_ns(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Sleeps until `at`, if that is ahead.
    pub(super) fn sleep_until(&self, at: Time) {
        if let Some(ahead) = at.as_ns().checked_sub(self.now().as_ns()) {
            std::thread::sleep(Duration::from_nanos(ahead));
        }
    }
}

fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}
