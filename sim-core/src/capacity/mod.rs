//! How fast a link sends.
//!
//! A link asks one question: if the transmission of `len` bytes starts at
//! `start`, when does it finish? All answers are exact in integers, rounded up
//! to the next picosecond.

mod delivery_trace;
mod steps;

pub use delivery_trace::{DeliveryTrace, OPPORTUNITY, TraceError};
pub use steps::{Steps, StepsError};

use delivery_trace::Cursor;

use crate::time::{Span, Time};
use crate::units::{Bytes, Rate};

/// How fast a link sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// Sending takes no time.
    Unlimited,
    /// A constant rate; zero means that nothing is sent.
    Fixed(Rate),
    /// A rate that changes at given times.
    Steps(Steps),
    /// Recorded opportunities to send.
    Trace(DeliveryTrace),
}

impl Capacity {
    /// When a transmission of `len` that begins at `start`, on a link that was idle, is finished.
    /// [`Time::NEVER`] if it never is.
    pub fn finish(&self, start: Time, len: Bytes) -> Time {
        self.serve(start, Work::of(len), &mut Progress::default())
    }

    /// The rate over the long run; `None` if it is unlimited.
    pub fn mean_rate(&self) -> Option<Rate> {
        match self {
            Self::Unlimited => None,
            Self::Fixed(rate) => Some(*rate),
            Self::Steps(steps) => Some(steps.mean_rate()),
            Self::Trace(trace) => Some(trace.mean_rate()),
        }
    }

    /// When `work` that begins at `start` is finished, `progress` being where the packet before
    /// left off; advances `progress`.
    #[inline]
    pub(crate) fn serve(&self, start: Time, work: Work, progress: &mut Progress) -> Time {
        match self {
            Self::Fixed(rate) => start + work.time_at(*rate),
            Self::Unlimited => start,
            Self::Steps(steps) => steps.finish(start, work),
            Self::Trace(trace) => trace.finish(start, work.bytes(), progress),
        }
    }

    /// What is left at `now` of `work` that began at `start`, `progress` being as
    /// [`Capacity::serve`] left it.
    pub(crate) fn remaining(
        &self,
        start: Time,
        work: Work,
        now: Time,
        progress: &Progress,
    ) -> Work {
        match self {
            Self::Unlimited => Work(0),
            Self::Fixed(rate) => work.less(Work::done(*rate, now - start)),
            Self::Steps(steps) => work.less(steps.done(start, now)),
            Self::Trace(trace) => Work::of(trace.remaining(now, progress)).least(work),
        }
    }
}

/// An amount of transmission: bit/s times picoseconds, that is bits times 10^12.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Work(u128);

impl Work {
    const PER_BYTE: u64 = 8_000_000_000_000;

    /// The work of sending `len`.
    pub(crate) fn of(len: Bytes) -> Self {
        Self(u128::from(len.get()) * u128::from(Self::PER_BYTE))
    }

    fn done(rate: Rate, span: Span) -> Self {
        Self(u128::from(rate.as_bps()) * u128::from(span.as_ps()))
    }

    /// The bytes to send, begun ones included.
    fn bytes(self) -> Bytes {
        let bytes = self.0.div_ceil(u128::from(Self::PER_BYTE));
        Bytes::new(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    #[inline]
    fn time_at(self, rate: Rate) -> Span {
        let rate = rate.as_bps();
        // Up to 2 MB the division fits in 64 bits, which is several times faster.
        match u64::try_from(self.0) {
            Ok(0) => Span::ZERO,
            _ if rate == 0 => Span::MAX,
            Ok(work) => Span::from_ps(work.div_ceil(rate)),
            Err(_) => {
                let ps = self.0.div_ceil(u128::from(rate));
                Span::from_ps(u64::try_from(ps).unwrap_or(u64::MAX))
            }
        }
    }

    fn less(self, done: Self) -> Self {
        Self(self.0.saturating_sub(done.0))
    }

    fn least(self, other: Self) -> Self {
        self.min(other)
    }
}

/// Where in a delivery trace a link that stays busy has arrived; other capacities need no memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress(Option<Cursor>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_link_of_rate_zero_sends_nothing_but_nothing() {
        let stalled = Capacity::Fixed(Rate::from_bps(0));
        assert_eq!(stalled.finish(Time::ZERO, Bytes::new(1)), Time::NEVER);
        assert_eq!(stalled.finish(Time::ZERO, Bytes::ZERO), Time::ZERO);
        assert_eq!(Capacity::Unlimited.finish(Time::ZERO, Bytes::new(9)), Time::ZERO);
    }

    proptest! {
        #[test]
        fn a_fixed_rate_agrees_with_the_unit_of_rate(rate: u64, start: u64, len: u64) {
            let rate = Rate::from_bps(rate);
            let len = Bytes::new(len);
            let start = Time::from_ps(start);
            let expected = if len == Bytes::ZERO { start } else { start + rate.time_for(len) };
            prop_assert_eq!(Capacity::Fixed(rate).finish(start, len), expected);
        }
    }
}
