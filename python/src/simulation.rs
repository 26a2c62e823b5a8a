//! A run that Python takes step by step.

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use mptcpsim::session::{ChangeError, Session};
use mptcpsim_core::time::{Span, Time};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

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
    /// Nobody waits: who asks during a step may be what the step waits for, such as a policy.
    fn steps(&self) -> PyResult<MutexGuard<'_, Steps>> {
        match self.steps.try_lock() {
            Ok(steps) => Ok(steps),
            Err(TryLockError::Poisoned(steps)) => Ok(steps.into_inner()),
            Err(TryLockError::WouldBlock) => Err(PyRuntimeError::new_err(
                "the simulation is going on: look at it and change it between steps",
            )),
        }
    }

    fn json(&self, look: fn(&Session) -> serde_json::Value) -> PyResult<String> {
        Ok(look(&self.steps()?.session).to_string())
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
    fn now_s(&self) -> PyResult<f64> {
        Ok(self.steps()?.session.now().as_secs_f64())
    }

    /// Whether the duration is over or all flows have finished.
    #[getter]
    fn over(&self) -> PyResult<bool> {
        Ok(self.steps()?.session.is_over())
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
        let mut steps = self.steps()?;
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
        match self.steps()?.session.change(entry) {
            Ok(()) => Ok(()),
            Err(ChangeError::Faults(faults)) => Err(errors::faults(py, &faults)),
            Err(error) => Err(PyValueError::new_err(error.to_string())),
        }
    }

    /// The connections of all hosts, as JSON.
    fn connections(&self) -> PyResult<String> {
        self.json(state::connections)
    }

    /// Both directions of all links, as JSON.
    fn links(&self) -> PyResult<String> {
        self.json(state::links)
    }

    /// The counters of all hosts, as JSON.
    fn counters(&self) -> PyResult<String> {
        self.json(state::counters)
    }

    /// All sockets, as `ss -tiM` prints them.
    fn ss(&self) -> PyResult<String> {
        Ok(self.steps()?.session.sockets())
    }

    /// All counters, as `nstat -az` prints them.
    fn nstat(&self) -> PyResult<String> {
        Ok(self.steps()?.session.counters())
    }

    /// The scenario with all changes made so far in its timeline, as JSON.
    fn scenario(&self) -> PyResult<String> {
        serde_json::to_string(self.steps()?.session.plan().scenario()).map_err(errors::internal)
    }

    /// Another run that has come just as far.
    fn fork(&self) -> PyResult<Self> {
        let mut steps = self.steps()?;
        let session = steps.session.fork();
        steps.trouble.check()?;
        let Steps { trouble, wall, .. } = &*steps;
        Ok(Self { steps: Mutex::new(Steps { session, trouble: trouble.clone(), wall: *wall }) })
    }

    /// What the run has found out so far. It can go on.
    fn outcome(&self, py: Python<'_>) -> PyResult<Outcome> {
        let mut steps = self.steps()?;
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
