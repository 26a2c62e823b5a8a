//! Why was a run no faster? Where the time of each path of each connection went.
//!
//! The run happens again, and is looked at every millisecond: what keeps the next packet of each subflow from
//! leaving? The questions are those a sender asks, in its order: is there a subflow, does its path work, is the
//! link busy anyway, is something being repaired, is the congestion window full, is there data, does the peer's
//! window take it, and if all that is so, did the scheduler want it elsewhere? Looking changes nothing.

mod words;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use mptcpsim_core::net::{Net, RouteId};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Bytes;
use mptcpsim_models::congestion::CaState;
use mptcpsim_models::host::{Actor, Packet, World};

use crate::build::{AsPlanned, Policies};
use crate::observe::flows::Flows;
use crate::plan::{FlowPlan, LinkId, PathId, Plan, Station};

use crate::run::{Outcome, RunError};
use crate::session::{Session, Watch};
use crate::theory;

pub(crate) use words::ALL_BUSY;

/// The time between two looks, but for very long runs.
const TICK: Span = Span::from_ms(1);
/// Looks at a run at most, about.
const MAX_LOOKS: u64 = 1_000_000;
/// The other direction of a flow has something to explain if so much of the data went that way.
const WORTH_EXPLAINING: f64 = 0.1;
/// The part of a full packet of MPTCP that is payload: 1500 bytes less 72 for IP, TCP with timestamps and DSS.
pub(crate) const PAYLOAD: f64 = 1_428.0 / 1_500.0;

/// What a subflow's time goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holdup {
    /// The link is sending: nothing is lost here.
    LinkBusy,
    /// There is no subflow (yet, or any more).
    NoSubflow,
    /// The path is down, or taken for dead.
    PathDown,
    /// Timeouts and what follows them.
    Timeout,
    /// Lost packets are being repaired.
    Recovery,
    /// The congestion window is full, and the link idle.
    CongestionWindow,
    /// The application has written nothing more.
    Application,
    /// Everything is sent; the last acknowledgements are awaited.
    LastData,
    /// The send buffer is full of data that is not acknowledged.
    SendBuffer,
    /// The receive buffer is full of data that waits for data of another path.
    HeadOfLine,
    /// The receive window is full otherwise.
    ReceiveWindow,
    /// The subflow is a backup that is not needed.
    Backup,
    /// All doors are open: the scheduler keeps the data for another subflow.
    Scheduler,
}

impl Holdup {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 13] = [
        Self::LinkBusy,
        Self::CongestionWindow,
        Self::Recovery,
        Self::Timeout,
        Self::PathDown,
        Self::HeadOfLine,
        Self::ReceiveWindow,
        Self::SendBuffer,
        Self::Scheduler,
        Self::Application,
        Self::LastData,
        Self::Backup,
        Self::NoSubflow,
    ];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinkBusy => "link busy",
            Self::NoSubflow => "no subflow",
            Self::PathDown => "path down",
            Self::Timeout => "timeout",
            Self::Recovery => "recovery",
            Self::CongestionWindow => "congestion window",
            Self::Application => "application",
            Self::LastData => "last data",
            Self::SendBuffer => "send buffer",
            Self::HeadOfLine => "head-of-line blocking",
            Self::ReceiveWindow => "receive window",
            Self::Backup => "backup",
            Self::Scheduler => "scheduler",
        }
    }
}

/// A path of a connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PathTimes {
    /// Its name.
    pub path: String,
    /// What its slowest link carries as payload, in bits per second; `None` without a limit.
    pub capacity_bps: Option<f64>,
    /// How much time went into what.
    pub spent: BTreeMap<Holdup, Span>,
    /// The part of the head-of-line blocking that is due to each path, by its number.
    pub waited_for: BTreeMap<usize, Span>,
    /// Bytes acknowledged.
    pub bytes: u64,
    /// Packets taken for lost.
    pub losses: u64,
    /// Round-trip time in seconds and window in packets: the sums of all looks, and their number.
    sums: (f64, f64, u64),
}

impl PathTimes {
    /// Mean round-trip time in seconds.
    pub fn rtt_s(&self) -> Option<f64> {
        (self.sums.2 > 0).then(|| self.sums.0 / self.sums.2 as f64)
    }

    /// Mean congestion window in packets.
    pub fn window(&self) -> Option<f64> {
        (self.sums.2 > 0).then(|| self.sums.1 / self.sums.2 as f64)
    }

