//! The pictures of a sweep, chosen from what was varied.
//!
//! One quantity (rates, delays, sizes, probabilities, numbers) with three values or more: lines over it, with
//! intervals. Two of them: a heat map. Anything else: bars. Beside these boxes where there are seeds enough, and
//! distributions where a run has many flows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mptcpsim_core::time::Span;
use mptcpsim_core::units::{Bytes, Probability, Rate};

use super::bars::{self, Bars};
use super::figures::{Figure, Line, distribution};
use super::heat::HeatMap;
use super::{Any, PlotError};
use crate::results::WriteError;
use crate::sweep::{ALL_FLOWS, SummaryLine, SweepManifest, read_summary};

/// More lines than a reader can tell apart.
const MOST_LINES: usize = 7;
/// Fewer values are no axis.
const FEWEST_VALUES: usize = 3;
/// Fewer seeds make no box.
const FEWEST_SEEDS: u64 = 5;
/// Fewer flows make no distribution.
const FEWEST_FLOWS: usize = 10;
/// More heat maps than anybody compares.
const MOST_MAPS: usize = 6;

/// Characters of a value that a name has room for.
const LONGEST_NAME: usize = 28;

/// A metric that is drawn if the summary has it.
#[derive(Clone, Copy)]
pub(super) struct Metric {
    /// Its column.
    pub(super) column: &'static str,
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    /// What it is divided by.
    pub(super) size: f64,
}

const fn metric(
    column: &'static str,
    title: &'static str,
    unit: &'static str,
    size: f64,
) -> Metric {
    Metric { column, title, unit, size }
}

/// What is drawn of flows.
pub(super) const METRICS: [Metric; 6] = [
    metric("goodput_bps", "goodput", "Mbit/s", 1e6),
    metric("completion_s", "completion time", "s", 1.0),
    metric("request_p99_s", "requests, 99th percentile", "s", 1.0),
    metric("mean_bitrate_bps", "mean bit rate of the video", "Mbit/s", 1e6),
    metric("longest_gap_s", "longest gap", "s", 1.0),
    metric("energy_j", "energy", "J", 1.0),
];

/// What is drawn of all flows of a run together, where they are many.
const TOGETHER: [Metric; 5] = [
    metric("goodput_mean_bps", "mean goodput of all flows", "Mbit/s", 1e6),
    metric("goodput_min_bps", "goodput of the slowest flow", "Mbit/s", 1e6),
    metric("jain_index", "Jain's index of goodputs", "1", 1.0),
    metric("completion_p50_s", "completion time, median of flows", "s", 1.0),
    metric("completion_p99_s", "completion time, 99th percentile of flows", "s", 1.0),
];

impl Metric {
    /// The name of files, without what makes several of them differ.
    pub(super) fn file(&self) -> &'static str {
        self.column.rsplit_once('_').map_or(self.column, |(file, _)| file)
    }

    /// The title, unit and number of seeds.
    pub(super) fn axis(&self, n: u64) -> String {
        match n {
            0 | 1 => format!("{} ({}), n = {n}", self.title, self.unit),
            n => format!("{} ({}), mean and 95 % interval, n = {n}", self.title, self.unit),
        }
    }
}

/// A key that was varied over a quantity.
struct Axis {
    /// Which of the keys.
    key: usize,
    /// The key with its unit.
    name: String,
    /// Each text with its place on the axis.
    places: BTreeMap<String, f64>,
}

