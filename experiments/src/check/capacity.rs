//! How fast a link serves: a rate, steps, a trace, something drawn, and outages cut out of them.

use std::path::Path;

use mptcpsim_core::capacity::{Capacity as Model, DeliveryTrace, Steps};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Rate;

use super::Report;
use super::chance::{Cell, MAX_STEPS, walk};
use super::key::KeyPath;
use super::links::{Conditions, MAX_RATE, Side, check_order, check_rate, missing};
use super::series;
use super::source::read_beside;
use super::workloads::check_times;
use crate::scenario::{Capacity, Outage, RateStep, Times};

/// More opportunities of a cell than this take too much memory, as many seconds of the fastest one do.
const MAX_CELL_RATE: Rate = Rate::from_bps(2_000_000_000);
const MAX_ROUND: Span = Span::from_secs(600);
const MAX_CELL_BITS: u128 = 60_000_000_000;

/// The service of one direction of a link.
pub(super) struct Service {
    pub(super) capacity: Model,
    /// The rate that "BDP" goes by: the fixed one, the largest step, the mean of a trace.
    pub(super) nominal_rate: Rate,
    pub(super) described: Option<Capacity>,
    pub(super) outages: Option<Vec<Outage>>,
    /// The text of a trace or table.
    pub(super) file: Option<String>,
}

/// What serves the queue of a direction; something harmless if that is faulty.
pub(super) fn check(side: Side<'_>, conditions: &Conditions<'_>, report: &mut Report) -> Service {
    let mut service = capacity(side, conditions, report);
    if let Some((outages, key)) = side.get("outages", |way| way.outages.as_ref()) {
        check_outages(outages, &key, report);
        service.outages = Some(outages.clone());
        match service.described {
            Some(Capacity::Fixed(rate)) => {
                service.capacity = steps(&with_outages(&[(Time::ZERO, rate)], outages), None);
            }
            Some(Capacity::Steps { steps: ref list, period: None }) => {
                service.capacity = steps(&with_outages(&from_start(list), outages), None);
            }
            _ => {
                let what = "outages go with a fixed rate, or with steps that do not repeat";
                report.invalid(&key, what, "use `up = false` in the timeline, or leave them out");
            }
        }
    }
    service
}

fn capacity(side: Side<'_>, conditions: &Conditions<'_>, report: &mut Report) -> Service {
    let service = |capacity, nominal_rate, described: &Capacity| Service {
        capacity,
        nominal_rate,
        described: Some(described.clone()),
        outages: None,
        file: None,
    };
    let Some((described, key)) = side.get("rate", |way| way.rate.as_ref()) else {
        let rate = missing(side, "rate", "rate = \"30 Mbit/s\"", report);
        return service(Model::Fixed(rate), rate, &Capacity::Fixed(rate));
    };
    match described {
        Capacity::Fixed(rate) => {
            service(Model::Fixed(check_rate(*rate, &key, report)), *rate, described)
        }
        Capacity::Steps { steps: list, period } => {
            check_steps(list, *period, &key, report);
            let largest = list.iter().map(|step| step.rate).max().unwrap_or_default();
            service(steps(&from_start(list), *period), largest, described)
        }
        Capacity::Trace { trace } => {
            let (text, capacity) = read_trace(trace, conditions.folder, &key.key("trace"), report);
            let mean = capacity.mean_rate().unwrap_or_default();
            Service { file: Some(text), ..service(capacity, mean, described) }
        }
        Capacity::Series { series: name, period } => {
            let Some((text, list)) = read_series(name, *period, conditions, &key, report) else {
                return service(Model::Fixed(Rate::default()), Rate::default(), described);
            };
            let largest = list.iter().map(|step| step.rate).max().unwrap_or_default();
            let capacity = steps(&from_start(&list), *period);
            Service { file: Some(text), ..service(capacity, largest, described) }
        }
        Capacity::Among { among, holding } => {
            check_among(among, holding, conditions.duration, &key, report);
            let list =
                walk(among, holding, conditions.duration, &mut side.dice("rate", conditions));
            service(steps(&list, None), among.iter().copied().max().unwrap_or_default(), described)
        }
        Capacity::Cellular { cellular, volatility, outage, period } => {
            let mean = check_cell(*cellular, *period, &key, report);
            let cell = Cell {
                mean: mean.as_bps() as f64,
                volatility: volatility
                    .map_or(0.4 * mean.as_bps() as f64, |rate| rate.as_bps() as f64),
                outage: outage.as_secs_f64(),
                period_ms: period.min(&conditions.duration).as_ms().clamp(1, MAX_ROUND.as_ms()),
            };
            let granted = cell.opportunities(&mut side.dice("rate", conditions));
            // The last one is the length of the trace, which is above zero.
            let capacity = DeliveryTrace::new(&granted).map_or(Model::Fixed(mean), Model::Trace);
            service(capacity, mean, described)
        }
    }
}

