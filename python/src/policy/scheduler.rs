//! Schedulers in Python.

use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::scheduler::{Ask, ConnView, Pick, Scheduler, SubflowView};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::Policy;
use crate::gym;

/// A subflow as a scheduler sees it.
#[pyclass(module = "mptcpsim._mptcpsim", name = "SubflowState")]
#[derive(Default)]
pub(crate) struct SubflowState {
    view: SubflowView,
}

#[pymethods]
impl SubflowState {
    /// Index of the subflow, in order of creation.
    #[getter]
    fn id(&self) -> usize {
        self.view.id
    }
    /// It is established, allowed to carry data, and not taken for dead.
    #[getter]
    fn active(&self) -> bool {
        self.view.active
    }
    /// One end wants it used only when nothing else is left.
    #[getter]
    fn backup(&self) -> bool {
        self.view.backup
    }
    /// It has no unacknowledged and no queued bytes.
    #[getter]
    fn idle(&self) -> bool {
        self.view.idle
    }
    /// It is active, and its congestion window and its send buffer can take more.
    #[getter]
    fn sendable(&self) -> bool {
        self.view.active && self.view.has_memory && self.view.room() > 0
    }
    /// Bytes that its congestion window allows beyond what it holds already.
    #[getter]
    fn room(&self) -> u64 {
        self.view.room()
    }
    /// Its send buffer can take more.
    #[getter]
    fn has_memory(&self) -> bool {
        self.view.has_memory
    }
    /// Smoothed round-trip time in seconds; infinite if unknown.
    #[getter]
    fn srtt(&self) -> f64 {
        if self.view.srtt_us8 == 0 { f64::INFINITY } else { f64::from(self.view.srtt_us8) / 8e6 }
    }
    /// Its mean deviation in seconds.
    #[getter]
    fn rttvar(&self) -> f64 {
        f64::from(self.view.rttvar_us4) / 4e6
    }
    /// Congestion window in packets.
    #[getter]
    fn cwnd(&self) -> u32 {
        self.view.cwnd
    }
    /// Slow-start threshold in packets.
    #[getter]
    fn ssthresh(&self) -> u32 {
        self.view.ssthresh
    }
    /// Packets in flight.
    #[getter]
    fn in_flight(&self) -> u32 {
        self.view.in_flight
    }
    /// Segment size in bytes.
    #[getter]
    fn mss(&self) -> u32 {
        self.view.mss
    }
    /// Bytes queued on it and not yet sent.
    #[getter]
    fn unsent(&self) -> u64 {
        self.view.unsent
    }
    /// Bytes queued on it or sent, and not acknowledged.
    #[getter]
    fn unacked(&self) -> u64 {
        self.view.unacked
    }
    /// Bytes that its own send window allows behind what is queued.
    #[getter]
    fn window(&self) -> u64 {
        self.view.window
    }
    /// Its pacing rate in bytes per second.
    #[getter]
    fn pacing_rate(&self) -> u64 {
        self.view.pacing_rate
    }
    /// It can take data from this stream offset only.
    #[getter]
    fn only_from(&self) -> Option<u64> {
        self.view.only_from
    }

    fn __repr__(&self) -> String {
        format!("<subflow {}: srtt {:.6} s, room {} bytes>", self.view.id, self.srtt(), self.room())
    }
}

/// A connection as a scheduler sees it. One object for all questions: do not keep it.
#[pyclass(module = "mptcpsim._mptcpsim", name = "SchedulerView")]
pub(crate) struct SchedulerView {
    now_ps: u64,
    una: u64,
    nxt: u64,
    window: u64,
    pending: u64,
    subflows: Py<PyTuple>,
}

