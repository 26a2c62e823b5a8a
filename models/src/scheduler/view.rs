//! What a scheduler sees: a connection and its subflows as plain values.

use mptcpsim_core::time::Time;

use crate::congestion::CaState;

/// A subflow as schedulers and path managers see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubflowView {
    /// Index of the subflow, in order of creation.
    pub id: usize,
    /// It is established, allowed to carry data, and not taken for dead
    /// (`mptcp_subflow_active`; the contrary of `mptcp_is_def_unavailable`).
    pub active: bool,
    /// One end wants it used only when nothing else is left.
    pub backup: bool,
    /// It has no unacknowledged and no queued bytes.
    pub idle: bool,
    /// Its send buffer can take more.
    pub has_memory: bool,
    /// Bytes of memory its queues hold (`sk_wmem_queued`).
    pub queued_memory: u64,
    /// Its pacing rate in bytes per second (`sk_pacing_rate`).
    pub pacing_rate: u64,
    /// Rounds of the connection's timer without a sign of life (`stale_count`).
    pub stale_count: u32,
    /// Smoothed round-trip time in microseconds times 8; 0 if unknown (`srtt_us`).
    pub srtt_us8: u32,
    /// Its mean deviation in microseconds times 4 (`rttvar_us`).
    pub rttvar_us4: u32,
    /// Congestion window in packets.
    pub cwnd: u32,
    /// Slow-start threshold in packets.
    pub ssthresh: u32,
    /// The sender's state.
    pub ca_state: CaState,
    /// Packets sent and not acknowledged (`packets_out`).
    pub packets_out: u32,
    /// Packets in flight.
    pub in_flight: u32,
    /// Segment size in bytes.
    pub mss: u32,
    /// Bytes queued on it and not yet sent.
    pub unsent: u64,
    /// Bytes queued on it or sent, and not acknowledged.
    pub unacked: u64,
    /// Bytes that its own send window allows behind what is queued.
    pub window: u64,
    /// It can take data from this stream offset only: its peer may not have seen the end of its
    /// handshake, so it must not carry data out of order.
    pub only_from: Option<u64>,
}

impl SubflowView {
    /// Bytes that its congestion window allows beyond what it holds already.
    pub fn room(&self) -> u64 {
        let packets = self.cwnd.saturating_sub(self.in_flight);
        (u64::from(packets) * u64::from(self.mss)).saturating_sub(self.unsent)
    }
}

/// The connection as schedulers see it. Stream offsets count the bytes written from 0.
#[derive(Clone, Copy, Debug)]
pub struct ConnView<'a> {
    /// Now.
    pub now: Time,
    /// The subflows in order of creation.
    pub subflows: &'a [SubflowView],
    /// First stream offset not acknowledged by the peer's connection.
    pub una: u64,
    /// Behind the last stream offset ever given to a subflow.
    pub nxt: u64,
    /// Bytes that the connection's send window still allows behind `nxt`.
    pub window: u64,
    /// Bytes written by the application and not yet given to a subflow.
    pub pending: u64,
    /// The subflow that the peer's DATA_FIN came on; the own one answers there.
    pub data_fin_from: Option<usize>,
}

/// A set of subflows, by their indices below 64 (`path_mask`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubflowSet(u64);

impl SubflowSet {
    /// No subflow.
    pub const EMPTY: Self = Self(0);

    /// Adds a subflow.
    pub const fn insert(&mut self, id: usize) {
        if id < 64 {
            self.0 |= 1 << id;
        }
    }

    /// Whether a subflow is in the set.
    pub const fn contains(self, id: usize) -> bool {
        id < 64 && self.0 >> id & 1 == 1
    }

    /// Whether no subflow is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The subflows in order of creation.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..64).filter(move |&id| self.contains(id))
    }
}

impl FromIterator<usize> for SubflowSet {
    fn from_iter<I: IntoIterator<Item = usize>>(ids: I) -> Self {
        let mut set = Self::EMPTY;
        ids.into_iter().for_each(|id| set.insert(id));
        set
    }
}

/// A piece of the stream that waits to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Its first stream offset.
    pub from: u64,
    /// Its length in bytes; 0 for a DATA_FIN alone.
    pub len: u32,
    /// The subflows that have carried it.
    pub carried_by: SubflowSet,
    /// It ends with a DATA_FIN.
    pub data_fin: bool,
}
