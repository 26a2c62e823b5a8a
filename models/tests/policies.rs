//! Schedulers and congestion controls end to end: every combination survives, and each shows what it is for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod lab;

use lab::{Lab, Outcome, Path, path};
use mptcpsim_core::link::LinkChange;
use mptcpsim_models::rules::Stack;
use mptcpsim_models::{congestion, scheduler};
use scheduler::{AnyScheduler, Name};

fn scheduled(lab: Lab, name: Name, params: &[(&str, &str)]) -> Lab {
    let scheduler = AnyScheduler::with_params(name, Stack::Upstream, params).unwrap();
    lab.with(|lab| {
        lab.options.scheduler = Some(scheduler.clone());
        lab.server_options.scheduler = Some(scheduler);
    })
}

fn assert_complete(outcome: &Outcome, bytes: u64, what: &str) {
    let ledger = outcome.receiver().app().ledger();
    assert_eq!((ledger.bytes(), ledger.wrong_bytes()), (bytes, 0), "{what}");
}

/// The first path dies after 300 ms and does not come back.
fn hardship(paths: usize) -> Vec<Path> {
    let dead = LinkChange { up: Some(false), ..LinkChange::default() };
    let all = [path(10, 10).loss(0.01).at(300, dead), path(8, 25).loss(0.01), path(5, 40)];
    all.into_iter().take(paths).collect()
}

#[test]
fn every_combination_survives_loss_and_the_death_of_a_path() {
    let bytes = 1_000_000;
    for &scheduler in Name::ALL {
        for &control in congestion::Name::ALL {
            for paths in [2, 3] {
                let lab = Lab::upload(hardship(paths), bytes).congestion(control);
                let outcome = scheduled(lab, scheduler, &[]).run(60);
                let what = format!("{} {} {paths}", scheduler.name(), control.name());
                assert_complete(&outcome, bytes, &what);
            }
        }
    }
}

#[test]
fn redundant_has_the_goodput_of_the_best_path() {
    let goodput = |name, paths| {
        let lab = scheduled(Lab::upload(paths, 4_000_000), name, &[]);
        lab.congestion(congestion::Name::Reno).run(60).goodput()
    };
    let alone = goodput(Name::Default, vec![path(10, 10)]);
    let both = goodput(Name::Redundant, vec![path(10, 10), path(4, 40)]);
    assert!((both / alone - 1.0).abs() < 0.1, "{both} {alone}");
}

#[test]
fn redundant_does_not_notice_a_path_that_dies() {
    let dead = LinkChange { up: Some(false), ..LinkChange::default() };
    let run = |name| {
        let paths = vec![path(10, 10).at(500, dead.clone()), path(10, 10)];
        scheduled(Lab::upload(paths, 2_000_000), name, &[]).run(60).completion().as_secs_f64()
    };
    let (redundant, default) = (run(Name::Redundant), run(Name::Default));
    assert!(redundant < 2.2, "{redundant}");
    assert!(default > redundant, "{default} {redundant}");
}

#[test]
fn round_robin_without_regard_for_windows_is_as_fast_as_the_slower_path_twice() {
    let paths = || vec![path(20, 10), path(2, 10)];
    let run = |params: &[(&str, &str)]| {
        let lab = Lab::upload(paths(), 2_000_000).congestion(congestion::Name::Reno);
        let outcome = scheduled(lab, Name::RoundRobin, params).run(60);
        (outcome.goodput(), outcome.share(1))
    };
    let (goodput, share) = run(&[("cwnd_limited", "0")]);
    assert!((share - 0.5).abs() < 0.05, "{share}");
    assert!(goodput < 4.0, "{goodput}");
    let (limited, share) = run(&[]);
    assert!(share < 0.25, "{share}");
    assert!(limited > 3.0 * goodput, "{limited} {goodput}");
}
