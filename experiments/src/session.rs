//! A run in steps: go on for a while, look, change something, go on.
//!
//! Where the steps end has no influence: however often a session is stopped,
//! its outcome is that of the [`run`](crate::run::run) of its plan.

use std::ops::ControlFlow;
use std::sync::Arc;

use mptcpsim_core::sim::{Reached, Simulation, SimulationError};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::host::{Tap, World};

use crate::build::{self, BuildError, Policies};
use crate::capture::{self, CaptureError, Captures};
use crate::check::{Faults, Notation, Source, check};
use crate::observe::Observer;
use crate::plan::Plan;
use crate::results::{Listings, Recorder};
use crate::run::Outcome;
use crate::scenario::{Scenario, Table, TimelineEntry};

/// Events between two questions whether to go on: some milliseconds of real time.
const AT_ONCE: u64 = 4_096;

/// Asked now and then, with the virtual time, whether to go on.
pub type Watch<'a> = dyn FnMut(Time) -> ControlFlow<()> + 'a;

/// A run that has come so far.
pub struct Session {
    plan: Arc<Plan>,
    simulation: Simulation<World>,
    recorder: Recorder,
    observer: Observer,
    listings: Listings,
    /// How many of the listings at given times are done.
    listed: usize,
    sampled: Time,
    next_sample: Time,
    over: bool,
}

/// Why a session cannot be changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The scenario with the change in its timeline has faults.
    #[error(transparent)]
    Faults(#[from] Faults),
    /// An interface goes up or down that the scenario's own timeline does not switch.
    #[error(
        "only interfaces that the scenario's timeline switches can go up and down; links always can"
    )]
    Interface,
    /// The network refuses it.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
}

impl Session {
    /// The run of a plan before anything has happened, with policies of one's own
    /// ([`build_with`](crate::build::build_with)).
    ///
    /// # Errors
    /// If the plan cannot be built.
    pub fn new(plan: Arc<Plan>, policies: &mut dyn Policies) -> Result<Self, BuildError> {
        // Events enter the digest, whether they are written down or not.
        let mut simulation = build::build_with(&plan, true, policies)?;
        simulation.hosts_mut().set_tap(tap(&plan, false));
        Ok(Self {
            recorder: Recorder::new(&plan.record.tables),
            observer: Observer::new(&plan, simulation.net()),
            listings: Listings::default(),
            listed: 0,
            sampled: Time::ZERO,
            next_sample: Time::ZERO + plan.record.interval.min(plan.duration),
            over: false,
            plan,
            simulation,
        })
    }

