//! BBR end to end: what it is for.

use crate::lab::{CLIENT, Lab, Outcome, path};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::congestion::Name;

fn transfer(lab: Lab, name: Name) -> Outcome {
    let outcome = lab.congestion(name).run(120);
    assert_eq!(outcome.receiver().app().ledger().wrong_bytes(), 0);
    outcome
}

/// The smoothed round-trip time of the first subflow in milliseconds, in the middle of a transfer.
fn srtt_ms(lab: Lab, name: Name, at: Span) -> f64 {
    let mut simulation = lab.congestion(name).build();
    simulation.run_until(Time::ZERO + at);
    let actors = simulation.hosts().actors();
    let client = actors.iter().find(|actor| actor.host() == CLIENT).unwrap();
    f64::from(client.connection().window(0).unwrap().srtt_us >> 3) / 1e3
}

#[test]
fn a_deep_queue_stays_short() {
    let deep = || Lab::upload(vec![path(20, 20).queue(8.0)], 60_000_000);
    let (bbr, reno) =
        (transfer(deep(), Name::Bbr).goodput(), transfer(deep(), Name::Reno).goodput());
    assert!(bbr > 0.9 * 19.0 && reno > 0.9 * 19.0, "{bbr} {reno}");
    let at = Span::from_secs(8);
    let (bbr, reno) = (srtt_ms(deep(), Name::Bbr, at), srtt_ms(deep(), Name::Reno, at));
    assert!(bbr < 65.0 && reno > 120.0, "{bbr} {reno}");
}

#[test]
fn random_loss_is_no_sign_of_congestion() {
    let lossy = || Lab::upload(vec![path(20, 20).loss(0.01)], 20_000_000);
    let (bbr, reno) =
        (transfer(lossy(), Name::Bbr).goodput(), transfer(lossy(), Name::Reno).goodput());
    assert!(bbr > 15.0 && reno < 6.0, "{bbr} {reno}");
}

#[test]
fn every_subflow_fills_its_path() {
    let outcome = transfer(Lab::upload(vec![path(20, 10), path(10, 20)], 40_000_000), Name::Bbr);
    assert!(outcome.goodput() > 25.0, "{}", outcome.goodput());
    assert!((outcome.share(0) - 0.67).abs() < 0.06, "{}", outcome.share(0));
}
