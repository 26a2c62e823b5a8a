//! A run: build the plan, let it happen, sample it, and sum it up.

use mptcpsim_core::time::Time;
use thiserror::Error;

use crate::build::{BuildError, build};
use crate::observe::Observer;
use crate::plan::Plan;
use crate::results::{Digest, Recorder, Tables};

/// What a run found out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The tables.
    pub tables: Tables,
    /// SHA-256 over all rows.
    pub digest: Digest,
    /// When it ended, in virtual time.
    pub end: Time,
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
    /// Captures were asked for.
    #[error("packets cannot be captured: run without --pcap and without `record.pcap`")]
    Capture,
}

/// Runs a plan until its duration is over or all its flows have finished.
///
/// `watch` is told the virtual time now and then; what it does has no influence.
///
/// # Errors
/// If the plan cannot be built.
pub fn run(plan: &Plan, watch: &mut dyn FnMut(Time)) -> Result<Outcome, RunError> {
    if plan.record.pcap {
        return Err(RunError::Capture);
    }
    // Events enter the digest, whether they are written down or not.
    let mut simulation = build(plan, true)?;
    let mut recorder = Recorder::new(&plan.record.tables);
    let mut observer = Observer::new(plan, simulation.net());
    let end = Time::ZERO + plan.duration;
    let flows = simulation.hosts().flow_count();
    let mut going_on = true;
    while going_on && simulation.now() < end {
        let next = (simulation.now() + plan.record.interval).min(end);
        going_on = simulation.run_while(next, |world| world.finished_flows() < flows);
        observer.sample(&mut simulation, &mut recorder);
        watch(simulation.now());
    }
    observer.sum_up(&simulation, &mut recorder);
    let (tables, digest) = recorder.finish();
    let packet_hops = simulation.packet_hops();
    Ok(Outcome { tables, digest, end: simulation.now(), packet_hops })
}
