//! The folder of a run: everything in it, or no folder at all.
//!
//! Files are written into a hidden folder beside the wanted one, which takes
//! its name once everything is there. Whoever looks sees the old results, the
//! new ones, or none: never half of them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use thiserror::Error;

use super::listings::Listings;
use super::recorder::Tables;
use super::rows::{Row, SummaryRow};
use crate::metrics;
use crate::plan::Plan;
use crate::run::Outcome;
use crate::scenario::Table;

/// The file that says that a folder holds results.
pub(crate) const MANIFEST: &str = "manifest.json";

/// The file that says that a folder holds a sweep that is not complete.
pub(crate) const JOURNAL: &str = "journal.jsonl";

/// Why results cannot be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A file or folder cannot be made.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder holds something else, which must not be lost.
    #[error("`{}` exists and is no folder of results: name another one with --out", .0.display())]
    Occupied(PathBuf),
    /// A table cannot be written or read.
    #[error("`{}` is not a table of results: {source}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        source: csv::Error,
    },
    /// The manifest or the scenario cannot be put into text.
    #[error("cannot write `{}`: {why}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// What a run was and what came out of it, for programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The name of the experiment.
    pub name: String,
    /// The version of mptcpsim.
    pub version: String,
    /// The seed.
    pub seed: u64,
    /// SHA-256 over all result rows.
    pub digest: String,
    /// How much virtual time passed.
    pub simulated_s: f64,
    /// How much real time the run took, files and plots excluded.
    pub wall_s: f64,
    /// Packets that finished transmission at a queue.
    pub packet_hops: u64,
    /// The number of connections.
    pub flows: usize,
    /// The number of links, each with two directions.
    pub links: usize,
    /// What all flows have together, where it is known: sum, mean and minimum of their goodputs, Jain's index,
    /// percentiles of their completion times.
    #[serde(default)]
    pub all_flows: BTreeMap<String, f64>,
    /// The tables and their numbers of rows.
    pub rows: BTreeMap<String, usize>,
}

impl Manifest {
    /// What `outcome` says about a run of `plan` that took `wall` of real time.
    pub fn of(plan: &Plan, outcome: &Outcome, wall: Duration) -> Self {
        let tables = &outcome.tables;
        let rows = |table| match table {
            Table::Summary => tables.summary.len(),
            Table::Subflows => tables.subflows.len(),
            Table::Timeseries => tables.timeseries.len(),
            Table::Links => tables.links.len(),
            Table::Queues => tables.queues.len(),
            Table::Events => tables.events.len(),
            Table::Counters => tables.counters.len(),
            Table::Requests => tables.requests.len(),
            Table::Energy => tables.energy.len(),
            Table::Sequence => tables.sequence.len(),
        };
        let written = plan.record.tables.iter();
        Self {
            name: plan.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: plan.seed,
            digest: outcome.digest.to_string(),
            simulated_s: outcome.end.as_secs_f64(),
            wall_s: wall.as_secs_f64(),
            packet_hops: outcome.packet_hops,
            flows: plan.flows.len(),
            links: plan.links.len(),
            all_flows: all_flows(&tables.summary),
            rows: written.map(|table| (table.name().to_owned(), rows(*table))).collect(),
        }
    }
}

