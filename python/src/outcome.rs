//! Runs and what comes of them.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mptcpsim::capture::{self, Captures};
#[cfg(target_os = "linux")]
use mptcpsim::live::{self, KernelReport};
use mptcpsim::results::{Manifest, ResultFolder, Tables};
use mptcpsim::run::Outcome as Found;
use mptcpsim::scenario::Table as Name;
use mptcpsim_core::time::Time;
use pyo3::exceptions::{PyKeyError, PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::errors;
use crate::plan::Plan;
use crate::policy::{Policies, Trouble};
use crate::table::{Table, table_of};
use crate::watch::{Watch, now};

/// What a model expects of a subflow.
type Expected = (String, String, String, f64, f64, f64, f64);
/// What a model gives all connections together.
type Totals = Vec<(String, f64)>;

/// What a run found out.
#[pyclass(frozen, module = "mptcpsim._mptcpsim")]
pub(crate) struct Outcome {
    plan: Arc<mptcpsim::plan::Plan>,
    outcome: Found,
    wall: Duration,
    /// What was seen of real kernels.
    #[cfg(target_os = "linux")]
    kernels: Vec<KernelReport>,
    /// The tables as columns, made when they are first asked for.
    columns: [OnceLock<Py<Table>>; Name::ALL.len()],
}

impl Outcome {
    pub(crate) fn new(plan: &Arc<mptcpsim::plan::Plan>, outcome: Found, wall: Duration) -> Self {
        Self {
            plan: Arc::clone(plan),
            outcome,
            wall,
            #[cfg(target_os = "linux")]
            kernels: Vec::new(),
            columns: Default::default(),
        }
    }

    /// With what was seen of real kernels.
    #[cfg(target_os = "linux")]
    pub(crate) fn with_kernels(mut self, kernels: Vec<KernelReport>) -> Self {
        self.kernels = kernels;
        self
    }

    fn manifest(&self) -> Manifest {
        Manifest::of(&self.plan, &self.outcome, self.wall)
    }
}

#[pymethods]
impl Outcome {
    /// SHA-256 over all result rows.
    #[getter]
    fn digest(&self) -> String {
        self.outcome.digest.to_string()
    }

    /// When the run ended, in seconds of virtual time.
    #[getter]
    fn end_s(&self) -> f64 {
        self.outcome.end.as_secs_f64()
    }

    /// How long it took, in seconds.
    #[getter]
    fn wall_s(&self) -> f64 {
        self.wall.as_secs_f64()
    }

    /// Packets that finished transmission at a queue.
    #[getter]
    fn packet_hops(&self) -> u64 {
        self.outcome.packet_hops
    }

    /// All sockets, as `ss -tiM` prints them, if the scenario asks for them.
    #[getter]
    fn sockets(&self) -> &str {
        &self.outcome.listings.sockets
    }

    /// All counters, as `nstat -az` prints them, if the scenario asks for them.
    #[getter]
    fn counter_listing(&self) -> &str {
        &self.outcome.listings.counters
    }

    /// What the run was and what came out of it, as JSON.
    fn manifest_json(&self) -> PyResult<String> {
        serde_json::to_string(&self.manifest()).map_err(errors::internal)
    }

    /// What fluid models expect: per subflow its flow, path, model, round-trip time, loss, expected and
    /// simulated rate; and per model the sum of all connections.
    fn theory(&self, py: Python<'_>) -> PyResult<(Vec<Expected>, Totals)> {
        let found = py.detach(|| mptcpsim::theory::theory(&self.plan, &self.outcome.tables));
        let found = found.map_err(|reasons| PyValueError::new_err(reasons.join("; ")))?;
        let subflows = found.subflows.into_iter().map(|it| {
            let model = it.model.name().to_owned();
            (it.flow, it.path, model, it.rtt_s, it.loss, it.expected_bps, it.simulated_bps)
        });
        let totals = found.totals.into_iter().map(|(model, sum)| (model.name().to_owned(), sum));
        Ok((subflows.collect(), totals.collect()))
    }

    /// One of the tables.
    fn table(&self, py: Python<'_>, name: &str) -> PyResult<Py<Table>> {
        let position = Name::ALL.iter().position(|table| table.name() == name);
        let position = position.ok_or_else(|| PyKeyError::new_err(name.to_owned()))?;
        let column = &self.columns[position];
        if let Some(table) = column.get() {
            return Ok(table.clone_ref(py));
        }
        let table = Name::ALL[position];
        let columns = py.detach(|| columns(&self.outcome.tables, table))?;
        let made = Py::new(py, columns)?;
        Ok(column.get_or_init(|| made).clone_ref(py))
    }

    /// The run as one page of HTML; it is repeated with the policies that it had.
    fn report(&self, py: Python<'_>, policies: Policies) -> PyResult<String> {
        let trouble = Trouble::default();
        let mut watch = Watch::new(None, &trouble);
        let page = py.detach(|| {
            mptcpsim::report::of_run_with(
                &self.plan,
                &self.manifest(),
                &self.outcome.tables,
                &mut policies.installed(&trouble),
                &mut |time| watch.look(time),
            )
        });
        watch.finish()?;
        page.map_err(|error| errors::run_error(py, error))
    }

    /// Writes the folder that the command line writes, with plots if they are wanted.
    fn save(&self, py: Python<'_>, folder: PathBuf, plots: bool) -> PyResult<PathBuf> {
        py.detach(|| self.write(&folder, plots)).map_err(PyOSError::new_err)
    }
}

impl Outcome {
    fn write(&self, wanted: &std::path::Path, plots: bool) -> Result<PathBuf, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let folder = ResultFolder::prepare(wanted).map_err(|error| text(&error))?;
        folder.write_run(&self.plan, &self.outcome.tables).map_err(|error| text(&error))?;
        folder.write_listings(&self.outcome.listings).map_err(|error| text(&error))?;
        #[cfg(target_os = "linux")]
        if !self.kernels.is_empty() {
            live::write_kernels(folder.path(), &self.kernels).map_err(|error| text(&error))?;
        }
        folder.write_manifest(&self.manifest()).map_err(|error| text(&error))?;
        if plots {
            mptcpsim::plot::plot(folder.path()).map_err(|error| text(&error))?;
        }
        folder.publish().map_err(|error| text(&error))
    }
}

