//! `mptcpsim run`: check, run, write, draw, tell.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mptcpsim::capture::{self, Captures};
use mptcpsim::check::Override;
use mptcpsim::plan::Plan;
use mptcpsim::results::{Manifest, ResultFolder};
use mptcpsim::run::{self, Outcome};
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
    /// How many bytes of a packet a capture keeps, such as `100 B`; 0 for all of it
    #[arg(long, value_name = "BYTES", requires = "pcap")]
    snaplen: Option<String>,
    /// List all sockets in the end, as `ss -tiM` prints them, here and in ss.txt
    #[arg(long)]
    ss: bool,
    /// List all sockets at a time such as `1 s`; can be given several times
    #[arg(long, value_name = "TIME")]
    ss_at: Vec<String>,
    /// List all counters in the end, as `nstat -az` prints them, here and in nstat.txt
    #[arg(long)]
    nstat: bool,
    /// Draw no plots
    #[arg(long)]
    no_plots: bool,
    /// How to print the summary
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl RunArgs {
    /// What options say about the scenario.
    fn overrides(&self) -> Vec<Override> {
        let mut overrides = Vec::new();
        let switches = [
            (self.pcap, "--pcap", "record.pcap"),
            (self.ss, "--ss", "record.ss"),
            (self.nstat, "--nstat", "record.nstat"),
        ];
        for (_, option, key) in switches.into_iter().filter(|(set, ..)| *set) {
            overrides.push(Override::option(option, key, "true"));
        }
        if !self.ss_at.is_empty() {
            let times = format!("{:?}", self.ss_at);
            overrides.push(Override::option("--ss-at", "record.ss_at", &times));
        }
        let snap_length = self.snaplen.as_deref().map(with_unit);
        overrides.extend(
            snap_length.map(|bytes| Override::option("--snaplen", "record.snap_length", &bytes)),
        );
        overrides
    }
}

/// A number alone is one of bytes, as other programs that capture take it.
fn with_unit(bytes: &str) -> String {
    let number = !bytes.is_empty() && bytes.bytes().all(|byte| byte.is_ascii_digit());
    if number { format!("{bytes} B") } else { bytes.to_owned() }
}

pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    let plan = plan(args.scenario.as_deref(), &args.values, &args.overrides())?;
    let wanted = args.out.clone().unwrap_or_else(|| Path::new("results").join(&plan.name));
    // That nothing can be written is better known before a long run than after it.
    let folder = ResultFolder::prepare(&wanted)?;
    let captured = folder.path().join(capture::FOLDER);
    let captures = plan.record.pcap.then(|| Captures::create(&captured, &plan)).transpose();
    let mut captures = captures.map_err(Failure::bad_input)?;
    let progress = Progress::new(&plan);
    let start = now();
    let outcome = run::run_captured(&plan, captures.as_mut(), &mut |time| progress.at(time));
    let wall = start.elapsed();
    progress.finish();
    let outcome = outcome.map_err(Failure::failed)?;
    captures.map_or(Ok(()), Captures::finish).map_err(Failure::failed)?;
    let manifest = Manifest::of(&plan, &outcome, wall);
    folder.write_run(&plan, &outcome.tables)?;
    folder.write_listings(&outcome.listings)?;
    folder.write_manifest(&manifest)?;
    if !args.no_plots {
        mptcpsim::plot::plot(folder.path()).map_err(Failure::failed)?;
    }
    let folder = folder.publish()?;
    let folder = folder.display().to_string();
    match args.format {
        Format::Text => {
            let listings = outcome.listings.files().map(|(_, text)| format!("\n{text}"));
            let summary = summary::text(&manifest, &outcome.tables, &folder);
            print(&(summary + &listings.collect::<String>()))
        }
        Format::Json => print(&json(&manifest, &outcome, &folder)),
    }
}

fn json(manifest: &Manifest, outcome: &Outcome, folder: &str) -> String {
    let tables = &outcome.tables;
    let value = serde_json::json!({
        "manifest": manifest,
        "summary": tables.summary,
        "subflows": tables.subflows,
        "listings": outcome.listings.files().collect::<BTreeMap<_, _>>(),
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
