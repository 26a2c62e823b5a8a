//! Applications in Python.

use mptcpsim_core::time::Time;
use mptcpsim_core::units::Bytes;
use mptcpsim_models::app::{AppAction, AppEvent, AppView, Program};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use super::{Policy, Told, Wanted, moment};

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
pub(super) struct InPython(Told);

impl InPython {
    pub(super) fn new(policy: Policy) -> Self {
        Self(Told::new(policy))
    }
}

impl Program for InPython {
    fn on_event(&mut self, event: AppEvent, view: &AppView, actions: &mut Vec<AppAction>) {
        let shown = AppViewObject { event, view: *view };
        self.0.on_event(
            view.now,
            actions,
            |object| object.call_method1("on_event", (shown,)),
            |action| wanted(action, view.now),
        );
    }

    fn due(&self) -> Time {
        self.0.due
    }
}

/// An action is an object of one of the classes of `mptcpsim.policies`; its class names it.
fn wanted(action: &Bound<'_, PyAny>, now: Time) -> PyResult<Wanted<AppAction>> {
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
