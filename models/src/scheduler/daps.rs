//! DAPS, delay-aware packet scheduling: a timetable by which packets arrive in order.
//!
//! With forward delays `D` (half the round-trip times) and windows `w`, time runs in
//! steps of a millisecond from 1 to the least common multiple of all `D`. Whenever it is
//! a multiple of `D_i` subflow `i` has its turn, of `w_i` packets; at equal times the
//! subflow with the least delay goes first. So while a slow subflow carries one window
//! the fast one carries as many as arrive before it, and the data on the slow one is
//! that which is due when it arrives. Data follows the timetable even if it has to wait
//! for the window of the subflow whose turn it is. Behind the last turn a new timetable
//! is made from the delays and windows of then.
//!
//! Source: G. Sarwar, R. Boreli, E. Lochin, A. Mifdaoui and G. Smith, "Mitigating
//! receiver's buffer blocking by delay aware packet scheduling in multipath data
//! transfer", WAINA 2013; N. Kuhn, E. Lochin, A. Mifdaoui, G. Sarwar, O. Mehani and
//! R. Boreli, "DAPS: Intelligent delay-aware packet scheduling for multipath transport",
//! ICC 2014; S. Ferlin's module for the out-of-tree kernel (`mptcp_daps`), one of whose
//! parameters it has: `round_delay` (4), because delays without a common divisor make
//! timetables that are old before they end; 1 is as in the papers.
//!
//! Differences: a new timetable is made also when a subflow comes, goes or
//! repairs a timeout; the module's
//! smoothing of windows and its retransmissions for a full window are left out. Backup
//! subflows serve only while no other is active.

use super::lowest_rtt::LowestRtt;
use super::otias::serving;
use super::{Ask, ConnView, Pick, Piece, Scheduler, SubflowSet, SubflowView};
use crate::congestion::CaState;
use crate::params::params;

params! {
    /// The parameters of DAPS.
    pub struct Params {
        round_delay: u32 = 4, 1..=1_000,
            "forward delays are rounded to multiples of so many milliseconds";
    }
}

/// The scheduler.
#[derive(Clone, Debug, Default)]
pub struct Daps {
    /// Its parameters.
    pub(super) params: Params,
    /// The subflows of the timetable, by delay.
    turns: Vec<Turn>,
    /// The last millisecond of the timetable.
    end: u64,
    /// The offset last asked for, and the subflow it was sent to.
    asked: Option<(u64, usize)>,
    failed: LowestRtt,
}

/// A subflow in the timetable.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    subflow: usize,
    /// Its forward delay in milliseconds.
    delay: u64,
    /// Packets in a turn.
    window: u32,
    /// When it has its next turn.
    at: u64,
    /// Packets left of that.
    left: u32,
}

impl Daps {
    /// The subflow whose turn it is.
    fn whose_turn(&mut self, view: &ConnView<'_>, piece: &Piece) -> Option<usize> {
        let planned: SubflowSet = self.turns.iter().map(|turn| turn.subflow).collect();
        let ended = self.turns.iter().all(|turn| turn.at > self.end);
        if ended || planned != able(view, piece).map(|subflow| subflow.id).collect() {
            self.plan(view, piece);
        }
        // The first of equals: turns are ordered by delay.
        self.turns.iter().min_by_key(|turn| turn.at).map(|turn| turn.subflow)
    }

    /// Makes a new timetable.
    fn plan(&mut self, view: &ConnView<'_>, piece: &Piece) {
        let round = u64::from(self.params.round_delay);
        self.turns.clear();
        self.turns.extend(able(view, piece).map(|subflow| {
            let delay = forward_delay(subflow, round);
            let window = subflow.cwnd.max(1);
            Turn { subflow: subflow.id, delay, window, at: delay, left: window }
        }));
        self.turns.sort_by_key(|turn| turn.delay);
        self.end = self.turns.iter().fold(1, |end, turn| lcm(end, turn.delay));
    }
}

impl Scheduler for Daps {
    #[inline(never)]
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        let Ask::New(piece) = ask else { return self.failed.pick(view, ask) };
        let turn = self.whose_turn(view, &piece).and_then(|id| view.subflows.get(id));
        match turn {
            Some(subflow) if subflow.has_memory => {
                self.asked = Some((piece.from, subflow.id));
                Pick::On { subflow: subflow.id, limit: subflow.mss }
            }
            _ => Pick::Wait,
        }
    }

    /// Only what was sent counts: the connection's window may be full.
    fn given(&mut self, subflow: usize, from: u64, _len: u32) {
        if self.asked.take_if(|asked| *asked == (from, subflow)).is_none() {
            return;
        }
        if let Some(turn) = self.turns.iter_mut().find(|turn| turn.subflow == subflow) {
            turn.left = turn.left.saturating_sub(1);
            if turn.left == 0 {
                turn.at += turn.delay;
                turn.left = turn.window;
            }
        }
    }
}

/// Those that do not repair a timeout.
fn able<'a>(view: &ConnView<'a>, piece: &Piece) -> impl Iterator<Item = &'a SubflowView> + use<'a> {
    serving(view, piece).filter(|subflow| subflow.ca_state != CaState::Loss)
}

