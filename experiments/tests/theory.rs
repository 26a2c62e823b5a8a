//! Simulations beside fluid models: shared bottlenecks and round-trip times as RFC 6356 wants them treated.

use std::collections::BTreeMap;

use mptcpsim::check::{Notation, Override, Source, check};
use mptcpsim::run::run;
use mptcpsim::theory::{Theory, theory};
use mptcpsim_core::rng::{Seed, Stream};
use rayon::prelude::*;

/// How many seeds the mean of a noisy share is taken over.
const SEEDS: u32 = 8;

/// The share of `mptcp` beside `tcp`, in theory and simulated, each the mean over seeds.
fn shares(scenario: &str, algorithm: &str) -> (f64, f64) {
    let share = |mptcp: f64, tcp: f64| mptcp / (mptcp + tcp) / f64::from(SEEDS);
    let of_seed = |seed: u32| {
        let seeded = format!("seed = {seed}\n{scenario}");
        let found = compare(&seeded, &[("ALGORITHM", algorithm)]).unwrap();
        let (mptcp, tcp) = (rates(&found, "mptcp"), rates(&found, "tcp"));
        (share(mptcp.0, tcp.0), share(mptcp.1, tcp.1))
    };
    let sum = |sum: (f64, f64), it: (f64, f64)| (sum.0 + it.0, sum.1 + it.1);
    (1..=SEEDS).map(of_seed).fold((0.0, 0.0), sum)
}

fn compare(scenario: &str, set: &[(&str, &str)]) -> Result<Theory, Vec<String>> {
    let text = set.iter().fold(scenario.to_owned(), |text, (from, to)| text.replace(from, to));
    let plan = check(&Source::new("test", &text, Notation::Toml), &[]).unwrap();
    let outcome = run(&plan, &mut |_| ()).unwrap();
    theory(&plan, &outcome.tables)
}

/// Rates in Mbit/s of the connections whose names begin so: expected, simulated.
fn rates(theory: &Theory, flow: &str) -> (f64, f64) {
    let of_flow = || theory.subflows.iter().filter(|it| it.flow.starts_with(flow));
    let sum =
        |rate: fn(&mptcpsim::theory::Expectation) -> f64| of_flow().map(rate).sum::<f64>() / 1e6;
    (sum(|it| it.expected_bps), sum(|it| it.simulated_bps))
}

/// 1000 packets a second, 100 ms, random early detection; two subflows beside four TCPs.
const SHARED: &str = r#"
    duration = "200 s"
    [links.bottleneck]
    rate = "12 Mbit/s"
    delay = "50 ms"
    queue = { discipline = "red", min = "10 packets", max = "60 packets", max_probability = "10 %", weight = 0.002, limit = "200 packets" }
    [hosts.client]
    addresses = { a = "10.0.1.1", b = "10.0.2.1" }
    [hosts.server]
    addresses = { a = "10.0.1.2", b = "10.0.2.2" }
    route = { quickack = true }
    [[paths]]
    name = "one"
    between = ["client.a", "server.a"]
    via = ["bottleneck"]
    [[paths]]
    name = "two"
    between = ["client.b", "server.b"]
    via = ["bottleneck"]
    [[flows]]
    name = "mptcp"
    app = { kind = "timed", duration = "200 s", direction = "upload" }
    congestion_control = "ALGORITHM"
    mptcp = { scheduler = "lowest-rtt" }
    [[flows]]
    name = "tcp"
    protocol = "tcp"
    repeat = { times = 4, every = "300 ms" }
    app = { kind = "timed", duration = "199 s", direction = "upload" }
    congestion_control = "reno"
"#;

/// 250 packets a second and 500 ms, 500 packets a second and 50 ms, a TCP on each.
const DISTANT: &str = r#"
    duration = "600 s"
    [links.slow]
    rate = "3 Mbit/s"
    delay = "250 ms"
    queue = { discipline = "red", min = "8 packets", max = "40 packets", max_probability = "10 %", weight = 0.002, limit = "200 packets" }
    [links.fast]
    rate = "6 Mbit/s"
    delay = "25 ms"
    queue = { discipline = "red", min = "4 packets", max = "16 packets", max_probability = "10 %", weight = 0.002, limit = "200 packets" }
    [hosts.client]
    addresses = { a = "10.0.1.1", b = "10.0.2.1" }
    [hosts.server]
    addresses = { a = "10.0.1.2", b = "10.0.2.2" }
    route = { quickack = true }
    [[paths]]
    name = "slow"
    between = ["client.a", "server.a"]
    via = ["slow"]
    [[paths]]
    name = "fast"
    between = ["client.b", "server.b"]
    via = ["fast"]
    [[flows]]
    name = "mptcp"
    source = "b"
    destination = "b"
    app = { kind = "timed", duration = "600 s", direction = "upload" }
    congestion_control = "ALGORITHM"
    mptcp = { scheduler = "lowest-rtt" }
    [[flows]]
    name = "tcp-slow"
    protocol = "tcp"
    source = "a"
    destination = "a"
    app = { kind = "timed", duration = "600 s", direction = "upload" }
    congestion_control = "reno"
    [[flows]]
    name = "tcp-fast"
    protocol = "tcp"
    source = "b"
    destination = "b"
    app = { kind = "timed", duration = "600 s", direction = "upload" }
    congestion_control = "reno"
