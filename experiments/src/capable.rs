//! Would MPTCP survive a path? A short transfer over each one, and what became of it.
//!
//! Each path is tried as the way of the first subflow, and, where another path joins the same
//! hosts, as the way of one that joins: then the other path is freed of its middleboxes. The
//! network is otherwise that of the scenario; its flows and its timeline stay away.
//!
//! A box is blamed if it did the worst of what was done to the subflow's segments before MPTCP
//! was lost.

use std::fmt;

use mptcpsim_core::middlebox::Direction;
use mptcpsim_core::net::RouteId;
use mptcpsim_core::sim::Simulation;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Bytes;
use mptcpsim_models::host::{Actor, World};
use mptcpsim_models::middlebox::{Effect, Middlebox, Touch};
use mptcpsim_models::mptcp::{Mode, SocketOptions};
use mptcpsim_models::observe::event::Event;
use mptcpsim_models::path_manager::Name;
use mptcpsim_models::rules::Stack;
use mptcpsim_models::segment::ResetReason;
use mptcpsim_models::tcp::State;

use crate::build::{AsPlanned, BuildError, Policies, build_with};
use crate::plan::{
    Algorithm, EndpointPlan, FlowPlan, MiddleboxPlan, PathId, PathPlan, Plan, Station, Work,
};
use crate::scenario::{AppDirection, EndpointFlag, Protocol};

/// What is sent each way.
const TRANSFER: Bytes = Bytes::new(500_000);
/// When a transfer that has not ended has failed.
const PATIENCE: Span = Span::from_secs(60);

/// What became of a subflow on a path.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The name of the path.
    pub path: String,
    /// It was tried with a subflow that joins, not with the first one.
    pub joined: bool,
    /// What happened.
    pub finding: Finding,
    /// What the boxes of the path did first, the worst last.
    pub touches: Vec<BoxTouch>,
}

/// What a middlebox did to a subflow.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxTouch {
    /// What it did first, and to which segment.
    pub first: Touch,
    /// It was done in the `up` direction.
    pub upwards: bool,
}

/// What happened to a subflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// MPTCP to the end, and the data came as it was sent.
    Capable,
    /// The connection became plain TCP; the reason as the kernel counts it.
    FellBack(&'static str),
    /// The subflow was reset; the reason, if one was given.
    Reset(Option<ResetReason>),
    /// The subflow was never established.
    NotEstablished,
    /// The data did not arrive within a minute.
    Stopped,
    /// So many bytes arrived that were not those sent.
    WrongBytes(u64),
}

/// Tries every path of a scenario.
///
/// # Errors
/// If the plan cannot be built.
pub fn capable(plan: &Plan) -> Result<Vec<Verdict>, BuildError> {
    capable_with(plan, &mut AsPlanned)
}

/// Like [`capable`], with middleboxes, schedulers and congestion controls of one's own.
///
/// # Errors
/// If the plan cannot be built.
pub fn capable_with(plan: &Plan, policies: &mut dyn Policies) -> Result<Vec<Verdict>, BuildError> {
    let policies = &mut ForTrials(policies);
    let mut verdicts = Vec::new();
    for number in 0..plan.paths.len() {
        let id = PathId(number);
        verdicts.extend(probe(plan, id, None, policies)?);
        if let Some(other) = companion(plan, id) {
            verdicts.extend(probe(plan, id, Some(other), policies)?);
        }
    }
    Ok(verdicts)
}

/// Policies without what a trial has of its own: transfers and path managers.
struct ForTrials<'a>(&'a mut dyn Policies);

impl Policies for ForTrials<'_> {
    fn socket(&mut self, flow: &FlowPlan, options: &mut SocketOptions) {
        let path_manager = options.path_manager.clone();
        self.0.socket(flow, options);
        options.path_manager = path_manager;
    }

    fn middlebox(&mut self, plan: &MiddleboxPlan) -> Option<Box<dyn Middlebox>> {
        self.0.middlebox(plan)
    }
}

/// Another path between the same hosts.
fn companion(plan: &Plan, id: PathId) -> Option<PathId> {
    let hosts = |path: &PathPlan| path.ends.map(|end| end.host);
    let own = hosts(plan.paths.get(id.0)?);
    let others = plan.paths.iter().enumerate();
    others
        .filter(|(number, path)| *number != id.0 && hosts(path) == own)
        .map(|(n, _)| PathId(n))
        .next()
}

/// Runs one transfer; `None` where the plan has no flow to take the settings from.
fn probe(
    plan: &Plan,
    id: PathId,
    first: Option<PathId>,
    policies: &mut dyn Policies,
) -> Result<Option<Verdict>, BuildError> {
    let Some(trial) = trial(plan, id, first) else { return Ok(None) };
    let mut simulation = build_with(&trial, true, policies)?;
    simulation.run_while(Time::ZERO + PATIENCE, |world| world.finished_flows() == 0);
    let index = usize::from(first.is_some());
    let finding = finding(simulation.hosts(), index);
    let lost_at = lost_at(&mut simulation, index, &finding);
    let verdict = Verdict {
        path: plan.paths[id.0].name.clone(),
        joined: first.is_some(),
        touches: touches(&simulation, id, lost_at),
        finding,
    };
    Ok(Some(verdict))
}

