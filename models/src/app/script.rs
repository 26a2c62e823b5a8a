//! Requests and answers: both ends know the script.

use std::sync::Arc;

use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Bytes;

use super::{App, Exchange, Role};
use crate::mptcp::{Connection, Env};

/// Requests and answers, in the order in which they follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script(Steps);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Steps {
    Alike { request: u64, response: u64, think: Span, count: u64 },
    Each(Arc<[Step]>),
}

/// A pause, a request, an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    think: Span,
    /// Bytes of all requests up to this one, and of their answers.
    asked: u64,
    answered: u64,
}

impl Script {
    /// The same exchange `count` times, with a pause before all but the first. A request has at
    /// least a byte.
    pub fn alike(request: Bytes, response: Bytes, think: Span, count: u64) -> Self {
        let (request, response) = (request.get().max(1), response.get());
        Self(Steps::Alike { request, response, think, count })
    }

    /// From pauses, sizes of requests and sizes of answers. A request or an answer has at least a
    /// byte.
    pub fn new(steps: impl IntoIterator<Item = (Span, Bytes, Bytes)>) -> Self {
        let (mut asked, mut answered) = (0, 0);
        let step = |(think, request, response): (Span, Bytes, Bytes)| {
            asked += request.get().max(1);
            answered += response.get().max(1);
            Step { think, asked, answered }
        };
        Self(Steps::Each(steps.into_iter().map(step).collect()))
    }

    /// Size of a request, size of an answer and pause, if all exchanges are alike.
    pub const fn exchange(&self) -> Option<(Bytes, Bytes, Span)> {
        match self.0 {
            Steps::Alike { request, response, think, .. } => {
                Some((Bytes::new(request), Bytes::new(response), think))
            }
            Steps::Each(_) => None,
        }
    }

    /// How many exchanges there are.
    pub fn count(&self) -> u64 {
        match &self.0 {
            Steps::Alike { count, .. } => *count,
            Steps::Each(steps) => steps.len() as u64,
        }
    }

    /// Bytes of the first `count` requests.
    pub fn asked(&self, count: u64) -> u64 {
        match &self.0 {
            Steps::Alike { request, .. } => count.saturating_mul(*request),
            Steps::Each(steps) => last_of(steps, count).map_or(0, |step| step.asked),
        }
    }

    /// Bytes of the first `count` answers.
    pub fn answered(&self, count: u64) -> u64 {
        match &self.0 {
            Steps::Alike { response, .. } => count.saturating_mul(*response),
            Steps::Each(steps) => last_of(steps, count).map_or(0, |step| step.answered),
        }
    }

    /// How many whole requests so many bytes are.
    fn requests_in(&self, bytes: u64) -> u64 {
        match &self.0 {
            Steps::Alike { request, .. } => bytes / request,
            Steps::Each(steps) => steps.partition_point(|step| step.asked <= bytes) as u64,
        }
    }

    /// The pause before exchange `number`, counted from 0.
    pub(super) fn think(&self, number: u64) -> Span {
        match &self.0 {
            Steps::Alike { .. } if number == 0 => Span::ZERO,
            Steps::Alike { think, .. } => *think,
            Steps::Each(steps) => last_of(steps, number + 1).map_or(Span::ZERO, |step| step.think),
        }
    }
}

/// The last of the first `count` steps.
fn last_of(steps: &[Step], count: u64) -> Option<&Step> {
    steps.get(usize::try_from(count).ok()?.checked_sub(1)?)
}

impl App {
    /// The end that asks.
    #[inline(never)]
    pub(super) fn progress_request(
        &mut self,
        connection: &mut Connection,
        env: &mut Env<'_>,
    ) -> bool {
        let Role::Request { ref script, ref mut next, waits } = self.role else { return false };
        let asked = self.exchanges.len() as u64;
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
        if asked >= script.count() {
            return (!waits || connection.at_end()) && self.close(connection, env);
        }
        if *next == Time::NEVER {
            *next = env.now + script.think(asked);
        }
        if env.now < *next {
            return false;
        }
        *next = Time::NEVER;
        let end = script.asked(asked + 1);
        self.exchanges.push(Exchange::asked(env.now));
        self.write_to(end, connection, env)
    }

    /// The end that answers.
    pub(super) fn progress_respond(
        &mut self,
        connection: &mut Connection,
        env: &mut Env<'_>,
    ) -> bool {
        let Role::Respond { ref script, answers } = self.role else { return false };
        let complete = script.requests_in(self.ledger.bytes());
        let (end, last) = (script.answered(complete), script.answered(answers));
        if self.write_to(end, connection, env) {
            return true;
        }
        let answered = complete >= answers && self.sent >= last;
        (answered || connection.at_end()) && self.close(connection, env)
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
        assert_eq!((script.think(0), script.think(1)), (Span::ZERO, Span::from_ms(5)));
        let alike = Script::alike(bytes(100), bytes(1_000), Span::from_ms(5), 3);
        assert_eq!((alike.asked(2), alike.answered(2), alike.count()), (200, 2_000, 3));
        assert_eq!([99, 100, 299, 300, 301].map(|n| alike.requests_in(n)), [0, 1, 2, 3, 3]);
        assert_eq!((alike.think(0), alike.think(1)), (Span::ZERO, Span::from_ms(5)));
    }
}
