//! What the plots over time show, as data for the page: few enough numbers that it stays small.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::results::{QueueRow, Tables, TimeseriesRow};

/// More flows than somebody looks at one by one; the largest are shown.
const MOST_FLOWS: usize = 16;
/// More queues than a reader can tell apart; the fullest are shown.
const MOST_QUEUES: usize = 12;
/// More moments than a plot has pixels.
const MOST_MOMENTS: usize = 2_000;
/// Numbers of all series together: some megabytes.
const MOST_NUMBERS: usize = 400_000;

/// A quantity of a subflow: its key, title and unit, and how a row tells it.
type Metric = (&'static str, &'static str, &'static str, fn(&TimeseriesRow) -> Option<f64>);

const METRICS: [Metric; 8] = [
    ("rate", "goodput", "Mbit/s", |row| Some(row.rate_bps / 1e6)),
    ("cwnd", "congestion window", "packets", |row| Some(row.cwnd_packets as f64)),
    ("ssthresh", "slow-start threshold", "packets", |row| {
        row.ssthresh_packets.map(|packets| packets as f64)
    }),
    ("srtt", "smoothed round-trip time", "ms", |row| row.srtt_ms),
    ("inflight", "in flight", "kB", |row| Some(row.inflight_bytes as f64 / 1e3)),
    ("rwnd", "receive window", "kB", |row| Some(row.rwnd_bytes as f64 / 1e3)),
    ("waiting", "out-of-order queue of the connection", "kB", |row| {
        row.out_of_order_bytes.map(|bytes| bytes as f64 / 1e3)
    }),
    ("delivered", "acknowledged since the start", "MB", |row| {
        Some(row.delivered_bytes as f64 / 1e6)
    }),
];

/// All plots over time.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Series {
    /// Key, title and unit of each quantity of subflows.
    metrics: Vec<(&'static str, &'static str, &'static str)>,
    flows: Vec<Lines>,
    queues: Lines,
    /// Every so-many-th sample is shown.
    #[serde(skip)]
    pub(super) step: usize,
    /// Flows that are not shown.
    #[serde(skip)]
    pub(super) left_out: usize,
}

/// Lines over the same moments.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Lines {
    name: String,
    time: Vec<f64>,
    lines: Vec<Line>,
}

/// What is known of a subflow, or of a direction of a link, at each moment.
#[derive(Debug, PartialEq, Serialize)]
struct Line {
    name: String,
    values: BTreeMap<&'static str, Vec<Option<f64>>>,
}

/// The series of a run.
pub(super) fn series(tables: &Tables) -> Series {
    let mut flows = BTreeMap::<&str, Vec<&TimeseriesRow>>::new();
    for row in &tables.timeseries {
        flows.entry(&row.flow).or_default().push(row);
    }
    let delivered = |rows: &[&TimeseriesRow]| rows.iter().map(|row| row.rate_bps).sum::<f64>();
    let mut flows = flows.into_iter().collect::<Vec<_>>();
    flows.sort_by(|a, b| delivered(&b.1).total_cmp(&delivered(&a.1)));
    let left_out = flows.len().saturating_sub(MOST_FLOWS);
    flows.truncate(MOST_FLOWS);
    let numbers = METRICS.len() * flows.iter().map(|(_, rows)| rows.len()).sum::<usize>();
    let moments = flows.iter().map(|(_, rows)| times(rows.iter().map(|row| row.time_s)).len());
    let moments = moments.max().unwrap_or(0);
    let step = numbers.div_ceil(MOST_NUMBERS).max(moments.div_ceil(MOST_MOMENTS)).max(1);
    Series {
        metrics: METRICS.map(|(key, title, unit, _)| (key, title, unit)).to_vec(),
        flows: flows.into_iter().map(|(name, rows)| flow(name, &rows, step)).collect(),
        queues: queues(&tables.queues, step),
        step,
        left_out,
    }
}

fn flow(name: &str, rows: &[&TimeseriesRow], step: usize) -> Lines {
    let times = thinned(times(rows.iter().map(|row| row.time_s)), step);
    let mut subflows = BTreeMap::<(u32, &str), Vec<&TimeseriesRow>>::new();
    for row in rows {
        subflows.entry((row.subflow, &row.sender)).or_default().push(row);
    }
    let lines = subflows.into_iter().map(|((number, sender), rows)| {
        let path = rows.first().map_or("", |row| &row.path);
        let column = |value: fn(&TimeseriesRow) -> Option<f64>| {
            column(&times, rows.iter().map(|row| (row.time_s, value(row))))
        };
        let values = METRICS.iter().map(|(key, .., value)| (*key, column(*value)));
        Line { name: format!("{number}, {path} ({sender})"), values: values.collect() }
    });
    Lines { name: name.to_owned(), lines: lines.collect(), time: times }
}