/// The steps as the engine wants them: the first one holds from the start.
fn from_start(list: &[RateStep]) -> Vec<(Time, Rate)> {
    let times = list.iter().enumerate();
    times
        .map(|(index, step)| {
            let at = if index == 0 { Time::ZERO } else { Time::ZERO + step.at };
            (at, step.rate)
        })
        .collect()
}

/// Faulty steps have been reported, so it does not matter what stands for them.
fn steps(list: &[(Time, Rate)], period: Option<Span>) -> Model {
    Steps::new(list, period).map_or(Model::Fixed(Rate::default()), Model::Steps)
}

/// The same rates with rate zero while there is an outage.
fn with_outages(rates: &[(Time, Rate)], outages: &[Outage]) -> Vec<(Time, Rate)> {
    let rate_at = |at: Time| {
        let before = rates.iter().take_while(|(from, _)| *from <= at);
        before.last().map_or(Rate::default(), |(_, rate)| *rate)
    };
    let out = |at: Time| {
        outages
            .iter()
            .any(|outage| (Time::ZERO + outage.from..Time::ZERO + outage.to).contains(&at))
    };
    let edges = outages.iter().flat_map(|outage| [outage.from, outage.to]);
    let mut times = rates.iter().map(|(at, _)| *at).collect::<Vec<_>>();
    times.extend(edges.map(|edge| Time::ZERO + edge));
    times.sort_unstable();
    times.dedup();
    times.into_iter().map(|at| (at, if out(at) { Rate::default() } else { rate_at(at) })).collect()
}

fn check_outages(outages: &[Outage], key: &KeyPath, report: &mut Report) {
    let mut end = None;
    for (index, outage) in outages.iter().enumerate() {
        let key = key.index(index);
        if outage.to <= outage.from {
            let what = format!("the outage ends at {} and begins at {}", outage.to, outage.from);
            report.invalid(&key, what, "write a later end");
        } else if end.is_some_and(|end| outage.from < end) {
            let what = "the outage begins before the one before it has ended";
            report.invalid(&key, what, "write outages in order of time");
        }
        end = Some(outage.to);
    }
}

fn check_steps(steps: &[RateStep], period: Option<Span>, key: &KeyPath, report: &mut Report) {
    let list = key.key("steps");
    let help = "write for example `steps = [{ at = \"0 s\", rate = \"10 Mbit/s\" }]`";
    if steps.iter().all(|step| step.rate.as_bps() == 0) {
        report.invalid(&list, "the link carries nothing at any time", help);
    }
    check_order(steps.iter().map(|step| step.at), &list, report);
    for (index, step) in steps.iter().enumerate().filter(|(_, step)| step.rate > MAX_RATE) {
        check_rate(step.rate, &list.index(index).key("rate"), report);
    }
    if let (Some(period), Some(last)) = (period, steps.last())
        && period <= last.at
    {
        let what =
            format!("the steps begin again after {period}, before the last one at {}", last.at);
        report.invalid(&key.key("period"), what, "write a longer period");
    }
}

