//! Congestion control in Python.

use mptcpsim_models::congestion::{AckSample, CaEvent, CaState, CongestionControl, Flow, Window};
use mptcpsim_models::seq::Seq;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::Policy;

/// The sending side of a subflow. Of the window that a call is about, `cwnd`, `cwnd_cnt`, `ssthresh`
/// and `pacing_rate` can be set.
#[pyclass(module = "mptcpsim._mptcpsim", name = "Window")]
pub(crate) struct WindowView {
    window: Window,
}

#[pymethods]
impl WindowView {
    /// Congestion window in packets.
    #[getter]
    fn cwnd(&self) -> u32 {
        self.window.cwnd
    }
    #[setter]
    fn set_cwnd(&mut self, cwnd: u32) {
        self.window.cwnd = cwnd;
    }
    /// Linear increase counter in packets.
    #[getter]
    fn cwnd_cnt(&self) -> u32 {
        self.window.cwnd_cnt
    }
    #[setter]
    fn set_cwnd_cnt(&mut self, count: u32) {
        self.window.cwnd_cnt = count;
    }
    /// Slow-start threshold in packets.
    #[getter]
    fn ssthresh(&self) -> u32 {
        self.window.ssthresh
    }
    #[setter]
    fn set_ssthresh(&mut self, ssthresh: u32) {
        self.window.ssthresh = ssthresh;
    }
    /// Pacing rate in bytes per second.
    #[getter]
    fn pacing_rate(&self) -> u64 {
        self.window.pacing_rate
    }
    #[setter]
    fn set_pacing_rate(&mut self, rate: u64) {
        self.window.pacing_rate = rate;
    }
    /// Congestion window before the last reduction.
    #[getter]
    fn prior_cwnd(&self) -> u32 {
        self.window.prior_cwnd
    }
    /// Smoothed round-trip time in microseconds times 8, as the kernel keeps it; 0 before the first sample.
    #[getter]
    fn srtt_us8(&self) -> u32 {
        self.window.srtt_us
    }
    /// Smoothed round-trip time in seconds; infinite before the first sample.
    #[getter]
    fn srtt(&self) -> f64 {
        if self.window.srtt_us == 0 { f64::INFINITY } else { f64::from(self.window.srtt_us) / 8e6 }
    }
    /// Smallest round-trip time of the last minutes in seconds; infinite before the first sample.
    #[getter]
    fn min_rtt(&self) -> f64 {
        if self.window.min_rtt_us == u32::MAX {
            f64::INFINITY
        } else {
            f64::from(self.window.min_rtt_us) / 1e6
        }
    }
    /// Segment size in bytes.
    #[getter]
    fn mss(&self) -> u32 {
        self.window.mss
    }
    /// Packets in flight.
    #[getter]
    fn in_flight(&self) -> u32 {
        self.window.in_flight()
    }
    /// Packets sent and not cumulatively acknowledged.
    #[getter]
    fn packets_out(&self) -> u32 {
        self.window.packets_out
    }
    /// `open`, `disorder`, `cwr`, `recovery` or `loss`.
    #[getter]
    fn state(&self) -> &'static str {
        state(self.window.ca_state)
    }
    /// The window may grow: it was the limit.
    #[getter]
    fn cwnd_limited(&self) -> bool {
        self.window.cwnd_limited()
    }
    /// It is below its threshold.
    #[getter]
    fn in_slow_start(&self) -> bool {
        self.window.in_slow_start()
    }
    /// The subflow can send and has a round-trip time: it counts for coupling.
    #[getter]
    fn couples(&self) -> bool {
        self.window.couples()
    }
    /// Slow start for `acked` packets; returns those left over.
    fn slow_start(&mut self, acked: u32) -> u32 {
        self.window.slow_start(acked)
    }
    /// One packet more per `w` packets acknowledged.
    fn cong_avoid_ai(&mut self, w: u32, acked: u32) -> PyResult<()> {
        if w == 0 {
            return Err(PyValueError::new_err("w: expected at least 1"));
        }
        self.window.cong_avoid_ai(w, acked);
        Ok(())
    }
    /// Reno's answer to an acknowledgement.
    fn reno_cong_avoid(&mut self, acked: u32) {
        self.window.reno_cong_avoid(acked);
    }
    /// Half the window, at least two packets.
    fn reno_ssthresh(&self) -> u32 {
        self.window.reno_ssthresh()
    }
}