/// Half the round-trip time in milliseconds, rounded to a multiple of `round`, and never nothing.
fn forward_delay(subflow: &SubflowView, round: u64) -> u64 {
    let milliseconds = u64::from(subflow.srtt_us8) / 16_000;
    ((milliseconds + round / 2) / round * round).max(1)
}

/// The least common multiple of two numbers that are not 0.
const fn lcm(a: u64, b: u64) -> u64 {
    let (mut divisor, mut rest) = (a, b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (a / divisor).saturating_mul(b)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{new_data, picked, subflow, view};
    use super::*;

    /// The subflows that `n` packets go to.
    fn timetable(daps: &mut Daps, subflows: &[SubflowView], n: u64) -> Vec<usize> {
        let mut packet = || {
            let subflow = picked(daps.pick(&view(subflows), new_data(1_400))).unwrap();
            daps.given(subflow, 0, 1_400);
            subflow
        };
        (0..n).map(|_| packet()).collect()
    }

    fn window(cwnd: u32, subflow: SubflowView) -> SubflowView {
        SubflowView { cwnd, ..subflow }
    }

    #[test]
    fn a_slow_subflow_has_its_turn_when_the_fast_one_has_sent_what_arrives_before() {
        // Forward delays of 8 and 24 ms: turns at 8, 16 and 24, and at 24.
        let subflows = [window(2, subflow(0, 48)), window(1, subflow(1, 16))];
        let expected = [1, 1, 1, 0, 0];
        assert_eq!(timetable(&mut Daps::default(), &subflows, 10), [expected, expected].concat());
    }

    #[test]
    fn delays_that_do_not_divide_each_other_take_turns_up_to_their_common_multiple() {
        // 8 and 12 ms: 8, 12, 16, 24 and 24.
        let subflows = [window(1, subflow(0, 16)), window(1, subflow(1, 24))];
        assert_eq!(timetable(&mut Daps::default(), &subflows, 5), [0, 1, 0, 0, 1]);
    }

    #[test]
    fn delays_are_rounded_and_never_nothing() {
        let delays = |round, rtts: [u32; 5]| rtts.map(|ms| forward_delay(&subflow(0, ms), round));
        assert_eq!(delays(4, [0, 18, 20, 22, 28]), [1, 8, 12, 12, 16]);
        assert_eq!(delays(1, [0, 18, 20, 22, 28]), [1, 9, 10, 11, 14]);
    }

    #[test]
    fn windows_and_delays_count_when_the_timetable_is_made() {
        let mut daps = Daps::default();
        let mut subflows = [window(2, subflow(0, 16)), window(1, subflow(1, 16))];
        assert_eq!(timetable(&mut daps, &subflows, 2), [0, 0]);
        subflows[1].cwnd = 3;
        assert_eq!(timetable(&mut daps, &subflows, 1), [1]);
        assert_eq!(timetable(&mut daps, &subflows, 5), [0, 0, 1, 1, 1]);
    }

    #[test]
    fn who_comes_or_goes_changes_the_timetable() {
        let mut daps = Daps::default();
        let mut subflows = [window(2, subflow(0, 16)), window(1, subflow(1, 16))];
        assert_eq!(timetable(&mut daps, &subflows, 1), [0]);
        subflows[0].active = false;
        assert_eq!(timetable(&mut daps, &subflows, 2), [1, 1]);
        subflows[0].active = true;
        subflows[1].ca_state = CaState::Loss;
        assert_eq!(timetable(&mut daps, &subflows, 4), [0, 0, 0, 0]);
        subflows[1] = SubflowView { ca_state: CaState::Open, backup: true, ..subflows[1] };
        assert_eq!(timetable(&mut daps, &subflows, 4), [0, 0, 0, 0]);
    }

    #[test]
    fn only_what_was_sent_counts() {
        let mut daps = Daps::default();
        let subflows = [window(1, subflow(0, 16)), window(1, subflow(1, 16))];
        for _ in 0..3 {
            assert_eq!(picked(daps.pick(&view(&subflows), new_data(1_400))), Some(0));
            daps.given(1, 0, 1_400);
        }
        daps.given(0, 0, 1_400);
        assert_eq!(timetable(&mut daps, &subflows, 1), [1]);
    }

    #[test]
    fn a_full_window_is_waited_for_in_the_subflow_and_a_full_buffer_outside() {
        let full = SubflowView { in_flight: 10, ..subflow(0, 16) };
        let pick = |s| picked(Daps::default().pick(&view(&[s, subflow(1, 90)]), new_data(1)));
        assert_eq!(pick(full), Some(0));
        assert_eq!(pick(SubflowView { has_memory: false, ..full }), None);
    }

    #[test]
    fn many_subflows_do_not_overflow() {
        let rtts = [2_002, 2_006, 2_018, 2_022, 2_026, 2_038, 2_042, 2_062, 2_066, 2_078];
        let subflows: Vec<_> = (0..).zip(rtts).map(|(id, rtt)| subflow(id, rtt)).collect();
        let mut daps = Daps { params: Params { round_delay: 1 }, ..Daps::default() };
        assert_eq!(timetable(&mut daps, &subflows, 12)[9..], [0, 1, 1]);
    }
}
