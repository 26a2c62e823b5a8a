//! Views for the schedulers' tests.

use mptcpsim_core::time::Time;

use super::{Ask, ConnView, Pick, Piece, SubflowSet, SubflowView};

/// An idle subflow with this round-trip time in milliseconds and a window of ten packets.
pub(super) fn subflow(id: usize, rtt_ms: u32) -> SubflowView {
    SubflowView {
        id,
        active: true,
        idle: true,
        has_memory: true,
        srtt_us8: rtt_ms * 8_000,
        cwnd: 10,
        ssthresh: 10,
        mss: 1_400,
        window: 1 << 20,
        pacing_rate: 1_000_000,
        ..SubflowView::default()
    }
}

/// A connection with much to send.
pub(super) fn view(subflows: &[SubflowView]) -> ConnView<'_> {
    ConnView {
        now: Time::ZERO,
        subflows,
        una: 0,
        nxt: 0,
        window: 1 << 20,
        pending: 1 << 20,
        data_fin_from: None,
    }
}

/// The subflow picked for the data asked about.
pub(super) fn picked(pick: Pick) -> Option<usize> {
    match pick {
        Pick::On { subflow, .. } => Some(subflow),
        Pick::Copy { .. } | Pick::Wait => None,
    }
}

/// New data of this length asks for a subflow.
pub(super) const fn new_data(len: u32) -> Ask {
    Ask::New(Piece { from: 0, len, carried_by: SubflowSet::EMPTY, data_fin: false })
}
