//! Delivery-rate estimation (draft-cheng-iccrg-delivery-rate-estimation; Linux `tcp_rate.c`).
//!
//! Each transmission remembers how much had been delivered; its acknowledgement
//! then tells how much was delivered in between and how long that took. RACK
//! uses the packet counts, BBR and `ss` the rate.

use mptcpsim_core::time::{Span, Time};

use super::scoreboard::{Marks, RateStamp, Record};
use crate::congestion::{self, Window};

/// The estimator's running state.
#[derive(Clone, Debug, Default)]
pub(super) struct Rate {
    /// Packets delivered so far, out of order included.
    pub(super) delivered: u32,
    /// Packets taken for lost so far.
    pub(super) lost: u32,
    /// When `delivered` last rose.
    delivered_at: Time,
    /// Start of the current sampling window.
    first_sent_at: Time,
    /// The application had no more to send until `delivered` passes this; 0 if it has.
    app_limited: u32,
    /// Last good sample: packets and time.
    pub(super) rate_delivered: u32,
    pub(super) rate_interval: Span,
    pub(super) rate_app_limited: bool,
}

/// What one acknowledgement tells of the delivery rate.
#[derive(Clone, Copy, Debug, Default)]
pub struct RateSample {
    /// `delivered` when the newest acknowledged packet was sent.
    pub prior_delivered: u32,
    prior_delivered_at: Time,
    has_prior: bool,
    prior_sent_at: Time,
    send_interval: Span,
    /// Packets delivered over the interval; `None` if unknown.
    pub delivered: Option<u32>,
    /// Length of the interval.
    pub interval: Span,
    /// The sample was limited by the application.
    pub app_limited: bool,
    /// Packets in flight before the acknowledgement.
    pub prior_in_flight: u32,
    /// Packets newly delivered.
    pub acked_sacked: u32,
    /// Packets newly taken for lost.
    pub losses: u32,
    /// Round-trip time of the newest packet in microseconds.
    pub rtt_us: Option<u32>,
}

impl RateSample {
    /// As congestion control gets it.
    pub(super) fn told(&self) -> congestion::RateSample {
        congestion::RateSample {
            delivered: self.delivered,
            interval_us: self.interval.as_us(),
            prior_delivered: self.prior_delivered,
            rtt_us: self.rtt_us,
            losses: self.losses,
            acked_sacked: self.acked_sacked,
            prior_in_flight: self.prior_in_flight,
            app_limited: self.app_limited,
            ack_delayed: false,
        }
    }

    /// True once a packet was acknowledged whose transmission is remembered.
    pub(super) const fn has_prior(&self) -> bool {
        self.has_prior
    }
}

impl Rate {
    /// What a transmission at `now` remembers (`tcp_rate_skb_sent`).
    pub(super) fn stamp(&mut self, now: Time, packets_out: u32) -> RateStamp {
        if packets_out == 0 {
            self.first_sent_at = now;
            self.delivered_at = now;
        }
        RateStamp {
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent_at: self.first_sent_at,
            app_limited: self.app_limited != 0,
        }
    }

    /// A packet was acknowledged (`tcp_rate_skb_delivered`).
    pub(super) fn delivered_packet(&mut self, record: &Record, sample: &mut RateSample) {
        let newer = !sample.has_prior
            || record.delivered.wrapping_sub(sample.prior_delivered) as i32 > 0
            || (record.delivered == sample.prior_delivered
                && record.sent_at > sample.prior_sent_at);
        if newer {
            sample.has_prior = true;
            sample.prior_delivered = record.delivered;
            sample.prior_delivered_at = record.delivered_at;
            sample.prior_sent_at = record.sent_at;
            sample.app_limited = record.marks.has(Marks::APP_LIMITED);
            sample.send_interval = record.sent_at - record.first_sent_at;
            self.first_sent_at = record.sent_at;
        }
    }

    /// Completes the sample of one acknowledgement (`tcp_rate_gen`).
    pub(super) fn generate(&mut self, now: Time, min_rtt: Span, sample: &mut RateSample) {
        if self.app_limited != 0 && self.delivered.wrapping_sub(self.app_limited) as i32 > 0 {
            self.app_limited = 0;
        }
        if sample.acked_sacked > 0 {
            self.delivered_at = now;
        }
        if !sample.has_prior {
            return;
        }
        let delivered = self.delivered.wrapping_sub(sample.prior_delivered);
        sample.interval = sample.send_interval.max(now - sample.prior_delivered_at);
        if sample.interval < min_rtt {
            sample.interval = Span::ZERO;
            return;
        }
        sample.delivered = Some(delivered);
        let beats_last = u128::from(delivered) * u128::from(self.rate_interval.as_ps())
            >= u128::from(self.rate_delivered) * u128::from(sample.interval.as_ps());
        if !sample.app_limited || beats_last {
            self.rate_delivered = delivered;
            self.rate_interval = sample.interval;
            self.rate_app_limited = sample.app_limited;
        }
    }

    /// Brings the window's view of the delivery up to date.
    pub(super) fn tell(&self, window: &mut Window) {
        window.delivery.delivered = self.delivered;
        window.delivery.lost = self.lost;
        window.delivery.at_us = self.delivered_at.as_us();
        window.delivery.app_limited = self.app_limited != 0;
    }

    /// The application has nothing more to send (`tcp_rate_check_app_limited`).
    pub(super) fn app_limited(&mut self, in_flight: u32) {
        self.app_limited = self.delivered.wrapping_add(in_flight).max(1);
    }
}