fn read_series(
    name: &str,
    period: Option<Span>,
    conditions: &Conditions<'_>,
    key: &KeyPath,
    report: &mut Report,
) -> Option<(String, Vec<RateStep>)> {
    let fits = |bps: f64| (0.0..=MAX_RATE.as_bps() as f64).contains(&bps);
    let value = |bps: f64| fits(bps).then(|| Rate::from_bps(bps.round() as u64));
    let place = key.key("series");
    let read = series::read(
        name,
        ("rate_bps", series::Times::Rise),
        conditions.folder,
        &place,
        value,
        report,
    )?;
    let list = read.values.iter().map(|&(at, rate)| RateStep { at, rate }).collect::<Vec<_>>();
    check_steps(&list, period, key, report);
    Some((read.text, list))
}

fn check_among(
    among: &[Rate],
    holding: &Times,
    duration: Span,
    key: &KeyPath,
    report: &mut Report,
) {
    let list = key.key("among");
    if !among.is_sorted() || among.is_empty() {
        report.invalid(&list, "rates that are not in order", "write the slowest one first");
    }
    for (index, rate) in among.iter().enumerate() {
        check_rate(*rate, &list.index(index), report);
    }
    let key = key.key("holding");
    check_times(holding, &key, report);
    if holding.typical().as_ps().saturating_mul(MAX_STEPS as u64) < duration.as_ps() {
        report.invalid(&key, "the rate changes too often", "write a longer time");
    }
}

/// The mean rate of a cell; small enough for its opportunities to be drawn.
fn check_cell(mean: Rate, period: Span, key: &KeyPath, report: &mut Report) -> Rate {
    let mean_key = key.key("cellular");
    let bits = u128::from(mean.as_bps()) * u128::from(period.as_ms()) / 1_000;
    if mean > MAX_CELL_RATE {
        let help = format!("write at most {MAX_CELL_RATE}");
        report.invalid(&mean_key, format!("a cell with a rate of {mean}"), help);
    } else if period < Span::from_ms(100) || period > MAX_ROUND || bits > MAX_CELL_BITS {
        let help = "write from `100 ms` to `600 s`, and a shorter time for a faster link";
        report.invalid(&key.key("period"), format!("a period of {period}"), help);
    } else {
        return check_rate(mean, &mean_key, report);
    }
    Rate::from_bps(1_000_000)
}

/// A Mahimahi trace beside the scenario; one full packet a millisecond if it is faulty.
fn read_trace(
    name: &str,
    folder: Option<&Path>,
    key: &KeyPath,
    report: &mut Report,
) -> (String, Model) {
    let trace = read_beside(folder, name).and_then(|text| match DeliveryTrace::parse(&text) {
        Ok(trace) => Ok((text, Model::Trace(trace))),
        Err(error) => Err(error.to_string()),
    });
    trace.unwrap_or_else(|why| {
        let help = "name a Mahimahi trace beside the scenario, one time in milliseconds per line";
        report.invalid(key, format!("cannot use the trace `{name}`: {why}"), help);
        (String::new(), Model::Fixed(Rate::from_bps(12_000_000)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_are_cut_out_of_rates() {
        let at = |ms| Time::ZERO + Span::from_ms(ms);
        let (slow, fast, none) = (Rate::from_bps(1_000), Rate::from_bps(2_000), Rate::default());
        let outages = [
            Outage { from: Span::from_ms(5), to: Span::from_ms(15) },
            Outage { from: Span::from_ms(15), to: Span::from_ms(20) },
        ];
        assert_eq!(
            with_outages(&[(Time::ZERO, slow), (at(10), fast)], &outages),
            [(at(0), slow), (at(5), none), (at(10), none), (at(15), none), (at(20), fast)]
        );
    }
}
