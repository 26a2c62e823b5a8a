//! The same scenario simulated and between two real kernels, side by side.
//!
//! The simulation is run with several seeds, the kernels run several times over the same links in
//! real time. What is compared is counted in the same way on both sides: by the applications, from
//! the packets that hosts send and receive, and from the counters.

mod compare;
mod metrics;

use std::ops::ControlFlow;
use std::sync::Arc;

use mptcpsim_core::time::Time;

pub use self::compare::{Comparison, Spread, compare};
pub use self::metrics::Metrics;

use self::metrics::Observation;
use crate::build::AsPlanned;
use crate::launcher::Launcher;
use crate::live::{self, Lateness, LiveError, Side, Sides};
use crate::plan::Plan;
use crate::run::{RunError, run_captured};
use crate::session::Session;

/// How a simulation of `plan` went.
///
/// # Errors
/// If the plan cannot be built.
pub fn simulated(plan: &Plan) -> Result<Metrics, RunError> {
    let observation = Observation::new(plan);
    let mut captures = observation.captures();
    let outcome = run_captured(plan, Some(&mut captures), &mut |_| ())?;
    Ok(observation.metrics(plan, &outcome.tables))
}

/// How a run of `plan` between two real kernels went, and how late packets were.
///
/// # Errors
/// If the plan cannot be run like that, or the system does not let it.
pub fn measured(
    plan: &Plan,
    launcher: &Launcher,
    watch: &mut dyn FnMut(Time) -> ControlFlow<()>,
) -> Result<(Metrics, Lateness), LiveError> {
    let observation = Observation::new(plan);
    let mut captures = observation.captures();
    let sides = Sides { client: Side::Kernel, server: Side::Kernel };
    let session = Session::new(Arc::new(plan.clone()), &mut AsPlanned)?;
    let done = live::run(session, sides, launcher, Some(&mut captures), watch)?;
    Ok((observation.metrics(plan, &done.outcome.tables), done.lateness))
}
