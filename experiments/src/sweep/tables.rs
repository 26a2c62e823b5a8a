//! The table of a sweep: a row per run and flow, a column per varied key.
//!
//! Results are streamed in the order of the design, so that their size does not matter.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use csv::{StringRecord, WriterBuilder};
use serde_json::Value;

use super::design::{Design, Run};
use super::journal::Record;
use super::statistics::Statistics;
use super::{SweepError, parquet};
use crate::results::{SummaryRow, header};

/// A column of `results.csv` and `results.parquet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// What a column holds; any cell can be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Integer,
    /// Numbers.
    Real,
    /// `true` or `false`.
    Bool,
    /// Anything else.
    Text,
}

/// All columns of a design.
pub(super) fn columns(design: &Design) -> Vec<Column> {
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let mut columns = vec![column("run", Kind::Integer), column("configuration", Kind::Integer)];
    for (name, values) in design.keys().zip(design.examples()) {
        let kinds = values.iter().map(kind_of).collect::<Vec<_>>();
        let same = kinds.iter().all(|kind| kind == &kinds[0]);
        let number = kinds.iter().all(|kind| matches!(kind, Kind::Integer | Kind::Real));
        let kind = if same { kinds.first().copied() } else { number.then_some(Kind::Real) };
        columns.push(column(&name, kind.unwrap_or(Kind::Text)));
    }
    columns.extend([column("seed", Kind::Integer), column("error", Kind::Text)]);
    let example = serde_json::to_value(SummaryRow::default()).unwrap_or_default();
    let names = header::<SummaryRow>().unwrap_or_default();
    columns.extend(names.iter().map(|name| {
        let kind = match example.get(name) {
            // Only numbers can be missing.
            None | Some(Value::Null) => Kind::Real,
            Some(value) => kind_of(value),
        };
        column(name, kind)
    }));
    columns
}

fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Bool(_) => Kind::Bool,
        Value::Number(number) if number.is_i64() || number.is_u64() => Kind::Integer,
        Value::Number(_) => Kind::Real,
        _ => Kind::Text,
    }
}

/// How a value of a key is written in a table.
fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The lines of a run.
pub(super) fn rows(run: &Run, summary: &[SummaryRow]) -> String {
    let values = run.values.iter().map(cell).collect::<Vec<_>>();
    let rows = summary.iter().map(|row| (run.run, run.configuration, &values, run.seed, "", row));
    lines(rows)
}

/// The line of a run that failed: its error in place of results.
pub(super) fn failure(run: &Run, why: &str) -> String {
    let values = run.values.iter().map(cell).collect::<Vec<_>>();
    let empty = vec![""; header::<SummaryRow>().map_or(0, |header| header.len())];
    lines(std::iter::once((run.run, run.configuration, values, run.seed, why, empty)))
}

fn lines(rows: impl Iterator<Item = impl serde::Serialize>) -> String {
    let mut writer = WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for row in rows {
        // Rows are flat and go into memory, so there is no error to pass on.
        let written = writer.serialize(row);
        debug_assert!(written.is_ok(), "{written:?}");
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// Writes the three tables of a sweep, run by run.
pub(super) struct Tables<'a> {
    folder: &'a Path,
    columns: Vec<Column>,
    csv: BufWriter<File>,
    parquet: parquet::Writer,
    statistics: Statistics,
}

/// The files, in the order in which they are finished.
pub(super) const FILES: [&str; 3] = ["results.csv", "results.parquet", "summary.csv"];

impl<'a> Tables<'a> {
    /// Begins the tables in files of `folder` that bear provisional names ([`part`]).
    pub(super) fn begin(folder: &'a Path, design: &Design) -> Result<Self, SweepError> {
        let columns = columns(design);
        let [results, parquet, summary] = FILES.map(|name| folder.join(part(name)));
        let create = |path: &Path| {
            File::create(path).map_err(|source| SweepError::File { path: path.to_owned(), source })
        };
        let mut csv = BufWriter::new(create(&results)?);
        let names = columns.iter().map(|column| column.name.as_str());
        let header = lines(std::iter::once(names.collect::<Vec<_>>()));
        csv.write_all(header.as_bytes())
            .map_err(|source| SweepError::File { path: results, source })?;
        let file = create(&parquet)?;
        let parquet =
            parquet::Writer::new(&columns, file).map_err(|error| wrong(&parquet, &error))?;
        let keys = design.keys().collect();
        let statistics = Statistics::new(create(&summary)?, keys, &columns)
            .map_err(|error| wrong(&summary, &error))?;
        Ok(Self { folder, columns, csv, parquet, statistics })
    }

    /// Takes the next run.
    pub(super) fn add(&mut self, record: &Record) -> Result<(), SweepError> {
        let [results, parquet, summary] = FILES.map(|name| self.folder.join(part(name)));
        self.csv
            .write_all(record.csv.as_bytes())
            .map_err(|source| SweepError::File { path: results.clone(), source })?;
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).from_reader(record.csv.as_bytes());
        for row in reader.records() {
            let row: StringRecord = row.map_err(|error| wrong(&results, &error))?;
            debug_assert_eq!(row.len(), self.columns.len(), "{row:?}");
            self.parquet.add(&row).map_err(|error| wrong(&parquet, &error))?;
            self.statistics.add(&row).map_err(|error| wrong(&summary, &error))?;
        }
        Ok(())
    }

    /// Ends the files, on the disk too.
    pub(super) fn finish(self) -> Result<(), SweepError> {
        let [results, parquet, summary] = FILES.map(|name| self.folder.join(part(name)));
        let csv = self.csv.into_inner().map_err(|error| error.into_error());
        csv.and_then(|file| file.sync_all())
            .map_err(|source| SweepError::File { path: results, source })?;
        self.parquet.finish().map_err(|error| wrong(&parquet, &error))?;
        self.statistics.finish().map_err(|error| wrong(&summary, &error))
    }
}

/// What a file is called until it is complete.
pub(super) fn part(name: &str) -> String {
    format!(".{name}.part")
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> SweepError {
    SweepError::Table { path: path.to_owned(), why: error.to_string() }
}
