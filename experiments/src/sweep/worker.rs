//! One run of a sweep: from its number to its lines of `results.csv`.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mptcpsim_core::time::Time;

use super::design::{Design, Run};
use super::journal::Record;
use super::tables;
use crate::build::{AsPlanned, Policies};
use crate::plan::Plan;
use crate::results::{Manifest, ResultFolder, WriteError};
use crate::run::Outcome;
use crate::session::Session;

/// Simulates runs.
pub(super) struct Worker<'a> {
    design: &'a Design,
    /// Where the folders of runs are kept, if they are.
    folder: Option<&'a Path>,
    /// What says stop.
    stop: &'a [&'a AtomicBool],
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        design: &'a Design,
        folder: Option<&'a Path>,
        stop: &'a [&'a AtomicBool],
    ) -> Self {
        Self { design, folder, stop }
    }

    /// What became of a run; none if it was stopped.
    pub(super) fn run(&self, number: u64) -> Option<Record> {
        self.run_with(number, &mut AsPlanned)
    }

    /// The same, with policies of one's own.
    pub(super) fn run_with(&self, number: u64, policies: &mut dyn Policies) -> Option<Record> {
        let run = self.design.run(number);
        // Nothing of a simulation that panicked is used again.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.simulate(&run, policies)));
        let outcome = match outcome {
            Ok(Ok(outcome)) => Ok(outcome?),
            Ok(Err(why)) => Err(why),
            Err(panic) => Err(format!("the simulator panicked: {}", message(&*panic))),
        };
        Some(match outcome {
            Ok(outcome) => Record {
                run: number,
                failed: false,
                csv: tables::rows(&run, &outcome.tables.summary),
            },
            Err(why) => Record { run: number, failed: true, csv: tables::failure(&run, &why) },
        })
    }

    /// None if the run was stopped.
    fn simulate(&self, run: &Run, policies: &mut dyn Policies) -> Result<Option<Outcome>, String> {
        let mut plan = self.design.plan(run).map_err(failed)?;
        if self.folder.is_none() {
            plan.record.tables.clear();
        }
        let plan = Arc::new(plan);
        let start = now();
        let mut session = Session::new(Arc::clone(&plan), policies).map_err(failed)?;
        let watch = &mut |_| match self.stop.iter().any(|stop| stop.load(Ordering::Relaxed)) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        if session.run_until(Time::NEVER, None, watch).map_err(failed)?.is_break() {
            return Ok(None);
        }
        let outcome = session.finish();
        if let Some(folder) = self.folder {
            let folder = folder.join(run.run.to_string());
            write(&folder, &plan, &outcome, start.elapsed()).map_err(failed)?;
        }
        Ok(Some(outcome))
    }
}

fn write(folder: &Path, plan: &Plan, outcome: &Outcome, wall: Duration) -> Result<(), WriteError> {
    let folder = ResultFolder::prepare(folder)?;
    folder.write_run(plan, &outcome.tables)?;
    folder.write_listings(&outcome.listings)?;
    folder.write_manifest(&Manifest::of(plan, outcome, wall))?;
    folder.publish().map(drop)
}

/// An error as a cell of a table: in one line.
fn failed(error: impl std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[allow(clippy::disallowed_methods, reason = "how long a run takes is told, and enters no result")]
fn now() -> Instant {
    Instant::now()
}
