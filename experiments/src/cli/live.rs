//! `mptcpsim live`: the same scenario in real time, with real kernels.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use mptcpsim::build::AsPlanned;
use mptcpsim::capture::{self, Captures};
use mptcpsim::check::Override;
use mptcpsim::launcher::Launcher;
use mptcpsim::live::{self, LiveError, LiveOutcome, Side, Sides};
use mptcpsim::results::{Manifest, ResultFolder};
use mptcpsim::session::Session;

use super::{Failure, Format, ScenarioArgs, plan, print, summary};

#[derive(Args)]
pub(super) struct LiveArgs {
    /// A TOML or JSON file, or the name of a shipped scenario; without it wifi-lte
    scenario: Option<String>,
    #[command(flatten)]
    values: ScenarioArgs,
    /// What the hosts that open connections are
    #[arg(long, value_enum, default_value_t = Who::Sim)]
    client: Who,
    /// What the hosts that accept connections are
    #[arg(long, value_enum, default_value_t = Who::Kernel)]
    server: Who,
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

/// What a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Who {
    /// Simulated
    Sim,
    /// The kernel of this machine
    Kernel,
}

impl From<Who> for Side {
    fn from(who: Who) -> Self {
        match who {
            Who::Sim => Self::Sim,
            Who::Kernel => Self::Kernel,
        }
    }
}

pub(super) fn live(args: &LiveArgs, launcher: &Launcher) -> Result<(), Failure> {
    let pcap = args.pcap.then(|| Override::option("--pcap", "record.pcap", "true"));
    let overrides = pcap.into_iter().collect::<Vec<_>>();
    let plan = plan(args.scenario.as_deref(), &args.values, &overrides)?;
    let sides = Sides { client: args.client.into(), server: args.server.into() };
    live::kernel_hosts(&plan, sides).map_err(Failure::from)?;
    let wanted = args.out.clone().unwrap_or_else(|| Path::new("results").join(&plan.name));
    let folder = ResultFolder::prepare(&wanted)?;
    let captured = folder.path().join(capture::FOLDER);
    let captures = plan.record.pcap.then(|| Captures::create(&captured, &plan)).transpose();
    let mut captures = captures.map_err(Failure::bad_input)?;
    let interrupted = interrupted();
    let mut watch = |_| match interrupted.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let session = Session::new(Arc::new(plan.clone()), &mut AsPlanned).map_err(Failure::failed)?;
    let done = live::run(session, sides, launcher, captures.as_mut(), &mut watch)?;
    captures.map_or(Ok(()), Captures::finish).map_err(Failure::failed)?;
    let manifest = Manifest::of(&plan, &done.outcome, done.took);
    folder.write_run(&plan, &done.outcome.tables)?;
    folder.write_listings(&done.outcome.listings)?;
    live::write_kernels(folder.path(), &done.kernels).map_err(Failure::failed)?;
    folder.write_manifest(&manifest)?;
    if !args.no_plots {
        mptcpsim::plot::plot(folder.path()).map_err(Failure::failed)?;
    }
    let folder = folder.publish()?.display().to_string();
    match args.format {
        Format::Text => print(&text(&manifest, &done, &folder)),
        Format::Json => print(&json(&manifest, &done, &folder)),
    }
}

/// Set by Ctrl-C: a run then ends as if its duration were over.
pub(super) fn interrupted() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    // Without a handler the program ends at once, and the kernel takes the namespaces away.
    let _ = ctrlc::set_handler(move || set.store(true, Ordering::Relaxed));
    flag
}

impl From<LiveError> for Failure {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Unfit(_) => Self::bad_input(error),
            _ => Self::failed(error),
        }
    }
}

fn text(manifest: &Manifest, done: &LiveOutcome, folder: &str) -> String {
    let mut text = summary::text(manifest, &done.outcome.tables, folder);
    let lateness = &done.lateness;
    let verdict = if lateness.is_valid() { "valid" } else { "INVALID: this machine is too busy" };
    text += &format!(
        "\npackets were late by {} at the median, {} at the 99th percentile, {} at most: {verdict}\n",
        lateness.median, lateness.p99, lateness.max
    );
    for kernel in &done.kernels {
        for problem in &kernel.problems {
            text += &format!("warning: {problem}\n");
        }
        for error in kernel.flows.iter().filter_map(|flow| flow.error.as_ref()) {
            text += &format!("{}: {error}\n", kernel.host);
        }
    }
    text
}

fn json(manifest: &Manifest, done: &LiveOutcome, folder: &str) -> String {
    let tables = &done.outcome.tables;
    let kernels = done.kernels.iter().map(|kernel| {
        serde_json::json!({
            "host": kernel.host,
            "flows": kernel.flows,
            "problems": kernel.problems,
        })
    });
    let value = serde_json::json!({
        "manifest": manifest,
        "summary": tables.summary,
        "subflows": tables.subflows,
        "kernels": kernels.collect::<Vec<_>>(),
        "lateness": {
            "median_s": done.lateness.median.as_secs_f64(),
            "p99_s": done.lateness.p99.as_secs_f64(),
            "max_s": done.lateness.max.as_secs_f64(),
            "packets": done.lateness.packets,
            "valid": done.lateness.is_valid(),
        },
        "folder": folder,
    });
    format!("{value:#}\n")
}

pub(super) fn peer() -> Result<(), Failure> {
    live::run_peer().map_err(Failure::failed)
}
