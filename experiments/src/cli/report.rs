//! `mptcpsim report`: a run or a sweep as one page of HTML.

use std::path::{Path, PathBuf};

use clap::Args;
use mptcpsim::report;
use mptcpsim::results::WriteError;

use super::{Failure, ScenarioArgs, plan, print};

#[derive(Args)]
pub(super) struct ReportArgs {
    /// A folder that `run` or `sweep` has written, or a scenario to run: a TOML or JSON file, or the name of
    /// a shipped one
    results: String,
    #[command(flatten)]
    values: ScenarioArgs,
    /// The file to write; without it `report.html` in the folder, or the name of the scenario and `.html`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &ReportArgs) -> Result<(), Failure> {
    let folder = Path::new(&args.results);
    let (page, wanted) = if folder.is_dir() {
        if args.values.any() {
            let why = "--set, --seed and --duration are for scenarios; results are what they are";
            return Err(Failure::bad_input(why));
        }
        (report::of_folder(folder).map_err(Failure::bad_input)?, folder.join("report.html"))
    } else {
        let plan = plan(Some(&args.results), &args.values, &[])?;
        let wanted = PathBuf::from(format!("{}.html", plan.name));
        (report::of_plan(&plan).map_err(Failure::failed)?, wanted)
    };
    let file = args.out.clone().unwrap_or(wanted);
    std::fs::write(&file, page)
        .map_err(|source| WriteError::Write { path: file.clone(), source })?;
    print(&format!("{}\n", file.display()))
}
