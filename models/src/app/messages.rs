//! Messages that are written at given times, whatever the network does: a constant bit rate, on
//! and off, a recorded trace.

use std::sync::Arc;

use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Bytes;

use super::{App, Exchange, Role};
use crate::mptcp::{Connection, Env};

/// When which message is written. Both ends know it, so the receiver can tell how late a message
/// is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule(Arc<[Message]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Message {
    at: Time,
    /// Bytes of all messages up to this one.
    end: u64,
}

impl Schedule {
    /// From times and sizes; the times must not decrease. A message has at least a byte.
    pub fn new(messages: impl IntoIterator<Item = (Time, Bytes)>) -> Self {
        let mut end = 0;
        let message = |(at, size): (Time, Bytes)| {
            end += size.get().max(1);
            Message { at, end }
        };
        Self(messages.into_iter().map(message).collect())
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without messages.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all messages.
    pub fn bytes(&self) -> u64 {
        self.0.last().map_or(0, |last| last.end)
    }

    /// Bytes of the messages before message `number`.
    fn start(&self, number: usize) -> u64 {
        number.checked_sub(1).and_then(|before| self.0.get(before)).map_or(0, |m| m.end)
    }
}

impl App {
    /// When the next message is to be written.
    pub(super) fn next_message(&self) -> Time {
        match &self.role {
            Role::Messages { send, written, .. } => {
                send.0.get(*written).map_or(Time::NEVER, |message| message.at)
            }
            _ => Time::NEVER,
        }
    }

    #[inline(never)]
    pub(super) fn progress_messages(
        &mut self,
        connection: &mut Connection,
        env: &mut Env<'_>,
    ) -> bool {
        self.note_messages(env.now);
        let Role::Messages { ref send, ref mut written, .. } = self.role else { return false };
        while send.0.get(*written).is_some_and(|message| message.at <= env.now) {
            *written += 1;
        }
        let (end, all) = (send.start(*written), send.bytes());
        if self.write_to(end, connection, env) {
            return true;
        }
        // Who only receives waits for the end of the stream.
        let over = if all > 0 { self.sent >= all } else { connection.at_end() };
        over && self.close(connection, env)
    }

    /// Notes which messages have come, and how late.
    fn note_messages(&mut self, now: Time) {
        let Role::Messages { expect, .. } = &self.role else { return };
        let bytes = self.ledger.bytes();
        // The last message noted may have been in part there.
        let mut number = self.exchanges.len().saturating_sub(1);
        while let Some(message) = expect.0.get(number)
            && bytes > expect.start(number)
        {
            if self.exchanges.len() == number {
                self.exchanges.push(Exchange::asked(message.at));
            }
            if let Some(exchange) = self.exchanges.get_mut(number) {
                exchange.note(now, true, bytes >= message.end);
            }
            number += 1;
        }
    }
}

/// Messages of the same size at the same distance, from `start` for `duration`.
pub fn constant_rate(
    start: Time,
    size: Bytes,
    every: Span,
    duration: Span,
) -> impl Iterator<Item = (Time, Bytes)> {
    let count = if every.is_zero() { 0 } else { duration.as_ps().div_ceil(every.as_ps()) };
    (0..count).map(move |number| (start + every * number, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_rate_fills_its_time() {
        let at = |ms| Time::ZERO + Span::from_ms(ms);
        let size = Bytes::new(100);
        let messages = constant_rate(at(5), size, Span::from_ms(10), Span::from_ms(25));
        assert_eq!(messages.collect::<Vec<_>>(), [(at(5), size), (at(15), size), (at(25), size)]);
        assert_eq!(constant_rate(at(0), size, Span::ZERO, Span::from_ms(25)).count(), 0);
    }
}
