//! What the seeds of a configuration say together: mean, standard deviation and confidence interval.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use csv::StringRecord;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::SweepError;
use super::tables::{Column, Kind};
use crate::metrics;

/// Times that say when something was and not how long it took: their mean means nothing.
const NOT_AVERAGED: [&str; 3] = ["start_s", "end_s", "longest_gap_start_s"];

/// A mean and how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// How many values there are.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (of a sample: n - 1 degrees of freedom); none for one value.
    pub sd: Option<f64>,
    /// Half the width of the 95 % confidence interval of the mean, by Student's t; none for one value.
    pub ci95: Option<f64>,
}

/// A row of `summary.csv`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SummaryLine {
    /// The number of the configuration, from 0.
    pub configuration: u64,
    /// The values of the varied keys.
    pub values: Vec<String>,
    /// The name of the flow.
    pub flow: String,
    /// The column of `results.csv` that is summed up.
    pub metric: String,
    /// What the seeds say.
    pub estimate: Estimate,
}

/// The rows of `summary.csv` in a folder.
///
/// # Errors
/// If there is no such table.
pub fn read_summary(folder: &Path) -> Result<Vec<SummaryLine>, SweepError> {
    let path = folder.join("summary.csv");
    let wrong = |why: &dyn std::fmt::Display| SweepError::Table {
        path: path.clone(),
        why: why.to_string(),
    };
    let mut reader = csv::Reader::from_path(&path).map_err(|error| wrong(&error))?;
    let keys = reader.headers().map_err(|error| wrong(&error))?.len().saturating_sub(8);
    let rows = reader.records().map(|row| {
        let row = row.map_err(|error| wrong(&error))?;
        line(&row, keys).ok_or_else(|| wrong(&"it is no summary of a sweep"))
    });
    rows.collect()
}

fn line(row: &StringRecord, keys: usize) -> Option<SummaryLine> {
    let cell = |index: usize| row.get(index + keys + 1);
    let mean = cell(3)?.parse().ok()?;
    Some(SummaryLine {
        configuration: row.get(0)?.parse().ok()?,
        values: row.iter().skip(1).take(keys).map(str::to_owned).collect(),
        flow: cell(0)?.to_owned(),
        metric: cell(1)?.to_owned(),
        estimate: Estimate {
            n: cell(2)?.parse().ok()?,
            mean,
            sd: cell(4)?.parse().ok(),
            ci95: cell(6)?.parse::<f64>().ok().map(|high| high - mean),
        },
    })
}

/// Collects values one by one (B. P. Welford, Technometrics 1962).
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    n: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.n += 1;
        let off = value - self.mean;
        self.mean += off / self.n as f64;
        self.squares += off * (value - self.mean);
    }
}

/// What stands for all flows of a run in the column `flow`.
pub const ALL_FLOWS: &str = "all";

/// Writes `summary.csv`: a row per configuration, flow and metric.
///
/// Flows of the same name are summed up over the seeds if every run of the
/// configuration has them; with pairs of hosts drawn at random, only what all
/// flows of a run have in common says anything.
pub(super) struct Statistics {
    writer: csv::Writer<BufWriter<File>>,
    layout: Layout,
    /// The first cells of the configuration that is being collected.
    current: Option<(String, Vec<String>)>,
    /// The run that is being collected.
    run: String,
    runs: u64,
    goodputs: Vec<f64>,
    completions: Vec<f64>,
    whole: Vec<(&'static str, Moments)>,
    flows: BTreeMap<String, usize>,
    moments: Vec<(String, Vec<Moments>)>,
    quantiles: BTreeMap<u64, f64>,
}

/// Where what is in a row of the results.
struct Layout {
    keys: usize,
    flow: usize,
    goodput: usize,
    completion: usize,
    metrics: Vec<(usize, String)>,
}

impl Statistics {
    pub(super) fn new(file: File, keys: Vec<String>, columns: &[Column]) -> csv::Result<Self> {
        let mut writer = csv::Writer::from_writer(BufWriter::new(file));
        let head = ["configuration"].into_iter().chain(keys.iter().map(String::as_str));
        let tail = ["flow", "metric", "n", "mean", "sd", "ci95_low", "ci95_high"];
        writer.write_record(head.chain(tail))?;
        Ok(Self {
            writer,
            layout: Layout::of(keys.len(), columns),
            current: None,
            run: String::new(),
            runs: 0,
            goodputs: Vec::new(),
            completions: Vec::new(),
            whole: Vec::new(),
            flows: BTreeMap::new(),
            moments: Vec::new(),
            quantiles: BTreeMap::new(),
        })
    }

