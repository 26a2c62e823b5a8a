//! What the figures show: rows of results become lines with a name.

use std::collections::BTreeMap;

use crate::results::{QueueRow, TimeseriesRow};

/// More lines than a reader can tell apart.
const MOST_LINES: usize = 7;
/// More points than a line has pixels.
const MOST_POINTS: usize = 2_000;

/// A diagram over time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    /// The name of the file, without its ending.
    pub(super) file: &'static str,
    pub(super) title: String,
    /// The vertical axis, with its unit.
    pub(super) axis: String,
    pub(super) lines: Vec<Line>,
}

/// A line of a figure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) name: String,
    /// Which colour and dash; lines about the same thing have the same.
    pub(super) style: usize,
    /// Drawn thin, as a companion of the line before it.
    pub(super) minor: bool,
    /// Points in order of time, in pieces without a gap.
    pub(super) pieces: Vec<Vec<(f64, f64)>>,
}

type Points = Vec<(f64, Option<f64>)>;

/// All figures that the tables have rows for.
pub(super) fn all(name: &str, samples: &[TimeseriesRow], queues: &[QueueRow]) -> Vec<Figure> {
    let largest = largest_flow(samples);
    let of_flow = |row: &&TimeseriesRow| {
        largest.is_some_and(|(flow, sender)| row.flow == flow && row.sender == sender)
    };
    let flow = samples.iter().filter(of_flow).collect::<Vec<_>>();
    let flow_name = largest.map_or("", |(flow, _)| flow);
    let figures = [
        goodput(name, samples),
        share(name, samples),
        window(&format!("{name}, {flow_name}"), &flow),
        round_trip(&format!("{name}, {flow_name}"), &flow),
        queue(name, queues),
    ];
    figures.into_iter().flatten().filter(|figure| !figure.lines.is_empty()).collect()
}

/// The flow, and its sender, that delivers the most.
fn largest_flow(samples: &[TimeseriesRow]) -> Option<(&str, &str)> {
    let mut delivered = BTreeMap::new();
    for row in samples {
        *delivered.entry((row.flow.as_str(), row.sender.as_str())).or_insert(0.0) += row.rate_bps;
    }
    // Of equals the first: `max_by` alone would take the last.
    delivered.into_iter().rev().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(flow, _)| flow)
}

/// The rate of each path at each moment, over all flows; paths in the order in which they come into use,
/// so that they look as their subflows do in the other figures.
fn rates(samples: &[TimeseriesRow]) -> (Vec<f64>, Vec<(&str, Vec<f64>)>) {
    let mut times = samples.iter().map(|row| row.time_s).collect::<Vec<_>>();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let mut paths: Vec<(&str, Vec<f64>)> = Vec::new();
    let mut numbers = BTreeMap::new();
    for row in samples {
        let number = *numbers.entry(row.path.as_str()).or_insert_with(|| {
            paths.push((&row.path, vec![0.0; times.len()]));
            paths.len() - 1
        });
        let at = times.partition_point(|time| *time < row.time_s);
        if let Some(rate) = paths.get_mut(number).and_then(|(_, rates)| rates.get_mut(at)) {
            *rate += row.rate_bps;
        }
    }
    (times, paths)
}

fn total(times: &[f64], paths: &[(&str, Vec<f64>)]) -> Vec<f64> {
    let at = |moment| paths.iter().filter_map(|(_, rates)| rates.get(moment)).sum();
    (0..times.len()).map(at).collect()
}

fn goodput(name: &str, samples: &[TimeseriesRow]) -> Option<Figure> {
    let (times, paths) = rates(samples);
    let total = total(&times, &paths);
    let (unit, size) = unit_of(total.iter().copied().fold(0.0, f64::max));
    let points = |rates: &[f64]| -> Points {
        times.iter().zip(rates).map(|(time, rate)| (*time, Some(rate / size))).collect()
    };
    let mut lines = Vec::new();
    for (index, (path, rates)) in paths.iter().enumerate().take(MOST_LINES) {
        lines.push(line(path, index, points(rates)));
    }
    if paths.len() > 1 {
        lines.push(line("total", MOST_LINES, points(&total)));
    }
    Some(Figure {
        file: "goodput",
        title: format!("{name}: goodput"),
        axis: format!("goodput ({unit})"),
        lines,
    })
}

fn share(name: &str, samples: &[TimeseriesRow]) -> Option<Figure> {
    let (times, paths) = rates(samples);
    if paths.len() < 2 {
        return None;
    }
    let total = total(&times, &paths);
    let points = |rates: &[f64]| -> Points {
        let part = |(rate, total): (&f64, &f64)| (*total > 0.0).then(|| 100.0 * rate / total);
        times.iter().copied().zip(rates.iter().zip(&total).map(part)).collect()
    };
    let lines = paths.iter().enumerate().take(MOST_LINES);
    let lines = lines.map(|(index, (path, rates))| line(path, index, points(rates))).collect();
    Some(Figure {
        file: "share",
        title: format!("{name}: share of the paths"),
        axis: "share (%)".into(),
        lines,
    })
}

/// The rows of each subflow, by number.
fn by_subflow<'a>(rows: &[&'a TimeseriesRow]) -> Vec<(String, Vec<&'a TimeseriesRow>)> {
    let mut subflows: BTreeMap<u32, Vec<&TimeseriesRow>> = BTreeMap::new();
    for row in rows {
        subflows.entry(row.subflow).or_default().push(row);
    }
    let named = subflows.into_iter().take(MOST_LINES).map(|(number, rows)| {
        let path = rows.first().map_or("", |row| &row.path);
        (format!("subflow {number}, {path}"), rows)
    });
    named.collect()
}

