//! What papers have found, in small: the sweeps of `scenarios/papers` with fewer seeds and less time.
//!
//! Shapes are checked, not figures: who gets more than whom. The figures of the full sweeps, and where they
//! differ from the papers, are in `docs/papers.md`.

use mptcpsim::check::{Override, check};
use mptcpsim::results::Tables;
use mptcpsim::run::run;
use mptcpsim::shipped;
use rayon::prelude::*;

/// A paper's scenario once, with other values.
fn tables(name: &str, set: &[String]) -> Tables {
    let overrides = set.iter().map(|text| Override::set(text)).collect::<Vec<_>>();
    let source = shipped::find(name).unwrap().source();
    let plan = check(&source, &overrides).unwrap();
    run(&plan, &mut |_| ()).unwrap().tables
}

/// Mean goodput in Mbit/s of the flows whose names begin so.
fn goodput(tables: &Tables, flow: &str) -> f64 {
    let rows = tables.summary.iter().filter(|row| row.flow.starts_with(flow));
    let goodputs = rows.map(|row| row.goodput_bps / 1e6).collect::<Vec<_>>();
    goodputs.iter().sum::<f64>() / goodputs.len() as f64
}

fn control(name: &str) -> String {
    format!("flows.0.congestion_control=\"{name}\"")
}

/// All flows that last as long as the run do so for `seconds`.
fn shorter(flows: usize, seconds: u32) -> Vec<String> {
    let app = |flow| format!("flows.{flow}.app.duration=\"{seconds} s\"");
    (0..flows).map(app).chain([format!("duration=\"{} s\"", seconds + 4)]).collect()
}

#[test]
fn coupling_gets_what_the_better_path_gives_whatever_the_round_trips() {
    let run = |name| tables("nsdi11-rtt", &[shorter(3, 40), vec![control(name)]].concat());
    let (uncoupled, ewtcp, lia) = (run("uncoupled"), run("ewtcp"), run("lia"));
    let (wifi, cellular) = (goodput(&lia, "tcp-wifi"), goodput(&lia, "tcp-3g"));
    let sum = wifi + cellular;
    assert!((goodput(&uncoupled, "mptcp") / sum - 1.0).abs() < 0.15, "the sum of both");
    assert!(goodput(&ewtcp, "mptcp") < 0.65 * wifi, "half of both");
    let part = goodput(&lia, "mptcp") / wifi;
    assert!((0.8..1.2).contains(&part), "{part} of what WiFi gives");
}

#[test]
fn coupled_subflows_are_one_flow_at_a_shared_bottleneck() {
    let share = |name: &str| {
        let of_seed = |seed: u32| {
            let set = [shorter(2, 60), vec![control(name), format!("seed={seed}")]].concat();
            let tables = tables("nsdi11-bottleneck", &set);
            goodput(&tables, "mptcp") / goodput(&tables, "tcp")
        };
        (1..=4).map(of_seed).sum::<f64>() / 4.0
    };
    let uncoupled = share("uncoupled");
    assert!((1.6..2.6).contains(&uncoupled), "{uncoupled}");
    for name in ["lia", "olia", "balia"] {
        let coupled = share(name);
        assert!((0.5..1.3).contains(&coupled), "{name}: {coupled}");
    }
}

#[test]
fn more_subflows_fill_a_fattree_and_leave_nobody_behind() {
    let with = |subflows: u32| {
        let set = [
            "topology.shape.k=4".to_owned(),
            "duration=\"4 s\"".to_owned(),
            format!("traffic.subflows={subflows}"),
        ];
        let tables = tables("sigcomm11-fattree", &set);
        let worst = tables.summary.iter().map(|row| row.goodput_bps / 1e6).fold(100.0, f64::min);
        (goodput(&tables, ""), worst)
    };
    let ((one, worst_of_one), (two, _), (eight, worst_of_eight)) = (with(1), with(2), with(8));
    assert!(one < two && two < eight, "{one} {two} {eight}");
    assert!(eight > 75.0, "{eight}");
    assert!(worst_of_eight > 2.0 * worst_of_one, "{worst_of_eight} {worst_of_one}");
}

#[test]
fn opportunistic_retransmission_makes_small_buffers_do() {
    let run = |scheduler: &str, buffer: &str, protocol: &str| {
        let set = [
            format!("flows.0.mptcp.scheduler=\"{scheduler}\""),
            format!("flows.0.receive_buffer=\"{buffer}\""),
            format!("flows.0.protocol=\"{protocol}\""),
        ];
        goodput(&tables("nsdi12-buffer", &set), "download")
    };
    for buffer in ["50 KB", "200 KB"] {
        let (relieved, plain) =
            (run("lowest-rtt", buffer, "mptcp"), run("roundrobin", buffer, "mptcp"));
        assert!(relieved > 1.5 * plain, "{buffer}: {relieved} {plain}");
        let tcp = run("lowest-rtt", buffer, "tcp");
        assert!(relieved > 0.9 * tcp, "{buffer}: {relieved} {tcp}");
    }
}

