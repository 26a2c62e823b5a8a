//! Sweeps, here or elsewhere.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use mptcpsim::check::{Notation, Source};
use mptcpsim::plot;
use mptcpsim::sweep::{self, Elsewhere, Kind, Options, Record};
use mptcpsim_core::time::{Span, Time};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::errors;
use crate::policy::{Policies, Trouble};
use crate::watch::Watch;

/// All runs of a sweep.
#[pyclass(frozen, module = "mptcpsim._mptcpsim")]
pub(crate) struct Design {
    design: sweep::Design,
}

#[pymethods]
impl Design {
    /// The design of a scenario with a sweep, given as JSON; `names` are those of values that stand for
    /// policies, by key and by place in the key's list.
    #[new]
    fn new(
        py: Python<'_>,
        json: &str,
        name: &str,
        folder: Option<PathBuf>,
        names: BTreeMap<String, BTreeMap<usize, String>>,
    ) -> PyResult<Self> {
        let source = Source::new(name, json, Notation::Json);
        let source = match folder {
            Some(folder) => source.in_folder(&folder),
            None => source,
        };
        match py.detach(|| sweep::Design::of(&source, &[])) {
            Ok(design) => Ok(Self { design: design.named(&names) }),
            Err(faults) => Err(errors::faults(py, &faults)),
        }
    }

    /// How many runs there are.
    #[getter]
    fn runs(&self) -> u64 {
        self.design.runs()
    }

    /// How many configurations there are.
    #[getter]
    fn configurations(&self) -> u64 {
        self.design.configurations()
    }

    /// The paths of the keys that vary.
    #[getter]
    fn keys(&self) -> Vec<String> {
        self.design.keys().collect()
    }

    /// SHA-256 over the scenario, the files it names and the design.
    #[getter]
    fn digest(&self) -> String {
        self.design.digest()
    }

    /// Names and kinds of the columns of results.
    #[getter]
    fn columns(&self) -> Vec<(String, &'static str)> {
        let columns = sweep::columns(&self.design).into_iter();
        let kind = |kind| match kind {
            Kind::Integer => "integer",
            Kind::Real => "real",
            Kind::Bool => "bool",
            Kind::Text => "text",
        };
        columns.map(|(name, it)| (name, kind(it))).collect()
    }

    /// What the keys that vary are in a run, as results call it; nothing where it is no text.
    fn values(&self, run: u64) -> Vec<Option<String>> {
        let values = self.design.run(run).values.into_iter();
        values.map(|value| value.as_str().map(str::to_owned)).collect()
    }

    /// Simulates one run, unless and until it is stopped: whether it failed, and its lines of results.
    #[pyo3(signature = (run, policies=None, stop=None))]
    fn simulate(
        &self,
        py: Python<'_>,
        run: u64,
        policies: Option<Policies>,
        stop: Option<&Stop>,
    ) -> PyResult<(bool, String)> {
        if run >= self.design.runs() {
            return Err(PyValueError::new_err(format!("run: there is no run {run}")));
        }
        let (policies, trouble) = (policies.unwrap_or_default(), Trouble::default());
        let record = py.detach(|| {
            let policies = &mut policies.installed(&trouble);
            let stops = [trouble.flag(), stop.map_or(trouble.flag(), |stop| &stop.set)];
            sweep::simulate(&self.design, run, policies, &stops)
        });
        trouble.check()?;
        let record = record.ok_or_else(|| errors::run_error(py, "the run was stopped"))?;
        Ok((record.failed, record.csv))
    }

    /// Simulates all runs on this machine, and returns how many failed. `progress` is called with the
    /// number of runs that are done.
    fn run(
        &self,
        py: Python<'_>,
        folder: PathBuf,
        jobs: Option<NonZeroUsize>,
        resume: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<u64> {
        let options = Options { jobs, resume, keep_runs: false };
        let trouble = Trouble::default();
        let mut watch = Watch::new(progress, &trouble);
        let done = py.detach(|| {
            sweep::run(&self.design, &folder, &options, &mut |progress| {
                // The count stands where a run has its seconds.
                watch.look(Time::ZERO + Span::from_secs(progress.done))
            })
        });
        watch.finish()?;
        done.map(|finished| finished.failed).map_err(os_error)
    }

    /// The runs that are missing in a folder.
    fn missing(&self, py: Python<'_>, folder: PathBuf, resume: bool) -> PyResult<Vec<u64>> {
        py.detach(|| Ok(Elsewhere::open(&self.design, &folder, resume)?.missing()))
            .map_err(os_error)
    }

    /// Keeps what runs have left that were simulated elsewhere, as tuples of number, failed, and lines.
    fn take(
        &self,
        py: Python<'_>,
        folder: PathBuf,
        records: Vec<(u64, bool, String)>,
    ) -> PyResult<()> {
        py.detach(|| {
            let mut elsewhere = Elsewhere::open(&self.design, &folder, true)?;
            let mut records = records.into_iter();
            records.try_for_each(|(run, failed, csv)| elsewhere.take(&Record { run, failed, csv }))
        })
        .map_err(os_error)
    }

    /// Writes the tables once no run is missing, and returns how many failed.
    fn finish(&self, py: Python<'_>, folder: PathBuf) -> PyResult<u64> {
        py.detach(|| Elsewhere::open(&self.design, &folder, true)?.finish())
            .map(|finished| finished.failed)
            .map_err(os_error)
    }
}

/// Stops the runs that were given it.
#[pyclass(frozen, module = "mptcpsim._mptcpsim")]
#[derive(Default)]
pub(crate) struct Stop {
    set: AtomicBool,
}

#[pymethods]
impl Stop {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// From now on.
    fn set(&self) {
        self.set.store(true, Ordering::Relaxed);
    }
}

/// The pictures of the results in a folder: their names and SVG.
#[pyfunction]
pub(crate) fn pictures(py: Python<'_>, folder: PathBuf) -> PyResult<Vec<(String, String)>> {
    py.detach(|| plot::svgs(&folder)).map_err(|error| PyOSError::new_err(error.to_string()))
}

/// The results in a folder as one page of HTML.
#[pyfunction]
pub(crate) fn report(py: Python<'_>, folder: PathBuf) -> PyResult<String> {
    let page = py.detach(|| mptcpsim::report::of_folder(&folder));
    page.map_err(|error| PyOSError::new_err(error.to_string()))
}

fn os_error(error: sweep::SweepError) -> PyErr {
    PyOSError::new_err(error.to_string())
}