#[pymethods]
impl SchedulerView {
    /// The virtual time in seconds.
    #[getter]
    fn now(&self) -> f64 {
        self.now_ps as f64 / 1e12
    }
    /// The subflows in order of creation.
    #[getter]
    fn subflows(&self, py: Python<'_>) -> Py<PyTuple> {
        self.subflows.clone_ref(py)
    }
    /// First stream offset not acknowledged by the peer's connection.
    #[getter]
    fn una(&self) -> u64 {
        self.una
    }
    /// Behind the last stream offset ever given to a subflow.
    #[getter]
    fn nxt(&self) -> u64 {
        self.nxt
    }
    /// Bytes that the connection's send window still allows.
    #[getter]
    fn window(&self) -> u64 {
        self.window
    }
    /// Bytes written by the application and not yet given to a subflow.
    #[getter]
    fn pending(&self) -> u64 {
        self.pending
    }
    /// What an agent of `mptcpsim.gym.Scheduling` sees of the first `subflows`; `None` if there is
    /// nothing to decide.
    fn observation(
        &self,
        py: Python<'_>,
        ask: &AskView,
        subflows: usize,
    ) -> PyResult<Option<Vec<f32>>> {
        let views = self.subflows.bind(py).iter().map(|it| {
            let state = it.cast::<SubflowState>()?.try_borrow()?;
            Ok(state.view)
        });
        let views = views.collect::<PyResult<Vec<_>>>()?;
        let view = ConnView {
            now: Time::ZERO + Span::from_ps(self.now_ps),
            subflows: &views,
            una: self.una,
            nxt: self.nxt,
            window: self.window,
            pending: self.pending,
            data_fin_from: None,
        };
        if !(1..=gym::SUBFLOWS).contains(&subflows) {
            return Err(PyValueError::new_err("subflows: an agent sees 1 to 8"));
        }
        let width = gym::decision_width(subflows);
        Ok(gym::decision(&view, ask.ask, subflows).map(|seen| seen[..width].to_vec()))
    }
}

/// What is asked. One object for all questions: do not keep it.
#[pyclass(module = "mptcpsim._mptcpsim", name = "Ask")]
pub(crate) struct AskView {
    ask: Ask,
}

#[pymethods]
impl AskView {
    /// `new`, `again`, `retransmit`, `probe` or `spare`.
    #[getter]
    fn kind(&self) -> &'static str {
        match self.ask {
            Ask::New(_) => "new",
            Ask::Again(_) => "again",
            Ask::Retransmit(_) => "retransmit",
            Ask::Probe(_) => "probe",
            Ask::Spare => "spare",
        }
    }
    /// The first stream offset of the data asked about.
    #[getter]
    fn start(&self) -> Option<u64> {
        self.ask.piece().map(|piece| piece.from)
    }
    /// The length of the data asked about in bytes.
    #[getter]
    fn len(&self) -> u32 {
        self.ask.piece().map_or(0, |piece| piece.len)
    }
    /// The subflows that have carried the data.
    #[getter]
    fn carried_by(&self) -> Vec<usize> {
        self.ask.piece().map_or(Vec::new(), |piece| piece.carried_by.iter().collect())
    }
}

/// What is handed to Python again and again.
struct Shared {
    pick: Py<PyAny>,
    view: Py<SchedulerView>,
    ask: Py<AskView>,
    subflows: Vec<Py<SubflowState>>,
}

/// A scheduler that asks an object of Python.
#[derive(Debug)]
pub(super) struct InPython {
    policy: Policy,
    shared: Option<Box<Shared>>,
    given: bool,
    repeats: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("views")
    }
}

impl Clone for InPython {
    fn clone(&self) -> Self {
        Self { policy: self.policy.clone(), shared: None, ..*self }
    }
}

impl InPython {
    pub(super) fn new(policy: Policy) -> Self {
        let repeats = policy.call(false, |py, it| it.bind(py).getattr("repeats")?.is_truthy());
        let given = policy.overrides("given");
        Self { policy, shared: None, given, repeats }
    }
}

impl Shared {
    fn new(py: Python<'_>, policy: &Py<PyAny>) -> PyResult<Self> {
        let view = SchedulerView {
            now_ps: 0,
            una: 0,
            nxt: 0,
            window: 0,
            pending: 0,
            subflows: PyTuple::empty(py).unbind(),
        };
        Ok(Self {
            pick: policy.getattr(py, "pick")?,
            view: Py::new(py, view)?,
            ask: Py::new(py, AskView { ask: Ask::Spare })?,
            subflows: Vec::new(),
        })
    }

