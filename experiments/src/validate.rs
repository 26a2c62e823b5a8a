//! The same scenario simulated and between two real kernels, side by side.
//!
//! The simulation is run with several seeds, the kernels run several times over the same links in
//! real time. What is compared is counted in the same way on both sides: by the applications, from
//! the packets that hosts send and receive, and from the counters. Scenarios that were measured
//! elsewhere stand in [`mod@reference`].

mod compare;
#[cfg(target_os = "linux")]
mod kernels;
mod metrics;
pub mod reference;

pub use self::compare::{Comparison, Spread, compare, headline, rounded};
#[cfg(target_os = "linux")]
pub use self::kernels::measured;
pub use self::metrics::Metrics;

use self::metrics::Observation;
use crate::plan::Plan;
use crate::run::{RunError, run_captured};

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
