//! What the figures show: rows of results become lines with a name.

use std::collections::BTreeMap;

use crate::metrics::nearest_rank;
use crate::results::{QueueRow, RequestRow, SequenceRow, SummaryRow, Tables, TimeseriesRow};

/// More lines than a reader can tell apart.
const MOST_LINES: usize = 7;
/// More points than a line has pixels.
const MOST_POINTS: usize = 2_000;
/// More dots than a picture needs.
const MOST_DOTS: usize = 10_000;
/// Fewer values make no distribution.
const FEWEST: usize = 10;
/// Steps of a distribution.
const STEPS: u32 = 500;

/// A diagram of lines.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    /// The name of the file, without its ending.
    pub(super) file: String,
    pub(super) title: String,
    /// The horizontal axis, with its unit.
    pub(super) x_axis: String,
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
    /// Points in order, in pieces without a gap.
    pub(super) pieces: Vec<Vec<(f64, f64)>>,
    /// Where something is known to lie: a place, and both ends.
    pub(super) intervals: Vec<(f64, f64, f64)>,
    /// Points are dots and not joined.
    pub(super) dots: bool,
}

impl Line {
    pub(super) fn new(name: &str, style: usize, pieces: Vec<Vec<(f64, f64)>>) -> Self {
        let intervals = Vec::new();
        Self { name: name.to_owned(), style, minor: false, pieces, intervals, dots: false }
    }
}

/// What happens over time; none without lines.
fn over_time(file: &str, title: String, axis: &str, lines: Vec<Line>) -> Option<Figure> {
    let (x_axis, axis) = ("time (s)".to_owned(), axis.to_owned());
    let figure = Figure { file: file.to_owned(), title, x_axis, axis, lines };
    (!figure.lines.is_empty()).then_some(figure)
}

type Points = Vec<(f64, Option<f64>)>;

/// All figures that the tables have rows for.
pub(super) fn all(name: &str, tables: &Tables) -> Vec<Figure> {
    let samples = &tables.timeseries;
    let largest = largest_flow(samples);
    let of_flow = |row: &&TimeseriesRow| {
        largest.is_some_and(|(flow, sender)| row.flow == flow && row.sender == sender)
    };
    let flow = samples.iter().filter(of_flow).collect::<Vec<_>>();
    let flow_name = format!("{name}, {}", largest.map_or("", |(flow, _)| flow));
    let mapped = tables.sequence.iter().filter(|row| {
        largest.is_none_or(|(flow, sender)| row.flow == flow && row.sender == sender)
    });
    let figures = [
        goodput(name, samples),
        share(name, samples),
        window(&flow_name, &flow),
        round_trip(&flow_name, &flow),
        receive_window(&flow_name, &flow),
        out_of_order(&flow_name, &flow),
        sequence(&flow_name, &mapped.collect::<Vec<_>>()),
        queue(name, &tables.queues),
        completions(name, &tables.summary),
        requests(name, &tables.requests),
    ];
    figures.into_iter().flatten().collect()
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
    over_time("goodput", format!("{name}: goodput"), &format!("goodput ({unit})"), lines)
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
    over_time("share", format!("{name}: share of the paths"), "share (%)", lines)
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
    over_time("cwnd", format!("{name}: congestion window"), "window (packets)", lines)
}

fn round_trip(name: &str, rows: &[&TimeseriesRow]) -> Option<Figure> {
    let subflows = by_subflow(rows).into_iter().enumerate();
    let lines = subflows.map(|(index, (subflow, rows))| {
        line(&subflow, index, rows.iter().map(|row| (row.time_s, row.srtt_ms)).collect())
    });
    let title = format!("{name}: smoothed round-trip time");
    over_time("srtt", title, "round-trip time (ms)", lines.collect())
}

fn receive_window(name: &str, rows: &[&TimeseriesRow]) -> Option<Figure> {
    let subflows = by_subflow(rows).into_iter().enumerate();
    let lines = subflows.map(|(index, (subflow, rows))| {
        let window = |row: &&TimeseriesRow| (row.time_s, Some(row.rwnd_bytes as f64 / 1e3));
        line(&subflow, index, rows.iter().map(window).collect())
    });
    over_time("rwnd", format!("{name}: receive window"), "window (kB)", lines.collect())
}

/// What waits at the receiver for earlier data: the same for all subflows of a connection.
fn out_of_order(name: &str, rows: &[&TimeseriesRow]) -> Option<Figure> {
    let mut points: Points = Vec::new();
    for row in rows {
        if points.last().is_none_or(|(time, _)| *time < row.time_s) {
            points.push((row.time_s, row.out_of_order_bytes.map(|bytes| bytes as f64 / 1e3)));
        }
    }
    if points.iter().all(|(_, kilobytes)| kilobytes.is_none_or(|waits| waits == 0.0)) {
        return None;
    }
    let lines = vec![line("connection", 0, points)];
    over_time("out-of-order", format!("{name}: out-of-order queue"), "waiting (kB)", lines)
}

