//! The timer of a connection, which sends anew what a subflow does not deliver (Linux `mptcp_retransmit_timer`).

use mptcpsim_core::capacity::Capacity;
use mptcpsim_core::link::LinkChange;
use mptcpsim_core::time::Span;
use mptcpsim_core::units::Rate;
use mptcpsim_models::app::AppSpec;
use mptcpsim_models::observe::mib::Counter;

use crate::lab::{Lab, SERVER, path};

/// How long the connection's timer waits is asked when there is something to send that the window lets out, not by
/// each acknowledgement that comes while it is closed (`ack_update_msk`, `mptcp_set_timeout`). A path that becomes
/// five times slower holds up the connection, whose timer sends what it carries over the other one: with two kernels
/// of Linux 6.18 all that was written within 3 s had arrived after 4.42 s (a deviation of 0.03 s), with 3 to 6 pieces
/// repeated; otherwise it takes 5.2 s and one.
#[test]
fn the_timer_of_a_connection_whose_window_is_closed_does_not_move() {
    let slower = LinkChange {
        capacity: Some(Capacity::Fixed(Rate::from_bps(1_000_000))),
        ..LinkChange::default()
    };
    let paths = vec![path(5, 80).queue(4.5).at(500, slower), path(5, 10).queue(12.0)];
    let lab = Lab::download(paths, 0).with(|lab| {
        let until = Some(Span::from_secs(3));
        lab.server_app = AppSpec::Bulk { send: None, until, abort: false, delay: Span::ZERO };
        for host in [&mut lab.client, &mut lab.server] {
            host.sysctl.checksum_enabled = true;
        }
    });
    let outcome = lab.run(10);
    let completion = outcome.completion().as_secs_f64();
    assert!((completion / 4.416 - 1.0).abs() < 0.02, "{completion}");
    assert!((3..=6).contains(&outcome.counter(SERVER, Counter::MptcpRetrans)));
}
