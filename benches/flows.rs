//! Whole flows, transport and all, per packet-hop.
//!
//! `cargo bench -p mptcpsim-benches --bench flows`

#![allow(missing_docs, reason = "criterion makes a public function")]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mptcpsim_benches::Flows;
use mptcpsim_core::time::Span;

/// Runs `flows` in slices of `ms`, once they are past their start.
fn hops(criterion: &mut Criterion, name: &str, flows: &Flows, ms: u64) {
    let slice = Span::from_ms(ms);
    let Ok(mut simulation) = flows.start() else { return };
    simulation.run_until(simulation.now() + slice * 20);
    let before = simulation.packet_hops();
    simulation.run_until(simulation.now() + slice * 10);
    let hops = (simulation.packet_hops() - before) / 10;
    let mut group = criterion.benchmark_group("flows");
    group.throughput(Throughput::Elements(hops)).measurement_time(Duration::from_secs(5));
    group.bench_function(name, |bencher| {
        bencher.iter(|| simulation.run_until(simulation.now() + slice));
    });
}

fn flows(criterion: &mut Criterion) {
    hops(criterion, "one TCP flow", &Flows::w1(), 100);
    hops(criterion, "one MPTCP connection", &Flows::w2(), 500);
    hops(criterion, "1000 TCP flows", &Flows::w4(1_000), 10);
}

criterion_group!(benches, flows);
criterion_main!(benches);
