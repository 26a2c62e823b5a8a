//! A run that Python takes step by step.

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mptcpsim::session::{ChangeError, Session};
use mptcpsim_core::time::{Span, Time};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use crate::errors;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::policy::{Policies, Trouble};
use crate::state;
use crate::watch::{Watch, now};

/// A run that has come so far.
#[pyclass(frozen, module = "mptcpsim._mptcpsim")]
pub(crate) struct Simulation {
    steps: Mutex<Steps>,
}

struct Steps {
    session: Session,
    trouble: Trouble,
    wall: Duration,
}

impl Simulation {
    fn steps(&self, py: Python<'_>) -> MutexGuard<'_, Steps> {
        // Another thread that goes on with this run may need the interpreter meanwhile.
        self.steps.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    fn json(&self, py: Python<'_>, look: fn(&Session) -> serde_json::Value) -> String {
        look(&self.steps(py).session).to_string()
    }
}

#[pymethods]
impl Simulation {
    /// The run of a plan before anything has happened.
    #[new]
    #[pyo3(signature = (plan, policies=None))]
    fn new(py: Python<'_>, plan: &Plan, policies: Option<Policies>) -> PyResult<Self> {
        let trouble = Trouble::default();
        let policies = policies.unwrap_or_default();
        let session =
            policies.session(&plan.plan, &trouble).map_err(|error| errors::run_error(py, error))?;
        Ok(Self { steps: Mutex::new(Steps { session, trouble, wall: Duration::ZERO }) })
    }

    /// The virtual time in seconds.
    #[getter]
    fn now_s(&self, py: Python<'_>) -> f64 {
        self.steps(py).session.now().as_secs_f64()
    }

    /// Whether the duration is over or all flows have finished.
    #[getter]
    fn over(&self, py: Python<'_>) -> bool {
        self.steps(py).session.is_over()
    }

    /// Goes on until the virtual time `until`, or without it to the end.
    #[pyo3(signature = (until=None, progress=None))]
    fn run_until(
        &self,
        py: Python<'_>,
        until: Option<&str>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let until = until.map_or(Ok(Time::NEVER), time)?;
        let mut steps = self.steps(py);
        let Steps { session, trouble, wall } = &mut *steps;
        let mut watch = Watch::new(progress, trouble);
        let went = py.detach(|| {
            let start = now();
            let went = session.run_until(until, None, &mut |time| watch.look(time));
            *wall += start.elapsed();
            went
        });
        watch.finish()?;
        match went {
            Ok(ControlFlow::Continue(())) => Ok(()),
            Ok(ControlFlow::Break(())) => Err(errors::run_error(py, "the run was interrupted")),
            Err(error) => Err(errors::run_error(py, error)),
        }
    }

    /// Changes the network or a host now, as an entry of a timeline says; given as JSON.
    fn change(&self, py: Python<'_>, entry: &str) -> PyResult<()> {
        let entry = serde_json::from_str(entry)
            .map_err(|error| PyValueError::new_err(format!("change: {error}")))?;
        match self.steps(py).session.change(entry) {
            Ok(()) => Ok(()),
            Err(ChangeError::Faults(faults)) => Err(errors::faults(py, &faults)),
            Err(error) => Err(PyValueError::new_err(error.to_string())),
        }
    }

    /// The connections of all hosts, as JSON.
    fn connections(&self, py: Python<'_>) -> String {
        self.json(py, state::connections)
    }

    /// Both directions of all links, as JSON.
    fn links(&self, py: Python<'_>) -> String {
        self.json(py, state::links)
    }

    /// The counters of all hosts, as JSON.
    fn counters(&self, py: Python<'_>) -> String {
        self.json(py, state::counters)
    }

    /// All sockets, as `ss -tiM` prints them.
    fn ss(&self, py: Python<'_>) -> String {
        self.steps(py).session.sockets()
    }

    /// All counters, as `nstat -az` prints them.
    fn nstat(&self, py: Python<'_>) -> String {
        self.steps(py).session.counters()
    }

    /// The scenario with all changes made so far in its timeline, as JSON.
    fn scenario(&self, py: Python<'_>) -> PyResult<String> {
        serde_json::to_string(self.steps(py).session.plan().scenario()).map_err(errors::internal)
    }

    /// Another run that has come just as far.
    fn fork(&self, py: Python<'_>) -> PyResult<Self> {
        let mut steps = self.steps(py);
        let session = steps.session.fork();
        steps.trouble.check()?;
        let Steps { trouble, wall, .. } = &*steps;
        Ok(Self { steps: Mutex::new(Steps { session, trouble: trouble.clone(), wall: *wall }) })
    }

    /// What the run has found out so far. It can go on.
    fn outcome(&self, py: Python<'_>) -> PyResult<Outcome> {
        let mut steps = self.steps(py);
        let fork = steps.session.fork();
        steps.trouble.check()?;
        let (plan, wall) = (fork.shared_plan(), steps.wall);
        Ok(py.detach(|| Outcome::new(&plan, fork.finish(), wall)))
    }
}

fn time(text: &str) -> PyResult<Time> {
    let span = text.parse::<Span>();
    let span = span.map_err(|error| PyValueError::new_err(format!("until: {error}")))?;
    Ok(Time::ZERO + span)
}
