//! Scenarios on their way to plans.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mptcpsim::check::{Notation, Source, check as check_source};
use mptcpsim::shipped;
use mptcpsim::validate::reference;
use pyo3::exceptions::{PyFileNotFoundError, PyValueError};
use pyo3::prelude::*;

use crate::errors;

/// A scenario without faults, worked out.
#[pyclass(frozen, module = "mptcpsim._mptcpsim")]
pub(crate) struct Plan {
    pub(crate) plan: Arc<mptcpsim::plan::Plan>,
}

#[pymethods]
impl Plan {
    /// The name of the scenario.
    #[getter]
    fn name(&self) -> &str {
        &self.plan.name
    }

    /// The seed.
    #[getter]
    fn seed(&self) -> u64 {
        self.plan.seed
    }

    /// When a run ends at the latest, in seconds.
    #[getter]
    fn duration_s(&self) -> f64 {
        self.plan.duration.as_secs_f64()
    }

    /// The folder in which files named in the scenario are looked for.
    #[getter]
    fn folder(&self) -> Option<PathBuf> {
        self.plan.folder().map(Path::to_owned)
    }

    /// For each connection that is opened the flow of the scenario that it belongs to.
    #[getter]
    fn flow_numbers(&self) -> Vec<usize> {
        self.plan.flow_numbers()
    }

    /// Hosts and paths as HTML with a picture in SVG.
    fn picture(&self) -> String {
        mptcpsim::report::picture(&self.plan)
    }

    /// The scenario as written, as JSON.
    fn scenario(&self) -> PyResult<String> {
        serde_json::to_string(self.plan.scenario()).map_err(errors::internal)
    }

    /// The scenario with every default written out, as JSON.
    fn resolved(&self) -> PyResult<String> {
        serde_json::to_string(&self.plan.resolved()).map_err(errors::internal)
    }
}

/// Checks a scenario given as JSON. `name` stands in messages where a file name would, files named in
/// the scenario are looked for in `folder`.
#[pyfunction]
pub(crate) fn check(
    py: Python<'_>,
    json: &str,
    name: &str,
    folder: Option<PathBuf>,
) -> PyResult<Plan> {
    let source = Source::new(name, json, Notation::Json);
    let source = match folder {
        Some(folder) => source.in_folder(&folder),
        None => source,
    };
    plan(py, &source)
}

/// Reads and checks a file, a shipped scenario, or a text in TOML.
#[pyfunction]
#[pyo3(signature = (name=None, text=None))]
pub(crate) fn read(py: Python<'_>, name: Option<PathBuf>, text: Option<&str>) -> PyResult<Plan> {
    match (name, text) {
        (name, Some(text)) => {
            let name = name.map_or("scenario".to_owned(), |name| name.display().to_string());
            plan(py, &Source::new(&name, text, Notation::Toml))
        }
        (Some(path), None) => named(py, &path),
        (None, None) => Err(PyValueError::new_err("neither a name nor a text is given")),
    }
}

fn named(py: Python<'_>, path: &Path) -> PyResult<Plan> {
    let name = path.to_str();
    let shipped = if path.is_file() { None } else { name.and_then(shipped::find) };
    if let Some(shipped) = shipped {
        return plan(py, &shipped.source());
    }
    if let Some(measured) = name.filter(|_| !path.exists()).and_then(reference::find) {
        return plan(py, &measured);
    }
    if !path.exists() {
        let names = shipped::SCENARIOS.iter().map(|shipped| shipped.name).collect::<Vec<_>>();
        return Err(PyFileNotFoundError::new_err(format!(
            "there is no file `{}`, and no shipped scenario of that name; shipped are {}",
            path.display(),
            names.join(", ")
        )));
    }
    let source = Source::read(path).map_err(|faults| errors::faults(py, &faults))?;
    plan(py, &source)
}

fn plan(py: Python<'_>, source: &Source) -> PyResult<Plan> {
    match py.detach(|| check_source(source, &[])) {
        Ok(plan) => Ok(Plan { plan: Arc::new(plan) }),
        Err(faults) => Err(errors::faults(py, &faults)),
    }
}
