//! Receive windows, as clients of Linux 6.18 advertised them.

use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::host::Tap;
use mptcpsim_models::segment::Flags;

use crate::lab::{CLIENT, Lab, path};

/// The first segment is read before the worker opens a second subflow, so the share of payload measured on it
/// is that of the connection, and the window grows with the first round; with the subflow's it would stay 64 KiB
/// (`mptcp_rcv_space_adjust`): the windows of six clients of eight.
#[test]
fn the_window_grows_with_the_first_round_although_a_join_is_begun() {
    let lab = Lab::download(vec![path(20, 10), path(10, 25)], 1_000_000);
    let mut simulation = lab.build();
    simulation.hosts_mut().set_tap(Tap::new(true));
    simulation.run_until(Time::ZERO + Span::from_ms(44));
    let seen = simulation.hosts_mut().tap().seen();
    let acknowledgements = seen.iter().filter(|it| it.sent && it.host == CLIENT);
    let windows: Vec<_> = acknowledgements
        .filter(|it| it.at > Time::ZERO + Span::from_ms(30) && !it.segment.flags.has(Flags::SYN))
        .map(|it| u32::from(it.segment.window) << 7)
        .take(6)
        .collect();
    assert_eq!(windows, [64_384, 70_144, 72_960, 75_904, 78_848, 79_488]);
}
