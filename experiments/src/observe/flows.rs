//! Connections and their subflows, while they run.

use std::collections::BTreeMap;
use std::sync::Arc;

use mptcpsim_core::net::RouteId;
use mptcpsim_core::time::Time;
use mptcpsim_models::congestion::Window;
use mptcpsim_models::host::{Actor, World};
use mptcpsim_models::observe::event::Logged;
use mptcpsim_models::segment::FourTuple;

use crate::metrics::percentile;
use crate::plan::{FlowPlan, Plan};
use crate::results::{Recorder, SequenceRow, TimeseriesRow};

/// An end of a connection that has been seen.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Which of the plan's flows it serves.
    flow: usize,
    /// What its subflows had delivered at the last sample.
    delivered: Vec<u64>,
    /// The smoothed round-trip times of each subflow, in milliseconds, sample by sample.
    srtts: Vec<Vec<f64>>,
    /// The first data sequence number that it sent.
    first_dsn: Option<u64>,
    /// What it has sent, counted from there.
    sent: Intervals,
    over: bool,
}

/// Parts of a stream, by where they begin: they neither overlap nor touch.
#[derive(Clone, Debug, Default)]
struct Intervals(BTreeMap<u64, u64>);

impl Intervals {
    /// Adds a part. True if its beginning was there already.
    fn insert(&mut self, start: u64, end: u64) -> bool {
        let before = self.0.range(..=start).next_back().map(|(start, end)| (*start, *end));
        let known = before.is_some_and(|(_, end)| end > start);
        let (mut from, mut to) = (start, end);
        if let Some((known_start, known_end)) = before.filter(|(_, end)| *end >= start) {
            (from, to) = (known_start, to.max(known_end));
        }
        while let Some((&next, &next_end)) = self.0.range(from..=to).next_back() {
            self.0.remove(&next);
            to = to.max(next_end);
        }
        self.0.insert(from, to);
        known
    }
}

/// All ends of connections, by the number of their actor.
#[derive(Clone, Debug)]
pub(crate) struct Flows {
    plan: Arc<Plan>,
    known: Vec<Known>,
    /// The flow of a client's first four-tuple: what tells which flow the server's end belongs to.
    tuples: BTreeMap<FourTuple, usize>,
    /// Both ends of each flow: the one that opened it first.
    ends: Vec<[Option<usize>; 2]>,
    last: Time,
}

