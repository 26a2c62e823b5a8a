//! What an application received: how much, when, and whether it was right.

use mptcpsim_core::time::{Span, Time};

use crate::payload::Payload;

/// The account of one receiving end.
#[derive(Clone, Debug)]
pub struct Ledger {
    started_at: Time,
    bytes: u64,
    first_byte_at: Option<Time>,
    last_byte_at: Option<Time>,
    ended_at: Option<Time>,
    finished_at: Option<Time>,
    longest_gap: Span,
    longest_gap_from: Time,
    wrong_bytes: u64,
}

impl Ledger {
    pub(super) const fn new(now: Time) -> Self {
        Self {
            started_at: now,
            bytes: 0,
            first_byte_at: None,
            last_byte_at: None,
            ended_at: None,
            finished_at: None,
            longest_gap: Span::ZERO,
            longest_gap_from: now,
            wrong_bytes: 0,
        }
    }

    pub(super) fn received(&mut self, now: Time, payload: &Payload) {
        if !payload.matches_pattern(self.bytes) {
            self.count_wrong(payload);
        }
        if let Some(last) = self.last_byte_at
            && now - last > self.longest_gap
        {
            self.longest_gap = now - last;
            self.longest_gap_from = last;
        }
        self.bytes += u64::from(payload.len());
        self.first_byte_at = self.first_byte_at.or(Some(now));
        self.last_byte_at = Some(now);
    }

    #[cold]
    fn count_wrong(&mut self, payload: &Payload) {
        let right = Payload::pattern(self.bytes, payload.len());
        let wrong = payload.iter().zip(right.iter()).filter(|(got, want)| got != want).count();
        self.wrong_bytes += wrong as u64;
    }

    pub(super) fn ended(&mut self, now: Time) {
        self.ended_at = self.ended_at.or(Some(now));
    }

    pub(super) fn finished(&mut self, now: Time) {
        self.finished_at = self.finished_at.or(Some(now));
    }

    /// When the application started: the `connect` call, or the acceptance.
    pub const fn started_at(&self) -> Time {
        self.started_at
    }

    /// Bytes received.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When the first byte came.
    pub const fn first_byte_at(&self) -> Option<Time> {
        self.first_byte_at
    }

    /// When the last byte came.
    pub const fn last_byte_at(&self) -> Option<Time> {
        self.last_byte_at
    }

    /// When the end of the stream was read.
    pub const fn ended_at(&self) -> Option<Time> {
        self.ended_at
    }

    /// When the application was done with the connection.
    pub const fn finished_at(&self) -> Option<Time> {
        self.finished_at
    }

    /// The longest time between two arrivals of data, and when it began.
    pub const fn longest_gap(&self) -> (Span, Time) {
        (self.longest_gap, self.longest_gap_from)
    }

    /// Bytes that were not those the peer sent.
    pub const fn wrong_bytes(&self) -> u64 {
        self.wrong_bytes
    }
}