fn all_flows(rows: &[SummaryRow]) -> BTreeMap<String, f64> {
    let goodputs = rows.iter().map(|row| row.goodput_bps).collect::<Vec<_>>();
    let completions = rows.iter().filter_map(|row| row.completion_s).collect::<Vec<_>>();
    let metrics = metrics::of_all_flows(&goodputs, &completions).into_iter();
    metrics.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A folder that is being filled and does not bear its name yet.
#[derive(Debug)]
pub struct ResultFolder {
    hidden: TempDir,
    wanted: PathBuf,
}

impl ResultFolder {
    /// Makes room for results in `wanted`, which takes their place only with [`publish`](Self::publish).
    ///
    /// # Errors
    /// If nothing can be written there, or if it holds something other than results.
    pub fn prepare(wanted: &Path) -> Result<Self, WriteError> {
        if is_occupied(wanted) {
            return Err(WriteError::Occupied(wanted.to_owned()));
        }
        let parent = match wanted.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(|source| at(parent, source))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".mptcpsim-");
        // Results are for everybody the umask lets in, unlike temporary files.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let hidden = builder.tempdir_in(parent).map_err(|source| at(wanted, source))?;
        Ok(Self { hidden, wanted: wanted.to_owned() })
    }

    /// Where to put more files.
    pub fn path(&self) -> &Path {
        self.hidden.path()
    }

    /// Writes the scenario, its traces, and the tables that it wants.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_run(&self, plan: &Plan, tables: &Tables) -> Result<(), WriteError> {
        let scenario = toml::to_string(&plan.resolved()).map_err(|error| WriteError::Format {
            path: self.path().join("scenario.toml"),
            why: error.to_string(),
        })?;
        self.write("scenario.toml", scenario.as_bytes())?;
        for (name, text) in plan.traces() {
            self.write(&name, text.as_bytes())?;
        }
        for table in &plan.record.tables {
            match table {
                Table::Summary => self.write_table(&tables.summary),
                Table::Subflows => self.write_table(&tables.subflows),
                Table::Timeseries => self.write_table(&tables.timeseries),
                Table::Links => self.write_table(&tables.links),
                Table::Queues => self.write_table(&tables.queues),
                Table::Events => self.write_table(&tables.events),
                Table::Counters => self.write_table(&tables.counters),
                Table::Requests => self.write_table(&tables.requests),
                Table::Energy => self.write_table(&tables.energy),
                Table::Sequence => self.write_table(&tables.sequence),
            }?;
        }
        Ok(())
    }

    /// Writes the listings of sockets and counters, as far as there are any.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_listings(&self, listings: &Listings) -> Result<(), WriteError> {
        for (name, text) in listings.files() {
            self.write(name, text.as_bytes())?;
        }
        Ok(())
    }

    /// Writes the manifest: the last file, since it marks a folder as results.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), WriteError> {
        let text = serde_json::to_string_pretty(manifest).map_err(|error| WriteError::Format {
            path: self.path().join(MANIFEST),
            why: error.to_string(),
        })?;
        self.write(MANIFEST, format!("{text}\n").as_bytes())
    }

    /// Gives the folder its name; earlier results of that name go. Returns the name.
    ///
    /// # Errors
    /// If the folder cannot be renamed; earlier results are then still there.
    pub fn publish(self) -> Result<PathBuf, WriteError> {
        let Self { hidden, wanted } = self;
        if is_occupied(&wanted) {
            return Err(WriteError::Occupied(wanted));
        }
        let parent = hidden.path().parent().unwrap_or(Path::new("."));
        let earlier = tempfile::Builder::new().prefix(".mptcpsim-old-").tempdir_in(parent);
        let earlier = earlier.map_err(|source| at(&wanted, source))?;
        if wanted.exists() {
            let moved = earlier.path().join("results");
            fs::rename(&wanted, &moved).map_err(|source| at(&wanted, source))?;
            if let Err(source) = fs::rename(hidden.path(), &wanted) {
                // Put the earlier results back; the first error is the one to tell.
                let _ = fs::rename(&moved, &wanted);
                return Err(at(&wanted, source));
            }
        } else {
            fs::rename(hidden.path(), &wanted).map_err(|source| at(&wanted, source))?;
        }
        // The folder has moved: there is nothing left to remove.
        let _ = hidden.keep();
        Ok(wanted)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let path = self.path().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|source| at(folder, source))?;
        }
        fs::write(&path, bytes).map_err(|source| at(&path, source))
    }

    fn write_table<R: Row + Default>(&self, rows: &[R]) -> Result<(), WriteError> {
        let path = self.path().join(format!("{}.csv", R::TABLE.name()));
        let wrong = |source| WriteError::Table { path: path.clone(), source };
        let mut writer = csv::Writer::from_path(&path).map_err(wrong)?;
        for row in rows {
            writer.serialize(row).map_err(wrong)?;
        }
        if rows.is_empty() {
            writer.write_record(header::<R>().map_err(wrong)?.iter()).map_err(wrong)?;
        }
        writer.flush().map_err(|source| at(&path, source))
    }
}

/// The columns of a table: what a row of it writes above itself.
pub(crate) fn header<R: Row + Default>() -> Result<csv::StringRecord, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.serialize(R::default())?;
    let text = writer.into_inner().unwrap_or_default();
    csv::Reader::from_reader(text.as_slice()).headers().cloned()
}