impl Flows {
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        let ends = vec![[None, None]; plan.flows.len()];
        let plan = Arc::clone(plan);
        Self { plan, known: Vec::new(), tuples: BTreeMap::new(), ends, last: Time::ZERO }
    }

    /// Takes note of connections that are new.
    pub(crate) fn meet(&mut self, world: &World) {
        for (number, actor) in world.actors().iter().enumerate().skip(self.known.len()) {
            let flow = self.flow_of(actor);
            let side = usize::from(!actor.connection().is_client());
            if let Some(end) = self.ends.get_mut(flow).and_then(|ends| ends.get_mut(side)) {
                // A join that has lost its option comes as a second connection.
                end.get_or_insert(number);
            }
            self.known.push(Known { flow, ..Known::default() });
        }
    }

    fn flow_of(&mut self, actor: &Actor) -> usize {
        let Some(tuple) = actor.connection().tuple(0) else { return actor.flow() };
        if actor.connection().is_client() {
            self.tuples.insert(tuple, actor.flow());
            return actor.flow();
        }
        let known = self.tuples.get(&tuple.reversed()).copied();
        known.or_else(|| self.unserved(actor)).unwrap_or_else(|| actor.flow())
    }

    /// The first flow on the actor's port that nobody serves yet: clients elsewhere tell no more.
    fn unserved(&self, actor: &Actor) -> Option<usize> {
        let port = self.plan.flows.get(actor.flow())?.port;
        let serves = |flow: &FlowPlan| flow.port == port && flow.to.host.0 == actor.host();
        let open = |(number, flow): &(usize, &FlowPlan)| {
            serves(flow) && self.ends.get(*number).is_some_and(|ends| ends[1].is_none())
        };
        self.plan.flows.iter().enumerate().find(open).map(|(number, _)| number)
    }

    /// The name of the flow that an actor serves.
    pub(super) fn name(&self, actor: usize) -> &str {
        let flow = self.known.get(actor).and_then(|known| self.plan.flows.get(known.flow));
        flow.map_or("", |flow| &flow.name)
    }

    /// The actors at both ends of a flow, as far as there are any: the one that opened it first.
    pub(crate) fn ends<'w>(&self, flow: usize, world: &'w World) -> [Option<&'w Actor>; 2] {
        let ends = self.ends.get(flow).copied().unwrap_or([None, None]);
        ends.map(|end| world.actors().get(end?))
    }

    /// Median and 99th percentile of the smoothed round-trip time of a subflow over time.
    pub(super) fn srtt_quantiles(
        &self,
        flow: usize,
        side: usize,
        index: usize,
    ) -> [Option<f64>; 2] {
        let end = self.ends.get(flow).and_then(|ends| *ends.get(side)?);
        let known = end.and_then(|number| self.known.get(number));
        let srtts = known.and_then(|known| known.srtts.get(index));
        [50.0, 99.0].map(|percent| percentile(srtts?, percent))
    }

    /// Data that has left, counted from the first one of its sender.
    pub(super) fn mapped(
        &mut self,
        logged: &Logged,
        dsn: u64,
        len: u32,
        world: &World,
    ) -> Option<SequenceRow> {
        let number = logged.connection as usize;
        let known = self.known.get_mut(number)?;
        let at = dsn.wrapping_sub(*known.first_dsn.get_or_insert(dsn));
        let bytes = u64::from(len);
        // What lies before the first is nobody's data: a count of 64 bits goes round.
        let end = at.checked_add(bytes)?;
        let again = known.sent.insert(at, end);
        let actor = world.actors().get(number)?;
        Some(SequenceRow {
            time_s: logged.at.as_secs_f64(),
            flow: self.name(number).to_owned(),
            sender: self.host(actor).to_owned(),
            subflow: u32::try_from(logged.subflow).ok()?,
            path: self.path(actor, logged.subflow).to_owned(),
            dsn: at,
            bytes,
            again,
        })
    }

    /// The name of the host that an actor runs on.
    pub(super) fn host(&self, actor: &Actor) -> &str {
        self.plan.hosts.get(actor.host()).map_or("", |host| &host.name)
    }

    /// The name of the path that a subflow takes. Each path has a pair of routes, in order.
    pub(crate) fn path(&self, actor: &Actor, index: usize) -> &str {
        let taken = actor.route(index).map(RouteId::pair);
        let addresses = actor.connection().tuple(index).map(|tuple| (tuple.src, tuple.dst));
        let path = taken.or_else(|| {
            let (src, dst) = addresses?;
            self.plan.path_between(src.ip(), dst.ip()).map(|(path, _)| path.0)
        });
        path.and_then(|path| self.plan.paths.get(path)).map_or("", |path| &path.name)
    }

    /// A row for each subflow of each end that has something to send.
    pub(super) fn sample(&mut self, now: Time, world: &World, recorder: &mut Recorder) {
        let interval = (now - self.last).as_secs_f64();
        self.last = now;
        for (number, actor) in world.actors().iter().enumerate() {
            let Some(known) = self.known.get_mut(number) else { continue };
            if known.over || actor.app().sent() == 0 {
                continue;
            }
            known.over = actor.connection().is_closed();
            for index in 0..actor.connection().subflow_count() {
                if known.srtts.len() <= index {
                    known.srtts.push(Vec::new());
                }
                let srtt = actor.connection().window(index).and_then(srtt_ms);
                if let (Some(srtts), Some(srtt)) = (known.srtts.get_mut(index), srtt) {
                    srtts.push(srtt);
                }
            }
            let before = std::mem::take(&mut known.delivered);
            let delivered = self.sample_end(now, interval, (number, world), &before, recorder);
            if let Some(known) = self.known.get_mut(number) {
                known.delivered = delivered;
            }
        }
    }

    fn sample_end(
        &self,
        now: Time,
        interval: f64,
        (number, world): (usize, &World),
        before: &[u64],
        recorder: &mut Recorder,
    ) -> Vec<u64> {
        let Some(actor) = world.actors().get(number) else { return Vec::new() };
        let connection = actor.connection();
        let flow = self.known.get(number).map_or(0, |known| known.flow);
        let peer = self.ends(flow, world)[usize::from(connection.is_client())];
        let out_of_order_bytes = peer.map(|peer| peer.connection().out_of_order_bytes());
        let mut delivered = Vec::with_capacity(connection.subflow_count());
        for index in 0..connection.subflow_count() {
            let (Some(subflow), Some(window)) =
                (connection.subflow(index), connection.window(index))
            else {
                break;
            };
            let acked = subflow.totals().bytes_acked;
            let new = acked - before.get(index).copied().unwrap_or(0).min(acked);
            delivered.push(acked);
            recorder.push(TimeseriesRow {
                time_s: now.as_secs_f64(),
                flow: self.name(number).to_owned(),
                sender: self.host(actor).to_owned(),
                subflow: u32::try_from(index).unwrap_or(u32::MAX),
                path: self.path(actor, index).to_owned(),
                cwnd_packets: u64::from(window.cwnd),
                ssthresh_packets: ssthresh(window),
                srtt_ms: srtt_ms(window),
                inflight_bytes: u64::from(window.in_flight()) * u64::from(window.mss),
                delivered_bytes: acked,
                rate_bps: if interval > 0.0 { 8.0 * new as f64 / interval } else { 0.0 },
                rwnd_bytes: u64::from(subflow.snd_wnd()),
                out_of_order_bytes,
            });
        }
        delivered
    }
}

/// The kernel's `TCP_INFINITE_SSTHRESH` means that there is no threshold yet.
fn ssthresh(window: &Window) -> Option<u64> {
    const INFINITE: u32 = 0x7fff_ffff;
    (window.ssthresh < INFINITE).then_some(u64::from(window.ssthresh))
}

/// The kernel keeps eight times the microseconds; zero before the first sample.
pub(super) fn srtt_ms(window: &Window) -> Option<f64> {
    (window.srtt_us > 0).then(|| f64::from(window.srtt_us) / 8_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_known_in_any_order() {
        let mut sent = Intervals::default();
        let parts = [(0, 10), (20, 30), (10, 20), (5, 8), (29, 40), (50, 60), (40, 50)];
        let again = parts.map(|(start, end)| sent.insert(start, end));
        assert_eq!(again, [false, false, false, true, true, false, false]);
        assert_eq!(sent.0, [(0, 60)].into());
    }
}
