//! Replay: one algorithm driven by a list of events instead of a network.
//!
//! A sender reduced to what congestion control sees of it: windows, sequence
//! numbers, round-trip times and the state machine of loss. It always has data to
//! send, segments have [`SEGMENT`] bytes, there is no network and no time, and the
//! window stays as it is while losses are repaired. So the same events give the
//! same windows in every implementation, and trajectories can be compared row by row.

use std::collections::BTreeMap;

use super::{
    AckSample, CaEvent, CaState, Clock, Congestion, CongestionControl, Flow, Internals, Window,
};
use crate::seq::Seq;

/// Bytes of a segment.
pub const SEGMENT: u32 = 1_400;
/// Packets of a new subflow's window.
const INITIAL_WINDOW: u32 = 10;
/// Timer ticks per second, for algorithms that look at the time.
const HZ: u32 = 1_000;

/// One line of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in microseconds; coupled algorithms do not look at it.
    pub at_us: u64,
    /// The subflow it happens to, by the number its joining gave it.
    pub subflow: u32,
    /// What happens.
    pub kind: EventKind,
}

/// What happens to a subflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It joins the connection, with a round-trip sample in microseconds from its handshake.
    Join {
        /// The sample.
        rtt_us: Option<u32>,
    },
    /// An acknowledgement arrives. Outside of a recovery the window may grow.
    Ack {
        /// Packets newly acknowledged; no more than are out.
        acked: u32,
        /// Round-trip sample in microseconds.
        rtt_us: Option<u32>,
        /// The window, not the application, limited sending.
        cwnd_limited: bool,
    },
    /// A loss is detected. Only in the Open state does it begin a recovery.
    Loss,
    /// The recovery is complete.
    Recovered,
    /// The retransmission timer runs out.
    Timeout,
    /// It leaves the connection: the others no longer see it.
    Leave,
}

/// Why a list cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A subflow is named that has not joined.
    #[error("subflow {0} has not joined")]
    Unknown(u32),
    /// The algorithm sets rates from what a path delivers.
    #[error("the algorithm measures what a path delivers: a list of events is not enough for it")]
    NeedsPath,
}

/// A connection and its algorithm between two events.
#[derive(Clone, Debug)]
pub struct Replay {
    congestion: Congestion,
    windows: Vec<Window>,
    senders: Vec<Sender>,
    /// Where the subflows joined last under each number are.
    places: BTreeMap<u32, usize>,
}

/// What the sender of a subflow keeps beside its window.
#[derive(Clone, Copy, Debug, Default)]
struct Sender {
    /// `snd_nxt` when the window was last reduced.
    high_seq: Seq,
    /// Retransmission timeouts since the last acknowledgement.
    timeouts: u8,
}

impl Replay {
    /// A connection without subflows.
    ///
    /// # Errors
    /// The algorithm cannot be driven by events alone.
    pub fn new(congestion: Congestion) -> Result<Self, ReplayError> {
        if congestion.controls_rate() {
            return Err(ReplayError::NeedsPath);
        }
        Ok(Self { congestion, windows: Vec::new(), senders: Vec::new(), places: BTreeMap::new() })
    }

    /// Lets one event happen.
    ///
    /// # Errors
    /// It is about a subflow that has not joined.
    pub fn step(&mut self, event: &Event) -> Result<(), ReplayError> {
        let clock = Clock { us: event.at_us, hz: HZ };
        if let EventKind::Join { rtt_us } = event.kind {
            self.join(event.subflow, rtt_us, clock);
            return Ok(());
        }
        let place = self.place(event.subflow)?;
        let mut step = Step {
            congestion: &mut self.congestion,
            sender: &mut self.senders[place],
            flow: Flow::new(&mut self.windows, place, clock),
        };
        match event.kind {
            EventKind::Join { .. } => {}
            EventKind::Ack { acked, rtt_us, cwnd_limited } => step.ack(acked, rtt_us, cwnd_limited),
            EventKind::Loss => step.loss(),
            EventKind::Recovered => step.recovered(),
            EventKind::Timeout => step.timeout(),
            EventKind::Leave => step.leave(),
        }
        Ok(())
    }

