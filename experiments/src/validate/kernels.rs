//! A run between two kernels of this machine.

use std::ops::ControlFlow;
use std::sync::Arc;

use mptcpsim_core::time::Time;

use super::metrics::{Metrics, Observation};
use crate::build::AsPlanned;
use crate::launcher::Launcher;
use crate::live::{self, Lateness, LiveError, Side, Sides};
use crate::plan::Plan;
use crate::session::Session;

/// How a run of `plan` between two real kernels went, how late packets were, and what could not be set.
///
/// # Errors
/// If the plan cannot be run like that, or the system does not let it.
pub fn measured(
    plan: &Plan,
    launcher: &Launcher,
    watch: &mut dyn FnMut(Time) -> ControlFlow<()>,
) -> Result<(Metrics, Lateness, Vec<String>), LiveError> {
    let observation = Observation::new(plan);
    let mut captures = observation.captures();
    let sides = Sides { client: Side::Kernel, server: Side::Kernel };
    let session = Session::new(Arc::new(plan.clone()), &mut AsPlanned)?;
    let done = live::run(session, sides, launcher, Some(&mut captures), watch)?;
    let problems = done.kernels.into_iter().flat_map(|kernel| kernel.problems).collect();
    Ok((observation.metrics(plan, &done.outcome.tables), done.lateness, problems))
}
