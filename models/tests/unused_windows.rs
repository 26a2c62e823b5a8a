//! Congestion windows that are not used: when they decay, and when not (RFC 2861; Linux `tcp_cwnd_restart`,
//! `tcp_cwnd_application_limited`).

use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Bytes;
use mptcpsim_models::app::{AppSpec, Script};
use mptcpsim_models::congestion;
use mptcpsim_models::rules::Stack;

use crate::lab::{CLIENT, Lab, bulk, path};

/// A full send buffer wants to be sent: that the peer's window is small is no reason to forget what the path
/// carried (`SOCK_NOSPACE` in `tcp_cwnd_application_limited`).
#[test]
fn the_window_of_a_writer_that_waits_for_room_stays() {
    let lab = Lab::upload(vec![path(100, 50)], 0).with(|lab| {
        lab.options.mptcp = false;
        lab.client_app = bulk(u64::MAX);
        lab.server_options.rcvbuf = Some(64 * 1024);
    });
    let mut simulation = lab.build();
    let mut windows = (0..300).map(|step| {
        simulation.run_until(Time::ZERO + Span::from_secs(2) + Span::from_ms(10) * step);
        let world = simulation.hosts();
        let window = world.actors()[0].connection().window(0).unwrap();
        (window.cwnd, window.in_flight())
    });
    let (first, in_flight) = windows.next().unwrap();
    assert!(10 * first > 18 * in_flight, "the receive window is the limit: {first} {in_flight}");
    assert!(windows.all(|(cwnd, _)| cwnd == first));
}

/// Answers to requests over 20 Mbit/s and 40 ms.
fn answers(script: Script) -> Lab {
    Lab::download(vec![path(20, 40)], 0).with(|lab| {
        lab.client_app =
            AppSpec::Request { script: script.clone(), delay: Span::ZERO, server_closes: false };
        lab.server_app = AppSpec::Respond { script, close_after: None };
    })
}

/// How much longer or shorter the second of two answers takes, two seconds after the first.
fn second_answer(stack: Stack) -> f64 {
    let think = Span::from_secs(2);
    let script = Script::alike(Bytes::new(100), Bytes::new(150_000), think, 2);
    let lab = answers(script).with(|lab| {
        for host in [&mut lab.client, &mut lab.server] {
            host.rules = stack.rules();
            host.sysctl = host.rules.sysctl_defaults();
        }
    });
    let outcome = lab.run(10);
    assert_eq!(outcome.world().host_config(CLIENT).unwrap().tcp.rules.stack, stack);
    let took = |n: usize| {
        let exchange = outcome.client().app().exchanges()[n];
        (exchange.answered_at.unwrap() - exchange.asked_at).as_secs_f64()
    };
    took(1) / took(0)
}

/// A subflow that has rested starts slowly anew with upstream (`tcp_skb_entail`), and goes on as before in
/// v0.94 (`mptcp_skb_entail`).
#[test]
fn only_upstream_subflows_start_anew_when_they_have_rested() {
    let (upstream, out_of_tree) = (second_answer(Stack::Upstream), second_answer(Stack::OutOfTree));
    assert!(upstream > 0.75, "{upstream}");
    assert!(out_of_tree < 0.6, "{out_of_tree}");
}

/// The server's window before and after it was restarted, in packets.
fn restart(mptcp: bool) -> (u32, u32) {
    let script = Script::alike(Bytes::new(100), Bytes::new(150_000), Span::from_ms(350), 3);
    let lab = answers(script).with(|lab| lab.options.mptcp = mptcp);
    let mut simulation = lab.build();
    let mut before = 0;
    for step in 1..5_000 {
        simulation.run_until(Time::ZERO + Span::from_ms(step));
        let server = simulation.hosts().actors().get(1);
        let now = server.and_then(|it| it.connection().window(0)).map_or(0, |it| it.cwnd);
        if now < before {
            return (before, now);
        }
        before = now;
    }
    panic!("no restart");
}

/// After a rest of more than one timeout the window is halved, and with MPTCP once more for each further buffer
/// that is filled before the first one leaves (`tcp_skb_entail`): a write of 64 KiB takes two.
#[test]
fn each_buffer_that_is_filled_after_a_rest_halves_the_window() {
    let (before, after) = restart(false);
    assert_eq!(after, before / 2, "TCP");
    let (before, after) = restart(true);
    assert_eq!(after, (before / 4).max(10), "MPTCP from {before}");
}

/// What is sent again is sent: a request that follows upon a long repair follows upon no rest
/// (`tcp_event_data_sent`). And who has written all waits for no room, so that the send buffer does not grow for
/// the next answer (`SOCK_NOSPACE`). Three answers of 200 KB, the second of which overflows the queue, took two
/// kernels of Linux 6.18 0.806 s.
#[test]
fn an_answer_after_a_repair_does_not_start_anew() {
    let script = Script::alike(Bytes::new(5_000), Bytes::new(200_000), Span::from_ms(20), 3);
    let lab = answers(script)
        .with(|lab| lab.paths = vec![path(20, 20).queue(0.75)])
        .congestion(congestion::Name::Reno);
    let outcome = lab.run(5);
    let last = outcome.client().app().exchanges().last().unwrap().answered_at.unwrap();
    let seconds = last.as_us() as f64 / 1e6;
    assert!((seconds / 0.806 - 1.0).abs() < 0.02, "{seconds}");
}
