//! OTIAS, out-of-order transmission for in-order arrival: every packet goes where it will arrive first.
//!
//! A subflow with window `w` that has room for `c` packets and holds `n` that wait
//! delivers the next packet after
//!
//! ```text
//! T = (max(0, n + 1 - c) / w + 1/2) srtt
//! ```
//!
//! and the packet goes to the subflow with the smallest `T`, even if it has to wait
//! there for the window: packets leave out of order so that they arrive in order.
//!
//! Source: F. Yang, Q. Wang and P. Amer, "Out-of-order transmission for in-order
//! arrival scheduling for multipath TCP", WAINA 2014. No parameters. The paper
//! counts whole round trips to wait; here they are fractions, so that the estimate
//! does not jump. Backup subflows serve only while no other is active. What was given
//! to a subflow stays there when the delays change.

use super::lowest_rtt::LowestRtt;
use super::{Ask, ConnView, Pick, Piece, Scheduler, SubflowView};

/// The scheduler: it keeps nothing.
#[derive(Clone, Debug, Default)]
pub struct Otias {
    failed: LowestRtt,
}

/// The subflow where the estimate says that the next packet arrives first, though it may have to wait there.
pub(super) fn first_to_arrive(
    view: &ConnView<'_>,
    piece: &Piece,
    estimate: impl Fn(&SubflowView) -> u64,
) -> Pick {
    let first = serving(view, piece).min_by_key(|subflow| estimate(subflow));
    match first {
        Some(subflow) if subflow.has_memory => Pick::On { subflow: subflow.id, limit: subflow.mss },
        _ => Pick::Wait,
    }
}

/// The subflows that may carry the piece, now or later: the backups only where all are.
pub(super) fn serving<'a>(
    view: &ConnView<'a>,
    piece: &Piece,
) -> impl Iterator<Item = &'a SubflowView> + use<'a> {
    let backup = !view.subflows.iter().any(|subflow| subflow.active && !subflow.backup);
    let from = piece.from;
    view.subflows.iter().filter(move |s| {
        s.active && s.backup == backup && s.only_from.is_none_or(|only| only == from)
    })
}

/// How long a packet given to the subflow now takes to arrive, in 1/16 microseconds.
fn arrival(subflow: &SubflowView) -> u64 {
    let waiting = subflow.unsent.div_ceil(u64::from(subflow.mss.max(1))) + 1;
    let room = u64::from(subflow.cwnd.saturating_sub(subflow.in_flight));
    let window = u64::from(subflow.cwnd.max(1));
    let halves = 2 * waiting.saturating_sub(room) + window;
    u64::from(subflow.srtt_us8).saturating_mul(halves) / window
}

impl Scheduler for Otias {
    #[inline(never)]
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        let Ask::New(piece) = ask else { return self.failed.pick(view, ask) };
        first_to_arrive(view, &piece, arrival)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{new_data, picked, subflow, view};
    use super::*;

    fn pick(subflows: &[SubflowView]) -> Option<usize> {
        picked(Otias::default().pick(&view(subflows), new_data(1_400)))
    }

    #[test]
    fn half_a_round_trip_is_the_time_of_a_free_subflow() {
        assert_eq!(arrival(&subflow(0, 10)), 16 * 5_000);
    }

    #[test]
    fn a_full_fast_subflow_can_still_be_the_first() {
        // 11 packets before it: 10 ms * (1.1 + 0.5) = 16 ms.
        let full = SubflowView { in_flight: 10, unsent: 14_000, ..subflow(0, 10) };
        assert_eq!(arrival(&full), 16 * 16_000);
        assert_eq!(pick(&[full, subflow(1, 33)]), Some(0));
        assert_eq!(pick(&[full, subflow(1, 31)]), Some(1));
    }

    #[test]
    fn packets_are_given_one_by_one() {
        let pick = Otias::default().pick(&view(&[subflow(0, 10)]), new_data(9_000));
        assert_eq!(pick, Pick::On { subflow: 0, limit: 1_400 });
    }

    #[test]
    fn backups_serve_when_nothing_else_is_active() {
        let backup = SubflowView { backup: true, ..subflow(1, 5) };
        assert_eq!(pick(&[subflow(0, 90), backup]), Some(0));
        assert_eq!(pick(&[SubflowView { active: false, ..subflow(0, 90) }, backup]), Some(1));
    }
}