"#;

/// Five links in a ring of 1000 packets a second and 100 ms, one of them with 100 packets a second; five
/// connections, each over two neighbours (D. Wischik et al., NSDI 2011, section 3).
const TORUS: &str = r#"
    duration = "900 s"
    [topology]
    shape = { kind = "torus", links = 5 }
    [topology.link]
    rate = "12 Mbit/s"
    delay = "50 ms"
    queue = { discipline = "red", min = "40 packets", max = "240 packets", max_probability = "10 %", weight = 0.002, limit = "500 packets" }
    [topology.host.route]
    quickack = true
    [links.link3]
    rate = "1.2 Mbit/s"
    delay = "50 ms"
    queue = { discipline = "red", min = "4 packets", max = "24 packets", max_probability = "10 %", weight = 0.02, limit = "60 packets" }
    [traffic]
    [traffic.flow]
    congestion_control = "ALGORITHM"
    mptcp = { scheduler = "lowest-rtt" }
    app = { kind = "timed", duration = "900 s", direction = "upload" }
    [record]
    interval = "60 s"
"#;

/// Two links of 750 packets a second and 50 ms, a wVegas on each and one on both.
const DELAYS: &str = r#"
    duration = "120 s"
    [links.one]
    rate = "9 Mbit/s"
    delay = "25 ms"
    queue = { discipline = "droptail", limit = "400 packets" }
    [links.two]
    rate = "9 Mbit/s"
    delay = "25 ms"
    queue = { discipline = "droptail", limit = "400 packets" }
    [hosts.client]
    addresses = { a = "10.0.1.1", b = "10.0.2.1" }
    [hosts.server]
    addresses = { a = "10.0.1.2", b = "10.0.2.2" }
    [[paths]]
    name = "one"
    between = ["client.a", "server.a"]
    via = ["one"]
    [[paths]]
    name = "two"
    between = ["client.b", "server.b"]
    via = ["two"]
    [[flows]]
    name = "both"
    app = { kind = "timed", duration = "120 s", direction = "upload" }
    congestion_control = "wvegas"
    mptcp = { scheduler = "lowest-rtt" }
    [[flows]]
    name = "on-one"
    protocol = "tcp"
    source = "a"
    destination = "a"
    app = { kind = "timed", duration = "120 s", direction = "upload" }
    congestion_control = "wvegas"
    [[flows]]
    name = "on-two"
    protocol = "tcp"
    source = "b"
    destination = "b"
    app = { kind = "timed", duration = "120 s", direction = "upload" }
    congestion_control = "wvegas"
    [record]
    interval = "100 ms"
"#;

/// RFC 6356 section 2, goal 2: at a shared bottleneck not more than a TCP. Every packet is acknowledged: the
/// kernel's couplers count acknowledgements, so where receivers delay them they get 0.75 of this. With delays as
/// long as these the kernel's LIA no longer tells which path is best, which costs it an eighth (see its module).
#[test]
fn coupled_flows_do_no_harm_at_a_shared_bottleneck() {
    for algorithm in
        ["uncoupled", "ewtcp", "lia", "lia-rfc6356", "olia", "olia-paper", "balia", "balia-draft"]
    {
        let (expected, simulated) = shares(SHARED, algorithm);
        println!("{algorithm}: share {simulated:.3}, in theory {expected:.3}");
        let kept = if algorithm == "lia" { 7.0 / 8.0 } else { 1.0 };
        let error = simulated / expected - kept;
        assert!(error.abs() < 0.1, "{algorithm} {simulated} {expected}");
        assert_eq!(simulated > 0.3, algorithm == "uncoupled", "{algorithm} {simulated}");
    }
}

