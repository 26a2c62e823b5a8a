//! Simulations that ask an agent: what `mptcpsim.gym` is made of.
//!
//! Each simulation runs in a thread of its own. Where the agent has to decide, the thread hands over
//! what the agent may know and waits, in the middle of the simulation, for the answer. So a decision
//! changes nothing but what it decides, and many simulations go on together at one call of Python.
//!
//! ```text
//! step ─ actions ─► episodes ─ questions ─► observations, rewards, ends
//! ```

mod desk;
mod episode;
mod look;
mod scheduling;
mod windows;

use std::str::FromStr;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mptcpsim_core::time::Span;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use self::desk::{Answer, Chair, End, Facts, Report};
use crate::errors;
use crate::plan::Plan;

pub(crate) use self::look::{decision, decision_width};

/// Subflows that an agent sees at most.
pub(crate) const SUBFLOWS: usize = 8;
/// The time between two looks at signals while simulations go on.
const PATIENCE: Duration = Duration::from_millis(20);

/// What the agent decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Which subflow carries a segment, for each.
    Scheduling,
    /// How subflows share the data of an interval.
    Sharing(Span),
    /// By how much windows grow or shrink after each interval.
    Congestion(Span),
}

/// What the agent is rewarded for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reward {
    /// The time that passes, in seconds, counts against it.
    Time,
    /// Megabits acknowledged.
    Goodput,
    /// Megabits acknowledged, less what queues and losses cost.
    Power { delay: f64, loss: f64 },
}

impl Reward {
    fn between(self, before: &Facts, after: &Facts) -> f64 {
        let elapsed = (after.now - before.now).as_secs_f64();
        let megabits = |after: u64, before: u64| after.saturating_sub(before) as f64 * 8e-6;
        let acked = megabits(after.acked, before.acked);
        match self {
            Self::Time => -elapsed,
            Self::Goodput => acked,
            Self::Power { delay, loss } => {
                let lost = megabits(after.lost, before.lost);
                acked * (1.0 - delay * after.queueing_s) - loss * lost
            }
        }
    }
}

/// Simulations of the same kind, each with an agent that decides for one of its flows.
#[pyclass(frozen, module = "mptcpsim._mptcpsim")]
pub(crate) struct Environments {
    kind: Kind,
    subflows: usize,
    reward: Reward,
    seats: Mutex<Vec<Seat>>,
}

/// Where one simulation is asked and answered.
#[derive(Default)]
struct Seat {
    chair: Option<Chair>,
    /// When the agent was last asked; nothing before the first question.
    before: Option<Facts>,
    digest: Option<String>,
}

#[pymethods]
impl Environments {
    /// Room for `count` simulations.
    #[new]
    fn new(
        kind: &str,
        count: usize,
        subflows: usize,
        interval: &str,
        reward: &str,
        weights: (f64, f64),
    ) -> PyResult<Self> {
        let span = Span::from_str(interval);
        let interval = span.map_err(|error| PyValueError::new_err(format!("interval: {error}")))?;
        if interval.is_zero() {
            return Err(PyValueError::new_err("interval: expected more than nothing"));
        }
        let kind = match kind {
            "scheduling" => Kind::Scheduling,
            "sharing" => Kind::Sharing(interval),
            "congestion" => Kind::Congestion(interval),
            _ => return Err(PyValueError::new_err(format!("kind: there is no `{kind}`"))),
        };
        let reward = match reward {
            "time" => Reward::Time,
            "goodput" => Reward::Goodput,
            "power" if kind != Kind::Scheduling => {
                Reward::Power { delay: weights.0, loss: weights.1 }
            }
            _ => return Err(PyValueError::new_err(format!("reward: there is no `{reward}`"))),
        };
        if !(1..=SUBFLOWS).contains(&subflows) {
            return Err(PyValueError::new_err(format!("subflows: expected 1 to {SUBFLOWS}")));
        }
        let seats = (0..count).map(|_| Seat::default()).collect();
        Ok(Self { kind, subflows, reward, seats: Mutex::new(seats) })
    }

