//! Transfers without options of TCP, those of MPTCP beside what two kernels of Linux 6.18 did over links like these.

use mptcpsim_models::observe::mib::Counter;

use crate::lab::{CLIENT, Lab, Path, SERVER, path, unequal_paths};

/// Nothing but an echoed timestamp tells how long the handshake of a join took. Without one the rate of
/// the second subflow is thought to be beyond all measure until data was acknowledged, so most goes there:
/// 4 MB took 2.48 s (a deviation of 0.01 s, six runs) and a third of it the first path; with timestamps
/// 1.26 s and 70 %.
#[test]
fn without_timestamps_a_join_is_taken_for_fast() {
    let transfer = |timestamps| {
        let lab = Lab::download(unequal_paths(), 4_000_000).with(|lab| {
            lab.client.sysctl.tcp_timestamps = timestamps;
            lab.server.sysctl.tcp_timestamps = timestamps;
        });
        let outcome = lab.run(8);
        (outcome.completion().as_secs_f64(), outcome.share(0))
    };
    let ((with, share_with), (without, share_without)) = (transfer(true), transfer(false));
    println!("with {with} s, {share_with}; without {without} s, {share_without}");
    assert!((with / 1.258 - 1.0).abs() < 0.05, "{with}");
    assert!((share_with - 0.70).abs() < 0.05, "{share_with}");
    assert!((without / 2.477 - 1.0).abs() < 0.1, "{without}");
    assert!((share_without - 0.324).abs() < 0.06, "{share_without}");
}

/// Without window scaling the window inside grows beyond what the header's field can tell, so that the
/// subflows share it as always and reading is no reason to tell of more: 2.48 s (deviation 0.1), 2107
/// segments back for 2868, 1052 with a shared window.
#[test]
fn without_window_scaling_the_window_inside_is_larger_than_the_field() {
    let lab = Lab::upload(unequal_paths(), 4_000_000).with(|lab| {
        lab.client.sysctl.tcp_window_scaling = false;
    });
    let outcome = lab.run(8);
    let completion = outcome.completion().as_secs_f64();
    let count = |host, counter| outcome.counter(host, counter) as f64;
    let back = count(SERVER, Counter::OutSegs) / count(CLIENT, Counter::OutSegs);
    let shared = count(SERVER, Counter::RcvWndShared);
    println!("{completion} s, {back} segments back for one, {shared} with a shared window");
    assert!((completion / 2.475 - 1.0).abs() < 0.08, "{completion}");
    assert!((back / 0.735 - 1.0).abs() < 0.1, "{back}");
    assert!((shared / 1_052.0 - 1.0).abs() < 0.2, "{shared}");
}

/// Without SACK a lost packet is repeated once, and that is all: what was outstanding then has been
/// acknowledged exactly, duplicates of before are no sign of further losses (RFC 6582 section 3.2), and the
/// state is left with what is acknowledged next.
#[test]
fn without_sack_a_loss_is_repaired_once() {
    let lossy = Path { lost: vec![100], ..path(20, 20).queue(4.0) };
    let lab = Lab::upload(vec![lossy], 1_000_000).with(|lab| {
        lab.options.mptcp = false;
        lab.client.sysctl.tcp_sack = false;
    });
    let outcome = lab.run(10);
    assert_eq!(outcome.retransmissions(0), 1);
    assert_eq!(outcome.counter(CLIENT, Counter::RenoRecovery), 1);
    let window = outcome.client().connection().window(0).unwrap();
    assert!(window.cwnd >= window.ssthresh, "{window:?}");
}

/// Without SACK data ahead of a gap lets no window grow, so that acknowledgements of it are duplicates to the sender
/// (`tcp_data_queue_ofo`), at the end of a transfer too: 200 KB through a queue of 20 packets took 0.862 s, in which a
/// timeout has no place.
#[test]
fn without_sack_acknowledgements_of_data_ahead_of_a_gap_are_duplicates() {
    let lab = Lab::upload(vec![path(2, 2).queue(30.0)], 200_000).with(|lab| {
        lab.options.mptcp = false;
        lab.client.sysctl.tcp_sack = false;
        lab.server.sysctl.tcp_sack = false;
    });
    let outcome = lab.run(5);
    let completion = outcome.completion().as_secs_f64();
    assert!((completion / 0.862 - 1.0).abs() < 0.02, "{completion}");
    assert_eq!(outcome.counter(CLIENT, Counter::Timeouts), 0);
}