fn state(state: CaState) -> &'static str {
    match state {
        CaState::Open => "open",
        CaState::Disorder => "disorder",
        CaState::Cwr => "cwr",
        CaState::Recovery => "recovery",
        CaState::Loss => "loss",
    }
}

fn event(event: CaEvent) -> &'static str {
    match event {
        CaEvent::TxStart => "tx-start",
        CaEvent::CwndRestart => "cwnd-restart",
        CaEvent::CompleteCwr => "complete-cwr",
        CaEvent::Loss => "loss",
    }
}

/// The windows of a connection and the subflow that a call is about. One object for all calls: do not
/// keep it.
#[pyclass(module = "mptcpsim._mptcpsim", name = "CongestionFlow")]
pub(crate) struct CongestionFlow {
    me: usize,
    now_us: u64,
    windows: Py<PyTuple>,
}

#[pymethods]
impl CongestionFlow {
    /// Index of the subflow concerned, in order of creation.
    #[getter]
    fn me(&self) -> usize {
        self.me
    }
    /// The virtual time in seconds.
    #[getter]
    fn now(&self) -> f64 {
        self.now_us as f64 / 1e6
    }
    /// All windows of the connection, in order of creation.
    #[getter]
    fn windows(&self, py: Python<'_>) -> Py<PyTuple> {
        self.windows.clone_ref(py)
    }
    /// The window concerned.
    #[getter]
    fn window<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.windows.bind(py).get_item(self.me)
    }
}

/// What is handed to Python again and again.
struct Shared {
    flow: Py<CongestionFlow>,
    windows: Vec<Py<WindowView>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("views")
    }
}

/// Which of the methods that need not be there are.
#[derive(Clone, Copy, Debug)]
struct Has {
    release: bool,
    set_state: bool,
    cwnd_event: bool,
    pkts_acked: bool,
    undo_cwnd: bool,
}

/// An algorithm that asks an object of Python.
#[derive(Debug)]
pub(super) struct InPython {
    policy: Policy,
    shared: Option<Box<Shared>>,
    has: Has,
    paces: bool,
}

impl Clone for InPython {
    fn clone(&self) -> Self {
        Self { policy: self.policy.clone(), shared: None, ..*self }
    }
}

impl InPython {
    pub(super) fn new(policy: Policy) -> Self {
        let has = Has {
            release: policy.overrides("release"),
            set_state: policy.overrides("set_state"),
            cwnd_event: policy.overrides("cwnd_event"),
            pkts_acked: policy.overrides("pkts_acked"),
            undo_cwnd: policy.overrides("undo_cwnd"),
        };
        let paces = policy.call(false, |py, it| it.bind(py).getattr("paces")?.is_truthy());
        Self { policy, shared: None, has, paces }
    }

    /// Shows the windows, calls, and takes over what was changed of the window concerned.
    fn call<R>(
        &mut self,
        flow: &mut Flow<'_>,
        otherwise: R,
        call: impl FnOnce(&Bound<'_, PyAny>, &Py<CongestionFlow>) -> PyResult<R>,
    ) -> R {
        let shared = &mut self.shared;
        self.policy.call(otherwise, |py, object| {
            let shared = match shared {
                Some(shared) => shared,
                None => shared.insert(Box::new(Shared::new(py)?)),
            };
            shared.fill(py, flow)?;
            let result = call(object.bind(py), &shared.flow)?;
            shared.take_over(py, flow)?;
            Ok(result)
        })
    }
}

impl Shared {
    fn new(py: Python<'_>) -> PyResult<Self> {
        let windows = PyTuple::empty(py).unbind();
        let flow = Py::new(py, CongestionFlow { me: 0, now_us: 0, windows })?;
        Ok(Self { flow, windows: Vec::new() })
    }