    /// The window of a subflow.
    ///
    /// # Errors
    /// It has not joined.
    pub fn window(&self, subflow: u32) -> Result<&Window, ReplayError> {
        Ok(&self.windows[self.place(subflow)?])
    }

    /// Packets acknowledged on a subflow, modulo 2^32 bytes.
    ///
    /// # Errors
    /// It has not joined.
    pub fn acknowledged(&self, subflow: u32) -> Result<u32, ReplayError> {
        Ok((self.window(subflow)?.snd_una - FIRST) / SEGMENT)
    }

    /// What the algorithm shows of its state for a subflow.
    ///
    /// # Errors
    /// It has not joined.
    pub fn internals(&self, subflow: u32) -> Result<Internals, ReplayError> {
        let place = self.place(subflow)?;
        Ok(self.congestion.internals(place, &self.windows[place]))
    }

    fn place(&self, subflow: u32) -> Result<usize, ReplayError> {
        self.places.get(&subflow).copied().ok_or(ReplayError::Unknown(subflow))
    }

    fn join(&mut self, subflow: u32, rtt_us: Option<u32>, clock: Clock) {
        let mut window = Window::new(INITIAL_WINDOW, FIRST);
        window.mss = SEGMENT;
        window.can_send = true;
        window.multipath = true;
        let place = self.windows.len();
        self.windows.push(window);
        self.senders.push(Sender::default());
        self.places.insert(subflow, place);
        let mut step = Step {
            congestion: &mut self.congestion,
            sender: &mut self.senders[place],
            flow: Flow::new(&mut self.windows, place, clock),
        };
        step.sample(rtt_us);
        step.congestion.init(&mut step.flow);
        step.fill();
    }
}

/// The first sequence number of data.
const FIRST: Seq = Seq(1);

/// One event about one subflow.
struct Step<'a> {
    congestion: &'a mut Congestion,
    sender: &'a mut Sender,
    flow: Flow<'a>,
}