    /// Begins an episode in place of the one that went on there. The agent decides for flow `flow` of
    /// the scenario. The next `step` gives its first observation.
    fn begin(&self, py: Python<'_>, index: usize, plan: &Plan, flow: usize) -> PyResult<()> {
        let place = episode::place(&plan.plan, flow).map_err(PyValueError::new_err)?;
        let (desk, chair) = desk::open();
        let (plan, kind, subflows) = (Arc::clone(&plan.plan), self.kind, self.subflows);
        let begun = std::thread::Builder::new()
            .name("mptcpsim-episode".to_owned())
            .spawn(move || episode::play(&plan, place, kind, subflows, &desk));
        begun.map_err(|error| errors::run_error(py, error))?;
        let mut seats = self.seats();
        let seat = seats.get_mut(index);
        let seat = seat.ok_or_else(|| PyValueError::new_err("index: there is no such place"))?;
        *seat = Seat { chair: Some(chair), ..Seat::default() };
        Ok(())
    }

    /// Answers the questions of all simulations that wait for it, lets them go on to the next ones, and
    /// fills the arrays: a row of `actions` and `observations` and an element of the others for each.
    /// `ends` are 1 where the flows have finished, 2 where the duration was over.
    fn step(
        &self,
        py: Python<'_>,
        actions: PyBuffer<f32>,
        observations: PyBuffer<f32>,
        rewards: PyBuffer<f64>,
        ends: PyBuffer<u8>,
        times: PyBuffer<f64>,
    ) -> PyResult<()> {
        let mut seats = self.seats();
        let (count, width) = (seats.len(), look::width(self.kind, self.subflows));
        let given = actions.to_vec(py)?;
        let taken = given.len() / count.max(1);
        let mut shown = vec![0.0; count * width];
        let (mut gains, mut over, mut clocks) =
            (vec![0.0; count], vec![0; count], vec![0.0; count]);
        let places = seats.as_mut_slice();
        let reports = py.detach(|| {
            for (seat, row) in places.iter_mut().zip(given.chunks_exact(taken.max(1))) {
                seat.answer(row);
            }
            places.iter_mut().map(Seat::wait).collect::<PyResult<Vec<_>>>()
        });
        let reports = reports.inspect_err(|_| {
            // Some were heard and some were not: nothing can go on from here.
            seats.fill_with(Seat::default);
        })?;
        for (index, (seat, report)) in seats.iter_mut().zip(reports).enumerate() {
            let Some(report) = report else { continue };
            let before = seat.before.unwrap_or(report.facts);
            gains[index] = self.reward.between(&before, &report.facts);
            clocks[index] = report.facts.now.as_secs_f64();
            shown[index * width..][..width].copy_from_slice(&report.observation[..width]);
            seat.before = Some(report.facts);
            over[index] = match report.end {
                None => continue,
                Some(End::Failed(why)) => return Err(errors::run_error(py, why)),
                Some(End::Over { finished, digest }) => {
                    seat.digest = Some(digest);
                    seat.chair = None;
                    if finished { 1 } else { 2 }
                }
            };
        }
        observations.copy_from_slice(py, &shown)?;
        rewards.copy_from_slice(py, &gains)?;
        ends.copy_from_slice(py, &over)?;
        times.copy_from_slice(py, &clocks)
    }

    /// The digest of the run that has ended there.
    fn digest(&self, index: usize) -> Option<String> {
        self.seats().get(index)?.digest.clone()
    }
}

impl Environments {
    fn seats(&self) -> MutexGuard<'_, Vec<Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Answers, if it was asked.
    fn answer(&mut self, row: &[f32]) {
        let (Some(chair), Some(_)) = (&self.chair, self.before) else { return };
        let mut answer = Answer::default();
        for (slot, value) in answer.iter_mut().zip(row) {
            *slot = *value;
        }
        // Nobody is there if the simulation failed: its report says so.
        let _ = chair.answers.send(answer);
    }

    /// The next question; nothing where no episode goes on.
    fn wait(&mut self) -> PyResult<Option<Report>> {
        let Some(chair) = &self.chair else { return Ok(None) };
        loop {
            match chair.reports.recv_timeout(PATIENCE) {
                Ok(report) => return Ok(Some(report)),
                Err(RecvTimeoutError::Timeout) => Python::attach(|py| py.check_signals())?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(errors::internal("a simulation has ended without a word"));
                }
            }
        }
    }
}