#[test]
fn whatever_a_middlebox_does_the_transfer_goes_on() {
    let goes_on = |via: &[&str], falls_back: bool| {
        let flow =
            tables("nsdi12-middleboxes", &[format!("paths.0.via={via:?}")]).summary.remove(0);
        assert!(flow.complete && flow.intact, "{via:?}");
        assert_eq!(!flow.fallback.is_empty(), falls_back, "{via:?}: {}", flow.fallback);
    };
    goes_on(&["wifi"], false);
    for name in [
        "nat",
        "sequence",
        "reorder",
        "clamp",
        "split",
        "coalesce",
        "firewall",
        "corrupt",
        "gateway",
        "strip-later",
    ] {
        goes_on(&[name, "wifi"], false);
    }
    for name in ["strip-syn", "strip-syn-ack", "strip-data", "echo", "split-proxy"] {
        goes_on(&[name, "wifi"], true);
    }
}

#[test]
fn olia_leaves_more_to_users_with_one_path_than_uncoupled_flows_do() {
    let run = |name| tables("conext12-c", &[shorter(2, 50), vec![control(name)]].concat());
    let single = |name| goodput(&run(name), "single");
    let (uncoupled, lia, olia) = (single("uncoupled"), single("lia"), single("olia"));
    assert!(olia > 1.3 * uncoupled && lia > 1.2 * uncoupled, "{uncoupled} {lia} {olia}");
    assert!(olia > 0.97 * lia, "{lia} {olia}");
}

#[test]
fn users_who_upgrade_for_nothing_take_from_others() {
    let run = |name| tables("conext12-a", &[shorter(2, 50), vec![control(name)]].concat());
    let (uncoupled, olia) = (run("uncoupled"), run("olia"));
    let gained = goodput(&uncoupled, "upgraded") / goodput(&olia, "upgraded");
    assert!((0.9..1.1).contains(&gained), "{gained}");
    let [rude, polite] = [&uncoupled, &olia].map(|tables| goodput(tables, "others"));
    assert!(rude < 0.75 && polite > 1.1 * rude, "{rude} {polite}");
}

#[test]
fn an_upgrade_that_uses_two_links_for_one_user_makes_all_lose() {
    let total = |protocol: &str, name: &str| {
        let red = [
            format!("flows.1.protocol=\"{protocol}\""),
            format!("flows.1.congestion_control=\"{name}\""),
        ];
        let tables = tables("conext12-b", &[shorter(2, 50), red.to_vec()].concat());
        goodput(&tables, "blue") + goodput(&tables, "red")
    };
    let (before, after) = (total("tcp", "reno"), total("mptcp", "lia"));
    assert!(after < 0.97 * before, "{before} {after}");
}

#[test]
fn wvegas_keeps_queues_short_and_their_delays_near_each_other() {
    let delays = |name| {
        let tables = tables("icnp12-wvegas", &[control(name)]);
        assert_eq!(tables.subflows.len(), 2, "a subflow for each path");
        ["fast", "slow"].map(|link| {
            let rows = tables.queues.iter();
            let rows = rows.filter(|row| row.link == link && row.direction == "up");
            let settled = rows.filter(|row| row.time_s > 20.0 && row.time_s < 55.0);
            let delays = settled.filter_map(|row| row.delay_ms).collect::<Vec<_>>();
            delays.iter().sum::<f64>() / delays.len() as f64
        })
    };
    let ([fast, slow], [lia_fast, lia_slow]) = (delays("wvegas"), delays("lia"));
    // A packet takes 0.6 ms at the fast link and 2.4 ms at the slow one.
    assert!(fast < 10.0 && slow < 10.0 && (fast - slow).abs() < 5.0, "{fast} {slow}");
    assert!(lia_slow - lia_fast > 50.0, "{lia_fast} {lia_slow}");
}

