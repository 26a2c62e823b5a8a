//! Recorded opportunities to send, in the format of Mahimahi.
//!
//! A trace lists the milliseconds at which a link could deliver 1500 bytes; it
//! begins anew after its last entry (R. Netravali et al., "Mahimahi: Accurate
//! Record-and-Replay for HTTP", USENIX ATC 2015; the behaviour is that of its
//! `link_queue`). Small packets that wait together share an opportunity, a
//! large packet spends several, and an opportunity that finds nobody waiting is
//! lost.

use std::sync::Arc;

use thiserror::Error;

use super::Progress;
use crate::time::{Span, Time};
use crate::units::{Bytes, Rate};

/// The bytes of one opportunity, counted at the IP level.
pub const OPPORTUNITY: Bytes = Bytes::new(1_500);

/// What is wrong with a trace.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TraceError {
    /// There is none.
    #[error("a trace needs at least one delivery opportunity")]
    Empty,
    /// A line is no number.
    #[error("line {line}: `{text}` is not a whole number of milliseconds")]
    Number {
        /// The line, from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// An entry is earlier than the one before.
    #[error("entry {entry}: {at} ms comes after {before} ms; entries must not decrease")]
    Unsorted {
        /// The entry, from 1.
        entry: usize,
        /// The entry before.
        before: u64,
        /// The entry.
        at: u64,
    },
    /// All entries are at zero, so the trace has no length.
    #[error("the last entry must be later than 0 ms: it is the length of the trace")]
    NoLength,
    /// An entry is too large.
    #[error("entry {entry}: {at} ms is too long")]
    TooLong {
        /// The entry, from 1.
        entry: usize,
        /// The entry.
        at: u64,
    },
}

/// When a link can send 1500 bytes, again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryTrace(Arc<Round>);

#[derive(Debug, PartialEq, Eq)]
struct Round {
    /// Moments of a round, ascending, in (0, period]; several may be equal.
    opportunities: Box<[Time]>,
    period: Span,
}

/// Where a busy link has arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// The next opportunity that nobody has used, counted from the start of the simulation.
    next: u64,
    /// What is left of the one before.
    spare: u64,
}

impl DeliveryTrace {
    /// Opportunities at the given milliseconds; the last one is also the length of the trace.
    ///
    /// # Errors
    /// If there are none, they decrease, or the last is at zero or beyond the end of time.
    pub fn new(milliseconds: &[u64]) -> Result<Self, TraceError> {
        for (index, pair) in milliseconds.windows(2).enumerate() {
            if pair[1] < pair[0] {
                return Err(TraceError::Unsorted {
                    entry: index + 2,
                    before: pair[0],
                    at: pair[1],
                });
            }
        }
        let &last = milliseconds.last().ok_or(TraceError::Empty)?;
        let period = Span::from_ms(last);
        if period.is_zero() {
            return Err(TraceError::NoLength);
        }
        if period == Span::MAX {
            return Err(TraceError::TooLong { entry: milliseconds.len(), at: last });
        }
        let opportunities = milliseconds.iter().map(|&ms| Time::ZERO + Span::from_ms(ms)).collect();
        Ok(Self(Arc::new(Round { opportunities, period })))
    }

