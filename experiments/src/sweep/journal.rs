//! What a sweep has done so far: a line per run, in the order in which runs end.
//!
//! A line is written by a single call and is good only with its end, so
//! whatever ends a sweep, the journal holds whole runs and perhaps the
//! beginning of one more, which is cut off.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::queue::{Ahead, Queue};

/// What a run has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The number of the run.
    pub run: u64,
    /// Whether it failed.
    pub failed: bool,
    /// Its lines of `results.csv`.
    pub csv: String,
}

/// Which runs a journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) count: u64,
    pub(super) failed: u64,
    ahead: Ahead,
}

impl Done {
    /// Which of so many runs are missing.
    pub(super) fn missing(&self, runs: u64) -> impl Iterator<Item = u64> + '_ {
        (0..runs).filter(|run| !self.ahead.contains(*run))
    }

    /// The runs that are missing.
    pub(super) fn ahead_from(&self) -> Queue {
        Queue::new(self.ahead.clone())
    }
}

/// The file, open and locked.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
}

impl Journal {
    /// Opens the journal at `path`, makes it if there is none, and cuts off what is no whole run.
    ///
    /// # Errors
    /// If it cannot be read or written, or if another sweep writes it.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Done)> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::ResourceBusy, "another sweep is writing it")
            }
            TryLockError::Error(error) => error,
        })?;
        let mut done = Done::default();
        let mut good = 0;
        let mut lines = Lines::new(&mut file)?;
        while let Some((record, length)) = lines.next_record()? {
            done.count += u64::from(!done.ahead.contains(record.run));
            done.failed += u64::from(record.failed);
            done.ahead.insert(record.run);
            good += length;
        }
        file.set_len(good)?;
        file.seek(SeekFrom::End(0))?;
        Ok((Self { file }, done))
    }

    /// Adds a run.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }

    /// Calls `each` with all runs in order.
    pub(super) fn in_order<E: From<io::Error>>(
        &mut self,
        each: &mut dyn FnMut(Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut lines = Lines::new(&mut self.file)?;
        let mut early = BTreeMap::new();
        let mut next = 0;
        while let Some((record, _)) = lines.next_record()? {
            early.insert(record.run, record);
            while let Some(record) = early.remove(&next) {
                next += 1;
                each(record)?;
            }
        }
        Ok(())
    }
}

/// The whole lines of a journal.
struct Lines<'a> {
    file: BufReader<&'a mut File>,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn new(file: &'a mut File) -> io::Result<Self> {
        file.rewind()?;
        Ok(Self { file: BufReader::new(file), line: Vec::new() })
    }

    /// The next run and the length of its line; none at the end, or where the file is no journal any more.
    fn next_record(&mut self) -> io::Result<Option<(Record, u64)>> {
        self.line.clear();
        let length = self.file.by_ref().read_until(b'\n', &mut self.line)?;
        let whole = self.line.last() == Some(&b'\n');
        let record = serde_json::from_slice(&self.line).ok().filter(|_| whole);
        Ok(record.map(|record| (record, length as u64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(run: u64) -> Record {
        Record { run, failed: run == 3, csv: format!("{run},\"a\nb\"\n") }
    }

    fn order(journal: &mut Journal) -> Vec<u64> {
        let mut order = Vec::new();
        let mut each = |record: Record| {
            order.push(record.run);
            Ok::<_, io::Error>(())
        };
        journal.in_order(&mut each).unwrap();
        order
    }

    #[test]
    fn whatever_is_cut_off_whole_runs_remain() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("journal");
        let (mut journal, done) = Journal::open(&path).unwrap();
        assert_eq!(done, Done::default());
        for run in [1, 0, 3, 2] {
            journal.append(&record(run)).unwrap();
        }
        assert_eq!(order(&mut journal), [0, 1, 2, 3]);
        assert!(Journal::open(&path).unwrap_err().to_string().contains("another sweep"));
        drop(journal);
        let bytes = std::fs::read(&path).unwrap();
        for length in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let (mut journal, done) = Journal::open(&path).unwrap();
            let whole = bytes[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
            assert_eq!((done.count, done.failed), (whole, u64::from(whole >= 3)));
            let missing = done.ahead_from();
            while let Some(run) = missing.next(4) {
                journal.append(&record(run)).unwrap();
            }
            assert_eq!(order(&mut journal), [0, 1, 2, 3], "cut after {length} bytes");
        }
    }
}
