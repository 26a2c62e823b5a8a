//! Applications in Python.

use mptcpsim_core::time::Time;
use mptcpsim_core::units::Bytes;
use mptcpsim_models::app::{AppAction, AppEvent, AppView, Program};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use super::{Policy, moment};

/// One end of a connection as its application sees it.
#[pyclass(frozen, module = "mptcpsim._mptcpsim", name = "AppView")]
pub(crate) struct AppViewObject {
    event: AppEvent,
    view: AppView,
}

#[pymethods]
impl AppViewObject {
    /// What happened: `established`, `received`, `ended`, `written` or `timer`.
    #[getter]
    fn event(&self) -> &'static str {
        match self.event {
            AppEvent::Established => "established",
            AppEvent::Received => "received",
            AppEvent::Ended => "ended",
            AppEvent::Written => "written",
            AppEvent::Timer => "timer",
        }
    }
    /// The virtual time in seconds.
    #[getter]
    fn now(&self) -> f64 {
        self.view.now.as_secs_f64()
    }
    /// This end opened the connection.
    #[getter]
    fn client(&self) -> bool {
        self.view.client
    }
    /// Bytes read so far.
    #[getter]
    fn received(&self) -> u64 {
        self.view.received
    }
    /// Bytes that the connection has taken.
    #[getter]
    fn written(&self) -> u64 {
        self.view.written
    }
    /// Bytes that wait until the connection takes them.
    #[getter]
    fn waiting(&self) -> u64 {
        self.view.waiting
    }

    fn __repr__(&self) -> String {
        let (event, view) = (self.event(), &self.view);
        format!("<{event} at {:.6} s: {} bytes read>", self.now(), view.received)
    }
}

/// An application that asks an object of Python.
#[derive(Clone, Debug)]
pub(super) struct InPython {
    policy: Policy,
    due: Time,
}

impl InPython {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, due: Time::NEVER }
    }
}

impl Program for InPython {
    fn on_event(&mut self, event: AppEvent, view: &AppView, actions: &mut Vec<AppAction>) {
        if self.due <= view.now {
            self.due = Time::NEVER;
        }
        let shown = AppViewObject { event, view: *view };
        let wanted = self.policy.call(Vec::new(), |py, object| {
            let answer = object.bind(py).call_method1("on_event", (shown,))?;
            if answer.is_none() {
                return Ok(Vec::new());
            }
            answer.try_iter()?.map(|action| wanted(&action?, view.now)).collect()
        });
        for action in wanted {
            match action {
                Wanted::Now(action) => actions.push(action),
                Wanted::Call(at) => self.due = at,
            }
        }
    }

    fn due(&self) -> Time {
        self.due
    }
}

enum Wanted {
    Now(AppAction),
    Call(Time),
}

/// An action is an object of one of the classes of `mptcpsim.policies`; its class names it.
fn wanted(action: &Bound<'_, PyAny>, now: Time) -> PyResult<Wanted> {
    let name = action.get_type().name()?.to_string();
    Ok(Wanted::Now(match name.as_str() {
        "Write" => {
            let bytes = action.getattr("bytes")?.extract::<u64>();
            let bytes =
                bytes.map_err(|error| PyValueError::new_err(format!("Write.bytes: {error}")))?;
            AppAction::Write(Bytes::new(bytes))
        }
        "Close" => AppAction::Close,
        "Abort" => AppAction::Abort,
        "CallAt" => return Ok(Wanted::Call(moment(&action.getattr("time_s")?, now)?)),
        _ => {
            let what = action.repr()?;
            return Err(PyTypeError::new_err(format!("on_event: {what} is no action")));
        }
    }))
}
