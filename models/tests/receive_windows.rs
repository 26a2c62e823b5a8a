//! Receive windows, as hosts with Linux 6.18 advertised them.

use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::host::Tap;
use mptcpsim_models::segment::Flags;

use crate::lab::{CLIENT, Lab, SERVER, unequal_paths};

/// The windows in bytes that `host` advertises on its first subflow until `end`, each behind the number that it
/// acknowledges, counted from the first byte.
fn windows(lab: &Lab, host: usize, end: Span) -> Vec<(u32, u32)> {
    let mut simulation = lab.build();
    simulation.hosts_mut().set_tap(Tap::new(true));
    simulation.run_until(Time::ZERO + end);
    let seen = simulation.hosts_mut().tap().seen();
    let first = seen.first().map(|it| it.tuple).unwrap();
    let sent = seen.iter().filter(|it| it.sent && it.host == host);
    let sent = sent.filter(|it| it.tuple == first || it.tuple == first.reversed());
    let begun = seen.iter().find(|it| it.sent && it.host != host).map(|it| it.segment.seq + 1);
    sent.filter(|it| !it.segment.flags.has(Flags::SYN))
        .map(|it| (it.segment.ack - begun.unwrap(), u32::from(it.segment.window) << 7))
        .collect()
}

/// The first segment is read before the worker opens a second subflow, so the share of payload measured on it
/// is that of the connection, and the window grows with the first round; with the subflow's it would stay 64 KiB
/// (`mptcp_rcv_space_adjust`): the windows of six clients of eight.
#[test]
fn the_window_grows_with_the_first_round_although_a_join_is_begun() {
    let lab = Lab::download(unequal_paths(), 1_000_000);
    let windows = windows(&lab, CLIENT, Span::from_ms(44));
    let of_data = windows.iter().filter(|(acknowledged, _)| *acknowledged > 0);
    let first: Vec<_> = of_data.map(|(_, window)| *window).take(6).collect();
    assert_eq!(first, [64_384, 70_144, 72_960, 75_904, 78_848, 79_488]);
}

/// Segments of 524 bytes are shorter than those of 536 that everybody is thought to send, so they tell neither
/// the share of payload in memory nor, by their timestamps, the round-trip time. Once a whole window has come, which
/// tells that too, the window grows by two segments of 548 bytes with each (`tcp_measure_rcv_mss`,
/// `tcp_rcv_rtt_measure`, `__tcp_grow_window`): 64,128 bytes until 65 kB, 434 kB at 243 kB in the kernel.
#[test]
fn short_segments_let_the_window_grow_once_it_was_used() {
    let lab = Lab::upload(unequal_paths(), 4_000_000).with(|lab| lab.client.mtu = 600);
    let windows = windows(&lab, SERVER, Span::from_ms(210));
    let (early, late): (Vec<_>, Vec<_>) = windows.iter().partition(|it| it.0 < 64_128);
    assert!(early.len() > 50 && early.iter().all(|(_, window)| *window == 64_128), "{early:?}");
    let (received, last) = late.last().unwrap();
    let segments = (received - 64_128) / 524;
    println!("{last} bytes after {received}, {segments} segments");
    assert!((f64::from(last - 64_128) / f64::from(2 * 548 * segments) - 1.0).abs() < 0.05);
}
