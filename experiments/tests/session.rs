//! A run in steps is the same run.

use std::ops::ControlFlow;
use std::sync::Arc;

use mptcpsim::build::AsPlanned;
use mptcpsim::check::{Notation, Source, check};
use mptcpsim::plan::Plan;
use mptcpsim::run::run;
use mptcpsim::scenario::TimelineEntry;
use mptcpsim::session::{ChangeError, Session};
use mptcpsim_core::time::{Span, Time};
use proptest::prelude::*;

const SCENARIO: &str = r#"
    duration = "2 s"
    paths = [
        { name = "a", rate = "10 Mbit/s", delay = "10 ms", loss = { model = "bernoulli", probability = "1 %" } },
        { name = "b", rate = "5 Mbit/s", delay = "20 ms" },
    ]
    flows = [{ app = { kind = "bulk", bytes = "1500 kB" } }]
    record = { ss_at = ["0.3 s"] }
"#;

fn plan(text: &str) -> Arc<Plan> {
    Arc::new(check(&Source::new("steps", text, Notation::Toml), &[]).unwrap())
}

fn session(plan: &Arc<Plan>) -> Session {
    Session::new(Arc::clone(plan), &mut AsPlanned).unwrap()
}

fn go_on(session: &mut Session, until: Time) {
    let went = session.run_until(until, None, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(went.is_continue());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn where_steps_end_has_no_influence(mut stops in prop::collection::vec(0_u64..1_500_000, 1..8)) {
        stops.sort_unstable();
        let plan = plan(SCENARIO);
        let mut session = session(&plan);
        for stop in stops {
            go_on(&mut session, Time::ZERO + Span::from_us(stop));
        }
        go_on(&mut session, Time::NEVER);
        prop_assert!(session.is_over());
        prop_assert_eq!(session.finish(), run(&plan, &mut |_| ()).unwrap());
    }
}

#[test]
fn a_stop_can_be_gone_on_from() {
    let plan = plan(SCENARIO);
    let mut session = session(&plan);
    let mut stops = 0;
    while !session.is_over() && stops < 1_000 {
        let went = session.run_until(Time::NEVER, None, &mut |_| ControlFlow::Break(())).unwrap();
        assert!(went.is_break() || session.is_over());
        stops += 1;
    }
    assert!(stops > 10);
    assert_eq!(session.finish(), run(&plan, &mut |_| ()).unwrap());
}

#[test]
fn a_fork_goes_on_alike_until_something_is_changed() {
    let plan = plan(SCENARIO);
    let mut one = session(&plan);
    go_on(&mut one, Time::ZERO + Span::from_ms(250));
    let (mut same, mut other) = (one.fork(), one.fork());
    other.change(entry(r#"{ "at": "0 s", "link": "a", "set": { "up": false } }"#)).unwrap();
    for session in [&mut one, &mut same, &mut other] {
        go_on(session, Time::NEVER);
    }
    let [one, same, other] = [one, same, other].map(Session::finish);
    assert_eq!(one, same);
    assert!(other.end > one.end, "{} {}", other.end, one.end);
}

#[test]
fn a_change_is_one_of_the_timeline() {
    let declared = format!(
        "{SCENARIO}\n[[timeline]]\nat = \"250.000000001 ms\"\nlink = \"a\"\nset = {{ rate = \"1 Mbit/s\" }}"
    );
    let mut session = session(&plan(SCENARIO));
    go_on(&mut session, Time::ZERO + Span::from_ms(250));
    session
        .change(entry(r#"{ "at": "0 s", "link": "a", "set": { "rate": "1 Mbit/s" } }"#))
        .unwrap();
    let declared = plan(&declared);
    assert_eq!(session.plan().resolved(), declared.resolved());
    go_on(&mut session, Time::NEVER);
    let changed = session.finish();
    assert_eq!(changed.tables.events.iter().filter(|row| row.event == "link-change").count(), 2);
    assert_eq!(changed, run(&declared, &mut |_| ()).unwrap());
}

#[test]
fn what_no_timeline_could_hold_is_refused() {
    let mut session = session(&plan(SCENARIO));
    let faults = session.change(entry(r#"{ "at": "0 s", "link": "c", "set": { "up": false } }"#));
    assert!(matches!(&faults, Err(ChangeError::Faults(_))), "{faults:?}");
    let interface = entry(r#"{ "at": "0 s", "host": "client", "interface": "a", "up": false }"#);
    assert!(matches!(session.change(interface), Err(ChangeError::Interface)));
}

fn entry(json: &str) -> TimelineEntry {
    serde_json::from_str(json).unwrap()
}
