//! Lowest round-trip time first: the default scheduler of the out-of-tree kernel.
//!
//! Among the subflows that can take the data now, the one with the lowest
//! smoothed round-trip time gets it. Subflows that have not carried it go before
//! those that have, whatever their delay. Backup subflows come into play only when
//! no other subflow is there: one that is merely busy is waited for. When every
//! subflow has carried the data the search starts over as if none had. When the
//! connection's window or send buffer is full it retransmits and penalises
//! (opportunistic retransmission and penalisation).
//!
//! Source: Linux out-of-tree v0.94, `get_available_subflow` and
//! `get_subflow_from_selectors` in `net/mptcp/mptcp_sched.c`; C. Raiciu et al.,
//! NSDI 2012. Of subflows with equal delay the newest wins. The kernel has no switches
//! for its two mechanisms against full windows; the parameters
//! `opportunistic_retransmission` (1) and `penalisation` (1) are such, to see what each
//! is worth.

use super::available::{available, busy, fill};
use super::relief::{Penalty, Rescue};
use super::{Ask, Blocked, ConnView, Pick, Piece, Relief, Scheduler, SubflowSet, SubflowView};
use crate::params::params;

params! {
    /// The mechanisms against full windows.
    pub struct Params {
        opportunistic_retransmission: bool = 1, 0..=1,
            "1: when the window is full a fast subflow repeats what a slow one holds up";
        penalisation: bool = 1, 0..=1,
            "1: when the window is full the slow subflow that holds it up has its window halved";
    }
}

/// The scheduler: nothing is kept but the times of penalties.
#[derive(Clone, Debug, Default)]
pub struct LowestRtt {
    /// What is done against full windows.
    pub(super) params: Params,
    rescue: Rescue,
}

impl Scheduler for LowestRtt {
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        choose(view, &ask).map_or(Pick::Wait, fill)
    }

    fn relieve(
        &mut self,
        view: &ConnView<'_>,
        blocked: Blocked,
        oldest: &Piece,
        picked: usize,
    ) -> Relief {
        let mut relief = Relief::default();
        let Params { opportunistic_retransmission, penalisation } = self.params;
        if opportunistic_retransmission || penalisation {
            relief = self.rescue.relieve(view, blocked, oldest, picked, Penalty::First);
        }
        relief.resend &= opportunistic_retransmission;
        if !penalisation {
            relief.penalise = SubflowSet::EMPTY;
        }
        relief
    }
}

/// The subflow that the rule finds (`get_available_subflow`).
pub(super) fn choose<'a>(view: &ConnView<'a>, ask: &Ask) -> Option<&'a SubflowView> {
    if let Some(subflow) = answering_data_fin(view, ask) {
        return Some(subflow);
    }
    let carried_by = ask.piece().map_or(SubflowSet::EMPTY, |piece| piece.carried_by);
    // When all have carried the data the search starts over as if none had.
    search(view, ask, carried_by)
        .or_else(|| search(view, ask, SubflowSet::EMPTY))
        .unwrap_or_default()
}

/// A DATA_FIN after the peer's goes where that came from.
pub(super) fn answering_data_fin<'a>(view: &ConnView<'a>, ask: &Ask) -> Option<&'a SubflowView> {
    let subflow = view.subflows.get(view.data_fin_from?)?;
    let data_fin = ask.piece().is_some_and(|piece| piece.data_fin);
    (data_fin && available(subflow, ask)).then_some(subflow)
}

/// Looks among active subflows, then among backups. `None` if nobody is worth waiting for and the
/// carriers stand in the way; `Some(None)` to wait.
fn search<'a>(
    view: &ConnView<'a>,
    ask: &Ask,
    carried_by: SubflowSet,
) -> Option<Option<&'a SubflowView>> {
    [false, true].into_iter().find_map(|backup| fastest(view, ask, carried_by, backup))
}

