//! What `getsockopt(TCP_INFO)` would tell of a subflow (`tcp_get_info`).

use mptcpsim_core::time::{Span, Time};

use super::chrono::Chrono;
use super::{Negotiated, State, Subflow, Totals};
use crate::congestion::{CaState, Window};

/// The fields of `struct tcp_info` that the model has, by their names there. Moments are moments
/// and not yet ages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TcpInfo {
    /// The state of the connection.
    pub state: State,
    /// The state of the sender's repair of losses.
    pub ca_state: CaState,
    /// Timeouts in a row, and how often the timeout was doubled.
    pub retransmits: u8,
    /// How often the timeout is doubled.
    pub backoff: u8,
    /// Probes of a closed window without an answer.
    pub probes: u8,
    /// What both ends agreed on: `options`, `snd_wscale` and `rcv_wscale`.
    pub options: Negotiated,
    /// The retransmission timeout.
    pub rto: Span,
    /// The estimated time between segments that delayed acknowledgements wait for.
    pub ato: Span,
    /// Bytes of data in a full segment.
    pub snd_mss: u32,
    /// Estimated segment size of the peer.
    pub rcv_mss: u32,
    /// Segment size announced to the peer.
    pub advmss: u32,
    /// Largest packet that the path takes.
    pub pmtu: u32,
    /// Packets sent and not acknowledged.
    pub unacked: u32,
    /// Of these, selectively acknowledged.
    pub sacked: u32,
    /// Of these, taken for lost.
    pub lost: u32,
    /// Of these, sent again.
    pub retrans: u32,
    /// When data was last sent.
    pub last_data_sent: Time,
    /// When data was last received.
    pub last_data_recv: Time,
    /// When an acknowledgement was last received.
    pub last_ack_recv: Time,
    /// The window that the receive buffer is trusted with.
    pub rcv_ssthresh: u32,
    /// Smoothed round-trip time in microseconds.
    pub rtt: u32,
    /// Its mean deviation in microseconds.
    pub rttvar: u32,
    /// Smallest round-trip time in microseconds; `u32::MAX` before the first.
    pub min_rtt: u32,
    /// Slow-start threshold in packets.
    pub snd_ssthresh: u32,
    /// Congestion window in packets.
    pub snd_cwnd: u32,
    /// Packets that the path may reorder.
    pub reordering: u32,
    /// The receiver's estimate of the round-trip time in microseconds.
    pub rcv_rtt: u32,
    /// Bytes that the application reads in a round trip, for which the buffer is sized.
    pub rcv_space: u32,
    /// Rate of pacing in bytes per second.
    pub pacing_rate: u64,
    /// Last measured rate of delivery in bytes per second.
    pub delivery_rate: u64,
    /// The rate is that of the application, not of the path.
    pub app_limited: bool,
    /// What the sender spent its time with: `busy_time`, `rwnd_limited`.
    pub chrono: Chrono,
    /// Packets delivered.
    pub delivered: u32,
    /// Bytes written and not sent yet.
    pub notsent_bytes: u32,
    /// Window that the peer offers.
    pub snd_wnd: u32,
    /// Window offered to the peer.
    pub rcv_wnd: u32,
    /// Bytes received in order and not taken by the owner yet: `Recv-Q`.
    pub unread: u32,
    /// Bytes not acknowledged, sent or not: `Send-Q`.
    pub queued: u32,
    /// Counts over the life of the subflow.
    pub totals: Totals,
}

impl Subflow {
    /// What there is to tell of the subflow whose window is `window`.
    pub fn info(&self, window: &Window) -> TcpInfo {
        let last_sent = Time::ZERO + Span::from_us(window.last_sent_us);
        let fin = u32::from(self.rx.fin.is_some_and(|fin| self.rx.rcv_nxt - fin == 1));
        TcpInfo {
            state: self.state,
            ca_state: window.ca_state,
            retransmits: self.retransmits(),
            backoff: self.backoff(),
            probes: self.timers.probes_out,
            options: self.negotiated,
            rto: self.rtt.rto,
            ato: self.acks.ato,
            snd_mss: u32::from(self.mss_cache),
            rcv_mss: u32::from(self.rx.rcv_mss),
            advmss: u32::from(self.rx.advmss),
            pmtu: u32::from(self.mss_cache + self.negotiated.timestamps_len())
                + u32::from(self.ip_header)
                + 20,
            unacked: window.packets_out,
            sacked: window.sacked_out,
            lost: window.lost_out,
            retrans: window.retrans_out,
            last_data_sent: last_sent.max(self.opened_at),
            last_data_recv: self.acks.last_data.max(self.opened_at),
            last_ack_recv: self.rx.last_heard.max(self.opened_at),
            rcv_ssthresh: self.rx.rcv_ssthresh,
            rtt: window.srtt_us >> 3,
            rttvar: self.rtt.mdev_us >> 2,
            min_rtt: window.min_rtt_us,
            snd_ssthresh: window.ssthresh,
            snd_cwnd: window.cwnd,
            reordering: self.recovery.reordering,
            rcv_rtt: self.rx.rtt.rtt_us >> 3,
            rcv_space: self.rx.rtt.read,
            pacing_rate: window.pacing_rate,
            delivery_rate: self.delivery_rate(),
            app_limited: self.rate.rate_app_limited,
            chrono: self.chrono,
            delivered: self.rate.delivered,
            notsent_bytes: self.unsent_bytes(window.snd_nxt),
            snd_wnd: self.snd_wnd,
            rcv_wnd: self.advertised_window(),
            unread: (self.rx.rcv_nxt - self.rx.copied).saturating_sub(fin),
            queued: self.queued_bytes(window.snd_una),
            totals: self.totals,
        }
    }

    /// `tcp_compute_delivery_rate`.
    fn delivery_rate(&self) -> u64 {
        let interval = self.rate.rate_interval.as_us();
        let bytes = u64::from(self.rate.rate_delivered) * u64::from(self.mss_cache);
        (bytes * 1_000_000).checked_div(interval).unwrap_or(0)
    }
}
