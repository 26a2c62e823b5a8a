//! The loop of a live run: what is due happens when it is due.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::wire::Parsed;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use thread_priority::{ThreadPriority, ThreadPriorityValue};

use super::clock::WallClock;
use super::kernel_host::KernelHost;
use super::lateness::Lateness;
use super::peer::Report;
use super::{KernelReport, LiveError, LiveOutcome, report, tasks};
use crate::capture::Captures;
use crate::launcher::Launcher;
use crate::session::Session;

/// The system wakes a sleeper up about so late: the rest is waited for awake.
const SPIN: Span = Span::from_us(60);
/// The longest sleep: processes and signals are looked at then.
const NAP: Span = Span::from_ms(10);
/// How long a run goes on when all is done, for the last acknowledgements.
const LINGER: Span = Span::from_ms(150);
/// Each sample is a process.
const SHORTEST_INTERVAL: Span = Span::from_ms(50);
/// A packet of a device.
const LARGEST: usize = 65_536;
/// Above everything that is not urgent.
const PRIORITY: u8 = 30;

/// A run with its real kernels.
pub(super) struct Driver {
    session: Session,
    hosts: Vec<KernelHost>,
    reports: Vec<(usize, Report)>,
    /// How many of the listings at given times are done.
    listed: usize,
    next_sample: Time,
    lateness: Vec<u32>,
    buffer: Vec<u8>,
}

impl Driver {
    /// Makes the real hosts and lets their servers listen.
    pub(super) fn new(
        mut session: Session,
        kernels: &BTreeSet<usize>,
        launcher: &Launcher,
    ) -> Result<Self, LiveError> {
        let plan = session.shared_plan();
        let mut hosts = Vec::new();
        for &number in kernels {
            session.simulation_mut().hosts_mut().open_door(number);
            hosts.push(KernelHost::new(&plan, number)?);
        }
        for host in &mut hosts {
            host.start(launcher, &tasks::task(&plan, host.number))?;
        }
        let (reports, lateness) = (Vec::new(), Vec::new());
        Ok(Self {
            session,
            hosts,
            reports,
            listed: 0,
            next_sample: Time::ZERO,
            lateness,
            buffer: vec![0; LARGEST],
        })
    }

    /// Runs until all flows are over, or the duration is.
    pub(super) fn run(
        &mut self,
        mut captures: Option<&mut Captures>,
        watch: &mut dyn FnMut(Time) -> ControlFlow<()>,
    ) -> Result<(), LiveError> {
        let _urgent = Urgent::new();
        let end = Time::ZERO + self.session.plan().duration;
        let clock = WallClock::start();
        for host in &mut self.hosts {
            host.go(clock)?;
        }
        let (mut over_at, mut looked) = (end, Time::ZERO);
        loop {
            let now = clock.now().min(over_at);
            self.advance(now, captures.as_deref_mut())?;
            self.deliver(&clock)?;
            let received = self.receive()?;
            self.deliver(&clock)?;
            if now >= over_at {
                return Ok(());
            }
            if now >= looked + NAP {
                looked = now;
                if watch(now).is_break() {
                    return Ok(());
                }
                self.hear();
                self.list_sockets(now)?;
                self.sample(now)?;
                if over_at == end && self.is_done() {
                    over_at = end.min(now + LINGER);
                }
            }
            if !received {
                let due = self.session.simulation_mut().next_due().min(over_at);
                self.wait(&clock, due.min(looked + NAP))?;
            }
        }
    }

    /// Lets everything happen that is due.
    fn advance(&mut self, now: Time, captures: Option<&mut Captures>) -> Result<(), LiveError> {
        self.session.live_until(now, captures)?;
        let plan = self.session.shared_plan();
        let changes: Vec<_> = self.session.simulation_mut().hosts_mut().drain_changes().collect();
        for change in changes {
            let host = self.hosts.iter().find(|host| host.number == change.host());
            host.map_or(Ok(()), |host| host.change(&plan, &change))?;
        }
        Ok(())
    }

    /// Hands what has come to the doors to the kernels.
    fn deliver(&mut self, clock: &WallClock) -> Result<(), LiveError> {
        for delivered in self.session.simulation_mut().hosts_mut().drain_delivered() {
            let late = clock.now().as_ns().saturating_sub(delivered.at.as_ns());
            self.lateness.push(u32::try_from(late).unwrap_or(u32::MAX));
            let host = self.hosts.iter_mut().find(|host| host.number == delivered.host);
            host.map_or(Ok(()), |host| host.deliver(&delivered))?;
        }
        Ok(())
    }

