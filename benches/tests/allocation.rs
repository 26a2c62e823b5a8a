//! What the simulator takes from the heap: nothing per packet, little per subflow.

#![allow(clippy::unwrap_used, reason = "the networks are possible")]

use allocation_counter::measure;
use mptcpsim_benches::Flows;
use mptcpsim_core::time::Span;

/// Packet-hops per allocation while `flows` run for `measured`, once `warm_up` has passed.
///
/// Queues may still double their room now and then.
fn hops_per_allocation(flows: &Flows, warm_up: Span, measured: Span) -> u64 {
    let mut simulation = flows.start().unwrap();
    simulation.run_until(simulation.now() + warm_up);
    let before = simulation.packet_hops();
    let info = measure(|| simulation.run_until(simulation.now() + measured));
    (simulation.packet_hops() - before) / (info.count_total + 1)
}

#[test]
fn a_tcp_flow_allocates_nothing() {
    let hops = hops_per_allocation(&Flows::w1(), Span::from_secs(4), Span::from_secs(2));
    assert!(hops > 100_000, "an allocation per {hops} packet-hops");
}

#[test]
fn an_mptcp_connection_allocates_nothing() {
    let hops = hops_per_allocation(&Flows::w2(), Span::from_secs(20), Span::from_secs(10));
    assert!(hops > 100_000, "an allocation per {hops} packet-hops");
}

#[test]
fn many_flows_allocate_nothing() {
    let hops = hops_per_allocation(&Flows::w4(100), Span::from_secs(1), Span::from_ms(300));
    assert!(hops > 5_000, "an allocation per {hops} packet-hops");
}

/// Bytes that a connection has taken, both ends together, when it rests with so many subflows.
fn idle_connection(subflows: usize) -> i64 {
    let mut simulation = Flows::idle(subflows).start().unwrap();
    let info = measure(|| simulation.run_until(simulation.now() + Span::from_secs(10)));
    for actor in simulation.hosts().actors() {
        assert_eq!(actor.connection().subflow_count(), subflows);
        assert!((0..subflows).all(|index| actor.connection().is_fully_established(index)));
    }
    info.bytes_current
}

#[test]
fn an_idle_subflow_takes_little_memory() {
    let one = idle_connection(1);
    let bytes = (idle_connection(8) - one) / 7;
    assert!(bytes <= 3_000, "{bytes} bytes at both ends together");
}
