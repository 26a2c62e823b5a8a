//! Workloads that say how fast the simulator is.
//!
//! Nothing is traced or written while they run, so the instructions that the
//! whole process takes can be divided by its packet-hops. A packet-hop is one
//! packet that finishes transmission at one queue.

mod machine;
mod workloads;

use std::thread;

use mptcpsim_core::sim::Simulation;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::host::World;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::build::{BuildError, build, link_name};
use crate::check::{Faults, Notation, Override, Source, check};
use crate::plan::Plan;
pub use workloads::Workload;
use workloads::{Capacity, Work};

/// What a workload took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The name of the workload.
    pub workload: String,
    /// Packets that finished transmission at a queue.
    pub packet_hops: u64,
    /// CPU time of the process while the simulation ran, building excluded.
    pub cpu_s: f64,
    /// Their quotient.
    pub packet_hops_per_cpu_s: f64,
    /// How busy the bottlenecks were, 0 to 1: a fast run that carries nothing does not count.
    pub utilisation: Option<f64>,
    /// The largest memory of the process, where the system tells.
    pub peak_bytes: Option<u64>,
    /// What it grew by while the simulation was built and ran, per connection: hosts, links,
    /// packets and all.
    pub bytes_per_flow: Option<u64>,
}

/// Why a workload cannot run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BenchError {
    /// Its scenario or the duration is faulty.
    #[error(transparent)]
    Scenario(#[from] Faults),
    /// Its simulation cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The engine alone cannot be built.
    #[error(transparent)]
    Engine(#[from] mptcpsim_core::engine_bench::BenchError),
}

/// Runs a workload for its own duration, or for another one in virtual time.
///
/// Memory is that of the process: measure one workload per process to have it right.
///
/// # Errors
/// If it cannot be built.
pub fn measure(workload: Workload, duration: Option<&str>) -> Result<Vec<Measured>, BenchError> {
    match workload.work() {
        Work::Scenario { text, capacity } => {
            Ok(vec![scenario(&workload.name(), &text, &capacity, duration)?])
        }
        Work::Engine(networks) => {
            let time = engine_duration(duration)?;
            networks
                .iter()
                .map(|(name, network)| {
                    let mut simulation = network.start()?;
                    let cpu = machine::CpuTimer::start();
                    let before = simulation.packet_hops();
                    simulation.run_until(simulation.now() + time);
                    let hops = simulation.packet_hops() - before;
                    Ok(measured(name, hops, cpu.seconds()))
                })
                .collect()
        }
    }
}

fn scenario(
    name: &str,
    text: &str,
    capacity: &Capacity,
    duration: Option<&str>,
) -> Result<Measured, BenchError> {
    let value = |text| Override::option("--duration", "duration", text);
    let overrides = duration.map(value).into_iter().collect::<Vec<_>>();
    let plan = check_apart(&Source::new(name, text, Notation::Toml), &overrides)?;
    let before = machine::memory();
    let mut simulation = build(&plan, false)?;
    let cpu = machine::CpuTimer::start();
    simulation.run_until(Time::ZERO + plan.duration);
    let seconds = cpu.seconds();
    let grown = machine::memory().zip(before).map(|(now, before)| now.saturating_sub(before));
    let result = measured(name, simulation.packet_hops(), seconds);
    Ok(Measured {
        utilisation: Some(utilisation(&plan, &simulation, capacity)),
        bytes_per_flow: grown.map(|bytes| bytes / plan.flows.len().max(1) as u64),
        ..result
    })
}

/// Which part of what could be carried was carried, 0 to 1.
fn utilisation(plan: &Plan, simulation: &Simulation<World>, capacity: &Capacity) -> f64 {
    let seconds = plan.duration.as_secs_f64();
    let busy = |link: &&str| {
        let net = simulation.net();
        let link = net.link_named(&link_name(link, true)).and_then(|id| net.link(id));
        link.map_or(0.0, |link| link.busy(simulation.now()).as_secs_f64())
    };
    match capacity {
        Capacity::Links(links) => {
            links.iter().map(busy).sum::<f64>() / (links.len() as f64 * seconds)
        }
        Capacity::Connections(rate) => {
            let read = simulation.hosts().actors().iter().map(|end| end.app().ledger().bytes());
            let possible = rate.as_bps() as f64 * seconds * plan.flows.len() as f64;
            8.0 * read.sum::<u64>() as f64 / possible
        }
    }
}

/// Checks in a thread of its own: there the allocator keeps what the check has freed, and the
/// simulation takes memory that can be measured.
fn check_apart(source: &Source, overrides: &[Override]) -> Result<Plan, Faults> {
    thread::scope(|scope| scope.spawn(|| check(source, overrides)).join())
        .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked))
}

fn measured(name: &str, packet_hops: u64, cpu_s: f64) -> Measured {
    Measured {
        workload: name.to_owned(),
        packet_hops,
        cpu_s,
        packet_hops_per_cpu_s: packet_hops as f64 / cpu_s.max(1e-9),
        utilisation: None,
        peak_bytes: machine::peak_memory(),
        bytes_per_flow: None,
    }
}

/// The engine alone runs for one second of virtual time unless told otherwise.
fn engine_duration(duration: Option<&str>) -> Result<Span, Faults> {
    let Some(text) = duration else { return Ok(Span::from_secs(1)) };
    // The check knows how to say what is wrong with a duration.
    let source = Workload::W1.source();
    Ok(check(&source, &[Override::option("--duration", "duration", text)])?.duration)
}