    /// Reads the text form: one whole number of milliseconds a line.
    ///
    /// # Errors
    /// If a line is no number, or the numbers make no trace.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let numbers = lines.filter(|(_, line)| !line.is_empty()).map(|(line, text)| {
            text.parse().map_err(|_| TraceError::Number { line, text: text.to_owned() })
        });
        Self::new(&numbers.collect::<Result<Vec<u64>, _>>()?)
    }

    pub(super) fn mean_rate(&self) -> Rate {
        let bits = self.0.opportunities.len() as u128 * u128::from(OPPORTUNITY.get()) * 8;
        let rate = bits * 1_000_000_000_000 / u128::from(self.0.period.as_ps());
        Rate::from_bps(u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// When `len` that begins at `start` is sent.
    pub(super) fn finish(&self, start: Time, len: Bytes, progress: &mut Progress) -> Time {
        let mut cursor = progress.0.unwrap_or(Cursor { next: self.count_until(start), spare: 0 });
        let mut at = start;
        if len.get() <= cursor.spare {
            cursor.spare -= len.get();
        } else {
            let missing = len.get() - cursor.spare;
            let spent = missing.div_ceil(OPPORTUNITY.get());
            cursor.next = cursor.next.saturating_add(spent);
            cursor.spare = spent.saturating_mul(OPPORTUNITY.get()) - missing;
            at = self.moment(cursor.next - 1);
        }
        progress.0 = Some(cursor);
        at
    }

    /// What is left at `now` of the packet that was given to [`Self::finish`] last.
    pub(super) fn remaining(&self, now: Time, progress: &Progress) -> Bytes {
        let Some(cursor) = progress.0 else { return Bytes::ZERO };
        let ahead = cursor.next.saturating_sub(self.count_until(now));
        OPPORTUNITY * ahead - Bytes::new(cursor.spare)
    }

    /// How many opportunities lie at or before `at`.
    fn count_until(&self, at: Time) -> u64 {
        let (round, offset) =
            (at.as_ps() / self.0.period.as_ps(), at.as_ps() % self.0.period.as_ps());
        let in_round = self.0.opportunities.partition_point(|moment| moment.as_ps() <= offset);
        round.saturating_mul(self.per_round()).saturating_add(in_round as u64)
    }

    /// When an opportunity comes, counted from 0.
    fn moment(&self, index: u64) -> Time {
        let (round, in_round) = (index / self.per_round(), index % self.per_round());
        self.0.opportunities[in_round as usize] + self.0.period * round
    }

    fn per_round(&self) -> u64 {
        self.0.opportunities.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn ms(ms: u64) -> Time {
        Time::ZERO + Span::from_ms(ms)
    }

    #[test]
    fn reads_the_text_form() {
        assert_eq!(DeliveryTrace::parse("0\n5\n5\n 9 \n\n"), DeliveryTrace::new(&[0, 5, 5, 9]));
        let error = |text| DeliveryTrace::parse(text).unwrap_err();
        assert_eq!(error("1\ntwo\n"), TraceError::Number { line: 2, text: "two".into() });
        assert_eq!(error("1\n-2"), TraceError::Number { line: 2, text: "-2".into() });
        assert_eq!(error("4\n3"), TraceError::Unsorted { entry: 2, before: 4, at: 3 });
        assert_eq!(error("\n"), TraceError::Empty);
        assert_eq!(error("0\n0"), TraceError::NoLength);
        let long = u64::MAX;
        assert_eq!(error(&format!("1\n{long}")), TraceError::TooLong { entry: 2, at: long });
    }

    #[test]
    fn the_trace_repeats_after_its_last_entry() {
        let trace = DeliveryTrace::new(&[2, 5]).unwrap();
        let finish = |start, len| trace.finish(start, Bytes::new(len), &mut Progress::default());
        assert_eq!(finish(ms(0), 1_500), ms(2));
        assert_eq!(finish(ms(2), 1_500), ms(5));
        assert_eq!(finish(ms(5), 1_500), ms(7));
        assert_eq!(finish(ms(0), 1_501), ms(5));
        assert_eq!(finish(ms(1), 4 * 1_500), ms(10));
        assert_eq!(trace.mean_rate(), Rate::from_bps(2 * 12_000 * 200));
    }

    #[test]
    fn waiting_packets_share_an_opportunity() {
        let trace = DeliveryTrace::new(&[1]).unwrap();
        let mut progress = Progress::default();
        let mut at = ms(0);
        let mut finish = |len| {
            at = trace.finish(at, Bytes::new(len), &mut progress);
            at
        };
        assert_eq!([finish(500), finish(1_000), finish(1)], [ms(1), ms(1), ms(2)]);
    }

    /// Mahimahi's loop: walk over the opportunities, let each send what waits.
    fn walk(trace: &[u64], packets: &[(u64, u64)]) -> Vec<u64> {
        let mut waiting: VecDeque<(u64, u64)> = packets.iter().copied().collect();
        let mut finished = Vec::new();
        let mut round = 0;
        while !waiting.is_empty() {
            for &at in trace {
                let at = round * trace.last().unwrap() + at;
                let mut left = OPPORTUNITY.get();
                while let Some((arrival, len)) = waiting.front_mut()
                    && *arrival < at
                    && left > 0
                {
                    let used = left.min(*len);
                    left -= used;
                    *len -= used;
                    if *len == 0 {
                        waiting.pop_front();
                        finished.push(at);
                    }
                }
            }
            round += 1;
        }
        finished
    }

    proptest! {
        #[test]
        fn agrees_with_walking(
            gaps in prop::collection::vec(0u64..4, 0..6),
            last in 1u64..4,
            packets in prop::collection::vec((0u64..6, 1u64..4_000), 1..20),
        ) {
            let sums = |gaps: &mut dyn Iterator<Item = u64>| -> Vec<u64> {
                gaps.scan(0, |at, gap| { *at += gap; Some(*at) }).collect()
            };
            let trace = sums(&mut gaps.into_iter().chain([last]));
            let arrivals = sums(&mut packets.iter().map(|&(gap, _)| gap));
            let packets: Vec<_> =
                arrivals.iter().zip(&packets).map(|(&at, &(_, len))| (at, len)).collect();
            let capacity = DeliveryTrace::new(&trace).unwrap();
            let (mut free, mut progress, mut finished) = (0, Progress::default(), Vec::new());
            for &(arrival, len) in &packets {
                if arrival >= free {
                    progress = Progress::default();
                }
                let start = ms(arrival.max(free));
                free = capacity.finish(start, Bytes::new(len), &mut progress).as_ms();
                finished.push(free);
            }
            prop_assert_eq!(finished, walk(&trace, &packets));
        }

        #[test]
        fn nothing_overflows(entry in 1u64.., start: u64, len: u64) {
            if let Ok(trace) = DeliveryTrace::new(&[entry]) {
                let mut progress = Progress::default();
                let start = Time::from_ps(start);
                trace.finish(start, Bytes::new(len), &mut progress);
                trace.remaining(start, &progress);
            }
        }
    }
}
