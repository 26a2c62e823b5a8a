//! Plots of a run or a sweep as SVG and PNG, from the CSV files in its folder.
//!
//! Plots are made from files and not from a running simulation, so they can be
//! made again at any time and cost a run nothing.

mod bars;
mod draw;
mod figures;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::results::{Manifest, WriteError, read_rows};
use crate::sweep::{SweepManifest, read_summary};

/// Why plots cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlotError {
    /// The folder holds no results.
    #[error("`{}` is no folder of results: {why}", folder.display())]
    NoResults {
        /// The folder.
        folder: PathBuf,
        /// What is missing.
        why: String,
    },
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] WriteError),
    /// A picture cannot be drawn or written.
    #[error("cannot draw `{}`: {why}", path.display())]
    Draw {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// Draws what the tables in `folder` hold and returns the files, relative to the folder.
///
/// Of a run goodput and share of the paths over time, congestion window and round-trip
/// time of the subflows of the largest flow, and queues. Of a sweep bars with intervals.
///
/// # Errors
/// If the folder holds no results, or a picture cannot be written.
pub fn plot(folder: &Path) -> Result<Vec<PathBuf>, PlotError> {
    let no_results = |why: String| PlotError::NoResults { folder: folder.to_owned(), why };
    let manifest = std::fs::read_to_string(folder.join("manifest.json"))
        .map_err(|error| no_results(format!("manifest.json: {error}")))?;
    if let Ok(sweep) = serde_json::from_str::<SweepManifest>(&manifest) {
        return of_sweep(folder, &sweep.name, no_results);
    }
    let manifest: Manifest = serde_json::from_str(&manifest)
        .map_err(|error| no_results(format!("manifest.json: {error}")))?;
    let samples = read_rows(folder)?;
    let queues = read_rows(folder)?;
    draw::draw_all(folder, &figures::all(&manifest.name, &samples, &queues))
}

/// What [`plot`] draws of a sweep, as texts in SVG.
pub(crate) fn svgs_of_sweep(folder: &Path, name: &str) -> Result<Vec<String>, PlotError> {
    let no_results = |why: String| PlotError::NoResults { folder: folder.to_owned(), why };
    let lines = read_summary(folder).map_err(|error| no_results(error.to_string()))?;
    let fail = |why: String| PlotError::Draw { path: folder.to_owned(), why };
    bars::all(name, &lines).iter().map(|figure| draw::svg(figure).map_err(fail)).collect()
}

fn of_sweep(
    folder: &Path,
    name: &str,
    no_results: impl Fn(String) -> PlotError,
) -> Result<Vec<PathBuf>, PlotError> {
    let lines = read_summary(folder).map_err(|error| no_results(error.to_string()))?;
    draw::draw_all(folder, &bars::all(name, &lines))
}
