//! A rate that changes at given times, once or again and again.

use std::sync::Arc;

use thiserror::Error;

use super::Work;
use crate::time::{Span, Time};
use crate::units::Rate;

/// What is wrong with a list of rates.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StepsError {
    /// There is none.
    #[error("there must be at least one rate")]
    Empty,
    /// The first rate begins late.
    #[error("the first rate must begin at 0 s, not at {0}")]
    Late(Time),
    /// Two entries are out of order.
    #[error("each rate must begin after the one before: {later} follows {earlier}")]
    Unsorted {
        /// The entry before.
        earlier: Time,
        /// The entry that is not later.
        later: Time,
    },
    /// The period ends before the list does.
    #[error("the period of {period} must be longer than the start of the last rate, {last}")]
    Period {
        /// The period.
        period: Span,
        /// Where the last rate begins.
        last: Time,
    },
}

/// Rates, each valid from its time to that of the next; then the last for ever, or all again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps(Arc<Rounds>);

#[derive(Debug, PartialEq, Eq)]
struct Rounds {
    steps: Box<[(Time, Rate)]>,
    /// The length of a round, [`Span::MAX`] if there is only one.
    period: Span,
    /// What can be sent in a round.
    per_round: Work,
}

/// A stretch of constant rate.
struct Stretch {
    rate: Rate,
    from: Time,
    to: Time,
}

impl Steps {
    /// Rates from their times on, the first from zero; with a `period` the list begins anew when
    /// the period has passed.
    ///
    /// # Errors
    /// If the list is empty, does not begin at zero, is not sorted, or does not fit in the period.
    pub fn new(steps: &[(Time, Rate)], period: Option<Span>) -> Result<Self, StepsError> {
        let (Some(&(first, _)), Some(&(last, _))) = (steps.first(), steps.last()) else {
            return Err(StepsError::Empty);
        };
        if first != Time::ZERO {
            return Err(StepsError::Late(first));
        }
        if let Some(pair) = steps.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            return Err(StepsError::Unsorted { earlier: pair[0].0, later: pair[1].0 });
        }
        let period = match period {
            Some(period) if period <= last - Time::ZERO => {
                return Err(StepsError::Period { period, last });
            }
            period => period.unwrap_or(Span::MAX),
        };
        let mut rounds = Rounds { steps: steps.into(), period, per_round: Work(0) };
        rounds.per_round = rounds.done_in_round(period);
        Ok(Self(Arc::new(rounds)))
    }

    pub(super) fn mean_rate(&self) -> Rate {
        self.0.mean_rate()
    }

    /// When `work` that begins at `start` is done.
    pub(super) fn finish(&self, start: Time, work: Work) -> Time {
        self.0.finish(start, work)
    }

    /// What is sent between two moments.
    pub(super) fn done(&self, from: Time, to: Time) -> Work {
        Work(self.0.done_until(to).saturating_sub(self.0.done_until(from)))
    }
}

impl Rounds {
    fn mean_rate(&self) -> Rate {
        match self.steps.last() {
            Some(&(_, last)) if self.period == Span::MAX => last,
            _ => {
                let rate = self.per_round.0 / u128::from(self.period.as_ps().max(1));
                Rate::from_bps(u64::try_from(rate).unwrap_or(u64::MAX))
            }
        }
    }

    fn finish(&self, start: Time, mut work: Work) -> Time {
        if work == Work(0) {
            return start;
        }
        let (mut round, offset) = self.split(start);
        let left_in_round = self.per_round.less(self.done_in_round(offset));
        let mut at = Time::ZERO + offset;
        if work > left_in_round {
            if self.per_round == Work(0) {
                return Time::NEVER;
            }
            work = work.less(left_in_round);
            let whole = (work.0 - 1) / self.per_round.0;
            work = Work(work.0 - whole * self.per_round.0);
            round = round.saturating_add(whole).saturating_add(1);
            at = Time::ZERO;
        }
        let end_in_round = self.finish_in_round(at, work);
        self.moment(round, end_in_round)
    }

    fn done_until(&self, at: Time) -> u128 {
        let (round, offset) = self.split(at);
        self.per_round.0.saturating_mul(round).saturating_add(self.done_in_round(offset).0)
    }

    /// In which round a moment lies, and where in it.
    fn split(&self, at: Time) -> (u128, Span) {
        let (ps, period) = (at.as_ps(), self.period.as_ps());
        (u128::from(ps / period), Span::from_ps(ps % period))
    }

    fn moment(&self, round: u128, offset: Time) -> Time {
        let start = round.saturating_mul(u128::from(self.period.as_ps()));
        let start = u64::try_from(start).unwrap_or(u64::MAX);
        Time::from_ps(start) + (offset - Time::ZERO)
    }

