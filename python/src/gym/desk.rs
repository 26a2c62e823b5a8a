//! Where a simulation asks and the agent answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use mptcpsim_core::time::Time;

use super::SUBFLOWS;
use super::look::Observation;

/// What the agent says: a subflow, or a number for each.
pub(super) type Answer = [f32; SUBFLOWS];

/// What rewards are made of, since the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// Virtual time.
    pub(super) now: Time,
    /// Bytes acknowledged.
    pub(super) acked: u64,
    /// Bytes sent again.
    pub(super) lost: u64,
    /// How long data waits in queues now, in seconds: the mean over subflows, weighted by their windows.
    pub(super) queueing_s: f64,
}

/// How an episode ended.
#[derive(Debug)]
pub(super) enum End {
    /// All flows have finished, or the duration is over.
    Over { finished: bool, digest: String },
    /// It could not be simulated.
    Failed(String),
}

/// A question, or with an end the last word.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) observation: Observation,
    pub(super) facts: Facts,
    pub(super) end: Option<End>,
}

/// The simulation's side. Copies ask and are answered at the same place.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    reports: Sender<Report>,
    answers: Arc<Mutex<Receiver<Answer>>>,
    left: Arc<AtomicBool>,
}

/// The agent's side. Once it is dropped, the simulation breaks off.
#[derive(Debug)]
pub(super) struct Chair {
    pub(super) answers: Sender<Answer>,
    pub(super) reports: Receiver<Report>,
    left: Arc<AtomicBool>,
}

impl Drop for Chair {
    fn drop(&mut self) {
        self.left.store(true, Ordering::Relaxed);
    }
}

/// Both sides of a desk.
pub(super) fn open() -> (Desk, Chair) {
    let (reports, asked) = channel();
    let (answers, answered) = channel();
    let left = Arc::<AtomicBool>::default();
    let desk = Desk { reports, answers: Arc::new(Mutex::new(answered)), left: Arc::clone(&left) };
    (desk, Chair { answers, reports: asked, left })
}

impl Desk {
    /// Asks and waits for the answer; there is none once the agent has left.
    pub(super) fn ask(&self, observation: Observation, facts: Facts) -> Option<Answer> {
        if self.has_left() {
            return None;
        }
        let asked = self.reports.send(Report { observation, facts, end: None });
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        asked.ok().and_then(|()| answers.recv().ok())
    }

    /// Says the last word.
    pub(super) fn end(&self, facts: Facts, end: End) {
        let report = Report { observation: Observation::default(), facts, end: Some(end) };
        // Who has left does not mind.
        let _ = self.reports.send(report);
    }

    /// Whether nobody answers any more.
    pub(super) fn has_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }
}
