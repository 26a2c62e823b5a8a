//! A run: build the plan, let it happen, sample it, and sum it up.

use std::ops::ControlFlow;
use std::sync::Arc;

use mptcpsim_core::time::Time;
use thiserror::Error;

use crate::build::{AsPlanned, BuildError, Policies};
use crate::capture::{CaptureError, Captures};
use crate::plan::Plan;
use crate::results::{Digest, Listings, Tables};
use crate::session::Session;

/// What a run found out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The tables.
    pub tables: Tables,
    /// SHA-256 over all rows.
    pub digest: Digest,
    /// When it ended, in virtual time.
    pub end: Time,
    /// Sockets and counters as text, if they were asked for.
    pub listings: Listings,
    /// Packets that finished transmission at a queue.
    pub packet_hops: u64,
}

/// Why a run failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The simulation cannot be built.
    #[error("cannot build the simulation: {0}")]
    Build(#[from] BuildError),
    /// A capture cannot be written.
    #[error(transparent)]
    Capture(#[from] CaptureError),
}

/// Runs a plan until its duration is over or all its flows have finished; captures nothing.
///
/// `watch` is told the virtual time now and then; what it does has no influence.
///
/// # Errors
/// If the plan cannot be built.
pub fn run(plan: &Plan, watch: &mut dyn FnMut(Time)) -> Result<Outcome, RunError> {
    run_captured(plan, None, watch)
}

/// As [`run`], and writes what hosts send and receive into `captures`; call
/// [`Captures::finish`] then. Capturing changes no result.
///
/// # Errors
/// If the plan cannot be built or a capture cannot be written.
pub fn run_captured(
    plan: &Plan,
    captures: Option<&mut Captures>,
    watch: &mut dyn FnMut(Time),
) -> Result<Outcome, RunError> {
    run_with(plan, &mut AsPlanned, captures, watch)
}

/// As [`run_captured`], with policies of one's own ([`build_with`](crate::build::build_with)).
///
/// # Errors
/// If the plan cannot be built or a capture cannot be written.
pub fn run_with(
    plan: &Plan,
    policies: &mut dyn Policies,
    captures: Option<&mut Captures>,
    watch: &mut dyn FnMut(Time),
) -> Result<Outcome, RunError> {
    let mut session = Session::new(Arc::new(plan.clone()), policies)?;
    let watch = &mut |time| {
        watch(time);
        ControlFlow::Continue(())
    };
    // Nobody says stop.
    let _ = session.run_until(Time::NEVER, captures, watch)?;
    Ok(session.finish())
}
