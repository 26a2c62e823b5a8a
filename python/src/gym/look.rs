//! What an agent sees, as a row of numbers: first the connection's, then those of each subflow.
//!
//! The names of the numbers stand in `mptcpsim.gym`.

use mptcpsim_models::congestion::{CaState, Window};
use mptcpsim_models::mptcp::Connection;
use mptcpsim_models::scheduler::{Ask, ConnView, SubflowView};

use super::desk::Facts;
use super::{Kind, SUBFLOWS};

/// Numbers of a connection before a decision of a scheduler, and after an interval.
const OF_DECISION: usize = 3;
const OF_INTERVAL: usize = 2;
/// Numbers of each subflow.
const OF_SUBFLOW: usize = 8;

/// As many numbers as there can be. What is not there is 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation([f32; OF_DECISION + SUBFLOWS * OF_SUBFLOW]);

impl Default for Observation {
    fn default() -> Self {
        Self([0.0; OF_DECISION + SUBFLOWS * OF_SUBFLOW])
    }
}

impl std::ops::Deref for Observation {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl Observation {
    fn set<const N: usize>(&mut self, at: usize, numbers: [f64; N]) {
        for (slot, number) in self.0.iter_mut().skip(at).zip(numbers) {
            *slot = number as f32;
        }
    }

    fn set_subflow(&mut self, before: usize, id: usize, numbers: [f64; OF_SUBFLOW]) {
        if id < SUBFLOWS {
            self.set(before + id * OF_SUBFLOW, numbers);
        }
    }
}

/// How many numbers an agent sees.
pub(super) const fn width(kind: Kind, subflows: usize) -> usize {
    match kind {
        Kind::Scheduling => decision_width(subflows),
        Kind::Sharing(_) | Kind::Congestion(_) => OF_INTERVAL + subflows * OF_SUBFLOW,
    }
}

/// How many numbers stand for a decision.
pub(crate) const fn decision_width(subflows: usize) -> usize {
    OF_DECISION + subflows * OF_SUBFLOW
}

/// What a scheduler's agent sees, if there is something to decide: a subflow among the first
/// `subflows` that can take what is asked about.
pub(crate) fn decision(view: &ConnView<'_>, ask: Ask, subflows: usize) -> Option<Observation> {
    let piece = ask.piece()?;
    if !view.subflows.iter().any(|it| it.id < subflows && can_send(it)) {
        return None;
    }
    let mut seen = Observation::default();
    let repeated = f64::from(u8::from(!piece.carried_by.is_empty()));
    seen.set(0, [view.pending as f64 / 1e6, view.window as f64 / 1e6, repeated]);
    for subflow in view.subflows {
        seen.set_subflow(OF_DECISION, subflow.id, of_view(subflow));
    }
    Some(seen)
}

/// Whether it could carry a segment now.
pub(super) fn can_send(subflow: &SubflowView) -> bool {
    subflow.active && subflow.has_memory && subflow.room() > 0
}

fn of_view(subflow: &SubflowView) -> [f64; OF_SUBFLOW] {
    let flag = |set: bool| f64::from(u8::from(set));
    let queued = subflow.unsent as f64 / f64::from(subflow.mss.max(1));
    [
        flag(can_send(subflow)),
        flag(subflow.backup),
        f64::from(subflow.srtt_us8) / 8e6,
        f64::from(subflow.rttvar_us4) / 4e6,
        f64::from(subflow.cwnd) / 100.0,
        f64::from(subflow.in_flight) / 100.0,
        queued / 100.0,
        flag(subflow.ca_state != CaState::Open),
    ]
}

/// What was counted when an interval began, by subflow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    acked: [u64; SUBFLOWS],
    retransmitted: [u64; SUBFLOWS],
}

/// What an agent sees after an interval of so many seconds.
pub(super) fn interval(
    connection: &Connection,
    seconds: f64,
    counted: &mut Counted,
) -> Observation {
    let mut seen = Observation::default();
    let (una, nxt, written) = connection.send_offsets();
    seen.set(0, [written.saturating_sub(nxt) as f64 / 1e6, nxt.saturating_sub(una) as f64 / 1e6]);
    for id in 0..connection.subflow_count().min(SUBFLOWS) {
        let (Some(subflow), Some(window)) = (connection.subflow(id), connection.window(id)) else {
            continue;
        };
        let totals = subflow.totals();
        let retransmitted = totals.retransmissions;
        let acked = totals.bytes_acked.saturating_sub(counted.acked[id]);
        let lost = retransmitted.saturating_sub(counted.retransmitted[id]);
        counted.acked[id] = totals.bytes_acked;
        counted.retransmitted[id] = retransmitted;
        let flag = |set: bool| f64::from(u8::from(set));
        let numbers = [
            flag(window.can_send),
            flag(connection.is_backup(id)),
            f64::from(window.srtt_us) / 8e6,
            queueing_s(window),
            f64::from(window.cwnd) / 100.0,
            f64::from(window.in_flight()) / 100.0,
            acked as f64 * 8e-8 / seconds,
            lost as f64 / 100.0,
        ];
        seen.set_subflow(OF_INTERVAL, id, numbers);
    }
    seen
}

/// What rewards are made of.
pub(super) fn facts(connection: &Connection) -> Facts {
    let mut facts = Facts { acked: connection.send_offsets().0, ..Facts::default() };
    let (mut weighted, mut packets) = (0.0, 0.0);
    for id in 0..connection.subflow_count() {
        let (Some(subflow), Some(window)) = (connection.subflow(id), connection.window(id)) else {
            continue;
        };
        facts.lost += subflow.totals().retransmissions * u64::from(window.mss);
        let in_flight = f64::from(window.in_flight());
        weighted += in_flight * queueing_s(window);
        packets += in_flight;
    }
    if packets > 0.0 {
        facts.queueing_s = weighted / packets;
    }
    facts
}

/// How far round trips are above the shortest one, in seconds.
fn queueing_s(window: &Window) -> f64 {
    match window.srtt_us {
        0 => 0.0,
        srtt => (f64::from(srtt) / 8e6 - f64::from(window.min_rtt_us) / 1e6).max(0.0),
    }
}
