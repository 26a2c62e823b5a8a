//! What theory expects of a scenario, beside what the simulation gave.
//!
//! Fluid models ([`fluid`]) know windows, fixed round-trip times, losses and capacities. They fit
//! scenarios in which nothing changes and every connection always has data. The subflows, and the
//! round-trip times with what queues add to them, are those of the simulation; rates are compared from
//! when a third of it is over.
//!
//! Theory knows no scheduler, no buffers and no timeouts. Where a scheduler leaves a window empty, as the
//! upstream default does behind a slow path, the simulation gives less.

pub mod fluid;

use std::collections::BTreeMap;

use mptcpsim_core::capacity::Capacity;
use mptcpsim_core::impair::Loss;
use mptcpsim_models::congestion::Name;
use mptcpsim_models::scheduler;

use self::fluid::{Connection, Model, Network, Path};
use crate::plan::{DirectionPlan, FlowPlan, LinkId, Plan, Work};
use crate::results::{SubflowRow, Tables, TimeseriesRow};

/// IP and TCP headers with timestamps.
const HEADERS: u16 = 52;
/// What a DSS takes beside them.
const DSS: u16 = 20;
/// Fewer packets than this say nothing about a rate.
const ENOUGH: f64 = 500.0;
/// An interface whose route names no other MTU.
const MTU: u16 = 1_500;

/// One direction of a subflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// The name of the flow.
    pub flow: String,
    /// The host that sends.
    pub sender: String,
    /// The number of the subflow.
    pub subflow: u32,
    /// The name of the path.
    pub path: String,
    /// The model of its congestion control.
    pub model: Model,
    /// The mean round-trip time that was measured.
    pub rtt_s: f64,
    /// The part of packets lost in the model: at random, and because links are full.
    pub loss: f64,
    /// The payload rate that the model gives, in bits per second.
    pub expected_bps: f64,
    /// The payload rate of the simulation.
    pub simulated_bps: f64,
}

/// All that theory has to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Theory {
    /// Each subflow that carries data.
    pub subflows: Vec<Expectation>,
    /// What the connections of MPTCP would get altogether with each algorithm, in bits per second.
    pub totals: Vec<(Model, f64)>,
}

/// What the models expect of a plan whose run gave these tables.
///
/// # Errors
/// Why they have nothing to say: all reasons.
pub fn theory(plan: &Plan, tables: &Tables) -> Result<Theory, Vec<String>> {
    let mut reasons = of_plan(plan);
    let senders: Vec<_> =
        tables.subflows.iter().filter_map(|row| Sender::of(plan, tables, row)).collect();
    if senders.is_empty() {
        reasons.push("no subflow sent enough to be compared with a model".into());
    }
    for sender in senders.iter().filter(|sender| sender.is_unlimited(plan)) {
        let (flow, path) = (&sender.row.flow, &sender.row.path);
        reasons.push(format!("nothing limits {flow} on {path}: neither a rate nor a loss"));
    }
    if !reasons.is_empty() {
        reasons.dedup();
        return Err(reasons);
    }
    let solved = Solved::of(plan, &senders, None);
    let totals =
        Model::ALL.iter().map(|&model| (model, Solved::of(plan, &senders, Some(model)).total()));
    let totals = if senders.iter().any(Sender::is_mptcp) { totals.collect() } else { Vec::new() };
    Ok(Theory { subflows: solved.expectations(), totals })
}

