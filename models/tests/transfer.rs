//! Whole transfers between two hosts.

mod lab;

use lab::*;

fn show(name: &str, want: &str, lab: &Lab) {
    let t = std::time::Instant::now();
    let out = lab.run(40);
    println!(
        "{name:20} {:.2} (want {want}) Mbit/s, fct {:.3}, share {:.2}, wrong {}, rexmit {} {}, {:?} {:?}, {:?} {:?}, hops {} gap {} {:?}",
        out.goodput(),
        out.completion().as_secs_f64(),
        out.share(0),
        out.receiver().app().ledger().wrong_bytes(),
        out.retransmissions(0),
        out.retransmissions(1),
        out.client().connection().mode(),
        out.server().connection().mode(),
        out.client().connection().state(),
        out.server().connection().state(),
        out.simulation.packet_hops(),
        out.receiver().app().ledger().longest_gap().0, t.elapsed()
    );
}

#[test]
fn first_light() {
    use mptcpsim_models::congestion::Name;
    for (cc, w) in [(Name::Reno, ["17.08/48 t17.35/45", "17.97/142 18.25/137", "17.98/201 18.27/202", "18.1", "21.0 .84", "16.8 .55", "17.5 .44", "25.6 .36"]), (Name::Cubic, ["17.46/6 17.68", "17.98/8 18.27/7", "17.98/12 18.27", "18.3", "16.9 .84", "16.6 .56", "20.2 .4", "23.4 .36"])] {
        for (name, q, want) in [("q05", 0.5, w[0]), ("q1", 1.0, w[1]), ("q2", 2.0, w[2])] {
            show(&format!("mptcp {cc:?} {name}"), want, &Lab::upload(vec![path(20, 20).queue(q)], 6_000_000).congestion(cc));
            show(&format!("tcp {cc:?} {name}"), want, &Lab::upload(vec![path(20, 20).queue(q)], 6_000_000).congestion(cc).with(|lab| { lab.options.mptcp = false; }));
        }
        show(&format!("eq2 {cc:?}"), w[3], &Lab::upload(vec![path(10, 10), path(10, 10)], 6_000_000).congestion(cc));
        show(&format!("het20_5 {cc:?}"), w[4], &Lab::upload(vec![path(20, 10), path(5, 80)], 8_000_000).congestion(cc));
        show(&format!("het10_10 {cc:?}"), w[5], &Lab::upload(vec![path(10, 10), path(10, 50)], 6_000_000).congestion(cc));
        show(&format!("wl {cc:?}"), w[6], &Lab::upload(vec![path(30, 15).loss(0.005), path(15, 35)], 8_000_000).congestion(cc));
        show(&format!("three {cc:?}"), w[7], &Lab::upload(vec![path(10, 10), path(10, 20), path(10, 40)], 9_000_000).congestion(cc));
    }
}
