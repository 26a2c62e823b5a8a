//! The engine alone: packets that circulate through links, per packet-hop.
//!
//! `cargo bench -p mptcpsim-benches --bench engine`

#![allow(missing_docs, reason = "criterion makes a public function")]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mptcpsim_core::engine_bench::ClosedNetwork;
use mptcpsim_core::time::Span;

/// Runs `network` in slices of about twenty packets a link and more than ten thousand in all.
fn hops(criterion: &mut Criterion, name: &str, parameter: u32, network: ClosedNetwork) {
    let packets = 20.max(10_000 / u64::from(network.links).max(1));
    let slice = Span::from_us(120) * packets;
    let Ok(mut simulation) = network.start() else { return };
    simulation.run_until(simulation.now() + slice * 20);
    let before = simulation.packet_hops();
    simulation.run_until(simulation.now() + slice);
    let hops = simulation.packet_hops() - before;
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(hops)).measurement_time(Duration::from_secs(5));
    group.bench_function(BenchmarkId::from_parameter(parameter), |bencher| {
        bencher.iter(|| simulation.run_until(simulation.now() + slice));
    });
}

fn engine(criterion: &mut Criterion) {
    for flows in [4, 16, 64] {
        hops(criterion, "flows", flows, ClosedNetwork::disjoint(flows));
    }
    for k in [8, 16] {
        hops(criterion, "fat-tree", k, ClosedNetwork::fat_tree(k));
    }
}

criterion_group!(benches, engine);
criterion_main!(benches);
