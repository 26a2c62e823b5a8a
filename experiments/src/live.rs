//! A scenario in real time, with real kernels at one end or at both.
//!
//! The network is the scenario's, as in a simulation: its links, queues, impairments, middleboxes
//! and timeline. A wall clock drives it. A host that is a real kernel has a network namespace of
//! its own with a TUN device for each interface; in the simulation it is a door, and packets go
//! to and fro between the two. Nothing is ever sent outside the namespaces.
//!
//! ```text
//! sockets ─ kernel ─ TUN ─► parse ─► door ─► links and boxes ─► Connection ─► App
//!           (namespace)  ◄─ emit  ◄─ door ◄─ in real time     ◄─ or another door
//! ```
//!
//! Bytes of a stream are a function of their position, so both ends check all that they receive.

mod clock;
mod driver;
mod kernel_host;
mod lateness;
mod namespace;
mod peer;
mod report;
mod settings;
mod subflows;
mod tasks;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use mptcpsim_core::time::Time;
use mptcpsim_models::wire::WireError;
use serde::Serialize;
use thiserror::Error;

use crate::build::BuildError;
use crate::capture::{CaptureError, Captures};
use crate::launcher::Launcher;
use crate::plan::Plan;
use crate::run::Outcome;
use crate::session::Session;

pub use self::lateness::Lateness;
pub use self::peer::{MptcpInfo, Report, run as run_peer};

/// What a host is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// Simulated.
    #[default]
    Sim,
    /// A real kernel.
    Kernel,
}

/// What the hosts of a live run are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// Hosts that open connections.
    pub client: Side,
    /// Hosts that accept connections.
    pub server: Side,
}

/// Why there is no live run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The system does not allow or does not have what it takes.
    #[error("{0}")]
    Missing(String),
    /// The scenario has something that a real kernel does not do.
    #[error("{0}")]
    Unfit(String),
    /// The process on a real kernel does not answer.
    #[error("the process with the sockets of a real kernel has ended or does not answer")]
    Peer,
    /// A thread or a device is gone.
    #[error("a namespace has ended")]
    Gone,
    /// A system call failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A segment has no form on the wire.
    #[error("a segment has no form on the wire: {0}")]
    Wire(#[from] WireError),
    /// The simulated part cannot be built.
    #[error("cannot build the simulation: {0}")]
    Build(#[from] BuildError),
    /// A capture cannot be written.
    #[error(transparent)]
    Capture(#[from] CaptureError),
}

/// What was seen of a host that is a real kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct KernelReport {
    /// The name of the host.
    pub host: String,
    /// What became of its connections, in the order of the flows.
    pub flows: Vec<Report>,
    /// What `nstat -az` printed in the end.
    pub counters: String,
    /// What `ss -tiM` printed in the end.
    pub sockets: String,
    /// Sysctls that could not be set as the scenario has them.
    pub problems: Vec<String>,
}

impl KernelReport {
    /// The value of a counter such as `MPTcpExtMPTCPRetrans`; 0 if the kernel does not have it.
    pub fn counter(&self, name: &str) -> u64 {
        let mut lines = self.counters.lines().map(str::split_whitespace);
        let value = lines.find_map(|mut line| (line.next() == Some(name)).then(|| line.next())?);
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    }
}

/// What a live run found out.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveOutcome {
    /// As of a simulation, with what the kernels' processes reported in it.
    pub outcome: Outcome,
    /// The hosts that are real kernels.
    pub kernels: Vec<KernelReport>,
    /// How late packets came.
    pub lateness: Lateness,
    /// How long it took, preparations apart.
    pub took: Duration,
}

/// Writes what was seen of real kernels into the folder `kernel` within `folder`.
///
/// # Errors
/// If it cannot be written.
pub fn write_kernels(folder: &Path, kernels: &[KernelReport]) -> std::io::Result<()> {
    report::write(folder, kernels)
}

/// Which hosts of a plan are real kernels.
///
/// # Errors
/// If a host both opens and accepts connections, or a real kernel cannot do what the plan says.
pub fn kernel_hosts(plan: &Plan, sides: Sides) -> Result<BTreeSet<usize>, LiveError> {
    let clients: BTreeSet<usize> = plan.flows.iter().map(|flow| flow.from.host.0).collect();
    let servers: BTreeSet<usize> = plan.flows.iter().map(|flow| flow.to.host.0).collect();
    if let Some(both) = clients.intersection(&servers).next()
        && sides.client != sides.server
    {
        let name = plan.hosts.get(*both).map_or("", |host| &host.name);
        return Err(LiveError::Unfit(format!(
            "host `{name}` opens and accepts connections: is it the client or the server?"
        )));
    }
    let sides = [(sides.client, clients), (sides.server, servers)];
    let kernels = sides.into_iter().filter(|(side, _)| *side == Side::Kernel);
    let kernels: BTreeSet<usize> = kernels.flat_map(|(_, hosts)| hosts).collect();
    kernels.iter().try_for_each(|host| settings::check(plan, *host))?;
    if let (false, Some(flow)) = (kernels.is_empty(), tasks::unfit(plan)) {
        let name = &flow.name;
        return Err(LiveError::Unfit(format!(
            "no process on a real kernel plays flow `{name}`: \
             bulk, timed and request with fixed sizes and without `fast_open` and `md5_key` can be played"
        )));
    }
    Ok(kernels)
}

/// Runs a session in real time, from its beginning. `launcher` starts the command `live-peer` on real kernels;
/// `watch` is asked now and then whether to go on.
///
/// # Errors
/// If the plan cannot be run like that, or the system does not let it.
pub fn run(
    session: Session,
    sides: Sides,
    launcher: &Launcher,
    captures: Option<&mut Captures>,
    watch: &mut dyn FnMut(Time) -> ControlFlow<()>,
) -> Result<LiveOutcome, LiveError> {
    let hosts = kernel_hosts(session.plan(), sides)?;
    let mut driver = driver::Driver::new(session, &hosts, launcher)?;
    driver.run(captures, watch)?;
    driver.finish()
}
