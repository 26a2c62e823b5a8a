//! `mptcpsim capable`: would MPTCP survive these paths?

use clap::Args;
use mptcpsim::capable::capable;

use super::{Failure, ScenarioArgs, plan, print};

#[derive(Args)]
pub(super) struct CapableArgs {
    /// A TOML or JSON file, or the name of a shipped scenario
    scenario: String,
    #[command(flatten)]
    values: ScenarioArgs,
}

pub(super) fn run(args: &CapableArgs) -> Result<(), Failure> {
    let plan = plan(Some(&args.scenario), &args.values, &[])?;
    let verdicts = capable(&plan).map_err(Failure::failed)?;
    if verdicts.is_empty() {
        return Err(Failure::bad_input("the scenario has no flow whose hosts could be tried"));
    }
    print(&verdicts.iter().map(|verdict| format!("{verdict}\n")).collect::<String>())
}