impl Step<'_> {
    fn ack(&mut self, acked: u32, rtt_us: Option<u32>, cwnd_limited: bool) {
        let window = self.flow.window();
        let acked = acked.min((window.snd_nxt - window.snd_una) / SEGMENT);
        if acked == 0 {
            return;
        }
        window.snd_una += acked.wrapping_mul(SEGMENT);
        window.retransmits = 0;
        window.is_cwnd_limited = cwnd_limited;
        self.sender.timeouts = 0;
        self.sample(rtt_us);
        let sample = AckSample { pkts_acked: acked, rtt_us: rtt_us.map(|rtt_us| rtt_us.max(1)) };
        self.congestion.pkts_acked(&mut self.flow, sample);
        let window = self.flow.view();
        if window.ca_state == CaState::Loss && !self.sender.high_seq.after(window.snd_una) {
            self.enter(CaState::Open);
        }
        if self.flow.view().ca_state != CaState::Recovery {
            self.congestion.cong_avoid(&mut self.flow, acked);
        }
        self.fill();
    }

    fn loss(&mut self) {
        if self.flow.view().ca_state != CaState::Open {
            return;
        }
        self.sender.high_seq = self.flow.view().snd_nxt;
        self.flow.window().cwnd_cnt = 0;
        self.reduce();
        self.enter(CaState::Recovery);
    }

    fn recovered(&mut self) {
        if self.flow.view().ca_state != CaState::Recovery {
            return;
        }
        let window = self.flow.window();
        window.cwnd = window.ssthresh;
        self.congestion.cwnd_event(&mut self.flow, CaEvent::CompleteCwr);
        self.enter(CaState::Open);
        self.fill();
    }

    fn timeout(&mut self) {
        let window = self.flow.view();
        let first = window.ca_state == CaState::Loss && self.sender.timeouts == 0;
        let repaired = !self.sender.high_seq.after(window.snd_una);
        if window.ca_state == CaState::Open || repaired || first {
            self.reduce();
            self.congestion.cwnd_event(&mut self.flow, CaEvent::Loss);
        }
        let window = self.flow.window();
        window.cwnd = 1;
        window.cwnd_cnt = 0;
        self.enter(CaState::Loss);
        let window = self.flow.window();
        self.sender.high_seq = window.snd_nxt;
        self.sender.timeouts = self.sender.timeouts.saturating_add(1);
        window.retransmits = self.sender.timeouts;
    }

    fn leave(&mut self) {
        self.flow.window().can_send = false;
        self.congestion.release(&mut self.flow);
    }

    /// `tcp_rtt_estimator`, without the variance.
    fn sample(&mut self, rtt_us: Option<u32>) {
        let Some(rtt_us) = rtt_us else { return };
        let window = self.flow.window();
        let rtt_us = rtt_us.max(1);
        window.srtt_us = if window.srtt_us == 0 {
            rtt_us.wrapping_mul(8)
        } else {
            window.srtt_us.wrapping_add(rtt_us).wrapping_sub(window.srtt_us >> 3).max(1)
        };
    }

    fn reduce(&mut self) {
        let ssthresh = self.congestion.ssthresh(&mut self.flow);
        let window = self.flow.window();
        window.prior_cwnd = window.cwnd;
        window.ssthresh = ssthresh;
    }

    fn enter(&mut self, state: CaState) {
        self.congestion.set_state(&mut self.flow, state);
        self.flow.window().ca_state = state;
    }

    /// Sends as much as the window lets out.
    fn fill(&mut self) {
        let window = self.flow.window();
        let end = window.snd_una + window.cwnd.wrapping_mul(SEGMENT);
        if end.after(window.snd_nxt) {
            window.snd_nxt = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Name;
    use super::*;

    fn replay(name: Name, kinds: &[EventKind]) -> Replay {
        let mut replay = Replay::new(Congestion::new(name)).unwrap();
        for &kind in kinds {
            replay.step(&Event { at_us: 0, subflow: 0, kind }).unwrap();
        }
        replay
    }

    const JOIN: EventKind = EventKind::Join { rtt_us: Some(20_000) };
    const ACK: EventKind = EventKind::Ack { acked: 2, rtt_us: Some(20_000), cwnd_limited: true };

    #[test]
    fn slow_start_grows_by_what_is_acknowledged() {
        let replay = replay(Name::Reno, &[JOIN, ACK, ACK]);
        assert_eq!(replay.window(0).unwrap().cwnd, 14);
        assert_eq!(replay.acknowledged(0), Ok(4));
    }

    #[test]
    fn a_recovery_halves_the_window_when_it_is_complete() {
        let halfway = replay(Name::Reno, &[JOIN, EventKind::Loss, ACK, EventKind::Loss]);
        let window = halfway.window(0).unwrap();
        assert_eq!((window.cwnd, window.ssthresh, window.ca_state), (10, 5, CaState::Recovery));
        let done = replay(Name::Reno, &[JOIN, EventKind::Loss, EventKind::Recovered]);
        assert_eq!(done.window(0).unwrap().cwnd, 5);
    }

    #[test]
    fn a_second_timeout_in_a_row_keeps_the_threshold() {
        let twice = replay(Name::Reno, &[JOIN, EventKind::Timeout, EventKind::Timeout]);
        let window = twice.window(0).unwrap();
        assert_eq!((window.cwnd, window.ssthresh, window.retransmits), (1, 5, 2));
    }

    #[test]
    fn more_than_is_out_cannot_be_acknowledged() {
        let all = EventKind::Ack { acked: 99, rtt_us: None, cwnd_limited: true };
        assert_eq!(replay(Name::Reno, &[JOIN, all]).acknowledged(0), Ok(10));
    }

    #[test]
    fn subflows_have_to_join_first() {
        let mut replay = Replay::new(Congestion::new(Name::Lia)).unwrap();
        let event = Event { at_us: 0, subflow: 3, kind: ACK };
        assert_eq!(replay.step(&event), Err(ReplayError::Unknown(3)));
    }
}