fn window(name: &str, rows: &[&TimeseriesRow]) -> Option<Figure> {
    let mut lines = Vec::new();
    for (index, (subflow, rows)) in by_subflow(rows).into_iter().enumerate() {
        let cwnd = rows.iter().map(|row| (row.time_s, Some(row.cwnd_packets as f64)));
        lines.push(line(&subflow, index, cwnd.collect()));
        let ssthresh =
            rows.iter().map(|row| (row.time_s, row.ssthresh_packets.map(|packets| packets as f64)));
        let ssthresh = line(&format!("{subflow}, ssthresh"), index, ssthresh.collect());
        if !ssthresh.pieces.is_empty() {
            lines.push(Line { minor: true, ..ssthresh });
        }
    }
    Some(Figure {
        file: "cwnd",
        title: format!("{name}: congestion window"),
        axis: "window (packets)".into(),
        lines,
    })
}

fn round_trip(name: &str, rows: &[&TimeseriesRow]) -> Option<Figure> {
    let subflows = by_subflow(rows).into_iter().enumerate();
    let lines = subflows.map(|(index, (subflow, rows))| {
        line(&subflow, index, rows.iter().map(|row| (row.time_s, row.srtt_ms)).collect())
    });
    Some(Figure {
        file: "srtt",
        title: format!("{name}: smoothed round-trip time"),
        axis: "round-trip time (ms)".into(),
        lines: lines.collect(),
    })
}

fn queue(name: &str, rows: &[QueueRow]) -> Option<Figure> {
    let mut queues: BTreeMap<(&str, &str), Points> = BTreeMap::new();
    for row in rows {
        let points = queues.entry((&row.link, &row.direction)).or_default();
        points.push((row.time_s, Some(row.backlog_packets as f64)));
    }
    let fullest =
        |points: &Points| points.iter().filter_map(|(_, packets)| *packets).fold(0.0, f64::max);
    let mut queues = queues.into_iter().collect::<Vec<_>>();
    queues.sort_by(|a, b| fullest(&b.1).total_cmp(&fullest(&a.1)));
    // A queue that never holds more than the packet in service says nothing.
    let queues = queues.into_iter().filter(|(_, points)| fullest(points) > 1.0).take(MOST_LINES);
    let lines = queues.enumerate().map(|(index, ((link, direction), points))| {
        line(&format!("{link}, {direction}"), index, points)
    });
    Some(Figure {
        file: "queue",
        title: format!("{name}: queues"),
        axis: "backlog (packets)".into(),
        lines: lines.collect(),
    })
}

/// The unit that shows a rate with few digits, and its size in bit/s.
fn unit_of(largest: f64) -> (&'static str, f64) {
    match largest {
        rate if rate >= 1e9 => ("Gbit/s", 1e9),
        rate if rate >= 1e6 => ("Mbit/s", 1e6),
        _ => ("kbit/s", 1e3),
    }
}

fn line(name: &str, style: usize, points: Points) -> Line {
    let mut pieces = vec![Vec::new()];
    for (time, value) in thinned(points) {
        match (value, pieces.last_mut()) {
            (Some(value), Some(piece)) => piece.push((time, value)),
            (None, Some(piece)) if !piece.is_empty() => pieces.push(Vec::new()),
            _ => {}
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    Line { name: name.to_owned(), style, minor: false, pieces }
}

/// Every so-many-th point, so that a long run still fits into a picture.
fn thinned(points: Points) -> impl Iterator<Item = (f64, Option<f64>)> {
    let step = points.len().div_ceil(MOST_POINTS).max(1);
    points.into_iter().step_by(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(time_s: f64, subflow: u32, path: &str, rate_bps: f64) -> TimeseriesRow {
        TimeseriesRow {
            time_s,
            subflow,
            path: path.into(),
            rate_bps,
            cwnd_packets: 10,
            ..TimeseriesRow::default()
        }
    }

    #[test]
    fn rates_of_a_path_add_up_over_flows() {
        let rows = [
            sample(0.1, 0, "a", 1e6),
            sample(0.1, 0, "a", 2e6),
            sample(0.1, 1, "b", 1e6),
            sample(0.2, 1, "b", 0.0),
        ];
        let figures = all("x", &rows, &[]);
        let of = |file: &str| figures.iter().find(|figure| figure.file == file).unwrap();
        let goodput = of("goodput");
        assert_eq!(goodput.axis, "goodput (Mbit/s)");
        assert_eq!(goodput.lines[0].pieces, [vec![(0.1, 3.0), (0.2, 0.0)]]);
        assert_eq!(goodput.lines[2].pieces, [vec![(0.1, 4.0), (0.2, 0.0)]], "the total");
        // Where nothing is delivered there is no share.
        assert_eq!(of("share").lines[0].pieces, [vec![(0.1, 75.0)]]);
        assert_eq!(of("cwnd").lines.len(), 2, "no line for a threshold that does not exist");
        assert!(figures.iter().all(|figure| figure.file != "queue"));
    }

    #[test]
    fn a_gap_splits_a_line() {
        let points = vec![(0.0, Some(1.0)), (1.0, None), (2.0, None), (3.0, Some(2.0))];
        assert_eq!(line("", 0, points).pieces, [vec![(0.0, 1.0)], vec![(3.0, 2.0)]]);
    }

    #[test]
    fn long_runs_are_thinned() {
        let points = (0..1_000_000).map(|at| (f64::from(at), Some(1.0))).collect();
        assert!(line("", 0, points).pieces[0].len() <= MOST_POINTS);
    }
}