/// Which data went over which subflow when, as tcptrace and mptcptrace draw it; what was sent again in larger dots.
fn sequence(name: &str, rows: &[&SequenceRow]) -> Option<Figure> {
    let step = rows.len().div_ceil(MOST_DOTS).max(1);
    let mut dots = BTreeMap::<(u32, bool), (&str, Vec<(f64, f64)>)>::new();
    // What was sent again is rare and the interesting part: all of it is shown.
    let shown = rows.iter().enumerate().filter(|(at, row)| row.again || at.is_multiple_of(step));
    for (_, row) in shown {
        let entry = dots.entry((row.subflow, row.again)).or_insert((&row.path, Vec::new()));
        entry.1.push((row.time_s, row.dsn as f64 / 1e6));
    }
    let lines = dots.into_iter().take(MOST_LINES).map(|((subflow, again), (path, points))| {
        let kind = if again { ", again" } else { "" };
        let name = format!("subflow {subflow}, {path}{kind}");
        Line { dots: true, minor: again, ..Line::new(&name, subflow as usize, vec![points]) }
    });
    let title = format!("{name}: data sent");
    over_time("sequence", title, "data sequence number (MB)", lines.collect())
}

fn completions(name: &str, rows: &[SummaryRow]) -> Option<Figure> {
    let times = rows.iter().filter_map(|row| row.completion_s).collect();
    let title = format!("{name}: completion time of flows");
    distribution("completion-cdf", &title, "completion time (s)", vec![("flows".into(), times)])
}

fn requests(name: &str, rows: &[RequestRow]) -> Option<Figure> {
    let mut flows = BTreeMap::<&str, Vec<f64>>::new();
    for row in rows {
        flows.entry(unnumbered(&row.flow)).or_default().extend(row.duration_s);
    }
    let title = format!("{name}: time of requests");
    let flows = flows.into_iter().map(|(flow, times)| (flow.to_owned(), times));
    distribution("request-cdf", &title, "from request to answer (s)", flows.collect())
}

/// The name of a flow without the number that repetitions have.
pub(super) fn unnumbered(flow: &str) -> &str {
    let without = flow.trim_end_matches(|end: char| end.is_ascii_digit());
    let repeated = without.strip_suffix('-').filter(|_| without.len() < flow.len());
    repeated.unwrap_or(flow)
}

/// Which part of the values does not exceed how much: a line for each name; none with few values.
pub(super) fn distribution(
    file: &str,
    title: &str,
    x_axis: &str,
    values: Vec<(String, Vec<f64>)>,
) -> Option<Figure> {
    let values = values.into_iter().filter(|(_, values)| values.len() >= FEWEST);
    let lines = values.take(MOST_LINES).enumerate().map(|(style, (name, values))| {
        let steps = STEPS.min(u32::try_from(values.len()).unwrap_or(STEPS));
        let mut sorted = values;
        sorted.sort_by(f64::total_cmp);
        let points = (0..=steps).filter_map(|step| {
            let percent = 100.0 * f64::from(step) / f64::from(steps);
            Some((nearest_rank(&sorted, percent)?, percent))
        });
        Line::new(&format!("{name}, n = {}", sorted.len()), style, vec![points.collect()])
    });
    let lines = lines.collect::<Vec<_>>();
    let (file, title, x_axis) = (file.to_owned(), title.to_owned(), x_axis.to_owned());
    let axis = "part not above (%)".to_owned();
    (!lines.is_empty()).then_some(Figure { file, title, x_axis, axis, lines })
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
    over_time("queue", format!("{name}: queues"), "backlog (packets)", lines.collect())
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
    Line::new(name, style, pieces)
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
        let tables = Tables { timeseries: rows.into(), ..Tables::default() };
        let figures = all("x", &tables);
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
    fn what_is_sent_again_stands_out() {
        let row = |time_s: f64, subflow, dsn, again| SequenceRow {
            time_s,
            subflow,
            dsn,
            again,
            bytes: 1_000_000,
            ..SequenceRow::default()
        };
        let sequence =
            vec![row(0.1, 0, 0, false), row(0.2, 1, 1_000_000, false), row(0.3, 1, 0, true)];
        let figures = all("x", &Tables { sequence, ..Tables::default() });
        let [figure] = figures.as_slice() else { panic!("{figures:?}") };
        let names = figure.lines.iter().map(|line| (line.name.as_str(), line.minor, line.dots));
        let expected = [
            ("subflow 0, ", false, true),
            ("subflow 1, ", false, true),
            ("subflow 1, , again", true, true),
        ];
        assert_eq!(names.collect::<Vec<_>>(), expected);
        assert_eq!(figure.lines[2].pieces, [vec![(0.3, 0.0)]]);
    }

    #[test]
    fn distributions_reach_from_the_smallest_to_the_largest() {
        let values = (1..=40).map(f64::from).collect::<Vec<_>>();
        let figure = distribution("x", "", "", vec![("a".into(), values), ("b".into(), vec![1.0])]);
        let lines = figure.unwrap().lines;
        assert_eq!((lines.len(), lines[0].name.as_str()), (1, "a, n = 40"));
        let points = &lines[0].pieces[0];
        assert_eq!((points[0], points[20], points[40]), ((1.0, 0.0), (20.0, 50.0), (40.0, 100.0)));
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
