//! Nothing is allocated for a packet once queues have grown to their size.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use mptcpsim_core::engine_bench::ClosedNetwork;
use mptcpsim_core::time::{Span, Time};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code, reason = "an allocator cannot be written without; this one only counts")]
// SAFETY: everything is left to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn packets_circulate_without_allocation() {
    let network = ClosedNetwork { links: 60, flows: 30, window: 10, hops: 3 };
    let mut simulation = network.start().unwrap();
    simulation.run_until(Time::ZERO + Span::from_secs(1));
    let (allocations, hops) = (ALLOCATIONS.load(Ordering::Relaxed), simulation.packet_hops());
    simulation.run_until(Time::ZERO + Span::from_secs(2));
    assert!(simulation.packet_hops() > hops + 100_000);
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed), allocations);
}
