//! Sweeps whose runs are simulated elsewhere: in other processes, or on other machines.
//!
//! Whoever simulates needs the design and the number of a run; what a run has left is one line or a
//! few, and goes back to where the folder is. The results are those of a sweep on one machine.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::design::Design;
use super::folder::Folder;
use super::journal::Record;
use super::tables::{self, Kind};
use super::worker::Worker;
use super::{Finished, Options, SweepError};
use crate::build::Policies;

/// Names and kinds of the columns of `results.csv`.
pub fn columns(design: &Design) -> Vec<(String, Kind)> {
    tables::columns(design).into_iter().map(|column| (column.name, column.kind)).collect()
}

/// What becomes of a run; none if one of `stop` was set meanwhile.
pub fn simulate(
    design: &Design,
    run: u64,
    policies: &mut dyn Policies,
    stop: &[&AtomicBool],
) -> Option<Record> {
    Worker::new(design, None, stop).run_with(run, policies)
}

/// The folder of a sweep whose runs are simulated elsewhere.
pub struct Elsewhere<'a> {
    design: &'a Design,
    folder: Folder,
}

impl<'a> Elsewhere<'a> {
    /// Makes the folder, or with `resume` goes on with what is there.
    ///
    /// # Errors
    /// If the folder cannot be written, or holds something else.
    pub fn open(design: &'a Design, folder: &Path, resume: bool) -> Result<Self, SweepError> {
        let options = Options { resume, ..Options::default() };
        Ok(Self { design, folder: Folder::open(folder, design, &options)? })
    }

    /// The runs that have to be simulated.
    pub fn missing(&self) -> Vec<u64> {
        if self.folder.is_complete() {
            return Vec::new();
        }
        self.folder.done().missing(self.design.runs()).collect()
    }

    /// Takes what a run has left, in any order; it is kept at once.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn take(&mut self, record: &Record) -> Result<(), SweepError> {
        self.folder.append(record)
    }

    /// Writes the tables, once all runs are there.
    ///
    /// # Errors
    /// If something cannot be written.
    pub fn finish(mut self) -> Result<Finished, SweepError> {
        let resumed = self.folder.done().count;
        if !self.folder.is_complete() {
            self.folder.finish(self.design)?;
        }
        Ok(Finished {
            folder: self.folder.path().to_owned(),
            runs: self.design.runs(),
            resumed,
            failed: self.folder.done().failed,
        })
    }
}
