//! The default scheduler of upstream Linux since 5.14 (`mptcp_subflow_get_send`,
//! `mptcp_subflow_get_retrans` in `net/mptcp/protocol.c`).
//!
//! New data goes to the subflow that would need least time to drain what it
//! already holds (queued memory over average pacing rate), in bursts of up to
//! 64 KB. Backup subflows serve only while no other is active. Round-trip times
//! are not compared and windows are not tested: data may wait in a subflow.

use super::{Ask, ConnView, Pick, Scheduler, SubflowView};

/// `MPTCP_SEND_BURST_SIZE`: 64 KiB less the largest headers.
const BURST: u32 = 65_428;

/// The state of the scheduler: the average pacing rate of each subflow.
#[derive(Clone, Debug, Default)]
pub struct LeastLinger {
    average_rate: Vec<u64>,
}

impl LeastLinger {
    fn pick_new(&mut self, view: &ConnView<'_>) -> Pick {
        let mut best: [Option<(u64, &SubflowView)>; 2] = [None, None];
        let mut active_exists = false;
        if self.average_rate.len() < view.subflows.len() {
            self.average_rate.resize(view.subflows.len(), 0);
        }
        for subflow in view.subflows.iter().filter(|subflow| subflow.active) {
            active_exists |= !subflow.backup;
            let average = &mut self.average_rate[subflow.id];
            if *average == 0 {
                *average = subflow.pacing_rate;
            }
            let linger = (u128::from(subflow.queued_memory) << 32)
                .checked_div(u128::from(*average))
                .map(|linger| linger as u64);
            let Some(linger) = linger else { continue };
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

    fn pick_retransmit(view: &ConnView<'_>) -> Pick {
        let active = || view.subflows.iter().filter(|subflow| subflow.active);
        let busy_stale = active().filter(|s| !s.idle).map(|s| s.stale_count).min();
        let idle = |backup| active().find(|s| s.idle && s.backup == backup);
        let chosen =
            idle(false).or_else(|| idle(true).filter(|_| busy_stale.is_none_or(|count| count > 1)));
        chosen.map_or(Pick::Wait, |subflow| Pick::On { subflow: subflow.id, limit: u32::MAX })
    }
}

impl Scheduler for LeastLinger {
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        match ask {
            Ask::New => self.pick_new(view),
            Ask::Retransmit => Self::pick_retransmit(view),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subflow(id: usize, queued_memory: u64, pacing_rate: u64) -> SubflowView {
        SubflowView {
            id,
            active: true,
            has_memory: true,
            idle: queued_memory == 0,
            queued_memory,
            pacing_rate,
            ..SubflowView::default()
        }
    }

    fn pick(subflows: &[SubflowView], ask: Ask) -> Pick {
        let view = ConnView { subflows, window: 1 << 20, pending: 1 << 20 };
        LeastLinger::default().pick(&view, ask)
    }

    fn on(pick: Pick) -> Option<usize> {
        match pick {
            Pick::On { subflow, .. } => Some(subflow),
            Pick::Wait => None,
        }
    }

    #[test]
    fn the_shortest_drain_time_wins_and_the_first_of_equals() {
        let slow_but_empty = [subflow(0, 60_000, 1_000_000), subflow(1, 1_000, 100_000)];
        assert_eq!(on(pick(&slow_but_empty, Ask::New)), Some(1));
        assert_eq!(on(pick(&[subflow(0, 0, 5), subflow(1, 0, 9)], Ask::New)), Some(0));
    }

    #[test]
    fn a_backup_serves_only_when_no_other_is_active() {
        let backup = SubflowView { backup: true, ..subflow(0, 0, 100) };
        let full = SubflowView { has_memory: false, ..subflow(1, 90_000, 100) };
        assert_eq!(pick(&[backup, full], Ask::New), Pick::Wait);
        let dead = SubflowView { active: false, ..full };
        assert_eq!(on(pick(&[backup, dead], Ask::New)), Some(0));
    }

    #[test]
    fn a_burst_is_64_kb_or_the_window() {
        let view = ConnView { subflows: &[subflow(0, 0, 100)], window: 3_000, pending: 9_000 };
        let pick = LeastLinger::default().pick(&view, Ask::New);
        assert_eq!(pick, Pick::On { subflow: 0, limit: 3_000 });
    }

    #[test]
    fn retransmissions_need_an_idle_subflow_and_a_backup_a_stalled_one() {
        let busy = subflow(0, 5_000, 100);
        let backup = SubflowView { backup: true, ..subflow(1, 0, 100) };
        assert_eq!(on(pick(&[busy, subflow(1, 0, 100)], Ask::Retransmit)), Some(1));
        assert_eq!(on(pick(&[busy, backup], Ask::Retransmit)), None);
        let stalled = SubflowView { stale_count: 2, ..busy };
        assert_eq!(on(pick(&[stalled, backup], Ask::Retransmit)), Some(1));
    }
}