#[test]
fn balia_comes_back_sooner_than_lia_and_olia() {
    // What TCP gets before it leaves, and what the connection sends on the path within 20 s afterwards. Nothing in a
    // run is random, and one loss more or less decides how far a window has grown: the median of some is compared.
    let run = |name, spacing: u32| {
        let set = [control(name), format!("flows.1.repeat.every=\"{spacing} ms\"")];
        let tables = tables("balia", &set);
        let delivered = |until: f64| {
            let rows = tables.timeseries.iter();
            let rows = rows.filter(|row| row.flow == "mptcp" && row.path == "shared");
            let until = rows.filter(|row| row.time_s < until + 0.05);
            until.map(|row| row.delivered_bytes).max().unwrap() as f64
        };
        (goodput(&tables, "tcp"), 8.0 * (delivered(60.0) - delivered(40.0)) / 20e6)
    };
    let median = |name| {
        let runs = (70..=130).into_par_iter().filter(|spacing| spacing % 5 == 0);
        let runs = runs.map(|spacing| run(name, spacing));
        let (mut tcp, mut later): (Vec<_>, Vec<_>) = runs.unzip();
        tcp.sort_by(f64::total_cmp);
        later.sort_by(f64::total_cmp);
        (tcp[tcp.len() / 2], later[later.len() / 2])
    };
    let uncoupled = run("uncoupled", 100);
    let [lia, olia, balia] = ["lia", "olia", "balia"].map(median);
    assert!(uncoupled.1 > 15.0, "{uncoupled:?}");
    assert!(balia.1 > 1.5 * lia.1 && lia.1 > 1.5 * olia.1, "{balia:?} {lia:?} {olia:?}");
    // The paper has OLIA the friendliest by little: here both leave the same, and more than uncoupled subflows do.
    let friendly = |who: (f64, f64)| who.0 > 1.1 * uncoupled.0;
    assert!(friendly(olia) && friendly(balia), "{olia:?} {balia:?} {uncoupled:?}");
    assert!((olia.0 / balia.0 - 1.0).abs() < 0.02, "{olia:?} {balia:?}");
}

#[test]
fn schedulers_that_foresee_blocking_do_no_worse_with_small_buffers() {
    let run = |scheduler: &str| {
        let set = [format!("flows.0.mptcp.scheduler=\"{scheduler}\"")];
        tables("blest", &set).summary.remove(0)
    };
    let (lowest, blest, robin) = (run("lowest-rtt"), run("blest"), run("roundrobin"));
    assert!(blest.goodput_bps > 1.05 * lowest.goodput_bps, "{blest:?} {lowest:?}");
    assert!(blest.blocked_s < 0.3 * lowest.blocked_s && lowest.blocked_s < robin.blocked_s);
    assert!(blest.reinjected_bytes < lowest.reinjected_bytes);
}

#[test]
fn ecf_gives_a_video_a_better_quality_on_unequal_paths_unless_its_products_overflow() {
    let run = |scheduler: &str, more: &[&str]| {
        let mut set = vec![
            format!("flows.0.mptcp.scheduler=\"{scheduler}\""),
            "links.wifi.rate=\"300 kbit/s\"".into(),
        ];
        set.extend(more.iter().map(|text| text.to_string()));
        tables("conext17-ecf", &set).summary[0].mean_bitrate_bps.unwrap() as f64
    };
    let (lowest, blest, kernel) = (run("lowest-rtt", &[]), run("blest", &[]), run("ecf", &[]));
    assert!(kernel > 0.9 * lowest && blest > 0.9 * lowest, "{lowest} {blest} {kernel}");
    let paper = run("ecf", &["hosts.server.module_parameters.\"mptcp_ecf.overflows\"=0"]);
    assert!(paper > 2.0 * lowest, "{paper} {lowest}");
}

#[test]
fn sending_twice_spares_small_answers_the_retransmission() {
    let p99 = |scheduler: &str| {
        let set = [format!("flows.0.mptcp.scheduler=\"{scheduler}\"")];
        tables("redundant", &set).summary[0].request_p99_s.unwrap()
    };
    let (once, twice) = (p99("lowest-rtt"), p99("redundant"));
    assert!(twice < 0.6 * once, "{once} {twice}");
}

#[test]
fn every_mode_survives_the_loss_of_wifi_and_tcp_does_not() {
    let run = |before: &str, after: &str, protocol: &str| {
        let set = [
            format!("hosts.phone.mptcp.multipath.rmnet0=\"{before}\""),
            format!("timeline.0.multipath=\"{after}\""),
            format!("flows.0.protocol=\"{protocol}\""),
        ];
        tables("handover-modes", &set).summary.remove(0)
    };
    let (full, backup) = (run("on", "on", "mptcp"), run("backup", "backup", "mptcp"));
    let (single, tcp) = (run("off", "on", "mptcp"), run("on", "on", "tcp"));
    assert!(full.complete && backup.complete && single.complete && !tcp.complete);
    assert!(full.longest_gap_s <= backup.longest_gap_s && backup.longest_gap_s < 1.5);
    assert!(single.longest_gap_s < 1.5 && single.subflows == 2);
    assert!(full.completion_s < backup.completion_s);
}
