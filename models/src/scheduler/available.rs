//! Which subflows can take data, as the out-of-tree kernel sees it
//! (`mptcp_is_temp_unavailable`, `mptcp_is_available` in `net/mptcp/mptcp_sched.c`, v0.94).

use super::{Ask, Pick, SubflowView};
use crate::congestion::CaState;

/// True if the subflow repairs a timeout or must not carry this data yet.
pub(super) fn stalled(subflow: &SubflowView, ask: &Ask) -> bool {
    let elsewhere = |from| ask.piece().is_some_and(|piece| piece.from != from);
    subflow.ca_state == CaState::Loss || subflow.only_from.is_some_and(elsewhere)
}

/// True if the congestion window is used up, by packets in flight or by bytes that wait.
pub(super) const fn full(subflow: &SubflowView) -> bool {
    let packets = subflow.cwnd.saturating_sub(subflow.in_flight) as u64;
    packets * subflow.mss as u64 <= subflow.unsent
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

/// As much as the congestion window allows.
pub(super) fn fill(subflow: &SubflowView) -> Pick {
    let limit = u32::try_from(subflow.room()).unwrap_or(u32::MAX);
    Pick::On { subflow: subflow.id, limit }
}
