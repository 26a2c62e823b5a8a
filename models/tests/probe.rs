//! Scratch.
mod lab;
#[path = "kernel/rig.rs"]
mod rig;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::host::Tap;
use serde_json::Value;

#[test]
fn maps() {
    let name = std::env::var("NAME").unwrap();
    let scenarios: Vec<Value> = serde_json::from_str(include_str!("data/kernel-6.18/scenarios.json")).unwrap();
    let sc = scenarios.iter().find(|s| s["name"] == name.as_str()).unwrap();
    let lab = rig::lab(sc, 1);
    let mut sim = lab.build();
    sim.hosts_mut().set_tap(Tap::new(true));
    if std::env::var("SS").is_ok() {
        for i in 1..34 {
            let t = Span::from_ms(100 * i);
            sim.run_until(Time::ZERO + t);
            for actor in sim.hosts().actors() {
                let c = actor.connection();
                if !c.is_client() { continue; }
                for s in 0..c.subflow_count() {
                    let (w, f) = (c.window(s).unwrap(), c.subflow(s).unwrap());
                    println!("{:.3} s{s} {} {} {} {} {} {} {:?} wnd {}", t.as_secs_f64(), w.cwnd, w.ssthresh, w.srtt_us as f64/8e3, w.packets_out, f.unsent_bytes(w.snd_nxt), f.totals().retransmissions, c.send_offsets(), f.snd_wnd());
                }
            }
        }
        return;
    }
    sim.run_until(Time::ZERO + Span::from_secs(10));
    let mut first = None;
    let mut last = (0, 0, 0);
    for t in sim.hosts_mut().tap().seen() {
        if !t.sent { continue; }
        let Some(d) = t.segment.dss.filter(|d| d.has_mapping()) else { continue };
        let base = *first.get_or_insert(d.dsn);
        let key = (t.tuple.src.port() as u64 + t.tuple.dst.port() as u64, d.dsn, d.len as u64);
        if key == last { continue; }
        last = key;
        println!("{:.4} {} dsn {} len {} ssn {} payload {} {}", t.at.as_secs_f64(), t.tuple.src, d.dsn.wrapping_sub(base), d.len, d.ssn, t.segment.payload.len(), if d.data_fin {"FIN"} else {""});
    }
}

#[test]
fn trace() {
    let name = std::env::var("NAME").unwrap();
    let (a, b): (f64, f64) = (std::env::var("A").unwrap().parse().unwrap(), std::env::var("B").unwrap().parse().unwrap());
    let scenarios: Vec<Value> = serde_json::from_str(include_str!("data/kernel-6.18/scenarios.json")).unwrap();
    let sc = scenarios.iter().find(|s| s["name"] == name.as_str()).unwrap();
    let lab = rig::lab(sc, 1);
    lab::print_between(&lab, a, b);
}