    fn fill(&mut self, py: Python<'_>, flow: &Flow<'_>) -> PyResult<()> {
        let count = flow.all().count();
        while self.windows.len() < count {
            let window = Window::new(1, Seq(0));
            self.windows.push(Py::new(py, WindowView { window })?);
        }
        for (object, window) in self.windows.iter().zip(flow.all()) {
            object.try_borrow_mut(py)?.window.clone_from(window);
        }
        let mut shown = self.flow.try_borrow_mut(py)?;
        if shown.windows.bind(py).len() != count {
            let windows = self.windows.iter().take(count).map(|it| it.clone_ref(py));
            shown.windows = PyTuple::new(py, windows.collect::<Vec<_>>())?.unbind();
        }
        shown.me = flow.me();
        shown.now_us = flow.clock.us;
        Ok(())
    }

    fn take_over(&self, py: Python<'_>, flow: &mut Flow<'_>) -> PyResult<()> {
        let Some(object) = self.windows.get(flow.me()) else { return Ok(()) };
        let changed = object.try_borrow(py)?;
        if changed.window.cwnd == 0 {
            return Err(PyValueError::new_err("cwnd: a window is at least one packet"));
        }
        let window = flow.window();
        window.cwnd = changed.window.cwnd;
        window.cwnd_cnt = changed.window.cwnd_cnt;
        window.ssthresh = changed.window.ssthresh;
        window.pacing_rate = changed.window.pacing_rate;
        Ok(())
    }
}

/// What a threshold or a window must be.
fn packets(answer: &Bound<'_, PyAny>, method: &str) -> PyResult<u32> {
    let wrong = |_| {
        let what = answer.repr().map_or_else(|_| String::new(), |it| it.to_string());
        PyValueError::new_err(format!("{method}: expected a number of packets, found {what}"))
    };
    match answer.extract::<u32>().map_err(wrong)? {
        0 => Err(PyValueError::new_err(format!("{method}: expected at least one packet"))),
        packets => Ok(packets),
    }
}

impl CongestionControl for InPython {
    fn init(&mut self, flow: &mut Flow<'_>) {
        self.call(flow, (), |it, flow| it.call_method1("init", (flow,)).map(drop));
    }

    fn release(&mut self, flow: &mut Flow<'_>) {
        if self.has.release {
            self.call(flow, (), |it, flow| it.call_method1("release", (flow,)).map(drop));
        }
    }

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        let half = flow.view().reno_ssthresh();
        self.call(flow, half, |it, flow| {
            packets(&it.call_method1("ssthresh", (flow,))?, "ssthresh")
        })
    }

    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
        self.call(flow, (), |it, flow| it.call_method1("cong_avoid", (flow, acked)).map(drop));
    }

    fn set_state(&mut self, flow: &mut Flow<'_>, new: CaState) {
        if self.has.set_state {
            self.call(flow, (), |it, flow| {
                it.call_method1("set_state", (flow, state(new))).map(drop)
            });
        }
    }

    fn cwnd_event(&mut self, flow: &mut Flow<'_>, what: CaEvent) {
        if self.has.cwnd_event {
            self.call(flow, (), |it, flow| {
                it.call_method1("cwnd_event", (flow, event(what))).map(drop)
            });
        }
    }

    fn pkts_acked(&mut self, flow: &mut Flow<'_>, sample: AckSample) {
        if self.has.pkts_acked {
            let rtt = sample.rtt_us.map(|us| f64::from(us) / 1e6);
            self.call(flow, (), |it, flow| {
                it.call_method1("pkts_acked", (flow, sample.pkts_acked, rtt)).map(drop)
            });
        }
    }

    fn undo_cwnd(&mut self, flow: &mut Flow<'_>) -> u32 {
        let window = flow.view();
        let usual = window.cwnd.max(window.prior_cwnd);
        if !self.has.undo_cwnd {
            return usual;
        }
        self.call(flow, usual, |it, flow| {
            packets(&it.call_method1("undo_cwnd", (flow,))?, "undo_cwnd")
        })
    }

    fn paces(&self) -> bool {
        self.paces
    }
}
