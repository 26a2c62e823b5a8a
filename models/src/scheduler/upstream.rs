//! Least linger time first: the default scheduler of upstream Linux since 5.14.
//!
//! New data goes to the subflow that would need least time to drain what it
//! already holds (queued memory over average pacing rate), in bursts of up to
//! 64 KB. Backup subflows serve only while no other is active. Round-trip times
//! are not compared and windows are not tested: data may wait in a subflow.
//! Data that does not get through is sent again on an idle subflow.
//!
//! Source: Linux 6.18, `mptcp_subflow_get_send` and `mptcp_subflow_get_retrans` in
//! `net/mptcp/protocol.c`. No parameters. Of equal times the oldest subflow wins.

use super::{Ask, ConnView, Pick, Scheduler, SubflowSet, SubflowView};

/// `MPTCP_SEND_BURST_SIZE`: 64 KiB less the largest headers.
const BURST: u32 = 65_428;

/// The state of the scheduler: the average pacing rate of each subflow.
#[derive(Clone, Debug, Default)]
pub struct LeastLinger {
    average_rate: Vec<u64>,
}

impl LeastLinger {
    /// Data that failed goes where it has not been, if there is such a place. Upstream has no such
    /// queue: this is for connections of the other line.
    fn pick_again(&mut self, view: &ConnView<'_>, carried_by: SubflowSet) -> Pick {
        let fresh = |s: &SubflowView| s.active && !carried_by.contains(s.id);
        let any = view.subflows.iter().any(fresh);
        self.pick_new(view, if any { carried_by } else { SubflowSet::EMPTY })
    }

    fn pick_new(&mut self, view: &ConnView<'_>, without: SubflowSet) -> Pick {
        let mut best: [Option<(u64, &SubflowView)>; 2] = [None, None];
        let mut active_exists = false;
        if self.average_rate.len() < view.subflows.len() {
            self.average_rate.resize(view.subflows.len(), 0);
        }
        let candidate = |s: &&SubflowView| s.active && !without.contains(s.id);
        for subflow in view.subflows.iter().filter(candidate) {
            active_exists |= !subflow.backup;
            let average = &mut self.average_rate[subflow.id];
            if *average == 0 {
                *average = subflow.pacing_rate;
            }
            let queued = subflow.queued_memory.min(u64::from(u32::MAX));
            let Some(linger) = (queued << 32).checked_div(*average) else { continue };
            let slot = &mut best[usize::from(subflow.backup)];
            if slot.is_none_or(|(least, _)| linger < least) {
                *slot = Some((linger, subflow));
            }
        }
        let chosen = if active_exists { best[0] } else { best[1] };
        match chosen {
            Some((_, subflow)) if subflow.has_memory => self.burst_on(subflow, view.window),
            _ => Pick::Wait,
        }
    }

    fn burst_on(&mut self, subflow: &SubflowView, window: u64) -> Pick {
        let burst = u64::from(BURST).min(window);
        if burst > 0 {
            let average = &mut self.average_rate[subflow.id];
            let memory = subflow.queued_memory;
            let weighted = u128::from(*average) * u128::from(memory)
                + u128::from(subflow.pacing_rate) * u128::from(burst);
            *average = (weighted / u128::from(burst + memory)) as u64;
        }
        Pick::On { subflow: subflow.id, limit: burst as u32 }
    }
}

impl Scheduler for LeastLinger {
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        match ask {
            Ask::New(_) | Ask::Probe(_) => self.pick_new(view, SubflowSet::EMPTY),
            Ask::Again(piece) => self.pick_again(view, piece.carried_by),
            Ask::Retransmit(_) => pick_retransmit(view),
            Ask::Spare => Pick::Wait,
        }
    }

    fn finishes_fragments(&self) -> bool {
        true
    }
}

/// A subflow that has nothing else to do (`mptcp_subflow_get_retrans`).
pub(super) fn pick_retransmit(view: &ConnView<'_>) -> Pick {
    let active = || view.subflows.iter().filter(|subflow| subflow.active);
    let busy_stale = active().filter(|s| !s.idle).map(|s| s.stale_count).min();
    let idle = |backup| active().find(|s| s.idle && s.backup == backup);
    let chosen =
        idle(false).or_else(|| idle(true).filter(|_| busy_stale.is_none_or(|count| count > 1)));
    chosen.map_or(Pick::Wait, |subflow| Pick::On { subflow: subflow.id, limit: u32::MAX })
}
#[cfg(test)]
mod tests {
    use super::super::Piece;
    use super::super::testing::{self, picked, view};
    use super::*;

    const NEW: Ask =
        Ask::New(Piece { from: 0, len: 1_400, carried_by: SubflowSet::EMPTY, data_fin: false });

    const RETRANSMIT: Ask = Ask::Retransmit(Piece {
        from: 0,
        len: 1_400,
        carried_by: SubflowSet::EMPTY,
        data_fin: false,
    });

    fn subflow(id: usize, queued_memory: u64, pacing_rate: u64) -> SubflowView {
        let idle = queued_memory == 0;
        SubflowView { idle, queued_memory, pacing_rate, ..testing::subflow(id, 10) }
    }

    fn pick(subflows: &[SubflowView], ask: Ask) -> Pick {
        LeastLinger::default().pick(&view(subflows), ask)
    }

    #[test]
    fn the_shortest_drain_time_wins_and_the_first_of_equals() {
        let slow_but_empty = [subflow(0, 60_000, 1_000_000), subflow(1, 1_000, 100_000)];
        assert_eq!(picked(pick(&slow_but_empty, NEW)), Some(1));
        assert_eq!(picked(pick(&[subflow(0, 0, 5), subflow(1, 0, 9)], NEW)), Some(0));
    }

    #[test]
    fn a_backup_serves_only_when_no_other_is_active() {
        let backup = SubflowView { backup: true, ..subflow(0, 0, 100) };
        let full = SubflowView { has_memory: false, ..subflow(1, 90_000, 100) };
        assert_eq!(pick(&[backup, full], NEW), Pick::Wait);
        let dead = SubflowView { active: false, ..full };
        assert_eq!(picked(pick(&[backup, dead], NEW)), Some(0));
    }

    #[test]
    fn a_burst_is_64_kb_or_the_window() {
        let subflows = [subflow(0, 0, 100)];
        let view = ConnView { window: 3_000, ..view(&subflows) };
        let pick = LeastLinger::default().pick(&view, NEW);
        assert_eq!(pick, Pick::On { subflow: 0, limit: 3_000 });
    }

    #[test]
    fn retransmissions_need_an_idle_subflow_and_a_backup_a_stalled_one() {
        let busy = subflow(0, 5_000, 100);
        let backup = SubflowView { backup: true, ..subflow(1, 0, 100) };
        assert_eq!(picked(pick(&[busy, subflow(1, 0, 100)], RETRANSMIT)), Some(1));
        assert_eq!(picked(pick(&[busy, backup], RETRANSMIT)), None);
        let stalled = SubflowView { stale_count: 2, ..busy };
        assert_eq!(picked(pick(&[stalled, backup], RETRANSMIT)), Some(1));
    }
}