/// The plan of one transfer: over path `id`, or begun over `first` and joined over `id`.
fn trial(plan: &Plan, id: PathId, first: Option<PathId>) -> Option<Plan> {
    let mut trial = plan.clone();
    trial.timeline.clear();
    trial.record.pcap = false;
    for host in &mut trial.hosts {
        host.endpoints.clear();
        host.mptcpd = None;
    }
    let begin = first.unwrap_or(id);
    let [a, b] = plan.paths[begin.0].ends;
    let address = |end: crate::plan::InterfaceId| {
        let interface = plan.hosts.get(end.host.0)?.interfaces.get(end.interface)?;
        interface.addresses.first().copied()
    };
    let mut flow = plan.flows.first()?.clone();
    flow.start = Time::ZERO;
    flow.from.protocol = Protocol::default();
    flow.to.protocol = Protocol::default();
    (flow.from.host, flow.to.host) = (a.host, b.host);
    (flow.from.address, flow.to.address) = (address(a)?, address(b)?);
    flow.work = Work::Bulk { bytes: TRANSFER, direction: AppDirection::Both, abort: false };
    for end in [&mut flow.from, &mut flow.to] {
        if plan.hosts.get(end.host.0)?.stack == Stack::Upstream {
            end.path_manager = Algorithm { name: Name::Endpoints, params: Vec::new() };
        }
    }
    trial.flows = vec![flow];
    if first.is_some() {
        trial.paths[begin.0].via.retain(|station| !matches!(station, Station::Middlebox(_)));
        let join_from = address(plan.paths[id.0].ends[0])?;
        let host = trial.hosts.get_mut(a.host.0)?;
        host.subflow_limit = 1;
        let flags = [EndpointFlag::Subflow].into();
        host.endpoints.push(EndpointPlan { address: join_from, flags, id: 1, port: None });
        let peer = trial.hosts.get_mut(b.host.0)?;
        peer.subflow_limit = 1;
    }
    Some(trial)
}

fn finding(world: &World, index: usize) -> Finding {
    let end =
        |client: bool| world.actors().iter().find(|actor| actor.connection().is_client() == client);
    let (Some(client), Some(server)) = (end(true), end(false)) else {
        return Finding::NotEstablished;
    };
    for actor in [client, server] {
        match actor.connection().mode() {
            Mode::FellBack(why) => return Finding::FellBack(why.name()),
            Mode::Plain => return Finding::FellBack("the server saw no MP_CAPABLE"),
            Mode::Mptcp => {}
        }
    }
    let subflow = |actor: &Actor| actor.connection().subflow_statistics(index).copied();
    let (Some(ours), Some(theirs)) = (subflow(client), subflow(server)) else {
        return Finding::NotEstablished;
    };
    let wrong: u64 = [client, server].iter().map(|actor| actor.app().ledger().wrong_bytes()).sum();
    let complete = |actor: &Actor| actor.app().ledger().bytes() >= TRANSFER.get();
    let died = ours.reset_reason.or(theirs.reset_reason);
    let closed_early = client.connection().subflow(index).is_none_or(|subflow| {
        subflow.state() == State::Closed && !client.connection().all_acknowledged()
    });
    if died.is_some() || closed_early {
        Finding::Reset(died)
    } else if ours.established_at().is_none() {
        Finding::NotEstablished
    } else if wrong > 0 {
        Finding::WrongBytes(wrong)
    } else if !complete(client) || !complete(server) {
        Finding::Stopped
    } else {
        Finding::Capable
    }
}

/// When MPTCP was lost: only what was done before can be the cause.
fn lost_at(simulation: &mut Simulation<World>, index: usize, finding: &Finding) -> Time {
    let now = simulation.now();
    if matches!(finding, Finding::Capable | Finding::WrongBytes(_) | Finding::NotEstablished) {
        return now;
    }
    let world = simulation.hosts_mut();
    let events = (0..world.host_count()).flat_map(|host| world.drain_events(host));
    let losing = events.collect::<Vec<_>>().into_iter().filter(|logged| {
        let lost = matches!(
            &logged.event,
            Event::Mptcp { what: "fallback" | "reset" | "checksum-error", .. }
        );
        lost && logged.subflow == index
    });
    losing.map(|logged| logged.at).min().unwrap_or(now)
}

/// What the boxes of a path did until `lost_at`, once each, the worst last.
fn touches(simulation: &Simulation<World>, id: PathId, lost_at: Time) -> Vec<BoxTouch> {
    let route = RouteId(2 * id.0 as u32);
    let seen = simulation.net().tables().touches.first().iter();
    let here = seen.filter(|touch| touch.route == route || touch.route == route.reverse());
    let mut touches: Vec<BoxTouch> = here
        .filter(|touch| touch.at <= lost_at)
        .map(|touch| BoxTouch {
            first: touch.clone(),
            upwards: touch.route.direction() == Direction::Forward,
        })
        .collect();
    touches.sort_by_key(|touch| harm(touch.first.effect));
    touches.dedup_by(|a, b| {
        a.first.middlebox == b.first.middlebox && a.first.effect == b.first.effect
    });
    touches
}

