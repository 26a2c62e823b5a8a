//! A scheduler of one's own: the path with the most room in its window, whatever its delay.
//!
//! `cargo run --release --example custom_scheduler`

use std::error::Error;

use mptcpsim::check::{Notation, Source, check};
use mptcpsim::run::{Outcome, run, run_with};
use mptcpsim_models::scheduler::{AnyScheduler, Ask, ConnView, Pick, Scheduler};

const SCENARIO: &str = r#"
    paths = [
        { name = "near", rate = "10 Mbit/s", delay = "5 ms" },
        { name = "far", rate = "10 Mbit/s", delay = "50 ms" },
    ]
    flows = [{ app = { kind = "bulk", bytes = "5 MB" }, mptcp = { scheduler = "lowest-rtt" } }]
"#;

/// Keeps the near path's queue short: a packet goes where most more would fit.
#[derive(Clone, Debug)]
struct MostRoom;

impl Scheduler for MostRoom {
    fn pick(&mut self, view: &ConnView<'_>, _ask: Ask) -> Pick {
        let open = view.subflows.iter().filter(|subflow| subflow.active && subflow.room() > 0);
        match open.max_by_key(|subflow| subflow.room()) {
            Some(subflow) => Pick::On { subflow: subflow.id, limit: subflow.mss },
            None => Pick::Wait,
        }
    }
}

fn compare() -> Result<[Outcome; 2], Box<dyn Error>> {
    let plan = check(&Source::new("example", SCENARIO, Notation::Toml), &[])?;
    let most_room = run_with(
        &plan,
        &mut |_, socket| socket.scheduler = Some(AnyScheduler::custom(MostRoom)),
        None,
        &mut |_| (),
    )?;
    Ok([most_room, run(&plan, &mut |_| ())?])
}

fn far_share(outcome: &Outcome) -> f64 {
    let far = outcome.tables.subflows.iter().find(|row| row.path == "far" && row.bytes > 0);
    far.and_then(|row| row.share).unwrap_or(0.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let [most_room, lowest_rtt] = compare()?.map(|outcome| far_share(&outcome));
    println!("share of the far path: most room {most_room:.2}, lowest delay {lowest_rtt:.2}");
    Ok(())
}

#[test]
fn the_far_path_carries_more() {
    let outcomes = compare().unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.tables.summary[0].intact));
    let [most_room, lowest_rtt] = outcomes.map(|outcome| far_share(&outcome));
    assert!(most_room > lowest_rtt, "{most_room} {lowest_rtt}");
}
