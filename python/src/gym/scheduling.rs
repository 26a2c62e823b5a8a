//! Schedulers that an agent decides for.

use std::sync::{Arc, Mutex, PoisonError};

use mptcpsim_models::scheduler::{Ask, ConnView, Pick, Scheduler, SubflowView};

use super::SUBFLOWS;
use super::desk::{Answer, Desk, Facts};
use super::look::{can_send, decision};

/// Asks for each segment.
#[derive(Clone, Debug)]
pub(super) struct Decider {
    desk: Desk,
    subflows: usize,
}

impl Decider {
    /// The agent sees the first `subflows`.
    pub(super) fn new(desk: Desk, subflows: usize) -> Self {
        Self { desk, subflows }
    }
}

impl Scheduler for Decider {
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        let Some(seen) = decision(view, ask, self.subflows) else { return Pick::Wait };
        let facts = Facts { now: view.now, acked: view.una, ..Facts::default() };
        let Some(answer) = self.desk.ask(seen, facts) else { return Pick::Wait };
        let mut able = view.subflows.iter().filter(|it| it.id < self.subflows && can_send(it));
        let chosen = able.find(|it| it.id == answer[0] as usize);
        chosen.map_or(Pick::Wait, segment)
    }
}

fn segment(subflow: &SubflowView) -> Pick {
    Pick::On { subflow: subflow.id, limit: subflow.mss }
}

/// How much each subflow is to carry, as weights.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares(Arc<Mutex<Weights>>);

#[derive(Clone, Copy, Debug, Default)]
struct Weights {
    /// How often they were set.
    version: u64,
    weights: Answer,
}

impl Shares {
    /// From now on.
    pub(super) fn set(&self, weights: Answer) {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *shared = Weights { version: shared.version + 1, weights };
    }

    fn now(&self) -> Weights {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes, of the subflows that can send, the one that is farthest behind its share. Those with weight 0
/// carry nothing, unless all are 0.
#[derive(Clone, Debug)]
pub(super) struct Sharer {
    shares: Shares,
    weights: Weights,
    /// Bytes given since the weights were set.
    given: [f64; SUBFLOWS],
}

impl Sharer {
    /// With weights that are set elsewhere.
    pub(super) fn new(shares: Shares) -> Self {
        Self { shares, weights: Weights::default(), given: [0.0; SUBFLOWS] }
    }

    fn weight(&self, subflow: usize) -> f64 {
        if self.weights.weights.iter().all(|weight| *weight <= 0.0) {
            return 1.0;
        }
        self.weights.weights.get(subflow).map_or(0.0, |weight| f64::from(*weight))
    }
}

impl Scheduler for Sharer {
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        if ask == Ask::Spare {
            return Pick::Wait;
        }
        let set = self.shares.now();
        if set.version != self.weights.version {
            (self.weights, self.given) = (set, [0.0; SUBFLOWS]);
        }
        let behind = |it: &SubflowView| {
            let given = self.given.get(it.id).copied().unwrap_or(0.0);
            (given + f64::from(it.mss)) / self.weight(it.id)
        };
        let able = view.subflows.iter().filter(|it| can_send(it) && self.weight(it.id) > 0.0);
        able.min_by(|a, b| behind(a).total_cmp(&behind(b))).map_or(Pick::Wait, segment)
    }

    fn given(&mut self, subflow: usize, _from: u64, len: u32) {
        if let Some(given) = self.given.get_mut(subflow) {
            *given += f64::from(len);
        }
    }
}
