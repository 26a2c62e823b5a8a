//! Simulations beside real kernels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use mptcpsim::validate::Comparison;
use mptcpsim::validate::reference::{Measured, REFERENCES, Reference, ReferenceError};
use mptcpsim_core::time::{Span, Time};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rayon::prelude::*;

use crate::errors;
use crate::policy::Trouble;
use crate::table::{Table, table_of};
use crate::watch::Watch;

/// The time between two looks at signals.
const LOOK: Duration = Duration::from_millis(20);

/// The scenarios that were measured on a kernel: their names, and what they show.
#[pyfunction]
pub(crate) fn measured(kernel: &str) -> PyResult<Vec<(String, String)>> {
    let scenarios = reference(kernel)?.scenarios().map_err(errors::internal)?;
    Ok(scenarios.into_iter().map(|it| (it.name, it.about)).collect())
}

/// Simulates scenarios that were measured on a kernel, and compares. `progress` is called with the number
/// of those that are done.
#[pyfunction]
#[pyo3(signature = (kernel, names, progress=None))]
pub(crate) fn compare_measured(
    py: Python<'_>,
    kernel: &str,
    names: Vec<String>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Table> {
    let mut wanted = reference(kernel)?.scenarios().map_err(errors::internal)?;
    wanted.retain(|it| names.contains(&it.name));
    let trouble = Trouble::default();
    let mut watch = Watch::new(progress, &trouble);
    let rows = py.detach(|| compare_all(wanted, &mut watch));
    watch.finish()?;
    table_of(&rows.map_err(errors::internal)?)
}

fn reference(kernel: &str) -> PyResult<&'static Reference> {
    REFERENCES.iter().find(|known| known.name == kernel).ok_or_else(|| {
        let known = REFERENCES.map(|known| known.name).join(", ");
        PyValueError::new_err(format!("kernel: there is no `{kernel}`; known are {known}"))
    })
}

/// All comparisons in order; fewer once `watch` says stop.
fn compare_all(
    wanted: Vec<Measured>,
    watch: &mut Watch<'_>,
) -> Result<Vec<Comparison>, ReferenceError> {
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, results) = channel();
    let stopped = Arc::clone(&stop);
    // By itself, so that nobody waits for a scenario once it is stopped.
    std::thread::spawn(move || {
        wanted.par_iter().enumerate().for_each_with(sender, |sender, (number, measured)| {
            if !stopped.load(Ordering::Relaxed) {
                // Nobody listens any more: then nobody misses it.
                let _ = sender.send((number, measured.compare()));
            }
        });
    });
    let mut done = BTreeMap::new();
    loop {
        match results.recv_timeout(LOOK) {
            Ok((number, rows)) => drop(done.insert(number, rows?)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        // The count stands where a run has its seconds.
        if watch.look(Time::ZERO + Span::from_secs(done.len() as u64)).is_break() {
            stop.store(true, Ordering::Relaxed);
            break;
        }
    }
    Ok(done.into_values().flatten().collect())
}

#[cfg(target_os = "linux")]
pub(crate) mod kernels {
    //! Two kernels of this machine.

    use std::collections::BTreeSet;
    use std::ffi::OsString;

    use mptcpsim::live::LiveError;
    use mptcpsim::validate;
    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;

    use crate::errors;
    use crate::plan::Plan;
    use crate::policy::Trouble;
    use crate::table::{Table, table_of};
    use crate::tools::launched_by;
    use crate::watch::Watch;

    /// Simulates `simulated`, runs `live` between two kernels, and compares; also how late packets of those runs
    /// were that are not valid, at the 99th percentile in seconds, and what the kernels could not be set to.
    #[pyfunction]
    #[pyo3(name = "compare_kernels")]
    pub(crate) fn compare(
        py: Python<'_>,
        simulated: Vec<PyRef<'_, Plan>>,
        live: Vec<PyRef<'_, Plan>>,
        launcher: Vec<OsString>,
    ) -> PyResult<(Table, Vec<f64>, BTreeSet<String>)> {
        let plans = |plans: Vec<PyRef<'_, Plan>>| {
            plans.iter().map(|plan| plan.plan.clone()).collect::<Vec<_>>()
        };
        let (simulated, live, launcher) = (plans(simulated), plans(live), launched_by(launcher)?);
        let trouble = Trouble::default();
        let mut watch = Watch::new(None, &trouble);
        let (mut late, mut unset) = (Vec::new(), BTreeSet::new());
        let done = py.detach(|| {
            let kernels = live.iter().map(|plan| {
                let look = &mut |time| watch.look(time);
                let (metrics, lateness, problems) = validate::measured(plan, &launcher, look)?;
                unset.extend(problems);
                late.extend((!lateness.is_valid()).then(|| lateness.p99.as_secs_f64()));
                Ok(metrics)
            });
            kernels.collect::<Result<Vec<_>, LiveError>>()
        });
        watch.finish()?;
        let kernels = done.map_err(|error| match error {
            LiveError::Unfit(why) => PyValueError::new_err(format!("scenario: {why}")),
            other => errors::run_error(py, other),
        })?;
        let runs = py.detach(|| {
            simulated.iter().map(|plan| validate::simulated(plan)).collect::<Result<Vec<_>, _>>()
        });
        let runs = runs.map_err(|error| errors::run_error(py, error))?;
        let rows = simulated.first().map(|plan| validate::compare(plan, &runs, &kernels));
        Ok((table_of(&rows.unwrap_or_default())?, late, unset))
    }
}