    /// Takes the next row of the results.
    pub(super) fn add(&mut self, row: &StringRecord) -> csv::Result<()> {
        let (run, configuration) = (row.get(0).unwrap_or(""), row.get(1).unwrap_or(""));
        if self.run != run {
            self.end_run();
            run.clone_into(&mut self.run);
        }
        if self.current.as_ref().is_none_or(|(current, _)| current != configuration) {
            self.write()?;
            let values = row.iter().skip(2).take(self.layout.keys).map(str::to_owned).collect();
            self.current = Some((configuration.to_owned(), values));
        }
        let failed = row.get(self.layout.keys + 3).is_some_and(|error| !error.is_empty());
        if !failed {
            self.add_flow(row);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> csv::Result<()> {
        self.end_run();
        self.write()?;
        let file = self.writer.into_inner().map_err(|error| error.into_error())?;
        file.into_inner().map_err(|error| error.into_error())?.sync_all()?;
        Ok(())
    }

    fn add_flow(&mut self, row: &StringRecord) {
        self.goodputs.extend(row.get(self.layout.goodput).and_then(number));
        self.completions.extend(row.get(self.layout.completion).and_then(number));
        let flow = row.get(self.layout.flow).unwrap_or("");
        let index = match self.flows.get(flow) {
            Some(index) => *index,
            None => {
                let empty = vec![Moments::default(); self.layout.metrics.len()];
                self.moments.push((flow.to_owned(), empty));
                self.flows.insert(flow.to_owned(), self.moments.len() - 1);
                self.moments.len() - 1
            }
        };
        let Some((_, moments)) = self.moments.get_mut(index) else { return };
        for ((column, _), moments) in self.layout.metrics.iter().zip(moments) {
            if let Some(value) = row.get(*column).and_then(number) {
                moments.add(value);
            }
        }
    }

    /// Notes what the flows of a run have together.
    fn end_run(&mut self) {
        let (goodputs, done) =
            (std::mem::take(&mut self.goodputs), std::mem::take(&mut self.completions));
        if goodputs.is_empty() {
            return;
        }
        self.runs += 1;
        let metrics = metrics::of_all_flows(&goodputs, &done);
        self.whole.resize(metrics.len(), Default::default());
        for ((name, moments), (metric, value)) in self.whole.iter_mut().zip(metrics) {
            *name = metric;
            if let Some(value) = value {
                moments.add(value);
            }
        }
    }

    /// Writes the configuration that is complete.
    fn write(&mut self) -> csv::Result<()> {
        self.flows.clear();
        let runs = std::mem::take(&mut self.runs);
        let (flows, whole) = (std::mem::take(&mut self.moments), std::mem::take(&mut self.whole));
        let Some((configuration, values)) = self.current.take() else { return Ok(()) };
        let everywhere = |moments: &[Moments]| moments.iter().any(|it| it.n == runs);
        let names = self.layout.metrics.iter().map(|(_, name)| name.as_str());
        let flows = flows.iter().filter(|(_, moments)| everywhere(moments));
        let flows = flows.flat_map(|(flow, moments)| {
            names.clone().zip(moments).map(move |(name, moments)| (flow.as_str(), name, moments))
        });
        let whole = whole.iter().map(|(name, moments)| (ALL_FLOWS, *name, moments));
        for (flow, metric, moments) in whole.chain(flows) {
            let quantiles = &mut self.quantiles;
            let estimate = moments.estimate(|freedom| {
                *quantiles.entry(freedom).or_insert_with(|| t_quantile(freedom))
            });
            let Some(it) = estimate else { continue };
            let (low, high) =
                (it.ci95.map(|half| it.mean - half), it.ci95.map(|half| it.mean + half));
            let numbers = (it.n, it.mean, it.sd, low, high);
            self.writer.serialize((&configuration, &values, flow, metric, numbers))?;
        }
        Ok(())
    }
}

impl Layout {
    fn of(keys: usize, columns: &[Column]) -> Self {
        // Before the results stand run, configuration, the keys, seed and error.
        let results = keys + 4;
        let is_metric = |column: &Column| {
            column.kind != Kind::Text && !NOT_AVERAGED.contains(&column.name.as_str())
        };
        let at = |name: &str| columns.iter().skip(results).position(|it| it.name == name);
        let at = |name: &str| at(name).map_or(usize::MAX, |index| index + results);
        let metrics = columns.iter().enumerate().skip(results).filter(|(_, it)| is_metric(it));
        Self {
            keys,
            flow: at("flow"),
            goodput: at("goodput_bps"),
            completion: at("completion_s"),
            metrics: metrics.map(|(index, column)| (index, column.name.clone())).collect(),
        }
    }
}

fn number(text: &str) -> Option<f64> {
    match text {
        "true" => Some(1.0),
        "false" => Some(0.0),
        _ => text.parse().ok(),
    }
}

impl Moments {
    fn estimate(&self, mut quantile: impl FnMut(u64) -> f64) -> Option<Estimate> {
        let n = (self.n > 0).then_some(self.n)?;
        let sd = (n > 1).then(|| (self.squares / (n - 1) as f64).sqrt());
        let ci95 = sd.map(|sd| quantile(n - 1) * sd / (n as f64).sqrt());
        Some(Estimate { n, mean: self.mean, sd, ci95 })
    }
}

impl Estimate {
    /// What `values` say together; none without any.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut moments = Moments::default();
        values.into_iter().for_each(|value| moments.add(value));
        moments.estimate(t_quantile)
    }
}

/// The 97.5 % quantile of Student's t, rounded so that it is the same on every machine.
fn t_quantile(freedom: u64) -> f64 {
    let quantile =
        StudentsT::new(0.0, 1.0, freedom as f64).map_or(f64::NAN, |t| t.inverse_cdf(0.975));
    (quantile * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_student() {
        // Percentage points of the t distribution, as printed in any table.
        for (freedom, quantile) in
            [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (29, 2.045), (999, 1.962)]
        {
            assert!(
                (t_quantile(freedom) - quantile).abs() < 5e-4,
                "{freedom}: {}",
                t_quantile(freedom)
            );
        }
        let it = Estimate::of([2.0, 4.0, 4.0, 4.0, 6.0]).unwrap();
        assert_eq!((it.n, it.mean), (5, 4.0));
        assert!((it.sd.unwrap() - 2f64.sqrt()).abs() < 1e-12);
        assert!((it.ci95.unwrap() - 2.776_445 * (2.0f64 / 5.0).sqrt()).abs() < 1e-6);
        let one = Estimate::of([3.0]).unwrap();
        assert_eq!((one.mean, one.sd, one.ci95), (3.0, None, None));
        assert_eq!(Estimate::of([]), None);
    }
}
