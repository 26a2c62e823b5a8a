//! `mptcpsim sweep`: a scenario with many values and many seeds.

use std::io::Write;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mptcpsim::check::Override;
use mptcpsim::sweep::{self, Design, Finished, Options, Progress, SummaryLine, SweepError};

use super::summary::scaled;
use super::{BAD_INPUT, FAILED, Failure, Format, ScenarioArgs, faults, overrides, print, source};

/// How shells report that Ctrl-C ended a program.
const INTERRUPTED: u8 = 130;
/// More configurations than a table in a terminal is good for.
const SHOWN: usize = 40;

#[derive(Args)]
pub(super) struct SweepArgs {
    /// A TOML or JSON file, or the name of a shipped scenario (`mptcpsim list scenarios`)
    scenario: String,
    #[command(flatten)]
    values: ScenarioArgs,
    /// Let a key take several values, as in `--vary links.wifi.delay='["15 ms", "60 ms"]'`; every
    /// combination is run. The same as a line of `[sweep]` in the scenario
    #[arg(long, value_name = "KEY=LIST")]
    vary: Vec<String>,
    /// The seeds that every configuration runs with, first and last
    #[arg(long, value_name = "A..B")]
    seeds: Option<String>,
    /// How many runs are simulated at a time; without it as many as there are processors
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Go on with a sweep that was ended before it was complete
    #[arg(long)]
    resume: bool,
    /// The folder to write; without it `results/` and the name of the scenario, then `-sweep`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the folder of each run, too, as `runs/NUMBER`
    #[arg(long)]
    keep_runs: bool,
    /// Say how many runs there would be, and run none
    #[arg(long)]
    dry_run: bool,
    /// How to print the summary
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn sweep(args: &SweepArgs) -> Result<(), Failure> {
    let design = design(args)?;
    if args.dry_run {
        return print(&size(&design));
    }
    let wanted = args.out.clone();
    let wanted =
        wanted.unwrap_or_else(|| Path::new("results").join(format!("{}-sweep", design.name())));
    let options = Options { jobs: args.jobs, resume: args.resume, keep_runs: args.keep_runs };
    let interrupted = catch_interrupt()?;
    let bar = bar(&design);
    let outcome = sweep::run(&design, &wanted, &options, &mut |progress| {
        show(&bar, progress);
        match interrupted.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    bar.finish_and_clear();
    let finished = outcome.map_err(|error| failure(&error))?;
    let lines = sweep::read_summary(&finished.folder).map_err(Failure::failed)?;
    match args.format {
        Format::Text => print(&text(&design, &finished, &lines))?,
        Format::Json => print(&json(&design, &finished, &lines))?,
    }
    match finished.failed {
        failed if failed == finished.runs => Err(Failure::failed("every run failed")),
        _ => Ok(()),
    }
}

fn design(args: &SweepArgs) -> Result<Design, Failure> {
    let mut more = args.vary.iter().map(|text| Override::vary(text)).collect::<Vec<_>>();
    more.extend(args.seeds.as_ref().map(|seeds| Override::option("--seeds", "sweep.seeds", seeds)));
    Design::of(&source(&args.scenario)?, &overrides(&args.values, &more))
        .map_err(|found| Failure { message: faults::render(&found), code: BAD_INPUT })
}

fn size(design: &Design) -> String {
    let keys = design.keys().collect::<Vec<_>>();
    let varied =
        if keys.is_empty() { "nothing but the seed varies".into() } else { keys.join(", ") };
    format!(
        "{}: {} configurations x {} seeds = {} runs\nvaried: {varied}\n",
        design.name(),
        design.configurations(),
        design.seeds(),
        design.runs(),
    )
}

/// Set by the first Ctrl-C; the second one ends the program at once.
fn catch_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&interrupted);
    ctrlc::set_handler(move || {
        if set.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        // Nobody is left to tell if the standard error is closed.
        let _ = writeln!(std::io::stderr(), "ending; Ctrl-C again ends at once");
    })
    .map_err(Failure::failed)?;
    Ok(interrupted)
}

fn bar(design: &Design) -> ProgressBar {
    // Hidden unless the standard error is a terminal.
    let bar = ProgressBar::with_draw_target(Some(design.runs()), ProgressDrawTarget::stderr());
    let template = "{prefix} {bar:30} {pos} of {len} runs, {per_sec}, {eta} left{msg}";
    // The template is a constant; a wrong one would leave the default style.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(design.name().to_owned());
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

fn show(bar: &ProgressBar, progress: Progress) {
    if bar.position() == 0 && progress.resumed > 0 {
        // What was done before says nothing about the speed of now.
        bar.set_position(progress.resumed);
        bar.reset_eta();
    }
    bar.set_position(progress.done);
    if progress.failed > 0 {
        bar.set_message(format!(", {} failed", progress.failed));
    }
}

fn failure(error: &SweepError) -> Failure {
    match error {
        SweepError::Stopped(progress) => Failure {
            message: format!(
                "{error}; `--resume` goes on with the other {}",
                progress.runs - progress.done
            ),
            code: INTERRUPTED,
        },
        SweepError::Folder { .. } => Failure::bad_input(error),
        _ => Failure { message: format!("error: {error}"), code: FAILED },
    }
}

fn text(design: &Design, finished: &Finished, lines: &[SummaryLine]) -> String {
    let mut text = size(design);
    if finished.resumed > 0 {
        text += &format!("{} runs were done before\n", finished.resumed);
    }
    if finished.failed > 0 {
        text += &format!("{} runs failed: see the column `error`\n", finished.failed);
    }
    let of = |metric: &str| lines.iter().filter(|line| line.metric == metric).collect::<Vec<_>>();
    let mut goodputs = of("goodput_bps");
    if goodputs.is_empty() || goodputs.len() > SHOWN {
        goodputs = of("goodput_mean_bps");
    }
    if goodputs.len() <= SHOWN {
        let mut table = Table::new();
        let keys = design.keys().collect::<Vec<_>>();
        let head =
            keys.iter().map(|key| short(key)).chain(["flow", "n", "goodput", "95 % interval"]);
        table.load_style(NOTHING).set_header(head);
        for line in goodputs {
            let estimate = &line.estimate;
            let ci95 =
                estimate.ci95.map_or("-".into(), |half| format!("± {}", scaled(half, "bit/s")));
            let numbers =
                [line.flow.clone(), estimate.n.to_string(), scaled(estimate.mean, "bit/s"), ci95];
            table.add_row(line.values.iter().cloned().chain(numbers));
        }
        text += &table.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>();
    }
    text + &format!("results in {}\n", finished.folder.display())
}

/// The last two steps of a key say enough.
fn short(key: &str) -> &str {
    key.rmatch_indices('.').nth(1).map_or(key, |(at, _)| &key[at + 1..])
}

fn json(design: &Design, finished: &Finished, lines: &[SummaryLine]) -> String {
    let value = serde_json::json!({
        "name": design.name(),
        "digest": design.digest(),
        "keys": design.keys().collect::<Vec<_>>(),
        "configurations": design.configurations(),
        "seeds": design.seeds(),
        "runs": finished.runs,
        "failed": finished.failed,
        "folder": finished.folder,
        "summary": lines,
    });
    format!("{value:#}\n")
}
