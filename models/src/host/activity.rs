//! How long interfaces are active: what a radio's energy is counted from.

use std::net::IpAddr;

use mptcpsim_core::time::{Span, Time};

use super::Tapped;

/// An interface whose activity is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Number of the host.
    pub host: usize,
    /// The addresses of the interface.
    pub addresses: Vec<IpAddr>,
    /// How long it stays active after a packet.
    pub hold: Span,
    /// How long its tail is after that.
    pub tail: Span,
}

/// What an interface did until its last packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    watched: Watched,
    last: Option<Time>,
    spent: Spent,
    /// Bytes sent and received, IP headers included.
    pub bytes: [u64; 2],
    /// How often a packet found it idle.
    pub promotions: u64,
}

/// How long an interface was in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// With packets, or shortly after.
    pub active: Span,
    /// In its tail.
    pub tail: Span,
    /// The rest.
    pub idle: Span,
}

impl Activity {
    /// An interface that is idle.
    pub const fn new(watched: Watched) -> Self {
        let spent = Spent { active: Span::ZERO, tail: Span::ZERO, idle: Span::ZERO };
        Self { watched, last: None, spent, bytes: [0, 0], promotions: 0 }
    }

    /// Takes note of a packet if it is one of this interface.
    pub(super) fn note(&mut self, tapped: &Tapped) {
        let own = if tapped.sent { tapped.tuple.src.ip() } else { tapped.tuple.dst.ip() };
        if tapped.host != self.watched.host || !self.watched.addresses.contains(&own) {
            return;
        }
        let headers = if own.is_ipv4() { 20 } else { 40 };
        self.packet(tapped.at, tapped.sent, headers + u64::from(tapped.segment.wire_len()));
    }

    fn packet(&mut self, at: Time, sent: bool, bytes: u64) {
        self.bytes[usize::from(!sent)] += bytes;
        let before = self.spent;
        self.spent = self.until(at);
        if self.last.is_none() || self.spent.idle > before.idle {
            self.promotions += 1;
        }
        self.last = Some(at);
    }

    /// How long it was in which state until `now`.
    pub fn until(&self, now: Time) -> Spent {
        let Spent { active, tail, idle } = self.spent;
        let Some(last) = self.last else { return Spent { idle: now - Time::ZERO, ..self.spent } };
        let passed = now - last;
        let held = passed.min(self.watched.hold);
        let tailed = (passed - held).min(self.watched.tail);
        Spent { active: active + held, tail: tail + tailed, idle: idle + (passed - held - tailed) }
    }

    /// The part of the state after the last packet that is still to come at `now`: it is spent whether the run
    /// goes on or not.
    pub fn to_come(&self, now: Time) -> Spent {
        let Some(last) = self.last else { return Spent::default() };
        let end = last + self.watched.hold + self.watched.tail;
        let (all, done) = (self.until(now.max(end)), self.until(now));
        Spent { active: all.active - done.active, tail: all.tail - done.tail, idle: Span::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_active_then_in_its_tail_then_idle() {
        let (ms, at) = (Span::from_ms, |ms| Time::ZERO + Span::from_ms(ms));
        let (hold, tail) = (ms(10), ms(100));
        let mut activity = Activity::new(Watched { host: 0, addresses: Vec::new(), hold, tail });
        assert_eq!(activity.until(at(7)), Spent { idle: ms(7), ..Spent::default() });
        for (time, sent) in [(20, true), (25, false), (60, true), (300, true)] {
            activity.packet(at(time), sent, 1_000);
        }
        assert_eq!((activity.bytes, activity.promotions), ([3_000, 1_000], 2));
        // Idle until 20, active to 35, tail to 60, active to 70, tail to 170, idle to 300, active.
        let spent = Spent { active: ms(30), tail: ms(125), idle: ms(150) };
        assert_eq!(activity.until(at(305)), spent);
        assert_eq!(activity.to_come(at(305)), Spent { active: ms(5), tail: ms(100), idle: ms(0) });
        assert_eq!(activity.to_come(at(999)), Spent::default());
    }
}
