//! `mptcpsim validate`: scenarios simulated and between two real kernels.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use mptcpsim::check::{Override, check};
use mptcpsim::launcher::Launcher;
use mptcpsim::plan::Plan;
use mptcpsim::shipped;
use mptcpsim::validate::{self, Comparison};

use super::{Failure, faults, live, print, source, summary};

#[derive(Args)]
pub(super) struct ValidateArgs {
    /// A folder of scenarios; without it the shipped ones
    folder: Option<PathBuf>,
    /// Give a key of every scenario another value
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// How many simulations there are of a scenario, each with a seed of its own
    #[arg(long, default_value_t = 5, value_name = "N")]
    seeds: u64,
    /// How many runs there are between two kernels
    #[arg(long, default_value_t = 3, value_name = "N")]
    repetitions: u64,
    /// The folder for validation.csv and validation.md
    #[arg(long, value_name = "DIR", default_value = "results/validation")]
    out: PathBuf,
}

/// What became of a scenario.
enum Validated {
    Rows(Vec<Comparison>),
    /// It cannot run between kernels.
    Skipped(String, String),
}

pub(super) fn run(args: &ValidateArgs, launcher: &Launcher) -> Result<(), Failure> {
    fs::create_dir_all(&args.out).map_err(Failure::bad_input)?;
    let interrupted = live::interrupted();
    let mut done = Vec::new();
    for name in names(args.folder.as_deref())? {
        done.push(scenario(&name, args, launcher, &interrupted)?);
        if interrupted.load(Ordering::Relaxed) {
            return Err(Failure::failed("interrupted"));
        }
        if let Some(Validated::Rows(rows)) = done.last() {
            print(&format!("{}\n", table(rows)))?;
        }
    }
    for validated in &done {
        if let Validated::Skipped(name, why) = validated {
            print(&format!("{name}: not compared: {why}\n"))?;
        }
    }
    write(&args.out.join("validation.csv"), &csv(&done).map_err(Failure::failed)?)?;
    write(&args.out.join("validation.md"), &markdown(&done, args))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text)
        .map_err(|error| Failure::bad_input(format!("cannot write `{}`: {error}", path.display())))
}

fn names(folder: Option<&Path>) -> Result<Vec<String>, Failure> {
    let Some(folder) = folder else {
        return Ok(shipped::SCENARIOS.iter().map(|shipped| shipped.name.to_owned()).collect());
    };
    let entries = fs::read_dir(folder).map_err(|error| {
        Failure::bad_input(format!("cannot read `{}`: {error}", folder.display()))
    })?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let scenario = |path: &PathBuf| path.extension().is_some_and(|it| it == "toml" || it == "json");
    let mut names: Vec<_> = paths.filter(scenario).map(|path| path.display().to_string()).collect();
    names.sort();
    Ok(names)
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
            .map_err(|found| Failure { message: faults::render(&found), code: super::BAD_INPUT })
    };
    let mut watch = |_| match stop.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let mut kernels = Vec::new();
    for seed in 1..=args.repetitions {
        let plan = with_seed(seed)?;
        match validate::measured(&plan, launcher, &mut watch) {
            Ok((metrics, lateness)) => {
                if !lateness.is_valid() {
                    eprintln!("warning: {name}: packets were late, {} at p99", lateness.p99);
                }
                kernels.push(metrics);
            }
            Err(mptcpsim::live::LiveError::Unfit(why)) => {
                return Ok(Validated::Skipped(plan.name, why));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let simulated = (1..=args.seeds).map(|seed| {
        let plan = with_seed(seed)?;
        validate::simulated(&plan).map_err(Failure::failed)
    });
    let simulated = simulated.collect::<Result<Vec<_>, _>>()?;
    Ok(Validated::Rows(validate::compare(&with_seed(1)?, &simulated, &kernels)))
}

fn table(rows: &[Comparison]) -> String {
    let name = rows.first().map_or("", |row| row.scenario.as_str());
    let mut table = summary::table(&[name, "simulated", "kernels", "tolerance", ""], 1..4);
    for row in rows {
        table.add_row(cells(row));
    }
    summary::finished(&table, 0, "validation.csv")
}

fn cells(row: &Comparison) -> [String; 5] {
    let side = |mean: Option<f64>, deviation: Option<f64>| match (mean, deviation) {
        (Some(mean), Some(deviation)) => format!("{} ± {}", rounded(mean), rounded(deviation)),
        _ => "-".to_owned(),
    };
    [
        row.metric.clone(),
        side(row.simulated_mean, row.simulated_deviation),
        side(row.kernel_mean, row.kernel_deviation),
        rounded(row.tolerance),
        if row.agrees { String::new() } else { "differs".to_owned() },
    ]
}

/// Four digits.
fn rounded(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        large if large >= 10_000.0 => format!("{value:.3e}"),
        large if large >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.3}"),
    }
}

fn csv(done: &[Validated]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for validated in done {
        if let Validated::Rows(rows) = validated {
            rows.iter().try_for_each(|row| writer.serialize(row))?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn markdown(done: &[Validated], args: &ValidateArgs) -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let rows = || {
        done.iter().filter_map(|it| match it {
            Validated::Rows(rows) => Some(rows),
            Validated::Skipped(..) => None,
        })
    };
    let agree = rows().flatten().filter(|row| row.agrees).count();
    let mut text = format!(
        "Linux {}, {} simulations and {} runs between kernels of each scenario: {agree} of {} values agree.\n",
        kernel.trim(),
        args.seeds,
        args.repetitions,
        rows().flatten().count(),
    );
    for rows in rows() {
        let name = rows.first().map_or("", |row| row.scenario.as_str());
        text += &format!(
            "\n## {name}\n\n| metric | simulated | kernels | tolerance | |\n|---|---|---|---|---|\n"
        );
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
