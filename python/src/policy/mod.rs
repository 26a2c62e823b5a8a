//! Policies written in Python.
//!
//! An object of Python stands where a built-in policy would: it is asked through a view that is made
//! once and filled anew for each question. The first exception ends the run.

mod app;
mod congestion;
mod middlebox;
mod path_manager;
mod scheduler;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mptcpsim::build::{self, BuildError};
use mptcpsim::plan::{FlowPlan, MiddleboxPlan, Plan};
use mptcpsim::session::Session;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::app::AppSpec;
use mptcpsim_models::congestion::Congestion;
use mptcpsim_models::middlebox::Middlebox;
use mptcpsim_models::mptcp::SocketOptions;
use mptcpsim_models::path_manager::AnyPathManager;
use mptcpsim_models::scheduler::AnyScheduler;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

pub(crate) use app::AppViewObject;
pub(crate) use congestion::{CongestionFlow, WindowView};
pub(crate) use middlebox::SegmentObject;
pub(crate) use path_manager::{EventView, PathsViewObject, SubflowPath};
pub(crate) use scheduler::{AskView, SchedulerView, SubflowState};

/// What of a scenario is written in Python.
#[derive(Default, FromPyObject)]
pub(crate) struct Policies {
    /// For each flow, by number, the policies of its connections, by kind.
    flows: BTreeMap<usize, BTreeMap<String, Py<PyAny>>>,
    /// Middleboxes by name.
    middleboxes: BTreeMap<String, Py<PyAny>>,
}

impl Policies {
    /// The run of a plan with these policies in place of those that the scenario names.
    pub(crate) fn session(
        &self,
        plan: &Arc<Plan>,
        trouble: &Trouble,
    ) -> Result<Session, BuildError> {
        Session::new(Arc::clone(plan), &mut self.installed(trouble))
    }

    /// The same on their way into a simulation; their exceptions go into `trouble`.
    pub(crate) fn installed<'a>(&'a self, trouble: &'a Trouble) -> Installed<'a> {
        Installed { policies: self, trouble }
    }
}

/// Policies on their way into a simulation.
pub(crate) struct Installed<'a> {
    policies: &'a Policies,
    trouble: &'a Trouble,
}

impl Installed<'_> {
    fn policy(&self, object: Option<&Py<PyAny>>) -> Option<Policy> {
        let object = Python::attach(|py| Some(object?.clone_ref(py)))?;
        Some(Policy::new(object, self.trouble.clone()))
    }

    fn of_flow(&self, flow: &FlowPlan, kind: &str) -> Option<Policy> {
        self.policy(self.policies.flows.get(&flow.declared)?.get(kind))
    }
}

impl build::Policies for Installed<'_> {
    fn socket(&mut self, flow: &FlowPlan, socket: &mut SocketOptions) {
        if let Some(policy) = self.of_flow(flow, "scheduler") {
            socket.scheduler = Some(AnyScheduler::custom(scheduler::InPython::new(policy)));
        }
        if let Some(policy) = self.of_flow(flow, "congestion_control") {
            socket.congestion_control = Some(Congestion::custom(congestion::InPython::new(policy)));
        }
        if let Some(policy) = self.of_flow(flow, "path_manager") {
            socket.path_manager = Some(AnyPathManager::custom(path_manager::InPython::new(policy)));
        }
    }

    fn apps(&mut self, flow: &FlowPlan) -> Option<(AppSpec, AppSpec)> {
        let app = app::InPython::new(self.of_flow(flow, "app")?);
        let [client, server] = [app.clone(), app].map(|it| AppSpec::Custom(Box::new(it)));
        Some((client, server))
    }

    fn middlebox(&mut self, plan: &MiddleboxPlan) -> Option<Box<dyn Middlebox>> {
        let policy = self.policy(self.policies.middleboxes.get(&plan.name))?;
        // Every run has a box of its own, as every connection has policies of its own.
        Some(Box::new(middlebox::InPython::new(policy.clone())))
    }
}

