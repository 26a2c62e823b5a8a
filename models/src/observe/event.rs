//! What happens to a connection, for `events.csv` and for tests.

use mptcpsim_core::time::Time;

use super::notation::mptcp_words;
use crate::congestion::CaState;
use crate::segment::{Segment, Width};
use crate::seq::Seq;
use crate::tcp::State;

/// Something that happened to a subflow or to its connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A subflow went from one TCP state to another.
    State {
        /// The state it left.
        from: State,
        /// The state it entered.
        to: State,
    },
    /// MPTCP options were sent or received with a segment.
    Options {
        /// The host sent them.
        sent: bool,
        /// The options as packet scripts write them.
        words: String,
    },
    /// A segment left with data that belongs somewhere in the stream.
    Mapped {
        /// The DSN of its first byte.
        dsn: u64,
        /// How many bytes it has.
        len: u32,
    },
    /// The sender's congestion state changed.
    Congestion(CaState),
    /// A retransmission timeout fired; the number of timeouts in a row.
    Timeout(u8),
    /// A tail loss probe was sent.
    LossProbe,
    /// A reduction proved wrong and was undone.
    Undo,
    /// Anything of the MPTCP level: its name and details.
    Mptcp {
        /// What happened, in the words of the results' event column.
        what: &'static str,
        /// More about it.
        detail: String,
    },
}

/// An event with its moment and subflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// When.
    pub at: Time,
    /// Number of the connection in its simulation.
    pub connection: u32,
    /// Index of the subflow.
    pub subflow: usize,
    /// What.
    pub event: Event,
}

/// Collects events; costs one test when off.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    enabled: bool,
    connection: u32,
    events: Vec<Logged>,
}

impl EventLog {
    /// A log that collects events if `enabled`.
    pub const fn new(enabled: bool) -> Self {
        Self { enabled, connection: 0, events: Vec::new() }
    }

    /// True if events are collected.
    pub const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Says which connection the next events are about.
    pub const fn about(&mut self, connection: u32) {
        self.connection = connection;
    }

    /// Notes an event.
    #[inline]
    pub fn push(&mut self, at: Time, subflow: usize, event: Event) {
        if self.enabled {
            self.log(at, subflow, event);
        }
    }

    #[cold]
    fn log(&mut self, at: Time, subflow: usize, event: Event) {
        self.events.push(Logged { at, connection: self.connection, subflow, event });
    }

    /// Notes an MPTCP event; the details are only put together when somebody listens.
    #[inline]
    pub fn mptcp(
        &mut self,
        at: Time,
        subflow: usize,
        what: &'static str,
        detail: impl FnOnce() -> String,
    ) {
        if self.enabled {
            self.push(at, subflow, Event::Mptcp { what, detail: detail() });
        }
    }

    /// Notes the MPTCP options of a segment.
    pub fn options(&mut self, at: Time, subflow: usize, sent: bool, segment: &Segment) {
        let words = mptcp_words(segment).join(", ");
        if self.enabled && !words.is_empty() {
            self.push(at, subflow, Event::Options { sent, words });
        }
    }

    /// Notes where the data of a segment belongs in the stream; `iss` is the initial sequence number of its subflow.
    pub fn mapped(&mut self, at: Time, subflow: usize, iss: Seq, segment: &Segment) {
        let mapping = segment.dss.as_ref().filter(|dss| dss.dsn_width != Width::Absent);
        let Some(dss) = mapping.filter(|_| !segment.payload.is_empty()) else { return };
        // A segment may be any part of what its mapping covers.
        let within = (segment.seq - iss).wrapping_sub(dss.ssn);
        let dsn = dss.dsn.wrapping_add(u64::from(within));
        self.push(at, subflow, Event::Mapped { dsn, len: segment.payload.len() });
    }

    /// How many events there are, to insert one behind them later.
    pub(crate) fn mark(&self) -> usize {
        self.events.len()
    }

    /// Moves the last event to where [`EventLog::mark`] was: it was the cause of those between.
    pub(crate) fn move_last_to(&mut self, mark: usize) {
        if let Some(between) = self.events.get_mut(mark..) {
            between.rotate_right(1);
        }
    }

    /// The events collected so far.
    pub fn events(&self) -> &[Logged] {
        &self.events
    }

    /// Takes the events collected so far.
    pub fn drain(&mut self) -> impl Iterator<Item = Logged> + '_ {
        self.events.drain(..)
    }
}

/// Why a subflow goes from one state to the other: the event of the state diagram in RFC 9293
/// section 3.3.2 (figure 5).
pub const fn rule(from: State, to: State) -> &'static str {
    use State::{
        CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, SynReceived, SynSent,
        TimeWait,
    };
    match (from, to) {
        (Closed, SynSent) => "active open",
        (Closed, SynReceived) => "SYN received",
        (SynSent, SynReceived) => "simultaneous open",
        (SynSent, Established) => "SYN/ACK received",
        (SynReceived, Established) => "SYN acknowledged",
        (Established | SynReceived, FinWait1) | (CloseWait, LastAck) => "closed by this end",
        (Established | SynReceived, CloseWait) => "FIN received",
        (FinWait1, Closing) | (FinWait2, TimeWait) => "FIN received",
        (FinWait1, FinWait2) | (Closing, TimeWait) | (LastAck, Closed) => "FIN acknowledged",
        (FinWait1, TimeWait) => "FIN received and acknowledged",
        (TimeWait, Closed) => "waited long enough",
        _ => "reset, aborted or timed out",
    }
}