/// How likely it is that MPTCP suffers from it.
fn harm(effect: Effect) -> u8 {
    match effect {
        Effect::None | Effect::Wrapped => 0,
        Effect::Delayed => 1,
        Effect::Split => 2,
        Effect::Rewrote => 3,
        Effect::Answered => 4,
        Effect::Merged => 5,
        Effect::Altered => 6,
        Effect::Stripped => 7,
        Effect::Dropped => 8,
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capable => write!(f, "capable"),
            Self::FellBack(why) => {
                let why = why.strip_prefix("MPTcpExt").unwrap_or(why);
                write!(f, "not capable: falls back to TCP ({why})")
            }
            Self::Reset(Some(reason)) => {
                write!(f, "not capable: the subflow is reset, reason {}", reason.0)
            }
            Self::Reset(None) => write!(f, "not capable: the subflow is reset"),
            Self::NotEstablished => write!(f, "not capable: the subflow is never established"),
            Self::Stopped => write!(f, "not capable: the transfer stops"),
            Self::WrongBytes(bytes) => write!(f, "not capable: {bytes} wrong bytes arrive"),
        }
    }
}

impl fmt::Display for BoxTouch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Touch { at, middlebox, number, kind, effect, .. } = &self.first;
        let way = if self.upwards { "up" } else { "down" };
        write!(f, "`{middlebox}` {} a {}", effect.verb(), kind.name())?;
        write!(f, ", packet {number} of the subflow ({way}), at {:.6} s", at.as_secs_f64())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.joined { "a subflow that joins" } else { "the first subflow" };
        write!(f, "{}, {role}: {}", self.path, self.finding)?;
        if self.finding == Finding::Capable {
            for touch in &self.touches {
                write!(f, "\n    harmless: {touch}")?;
            }
        } else if let Some(worst) = self.touches.last() {
            write!(f, "\n    because {worst}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Notation, Source, check};

    fn verdicts(boxes: &str, via: &str) -> Vec<String> {
        let text = format!(
            r#"
            {boxes}
            [[paths]]
            name = "wifi"
            rate = "10 Mbit/s"
            delay = "10 ms"
            middleboxes = {via}

            [[paths]]
            name = "lte"
            rate = "10 Mbit/s"
            delay = "20 ms"

            [[flows]]
            app = {{ kind = "bulk", bytes = "1 MB" }}
            "#
        );
        let plan = check(&Source::new("test", &text, Notation::Toml), &[]).unwrap();
        let verdicts = capable(&plan).unwrap();
        verdicts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn paths_without_boxes_are_capable() {
        assert_eq!(
            verdicts("", "[]"),
            [
                "wifi, the first subflow: capable",
                "wifi, a subflow that joins: capable",
                "lte, the first subflow: capable",
                "lte, a subflow that joins: capable",
            ]
        );
    }

    #[test]
    fn the_box_is_named_and_the_segment_it_hit() {
        let boxes = r#"
            [middleboxes.nat]
            action = { kind = "nat", address = "203.0.113.7" }
            [middleboxes.old]
            action = { kind = "strip", options = ["mp_capable"] }
            only = { on = ["syn-ack"] }
        "#;
        let verdicts = verdicts(boxes, r#"["nat", "old"]"#);
        assert!(verdicts[0].contains("(MPCapableFallbackSYNACK)"), "{}", verdicts[0]);
        assert!(
            verdicts[0].contains("`old` stripped options from a SYN/ACK, packet 1"),
            "{}",
            verdicts[0]
        );
        assert!(verdicts[1].contains("capable\n    harmless: `nat` rewrote"), "{}", verdicts[1]);
        assert_eq!(verdicts[2], "lte, the first subflow: capable");
    }

    #[test]
    fn a_proxy_that_splits_connections_is_named() {
        let boxes = r#"
            [middleboxes.pep]
            action = { kind = "split-proxy", buffer = "200 kB" }
        "#;
        let verdicts = verdicts(boxes, r#"["pep"]"#);
        assert!(verdicts[0].contains("falls back to TCP"), "{}", verdicts[0]);
        assert!(verdicts[0].contains("`pep` answered a SYN, packet 1"), "{}", verdicts[0]);
        assert!(verdicts[1].contains("`pep` answered a SYN, packet 1"), "{}", verdicts[1]);
    }

    #[test]
    fn joins_fail_by_themselves() {
        let boxes = r#"
            [middleboxes.proxy]
            action = { kind = "drop" }
            only = { with = ["mp_join"], on = ["syn"] }
        "#;
        let verdicts = verdicts(boxes, r#"["proxy"]"#);
        assert_eq!(verdicts[0], "wifi, the first subflow: capable");
        assert!(verdicts[1].contains("never established"), "{}", verdicts[1]);
        assert!(verdicts[1].contains("`proxy` dropped a SYN, packet 1"), "{}", verdicts[1]);
    }
}
