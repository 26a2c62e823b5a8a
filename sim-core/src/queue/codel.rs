//! Controlled delay (RFC 8289).
//!
//! CoDel looks at how long each packet waited. When that has stayed above the
//! target for an interval, it drops one, and then more and more often (at
//! intervals divided by the square root of their number) until the delay is
//! below the target. The pseudo-code of RFC 8289 section 5 takes packets in a
//! loop; here it is asked about one packet at a time, and remembers in
//! [`Step`] where in that loop it is.

use super::{Arrival, Departure, Discipline, Limit, QueueError, Verdict};
use crate::time::{Span, Time};
use crate::trace::Cause;
use crate::units::Bytes;

/// The parameters of CoDel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodelConfig {
    /// The delay to tolerate, 5 ms in the RFC.
    pub target: Span,
    /// How long the delay must stay above the target, 100 ms in the RFC.
    pub interval: Span,
    /// Mark ECN-capable packets instead of dropping them.
    pub ecn: bool,
    /// The largest backlog.
    pub limit: Limit,
    /// With no more than this behind it, no packet is dropped: one full-sized packet.
    pub mtu: Bytes,
}

impl Default for CodelConfig {
    /// The defaults of the RFC, with Linux's limit of 1000 packets.
    fn default() -> Self {
        Self {
            target: Span::from_ms(5),
            interval: Span::from_ms(100),
            ecn: false,
            limit: Limit::Packets(1_000),
            mtu: Bytes::new(1_514),
        }
    }
}

impl CodelConfig {
    pub(super) fn check(&self) -> Result<(), QueueError> {
        if self.interval.is_zero() { Err(QueueError::Interval) } else { Ok(()) }
    }

    /// The next drop after one at `at`, the `count`-th in a row.
    fn control_law(&self, at: Time, count: u32) -> Time {
        let gap = self.interval.as_ps() as f64 / f64::from(count.max(1)).sqrt();
        at + Span::from_ps(gap as u64)
    }
}

/// Where in the loop of the pseudo-code the next packet is met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    /// It is the first one at this time.
    #[default]
    First,
    /// The one before was dropped as the first of a series: this one passes.
    Entered,
    /// The one before was dropped in a series.
    Repeated,
}

/// The state of one queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    /// When the delay will have been above the target for an interval.
    first_above: Option<Time>,
    drop_next: Time,
    count: u32,
    last_count: u32,
    dropping: bool,
    step: Step,
}

impl State {
    #[inline(never)]
    pub(super) fn serve(
        &mut self,
        config: &CodelConfig,
        departure: &Departure,
        mark: impl FnOnce() -> bool,
    ) -> Verdict {
        let bad = self.stays_above(config, departure);
        let step = std::mem::take(&mut self.step);
        if step == Step::Entered {
            return Verdict::Pass;
        }
        if !self.dropping {
            return if bad { self.enter(config, departure.now, mark) } else { Verdict::Pass };
        }
        if !bad {
            self.dropping = false;
            return Verdict::Pass;
        }
        if step == Step::Repeated {
            self.drop_next = config.control_law(self.drop_next, self.count);
        }
        if departure.now < self.drop_next {
            return Verdict::Pass;
        }
        self.count = self.count.saturating_add(1);
        if config.ecn && mark() {
            self.drop_next = config.control_law(self.drop_next, self.count);
            return Verdict::Marked;
        }
        self.step = Step::Repeated;
        Verdict::Drop(Cause::Aqm)
    }

    /// `dodequeue()` of the RFC: whether the delay has been above the target long enough.
    fn stays_above(&mut self, config: &CodelConfig, departure: &Departure) -> bool {
        if departure.waited < config.target || departure.behind <= config.mtu {
            self.first_above = None;
            return false;
        }
        match self.first_above {
            None => {
                self.first_above = Some(departure.now + config.interval);
                false
            }
            Some(moment) => departure.now >= moment,
        }
    }

    /// Begins a series of drops; one that follows another soon goes on at its pace.
    fn enter(&mut self, config: &CodelConfig, now: Time, mark: impl FnOnce() -> bool) -> Verdict {
        let gained = self.count.saturating_sub(self.last_count);
        let recent = now - self.drop_next < config.interval * 16;
        self.dropping = true;
        self.count = if gained > 1 && recent { gained } else { 1 };
        self.last_count = self.count;
        self.drop_next = config.control_law(now, self.count);
        if config.ecn && mark() {
            return Verdict::Marked;
        }
        self.step = Step::Entered;
        Verdict::Drop(Cause::Aqm)
    }