    fn fill(&mut self, py: Python<'_>, view: &ConnView<'_>, ask: Ask) -> PyResult<()> {
        while self.subflows.len() < view.subflows.len() {
            self.subflows.push(Py::new(py, SubflowState::default())?);
        }
        for (object, view) in self.subflows.iter().zip(view.subflows) {
            object.try_borrow_mut(py)?.view = *view;
        }
        let mut shown = self.view.try_borrow_mut(py)?;
        if shown.subflows.bind(py).len() != view.subflows.len() {
            let subflows = self.subflows.iter().take(view.subflows.len());
            shown.subflows =
                PyTuple::new(py, subflows.map(|it| it.clone_ref(py)).collect::<Vec<_>>())?.unbind();
        }
        shown.now_ps = view.now.as_ps();
        shown.una = view.una;
        shown.nxt = view.nxt;
        shown.window = view.window;
        shown.pending = view.pending;
        self.ask.try_borrow_mut(py)?.ask = ask;
        Ok(())
    }
}

impl Scheduler for InPython {
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        let shared = &mut self.shared;
        self.policy.call(Pick::Wait, |py, object| {
            let shared = match shared {
                Some(shared) => shared,
                None => shared.insert(Box::new(Shared::new(py, object)?)),
            };
            shared.fill(py, view, ask)?;
            let answer = shared.pick.bind(py).call1((&shared.view, &shared.ask))?;
            pick(&answer, view)
        })
    }

    fn given(&mut self, subflow: usize, from: u64, len: u32) {
        if self.given {
            self.policy.call((), |py, object| {
                object.call_method1(py, "given", (subflow, from, len)).map(drop)
            });
        }
    }

    fn repeats(&self) -> bool {
        self.repeats
    }
}

/// `None` or `WAIT`; a subflow or its index; `On` or `Copy`.
fn pick(answer: &Bound<'_, PyAny>, view: &ConnView<'_>) -> PyResult<Pick> {
    if answer.is_none() {
        return Ok(Pick::Wait);
    }
    if let Ok(subflow) = answer.cast::<SubflowState>() {
        return on(subflow.try_borrow()?.view.id, None, view);
    }
    if let Ok(subflow) = answer.extract::<usize>() {
        return on(subflow, None, view);
    }
    let Some(subflow) = answer.getattr_opt("subflow")? else {
        let what = answer.repr()?;
        return Err(PyTypeError::new_err(format!(
            "pick: expected a subflow, its index, On, Copy or WAIT, found {what}"
        )));
    };
    let subflow = match subflow.cast::<SubflowState>() {
        Ok(state) => state.try_borrow()?.view.id,
        Err(_) => subflow.extract::<usize>()?,
    };
    let limit = answer.getattr("limit")?.extract::<Option<u32>>()?;
    match answer.getattr_opt("start")? {
        None => on(subflow, limit, view),
        Some(start) => copy(subflow, start.extract()?, limit, view),
    }
}

fn chosen<'a>(subflow: usize, view: &'a ConnView<'_>) -> PyResult<&'a SubflowView> {
    let found = view.subflows.iter().find(|it| it.id == subflow);
    match found {
        Some(found) if found.active => Ok(found),
        Some(_) => Err(PyValueError::new_err(format!("pick: subflow {subflow} is not active"))),
        None => Err(PyValueError::new_err(format!("pick: there is no subflow {subflow}"))),
    }
}

fn on(subflow: usize, limit: Option<u32>, view: &ConnView<'_>) -> PyResult<Pick> {
    let mss = chosen(subflow, view)?.mss;
    match limit.unwrap_or(mss) {
        0 => Err(PyValueError::new_err("pick: a limit of 0 bytes; return WAIT instead")),
        limit => Ok(Pick::On { subflow, limit }),
    }
}

fn copy(subflow: usize, from: u64, limit: Option<u32>, view: &ConnView<'_>) -> PyResult<Pick> {
    let mss = chosen(subflow, view)?.mss;
    if from < view.una || from >= view.nxt {
        let (una, nxt) = (view.una, view.nxt);
        let range = format!("pick: only {una}..{nxt} can be repeated, not {from}");
        return Err(PyValueError::new_err(range));
    }
    Ok(Pick::Copy { subflow, from, limit: limit.unwrap_or(mss).max(1) })
}
