//! A run or a sweep as one page of HTML: it can be sent to somebody, and opens without a network.
//!
//! The page says what the scenario is (a picture), why its flows were no faster (the words of [`explain`]), what
//! happened over time (plots that can be zoomed), what came out (the tables), and how to get the same again. The
//! same results give the same page, byte by byte.

mod page;
mod picture;
mod series;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::build::{AsPlanned, Policies};
use crate::check::{Faults, Source, check};
use crate::explain::{Explanation, explain, explain_with};
use crate::plan::Plan;
use crate::plot::{self, PlotError};
use crate::results::{MANIFEST, Manifest, Tables, WriteError, read_rows};
use crate::run::RunError;
use crate::session::Watch;
use crate::sweep::{SweepError, SweepManifest, read_summary};

/// Why there is no report.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The folder holds no results.
    #[error("`{}` is no folder of results: {why}", folder.display())]
    NoResults {
        /// The folder.
        folder: PathBuf,
        /// What is missing.
        why: String,
    },
    /// The scenario beside the results is not one that this version takes.
    #[error(transparent)]
    Scenario(#[from] Faults),
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] WriteError),
    /// The tables of a sweep cannot be read.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// A plot cannot be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The scenario cannot be run.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// The hosts of `plan` and what stands on the paths between them, as HTML with a picture in SVG.
pub fn picture(plan: &Plan) -> String {
    picture::picture(plan).into_string()
}

/// Runs `plan` and reports on it.
///
/// # Errors
/// If it cannot be built.
pub fn of_plan(plan: &Plan) -> Result<String, ReportError> {
    let (explanations, outcome) = explain(plan)?;
    let manifest = Manifest::of(plan, &outcome, Duration::ZERO);
    let plots = plot::svgs_of_run(&plan.name, &outcome.tables)?;
    Ok(page::run(plan, &manifest, &outcome.tables, &plots, Some(&explanations)))
}

/// Reports on results of `plan` that are at hand. The run is repeated to explain it; if another one comes out (it
/// had policies of one's own or real kernels, or another version made it), the page says so and explains nothing.
///
/// # Errors
/// If the plan cannot be built.
pub fn of_run(plan: &Plan, manifest: &Manifest, tables: &Tables) -> Result<String, ReportError> {
    of_run_with(plan, manifest, tables, &mut AsPlanned, &mut |_| ControlFlow::Continue(()))
}

/// Like [`of_run`], of a run with policies of one's own; it is repeated until `watch` says stop.
///
/// # Errors
/// If the plan cannot be built.
pub fn of_run_with(
    plan: &Plan,
    manifest: &Manifest,
    tables: &Tables,
    policies: &mut dyn Policies,
    watch: &mut Watch<'_>,
) -> Result<String, ReportError> {
    let (explanations, again) = explain_with(plan, policies, watch)?;
    let same = again.digest.to_string() == manifest.digest;
    let explanations: Option<&[Explanation]> = same.then_some(&explanations);
    let plots = plot::svgs_of_run(&plan.name, tables)?;
    Ok(page::run(plan, manifest, tables, &plots, explanations))
}

/// Reports on a folder that a run or a sweep has written.
///
/// # Errors
/// If it holds no results, or they cannot be read.
pub fn of_folder(folder: &Path) -> Result<String, ReportError> {
    let no_results = |why: String| ReportError::NoResults { folder: folder.to_owned(), why };
    let text = |name: &str| {
        std::fs::read_to_string(folder.join(name))
            .map_err(|error| no_results(format!("{name}: {error}")))
    };
    let manifest = text(MANIFEST)?;
    if let Ok(sweep) = serde_json::from_str::<SweepManifest>(&manifest) {
        let (lines, plots) = (read_summary(folder)?, plot::svgs(folder)?);
        let plots = plots.into_iter().map(|(_, svg)| svg).collect::<Vec<_>>();
        return Ok(page::sweep(&sweep, &lines, &plots, &text("scenario.toml")?));
    }
    let manifest: Manifest = serde_json::from_str(&manifest)
        .map_err(|error| no_results(format!("{MANIFEST}: {error}")))?;
    let plan = check(&Source::read(&folder.join("scenario.toml"))?, &[])?;
    of_run(&plan, &manifest, &tables(folder)?)
}

fn tables(folder: &Path) -> Result<Tables, WriteError> {
    Ok(Tables {
        summary: read_rows(folder)?,
        subflows: read_rows(folder)?,
        timeseries: read_rows(folder)?,
        links: read_rows(folder)?,
        queues: read_rows(folder)?,
        events: read_rows(folder)?,
        counters: read_rows(folder)?,
        requests: read_rows(folder)?,
        energy: read_rows(folder)?,
        sequence: read_rows(folder)?,
    })
}