fn columns(tables: &Tables, name: Name) -> PyResult<Table> {
    match name {
        Name::Summary => table_of(&tables.summary),
        Name::Subflows => table_of(&tables.subflows),
        Name::Timeseries => table_of(&tables.timeseries),
        Name::Links => table_of(&tables.links),
        Name::Queues => table_of(&tables.queues),
        Name::Events => table_of(&tables.events),
        Name::Counters => table_of(&tables.counters),
        Name::Requests => table_of(&tables.requests),
        Name::Energy => table_of(&tables.energy),
        Name::Sequence => table_of(&tables.sequence),
    }
}

/// Runs a plan without the interpreter lock. `progress` is called now and then with the virtual time in
/// seconds; captures are written into `capture_folder`, if the plan wants them.
#[pyfunction]
#[pyo3(signature = (plan, policies=None, progress=None, captures=None))]
pub(crate) fn run(
    py: Python<'_>,
    plan: &Plan,
    policies: Option<Policies>,
    progress: Option<Py<PyAny>>,
    captures: Option<PathBuf>,
) -> PyResult<Outcome> {
    let plan = &plan.plan;
    let (policies, trouble) = (policies.unwrap_or_default(), Trouble::default());
    let mut watch = Watch::new(progress, &trouble);
    let done = py.detach(|| {
        let start = now();
        let captures = captures.map(|folder| Captures::create(&folder.join(capture::FOLDER), plan));
        let mut captures = captures.transpose().map_err(|error| error.to_string())?;
        let mut session = policies.session(plan, &trouble).map_err(|error| error.to_string())?;
        let went = session
            .run_until(Time::NEVER, captures.as_mut(), &mut |time| watch.look(time))
            .map_err(|error| error.to_string())?;
        if went == ControlFlow::Break(()) {
            return Ok(None);
        }
        captures.map_or(Ok(()), Captures::finish).map_err(|error| error.to_string())?;
        Ok(Some(Outcome::new(plan, session.finish(), start.elapsed())))
    });
    watch.finish()?;
    match done {
        Ok(Some(outcome)) => Ok(outcome),
        Ok(None) => Err(errors::run_error(py, "the run was interrupted")),
        Err(why) => {
            let why: String = why;
            Err(errors::run_error(py, why))
        }
    }
}
