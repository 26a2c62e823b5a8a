//! `mptcpsim run`: check, run, write, draw, tell.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mptcpsim::plan::Plan;
use mptcpsim::results::{Manifest, ResultFolder, Tables};
use mptcpsim::run::{self, Outcome, RunError};
use mptcpsim::scenario::Table;
use mptcpsim_core::time::Time;

use super::{Failure, Format, ScenarioArgs, plan, print, summary};

/// Shorter runs are over before a progress bar is read.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(super) struct RunArgs {
    /// A TOML or JSON file, or the name of a shipped scenario (`mptcpsim list scenarios`); without it
    /// wifi-lte
    scenario: Option<String>,
    #[command(flatten)]
    values: ScenarioArgs,
    /// The folder to write; without it `results/` and the name of the scenario
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write what each host sends and receives as pcapng
    #[arg(long)]
    pcap: bool,
    /// Draw no plots
    #[arg(long)]
    no_plots: bool,
    /// How to print the summary
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    let plan = plan(args.scenario.as_deref(), &args.values, args.pcap)?;
    let wanted = args.out.clone().unwrap_or_else(|| Path::new("results").join(&plan.name));
    // That nothing can be written is better known before a long run than after it.
    drop(ResultFolder::prepare(&wanted)?);
    let progress = Progress::new(&plan);
    let start = now();
    let outcome = run::run(&plan, &mut |time| progress.at(time));
    let wall = start.elapsed();
    progress.finish();
    let outcome = outcome.map_err(|error| match error {
        RunError::Capture => Failure::bad_input(error),
        other => Failure::failed(other),
    })?;
    let manifest = manifest(&plan, &outcome, wall);
    let folder = ResultFolder::prepare(&wanted)?;
    folder.write_run(&plan, &outcome.tables)?;
    folder.write_manifest(&manifest)?;
    if !args.no_plots {
        mptcpsim::plot::plot(folder.path()).map_err(Failure::failed)?;
    }
    let folder = folder.publish()?;
    let folder = folder.display().to_string();
    match args.format {
        Format::Text => print(&summary::text(&manifest, &outcome.tables, &folder)),
        Format::Json => print(&json(&manifest, &outcome.tables, &folder)),
    }
}

fn manifest(plan: &Plan, outcome: &Outcome, wall: Duration) -> Manifest {
    let tables = &outcome.tables;
    let rows = |table| match table {
        Table::Summary => tables.summary.len(),
        Table::Subflows => tables.subflows.len(),
        Table::Timeseries => tables.timeseries.len(),
        Table::Links => tables.links.len(),
        Table::Queues => tables.queues.len(),
        Table::Events => tables.events.len(),
        Table::Counters => tables.counters.len(),
    };
    let written = plan.record.tables.iter();
    Manifest {
        name: plan.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: plan.seed,
        digest: outcome.digest.to_string(),
        simulated_s: outcome.end.as_secs_f64(),
        wall_s: wall.as_secs_f64(),
        packet_hops: outcome.packet_hops,
        flows: plan.flows.len(),
        links: plan.links.len(),
        rows: written.map(|table| (table.name().to_owned(), rows(*table))).collect(),
    }
}

fn json(manifest: &Manifest, tables: &Tables, folder: &str) -> String {
    let value = serde_json::json!({
        "manifest": manifest,
        "summary": tables.summary,
        "subflows": tables.subflows,
        "folder": folder,
    });
    format!("{value:#}\n")
}

/// A progress bar on the standard error, if somebody watches for long enough.
struct Progress {
    bar: ProgressBar,
    start: Instant,
}

impl Progress {
    fn new(plan: &Plan) -> Self {
        let bar = ProgressBar::with_draw_target(
            Some(plan.duration.as_ms()),
            ProgressDrawTarget::hidden(),
        );
        // The template is a constant; a wrong one would leave the default style.
        let template = "{prefix} {bar:40} {percent} % of simulated time, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(plan.name.clone());
        Self { bar, start: now() }
    }

    fn at(&self, time: Time) {
        let watched = std::io::stderr().is_terminal();
        if self.bar.is_hidden() && watched && self.start.elapsed() > PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(time.as_ms());
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[allow(clippy::disallowed_methods, reason = "how long a run takes is told, and enters no result")]
fn now() -> Instant {
    Instant::now()
}
