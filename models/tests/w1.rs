//! Scratch.
mod lab;
use lab::*;
use mptcpsim_models::app::AppSpec;
use mptcpsim_models::congestion::Name;
use mptcpsim_core::time::{Span, Time};

#[test]
fn w1() {
    let secs: u64 = std::env::var("SECS").ok().and_then(|s| s.parse().ok()).unwrap_or(10);
    for (name, paths, mptcp) in [("W1", vec![path(1000, 10)], false), ("W2", vec![path(100, 10), path(100, 20)], true)] {
        if std::env::var("ONLY").is_ok_and(|o| o != name) { continue; }
        let lab = Lab::upload(paths, 1).congestion(Name::Reno).with(|l| {
            l.client_app = AppSpec::Bulk { send: None, until: None, abort: false, delay: Span::ZERO };
            l.options.mptcp = mptcp;
            l.client.quickack = true; l.server.quickack = true;
        });
        let mut sim = lab.build();
        let t = std::time::Instant::now();
        sim.run_until(Time::ZERO + Span::from_secs(secs));
        let e = t.elapsed().as_secs_f64();
        let hops = sim.packet_hops();
        let rate = sim.hosts().actors().iter().map(|a| a.app().ledger().bytes()).max().unwrap() as f64 * 8.0 / secs as f64 / 1e6;
        println!("{name} {hops} hops {:.2} M/s goodput {rate:.1}", hops as f64 / e / 1e6);
    }
}
