//! Exchanges whose sizes and pauses differ: both ends know the script.

use std::sync::Arc;

use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Bytes;

use super::{App, Exchange, Role};
use crate::mptcp::{Connection, Env};

/// Requests and answers, in the order in which they follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script(Arc<[Step]>);

/// A pause, a request, an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    think: Span,
    /// Bytes of all requests up to this one, and of their answers.
    asked: u64,
    answered: u64,
}

impl Script {
    /// From pauses, sizes of requests and sizes of answers. A request or an answer has at least a
    /// byte.
    pub fn new(steps: impl IntoIterator<Item = (Span, Bytes, Bytes)>) -> Self {
        let (mut asked, mut answered) = (0, 0);
        let step = |(think, request, response): (Span, Bytes, Bytes)| {
            asked += request.get().max(1);
            answered += response.get().max(1);
            Step { think, asked, answered }
        };
        Self(steps.into_iter().map(step).collect())
    }

    /// How many exchanges there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without exchanges.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of the first `count` requests.
    pub fn asked(&self, count: usize) -> u64 {
        count.checked_sub(1).and_then(|last| self.0.get(last)).map_or(0, |step| step.asked)
    }

    /// Bytes of the first `count` answers.
    pub fn answered(&self, count: usize) -> u64 {
        count.checked_sub(1).and_then(|last| self.0.get(last)).map_or(0, |step| step.answered)
    }

    /// How many whole requests so many bytes are.
    pub fn requests_in(&self, bytes: u64) -> usize {
        self.0.partition_point(|step| step.asked <= bytes)
    }

    /// How many whole answers so many bytes are.
    pub fn answers_in(&self, bytes: u64) -> usize {
        self.0.partition_point(|step| step.answered <= bytes)
    }
}

impl App {
    /// The end that asks.
    pub(super) fn progress_ask(&mut self, connection: &mut Connection, env: &mut Env<'_>) -> bool {
        let Role::Ask { ref script, ref mut next } = self.role else { return false };
        let asked = self.exchanges.len();
        let (begun, complete) = (script.answered(asked.saturating_sub(1)), script.answered(asked));
        let bytes = self.ledger.bytes();
        if let Some(last) = self.exchanges.last_mut() {
            last.note(env.now, bytes > begun, bytes >= complete);
        }
        let request = script.asked(asked);
        if self.sent < request {
            return self.write_to(request, connection, env);
        }
        if bytes < complete {
            return false;
        }
        let Some(step) = script.0.get(asked) else { return self.close(connection, env) };
        if *next == Time::NEVER {
            *next = env.now + step.think;
        }
        if env.now < *next {
            return false;
        }
        *next = Time::NEVER;
        let end = step.asked;
        self.exchanges.push(Exchange::asked(env.now));
        self.write_to(end, connection, env)
    }

    /// The end that answers.
    pub(super) fn progress_answer(
        &mut self,
        connection: &mut Connection,
        env: &mut Env<'_>,
    ) -> bool {
        let Role::Answer { ref script } = self.role else { return false };
        let end = script.answered(script.requests_in(self.ledger.bytes()));
        if self.write_to(end, connection, env) {
            return true;
        }
        connection.at_end() && self.close(connection, env)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_counts_whole_exchanges() {
        let bytes = Bytes::new;
        let script = Script::new([
            (Span::ZERO, bytes(100), bytes(1_000)),
            (Span::from_ms(5), bytes(200), bytes(0)),
        ]);
        assert_eq!((script.asked(0), script.asked(1), script.asked(2)), (0, 100, 300));
        assert_eq!((script.answered(1), script.answered(2)), (1_000, 1_001));
        assert_eq!([99, 100, 299, 300, 301].map(|n| script.requests_in(n)), [0, 1, 1, 2, 2]);
        assert_eq!([999, 1_000, 1_001].map(|n| script.answers_in(n)), [0, 1, 2]);
    }
}