/// What about a plan no model can describe.
fn of_plan(plan: &Plan) -> Vec<String> {
    let mut reasons = Vec::new();
    if !plan.timeline.is_empty() {
        reasons.push("the timeline changes the network: a model has one equilibrium".to_owned());
    }
    for link in &plan.links {
        for (way, direction) in [("up", &link.up), ("down", &link.down)] {
            if matches!(direction.config.capacity, Capacity::Steps(_) | Capacity::Trace(_)) {
                reasons.push(format!("the rate of {}.{way} varies", link.name));
            }
            if direction.delays.varies() {
                reasons.push(format!("the delay of {}.{way} varies", link.name));
            }
            if !matches!(direction.config.impairments.loss, Loss::None | Loss::Bernoulli { .. }) {
                reasons.push(format!("losses of {}.{way} are not independent", link.name));
            }
        }
    }
    for flow in &plan.flows {
        if !matches!(flow.work, Work::Bulk { .. } | Work::Timed { .. }) {
            reasons.push(format!("{} has not always data to send", flow.name));
        }
        let redundant =
            |end: &&crate::plan::FlowEnd| end.scheduler.name == scheduler::Name::Redundant;
        if flow.is_mptcp() && flow.ends().iter().any(redundant) {
            reasons.push(format!("the subflows of {} carry the same data", flow.name));
        }
        for end in flow.ends() {
            if model(end.congestion_control.name).is_none() {
                let name = end.congestion_control.name.name();
                reasons.push(format!("there is no fluid model of {name} here ({})", flow.name));
            }
        }
    }
    reasons
}

const fn model(name: Name) -> Option<Model> {
    Some(match name {
        Name::Reno | Name::Uncoupled => Model::Reno,
        Name::Ewtcp => Model::Ewtcp,
        Name::Lia | Name::LiaRfc6356 => Model::Lia,
        Name::Olia | Name::OliaPaper => Model::Olia,
        Name::Balia | Name::BaliaDraft => Model::Balia,
        Name::Cubic | Name::Wvegas | Name::Bbr => return None,
    })
}

/// A subflow in the direction in which it carries data.
struct Sender<'a> {
    flow: &'a FlowPlan,
    row: &'a SubflowRow,
    model: Model,
    links: Vec<LinkId>,
    upwards: bool,
    rtt_s: f64,
    simulated_bps: f64,
    /// Payload of a full packet, and its length.
    payload: f64,
    length: f64,
}

impl<'a> Sender<'a> {
    fn of(plan: &'a Plan, tables: &Tables, row: &'a SubflowRow) -> Option<Self> {
        let flow = plan.flows.iter().find(|flow| flow.name == row.flow)?;
        let host = plan.hosts.iter().position(|host| host.name == row.sender)?;
        let end = flow.ends().into_iter().find(|end| end.host.0 == host)?;
        let path = plan.paths.iter().find(|path| path.name == row.path)?;
        let mtu = plan.hosts.get(host)?.route.mtu.unwrap_or(MTU);
        let dss = if flow.is_mptcp() { DSS } else { 0 };
        let payload = f64::from(mtu - HEADERS - dss);
        let of_subflow = |sample: &&TimeseriesRow| {
            sample.flow == row.flow && sample.sender == row.sender && sample.subflow == row.subflow
        };
        let samples: Vec<_> = tables.timeseries.iter().filter(of_subflow).collect();
        let end_s = samples.last()?.time_s;
        let settled = samples.iter().position(|sample| sample.time_s >= end_s / 3.0)?;
        let (from, to) = (samples.get(settled)?, samples.last()?);
        let bytes = (to.delivered_bytes - from.delivered_bytes) as f64;
        if bytes / payload < ENOUGH && row.share.is_none_or(|share| share < 0.01) || bytes == 0.0 {
            return None;
        }
        let rtts: Vec<f64> =
            samples[settled..].iter().filter_map(|sample| sample.srtt_ms).collect();
        Some(Self {
            flow,
            row,
            model: model(end.congestion_control.name).unwrap_or(Model::Reno),
            links: path.links().collect(),
            upwards: path.ends[0].host.0 == host,
            rtt_s: rtts.iter().sum::<f64>() / rtts.len().max(1) as f64 / 1e3,
            simulated_bps: 8.0 * bytes / (to.time_s - from.time_s),
            payload,
            length: f64::from(mtu),
        })
    }

    fn is_mptcp(&self) -> bool {
        self.flow.is_mptcp()
    }

