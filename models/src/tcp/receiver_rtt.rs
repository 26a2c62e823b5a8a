//! The receiver's own estimate of the round-trip time, which sizes its buffer (Linux `rcv_rtt_est`).

use mptcpsim_core::time::Time;

use super::{Cx, Subflow};
use crate::rules::ReceiveTuning;
use crate::segment::Segment;
use crate::seq::Seq;

/// The receiver's own estimate of the round-trip time (`rcv_rtt_est`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReceiverRtt {
    /// In microseconds times 8; 0 if unknown.
    pub(super) rtt_us: u32,
    /// What is received behind this ends a window.
    pub(super) seq: Seq,
    at: Time,
    last_echo: u32,
    /// Bytes that the application read in the round trip which sized the buffer
    /// (`rcvq_space.space`); 0 before the handshake is complete.
    pub(super) read: u32,
}

impl ReceiverRtt {
    /// Takes lower samples at once and lets others raise the mean, unless they may hold the time
    /// that data lay `unread` or the time of a whole window (`tcp_rcv_rtt_update`, since 6.16).
    fn update_low(&mut self, sample_us: u32, unread: bool) {
        let (old, sample) = (self.rtt_us, sample_us << 3);
        if old == 0 || sample < old {
            self.rtt_us = sample;
        } else if !unread {
            self.rtt_us = old - (old >> 3) + sample_us;
        }
    }

    /// A moving average (`tcp_rcv_rtt_update` on timestamps, before 6.16).
    fn update_mean(&mut self, sample_us: u32) {
        let old = self.rtt_us;
        self.rtt_us = if old == 0 { sample_us << 3 } else { old - (old >> 3) + sample_us };
    }
}

impl Subflow {
    /// By timestamps: once per new echo, on full segments (`tcp_rcv_rtt_measure_ts`).
    pub(super) fn measure_rtt_by_echo(&mut self, cx: &mut Cx<'_>, segment: &Segment) {
        let Some(echo) = self.rx.timestamps.echo else { return };
        if echo == self.rx.rtt.last_echo {
            return;
        }
        self.rx.rtt.last_echo = echo;
        if segment.payload.len() >= u32::from(self.rx.rcv_mss)
            && let Some(rtt_us) = self.timestamp_rtt_us(cx.now)
        {
            let unread = self.rx.copied != self.rx.rcv_nxt;
            match cx.config.rules.receive_tuning {
                ReceiveTuning::GrowingRound => self.rx.rtt.update_low(rtt_us, unread),
                ReceiveTuning::TwoRounds => self.rx.rtt.update_mean(rtt_us),
            }
        }
    }

    /// The time to receive a window, which is all there is without timestamps, or while no segment is as long as
    /// full ones are thought to be (`tcp_rcv_rtt_measure`).
    pub(super) fn measure_rtt_by_window(&mut self, now: Time) {
        let rx = &mut self.rx;
        if rx.rtt.at != Time::ZERO {
            if rx.rcv_nxt.before(rx.rtt.seq) {
                return;
            }
            let elapsed = (now - rx.rtt.at).as_us().clamp(1, u64::from(u32::MAX >> 4)) as u32;
            rx.rtt.update_low(elapsed, true);
        }
        rx.rtt.seq = rx.rcv_nxt + rx.rcv_wnd;
        rx.rtt.at = now;
    }
}
