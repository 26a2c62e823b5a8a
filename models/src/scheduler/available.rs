//! Which subflows can take data, as the out-of-tree kernel sees it
//! (`mptcp_is_temp_unavailable`, `mptcp_is_available` in `net/mptcp/mptcp_sched.c`, v0.94).

use super::{Ask, Pick, SubflowView};
use crate::congestion::CaState;

/// True if the subflow repairs a timeout or must not carry this data yet.
pub(super) fn stalled(subflow: &SubflowView, ask: &Ask) -> bool {
    let elsewhere = |from| ask.piece().is_some_and(|piece| piece.from != from);
    subflow.ca_state == CaState::Loss || subflow.only_from.is_some_and(elsewhere)
}

/// True if the congestion window is used up by packets in flight, or more bytes wait than it has
/// room for. As many as it has room for do not count: one piece more may wait.
pub(super) const fn full(subflow: &SubflowView) -> bool {
    let packets = subflow.cwnd.saturating_sub(subflow.in_flight) as u64;
    packets == 0 || subflow.unsent > packets * subflow.mss as u64
}

/// True if the subflow's own send window does not take what a probe would send. Other data is
/// not held back here.
pub(super) fn shut(subflow: &SubflowView, ask: &Ask) -> bool {
    match ask {
        Ask::Probe(piece) => u64::from(piece.len.min(subflow.mss)).max(1) > subflow.window,
        _ => false,
    }
}

/// True if the subflow can take the data only later.
pub(super) fn busy(subflow: &SubflowView, ask: &Ask) -> bool {
    stalled(subflow, ask) || full(subflow) || shut(subflow, ask)
}

/// True if the subflow can take the data now.
pub(super) fn available(subflow: &SubflowView, ask: &Ask) -> bool {
    subflow.active && !busy(subflow, ask)
}

/// As much as the congestion window allows at once: its free part, but no more than half of it
/// (`tcp_cwnd_test`), whatever waits there already.
pub(super) fn fill(subflow: &SubflowView) -> Pick {
    let half = (subflow.cwnd >> 1).max(1);
    let packets = subflow.cwnd.saturating_sub(subflow.in_flight).min(half);
    Pick::On { subflow: subflow.id, limit: packets.saturating_mul(subflow.mss) }
}
