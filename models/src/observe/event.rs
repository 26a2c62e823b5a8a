//! What happens to a connection, for `events.csv` and for tests.

use mptcpsim_core::time::Time;

use crate::congestion::CaState;
use crate::tcp::State;

/// Something that happened to a subflow or to its connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A subflow entered a TCP state.
    State(State),
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
            self.events.push(Logged { at, connection: self.connection, subflow, event });
        }
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

    /// The events collected so far.
    pub fn events(&self) -> &[Logged] {
        &self.events
    }

    /// Takes the events collected so far.
    pub fn drain(&mut self) -> impl Iterator<Item = Logged> + '_ {
        self.events.drain(..)
    }
}