fn queues(rows: &[QueueRow], step: usize) -> Lines {
    let mut directions = BTreeMap::<(&str, &str), Vec<&QueueRow>>::new();
    for row in rows {
        directions.entry((&row.link, &row.direction)).or_default().push(row);
    }
    let fullest = |rows: &[&QueueRow]| rows.iter().map(|row| row.backlog_packets).max();
    let mut directions = directions.into_iter().collect::<Vec<_>>();
    directions.sort_by_key(|(_, rows)| std::cmp::Reverse(fullest(rows)));
    // A queue that never holds more than the packet in service says nothing.
    directions.retain(|(_, rows)| fullest(rows) > Some(1));
    directions.truncate(MOST_QUEUES);
    let all = directions.iter().flat_map(|(_, rows)| rows.iter().map(|row| row.time_s));
    let times = thinned(times(all), step);
    let lines = directions.into_iter().map(|((link, direction), rows)| {
        let backlog = rows.iter().map(|row| (row.time_s, Some(row.backlog_packets as f64)));
        let delay = rows.iter().map(|row| (row.time_s, row.delay_ms));
        let values = [("backlog", column(&times, backlog)), ("delay", column(&times, delay))];
        Line { name: format!("{link}, {direction}"), values: values.into() }
    });
    Lines { name: String::new(), lines: lines.collect(), time: times }
}

/// All moments of samples, in order.
fn times(times: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut times = times.collect::<Vec<_>>();
    times.sort_by(f64::total_cmp);
    times.dedup();
    times
}

fn thinned(times: Vec<f64>, step: usize) -> Vec<f64> {
    times.into_iter().step_by(step).collect()
}

/// The value at each of `times`, none where there is no sample.
fn column(times: &[f64], samples: impl Iterator<Item = (f64, Option<f64>)>) -> Vec<Option<f64>> {
    let mut values = vec![None; times.len()];
    for (time, value) in samples {
        if let Ok(at) = times.binary_search_by(|known| known.total_cmp(&time)) {
            values[at] = value.map(rounded);
        }
    }
    values
}

/// Five digits are more than a plot shows, and half as long as seventeen.
fn rounded(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(flow: &str, rate_bps: f64, count: u32) -> impl Iterator<Item = TimeseriesRow> + '_ {
        (0..count).map(move |tick| TimeseriesRow {
            time_s: f64::from(tick) / 10.0,
            flow: flow.into(),
            sender: "server".into(),
            path: "wifi".into(),
            rate_bps: rate_bps + f64::from(tick) / 3.0,
            ..TimeseriesRow::default()
        })
    }

    #[test]
    fn long_runs_stay_small() {
        let timeseries = (0..30).flat_map(|flow| {
            let name = format!("flow {flow:02}");
            rows(&name, f64::from(flow) * 1e6, 20_000).collect::<Vec<_>>()
        });
        let tables = Tables { timeseries: timeseries.collect(), ..Tables::default() };
        let series = series(&tables);
        assert_eq!((series.flows.len(), series.left_out), (MOST_FLOWS, 14));
        assert_eq!(series.flows[0].name, "flow 29", "the largest first");
        assert!(series.step > 1);
        let size = serde_json::to_string(&series).unwrap().len();
        assert!((500_000..5_000_000).contains(&size), "{size}");
    }

    #[test]
    fn what_is_not_known_is_left_open() {
        let mut timeseries = rows("a", 1e6, 3).collect::<Vec<_>>();
        timeseries.extend(rows("a", 2e6, 5).map(|row| TimeseriesRow { subflow: 1, ..row }));
        let series = series(&Tables { timeseries, ..Tables::default() });
        let lines = &series.flows[0];
        assert_eq!((lines.time.len(), lines.lines[0].name.as_str()), (5, "0, wifi (server)"));
        assert_eq!(lines.lines[0].values["rate"][2..], [Some(1.0), None, None]);
        assert_eq!(lines.lines[0].values["srtt"], vec![None; 5]);
        assert_eq!(series.queues.lines, []);
    }
}
