//! Plots of a run, a sweep or a validation as SVG and PNG, from the CSV files in its folder.
//!
//! Plots are made from files and not from a running simulation, so they can be
//! made again at any time and cost a run nothing.

mod agreement;
mod bars;
mod draw;
mod figures;
mod heat;
mod varied;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::results::{Manifest, Tables, WriteError, read_rows};
use crate::sweep::SweepManifest;
use agreement::Agreement;
use bars::Bars;
use draw::Picture;
pub(crate) use draw::short;
use figures::Figure;
use heat::HeatMap;

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

/// One of the pictures.
#[derive(Clone, Debug, PartialEq)]
enum Any {
    Figure(Figure),
    Bars(Bars),
    Heat(HeatMap),
    Agreement(Agreement),
}

impl Any {
    /// Draws it into `folder` in both formats and returns the files, relative to the folder.
    fn draw(&self, folder: &Path) -> Result<Vec<PathBuf>, PlotError> {
        match self {
            Self::Figure(picture) => both(folder, picture),
            Self::Bars(picture) => both(folder, picture),
            Self::Heat(picture) => both(folder, picture),
            Self::Agreement(picture) => both(folder, picture),
        }
    }

    /// What its files are called, without ending.
    fn file(&self) -> &str {
        match self {
            Self::Figure(picture) => picture.file(),
            Self::Bars(picture) => picture.file(),
            Self::Heat(picture) => picture.file(),
            Self::Agreement(picture) => picture.file(),
        }
    }

    fn svg(&self) -> Result<String, String> {
        match self {
            Self::Figure(picture) => draw::svg(picture),
            Self::Bars(picture) => draw::svg(picture),
            Self::Heat(picture) => draw::svg(picture),
            Self::Agreement(picture) => draw::svg(picture),
        }
    }
}

fn both(folder: &Path, picture: &impl Picture) -> Result<Vec<PathBuf>, PlotError> {
    let files = ["svg", "png"]
        .map(|ending| Path::new("plots").join(format!("{}.{ending}", picture.file())));
    for file in &files {
        draw::draw(picture, &folder.join(file))?;
    }
    Ok(files.into())
}

/// Draws what the tables in `folder` hold and returns the files, relative to the folder.
///
/// Of a run goodput and share of the paths over time; windows, round-trip times, the out-of-order queue and, if
/// it was recorded, data over sequence numbers of the largest flow; queues; and the distribution of completion
/// times and requests, if there are many. Of a sweep what suits what was varied: lines over one quantity, a heat
/// map over two, bars otherwise; boxes over seeds; distributions over flows. Of simulations beside real kernels how
/// far each value is from theirs.
///
/// # Errors
/// If the folder holds no results, or a picture cannot be written.
pub fn plot(folder: &Path) -> Result<Vec<PathBuf>, PlotError> {
    let drawn = pictures(folder)?.into_iter().map(|picture| picture.draw(folder));
    Ok(drawn.collect::<Result<Vec<_>, _>>()?.concat())
}

/// The same pictures as texts in SVG, with the names of their files without ending.
///
/// # Errors
/// If the folder holds no results, or a picture cannot be drawn.
pub fn svgs(folder: &Path) -> Result<Vec<(String, String)>, PlotError> {
    let fail = |why: String| PlotError::Draw { path: folder.to_owned(), why };
    let pictures = pictures(folder)?;
    let drawn = pictures.iter().map(|it| Ok((it.file().to_owned(), it.svg().map_err(fail)?)));
    drawn.collect()
}

/// Pictures of a run that are not lines over time, as texts in SVG.
pub(crate) fn svgs_of_run(name: &str, tables: &Tables) -> Result<Vec<String>, PlotError> {
    let fail = |why: String| PlotError::Draw { path: name.into(), why };
    let others = figures::all(name, tables).into_iter().filter(|figure| {
        ["sequence", "completion-cdf", "request-cdf"].contains(&figure.file.as_str())
    });
    others.map(|figure| draw::svg(&figure).map_err(fail)).collect()
}

fn pictures(folder: &Path) -> Result<Vec<Any>, PlotError> {
    let no_results = |why: String| PlotError::NoResults { folder: folder.to_owned(), why };
    if folder.join(agreement::TABLE).is_file() {
        return Ok(agreement::all(folder)?.into_iter().map(Any::Agreement).collect());
    }
    let manifest = std::fs::read_to_string(folder.join("manifest.json"))
        .map_err(|error| no_results(format!("manifest.json: {error}")))?;
    if let Ok(sweep) = serde_json::from_str::<SweepManifest>(&manifest) {
        return varied::all(folder, &sweep);
    }
    let manifest: Manifest = serde_json::from_str(&manifest)
        .map_err(|error| no_results(format!("manifest.json: {error}")))?;
    let tables = Tables {
        summary: read_rows(folder)?,
        timeseries: read_rows(folder)?,
        queues: read_rows(folder)?,
        requests: read_rows(folder)?,
        sequence: read_rows(folder)?,
        ..Tables::default()
    };
    Ok(figures::all(&manifest.name, &tables).into_iter().map(Any::Figure).collect())
}