    fn directions<'p>(
        &'p self,
        plan: &'p Plan,
    ) -> impl Iterator<Item = (LinkId, &'p DirectionPlan)> {
        let side = |id: &LinkId| {
            let link = plan.links.get(id.0)?;
            Some((*id, if self.upwards { &link.up } else { &link.down }))
        };
        self.links.iter().filter_map(side)
    }

    fn loss(&self, plan: &Plan) -> f64 {
        let survives = self.directions(plan).map(|(_, direction)| {
            let impairments = &direction.config.impairments;
            match impairments.loss {
                Loss::Bernoulli { probability } => 1.0 - probability.get(),
                _ => 1.0,
            }
        });
        1.0 - survives.product::<f64>()
    }

    fn is_unlimited(&self, plan: &Plan) -> bool {
        let unlimited =
            |direction: &DirectionPlan| direction.config.capacity == Capacity::Unlimited;
        self.loss(plan) <= 0.0 && self.directions(plan).all(|(_, direction)| unlimited(direction))
    }
}

/// The models of all senders, solved.
struct Solved<'a> {
    senders: &'a [Sender<'a>],
    /// Rate of each sender in packets per second, and its loss.
    rates: Vec<f64>,
    losses: Vec<f64>,
    models: Vec<Model>,
}

impl<'a> Solved<'a> {
    /// With each sender's own algorithm, or another one for those of MPTCP.
    fn of(plan: &Plan, senders: &'a [Sender<'a>], instead: Option<Model>) -> Self {
        let mut network = Network::default();
        let mut links = BTreeMap::new();
        let mut places = Vec::new();
        let mut connections: Vec<(&str, &str)> = Vec::new();
        let mut models = Vec::new();
        for sender in senders {
            let loss = sender.loss(plan);
            let used = sender.directions(plan).filter_map(|(id, direction)| {
                let Capacity::Fixed(rate) = direction.config.capacity else { return None };
                let capacities = &mut network.capacities;
                Some(*links.entry((id, sender.upwards)).or_insert_with(|| {
                    capacities.push(rate.as_bps() as f64 / 8.0 / sender.length);
                    capacities.len() - 1
                }))
            });
            let path = Path { links: used.collect(), loss, rtt_s: sender.rtt_s };
            let model = instead.filter(|_| sender.is_mptcp()).unwrap_or(sender.model);
            let key = (sender.row.flow.as_str(), sender.row.sender.as_str());
            let number = connections.iter().position(|known| *known == key).unwrap_or_else(|| {
                connections.push(key);
                network.connections.push(Connection { model, paths: Vec::new() });
                connections.len() - 1
            });
            places.push((number, network.connections[number].paths.len()));
            network.connections[number].paths.push(path);
            models.push(model);
        }
        let found = network.equilibrium();
        let path =
            |&(connection, path): &(usize, usize)| &network.connections[connection].paths[path];
        let price = |path: &Path| path.links.iter().map(|link| found.prices[*link]).sum::<f64>();
        Self {
            senders,
            rates: places.iter().map(|&(connection, path)| found.rates[connection][path]).collect(),
            losses: places.iter().map(path).map(|path| path.loss + price(path)).collect(),
            models,
        }
    }

    /// All of MPTCP, in bits of payload per second.
    fn total(&self) -> f64 {
        let senders = self.senders.iter().zip(&self.rates).filter(|(sender, _)| sender.is_mptcp());
        senders.map(|(sender, rate)| 8.0 * sender.payload * rate).sum()
    }

    fn expectations(&self) -> Vec<Expectation> {
        let values = self.rates.iter().zip(&self.losses).zip(&self.models);
        let rows =
            self.senders.iter().zip(values).map(|(sender, ((rate, loss), model))| Expectation {
                flow: sender.row.flow.clone(),
                sender: sender.row.sender.clone(),
                subflow: sender.row.subflow,
                path: sender.row.path.clone(),
                model: *model,
                rtt_s: sender.rtt_s,
                loss: *loss,
                expected_bps: 8.0 * sender.payload * rate,
                simulated_bps: sender.simulated_bps,
            });
        rows.collect()
    }
}