    /// The plan, with all changes made so far in its timeline.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The same, to keep.
    pub fn shared_plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan)
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.simulation.now()
    }

    /// Whether the duration is over or all flows have finished.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Packets that have finished transmission at a queue so far.
    pub fn packet_hops(&self) -> u64 {
        self.simulation.packet_hops()
    }

    /// The simulation, to look at.
    pub fn simulation(&self) -> &Simulation<World> {
        &self.simulation
    }

    /// The sockets of all hosts now, as `ss -tiM` prints them.
    pub fn sockets(&self) -> String {
        let mut listings = Listings::default();
        listings.sockets(self.now(), self.simulation.hosts());
        listings.sockets
    }

    /// The counters of all hosts now, as `nstat -az` prints them.
    pub fn counters(&self) -> String {
        let mut listings = Listings::default();
        listings.counters(self.simulation.hosts());
        listings.counters
    }

    /// Goes on until `until` at the latest, or until `watch` says stop; the packets seen on the way go
    /// into `captures`, which must be given always or never.
    ///
    /// # Errors
    /// If a capture cannot be written.
    pub fn run_until(
        &mut self,
        until: Time,
        mut captures: Option<&mut Captures>,
        watch: &mut Watch<'_>,
    ) -> Result<ControlFlow<()>, CaptureError> {
        let end = Time::ZERO + self.plan.duration;
        let until = until.min(end);
        if self.now() == Time::ZERO && captures.is_some() {
            self.simulation.hosts_mut().set_tap(tap(&self.plan, true));
        }
        while !self.over && self.now() < until {
            let listing = self.plan.record.ss_at.get(self.listed).copied();
            let listing = listing.unwrap_or(Time::NEVER);
            let next = self.next_sample.min(listing).min(until);
            let reached = self.advance(next, captures.as_deref_mut(), watch)?;
            if reached == Reached::Events {
                return Ok(ControlFlow::Break(()));
            }
            self.over = reached == Reached::Stop;
            if next == listing {
                self.listed += 1;
                self.listings.sockets(self.now(), self.simulation.hosts());
            }
            if self.over || self.now() == self.next_sample {
                self.sample();
                self.next_sample = (self.now() + self.plan.record.interval).min(end);
                self.over |= self.now() >= end;
                if watch(self.now()).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Lets the simulation go on until `next`, or stop if all flows have finished; `Events` is what
    /// `watch` has ended.
    fn advance(
        &mut self,
        next: Time,
        mut captures: Option<&mut Captures>,
        watch: &mut Watch<'_>,
    ) -> Result<Reached, CaptureError> {
        let flows = self.simulation.hosts().flow_count();
        loop {
            let reached = self.simulation.run_some(next, AT_ONCE, |world| {
                world.finished_flows() < flows && !world.tap_is_full()
            });
            if let Some(captures) = captures.as_deref_mut() {
                captures.write(self.simulation.hosts_mut().tap())?;
            }
            let finished = self.simulation.hosts().finished_flows() >= flows;
            match reached {
                Reached::End => return Ok(Reached::End),
                _ if finished => return Ok(Reached::Stop),
                Reached::Events if watch(self.now()).is_break() => return Ok(Reached::Events),
                _ => {}
            }
        }
    }

    /// Lets happen what is due until `now` and samples on the way, whether or not flows have finished.
    #[cfg(target_os = "linux")]
    pub(crate) fn live_until(
        &mut self,
        now: Time,
        captures: Option<&mut Captures>,
    ) -> Result<(), CaptureError> {
        if self.now() == Time::ZERO && captures.is_some() {
            self.simulation.hosts_mut().set_tap(tap(&self.plan, true));
        }
        while self.next_sample <= now && self.next_sample > self.sampled {
            self.simulation.run_until(self.next_sample);
            self.sample();
            self.next_sample = self.now() + self.plan.record.interval;
        }
        self.simulation.run_until(now);
        captures.map_or(Ok(()), |captures| captures.write(self.simulation.hosts_mut().tap()))
    }

    /// The simulation, to take packets from it and to give it some.
    #[cfg(target_os = "linux")]
    pub(crate) const fn simulation_mut(&mut self) -> &mut Simulation<World> {
        &mut self.simulation
    }

    fn sample(&mut self) {
        self.sampled = self.now();
        self.observer.sample(&mut self.simulation, &mut self.recorder);
    }

    /// Changes the network or a host; `entry.at` is ignored. The change counts as one of the scenario's
    /// timeline, a picosecond from now: what is due now has happened, and a run of the changed scenario
    /// is the same run.
    ///
    /// # Errors
    /// If a timeline could not hold such an entry.
    pub fn change(&mut self, entry: TimelineEntry) -> Result<(), ChangeError> {
        // What a sweep varies may be keys of a topology, which is spelt out by now.
        let mut scenario = Scenario { sweep: None, ..self.plan.scenario.clone() };
        let at = self.now() + Span::from_ps(1);
        scenario.timeline.push(TimelineEntry { at: at - Time::ZERO, ..entry });
        let text = serde_json::to_string(&scenario).unwrap_or_default();
        let mut source = Source::new(&self.plan.name, &text, Notation::Json);
        source.folder.clone_from(&self.plan.folder);
        let plan = Arc::new(check(&source, &[])?);
        let due = plan.timeline.partition_point(|timed| timed.at <= at);
        let new = plan.timeline.len() - self.plan.timeline.len();
        for timed in plan.timeline.get(due - new..due).unwrap_or(&[]) {
            let changes = self
                .simulation
                .with_hosts(|world, out| build::changes(&plan, &timed.change, out.net(), world));
            if changes.is_empty() {
                return Err(ChangeError::Interface);
            }
            for change in changes {
                self.simulation.schedule(timed.at, change)?;
            }
        }
        self.observer.set_plan(&plan);
        self.plan = plan;
        Ok(())
    }

    /// Another session that has come just as far and goes on by itself.
    pub fn fork(&mut self) -> Self {
        Self {
            plan: Arc::clone(&self.plan),
            simulation: self.simulation.clone(),
            recorder: self.recorder.fork(),
            observer: self.observer.clone(),
            listings: self.listings.clone(),
            ..*self
        }
    }

    /// What the run has found out so far.
    pub fn finish(mut self) -> Outcome {
        if self.sampled < self.now() {
            self.sample();
        }
        let (record, world) = (&self.plan.record, self.simulation.hosts());
        if record.ss {
            self.listings.sockets(self.simulation.now(), world);
        }
        if record.nstat {
            self.listings.counters(world);
        }
        self.observer.sum_up(&self.simulation, &mut self.recorder);
        let (tables, digest) = self.recorder.finish();
        Outcome {
            tables,
            digest,
            end: self.simulation.now(),
            listings: self.listings,
            packet_hops: self.simulation.packet_hops(),
        }
    }
}

fn tap(plan: &Plan, capturing: bool) -> Tap {
    let tap = Tap::new(capturing).at_most(capture::WAITING);
    let tap = if plan.record.options { tap.with_options() } else { tap };
    if plan.record.tables.contains(&Table::Sequence) { tap.with_mappings() } else { tap }
}