    /// The stretches of a round that end after `from`.
    fn stretches(&self, from: Time) -> impl Iterator<Item = Stretch> {
        let first = self.steps.partition_point(|&(time, _)| time <= from).saturating_sub(1);
        let end = Time::ZERO + self.period;
        self.steps[first..].iter().enumerate().map(move |(index, &(begin, rate))| Stretch {
            rate,
            from: begin.max(from),
            to: self.steps.get(first + index + 1).map_or(end, |&(next, _)| next),
        })
    }

    /// When `work` that begins at `from`, and fits in the round, is done.
    fn finish_in_round(&self, from: Time, mut work: Work) -> Time {
        for stretch in self.stretches(from) {
            let room = Work::done(stretch.rate, stretch.to - stretch.from);
            if work <= room {
                return stretch.from + work.time_at(stretch.rate);
            }
            work = work.less(room);
        }
        Time::NEVER
    }

    /// What is sent in the first `span` of a round.
    fn done_in_round(&self, span: Span) -> Work {
        let end = Time::ZERO + span;
        let until_end = self.stretches(Time::ZERO).take_while(|stretch| stretch.from < end);
        let done = until_end.map(|part| Work::done(part.rate, part.to.min(end) - part.from).0);
        Work(done.fold(0, u128::saturating_add))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::Bytes;

    fn steps(list: &[(u64, u64)], period: Option<u64>) -> Result<Steps, StepsError> {
        let list: Vec<_> =
            list.iter().map(|&(ps, bps)| (Time::from_ps(ps), Rate::from_bps(bps))).collect();
        Steps::new(&list, period.map(Span::from_ps))
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(steps(&[], None), Err(StepsError::Empty));
        assert!(matches!(steps(&[(1, 1)], None), Err(StepsError::Late(_))));
        assert!(matches!(steps(&[(0, 1), (0, 2)], None), Err(StepsError::Unsorted { .. })));
        assert!(matches!(steps(&[(0, 1), (5, 2)], Some(5)), Err(StepsError::Period { .. })));
        assert!(matches!(steps(&[(0, 1)], Some(0)), Err(StepsError::Period { .. })));
    }

    #[test]
    fn a_packet_spans_a_change_and_an_outage() {
        const MS: u64 = 1_000_000_000;
        let steps = steps(&[(0, 8_000_000), (MS, 0), (2 * MS, 16_000_000)], None).unwrap();
        let finish =
            |start: u64, len| steps.finish(Time::from_ps(start), Work::of(Bytes::new(len))).as_ps();
        assert_eq!(finish(0, 1_000), MS);
        assert_eq!(finish(MS / 2, 1_500), 2 * MS + MS / 2);
        assert_eq!(finish(3 * MS, 2_000), 4 * MS);
    }

    #[test]
    fn what_no_round_can_carry_never_finishes() {
        let silent = steps(&[(0, 0)], Some(10)).unwrap();
        assert_eq!(silent.finish(Time::ZERO, Work(1)), Time::NEVER);
        let ending = steps(&[(0, 1), (10, 0)], None).unwrap();
        assert_eq!(ending.finish(Time::ZERO, Work(11)), Time::NEVER);
        assert_eq!(ending.finish(Time::ZERO, Work(10)), Time::from_ps(10));
    }

    /// Counts picosecond by picosecond.
    fn walk(list: &[(u64, u64)], period: Option<u64>, start: u64, mut work: u64) -> Option<u64> {
        for at in start..start + 100_000 {
            if work == 0 {
                return Some(at);
            }
            let offset = period.map_or(at, |period| at % period);
            let rate = list.iter().rev().find(|&&(from, _)| from <= offset).unwrap().1;
            work = work.saturating_sub(rate);
        }
        None
    }

    proptest! {
        #[test]
        fn agrees_with_counting(
            gaps in prop::collection::vec((1u64..40, 0u64..6), 1..6),
            tail in prop::option::of(1u64..30),
            start in 0u64..500,
            amount in 0u64..900,
        ) {
            let list: Vec<_> = gaps.iter().scan(0, |at, &(gap, rate)| {
                let from = *at;
                *at += gap;
                Some((from, rate))
            }).collect();
            let period = tail.map(|tail| list.last().unwrap().0 + tail);
            let steps = steps(&list, period).unwrap();
            let work = Work(u128::from(amount));
            let finish = steps.finish(Time::from_ps(start), work);
            match walk(&list, period, start, amount) {
                Some(at) => prop_assert_eq!(finish, Time::from_ps(at)),
                None => prop_assert_eq!(finish, Time::NEVER),
            }
            if finish != Time::NEVER {
                prop_assert!(steps.done(Time::from_ps(start), finish) >= work);
            }
        }

        #[test]
        fn no_rate_or_time_overflows(rate: u64, other: u64, period in 2u64.., start: u64, len: u64) {
            let steps = steps(&[(0, rate), (1, other)], Some(period)).unwrap();
            let start = Time::from_ps(start);
            prop_assert!(steps.finish(start, Work::of(Bytes::new(len))) >= start);
            prop_assert!(steps.done(Time::ZERO, start) <= steps.done(Time::ZERO, Time::NEVER));
        }
    }
}