    /// Time that went into `holdup`.
    pub fn time(&self, holdup: Holdup) -> Span {
        self.spent.get(&holdup).copied().unwrap_or(Span::ZERO)
    }
}

/// One direction of a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The name of the flow.
    pub flow: String,
    /// The name of the host that sends.
    pub sender: String,
    /// The other direction of the flow is explained too.
    pub both: bool,
    /// The scheduler of the sender.
    pub scheduler: String,
    /// Bytes that were read.
    pub bytes: u64,
    /// How long the sender had something to do.
    pub time: Span,
    /// What was read over that time, in bits per second.
    pub goodput_bps: f64,
    /// What all paths together carry as payload; `None` without a limit.
    pub possible_bps: Option<f64>,
    /// What the fluid model gives, if there is one.
    pub theory_bps: Option<f64>,
    /// The largest receive buffer.
    pub receive_buffer: Bytes,
    /// Its paths.
    pub paths: Vec<PathTimes>,
}

/// Runs a plan and explains each of its flows: the direction in which more data went, and the other one too
/// if much went there.
///
/// # Errors
/// If it cannot be built.
pub fn explain(plan: &Plan) -> Result<(Vec<Explanation>, Outcome), RunError> {
    explain_with(plan, &mut AsPlanned, &mut |_| ControlFlow::Continue(()))
}

/// Like [`explain`], with policies of one's own; what there is once `watch` says stop.
///
/// # Errors
/// If it cannot be built.
pub fn explain_with(
    plan: &Plan,
    policies: &mut dyn Policies,
    watch: &mut Watch<'_>,
) -> Result<(Vec<Explanation>, Outcome), RunError> {
    let mut session = Session::new(Arc::new(plan.clone()), policies)?;
    let plan = session.shared_plan();
    let mut watcher = Watcher::new(&plan);
    let tick = TICK.max(plan.duration / MAX_LOOKS);
    while !session.is_over() && session.now() < Time::ZERO + plan.duration {
        let before = session.now();
        let stopped = session.run_until(before + tick, None, watch)?.is_break();
        let simulation = session.simulation();
        watcher.look(before, session.now(), simulation.net(), simulation.hosts());
        if stopped || session.now() == before {
            break;
        }
    }
    let mut explanations = watcher.finish();
    let outcome = session.finish();
    if let Ok(theory) = theory::theory(&plan, &outcome.tables) {
        for it in &mut explanations {
            let own = theory.subflows.iter();
            let own = own.filter(|known| (&known.flow, &known.sender) == (&it.flow, &it.sender));
            it.theory_bps = Some(own.map(|expected| expected.expected_bps).sum());
        }
    }
    Ok((explanations, outcome))
}

/// Looks at all flows, in both directions.
struct Watcher {
    plan: Arc<Plan>,
    flows: Flows,
    /// Of each flow, what each of its ends does as a sender: the one that opens it first.
    accounts: Vec<[Account; 2]>,
}

/// What was seen of one direction of a connection.
#[derive(Clone, Default)]
struct Account {
    paths: Vec<(PathId, PathTimes)>,
    time: Span,
    sent: u64,
    read: u64,
    receive_buffer: u32,
}

impl Watcher {
    fn new(plan: &Arc<Plan>) -> Self {
        let account = |flow: &FlowPlan, upwards: bool| {
            let paths = paths_of(plan, flow).into_iter().map(|(id, forwards)| {
                let rate = slowest(plan, id, forwards == upwards);
                let path = plan.paths.get(id.0).map_or(String::new(), |path| path.name.clone());
                let capacity_bps = rate.map(|bps| bps * PAYLOAD);
                (id, PathTimes { path, capacity_bps, ..PathTimes::default() })
            });
            Account { paths: paths.collect(), ..Account::default() }
        };
        let accounts = plan.flows.iter().map(|flow| [account(flow, true), account(flow, false)]);
        let (accounts, flows) = (accounts.collect(), Flows::new(plan));
        Self { plan: Arc::clone(plan), flows, accounts }
    }

    /// What happened from `before` until `now` is what is seen now.
    fn look(&mut self, before: Time, now: Time, net: &Net<Packet>, world: &World) {
        self.flows.meet(world);
        for (number, flow) in self.plan.flows.iter().enumerate() {
            let ends = self.flows.ends(number, world);
            let Some(accounts) = self.accounts.get_mut(number) else { continue };
            for (side, account) in accounts.iter_mut().enumerate() {
                if now > flow.start {
                    let passed = now - before.max(flow.start);
                    account.look(passed, [ends[side], ends[1 - side]], net);
                }
            }
        }
    }

