//! The same scenario simulated and between two real kernels of this machine.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use mptcpsim::check::{Override, check};
use mptcpsim::launcher::Launcher;
use mptcpsim::live::LiveError;
use mptcpsim::plan::Plan;
use mptcpsim::shipped;
use mptcpsim::validate::{self, Comparison};

use super::super::{BAD_INPUT, faults, live, source};
use super::{Failure, Report, ValidateArgs, cells, print, table};

/// A run whose packets were late says little: so often it is tried before it counts.
const ATTEMPTS: u32 = 3;

/// What became of a scenario.
enum Validated {
    /// The values, and in how many runs packets were late.
    Rows(Vec<Comparison>, usize),
    /// It cannot run between kernels.
    Skipped(String, String),
}

pub(super) fn run(args: &ValidateArgs, launcher: &Launcher) -> Result<Report, Failure> {
    let interrupted = live::interrupted();
    let mut done = Vec::new();
    for name in names(args)? {
        done.push(scenario(&name, args, launcher, &interrupted)?);
        if interrupted.load(Ordering::Relaxed) {
            return Err(Failure::failed("interrupted"));
        }
        if let Some(Validated::Rows(rows, _)) = done.last() {
            print(&format!("{}\n", table(rows)))?;
        }
    }
    for validated in &done {
        if let Validated::Skipped(name, why) = validated {
            print(&format!("{name}: not compared: {why}\n"))?;
        }
    }
    let markdown = markdown(&done, args);
    let rows = done.into_iter().flat_map(|validated| match validated {
        Validated::Rows(rows, _) => rows,
        Validated::Skipped(..) => Vec::new(),
    });
    Ok(Report { rows: rows.collect(), markdown, failed: None })
}

fn names(args: &ValidateArgs) -> Result<Vec<String>, Failure> {
    let mut names: Vec<_> = match &args.folder {
        None => shipped::SCENARIOS.iter().map(|shipped| shipped.name.to_owned()).collect(),
        Some(folder) => {
            let mut files = files(folder)?;
            files.sort();
            files.iter().map(|path| path.display().to_string()).collect()
        }
    };
    names.retain(|name| args.wants(name));
    if names.is_empty() && !args.only.is_empty() { Err(args.nothing_wanted()) } else { Ok(names) }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| {
        Failure::bad_input(format!("cannot read `{}`: {error}", folder.display()))
    })?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let scenario = |path: &PathBuf| path.extension().is_some_and(|it| it == "toml" || it == "json");
    Ok(paths.filter(scenario).collect())
}

fn scenario(
    name: &str,
    args: &ValidateArgs,
    launcher: &Launcher,
    stop: &AtomicBool,
) -> Result<Validated, Failure> {
    let with_seed = |seed: u64| -> Result<Plan, Failure> {
        let mut overrides = args.set.iter().map(|text| Override::set(text)).collect::<Vec<_>>();
        overrides.push(Override::option("--seeds", "seed", &seed.to_string()));
        check(&source(name)?, &overrides)
            .map_err(|found| Failure { message: faults::render(&found), code: BAD_INPUT })
    };
    let mut watch = |_| match stop.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let (mut kernels, mut late) = (Vec::new(), 0);
    for seed in 1..=args.repetitions {
        let plan = with_seed(seed)?;
        for attempt in 1..=ATTEMPTS {
            let (metrics, lateness, problems) =
                match validate::measured(&plan, launcher, &mut watch) {
                    Err(LiveError::Unfit(why)) => return Ok(Validated::Skipped(plan.name, why)),
                    done => done?,
                };
            if (seed, attempt) == (1, 1) {
                problems.iter().for_each(|problem| eprintln!("warning: {name}: {problem}"));
            }
            if !lateness.is_valid() {
                eprintln!("warning: {name}: packets were late, {} at p99", lateness.p99);
            }
            if lateness.is_valid() || attempt == ATTEMPTS || stop.load(Ordering::Relaxed) {
                late += usize::from(!lateness.is_valid());
                kernels.push(metrics);
                break;
            }
        }
    }
    let simulated = (1..=args.seeds).map(|seed| {
        let plan = with_seed(seed)?;
        validate::simulated(&plan).map_err(Failure::failed)
    });
    let simulated = simulated.collect::<Result<Vec<_>, _>>()?;
    Ok(Validated::Rows(validate::compare(&with_seed(1)?, &simulated, &kernels), late))
}

fn markdown(done: &[Validated], args: &ValidateArgs) -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let rows: Vec<_> = done
        .iter()
        .filter_map(|it| match it {
            Validated::Rows(rows, late) => Some((rows, *late)),
            Validated::Skipped(..) => None,
        })
        .collect();
    let values = || rows.iter().flat_map(|(rows, _)| *rows);
    let mut text = format!(
        "Linux {}, {} simulations and {} runs between kernels of each scenario: {} of {} values agree.\n",
        kernel.trim(),
        args.seeds,
        args.repetitions,
        values().filter(|row| row.agrees).count(),
        values().count(),
    );
    for (rows, late) in rows {
        let name = rows.first().map_or("", |row| row.scenario.as_str());
        text += &format!("\n## {name}\n\n");
        if late > 0 {
            text += &format!("This machine was too busy: packets were late in {late} runs.\n\n");
        }
        text += "| metric | simulated | kernels | tolerance | |\n|---|---|---|---|---|\n";
        for row in rows {
            text += &format!("| {} |\n", cells(row).join(" | "));
        }
    }
    for validated in done {
        if let Validated::Skipped(name, why) = validated {
            text += &format!("\n`{name}` is not compared: {why}.\n");
        }
    }
    text
}
