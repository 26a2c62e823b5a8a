//! Everything else of the command line.

use std::ffi::OsString;

use mptcpsim::{cli, scenario, shipped as scenarios};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors;

/// Does what is typed, the name of the program first, and returns the exit code.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, typed: Vec<OsString>) -> u8 {
    py.detach(|| cli::main(typed))
}

/// The JSON Schema of scenarios, as text.
#[pyfunction]
pub(crate) fn schema() -> String {
    format!("{:#}\n", scenario::schema())
}

/// The names, titles and texts of the scenarios that come with mptcpsim.
#[pyfunction]
pub(crate) fn shipped() -> Vec<(&'static str, &'static str, &'static str)> {
    scenarios::SCENARIOS.iter().map(|it| (it.name, it.title(), it.text)).collect()
}

/// A tree given as JSON in the notation TOML.
#[pyfunction]
pub(crate) fn toml_of(json: &str) -> PyResult<String> {
    let tree: toml::Value =
        serde_json::from_str(json).map_err(|error| PyValueError::new_err(error.to_string()))?;
    toml::to_string_pretty(&tree).map_err(errors::internal)
}
