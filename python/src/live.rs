//! Runs in real time, with real kernels.

use std::ffi::OsString;
use std::path::PathBuf;

use mptcpsim::capture::{self, Captures};
use mptcpsim::live::{LiveError, Side, Sides, run as run_live};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::policy::{Policies, Trouble};
use crate::tools::launched_by;
use crate::watch::Watch;

/// How late packets were, in seconds: the median, the 99th percentile and the most, their number, and whether
/// the run is valid.
type Late = (f64, f64, f64, usize, bool);

/// Runs a plan in real time; `client` and `server` are `sim` or `kernel`. Real kernels come back as JSON.
#[pyfunction]
#[pyo3(signature = (plan, policies, client, server, launcher, progress=None, captures=None))]
#[allow(clippy::too_many_arguments, reason = "the caller is Python")]
pub(crate) fn live(
    py: Python<'_>,
    plan: &Plan,
    policies: Policies,
    client: &str,
    server: &str,
    launcher: Vec<OsString>,
    progress: Option<Py<PyAny>>,
    captures: Option<PathBuf>,
) -> PyResult<(Outcome, String, Late)> {
    let plan = &plan.plan;
    let sides = Sides { client: side("client", client)?, server: side("server", server)? };
    let launcher = launched_by(launcher)?;
    let trouble = Trouble::default();
    let mut watch = Watch::new(progress, &trouble);
    let done = py.detach(|| {
        let captures = captures.map(|folder| Captures::create(&folder.join(capture::FOLDER), plan));
        let mut captures = captures.transpose()?;
        let session = policies.session(plan, &trouble)?;
        let look = &mut |time| watch.look(time);
        let done = run_live(session, sides, &launcher, captures.as_mut(), look)?;
        captures.map_or(Ok(()), Captures::finish)?;
        Ok(done)
    });
    watch.finish()?;
    let done = done.map_err(|error: LiveError| match error {
        LiveError::Unfit(why) => PyValueError::new_err(format!("scenario: {why}")),
        other => errors::run_error(py, other),
    })?;
    let kernels = serde_json::to_string(&done.kernels).map_err(errors::internal)?;
    let late = done.lateness;
    let seconds = [late.median, late.p99, late.max].map(|span| span.as_secs_f64());
    let late = (seconds[0], seconds[1], seconds[2], late.packets, late.is_valid());
    Ok((Outcome::new(plan, done.outcome, done.took).with_kernels(done.kernels), kernels, late))
}

fn side(argument: &str, name: &str) -> PyResult<Side> {
    match name {
        "sim" => Ok(Side::Sim),
        "kernel" => Ok(Side::Kernel),
        other => Err(PyValueError::new_err(format!(
            "{argument}: expected `sim` or `kernel`, found `{other}`"
        ))),
    }
}