/// What an object that is told of events wants.
enum Wanted<A> {
    Now(A),
    /// To be called then.
    Call(Time),
}

/// An object of Python that is told of events and answers with actions.
#[derive(Clone, Debug)]
struct Told {
    policy: Policy,
    /// When it wants to be called.
    due: Time,
}

impl Told {
    fn new(policy: Policy) -> Self {
        Self { policy, due: Time::NEVER }
    }

    /// Tells it with `tell`; `wanted` makes sense of each action. A call that was due is over.
    fn on_event<A>(
        &mut self,
        now: Time,
        actions: &mut Vec<A>,
        tell: impl for<'py> FnOnce(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
        wanted: impl Fn(&Bound<'_, PyAny>) -> PyResult<Wanted<A>>,
    ) {
        if self.due <= now {
            self.due = Time::NEVER;
        }
        let wanted = self.policy.call(Vec::new(), |py, object| {
            let answer = tell(object.bind(py))?;
            if answer.is_none() {
                return Ok(Vec::new());
            }
            answer.try_iter()?.map(|action| wanted(&action?)).collect()
        });
        for action in wanted {
            match action {
                Wanted::Now(action) => actions.push(action),
                Wanted::Call(at) => self.due = at,
            }
        }
    }
}

/// A moment to come, from seconds of virtual time.
fn moment(time: &Bound<'_, PyAny>, now: Time) -> PyResult<Time> {
    let time: f64 = time.extract()?;
    if !time.is_finite() || time < now.as_secs_f64() || time > 1e7 {
        return Err(PyValueError::new_err(format!("CallAt.time_s: {time} is no moment to come")));
    }
    Ok((Time::ZERO + Span::from_ps((time * 1e12) as u64)).max(now))
}

/// The first exception of any policy of a run.
#[derive(Clone, Default)]
pub(crate) struct Trouble {
    raised: Arc<Mutex<Option<PyErr>>>,
    there: Arc<AtomicBool>,
}

impl Trouble {
    fn note(&self, error: PyErr) {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.there.store(true, Ordering::Relaxed);
    }

    /// The exception, if there was one.
    pub(crate) fn check(&self) -> PyResult<()> {
        self.there.store(false, Ordering::Relaxed);
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    /// Whether there was one.
    pub(crate) fn is_there(&self) -> bool {
        self.there.load(Ordering::Relaxed)
    }

    /// What is set as soon as there is one.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.there
    }
}

/// An object of Python that decides something, and where its exceptions go.
struct Policy {
    object: Py<PyAny>,
    trouble: Trouble,
}

impl Policy {
    fn new(object: Py<PyAny>, trouble: Trouble) -> Self {
        Self { object, trouble }
    }

    /// What a call returns; `otherwise` if it raises something, for the little that still happens.
    fn call<R>(&self, otherwise: R, call: impl FnOnce(Python<'_>, &Py<PyAny>) -> PyResult<R>) -> R {
        Python::attach(|py| {
            call(py, &self.object).unwrap_or_else(|error| {
                self.trouble.note(error);
                otherwise
            })
        })
    }

    /// Whether a method is one of the user's, not the one that the base class has.
    fn overrides(&self, name: &str) -> bool {
        self.call(false, |py, object| {
            let own = object.bind(py).get_type().getattr(name)?;
            let kind = own.getattr_opt("_default")?;
            kind.map_or(Ok(true), |default| Ok(!default.is_truthy()?))
        })
    }
}

/// Every connection has its own policy: a deep copy of the object as it was given.
impl Clone for Policy {
    fn clone(&self) -> Self {
        let trouble = self.trouble.clone();
        let object = Python::attach(|py| {
            let copy =
                py.import("copy").and_then(|it| it.call_method1("deepcopy", (&self.object,)));
            copy.map_or_else(
                |error| {
                    trouble.note(error);
                    self.object.clone_ref(py)
                },
                Bound::unbind,
            )
        });
        Self { object, trouble }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a policy in Python")
    }
}