/// The fastest subflow of a class that has not carried the data; `Some(None)` if there are such but
/// all are busy, `None` if there are none (`get_subflow_from_selectors`).
fn fastest<'a>(
    view: &ConnView<'a>,
    ask: &Ask,
    carried_by: SubflowSet,
    backup: bool,
) -> Option<Option<&'a SubflowView>> {
    let fresh = |s: &&SubflowView| s.active && s.backup == backup && !carried_by.contains(s.id);
    let mut candidates = view.subflows.iter().rev().filter(fresh).peekable();
    candidates.peek()?;
    // `min_by_key` keeps the first of equals, the newest.
    Some(candidates.filter(|subflow| !busy(subflow, ask)).min_by_key(|s| s.srtt_us8))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{picked, subflow, view};
    use super::*;
    use crate::congestion::CaState;

    fn pick(subflows: &[SubflowView], ask: Ask) -> Option<usize> {
        picked(LowestRtt::default().pick(&view(subflows), ask))
    }

    fn again(carried_by: &[usize]) -> Ask {
        let carried_by = carried_by.iter().copied().collect();
        Ask::Again(Piece { len: 1_400, carried_by, ..Piece::default() })
    }

    const NEW: Ask =
        Ask::New(Piece { from: 0, len: 1_400, carried_by: SubflowSet::EMPTY, data_fin: false });

    #[test]
    fn the_lowest_delay_wins_and_the_newest_of_equals() {
        assert_eq!(pick(&[subflow(0, 10), subflow(1, 20)], NEW), Some(0));
        assert_eq!(pick(&[subflow(0, 20), subflow(1, 20)], NEW), Some(1));
    }

    #[test]
    fn the_limit_is_what_the_window_leaves() {
        let half = SubflowView { in_flight: 6, ..subflow(0, 10) };
        let pick = LowestRtt::default().pick(&view(&[half]), NEW);
        assert_eq!(pick, Pick::On { subflow: 0, limit: 4 * 1_400 });
    }

    #[test]
    fn every_reason_not_to_send_is_heeded() {
        let slow = subflow(1, 90);
        let fast = subflow(0, 10);
        for unable in [
            SubflowView { active: false, ..fast },
            SubflowView { ca_state: CaState::Loss, ..fast },
            SubflowView { in_flight: 10, ..fast },
            SubflowView { unsent: 10 * 1_400 + 1, ..fast },
            SubflowView { only_from: Some(99), ..fast },
        ] {
            assert_eq!(pick(&[unable, slow], NEW), Some(1), "{unable:?}");
        }
        let recovering = SubflowView { ca_state: CaState::Recovery, ..fast };
        assert_eq!(pick(&[recovering, slow], NEW), Some(0));
        assert_eq!(pick(&[SubflowView { only_from: Some(0), ..fast }, slow], NEW), Some(0));
    }

    #[test]
    fn only_probes_ask_for_the_subflows_window() {
        let shut = SubflowView { window: 0, ..subflow(0, 10) };
        assert_eq!(pick(&[shut], NEW), Some(0));
        let Ask::New(piece) = NEW else { unreachable!() };
        assert_eq!(pick(&[shut], Ask::Probe(piece)), None);
    }

    #[test]
    fn a_busy_subflow_keeps_backups_out_and_a_dead_one_does_not() {
        let backup = SubflowView { backup: true, ..subflow(1, 5) };
        let busy = SubflowView { in_flight: 10, ..subflow(0, 10) };
        assert_eq!(pick(&[busy, backup], NEW), None);
        assert_eq!(pick(&[SubflowView { active: false, ..busy }, backup], NEW), Some(1));
    }

    #[test]
    fn data_goes_where_it_has_not_been() {
        let both = [subflow(0, 10), subflow(1, 90)];
        assert_eq!(pick(&both, again(&[0])), Some(1));
        // ... even if that has to be waited for ...
        let busy = SubflowView { in_flight: 10, ..subflow(1, 90) };
        assert_eq!(pick(&[subflow(0, 10), busy], again(&[0])), None);
        // ... and a backup is better than a subflow that has failed.
        let backup = SubflowView { backup: true, ..subflow(1, 90) };
        assert_eq!(pick(&[subflow(0, 10), backup], again(&[0])), Some(1));
    }

    #[test]
    fn where_all_have_carried_it_the_search_starts_over() {
        assert_eq!(pick(&[subflow(0, 10), subflow(1, 90)], again(&[0, 1])), Some(0));
        assert_eq!(pick(&[subflow(0, 10)], again(&[0])), Some(0));
    }

    #[test]
    fn both_mechanisms_against_full_windows_have_a_switch() {
        let subflows = [subflow(0, 10), subflow(1, 90)];
        let oldest =
            Piece { len: 1_400, carried_by: [1].into_iter().collect(), ..Piece::default() };
        for (resend, penalise) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut scheduler = LowestRtt {
                params: Params { opportunistic_retransmission: resend, penalisation: penalise },
                ..LowestRtt::default()
            };
            let relief = scheduler.relieve(&view(&subflows), Blocked::Window, &oldest, 0);
            assert_eq!((relief.resend, relief.penalise.contains(1)), (resend, penalise));
        }
    }

    #[test]
    fn a_data_fin_is_answered_where_it_came_from() {
        let subflows = [subflow(0, 10), subflow(1, 90)];
        let view = ConnView { data_fin_from: Some(1), ..view(&subflows) };
        let fin = Ask::New(Piece { data_fin: true, ..Piece::default() });
        assert_eq!(picked(LowestRtt::default().pick(&view, fin)), Some(1));
        assert_eq!(picked(LowestRtt::default().pick(&view, NEW)), Some(0));
    }
}
