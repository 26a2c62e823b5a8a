//! A scheduler of one's own: every subflow but the first costs money, and carries at most a fifth of the data.
//!
//! `cargo run --release --example custom_scheduler`

use std::error::Error;

use mptcpsim::check::{Notation, Source, check};
use mptcpsim::run::{Outcome, run, run_with};
use mptcpsim_models::scheduler::{AnyScheduler, Ask, ConnView, Pick, Scheduler};

const SCENARIO: &str = r#"
    paths = [
        { name = "free", rate = "10 Mbit/s", delay = "20 ms" },
        { name = "paid", rate = "10 Mbit/s", delay = "20 ms" },
    ]
    flows = [{ app = { kind = "bulk", bytes = "5 MB" }, mptcp = { scheduler = "lowest-rtt" } }]
"#;

/// Bytes given to the first subflow, and to all others.
#[derive(Clone, Debug, Default)]
struct Thrifty {
    free: u64,
    paid: u64,
}

impl Scheduler for Thrifty {
    fn pick(&mut self, view: &ConnView<'_>, _ask: Ask) -> Pick {
        let affordable = |id| id == 0 || self.paid * 4 < self.free;
        let may = view.subflows.iter().filter(|s| s.active && s.room() > 0 && affordable(s.id));
        may.min_by_key(|subflow| subflow.id)
            .map_or(Pick::Wait, |subflow| Pick::On { subflow: subflow.id, limit: subflow.mss })
    }

    fn given(&mut self, subflow: usize, _from: u64, len: u32) {
        *if subflow == 0 { &mut self.free } else { &mut self.paid } += u64::from(len);
    }
}

/// The share of the path that costs money, with this scheduler and with the kernel's.
fn compare() -> Result<[f64; 2], Box<dyn Error>> {
    let plan = check(&Source::new("example", SCENARIO, Notation::Toml), &[])?;
    let policies = &mut |_: &_, socket: &mut mptcpsim_models::mptcp::SocketOptions| {
        socket.scheduler = Some(AnyScheduler::custom(Thrifty::default()));
    };
    let thrifty = run_with(&plan, policies, None, &mut |_| ())?;
    Ok([thrifty, run(&plan, &mut |_| ())?].map(|outcome| paid_share(&outcome)))
}

fn paid_share(outcome: &Outcome) -> f64 {
    let paid = outcome.tables.subflows.iter().find(|row| row.path == "paid" && row.bytes > 0);
    paid.and_then(|row| row.share).unwrap_or(0.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let [thrifty, lowest_rtt] = compare()?;
    println!("share of the paid path: thrifty {thrifty:.2}, lowest delay {lowest_rtt:.2}");
    Ok(())
}

#[test]
fn the_paid_path_carries_a_fifth() {
    let [thrifty, lowest_rtt] = compare().unwrap();
    assert!((0.15..=0.21).contains(&thrifty), "{thrifty}");
    assert!(lowest_rtt > 0.4, "{lowest_rtt}");
}
