//! Opportunistic retransmission and penalisation: a slow subflow that holds up the connection is
//! helped out and slowed down (`mptcp_rcv_buf_optimization` in `net/mptcp/mptcp_sched.c`).
//!
//! When the connection's window is full, the fastest subflow that has room sends the oldest data as
//! well, if those that carry it are at least four times slower or have next to no window. And at most
//! once per round trip the one that carries it is penalised: its window is halved.
//!
//! Source: C. Raiciu et al., "How hard can it be? Designing and implementing a deployable multipath
//! TCP", NSDI 2012.

use mptcpsim_core::time::{Span, Time};

use super::available::available;
use super::{Ask, Blocked, ConnView, Piece, Relief, SubflowSet, SubflowView};
use crate::congestion::{CaState, PerSubflow};

/// At most so many packets are next to no window.
const TINY_WINDOW: u32 = 4;
/// How many times slower the carriers have to be.
const MUCH_SLOWER: u64 = 4;

/// Whom penalisation hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Penalty {
    /// The newest subflow that carries the oldest data.
    First,
    /// All that carry it.
    All,
}

/// When each subflow was last helped.
#[derive(Clone, Debug, Default)]
pub(super) struct Rescue {
    last: PerSubflow<Option<Time>>,
}

impl Rescue {
    /// What to do about `oldest`, seen from the subflow that was picked.
    pub(super) fn relieve(
        &mut self,
        view: &ConnView<'_>,
        blocked: Blocked,
        oldest: &Piece,
        picked: usize,
        penalty: Penalty,
    ) -> Relief {
        let Some(picked) = view.subflows.get(picked) else { return Relief::default() };
        let carriers = || {
            let carries = |s: &&SubflowView| s.id != picked.id && oldest.carried_by.contains(s.id);
            view.subflows.iter().rev().filter(carries)
        };
        let mut relief = Relief::default();
        let last = self.last.of(picked.id);
        let round_trip = Span::from_us(u64::from(picked.srtt_us8 >> 3));
        if is_serious(blocked) && last.is_none_or(|last| view.now - last >= round_trip) {
            let deserves =
                |s: &&SubflowView| picked.srtt_us8 < s.srtt_us8 && s.ca_state == CaState::Open;
            let considered = if penalty == Penalty::First { 1 } else { usize::MAX };
            let hit = carriers().take(considered).filter(deserves).map(|s| s.id);
            relief.penalise = hit.collect::<SubflowSet>();
            if !relief.penalise.is_empty() {
                *last = Some(view.now);
            }
        }
        let ask = Ask::Again(*oldest);
        relief.resend = !oldest.carried_by.contains(picked.id)
            && available(picked, &ask)
            && worth_it(picked, carriers());
        relief
    }
}

/// Whether the connection stands still, rather than that its application is woken late.
pub(super) const fn is_serious(blocked: Blocked) -> bool {
    !matches!(blocked, Blocked::SendBuffer { full: false })
}

/// Whether the carriers, the newest first, are slow enough. One with next to no window settles it,
/// and so does one that is not much slower.
fn worth_it<'a>(picked: &SubflowView, carriers: impl Iterator<Item = &'a SubflowView>) -> bool {
    let mut worth_it = false;
    for carrier in carriers {
        if carrier.cwnd <= TINY_WINDOW {
            return true;
        }
        if MUCH_SLOWER * u64::from(picked.srtt_us8) >= u64::from(carrier.srtt_us8) {
            return false;
        }
        worth_it = true;
    }
    worth_it
}

#[cfg(test)]
mod tests {
    use super::super::testing::{subflow, view};
    use super::*;

    fn oldest(carried_by: &[usize]) -> Piece {
        let carried_by = carried_by.iter().copied().collect();
        Piece { len: 1_400, carried_by, ..Piece::default() }
    }

    fn relieve(subflows: &[SubflowView], carried_by: &[usize], penalty: Penalty) -> Relief {
        let view = view(subflows);
        Rescue::default().relieve(&view, Blocked::Window, &oldest(carried_by), 0, penalty)
    }

    fn ids(relief: &Relief) -> Vec<usize> {
        relief.penalise.iter().collect()
    }

    #[test]
    fn a_much_slower_carrier_is_helped_out_and_slowed_down() {
        let relief = relieve(&[subflow(0, 10), subflow(1, 41)], &[1], Penalty::First);
        assert!(relief.resend);
        assert_eq!(ids(&relief), [1]);
    }

    #[test]
    fn a_little_slower_one_is_only_slowed_down() {
        let relief = relieve(&[subflow(0, 10), subflow(1, 40)], &[1], Penalty::First);
        assert!(!relief.resend);
        assert_eq!(ids(&relief), [1]);
    }

    #[test]
    fn next_to_no_window_is_reason_enough_to_help() {
        let tiny = SubflowView { cwnd: 4, ..subflow(1, 9) };
        let relief = relieve(&[subflow(0, 10), tiny], &[1], Penalty::First);
        assert!(relief.resend);
        assert!(relief.penalise.is_empty());
    }

    #[test]
    fn what_the_picked_subflow_carries_is_not_sent_again() {
        let relief = relieve(&[subflow(0, 10), subflow(1, 90)], &[0, 1], Penalty::First);
        assert!(!relief.resend);
    }

    #[test]
    fn one_that_repairs_losses_is_spared() {
        let repairing = SubflowView { ca_state: CaState::Recovery, ..subflow(1, 90) };
        let relief = relieve(&[subflow(0, 10), repairing], &[1], Penalty::First);
        assert!(relief.penalise.is_empty());
    }

    #[test]
    fn the_newest_carrier_is_hit_or_all_are() {
        let subflows = [subflow(0, 10), subflow(1, 90), subflow(2, 90)];
        assert_eq!(ids(&relieve(&subflows, &[1, 2], Penalty::First)), [2]);
        assert_eq!(ids(&relieve(&subflows, &[1, 2], Penalty::All)), [1, 2]);
    }

    #[test]
    fn a_subflow_is_helped_by_penalties_once_per_round_trip() {
        let subflows = [subflow(0, 10), subflow(1, 90)];
        let mut rescue = Rescue::default();
        let mut at = |ms| {
            let view = ConnView { now: Time::ZERO + Span::from_ms(ms), ..view(&subflows) };
            ids(&rescue.relieve(&view, Blocked::Window, &oldest(&[1]), 0, Penalty::First)).len()
        };
        assert_eq!([at(0), at(9), at(10)], [1, 0, 1]);
    }

    #[test]
    fn a_writer_that_only_sleeps_is_no_reason_for_penalties() {
        let subflows = [subflow(0, 10), subflow(1, 90)];
        let blocked = Blocked::SendBuffer { full: false };
        let view = view(&subflows);
        let relief = Rescue::default().relieve(&view, blocked, &oldest(&[1]), 0, Penalty::First);
        assert!(relief.resend && relief.penalise.is_empty());
    }
}