    fn finish(self) -> Vec<Explanation> {
        let flows = self.plan.flows.iter().zip(self.accounts);
        let explanations = flows.flat_map(|(flow, [opener, acceptor])| {
            let mut sides = [(0, opener), (1, acceptor)];
            // Of equals the one that accepts is first: most flows are downloads.
            sides.sort_by_key(|(side, account)| Reverse((account.sent, *side)));
            let [more, less] = sides.each_ref().map(|(_, account)| account.sent as f64);
            let both = less > 0.0 && less >= WORTH_EXPLAINING * more;
            let explained = sides.into_iter().take(if both { 2 } else { 1 });
            explained.map(move |(side, account)| (flow, side, account, both)).collect::<Vec<_>>()
        });
        explanations
            .map(|(flow, side, account, both)| account.explained(&self.plan, flow, side, both))
            .collect()
    }
}

impl Account {
    fn explained(self, plan: &Plan, flow: &FlowPlan, side: usize, both: bool) -> Explanation {
        let end = flow.ends()[side];
        let seconds = self.time.as_secs_f64();
        let bits = 8.0 * self.read as f64;
        Explanation {
            flow: flow.name.clone(),
            sender: plan.hosts.get(end.host.0).map_or(String::new(), |host| host.name.clone()),
            both,
            scheduler: end.scheduler.name.name().to_owned(),
            bytes: self.read,
            time: self.time,
            goodput_bps: if seconds > 0.0 { bits / seconds } else { 0.0 },
            possible_bps: possible(plan, &self.paths, flow, side == 0),
            theory_bps: None,
            receive_buffer: Bytes::new(u64::from(self.receive_buffer)),
            paths: self.paths.into_iter().map(|(_, path)| path).collect(),
        }
    }

    fn look(&mut self, passed: Span, [sender, receiver]: [Option<&Actor>; 2], net: &Net<Packet>) {
        let Some(sender) = sender else { return };
        let (una, _, written) = sender.connection().send_offsets();
        if sender.app().is_done() && una == written && self.sent > 0 {
            return;
        }
        self.sent = written;
        self.time += passed;
        if let Some(receiver) = receiver {
            self.read = receiver.app().ledger().bytes();
            self.receive_buffer = self.receive_buffer.max(receiver.connection().receive_memory().1);
        }
        let looks = (0..self.paths.len())
            .map(|place| {
                let subflow = self.subflow(place, sender);
                let holdup = subflow.map_or(Holdup::NoSubflow, |(index, route)| {
                    holdup(sender, receiver, index, route, net)
                });
                (holdup, subflow)
            })
            .collect::<Vec<_>>();
        let culprit = if looks.iter().any(|(holdup, _)| *holdup == Holdup::HeadOfLine) {
            let oldest = sender.connection().oldest_data_on();
            looks.iter().position(|(_, subflow)| subflow.map(|(index, _)| index) == oldest)
        } else {
            None
        };
        for ((_, path), (holdup, subflow)) in self.paths.iter_mut().zip(looks) {
            *path.spent.entry(holdup).or_default() += passed;
            if let (Holdup::HeadOfLine, Some(culprit)) = (holdup, culprit) {
                *path.waited_for.entry(culprit).or_default() += passed;
            }
            let Some((index, _)) = subflow else { continue };
            if let Some(window) = sender.connection().window(index).filter(|it| it.srtt_us > 0) {
                path.sums.0 += f64::from(window.srtt_us) / 8e6;
                path.sums.1 += f64::from(window.cwnd);
                path.sums.2 += 1;
            }
        }
        self.count(sender);
    }

    /// The subflow that uses a path now, and the route of its packets.
    fn subflow(&self, place: usize, sender: &Actor) -> Option<(usize, RouteId)> {
        let (path, _) = self.paths.get(place)?;
        let connection = sender.connection();
        let alive = |index: &usize| {
            connection.subflow_statistics(*index).is_some_and(|statistics| {
                statistics.established_at().is_some() && statistics.closed_at().is_none()
            })
        };
        let mut subflows = (0..connection.subflow_count()).rev().filter(alive);
        subflows.find_map(|index| {
            let route = sender.route(index)?;
            (route.pair() == path.0).then_some((index, route))
        })
    }