/// Two subflows of unequal delay beside a TCP each (D. Wischik et al., NSDI 2011).
#[test]
fn round_trip_times_are_compensated_for() {
    for algorithm in ["uncoupled", "lia-rfc6356", "balia-draft"] {
        let (expected, simulated) = shares(DISTANT, algorithm);
        println!("{algorithm}: share {simulated:.3}, in theory {expected:.3}");
        assert!((simulated / expected - 1.0).abs() < 0.1, "{algorithm} {simulated} {expected}");
    }
}

/// Packets a second of a connection over the slow link and of one of the others, by convex programs and
/// differential equations solved elsewhere.
#[test]
fn traffic_leaves_the_slow_link_of_a_torus() {
    for (algorithm, with_slow, others) in
        [("uncoupled", 550.0, 1_000.0), ("lia-rfc6356", 706.5, 895.7)]
    {
        let found = compare(TORUS, &[("ALGORITHM", algorithm)]).unwrap();
        for (flows, elsewhere) in
            [(&["from2", "from3"][..], with_slow), (&["from1", "from4", "from5"], others)]
        {
            let all: Vec<_> = flows.iter().map(|flow| rates(&found, flow)).collect();
            let mean = |rate: fn(&(f64, f64)) -> f64| {
                all.iter().map(rate).sum::<f64>() / all.len() as f64 * 1e6 / 8.0 / 1_428.0
            };
            let (expected, simulated) = (mean(|it| it.0), mean(|it| it.1));
            println!("{algorithm} {flows:?}: {simulated:.0}, {expected:.0}, {elsewhere:.0}");
            assert!((expected / elsewhere - 1.0).abs() < 0.1, "{algorithm} {expected}");
            let error = simulated / elsewhere - 1.0;
            assert!(error.abs() < 0.1, "{algorithm} {flows:?} {simulated}");
        }
    }
}

/// The differential equations of OLIA give 820 packets a second to everybody. They take windows for
/// smooth and losses for frequent; here a loss comes once in some thousand packets and halves a window,
/// and in rounds that do the same those who share the slow link stay a tenth below, as they do here.
#[test]
fn olia_balances_a_torus_as_far_as_windows_of_packets_let_it() {
    let found = compare(TORUS, &[("ALGORITHM", "olia-paper")]).unwrap();
    let in_rounds = torus_in_rounds();
    let mut worst = 0.0f64;
    for (number, in_rounds) in (1..).zip(in_rounds) {
        let (expected, simulated) = rates(&found, &format!("from{number}"));
        let packets = |mbps: f64| mbps * 1e6 / 8.0 / 1_428.0;
        let (expected, simulated) = (packets(expected), packets(simulated));
        println!("from{number}: {simulated:.0}, in rounds {in_rounds:.0}, {expected:.0}");
        assert!((expected / 820.0 - 1.0).abs() < 0.1, "{expected}");
        worst = worst.max((simulated / in_rounds - 1.0).abs());
    }
    assert!(worst < 0.15, "{worst}");
    assert!(in_rounds[1].max(in_rounds[2]) < 0.95 * 820.0, "{in_rounds:?}");
}

/// A window of OLIA.
#[derive(Clone, Copy)]
struct Window {
    packets: f64,
    since_loss: f64,
    between_losses: f64,
}

impl Window {
    /// Packets between losses (l_r of the paper).
    fn interval(self) -> f64 {
        self.since_loss.max(self.between_losses)
    }
}

/// The connections of [`TORUS`] in rounds of 100 ms: each window grows by what its acknowledgements add and
/// is halved if one of its packets is lost, and each link loses what keeps its load at its rate.
fn torus_in_rounds() -> [f64; 5] {
    const ROUND_S: f64 = 0.1;
    const ROUNDS: u32 = 50_000;
    const SETTLED: u32 = 15_000;
    let capacity = [1_000.0, 1_000.0, 100.0, 1_000.0, 1_000.0];
    let mut random = Stream::new(Seed(1), "rounds");
    let new = Window { packets: 10.0, since_loss: 0.0, between_losses: 0.0 };
    let (mut windows, mut loss, mut packets) = ([[new; 2]; 5], [1e-3f64; 5], [0.0; 5]);
    for round in 0..ROUNDS {
        for link in 0..5 {
            let load = (windows[link][0].packets + windows[(link + 4) % 5][1].packets) / ROUND_S;
            let excess = (load / capacity[link] - 1.0).clamp(-1.0, 1.0);
            loss[link] = (loss[link] * (1.0 + 0.01 * excess)).clamp(1e-7, 0.3);
        }
        for (flow, paths) in windows.iter_mut().enumerate() {
            let total = paths[0].packets + paths[1].packets;
            let shifts = shifts(paths);
            for (path, (window, shift)) in paths.iter_mut().zip(shifts).enumerate() {
                let sent = window.packets;
                let chance = loss[(flow + path) % 5] * sent;
                if random.uniform() < chance {
                    window.packets = (sent / 2.0).max(1.0);
                    window.between_losses = std::mem::take(&mut window.since_loss);
                } else {
                    window.since_loss += sent;
                    window.packets += sent * (sent / (total * total) + shift / sent);
                    window.packets = window.packets.max(1.0);
                }
                if round >= SETTLED {
                    packets[flow] += window.packets;
                }
            }
        }
    }
    packets.map(|packets| packets / f64::from(ROUNDS - SETTLED) / ROUND_S)
}

