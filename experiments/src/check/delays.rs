//! The propagation delay of each direction, and how it varies.

use mptcpsim_core::rng::Stream;
use mptcpsim_core::time::{Span, Time};

use super::Report;
use super::chance::MAX_STEPS;
use super::key::KeyPath;
use super::links::{Conditions, MAX_DELAY, Side, check_delay, check_order, missing};
use super::series;
use super::workloads::check_times;
use crate::plan::DelaySteps;
use crate::scenario::Delay;

/// The delay of one direction.
pub(super) struct Way {
    pub(super) steps: DelaySteps,
    pub(super) described: Delay,
    /// The text of a table.
    pub(super) series: Option<String>,
}

/// How long the way of a direction is; something harmless if that is faulty.
pub(super) fn check(side: Side<'_>, conditions: &Conditions<'_>, report: &mut Report) -> Way {
    let Some((described, key)) = side.get("delay", |way| way.delay.as_ref()) else {
        let delay = missing(side, "delay", "delay = \"15 ms\"", report);
        let steps = DelaySteps::fixed(delay);
        return Way { steps, described: Delay::Fixed(delay), series: None };
    };
    let way = |steps, series| Way { steps, described: described.clone(), series };
    match described {
        Delay::Fixed(delay) => way(DelaySteps::fixed(check_delay(*delay, &key, report)), None),
        Delay::Steps { steps, period } => {
            let steps = steps.iter().map(|step| (step.at, step.delay)).collect::<Vec<_>>();
            check_steps(&steps, &key.key("steps"), report);
            let times = steps.iter().map(|(at, _)| *at).collect::<Vec<_>>();
            check_period(&times, *period, conditions, &key, report);
            way(DelaySteps { steps, period: *period }, None)
        }
        Delay::Series { series: name, period } => {
            let value = |seconds: f64| {
                let fits = (0.0..=MAX_DELAY.as_secs_f64()).contains(&seconds);
                fits.then(|| Span::from_secs_f64(seconds))
            };
            let key = key.key("series");
            let read = series::read(
                name,
                ("delay_s", series::Times::Rise),
                conditions.folder,
                &key,
                value,
                report,
            );
            let Some(read) = read else { return way(DelaySteps::fixed(Span::ZERO), None) };
            let times = read.values.iter().map(|(at, _)| *at).collect::<Vec<_>>();
            check_period(&times, *period, conditions, &key, report);
            way(DelaySteps { steps: read.values, period: *period }, Some(read.text))
        }
        Delay::Drawn { drawn, every } => {
            check_times(drawn, &key.key("drawn"), report);
            let times = conditions.duration.as_ps().checked_div(every.as_ps());
            if times.is_none_or(|times| times >= MAX_STEPS as u64) {
                let what = format!("a delay drawn anew every {every}");
                report.invalid(&key.key("every"), what, "write a longer time");
                return way(DelaySteps::fixed(Span::ZERO), None);
            }
            let mut dice = side.dice("delay", conditions);
            let steps = (0..=times.unwrap_or(0))
                .map(|number| (*every * number, bounded(drawn.draw(&mut dice))))
                .collect();
            way(DelaySteps { steps, period: None }, None)
        }
    }
}

/// A distribution with a long tail does not make a packet wait for ever.
fn bounded(delay: Span) -> Span {
    delay.min(MAX_DELAY)
}

fn check_steps(steps: &[(Span, Span)], key: &KeyPath, report: &mut Report) {
    if steps.is_empty() {
        let help = "write for example `steps = [{ at = \"0 s\", delay = \"20 ms\" }]`";
        report.invalid(key, "there is no delay", help);
    }
    for (index, (_, delay)) in steps.iter().enumerate() {
        check_delay(*delay, &key.index(index).key("delay"), report);
    }
    check_order(steps.iter().map(|(at, _)| *at), key, report);
}

/// Reports a period that ends before its last step, or comes too often.
fn check_period(
    times: &[Span],
    period: Option<Span>,
    conditions: &Conditions<'_>,
    key: &KeyPath,
    report: &mut Report,
) {
    let (Some(period), Some(last)) = (period, times.last()) else { return };
    let key = key.key("period");
    let rounds = conditions.duration.as_ps().checked_div(period.as_ps()).unwrap_or(u64::MAX);
    if period <= *last {
        let what = format!("all begins again after {period}, before the last value at {last}");
        report.invalid(&key, what, "write a longer period");
    } else if rounds.saturating_mul(times.len() as u64) > MAX_STEPS as u64 {
        let what = format!("more than {MAX_STEPS} changes of the delay in a run");
        report.invalid(&key, what, "write a longer period");
    }
}

impl DelaySteps {
    /// The same delay at all times.
    pub(crate) fn fixed(delay: Span) -> Self {
        Self { steps: vec![(Span::ZERO, delay)], period: None }
    }

    /// The delay from the start.
    pub(crate) fn first(&self) -> Span {
        self.steps.first().map_or(Span::ZERO, |(_, delay)| *delay)
    }

    /// The longest delay: what sizes in "BDP" go by.
    pub(crate) fn longest(&self) -> Span {
        self.steps.iter().map(|(_, delay)| *delay).max().unwrap_or(Span::ZERO)
    }

    /// Whether it varies.
    pub(crate) fn varies(&self) -> bool {
        self.steps.len() > 1
    }

    /// What changes after the start and before `end`.
    pub(crate) fn changes(&self, end: Span) -> impl Iterator<Item = (Time, Span)> + '_ {
        let rounds = match self.period {
            Some(period) if self.varies() => end.as_ps() / period.as_ps().max(1) + 1,
            _ => 1,
        };
        let round = |number: u64| self.period.map_or(Span::ZERO, |period| period * number);
        let all = (0..rounds).flat_map(move |number| {
            self.steps.iter().map(move |(at, delay)| (Time::ZERO + round(number) + *at, *delay))
        });
        all.skip(1).take_while(move |(at, _)| *at < Time::ZERO + end)
    }
}

impl Side<'_> {
    /// The random stream of a property of this direction.
    pub(super) fn dice(self, what: &str, conditions: &Conditions<'_>) -> Stream {
        Stream::new(conditions.seed, &format!("link.{}.{}.{what}", self.link, self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_again_after_the_period() {
        let s = Span::from_secs;
        let steps = vec![(s(0), s(7)), (s(2), s(8))];
        let at = |period| {
            let steps = DelaySteps { steps: steps.clone(), period };
            let changes = steps.changes(s(9)).collect::<Vec<_>>();
            changes
                .into_iter()
                .map(|(at, delay)| (at.as_ms() / 1_000, delay.as_ms() / 1_000))
                .collect::<Vec<_>>()
        };
        assert_eq!(at(None), [(2, 8)]);
        assert_eq!(at(Some(s(4))), [(2, 8), (4, 7), (6, 8), (8, 7)]);
        assert_eq!(DelaySteps::fixed(s(1)).changes(s(9)).count(), 0);
    }
}
