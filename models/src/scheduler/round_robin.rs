//! Round robin: subflows take turns, whatever their delays.
//!
//! Each subflow sends `num_segments` packets and then waits until all others that
//! can send have done so. With `cwnd_limited` a subflow whose window is full is
//! passed over; without, everybody waits for it, so that the shares are equal and
//! the slowest subflow sets the pace. Backup flags are ignored. Data that failed
//! elsewhere goes to the oldest subflow that has not carried it.
//!
//! Source: Linux out-of-tree v0.94 (`net/mptcp/mptcp_rr.c`), whose module
//! parameters it has: `num_segments` (1), `cwnd_limited` (1).

use super::available::{full, shut, stalled};
use super::{Ask, ConnView, Pick, Scheduler, SubflowSet, SubflowView};
use crate::congestion::PerSubflow;
use crate::params::params;

params! {
    /// The module parameters of `mptcp_rr`.
    pub struct Params {
        num_segments: u32 = 1, 1..=255,
            "packets that a subflow sends in its turn";
        cwnd_limited: bool = 1, 0..=1,
            "1: pass over subflows whose window is full, 0: wait for them";
    }
}

/// The scheduler.
#[derive(Clone, Debug, Default)]
pub struct RoundRobin {
    /// Module parameters.
    pub(super) params: Params,
    /// Packets of this turn already sent.
    quota: PerSubflow<u32>,
}

impl RoundRobin {
    /// `mptcp_rr_is_available`.
    fn can_take(&self, subflow: &SubflowView, ask: &Ask) -> bool {
        let full = self.params.cwnd_limited && full(subflow);
        subflow.active && !stalled(subflow, ask) && !shut(subflow, ask) && !full
    }

    /// One that is in the middle of its turn, or else the oldest whose turn has not begun.
    fn whose_turn<'a>(
        &self,
        candidates: impl Iterator<Item = &'a SubflowView>,
    ) -> Option<&'a SubflowView> {
        let mut unused = None;
        for subflow in candidates {
            match self.quota.get(subflow.id).copied().unwrap_or(0) {
                0 => unused = Some(subflow),
                sent if sent < self.params.num_segments => return Some(subflow),
                _ => {}
            }
        }
        unused
    }

    fn pick_new(&mut self, view: &ConnView<'_>, ask: &Ask, len: u32) -> Pick {
        let newest_first = || view.subflows.iter().rev();
        let turn = self.whose_turn(newest_first().filter(|s| self.can_take(s, ask)));
        let subflow = turn.or_else(|| {
            // All have had their turn: a new round begins.
            for subflow in newest_first() {
                if self.can_take(subflow, ask) {
                    *self.quota.of(subflow.id) = 0;
                }
            }
            self.whose_turn(newest_first().filter(|s| self.can_take(s, ask)))
        });
        // Without the test for room everybody waits for the one whose turn it is.
        let Some(subflow) = subflow.filter(|subflow| !full(subflow)) else { return Pick::Wait };
        let quota = self.quota.of(subflow.id);
        let limit = (self.params.num_segments - *quota).saturating_mul(subflow.mss);
        *quota = quota.saturating_add(len.div_ceil(subflow.mss.max(1)).max(1));
        Pick::On { subflow: subflow.id, limit }
    }

    /// The oldest subflow that has not carried the data, or the oldest at all
    /// (`rr_get_available_subflow`).
    fn pick_again(&self, view: &ConnView<'_>, ask: &Ask, carried_by: SubflowSet) -> Pick {
        let able = || view.subflows.iter().filter(|s| self.can_take(s, ask) && !full(s));
        let fresh = able().find(|subflow| !carried_by.contains(subflow.id));
        fresh.or_else(|| able().next()).map_or(Pick::Wait, super::available::fill)
    }
}

impl Scheduler for RoundRobin {
    #[inline(never)]
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        match ask {
            Ask::New(piece) => self.pick_new(view, &ask, piece.len),
            Ask::Again(piece) | Ask::Retransmit(piece) | Ask::Probe(piece) => {
                self.pick_again(view, &ask, piece.carried_by)
            }
            Ask::Spare => Pick::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Piece;
    use super::super::testing::{new_data, picked, subflow, view};
    use super::*;

    fn turns(scheduler: &mut RoundRobin, subflows: &[SubflowView], n: usize) -> Vec<Option<usize>> {
        (0..n).map(|_| picked(scheduler.pick(&view(subflows), new_data(1_400)))).collect()
    }

    fn with(num_segments: u32, cwnd_limited: bool) -> RoundRobin {
        RoundRobin { params: Params { num_segments, cwnd_limited }, ..RoundRobin::default() }
    }

    #[test]
    fn subflows_take_turns_the_oldest_first() {
        let subflows = [subflow(0, 90), subflow(1, 10), subflow(2, 50)];
        let order = [0, 1, 2, 0, 1, 2].map(Some);
        assert_eq!(turns(&mut with(1, true), &subflows, 6), order);
    }

    #[test]
    fn a_turn_can_be_several_packets() {
        let subflows = [subflow(0, 90), subflow(1, 10)];
        assert_eq!(turns(&mut with(2, true), &subflows, 6), [0, 0, 1, 1, 0, 0].map(Some));
        let pick = with(3, true).pick(&view(&subflows), new_data(1_400));
        assert_eq!(pick, Pick::On { subflow: 0, limit: 3 * 1_400 });
    }

    #[test]
    fn backup_flags_do_not_matter() {
        let backup = SubflowView { backup: true, ..subflow(0, 90) };
        assert_eq!(turns(&mut with(1, true), &[backup, subflow(1, 10)], 2), [0, 1].map(Some));
    }

    #[test]
    fn a_full_subflow_is_passed_over() {
        let full = SubflowView { in_flight: 10, ..subflow(0, 90) };
        assert_eq!(turns(&mut with(1, true), &[full, subflow(1, 10)], 2), [1, 1].map(Some));
    }

    #[test]
    fn or_everybody_waits_for_it() {
        let full = SubflowView { in_flight: 10, ..subflow(0, 90) };
        let mut scheduler = with(1, false);
        assert_eq!(turns(&mut scheduler, &[full, subflow(1, 10)], 2), [None, None]);
        let order = [Some(0), Some(1)];
        assert_eq!(turns(&mut scheduler, &[subflow(0, 90), subflow(1, 10)], 2), order);
    }

    #[test]
    fn what_failed_goes_where_it_has_not_been() {
        let subflows = [subflow(0, 90), subflow(1, 10), subflow(2, 10)];
        let again = |carried_by: &[usize]| {
            let carried_by = carried_by.iter().copied().collect();
            let ask = Ask::Again(Piece { len: 1_400, carried_by, ..Piece::default() });
            picked(with(1, true).pick(&view(&subflows), ask))
        };
        assert_eq!(again(&[0]), Some(1));
        assert_eq!(again(&[0, 1]), Some(2));
        assert_eq!(again(&[0, 1, 2]), Some(0));
    }
}