/// Which window gives and which takes (alpha_r of the paper): the best path takes if its window is smaller.
fn shifts([one, two]: &[Window; 2]) -> [f64; 2] {
    if one.interval() > two.interval() && one.packets < two.packets {
        [0.5, -0.5]
    } else if two.interval() > one.interval() && two.packets < one.packets {
        [-0.5, 0.5]
    } else {
        [0.0, 0.0]
    }
}

/// Paths that a connection uses settle at one queueing delay, and its rate times that delay is the number
/// of packets it wants to have queued, 10 (Y. Cao et al., ICNP 2012): 500 packets a second and 20 ms for
/// each of three connections on links of 750.
#[test]
fn delays_of_wvegas_are_equal_and_hold_ten_packets_of_each_connection() {
    // Where each window stops is a matter of single packets and of who came first: the mean of some starts counts.
    let starts =
        [(0, 0), (0, 250), (130, 250), (400, 250), (400, 1100), (900, 0), (900, 250), (130, 1100)];
    let runs: Vec<_> = starts.into_par_iter().map(wvegas).collect();
    let mean = |pick: fn(&Settled) -> &BTreeMap<String, f64>, name: &str| {
        runs.iter().map(|run| pick(run)[name]).sum::<f64>() / runs.len() as f64
    };
    for flow in ["both", "on-one", "on-two"] {
        let rate = mean(|run| &run.packets, flow);
        println!("{flow}: {rate:.0} packets a second");
        assert!((rate / 500.0 - 1.0).abs() < 0.1, "{flow} {rate}");
    }
    for link in ["one", "two"] {
        let delay = mean(|run| &run.delays, link);
        println!("{link}: {delay:.1} ms");
        assert!((delay / 20.0 - 1.0).abs() < 0.15, "{link} {delay}");
    }
}

/// Mean delays in ms at the links, and packets a second of the flows, after 40 s.
struct Settled {
    delays: BTreeMap<String, f64>,
    packets: BTreeMap<String, f64>,
}

/// [`DELAYS`] with the TCPs started so many milliseconds after the connection.
fn wvegas((one, two): (u32, u32)) -> Settled {
    let starts =
        [(1, one), (2, two)].map(|(flow, start)| format!("flows.{flow}.start=\"{start} ms\""));
    let set = starts.map(|text| Override::set(&text));
    let plan = check(&Source::new("test", DELAYS, Notation::Toml), &set).unwrap();
    let tables = run(&plan, &mut |_| ()).unwrap().tables;
    let mut delays = BTreeMap::<_, Vec<f64>>::new();
    for row in tables.queues.iter().filter(|row| row.time_s > 40.0 && row.direction == "up") {
        delays.entry(row.link.clone()).or_default().extend(row.delay_ms);
    }
    let mean = |(link, delays): (String, Vec<f64>)| {
        (link, delays.iter().sum::<f64>() / delays.len() as f64)
    };
    let mut packets = BTreeMap::new();
    for row in tables.timeseries.iter().filter(|row| row.time_s > 40.0 && row.sender == "client") {
        *packets.entry(row.flow.clone()).or_default() += row.rate_bps * 0.1 / 8.0 / 1_428.0 / 80.0;
    }
    Settled { delays: delays.into_iter().map(mean).collect(), packets }
}

#[test]
fn what_has_no_equilibrium_is_said_so() {
    let scenario = r#"
        duration = "5 s"
        paths = [{ name = "a", rate = "5 Mbit/s", delay = "10 ms" }]
        flows = [{ app = { kind = "request", response_bytes = "10 KB" } }]
        timeline = [{ at = "1 s", link = "a", set = { delay = "5 ms" } }]
    "#;
    let reasons = compare(scenario, &[]).unwrap_err().join("\n");
    for reason in ["timeline", "not always data", "no fluid model of cubic"] {
        assert!(reasons.contains(reason), "{reasons}");
    }
}
