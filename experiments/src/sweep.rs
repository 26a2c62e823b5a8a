//! Sweeps: one scenario, many configurations, many seeds.
//!
//! A [`Design`] knows every run by its number. [`run`] simulates them on all
//! cores and writes down each one as it ends; once all are there, their rows
//! are put in the order of the design:
//!
//! ```text
//! Design ─► workers ─► journal (as they end) ─► results.csv, results.parquet, summary.csv
//!              ▲            │
//!              └─ resume ◄──┘  a sweep that was ended, however roughly, loses the runs in flight
//! ```
//!
//! All configurations run with the same seeds, and random streams go by name
//! (common random numbers): two configurations differ by what was varied and
//! not by their luck.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! use mptcpsim::sweep::{Design, Options, run};
//!
//! let scenario = mptcpsim::shipped::find("wifi-lte").unwrap();
//! let vary = mptcpsim::check::Override::vary("links.wifi.delay=[\"15 ms\", \"60 ms\"]");
//! let design = Design::of(&scenario.source(), &[vary])?;
//! let done = run(&design, "results/delay".as_ref(), &Options::default(), &mut |progress| {
//!     eprintln!("{} of {}", progress.done, progress.runs);
//!     ControlFlow::Continue(())
//! })?;
//! println!("{} runs, {} failed", done.runs, done.failed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod design;
mod elsewhere;
mod folder;
mod journal;
mod parquet;
mod queue;
mod span;
mod statistics;
mod tables;
mod worker;

use std::io;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use thiserror::Error;

use folder::Folder;
use queue::Queue;
use worker::Worker;

pub use design::{Design, Run};
pub use elsewhere::{Elsewhere, columns, simulate};
pub use folder::SweepManifest;
pub use journal::Record;
pub use statistics::{ALL_FLOWS, Estimate, SummaryLine, read_summary};
pub use tables::Kind;

pub(crate) use span::Span;

/// More runs than a sweep can have.
pub const MAX_RUNS: u64 = 100_000_000;

/// How long the caller's function waits at most for its next call.
const PATIENCE: Duration = Duration::from_millis(100);

/// How a sweep is carried out; none of it changes a result.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How many runs are simulated at a time; without it as many as there are processors.
    pub jobs: Option<NonZeroUsize>,
    /// Continue what an earlier sweep of the same design has left in the folder.
    pub resume: bool,
    /// Write the folder of each run, too, as `runs/NUMBER`.
    pub keep_runs: bool,
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Runs that have ended, those of an earlier session included.
    pub done: u64,
    /// Runs that an earlier session has left.
    pub resumed: u64,
    /// Of those that have ended: runs that failed.
    pub failed: u64,
    /// All runs.
    pub runs: u64,
}

/// What a complete sweep has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The folder of the results.
    pub folder: PathBuf,
    /// How many runs there are.
    pub runs: u64,
    /// How many of them an earlier session had done.
    pub resumed: u64,
    /// How many failed; their rows say why.
    pub failed: u64,
}

/// Why a sweep ends early.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SweepError {
    /// A file or folder cannot be written or read.
    #[error("cannot write `{}`: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder cannot be used.
    #[error("`{}` {why}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A table cannot be written.
    #[error("cannot write `{}`: {why}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The journal cannot be read.
    #[error("cannot read the journal: {0}")]
    Journal(#[from] io::Error),
    /// The threads of the runs cannot be started.
    #[error("cannot start the threads of the sweep: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The caller wanted no more; what was done is kept, and `resume` goes on from there.
    #[error("stopped after {} of {} runs", .0.done, .0.runs)]
    Stopped(Progress),
}

/// Simulates all runs of `design` and writes their results into `folder`.
///
/// `progress` is called by this thread, after every run and at least ten times per second; it can end the
/// sweep.
///
/// # Errors
/// If something cannot be written, or if `progress` ends the sweep. A run that fails is no error but a row.
pub fn run(
    design: &Design,
    folder: &Path,
    options: &Options,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Finished, SweepError> {
    let mut folder = Folder::open(folder, design, options)?;
    let done = folder.done();
    let mut so_far = Progress {
        done: done.count,
        resumed: done.count,
        failed: done.failed,
        runs: design.runs(),
    };
    if !folder.is_complete() {
        simulate_all(design, &mut folder, done.ahead_from(), options, &mut so_far, progress)?;
        folder.finish(design)?;
    }
    Ok(Finished {
        folder: folder.path().to_owned(),
        runs: so_far.runs,
        resumed: so_far.resumed,
        failed: so_far.failed,
    })
}

fn simulate_all(
    design: &Design,
    folder: &mut Folder,
    queue: Queue,
    options: &Options,
    so_far: &mut Progress,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<(), SweepError> {
    let jobs = options.jobs.map_or(0, NonZeroUsize::get);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build()?;
    let stop = AtomicBool::new(false);
    let runs = folder.runs();
    let stops = [&stop];
    let worker = Worker::new(design, runs.as_deref(), &stops);
    let (queue, worker) = (&queue, &worker);
    let (sender, records) = sync_channel(pool.current_num_threads());
    let outcome = pool.in_place_scope(|scope| {
        for _ in 0..pool.current_num_threads() {
            let sender = sender.clone();
            scope.spawn(move |_| {
                while let Some(run) = queue.next(design.runs()) {
                    let Some(record) = worker.run(run) else { return };
                    if sender.send(record).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut collect = || {
            loop {
                match records.recv_timeout(PATIENCE) {
                    Ok(record) => {
                        folder.append(&record)?;
                        queue.done(record.run);
                        so_far.done += 1;
                        so_far.failed += u64::from(record.failed);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                }
                if progress(*so_far).is_break() {
                    return Err(SweepError::Stopped(*so_far));
                }
            }
        };
        let outcome = collect();
        // Whatever the reason, nobody listens any more.
        stop.store(true, Ordering::Relaxed);
        queue.stop();
        drop(records);
        outcome
    });
    match outcome {
        Ok(()) if so_far.done < so_far.runs => Err(SweepError::Stopped(*so_far)),
        outcome => outcome,
    }
}
