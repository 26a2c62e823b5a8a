//! `mptcpsim explain`: why was this run no faster?

use std::path::Path;

use clap::Args;
use mptcpsim::check::Override;
use mptcpsim::explain::{Explanation, Holdup, explain};
use mptcpsim::plan::Plan;

use super::{Failure, ScenarioArgs, plan, print};

/// A receive buffer that no path of a phone fills.
const AMPLE: &str = "64 MB";
/// A loss of time that makes another run worth while.
const MUCH: f64 = 0.05;

#[derive(Args)]
pub(super) struct ExplainArgs {
    /// A TOML or JSON file, the name of a shipped scenario, or a folder that `run` has written; it is run
    /// again
    scenario: String,
    #[command(flatten)]
    values: ScenarioArgs,
    /// Explain at most so many flows; both directions of a flow count if much data went in both
    #[arg(long, value_name = "N", default_value_t = 5)]
    flows: usize,
}

pub(super) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let folder = Path::new(&args.scenario).join("scenario.toml");
    let written = if folder.is_file() { folder.to_str() } else { None };
    let name = written.unwrap_or(&args.scenario);
    let plan = plan(Some(name), &args.values, &[])?;
    let explanations = explained(&plan)?;
    let mut text = String::new();
    for explanation in explanations.iter().take(args.flows) {
        text += &format!("{}\n", explanation.text());
    }
    if let Some(left) = explanations.len().checked_sub(args.flows).filter(|left| *left > 0) {
        text += &format!("and {left} more flows: --flows shows them\n");
    }
    text += &what_if(args, name, &plan, &explanations)?;
    print(&text)
}

fn explained(plan: &Plan) -> Result<Vec<Explanation>, Failure> {
    explain(plan).map(|(explanations, _)| explanations).map_err(Failure::failed)
}

/// The run again with ample receive buffers, if those seem to be to blame.
fn what_if(
    args: &ExplainArgs,
    name: &str,
    before: &Plan,
    explanations: &[Explanation],
) -> Result<String, Failure> {
    let blamed = [Holdup::HeadOfLine, Holdup::ReceiveWindow];
    let lost = |it: &Explanation| {
        let spans = it.paths.iter().flat_map(|path| blamed.map(|holdup| path.time(holdup)));
        spans.max().is_some_and(|span| span.as_secs_f64() > MUCH * it.time.as_secs_f64())
    };
    // The flows of a topology have no keys.
    if before.scenario().topology.is_some() || !explanations.iter().any(lost) {
        return Ok(String::new());
    }
    let declared = before.flow_numbers();
    let overrides = (0..=declared.iter().copied().max().unwrap_or(0))
        .map(|flow| Override::set(&format!("flows.{flow}.receive_buffer=\"{AMPLE}\"")));
    let again = plan(Some(name), &args.values, &overrides.collect::<Vec<_>>())?;
    let mut text = format!("With receive buffers of {AMPLE}:\n");
    let after = explained(&again)?;
    let same = |a: &Explanation, b: &Explanation| (&a.flow, &a.sender) == (&b.flow, &b.sender);
    for before in explanations.iter().take(args.flows) {
        let Some(after) = after.iter().find(|after| same(before, after)) else { continue };
        text += &format!(
            "- {}: {:.1} Mbit/s in place of {:.1} Mbit/s\n",
            before.title(),
            after.goodput_bps / 1e6,
            before.goodput_bps / 1e6
        );
    }
    Ok(text)
}
