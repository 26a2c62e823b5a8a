//! `mptcpsim theory`: what fluid models expect, beside what the simulation gave.

use clap::Args;
use mptcpsim::run;
use mptcpsim::theory::{Theory, theory};

use super::{Failure, ScenarioArgs, plan, print};

#[derive(Args)]
pub(super) struct TheoryArgs {
    /// A TOML or JSON file, or the name of a shipped scenario; it is run
    scenario: String,
    #[command(flatten)]
    values: ScenarioArgs,
}

pub(super) fn run(args: &TheoryArgs) -> Result<(), Failure> {
    let plan = plan(Some(&args.scenario), &args.values, &[])?;
    let outcome = run::run(&plan, &mut |_| ()).map_err(Failure::failed)?;
    match theory(&plan, &outcome.tables) {
        Ok(found) => print(&text(&found)),
        Err(reasons) => {
            let reasons = reasons.iter().map(|reason| format!("  {reason}\n")).collect::<String>();
            print(&format!("Theory has no equilibrium for {}:\n{reasons}", plan.name))
        }
    }
}

fn text(theory: &Theory) -> String {
    let mut text = format!(
        "{:<12} {:<10} {:<10} {:>8} {:>8} {:>12} {:>12} {:>7}\n",
        "flow", "path", "model", "rtt ms", "loss %", "theory Mb/s", "run Mb/s", "ratio"
    );
    for it in &theory.subflows {
        let ratio = it.simulated_bps / it.expected_bps;
        text += &format!(
            "{:<12} {:<10} {:<10} {:>8.1} {:>8.3} {:>12.3} {:>12.3} {:>7.2}\n",
            it.flow,
            it.path,
            it.model.name(),
            1e3 * it.rtt_s,
            100.0 * it.loss,
            it.expected_bps / 1e6,
            it.simulated_bps / 1e6,
            ratio
        );
    }
    let sum = |rate: fn(&mptcpsim::theory::Expectation) -> f64| {
        theory.subflows.iter().map(rate).sum::<f64>() / 1e6
    };
    let (expected, simulated) = (sum(|it| it.expected_bps), sum(|it| it.simulated_bps));
    text += &format!(
        "{:<51} {expected:>12.3} {simulated:>12.3} {:>7.2}\n",
        "total",
        simulated / expected
    );
    if !theory.totals.is_empty() {
        text += "\nAll MPTCP connections with each algorithm, in theory:\n";
    }
    for (model, total) in &theory.totals {
        text += &format!("  {:<12} {:>10.3} Mb/s\n", model.name(), total / 1e6);
    }
    text
}
