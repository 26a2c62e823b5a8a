//! A run: build the plan, let it happen, sample it, and sum it up.

use mptcpsim_core::sim::Simulation;
use mptcpsim_core::time::Time;
use mptcpsim_models::host::{Tap, World};
use thiserror::Error;

use crate::build::{BuildError, Policies, build_with};
use crate::capture::{self, CaptureError, Captures};
use crate::observe::Observer;
use crate::plan::Plan;
use crate::results::{Digest, Listings, Recorder, Tables};

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
    run_with(plan, &mut |_, _| (), captures, watch)
}

/// As [`run_captured`], with policies of one's own ([`build_with`]).
///
/// # Errors
/// If the plan cannot be built or a capture cannot be written.
pub fn run_with(
    plan: &Plan,
    policies: &mut Policies<'_>,
    mut captures: Option<&mut Captures>,
    watch: &mut dyn FnMut(Time),
) -> Result<Outcome, RunError> {
    // Events enter the digest, whether they are written down or not.
    let mut simulation = build_with(plan, true, policies)?;
    let mut recorder = Recorder::new(&plan.record.tables);
    let mut observer = Observer::new(plan, simulation.net());
    let tap = Tap::new(captures.is_some()).at_most(capture::WAITING);
    simulation.hosts_mut().set_tap(if plan.record.options { tap.with_options() } else { tap });
    let end = Time::ZERO + plan.duration;
    let mut listings = Listings::default();
    let mut list_at = plan.record.ss_at.iter().copied().peekable();
    let mut going_on = true;
    while going_on && simulation.now() < end {
        let next = (simulation.now() + plan.record.interval).min(end);
        while let Some(at) = list_at.next_if(|at| going_on && *at <= next) {
            going_on = advance(&mut simulation, at, captures.as_deref_mut())?;
            listings.sockets(simulation.now(), simulation.hosts());
        }
        if going_on {
            going_on = advance(&mut simulation, next, captures.as_deref_mut())?;
        }
        observer.sample(&mut simulation, &mut recorder);
        watch(simulation.now());
    }
    observer.sum_up(&simulation, &mut recorder);
    let (tables, digest) = recorder.finish();
    if plan.record.ss {
        listings.sockets(simulation.now(), simulation.hosts());
    }
    if plan.record.nstat {
        listings.counters(simulation.hosts());
    }
    let packet_hops = simulation.packet_hops();
    Ok(Outcome { tables, digest, end: simulation.now(), listings, packet_hops })
}

/// Lets the simulation go on until `next`, or until all flows have finished; then returns false.
fn advance(
    simulation: &mut Simulation<World>,
    next: Time,
    mut captures: Option<&mut Captures>,
) -> Result<bool, RunError> {
    let flows = simulation.hosts().flow_count();
    loop {
        let arrived = simulation
            .run_while(next, |world| world.finished_flows() < flows && !world.tap_is_full());
        if let Some(captures) = captures.as_deref_mut() {
            captures.write(simulation.hosts_mut().tap())?;
        }
        if arrived || simulation.hosts().finished_flows() >= flows {
            return Ok(arrived);
        }
    }
}
