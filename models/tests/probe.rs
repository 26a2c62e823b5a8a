//! Scratch.
mod lab;
use lab::*;
use mptcpsim_models::congestion::Name;

fn stats(name: &str, want: &str, f: impl Fn(u64) -> Lab) {
    let v: Vec<(f64,f64,u64,u64)> = (1..=20).map(|s| { let o = f(s).run(60); (o.goodput(), o.share(0), o.retransmissions(0), o.retransmissions(1)) }).collect();
    let n = v.len() as f64;
    let m = v.iter().map(|x| x.0).sum::<f64>() / n;
    let sd = (v.iter().map(|x| (x.0 - m).powi(2)).sum::<f64>() / (n-1.0)).sqrt();
    println!("{name} {m:.2} +- {sd:.2} (want {want}) share {:.2} rexmit {} {}", v.iter().map(|x| x.1).sum::<f64>() / n, v.iter().map(|x| x.2).sum::<u64>() as f64/n, v.iter().map(|x| x.3).sum::<u64>() as f64/n);
}

#[test]
fn probe() {
    for cc in [Name::Cubic, Name::Reno] {
        stats(&format!("wl {cc:?}"), "c 20.2 .74 r 17.5 3.28", |s| Lab::upload(vec![path(30, 15).loss(0.005), path(15,35)], 6_000_000).congestion(cc).with(|l| l.seed = s));
        stats(&format!("wifi {cc:?}"), "c 7.2", |s| Lab::upload(vec![path(30, 15).loss(0.005)], 6_000_000).congestion(cc).with(|l| l.seed = s));
        stats(&format!("l01 {cc:?}"), "c 12.99 2.05 r 11.53 1.81", |s| Lab::upload(vec![path(20, 20).loss(0.001)], 8_000_000).congestion(cc).with(|l| l.seed = s));
        stats(&format!("l1 {cc:?}"), "c 3.72 .51 r 3.77 .57", |s| Lab::upload(vec![path(20, 20).loss(0.01)], 2_600_000).congestion(cc).with(|l| l.seed = s));
    }
    stats("lte", "13.2", |s| Lab::upload(vec![path(15,35)], 6_000_000).congestion(Name::Cubic).with(|l| l.seed = s));
    stats("het20_5", "16.9 .69", |s| Lab::upload(vec![path(20,10), path(5,80)], 8_000_000).congestion(Name::Cubic).with(|l| l.seed = s));
    stats("three", "23.4 1.35", |s| Lab::upload(vec![path(10,10), path(10,20), path(10,40)], 9_000_000).congestion(Name::Cubic).with(|l| l.seed = s));
}
