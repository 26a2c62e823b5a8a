//! Connections and their subflows, while they run.

use std::collections::BTreeMap;
use std::sync::Arc;

use mptcpsim_core::net::RouteId;
use mptcpsim_core::time::Time;
use mptcpsim_models::congestion::Window;
use mptcpsim_models::host::{Actor, World};
use mptcpsim_models::segment::FourTuple;

use crate::plan::{FlowPlan, Plan};
use crate::results::{Recorder, TimeseriesRow};

/// An end of a connection that has been seen.
#[derive(Clone, Debug)]
struct Known {
    /// Which of the plan's flows it serves.
    flow: usize,
    /// What its subflows had delivered at the last sample.
    delivered: Vec<u64>,
    over: bool,
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
            self.known.push(Known { flow, delivered: Vec::new(), over: false });
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
            let before = std::mem::take(&mut known.delivered);
            let delivered = self.sample_end(now, interval, number, actor, &before, recorder);
            if let Some(known) = self.known.get_mut(number) {
                known.delivered = delivered;
            }
        }
    }

    fn sample_end(
        &self,
        now: Time,
        interval: f64,
        number: usize,
        actor: &Actor,
        before: &[u64],
        recorder: &mut Recorder,
    ) -> Vec<u64> {
        let connection = actor.connection();
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
