//! Links and their queues.

use mptcpsim_core::link::{Link, LinkId};
use mptcpsim_core::net::Net;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::host::Packet;

use crate::build::link_name;
use crate::metrics::percentile;
use crate::plan::Plan;
use crate::results::{LinkRow, QueueRow, Recorder};

/// Both directions of all links of a plan.
#[derive(Clone, Debug)]
pub(super) struct Links {
    directions: Vec<Direction>,
}

#[derive(Clone, Debug)]
struct Direction {
    link: String,
    name: &'static str,
    id: LinkId,
    /// How long a packet would have waited, in milliseconds, sample by sample.
    delays: Vec<f64>,
}

impl Links {
    pub(super) fn new(plan: &Plan, net: &Net<Packet>) -> Self {
        let directions = plan.links.iter().flat_map(|link| {
            [("up", true), ("down", false)].into_iter().filter_map(|(name, upwards)| {
                let id = net.link_named(&link_name(&link.name, upwards))?;
                Some(Direction { link: link.name.clone(), name, id, delays: Vec::new() })
            })
        });
        Self { directions: directions.collect() }
    }

    fn each<'b>(
        &'b self,
        net: &'b Net<Packet>,
    ) -> impl Iterator<Item = (&'b Direction, &'b Link)> + 'b {
        self.directions.iter().filter_map(|direction| Some((direction, net.link(direction.id)?)))
    }

    pub(super) fn sample(&mut self, now: Time, net: &Net<Packet>, recorder: &mut Recorder) {
        for direction in &mut self.directions {
            let Some(link) = net.link(direction.id) else { continue };
            let backlog = link.backlog();
            let delay = Some(link.queueing_delay(now)).filter(|delay| *delay != Span::MAX);
            direction.delays.extend(delay.map(|delay| 1e3 * delay.as_secs_f64()));
            recorder.push(QueueRow {
                time_s: now.as_secs_f64(),
                link: direction.link.clone(),
                direction: direction.name.to_owned(),
                backlog_packets: backlog.packets,
                backlog_bytes: backlog.bytes.get(),
                delay_ms: delay.map(|delay| 1e3 * delay.as_secs_f64()),
            });
        }
    }

    pub(super) fn sum_up(&self, now: Time, net: &Net<Packet>, recorder: &mut Recorder) {
        for (direction, link) in self.each(net) {
            let counters = link.counters();
            let (traffic, incidents) = (counters.traffic, counters.incidents);
            let [delay_p50_ms, delay_p99_ms] =
                [50.0, 99.0].map(|percent| percentile(&direction.delays, percent));
            recorder.push(LinkRow {
                link: direction.link.clone(),
                direction: direction.name.to_owned(),
                offered_packets: traffic.offered.packets,
                offered_bytes: traffic.offered.bytes,
                delivered_packets: traffic.delivered.packets,
                delivered_bytes: traffic.delivered.bytes,
                overflow_packets: incidents.dropped_queue.packets,
                managed_packets: incidents.dropped_aqm.packets,
                lost_packets: incidents.lost.packets,
                down_packets: incidents.dropped_down.packets,
                marked_packets: incidents.marked.packets,
                duplicated_packets: incidents.duplicated.packets,
                corrupted_packets: incidents.corrupted.packets,
                max_backlog_packets: traffic.max_backlog.packets,
                max_backlog_bytes: traffic.max_backlog.bytes.get(),
                delay_p50_ms,
                delay_p99_ms,
                utilisation: link.busy(now).as_secs_f64() / now.as_secs_f64().max(1e-12),
            });
        }
    }
}