    /// Takes what the kernels have sent; true if there was something.
    fn receive(&mut self) -> Result<bool, LiveError> {
        let mut any = false;
        let now = self.session.now();
        for host in &mut self.hosts {
            while let Some(Parsed { tuple, segment, .. }) = host.receive(&mut self.buffer)? {
                any = true;
                let number = host.number;
                host.subflows.packet(now, true, tuple, &segment);
                self.session
                    .simulation_mut()
                    .with_hosts(|world, out| world.enter(number, tuple, segment, out));
            }
        }
        Ok(any)
    }

    fn hear(&mut self) {
        for host in &mut self.hosts {
            let number = host.number;
            self.reports.extend(host.reports().into_iter().map(|report| (number, report)));
        }
    }

    fn list_sockets(&mut self, now: Time) -> Result<(), LiveError> {
        let plan = self.session.shared_plan();
        while plan.record.ss_at.get(self.listed).is_some_and(|at| *at <= now) {
            self.listed += 1;
            self.hosts.iter().try_for_each(|host| host.list(now))?;
        }
        Ok(())
    }

    /// Asks the kernels how their subflows are, as often as simulated ones are.
    fn sample(&mut self, now: Time) -> Result<(), LiveError> {
        if now < self.next_sample {
            return Ok(());
        }
        self.next_sample = now + self.session.plan().record.interval.max(SHORTEST_INTERVAL);
        self.hosts.iter_mut().try_for_each(|host| host.sample(now))
    }

    fn is_done(&mut self) -> bool {
        let plan = self.session.plan();
        let real = |host: usize| self.hosts.iter().any(|known| known.number == host);
        let opened = plan.flows.iter().filter(|flow| !real(flow.from.host.0)).count();
        let accepted = plan.flows.iter().filter(|flow| !real(flow.to.host.0)).count();
        let actors = self.session.simulation().hosts().actors();
        let simulated = actors.len() >= opened + accepted;
        simulated
            && actors.iter().all(|actor| actor.app().is_done())
            && self.hosts.iter().all(KernelHost::is_done)
    }

    /// Sleeps until a kernel sends something, but not past `due`.
    fn wait(&self, clock: &WallClock, due: Time) -> Result<(), LiveError> {
        let mut fds: Vec<PollFd<'_>> = self
            .hosts
            .iter()
            .flat_map(KernelHost::fds)
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        loop {
            let ahead = due.as_ns().saturating_sub(clock.now().as_ns());
            if ahead == 0 {
                return Ok(());
            }
            let sleep = ahead.saturating_sub(SPIN.as_ns());
            let timeout = TimeSpec::from(std::time::Duration::from_nanos(sleep));
            match ppoll(&mut fds, Some(timeout), None) {
                Ok(0) | Err(nix::errno::Errno::EINTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(LiveError::Io(error.into())),
            }
        }
    }

    /// What the run found out.
    pub(super) fn finish(mut self) -> Result<LiveOutcome, LiveError> {
        let plan = self.session.shared_plan();
        let mut kernels = Vec::new();
        for host in &mut self.hosts {
            let (counters, sockets) = (host.counters()?, host.sockets()?);
            let own = self.reports.iter().filter(|(number, _)| *number == host.number);
            let mut flows: Vec<Report> = own.map(|(_, report)| report.clone()).collect();
            flows.extend(host.stop());
            flows.sort_by_key(|report| report.flow);
            kernels.push(KernelReport {
                host: plan.hosts[host.number].name.clone(),
                flows,
                counters,
                sockets,
                problems: host.problems.clone(),
            });
        }
        let rows: Vec<_> = self.hosts.iter().map(KernelHost::rows).collect();
        let took = std::time::Duration::from_nanos(self.session.now().as_ns());
        let mut outcome = self.session.finish();
        report::merge(&plan, &kernels, rows, &mut outcome);
        Ok(LiveOutcome { outcome, kernels, lateness: Lateness::of(self.lateness), took })
    }
}

/// While it lives the thread goes before others, where that is allowed.
struct Urgent(bool);

impl Urgent {
    fn new() -> Self {
        Self(schedule(ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo), PRIORITY))
    }
}

impl Drop for Urgent {
    fn drop(&mut self) {
        if self.0 {
            let normal = thread_priority::unix::NormalThreadSchedulePolicy::Other;
            schedule(ThreadSchedulePolicy::Normal(normal), 0);
        }
    }
}

fn schedule(policy: ThreadSchedulePolicy, priority: u8) -> bool {
    let Ok(value) = ThreadPriorityValue::try_from(priority) else { return false };
    let priority = ThreadPriority::Crossplatform(value);
    set_thread_priority_and_policy(thread_native_id(), priority, policy).is_ok()
}