/// The rows of a table in a folder of results; none if the table was not written.
///
/// # Errors
/// If the file is no such table.
pub fn read_rows<R: Row>(folder: &Path) -> Result<Vec<R>, WriteError> {
    let path = folder.join(format!("{}.csv", R::TABLE.name()));
    if !path.exists() {
        return Ok(Vec::new());
    }
    let wrong = |source| WriteError::Table { path: path.clone(), source };
    csv::Reader::from_path(&path)
        .map_err(wrong)?
        .into_deserialize()
        .collect::<Result<_, _>>()
        .map_err(wrong)
}

/// Whether a path is taken by something that is not results, or that cost somebody hours and is not complete.
pub(crate) fn is_occupied(path: &Path) -> bool {
    let hidden = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with('.');
    let empty =
        || fs::read_dir(path).is_ok_and(|mut entries| entries.all(|it| it.is_ok_and(hidden)));
    let results = || path.join(MANIFEST).is_file() && !path.join(JOURNAL).exists();
    path.exists() && !results() && !empty()
}

fn at(path: &Path, source: io::Error) -> WriteError {
    WriteError::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Notation, Source, check};
    use crate::results::rows::QueueRow;

    fn plan() -> Plan {
        let text = r#"
            [[paths]]
            rate = "10 Mbit/s"
            delay = "5 ms"
            [[flows]]
            app = { kind = "bulk", bytes = "1 MB" }
        "#;
        check(&Source::new("test", text, Notation::Toml), &[]).unwrap()
    }

    fn manifest(seed: u64) -> Manifest {
        Manifest {
            name: "test".into(),
            version: "0".into(),
            seed,
            digest: String::new(),
            simulated_s: 1.0,
            wall_s: 0.1,
            packet_hops: 1,
            flows: 1,
            links: 1,
            all_flows: BTreeMap::new(),
            rows: BTreeMap::new(),
        }
    }

    fn write(wanted: &Path, seed: u64) -> Result<PathBuf, WriteError> {
        let folder = ResultFolder::prepare(wanted)?;
        let queues =
            vec![QueueRow { link: "a,b\"c".into(), delay_ms: Some(0.1), ..QueueRow::default() }];
        folder.write_run(&plan(), &Tables { queues, ..Tables::default() })?;
        folder.write_manifest(&manifest(seed))?;
        folder.publish()
    }

    #[test]
    fn a_folder_appears_complete_and_replaces_only_results() {
        let home = tempfile::tempdir().unwrap();
        let wanted = home.path().join("deep").join("run");
        write(&wanted, 1).unwrap();
        let rows: Vec<QueueRow> = read_rows(&wanted).unwrap();
        assert_eq!((rows.len(), rows[0].link.as_str(), rows[0].delay_ms), (1, "a,b\"c", Some(0.1)));
        let header = fs::read_to_string(wanted.join("events.csv")).unwrap();
        assert_eq!(header, "time_s,host,connection,subflow,event,detail\n");

        write(&wanted, 2).unwrap();
        assert!(fs::read_to_string(wanted.join(MANIFEST)).unwrap().contains("\"seed\": 2"));
        let left = fs::read_dir(wanted.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "nothing is left beside the results");

        fs::remove_file(wanted.join(MANIFEST)).unwrap();
        assert!(matches!(write(&wanted, 3), Err(WriteError::Occupied(_))));
    }

    #[test]
    fn a_folder_that_is_not_published_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let folder = ResultFolder::prepare(&home.path().join("run")).unwrap();
        folder.write_run(&plan(), &Tables::default()).unwrap();
        drop(folder);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "precious").unwrap();
        let error = ResultFolder::prepare(&file.join("run")).unwrap_err().to_string();
        assert!(error.contains("file"), "{error}");
        assert!(matches!(ResultFolder::prepare(&file), Err(WriteError::Occupied(_))));
    }

    #[test]
    fn a_resolved_scenario_gives_the_same_plan() {
        let plan = plan();
        let text = toml::to_string(&plan.resolved()).unwrap();
        let again = check(&Source::new("test", &text, Notation::Toml), &[]).unwrap();
        assert_eq!(again.resolved(), plan.resolved());
        assert_eq!(
            (again.links, again.hosts, again.paths, again.routes, again.flows),
            (plan.links, plan.hosts, plan.paths, plan.routes, plan.flows)
        );
    }
}