    /// Totals of all subflows of each path.
    fn count(&mut self, sender: &Actor) {
        for (id, path) in &mut self.paths {
            (path.bytes, path.losses) = (0, 0);
            for index in 0..sender.connection().subflow_count() {
                let uses = sender.route(index).is_some_and(|route| route.pair() == id.0);
                if let Some(subflow) = sender.connection().subflow(index).filter(|_| uses) {
                    path.bytes += subflow.totals().bytes_acked;
                    path.losses += u64::from(subflow.totals().lost);
                }
            }
        }
    }
}

/// What keeps the next packet of a subflow from leaving.
fn holdup(
    sender: &Actor,
    receiver: Option<&Actor>,
    index: usize,
    route: RouteId,
    net: &Net<Packet>,
) -> Holdup {
    let connection = sender.connection();
    let Some(window) = connection.window(index) else { return Holdup::NoSubflow };
    let links = || net.links_of(route).filter_map(|id| net.link(id));
    let (una, nxt, written) = connection.send_offsets();
    if links().any(|link| !link.is_up()) || connection.is_stale(index) {
        Holdup::PathDown
    } else if links().any(|link| link.backlog().packets > 0) {
        Holdup::LinkBusy
    } else if window.ca_state == CaState::Loss || window.retransmits > 0 {
        Holdup::Timeout
    } else if window.ca_state == CaState::Recovery {
        Holdup::Recovery
    } else if window.in_flight() >= window.cwnd {
        Holdup::CongestionWindow
    } else if nxt >= written {
        match (una < written, sender.app().is_done()) {
            (true, true) => Holdup::LastData,
            (true, false) if connection.writable() == 0 => Holdup::SendBuffer,
            _ => Holdup::Application,
        }
    } else if connection.send_window() < u64::from(window.mss) {
        match receiver.is_some_and(|end| end.connection().out_of_order_bytes() > 0) {
            true => Holdup::HeadOfLine,
            false => Holdup::ReceiveWindow,
        }
    } else if connection.is_backup(index) {
        Holdup::Backup
    } else {
        Holdup::Scheduler
    }
}

/// The paths between the hosts of a flow, and whether they lead forwards from the end that opens it.
pub(crate) fn paths_of(plan: &Plan, flow: &FlowPlan) -> Vec<(PathId, bool)> {
    let hosts = [flow.from.host, flow.to.host];
    let found = plan.paths.iter().enumerate().filter_map(|(number, path)| {
        let ends = path.ends.map(|end| end.host);
        let forwards = ends == hosts;
        (forwards || ends == [hosts[1], hosts[0]]).then_some((PathId(number), forwards))
    });
    found.collect()
}

/// The directions of links that a path passes: the link, and whether it is passed upwards.
pub(crate) fn directions(plan: &Plan, path: PathId, forwards: bool) -> Vec<(LinkId, bool)> {
    let stations = plan.paths.get(path.0).map_or(&[][..], |path| &path.via);
    let passed = stations.iter().filter_map(|station| match station {
        Station::Link(link) => Some((*link, forwards)),
        Station::Reversed(link) => Some((*link, !forwards)),
        Station::Middlebox(_) => None,
    });
    passed.collect()
}

/// The mean rate of one direction of a link in bits per second.
fn rate(plan: &Plan, link: LinkId, upwards: bool) -> Option<f64> {
    let link = plan.links.get(link.0)?;
    let direction = if upwards { &link.up } else { &link.down };
    direction.config.capacity.mean_rate().map(|rate| rate.as_bps() as f64)
}

/// What the slowest link of a path carries, in bits per second.
pub(crate) fn slowest(plan: &Plan, path: PathId, forwards: bool) -> Option<f64> {
    let links = directions(plan, path, forwards);
    links.into_iter().filter_map(|(link, up)| rate(plan, link, up)).reduce(f64::min)
}

/// What all paths carry together, each link once: what is left for one after those before it.
fn possible(
    plan: &Plan,
    paths: &[(PathId, PathTimes)],
    flow: &FlowPlan,
    upwards: bool,
) -> Option<f64> {
    let mut left = BTreeMap::new();
    let mut total = 0.0;
    for (id, forwards) in paths_of(plan, flow) {
        paths.iter().find(|(path, _)| *path == id)?.1.capacity_bps?;
        let links = directions(plan, id, forwards == upwards);
        let mut share = f64::INFINITY;
        for &(link, up) in &links {
            let rate = rate(plan, link, up).unwrap_or(f64::INFINITY);
            share = share.min(*left.entry((link, up)).or_insert(rate));
        }
        for key in links {
            left.entry(key).and_modify(|rate| *rate -= share);
        }
        total += share;
    }
    (total > 0.0).then_some(total * PAYLOAD)
}
