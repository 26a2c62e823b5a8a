//! Redundant: every subflow carries everything.
//!
//! Each active subflow goes through the stream on its own, starting with the
//! oldest data that is not acknowledged; what one has sent the others send too,
//! unless it has been acknowledged before their turn comes. The subflows take
//! turns. The first copy to arrive counts, so the delay is the least of all paths
//! and a loss costs nothing while another path delivers; the goodput is that of the
//! best path. Backup subflows carry new data only while no other is active, and never copies.
//!
//! Source: Linux out-of-tree v0.94 (`net/mptcp/mptcp_redundant.c`); A. Froemmgen et
//! al., "ReMP TCP: Low latency multipath TCP", ICC 2016. No parameters. Later
//! kernels of that line repeat only what waits in the send queue; this follows v0.94.

use super::available::available;
use super::lowest_rtt::LowestRtt;
use super::{Ask, ConnView, Pick, Scheduler, SubflowView};
use crate::congestion::PerSubflow;

/// The scheduler.
#[derive(Clone, Debug, Default)]
pub struct Redundant {
    /// Behind the last stream offset that each subflow was given.
    cursors: PerSubflow<u64>,
    /// Whose turn it is: the subflow after this one in the kernel's list.
    last: Option<usize>,
    failed: LowestRtt,
}

impl Redundant {
    /// The subflows, the newest first, from the one whose turn it is on.
    fn in_turn<'a>(&self, view: &ConnView<'a>) -> impl Iterator<Item = &'a SubflowView> + use<'a> {
        let first = self.last.unwrap_or(0).min(view.subflows.len());
        let (older, newer) = view.subflows.split_at(first);
        older.iter().rev().chain(newer.iter().rev())
    }

    /// What a subflow would send: the next offset that it has not been given.
    fn next(&self, view: &ConnView<'_>, subflow: &SubflowView) -> u64 {
        self.cursors.get(subflow.id).copied().unwrap_or(0).max(view.una)
    }

    fn pick_next(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        let any_active = view.subflows.iter().any(|subflow| subflow.active && !subflow.backup);
        for subflow in self.in_turn(view).filter(|subflow| available(subflow, &ask)) {
            // One segment more may wait where as much waits as the window has room for.
            let room = subflow.room().max(u64::from(subflow.mss));
            let limit = u32::try_from(room).unwrap_or(u32::MAX);
            let from = self.next(view, subflow);
            let pick = if from < view.nxt && !subflow.backup {
                Pick::Copy { subflow: subflow.id, from, limit }
            } else if from >= view.nxt
                && matches!(ask, Ask::New(_))
                && !(subflow.backup && any_active)
            {
                Pick::On { subflow: subflow.id, limit }
            } else {
                continue;
            };
            self.last = Some(subflow.id);
            return pick;
        }
        Pick::Wait
    }
}

impl Scheduler for Redundant {
    #[inline(never)]
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        match ask {
            // Data is being sent anew: that comes first.
            Ask::New(piece) if piece.from < view.nxt => self.failed.pick(view, ask),
            Ask::New(_) | Ask::Spare => self.pick_next(view, ask),
            Ask::Again(_) | Ask::Retransmit(_) | Ask::Probe(_) => self.failed.pick(view, ask),
        }
    }

    fn given(&mut self, subflow: usize, from: u64, len: u32) {
        let cursor = self.cursors.of(subflow);
        *cursor = (*cursor).max(from + u64::from(len));
    }

    fn repeats(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::Piece;
    use super::super::testing::{subflow, view};
    use super::*;

    fn pick(redundant: &mut Redundant, state: &ConnView<'_>) -> Pick {
        let piece = Piece { from: state.nxt, len: 1_400, ..Piece::default() };
        redundant.pick(state, Ask::New(piece))
    }

    fn on(subflow: usize) -> Pick {
        Pick::On { subflow, limit: 14_000 }
    }

    fn copy(subflow: usize, from: u64) -> Pick {
        Pick::Copy { subflow, from, limit: 14_000 }
    }

    #[test]
    fn what_one_has_sent_the_other_repeats() {
        let subflows = [subflow(0, 10), subflow(1, 90)];
        let mut redundant = Redundant::default();
        let mut state = view(&subflows);
        assert_eq!(pick(&mut redundant, &state), on(1));
        redundant.given(1, 0, 1_400);
        state.nxt = 1_400;
        assert_eq!(pick(&mut redundant, &state), copy(0, 0));
        redundant.given(0, 0, 1_400);
        assert_eq!(pick(&mut redundant, &state), on(1));
        redundant.given(1, 1_400, 1_400);
        state.nxt = 2_800;
        assert_eq!(redundant.pick(&state, Ask::Spare), copy(0, 1_400));
        redundant.given(0, 1_400, 1_400);
        assert_eq!(redundant.pick(&state, Ask::Spare), Pick::Wait);
    }

    #[test]
    fn what_is_acknowledged_is_not_repeated() {
        let subflows = [subflow(0, 10), subflow(1, 90)];
        let mut redundant = Redundant { last: Some(1), ..Redundant::default() };
        redundant.given(1, 0, 5_600);
        let state = ConnView { una: 4_200, nxt: 5_600, ..view(&subflows) };
        assert_eq!(pick(&mut redundant, &state), copy(0, 4_200));
    }

    #[test]
    fn a_full_subflow_does_not_hold_up_the_other() {
        let full = SubflowView { in_flight: 10, ..subflow(1, 90) };
        let subflows = [subflow(0, 10), full];
        let mut redundant = Redundant::default();
        assert_eq!(pick(&mut redundant, &view(&subflows)), on(0));
        assert_eq!(pick(&mut redundant, &view(&subflows)), on(0));
    }

    #[test]
    fn backups_stay_out_while_another_is_active_and_carry_no_copies() {
        let backup = SubflowView { backup: true, ..subflow(1, 90) };
        let full = SubflowView { in_flight: 10, ..subflow(0, 10) };
        assert_eq!(pick(&mut Redundant::default(), &view(&[full, backup])), Pick::Wait);
        let dead = SubflowView { active: false, ..full };
        let subflows = [dead, backup];
        assert_eq!(pick(&mut Redundant::default(), &view(&subflows)), on(1));
        let state = ConnView { nxt: 1_400, ..view(&subflows) };
        assert_eq!(Redundant::default().pick(&state, Ask::Spare), Pick::Wait);
    }
}
