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

/// A desk, and where it is answered.
pub(super) fn open() -> (Desk, Sender<Answer>, Receiver<Report>) {
    let (reports, asked) = channel();
    let (answers, answered) = channel();
    let answered = Arc::new(Mutex::new(answered));
    (Desk { reports, answers: answered, left: Arc::default() }, answers, asked)
}

impl Desk {
    /// Asks and waits for the answer; there is none once the agent has left.
    pub(super) fn ask(&self, observation: Observation, facts: Facts) -> Option<Answer> {
        if self.has_left() {
            return None;
        }
        let asked = self.reports.send(Report { observation, facts, end: None });
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = asked.ok().and_then(|()| answers.recv().ok());
        self.left.store(answer.is_none(), Ordering::Relaxed);
        answer
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
