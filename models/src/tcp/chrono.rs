//! What the sender spends its time with (Linux `tcp_chrono_start`, `tcp_chrono_stop`,
//! `tcp_get_info_chrono_stats`).

use mptcpsim_core::time::{Span, Time};

use super::{Cx, Subflow};

/// What keeps a sender from being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Work {
    /// Everything is acknowledged.
    #[default]
    None,
    /// Data is under way, or on the way to be.
    Busy,
    /// More could leave if the peer's window allowed it.
    WindowLimited,
    /// More could leave if the send buffer took it from the application.
    BufferLimited,
}

/// How long a sender did what.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Chrono {
    work: Work,
    since: Time,
    busy: Span,
    window_limited: Span,
    buffer_limited: Span,
}

impl Chrono {
    /// Time until `now` in which there was data to send or to be acknowledged.
    pub fn busy(&self, now: Time) -> Span {
        self.until(now).busy
    }

    /// The part of it in which the peer's window let nothing leave.
    pub fn window_limited(&self, now: Time) -> Span {
        self.until(now).window_limited
    }

    /// The part of it in which the application could have sent more with a larger send buffer.
    pub fn buffer_limited(&self, now: Time) -> Span {
        self.until(now).buffer_limited
    }

    fn until(mut self, now: Time) -> Self {
        let passed = now.max(self.since) - self.since;
        if self.work != Work::None {
            self.busy += passed;
        }
        match self.work {
            Work::WindowLimited => self.window_limited += passed,
            Work::BufferLimited => self.buffer_limited += passed,
            Work::None | Work::Busy => {}
        }
        self.since = now;
        self
    }

    fn turn_to(&mut self, work: Work, now: Time) {
        if self.work != work {
            *self = Self { work, ..self.until(now) };
        }
    }
}

impl Subflow {
    /// Everything that may leave has left.
    pub(super) fn note_pushed(&mut self, cx: &Cx<'_>, window_limited: bool) {
        let window = cx.window();
        let all_sent = self.tx.unsent(window.snd_nxt).is_none();
        // `tcp_cwnd_validate`: a writer waits, and nothing else does.
        let starved = cx.starved && all_sent && window.in_flight() < window.cwnd;
        let work = match (all_sent && self.tx.is_empty(), window_limited) {
            (true, _) => Work::None,
            (false, true) => Work::WindowLimited,
            (false, false) if starved => Work::BufferLimited,
            (false, false) => Work::Busy,
        };
        self.chrono.turn_to(work, cx.now);
    }

    /// An acknowledgement has come.
    pub(super) fn note_acknowledged(&mut self, cx: &Cx<'_>) {
        if self.tx.is_empty() && self.tx.unsent(cx.window().snd_nxt).is_none() {
            self.chrono.turn_to(Work::None, cx.now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_to_what_was_done_in_it() {
        let at = |ms| Time::ZERO + Span::from_ms(ms);
        let mut chrono = Chrono::default();
        chrono.turn_to(Work::Busy, at(10));
        chrono.turn_to(Work::WindowLimited, at(15));
        chrono.turn_to(Work::Busy, at(35));
        assert_eq!(chrono.busy(at(40)), Span::from_ms(30));
        chrono.turn_to(Work::None, at(40));
        chrono.turn_to(Work::Busy, at(100));
        assert_eq!(chrono.busy(at(101)), Span::from_ms(31));
        assert_eq!(chrono.window_limited(at(101)), Span::from_ms(20));
    }
}
