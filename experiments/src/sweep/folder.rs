//! The folder of a sweep, while it is being filled and afterwards.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::design::Design;
use super::journal::{Done, Journal, Record};
use super::tables::{FILES, Tables, part};
use super::{Options, SweepError};
use crate::results::{JOURNAL, MANIFEST, is_occupied};
use crate::scenario::Sweep;

/// What a sweep was, for programs and for whoever repeats it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepManifest {
    /// The name of the scenario.
    pub name: String,
    /// The version of mptcpsim.
    pub version: String,
    /// SHA-256 over the scenario, the files that it names, and the design.
    pub digest: String,
    /// The design, as the scenario has it.
    pub sweep: Sweep,
    /// The keys that vary, in the order of their columns.
    pub keys: Vec<String>,
    /// How many different configurations there are.
    pub configurations: u64,
    /// How many seeds each of them runs with.
    pub seeds: u64,
    /// How many runs there are.
    pub runs: u64,
    /// How many of them failed; only a complete sweep knows.
    pub failed: Option<u64>,
    /// Whether all runs are done.
    pub complete: bool,
}

impl SweepManifest {
    fn new(design: &Design) -> Self {
        Self {
            name: design.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            digest: design.digest(),
            sweep: design.sweep().clone(),
            keys: design.keys().collect(),
            configurations: design.configurations(),
            seeds: design.seeds(),
            runs: design.runs(),
            failed: None,
            complete: false,
        }
    }

    /// The manifest of the sweep in `folder`; none if it holds no sweep.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(MANIFEST)).ok()?).ok()
    }
}

/// The folder of a sweep.
pub(super) struct Folder {
    path: PathBuf,
    manifest: SweepManifest,
    /// None once the sweep is complete.
    journal: Option<Journal>,
    done: Done,
    runs: Option<PathBuf>,
}

impl Folder {
    /// Makes the folder, or goes on with what is there.
    pub(super) fn open(
        path: &Path,
        design: &Design,
        options: &Options,
    ) -> Result<Self, SweepError> {
        let manifest = SweepManifest::new(design);
        let runs = options.keep_runs.then(|| path.join("runs"));
        let mut folder =
            Self { path: path.to_owned(), manifest, journal: None, done: Done::default(), runs };
        let earlier = if options.resume { folder.earlier()? } else { None };
        match earlier {
            Some(earlier) if earlier.complete => {
                folder.done.count = earlier.runs;
                folder.done.failed = earlier.failed.unwrap_or_default();
                folder.manifest = earlier;
                folder.remove_journal()?;
                return Ok(folder);
            }
            Some(_) => {}
            None => folder.begin(design)?,
        }
        let journal = folder.path.join(JOURNAL);
        let (opened, done) = Journal::open(&journal).map_err(|source| at(&journal, source))?;
        folder.journal = Some(opened);
        folder.done = done;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn done(&self) -> Done {
        self.done.clone()
    }

    /// Where the folders of runs go, if they are kept.
    pub(super) fn runs(&self) -> Option<PathBuf> {
        self.runs.clone()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.manifest.complete
    }

    /// Notes what a run has left.
    pub(super) fn append(&mut self, record: &Record) -> Result<(), SweepError> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        self.done.failed += u64::from(record.failed);
        journal.append(record).map_err(|source| at(&self.path.join(JOURNAL), source))
    }

    /// Writes the tables. Each file appears complete; only then the sweep is said to be.
    pub(super) fn finish(&mut self, design: &Design) -> Result<(), SweepError> {
        let mut tables = Tables::begin(&self.path, design)?;
        if let Some(journal) = &mut self.journal {
            journal.in_order(&mut |record| tables.add(&record))?;
        }
        tables.finish()?;
        for name in FILES {
            self.rename(name)?;
        }
        self.manifest.complete = true;
        self.manifest.failed = Some(self.done.failed);
        self.write_manifest()?;
        self.journal = None;
        self.remove_journal()
    }

    /// What an earlier session has left, if it is of the same sweep.
    fn earlier(&self) -> Result<Option<SweepManifest>, SweepError> {
        let refuse = |why: String| Err(SweepError::Folder { path: self.path.clone(), why });
        let Some(earlier) = SweepManifest::read(&self.path) else {
            return match is_occupied(&self.path) || self.path.join(MANIFEST).exists() {
                true => refuse("holds no sweep that could be resumed".to_owned()),
                false => Ok(None),
            };
        };
        if earlier.version != self.manifest.version {
            let (theirs, ours) = (&earlier.version, &self.manifest.version);
            return refuse(format!("was written by version {theirs}; this is version {ours}"));
        }
        if earlier.digest != self.manifest.digest {
            return refuse("holds a sweep of another scenario or design".to_owned());
        }
        Ok(Some(earlier))
    }

    /// Begins a new sweep in place of whatever complete results there are.
    fn begin(&self, design: &Design) -> Result<(), SweepError> {
        let refuse =
            |why: &str| Err(SweepError::Folder { path: self.path.clone(), why: why.to_owned() });
        if self.path.join(JOURNAL).exists() {
            return refuse(
                "holds a sweep that is not complete: go on with --resume, or name another folder with --out",
            );
        }
        if is_occupied(&self.path) {
            return refuse("exists and is no folder of results: name another one with --out");
        }
        if self.path.exists() {
            fs::remove_dir_all(&self.path).map_err(|source| at(&self.path, source))?;
        }
        fs::create_dir_all(&self.path).map_err(|source| at(&self.path, source))?;
        self.write_manifest()?;
        let scenario = toml::to_string(&design.scenario()).map_err(|error| SweepError::Table {
            path: self.path.join(SCENARIO),
            why: error.to_string(),
        })?;
        self.write(SCENARIO, scenario.as_bytes())
    }

    fn write_manifest(&self) -> Result<(), SweepError> {
        let text = serde_json::to_string_pretty(&self.manifest).map_err(|error| {
            SweepError::Table { path: self.path.join(MANIFEST), why: error.to_string() }
        })?;
        self.write(MANIFEST, format!("{text}\n").as_bytes())
    }

    /// Writes a file that is there completely or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), SweepError> {
        let path = self.path.join(part(name));
        let write = || {
            let mut file = fs::File::create(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|source| at(&path, source))?;
        self.rename(name)
    }

    fn rename(&self, name: &str) -> Result<(), SweepError> {
        let path = self.path.join(name);
        fs::rename(self.path.join(part(name)), &path).map_err(|source| at(&path, source))
    }

    fn remove_journal(&self) -> Result<(), SweepError> {
        let path = self.path.join(JOURNAL);
        if !path.exists() {
            return Ok(());
        }
        fs::remove_file(&path).map_err(|source| at(&path, source))
    }
}

/// The scenario with its sweep: running it again gives the same results.
const SCENARIO: &str = "scenario.toml";

fn at(path: &Path, source: std::io::Error) -> SweepError {
    SweepError::File { path: path.to_owned(), source }
}
