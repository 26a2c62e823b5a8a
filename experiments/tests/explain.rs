//! Explanations of runs whose fault is known.

use mptcpsim::check::{Override, check};
use mptcpsim::explain::{Explanation, Holdup, explain};
use mptcpsim::run::run;
use mptcpsim::shipped;

/// The first flow of a shipped scenario with other values.
fn explained(name: &str, set: &[&str]) -> Explanation {
    let overrides = set.iter().map(|text| Override::set(text)).collect::<Vec<_>>();
    let plan = check(&shipped::find(name).unwrap().source(), &overrides).unwrap();
    let (mut explanations, outcome) = explain(&plan).unwrap();
    assert_eq!(
        outcome.digest,
        run(&plan, &mut |_| ()).unwrap().digest,
        "looking changes something"
    );
    let explanation = explanations.remove(0);
    for path in &explanation.paths {
        let sum = path.spent.values().map(|span| span.as_secs_f64()).sum::<f64>();
        assert!((sum - explanation.time.as_secs_f64()).abs() < 1e-9, "{}", path.path);
    }
    explanation
}

/// The part of the time that a path spent so.
fn share(explanation: &Explanation, path: &str, holdup: Holdup) -> f64 {
    let path = explanation.paths.iter().find(|it| it.path == path).unwrap();
    path.time(holdup).as_secs_f64() / explanation.time.as_secs_f64()
}

#[test]
fn a_small_receive_buffer_makes_the_fast_path_wait_for_the_slow_one() {
    let set = ["flows.0.mptcp.scheduler=\"roundrobin\"", "flows.0.receive_buffer=\"64 KB\""];
    let it = explained("schedulers", &set);
    assert!(share(&it, "wifi", Holdup::HeadOfLine) > 0.5, "{}", it.text());
    let text = it.text();
    assert!(text.contains("for data sent over cellular while wifi was idle"), "{text}");
    assert!(
        text.contains("the receive buffer of 128 KB is less than (19.0 + 3.8) Mbit/s"),
        "{text}"
    );
}

#[test]
fn two_equal_paths_are_busy_all_the_time() {
    let it = explained("two-equal-paths", &[]);
    assert!(share(&it, "left", Holdup::LinkBusy) > 0.95, "{}", it.text());
    assert!(it.goodput_bps > 0.95 * it.possible_bps.unwrap());
    assert!(it.text().contains("only faster links would help"));
}

#[test]
fn losses_keep_the_window_small() {
    let it = explained("wifi-lte", &[]);
    assert!(share(&it, "wifi", Holdup::CongestionWindow) > 0.3, "{}", it.text());
    assert!(share(&it, "lte", Holdup::LinkBusy) > 0.8, "{}", it.text());
}

#[test]
fn a_dead_path_is_named() {
    let it = explained("handover", &[]);
    assert!(share(&it, "wifi", Holdup::PathDown) > 0.4, "{}", it.text());
    assert!(it.text().contains("wifi was down or taken for dead"));
}

#[test]
fn a_viewer_who_pauses_is_no_fault_of_the_network() {
    let slow = "flows.0.app={ kind = \"constant-rate\", rate = \"1 Mbit/s\", duration = \"5 s\" }";
    let it = explained("two-equal-paths", &[slow]);
    assert!(share(&it, "left", Holdup::Application) > 0.5, "{}", it.text());
}

#[test]
fn both_directions_are_explained_where_data_goes_in_both() {
    let explained = |direction: &str| {
        let both = Override::set(&format!("flows.0.app.direction=\"{direction}\""));
        let little = Override::set("flows.0.app.bytes=\"4 MB\"");
        let slow_up = Override::set("links.lte.up.rate=\"2 Mbit/s\"");
        let scenario = shipped::find("wifi-lte").unwrap().source();
        explain(&check(&scenario, &[both, little, slow_up]).unwrap()).unwrap().0
    };
    let both = explained("both");
    let senders = both.iter().map(|it| (it.sender.as_str(), it.both)).collect::<Vec<_>>();
    assert_eq!(senders, [("server", true), ("phone", true)]);
    assert!(both[1].text().starts_with("flow1 from phone: "), "{}", both[1].text());
    let capacity = |it: &Explanation| it.paths.iter().map(|path| path.capacity_bps.unwrap()).sum();
    let [down, up]: [f64; 2] = [capacity(&both[0]), capacity(&both[1])];
    assert!(up < down && both[1].goodput_bps < up, "{up} and {down}");
    let [only] = explained("download").try_into().unwrap();
    assert_eq!((only.sender.as_str(), only.both), ("server", false));
    assert!(only.text().starts_with("flow1: "), "{}", only.text());
}