    /// There is no next packet.
    pub(super) fn run_empty(&mut self) {
        self.first_above = None;
        // After the first drop of a series the RFC looks at the next packet at a later time.
        if self.step != Step::Entered {
            self.dropping = false;
        }
        self.step = Step::First;
    }
}

#[derive(Clone, Debug)]
pub(super) struct Codel {
    config: CodelConfig,
    state: State,
}

impl Codel {
    pub(super) fn new(config: CodelConfig) -> Result<Self, QueueError> {
        config.check()?;
        Ok(Self { config, state: State::default() })
    }

    pub(super) fn run_empty(&mut self) {
        self.state.run_empty();
    }

    pub(super) fn set_limit(&mut self, limit: Limit) {
        self.config.limit = limit;
    }
}

impl Discipline for Codel {
    fn admit(&mut self, arrival: &Arrival, _: impl FnOnce() -> bool) -> Verdict {
        if self.config.limit.admits(arrival.backlog, arrival.len) {
            Verdict::Pass
        } else {
            Verdict::Drop(Cause::Queue)
        }
    }

    #[inline(never)]
    fn serve(&mut self, departure: &Departure, mark: impl FnOnce() -> bool) -> Verdict {
        self.state.serve(&self.config, departure, mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves a queue in which every packet waits `waited`, one packet a millisecond, for `ms`;
    /// gives the milliseconds of the verdicts that are not [`Verdict::Pass`].
    fn serve(codel: &mut Codel, from: u64, ms: u64, waited: u64, capable: bool) -> Vec<u64> {
        let mut noted = Vec::new();
        for at in from..from + ms {
            let now = Time::ZERO + Span::from_ms(at);
            let waited = Span::from_ms(waited);
            let departure = Departure { now, waited, behind: Bytes::new(100_000) };
            let mut verdict = codel.serve(&departure, || capable);
            while let Verdict::Drop(_) = verdict {
                noted.push(at);
                verdict = codel.serve(&departure, || capable);
            }
            if verdict == Verdict::Marked {
                noted.push(at);
            }
        }
        noted
    }

    fn codel(ecn: bool) -> Codel {
        Codel::new(CodelConfig { ecn, ..CodelConfig::default() }).unwrap()
    }

    #[test]
    fn drops_come_faster_by_the_square_root_of_their_number() {
        // The first packet starts the interval; then 100 ms, 100/sqrt(2), 100/sqrt(3), ... apart.
        let expected = [100, 200, 271, 329, 379, 424, 464, 502];
        assert_eq!(serve(&mut codel(false), 0, 503, 20, false), expected);
        assert_eq!(serve(&mut codel(true), 0, 503, 20, true), expected);
        assert_eq!(serve(&mut codel(true), 0, 503, 20, false), expected);
    }

    #[test]
    fn short_delays_and_short_queues_are_left_alone() {
        assert_eq!(serve(&mut codel(false), 0, 500, 4, false), []);
        let mut codel = codel(false);
        for at in 0..500 {
            let now = Time::ZERO + Span::from_ms(at);
            let departure = Departure { now, waited: Span::from_ms(50), behind: Bytes::new(1_514) };
            assert_eq!(codel.serve(&departure, || false), Verdict::Pass);
        }
    }

    #[test]
    fn a_series_soon_after_another_goes_on_at_its_pace() {
        let mut codel = codel(false);
        assert_eq!(serve(&mut codel, 0, 503, 20, false).len(), 8);
        serve(&mut codel, 503, 10, 1, false);
        // 8 drops before, counted from 1: the series begins at 7.
        let again = serve(&mut codel, 513, 180, 20, false);
        assert_eq!(again[..3], [613, 651, 687]);
        // Long after, it begins at 1.
        serve(&mut codel, 700, 3_000, 1, false);
        assert_eq!(serve(&mut codel, 3_700, 210, 20, false), [3_800, 3_900]);
    }

    #[test]
    fn an_interval_of_no_length_is_refused() {
        let config = CodelConfig { interval: Span::ZERO, ..CodelConfig::default() };
        assert_eq!(Codel::new(config).err(), Some(QueueError::Interval));
    }
}
