//! Long work without the interpreter lock, that can be watched and interrupted.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use mptcpsim_core::time::Time;
use pyo3::prelude::*;

use crate::policy::Trouble;

/// The time between two looks at signals and progress: less than anybody notices.
const LOOK: Duration = Duration::from_millis(20);

/// Looks now and then whether Ctrl-C was pressed or a policy failed, and tells a callable of Python how
/// far it has come.
pub(crate) struct Watch<'a> {
    progress: Option<Py<PyAny>>,
    trouble: &'a Trouble,
    looked: Instant,
    raised: Option<PyErr>,
}

impl<'a> Watch<'a> {
    /// `progress` is called with the virtual time in seconds.
    pub(crate) fn new(progress: Option<Py<PyAny>>, trouble: &'a Trouble) -> Self {
        Self { progress, trouble, looked: now(), raised: None }
    }

    /// Stops what is watched once something is raised.
    pub(crate) fn look(&mut self, time: Time) -> ControlFlow<()> {
        if self.trouble.is_there() {
            return ControlFlow::Break(());
        }
        if self.looked.elapsed() < LOOK {
            return ControlFlow::Continue(());
        }
        let looked = Python::attach(|py| {
            py.check_signals()?;
            match &self.progress {
                Some(progress) => progress.call1(py, (time.as_secs_f64(),)).map(drop),
                None => Ok(()),
            }
        });
        self.looked = now();
        match looked {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.raised = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// What was raised, if anything was.
    pub(crate) fn finish(self) -> PyResult<()> {
        self.trouble.check()?;
        self.raised.map_or(Ok(()), Err)
    }
}

#[allow(clippy::disallowed_methods, reason = "only when to look for signals depends on it")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
