//! Errors of the simulator as exceptions of the Python package.

use std::fmt::Display;

use mptcpsim::check::Faults;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// The exceptions are classes of Python, for they have attributes and are pickled.
const MODULE: &str = "mptcpsim.errors";

/// All faults of a scenario as one `ScenarioError`.
pub(crate) fn faults(py: Python<'_>, faults: &Faults) -> PyErr {
    let list = faults.iter().map(|fault| {
        let (line, column) = fault.place.line_column();
        let key = fault.key.to_string();
        let place = (fault.place.text.name.clone(), line, column);
        (key, fault.problem.to_string(), fault.problem.help(), place)
    });
    let raised = || {
        let class = py.import(MODULE)?.getattr("ScenarioError")?;
        class.call_method1("_of", (list.collect::<Vec<_>>(),))
    };
    raised().map_or_else(|error| error, PyErr::from_value)
}

/// A run that could not be made or went wrong.
pub(crate) fn run_error(py: Python<'_>, error: impl Display) -> PyErr {
    let raised = || py.import(MODULE)?.getattr("RunError")?.call1((error.to_string(),));
    raised().map_or_else(|error| error, PyErr::from_value)
}

/// Something that cannot happen, said so that it can be reported.
pub(crate) fn internal(error: impl Display) -> PyErr {
    PyRuntimeError::new_err(format!("mptcpsim: {error}"))
}