/// All pictures of the sweep in `folder`.
pub(super) fn all(folder: &Path, manifest: &SweepManifest) -> Result<Vec<Any>, PlotError> {
    let lines = read_summary(folder).map_err(|error| PlotError::NoResults {
        folder: folder.to_owned(),
        why: error.to_string(),
    })?;
    let axes = (0..manifest.keys.len()).filter_map(|key| axis(&manifest.keys, key, &lines));
    let axes = axes.collect::<Vec<_>>();
    let flows = lines.iter().map(|line| line.flow.as_str()).collect::<BTreeSet<_>>();
    // One of them is `ALL_FLOWS`; the only one if each run has others.
    let few = (2..=FEWEST_FLOWS).contains(&flows.len());
    let together = if few { &[] } else { &TOGETHER[..] };
    let drawn = METRICS.iter().map(|metric| (metric, false));
    let drawn = drawn.chain(together.iter().map(|metric| (metric, true)));
    let mut pictures = Vec::new();
    for (metric, of_all) in drawn {
        let own = lines
            .iter()
            .filter(|line| line.metric == metric.column && (line.flow == ALL_FLOWS) == of_all);
        pictures.extend(of_metric(&manifest.name, *metric, &axes, &own.collect::<Vec<_>>()));
    }
    pictures.extend(of_runs(folder, manifest)?);
    Ok(pictures)
}

/// The pictures of one metric; none if no page holds them.
fn of_metric(name: &str, metric: Metric, axes: &[Axis], own: &[&SummaryLine]) -> Vec<Any> {
    let drawn = match axes {
        [axis] => over(name, metric, axis, own).map(|it| vec![Any::Figure(it)]),
        [across, up] => maps(name, metric, [across, up], own),
        _ => None,
    };
    let as_bars = || bars::bars(name, metric, own).map(|it| vec![Any::Bars(it)]);
    drawn.or_else(as_bars).unwrap_or_default()
}

/// The axis of a key, if its values are quantities of one kind.
fn axis(keys: &[String], key: usize, lines: &[SummaryLine]) -> Option<Axis> {
    let texts = lines.iter().filter_map(|line| line.values.get(key).cloned());
    let texts = texts.collect::<BTreeSet<_>>();
    if texts.len() < FEWEST_VALUES {
        return None;
    }
    let (values, unit) = quantities(&texts)?;
    let name = match unit {
        "" => keys.get(key)?.clone(),
        unit => format!("{} ({unit})", keys.get(key)?),
    };
    Some(Axis { key, name, places: texts.into_iter().zip(values).collect() })
}

