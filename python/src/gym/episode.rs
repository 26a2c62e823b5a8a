//! One simulation, from its beginning to its end, with questions on the way.

use std::ops::ControlFlow;
use std::sync::Arc;

use mptcpsim::plan::{FlowPlan, Plan, Work};
use mptcpsim::scenario::AppDirection;
use mptcpsim::session::Session;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::congestion::Congestion;
use mptcpsim_models::mptcp::{Connection, SocketOptions};
use mptcpsim_models::scheduler::AnyScheduler;

use super::Kind;
use super::desk::{Desk, End, Facts};
use super::look::{self, Counted, Observation};
use super::scheduling::{Decider, Sharer, Shares};
use super::windows::{Holder, Windows};

/// The end of a connection for which the agent decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    flow: usize,
    client: bool,
}

/// The sending end of a flow of the scenario.
pub(super) fn place(plan: &Plan, declared: usize) -> Result<Place, String> {
    let mut connections =
        plan.flows.iter().enumerate().filter(|(_, flow)| flow.declared == declared);
    let Some((flow, found)) = connections.next() else {
        return Err(format!("flow: there is no flow {declared}"));
    };
    if connections.next().is_some() {
        return Err(format!(
            "flow: flow {declared} has several connections, an agent decides for one"
        ));
    }
    let client = matches!(
        found.work,
        Work::Bulk { direction: AppDirection::Upload, .. }
            | Work::Timed { direction: AppDirection::Upload, .. }
    );
    Ok(Place { flow, client })
}

/// What the agent sets, in whatever way.
enum Agent {
    Decides,
    Shares(Shares),
    Holds(Windows),
}

/// Simulates the episode, asks at `desk`, and says there how it ended.
pub(super) fn play(plan: &Arc<Plan>, place: Place, kind: Kind, subflows: usize, desk: &Desk) {
    let agent = match kind {
        Kind::Scheduling => Agent::Decides,
        Kind::Sharing(_) => Agent::Shares(Shares::default()),
        Kind::Congestion(_) => Agent::Holds(Windows::default()),
    };
    let Some(name) = plan.flows.get(place.flow).map(|flow| flow.name.as_str()) else { return };
    let mut ends = 0;
    let session =
        Session::new(Arc::clone(plan), &mut |flow: &FlowPlan, socket: &mut SocketOptions| {
            if flow.name == name {
                // The end that opens the connection is asked first.
                ends += 1;
                if (ends == 1) == place.client {
                    agent.install(socket, desk, subflows);
                }
            }
        });
    let mut session = match session {
        Ok(session) => session,
        Err(error) => return desk.end(Facts::default(), End::Failed(error.to_string())),
    };
    let went = match kind {
        Kind::Scheduling => go_on(&mut session, Time::NEVER, desk),
        Kind::Sharing(interval) | Kind::Congestion(interval) => {
            in_intervals(&mut session, place, interval, desk, &agent)
        }
    };
    if went == Ok(ControlFlow::Break(())) {
        return;
    }
    let facts = facts(&session, place);
    let world = session.simulation().hosts();
    let finished = world.finished_flows() >= world.flow_count();
    let end = went.map_or_else(End::Failed, |_| End::Over {
        finished,
        digest: session.finish().digest.to_string(),
    });
    desk.end(facts, end);
}

impl Agent {
    fn install(&self, socket: &mut SocketOptions, desk: &Desk, subflows: usize) {
        match self {
            Self::Decides => {
                let decider = Decider::new(desk.clone(), subflows);
                socket.scheduler = Some(AnyScheduler::custom(decider));
            }
            Self::Shares(shares) => {
                socket.scheduler = Some(AnyScheduler::custom(Sharer::new(shares.clone())));
            }
            Self::Holds(windows) => {
                let holder = Holder::new(windows.clone());
                socket.congestion_control = Some(Congestion::custom(holder));
            }
        }
    }
}

/// Breaks off once the agent has left.
fn go_on(session: &mut Session, until: Time, desk: &Desk) -> Result<ControlFlow<()>, String> {
    let mut watch = |_| match desk.has_left() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    session.run_until(until, None, &mut watch).map_err(|error| error.to_string())
}

fn in_intervals(
    session: &mut Session,
    place: Place,
    interval: Span,
    desk: &Desk,
    agent: &Agent,
) -> Result<ControlFlow<()>, String> {
    let mut counted = Counted::default();
    loop {
        let seen = match connection(session, place) {
            Some(it) => look::interval(it, interval.as_secs_f64(), &mut counted),
            None => Observation::default(),
        };
        let Some(answer) = desk.ask(seen, facts(session, place)) else {
            return Ok(ControlFlow::Break(()));
        };
        match agent {
            Agent::Decides => {}
            Agent::Shares(shares) => shares.set(answer),
            Agent::Holds(windows) => windows.multiply(answer),
        }
        let until = session.now() + interval;
        if go_on(session, until, desk)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if session.is_over() {
            return Ok(ControlFlow::Continue(()));
        }
    }
}

fn connection(session: &Session, place: Place) -> Option<&Connection> {
    let mut actors = session.simulation().hosts().actors().iter();
    let found = actors
        .find(|actor| actor.flow() == place.flow && actor.connection().is_client() == place.client);
    found.map(|actor| actor.connection())
}

fn facts(session: &Session, place: Place) -> Facts {
    let facts = connection(session, place).map(look::facts).unwrap_or_default();
    Facts { now: session.now(), ..facts }
}
