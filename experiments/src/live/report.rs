//! What real kernels reported, in the tables of a run.

use std::path::Path;
use std::{fs, io};

use super::KernelReport;
use super::peer::Report;
use crate::plan::{FlowPlan, Plan, Work};
use crate::results::{CounterRow, SubflowRow, SummaryRow, TimeseriesRow};
use crate::run::Outcome;
use crate::scenario::AppDirection;

/// The folder of what was seen of real kernels, within the folder of a run.
pub(super) const FOLDER: &str = "kernel";

/// Writes what `nstat` and `ss` printed on each real kernel, and what its process reported.
pub(super) fn write(folder: &Path, kernels: &[KernelReport]) -> io::Result<()> {
    let folder = folder.join(FOLDER);
    fs::create_dir_all(&folder)?;
    for kernel in kernels {
        let file = |what: &str| folder.join(format!("{}.{what}", kernel.host));
        fs::write(file("nstat.txt"), &kernel.counters)?;
        fs::write(file("ss.txt"), &kernel.sockets)?;
        fs::write(file("connections.json"), serde_json::to_string_pretty(&kernel.flows)?)?;
    }
    Ok(())
}

/// Fills in what the tables of a simulation do not know of ends that are real kernels.
pub(super) fn merge(
    plan: &Plan,
    kernels: &[KernelReport],
    rows: Vec<(Vec<SubflowRow>, Vec<TimeseriesRow>)>,
    outcome: &mut Outcome,
) {
    for (subflows, timeseries) in rows {
        outcome.tables.subflows.extend(subflows);
        outcome.tables.timeseries.extend(timeseries);
    }
    outcome.tables.timeseries.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
    let end = outcome.end.as_secs_f64();
    for (number, row) in outcome.tables.summary.iter_mut().enumerate() {
        let Some(flow) = plan.flows.get(number) else { continue };
        let reports = kernels.iter().flat_map(|kernel| &kernel.flows);
        let reports: Vec<&Report> = reports.filter(|report| report.flow == number).collect();
        if !reports.is_empty() {
            summary(flow, &reports, end, row);
        }
    }
    // The kernel counts by host: of several connections each could be meant.
    if let [row] = outcome.tables.summary.as_mut_slice() {
        let again = kernels.iter().map(|kernel| kernel.counter("TcpRetransSegs"));
        row.retransmitted_packets += again.sum::<u64>();
    }
    let names: Vec<&str> = kernels.iter().map(|kernel| kernel.host.as_str()).collect();
    outcome.tables.counters.retain(|row| !names.contains(&row.host.as_str()));
    outcome.tables.counters.extend(kernels.iter().flat_map(counters));
}

fn summary(flow: &FlowPlan, reports: &[&Report], end: f64, row: &mut SummaryRow) {
    let start = flow.start.as_secs_f64();
    let kernels: u64 = reports.iter().map(|report| report.received).sum();
    // A simulated end has counted what it received itself.
    row.bytes += kernels;
    row.intact &= reports.iter().all(|report| report.wrong == 0);
    row.complete = row.bytes >= wanted(&flow.work)
        && reports.iter().all(|report| report.error.is_none() && report.ended);
    let last = reports.iter().filter_map(|report| report.last_byte_ns).max();
    let last = last.map(seconds).into_iter().chain(row.end_s).fold(0.0, f64::max);
    row.end_s = Some(last).filter(|last| row.complete && *last > 0.0);
    row.completion_s = row.end_s.map(|end| end - start);
    let time = row.end_s.unwrap_or(end) - start;
    row.goodput_bps = if time > 0.0 { 8.0 * row.bytes as f64 / time } else { 0.0 };
    for (gap, from) in reports.iter().filter_map(|report| report.longest_gap_ns) {
        if seconds(gap) > row.longest_gap_s {
            (row.longest_gap_s, row.longest_gap_start_s) = (seconds(gap), Some(seconds(from)));
        }
    }
    for report in reports {
        let joined = report.mptcp.as_ref().map_or(0, |mptcp| u32::from(mptcp.subflows));
        row.subflows = row.subflows.max(1 + joined);
        row.requests += report.answers_ns.len() as u64;
    }
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// Bytes that both ends together receive if all goes well.
fn wanted(work: &Work) -> u64 {
    match work {
        Work::Bulk { bytes, direction, .. } => match direction {
            AppDirection::Download | AppDirection::Upload => bytes.get(),
            AppDirection::Both => 2 * bytes.get(),
        },
        Work::Exchanges { script, .. } => {
            script.asked(script.count()) + script.answered(script.count())
        }
        Work::Timed { .. } | Work::Messages { .. } | Work::Video(_) => 0,
    }
}

/// The lines of `nstat -az`: name, value, rate.
fn counters(kernel: &KernelReport) -> impl Iterator<Item = CounterRow> + '_ {
    kernel.counters.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (counter, value) = (words.next()?, words.next()?.parse().ok()?);
        Some(CounterRow { host: kernel.host.clone(), counter: counter.to_owned(), value })
    })
}