/// The texts as numbers of one unit, which shows the largest of them with few digits.
fn quantities(texts: &BTreeSet<String>) -> Option<(Vec<f64>, &'static str)> {
    fn read<T>(texts: &BTreeSet<String>, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        texts.iter().map(|text| read(text)).collect()
    }
    let scaled = |values: Vec<f64>, units: &[(f64, &'static str)]| {
        let largest = values.iter().copied().fold(0.0, f64::max);
        let unit = units.iter().find(|(size, _)| largest >= *size).or(units.last());
        let (size, name) = unit.copied().unwrap_or((1.0, ""));
        (values.into_iter().map(|value| value / size).collect(), name)
    };
    if let Some(numbers) = read(texts, |text| text.parse::<f64>().ok()) {
        return Some((numbers, ""));
    }
    if let Some(spans) = read(texts, |text| text.parse::<Span>().ok()) {
        let values = spans.iter().map(|span| span.as_secs_f64()).collect();
        return Some(scaled(values, &[(1.0, "s"), (1e-3, "ms"), (1e-6, "us")]));
    }
    if let Some(rates) = read(texts, |text| text.parse::<Rate>().ok()) {
        let values = rates.iter().map(|rate| rate.as_bps() as f64).collect();
        return Some(scaled(values, &[(1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")]));
    }
    if let Some(sizes) = read(texts, |text| text.parse::<Bytes>().ok()) {
        let values = sizes.iter().map(|size| size.get() as f64).collect();
        return Some(scaled(values, &[(1e9, "GB"), (1e6, "MB"), (1e3, "KB")]));
    }
    let chances = read(texts, |text| text.parse::<Probability>().ok())?;
    Some((chances.iter().map(|chance| 100.0 * chance.get()).collect(), "%"))
}

/// A line for each flow and each combination of what else was varied; none if they are too many.
fn over(name: &str, metric: Metric, axis: &Axis, own: &[&SummaryLine]) -> Option<Figure> {
    let mut lines = BTreeMap::<String, Vec<(f64, &SummaryLine)>>::new();
    for line in own {
        let place = axis.places.get(line.values.get(axis.key)?)?;
        lines.entry(label(line, &[axis.key], own)).or_default().push((*place, line));
    }
    if lines.is_empty() || lines.len() > MOST_LINES {
        return None;
    }
    let n = own.iter().map(|line| line.estimate.n).max().unwrap_or(0);
    let lines = lines.into_iter().enumerate().map(|(style, (name, mut points))| {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mean = |line: &SummaryLine| line.estimate.mean / metric.size;
        let interval = |(place, line): &(f64, &SummaryLine)| {
            let half = line.estimate.ci95? / metric.size;
            Some((*place, mean(line) - half, mean(line) + half))
        };
        let intervals = points.iter().filter_map(interval).collect();
        let pieces = vec![points.iter().map(|(place, line)| (*place, mean(line))).collect()];
        Line { intervals, ..Line::new(&name, style, pieces) }
    });
    Some(Figure {
        file: metric.file().to_owned(),
        title: format!("{name}: {}", metric.title),
        x_axis: axis.name.clone(),
        axis: metric.axis(n),
        lines: lines.collect(),
    })
}

/// A heat map for each flow and each combination of what else was varied, if both quantities make a grid.
fn maps(name: &str, metric: Metric, axes: [&Axis; 2], own: &[&SummaryLine]) -> Option<Vec<Any>> {
    let mut maps = BTreeMap::<String, Vec<&SummaryLine>>::new();
    for line in own {
        maps.entry(label(line, &axes.map(|axis| axis.key), own)).or_default().push(line);
    }
    let grid = axes.iter().map(|axis| axis.places.len()).product::<usize>();
    if maps.is_empty() || maps.len() > MOST_MAPS || maps.values().any(|map| map.len() != grid) {
        return None;
    }
    let values = axes.map(|axis| {
        let mut values = axis.places.values().copied().collect::<Vec<_>>();
        values.sort_by(f64::total_cmp);
        values
    });
    let at = |line: &SummaryLine, axis: usize| {
        let place = axes[axis].places.get(line.values.get(axes[axis].key)?)?;
        values[axis].iter().position(|value| value == place)
    };
    let several = maps.len() > 1;
    let maps = maps.iter().zip(1..).map(|((label, lines), number)| {
        let cell = |line: &&SummaryLine| {
            Some((at(line, 0)?, at(line, 1)?, line.estimate.mean / metric.size))
        };
        let n = lines.iter().map(|line| line.estimate.n).max().unwrap_or(0);
        Any::Heat(HeatMap {
            file: match several {
                true => format!("{}-{number}", metric.file()),
                false => metric.file().to_owned(),
            },
            title: format!("{name}, {label}: {}", metric.title),
            axis: format!("{} ({}), mean, n = {n}", metric.title, metric.unit),
            keys: axes.map(|axis| axis.name.clone()),
            values: values.clone(),
            cells: lines.iter().filter_map(cell).collect(),
        })
    });
    Some(maps.collect())
}

/// The flow and the values of other keys than `left_out`, as far as they tell lines apart.
fn label(line: &SummaryLine, left_out: &[usize], all: &[&SummaryLine]) -> String {
    let values = line.values.iter().enumerate().filter(|(key, _)| !left_out.contains(key));
    let mut parts = values.map(|(_, value)| value.as_str()).collect::<Vec<_>>();
    if parts.is_empty() || all.iter().any(|other| other.flow != line.flow) {
        parts.insert(0, &line.flow);
    }
    title_of(&parts)
}

/// A name of some values: tables and lists among them, which results have as JSON, without its quotes and brackets,
/// and each no longer than there is room for.
pub(super) fn title_of<T: AsRef<str>>(values: &[T]) -> String {
    let plain = |value: &T| {
        let marks = |c: char| matches!(c, '"' | '[' | ']' | '{' | '}');
        let text = value.as_ref().replace("\":", "\": ").replace(marks, "").replace(',', ", ");
        match text.char_indices().nth(LONGEST_NAME) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    };
    values.iter().map(plain).collect::<Vec<_>>().join(", ")
}

/// What the single runs say: boxes over seeds, distributions over flows.
fn of_runs(folder: &Path, manifest: &SweepManifest) -> Result<Vec<Any>, PlotError> {
    // What no page holds need not be read.
    let most = if manifest.seeds >= FEWEST_SEEDS { bars::MOST_BARS } else { MOST_LINES };
    if manifest.configurations > most as u64 {
        return Ok(Vec::new());
    }
    let runs = Runs::read(folder, manifest.keys.len())?;
    let mut pictures = Vec::new();
    for (at, metric) in METRICS[..2].iter().enumerate() {
        if runs.flows.len() >= FEWEST_FLOWS {
            let figure = runs.distributions(&manifest.name, at, metric);
            pictures.extend(figure.map(Any::Figure));
        } else if manifest.seeds >= FEWEST_SEEDS {
            pictures.extend(runs.boxes(&manifest.name, at, metric).map(Any::Bars));
        }
    }
    Ok(pictures)
}

/// What `results.csv` has about goodputs and completion times.
#[derive(Default)]
struct Runs {
    flows: BTreeSet<String>,
    configurations: BTreeMap<u64, Configuration>,
}

/// The runs of a configuration.
#[derive(Default)]
struct Configuration {
    /// What it varies.
    values: String,
    /// Goodputs and completion times of each flow.
    flows: BTreeMap<String, [Vec<f64>; 2]>,
}

impl Runs {
    fn read(folder: &Path, keys: usize) -> Result<Self, PlotError> {
        let path = folder.join("results.csv");
        let wrong = |source| WriteError::Table { path: path.clone(), source };
        let mut reader = csv::Reader::from_path(&path).map_err(wrong)?;
        let heads = reader.headers().map_err(wrong)?.clone();
        let column = |name: &str| heads.iter().position(|head| head == name).unwrap_or(usize::MAX);
        let flow = column("flow");
        let metrics = [METRICS[0].column, METRICS[1].column].map(column);
        let mut runs = Self::default();
        for row in reader.records() {
            let row = row.map_err(wrong)?;
            let configuration = row.get(1).and_then(|cell| cell.parse().ok()).unwrap_or(0);
            let name = row.get(flow).unwrap_or("").to_owned();
            let values = row.iter().skip(2).take(keys).collect::<Vec<_>>();
            let entry = runs.configurations.entry(configuration).or_default();
            entry.values = title_of(&values);
            let own = entry.flows.entry(name.clone()).or_default();
            for (values, column) in own.iter_mut().zip(metrics) {
                values.extend(row.get(column).and_then(|cell| cell.parse::<f64>().ok()));
            }
            runs.flows.insert(name);
        }
        Ok(runs)
    }

    /// A line for each configuration: over all flows and seeds.
    fn distributions(&self, name: &str, at: usize, metric: &Metric) -> Option<Figure> {
        if self.configurations.len() > MOST_LINES {
            return None;
        }
        let lines = self.configurations.values().map(|Configuration { values, flows }| {
            let all = flows.values().filter_map(|metrics| metrics.get(at)).flatten();
            (values.clone(), all.map(|value| value / metric.size).collect())
        });
        distribution(
            &format!("{}-cdf", metric.file()),
            &format!("{name}: {} of flows", metric.title),
            &format!("{} ({})", metric.title, metric.unit),
            lines.collect(),
        )
    }

    fn boxes(&self, name: &str, at: usize, metric: &Metric) -> Option<Bars> {
        let samples = self.configurations.values().map(|Configuration { values, flows }| {
            let flows = flows.iter().filter_map(|(flow, metrics)| {
                let values = metrics.get(at)?.iter().map(|value| value / metric.size);
                Some((flow.clone(), values.collect::<Vec<_>>()))
            });
            (values.clone(), flows.collect())
        });
        bars::boxes(name, metric, samples.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Estimate;

    fn line(configuration: u64, values: &[&str], mean: f64) -> SummaryLine {
        SummaryLine {
            configuration,
            values: values.iter().map(|&value| value.to_owned()).collect(),
            flow: "bulk".into(),
            metric: "goodput_bps".into(),
            estimate: Estimate { n: 3, mean, sd: Some(1e5), ci95: Some(2e5) },
        }
    }

    fn places(texts: &[&str]) -> Option<(Vec<f64>, &'static str)> {
        quantities(&texts.iter().map(|&text| text.to_owned()).collect())
    }

    #[test]
    fn quantities_share_a_unit() {
        assert_eq!(places(&["4", "8"]), Some((vec![4.0, 8.0], "")));
        assert_eq!(places(&["10 ms", "500 us"]), Some((vec![10.0, 0.5], "ms")));
        assert_eq!(places(&["1 Gbit/s", "500 Mbit/s"]), Some((vec![1.0, 0.5], "Gbit/s")));
        assert_eq!(places(&["64 KB", "8 KB"]).map(|it| it.1), Some("KB"));
        assert_eq!(places(&["0.5 %", "2 %"]), Some((vec![0.5, 2.0], "%")));
        assert_eq!(places(&["lia", "olia"]), None);
    }

    #[test]
    fn tables_have_names_without_brackets() {
        assert_eq!(title_of(&["blest", "64 KB"]), "blest, 64 KB");
        assert_eq!(title_of(&[r#"["nat","wifi"]"#]), "nat, wifi");
        assert_eq!(
            title_of(&[r#"{"lognormal":"500 KB","sigma":1.5}"#, "4"]),
            "lognormal: 500 KB, sigma: 1.…, 4"
        );
    }

    #[test]
    fn one_quantity_makes_lines() {
        let keys = ["links.a.delay".to_owned(), "scheduler".to_owned()];
        let mut lines = Vec::new();
        for (number, delay) in ["5 ms", "10 ms", "20 ms"].iter().enumerate() {
            for (other, scheduler) in ["blest", "ecf"].iter().enumerate() {
                let configuration = 2 * number as u64 + other as u64;
                lines.push(line(configuration, &[delay, scheduler], 1e6 * number as f64));
            }
        }
        let own = lines.iter().collect::<Vec<_>>();
        assert!(axis(&keys, 1, &lines).is_none());
        let axis = axis(&keys, 0, &lines).unwrap();
        let figure = over("test", METRICS[0], &axis, &own).unwrap();
        assert_eq!(figure.x_axis, "links.a.delay (ms)");
        assert_eq!(figure.lines[0].name, "blest");
        assert_eq!(figure.lines[0].pieces, [vec![(5.0, 0.0), (10.0, 1.0), (20.0, 2.0)]]);
        assert_eq!(figure.lines[0].intervals[1], (10.0, 0.8, 1.2));
    }

    #[test]
    fn two_quantities_make_a_map_if_they_are_a_grid() {
        let keys = ["a".to_owned(), "b".to_owned()];
        let mut lines = Vec::new();
        for across in ["1", "2", "3"] {
            for up in ["5 ms", "6 ms", "7 ms"] {
                lines.push(line(lines.len() as u64, &[across, up], 1e6));
            }
        }
        let drawn = |lines: &[SummaryLine]| {
            let own = lines.iter().collect::<Vec<_>>();
            let axes = [axis(&keys, 0, lines).unwrap(), axis(&keys, 1, lines).unwrap()];
            maps("test", METRICS[0], [&axes[0], &axes[1]], &own)
        };
        let maps = drawn(&lines).unwrap();
        let [Any::Heat(map)] = maps.as_slice() else { panic!("one map") };
        assert_eq!((map.cells.len(), map.keys[1].as_str()), (9, "b (ms)"));
        let diagonal = [0, 4, 8].map(|at| lines[at].clone());
        assert!(drawn(&diagonal).is_none(), "values that go in step are no grid");
    }
}
