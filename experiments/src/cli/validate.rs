//! `mptcpsim validate`: simulations beside real kernels.

#[cfg(target_os = "linux")]
mod kernels;
mod measured;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use mptcpsim::launcher::Launcher;
use mptcpsim::validate::reference::REFERENCES;
use mptcpsim::validate::{Comparison, rounded};

use super::{Failure, print, summary};

#[derive(Args)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "what concerns real kernels is said to be missing")
)]
pub(super) struct ValidateArgs {
    /// A folder of scenarios, run simulated and between two kernels; without it the shipped ones
    folder: Option<PathBuf>,
    /// Compare with what was measured on a kernel elsewhere, in place of running kernels here
    #[arg(
        long,
        value_name = "KERNEL",
        value_parser = PossibleValuesParser::new(REFERENCES.map(|reference| reference.name)),
        conflicts_with_all = ["folder", "set", "seeds", "repetitions"]
    )]
    measured: Option<String>,
    /// Only scenarios whose names contain this; can be given several times
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Give a key of every scenario another value
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// How many simulations there are of a scenario, each with a seed of its own
    #[arg(long, default_value_t = 5, value_name = "N")]
    seeds: u64,
    /// How many runs there are between two kernels
    #[arg(long, default_value_t = 3, value_name = "N")]
    repetitions: u64,
    /// The folder for validation.csv, validation.md and plots
    #[arg(long, value_name = "DIR", default_value = "results/validation")]
    out: PathBuf,
    /// Draw no plots
    #[arg(long)]
    no_plots: bool,
}

/// What is written into the folder.
struct Report {
    rows: Vec<Comparison>,
    markdown: String,
    /// Misses that nobody expects.
    failed: Option<String>,
}

pub(super) fn run(args: &ValidateArgs, launcher: &Launcher) -> Result<(), Failure> {
    fs::create_dir_all(&args.out).map_err(Failure::bad_input)?;
    let reference = REFERENCES.iter().find(|it| args.measured.as_deref() == Some(it.name));
    let report = match reference {
        Some(reference) => measured::run(reference, args)?,
        #[cfg(target_os = "linux")]
        None => kernels::run(args, launcher)?,
        #[cfg(not(target_os = "linux"))]
        None => {
            let _ = launcher;
            let why = "two real kernels run on Linux only; `--measured` works everywhere";
            return Err(Failure::bad_input(why));
        }
    };
    write(&args.out.join("validation.csv"), &csv(&report.rows).map_err(Failure::failed)?)?;
    write(&args.out.join("validation.md"), &report.markdown)?;
    if !args.no_plots {
        mptcpsim::plot::plot(&args.out).map_err(Failure::failed)?;
    }
    print(&format!("files   {}\n", args.out.display()))?;
    report.failed.map_or(Ok(()), |why| Err(Failure::failed(why)))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text)
        .map_err(|error| Failure::bad_input(format!("cannot write `{}`: {error}", path.display())))
}

impl ValidateArgs {
    /// Whether a scenario of this name is wanted.
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|text| name.contains(text.as_str()))
    }

    fn nothing_wanted(&self) -> Failure {
        Failure::bad_input(format!("no scenario has `{}` in its name", self.only.join("` or `")))
    }
}

/// All values of a scenario.
fn table(rows: &[Comparison]) -> String {
    let name = rows.first().map_or("", |row| row.scenario.as_str());
    let mut table = summary::table(&[name, "simulated", "kernels", "tolerance", ""], 1..4);
    for row in rows {
        table.add_row(cells(row));
    }
    summary::finished(&table, 0, "validation.csv")
}

fn cells(row: &Comparison) -> [String; 5] {
    let verdict = match (row.agrees, &row.cause) {
        (true, _) => String::new(),
        (false, None) => "differs".to_owned(),
        (false, Some(cause)) => format!("differs: {cause}"),
    };
    let tolerance = rounded(row.tolerance);
    [row.metric.clone(), row.simulated(), row.kernel(), tolerance, verdict]
}

fn csv(rows: &[Comparison]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row))?;
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
