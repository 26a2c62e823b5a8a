//! A congestion control of one's own: the windows of all subflows together grow by a packet per round.
//!
//! `cargo run --release --example custom_congestion_control`

use std::error::Error;

use mptcpsim::check::{Notation, Source, check};
use mptcpsim::run::{Outcome, run, run_with};
use mptcpsim_models::congestion::{Congestion, CongestionControl, Flow};

const SCENARIO: &str = r#"
    paths = [
        { rate = "10 Mbit/s", delay = "20 ms", loss = { model = "bernoulli", probability = "0.5 %" } },
        { rate = "10 Mbit/s", delay = "20 ms", loss = { model = "bernoulli", probability = "0.5 %" } },
    ]
    flows = [{ app = { kind = "bulk", bytes = "5 MB" }, congestion_control = "uncoupled" }]
"#;

/// Each acknowledged packet adds the inverse of all windows together, where Reno adds that of its own.
#[derive(Clone, Debug)]
struct FullyCoupled;

impl CongestionControl for FullyCoupled {
    fn init(&mut self, _flow: &mut Flow<'_>) {}

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        flow.window().reno_ssthresh()
    }

    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
        let total = flow.coupled().map(|(_, window)| window.cwnd).sum();
        let window = flow.window();
        if !window.cwnd_limited() {
            return;
        }
        let left = if window.in_slow_start() { window.slow_start(acked) } else { acked };
        if left > 0 {
            window.cong_avoid_ai(total, left);
        }
    }
}

fn compare() -> Result<[Outcome; 2], Box<dyn Error>> {
    let plan = check(&Source::new("example", SCENARIO, Notation::Toml), &[])?;
    let policies = &mut |_: &_, socket: &mut mptcpsim_models::mptcp::SocketOptions| {
        socket.congestion_control = Some(Congestion::custom(FullyCoupled));
    };
    let coupled = run_with(&plan, policies, None, &mut |_| ())?;
    Ok([coupled, run(&plan, &mut |_| ())?])
}

fn main() -> Result<(), Box<dyn Error>> {
    let [coupled, alone] = compare()?.map(|outcome| outcome.tables.summary[0].goodput_bps / 1e6);
    println!("fully coupled {coupled:.2} Mbit/s, every subflow for itself {alone:.2} Mbit/s");
    Ok(())
}

#[test]
fn coupling_makes_it_less_aggressive() {
    let [coupled, alone] = compare().unwrap().map(|mut outcome| outcome.tables.summary.remove(0));
    assert!(coupled.intact && alone.intact);
    assert!(coupled.goodput_bps < 0.9 * alone.goodput_bps);
}
