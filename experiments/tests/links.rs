//! Links that vary, interfaces that come and go, and what their radios draw.

use std::fs;

use mptcpsim::check::{Notation, Source, check};
use mptcpsim::plan::Plan;
use mptcpsim::results::Tables;
use mptcpsim::run::run;
use mptcpsim::shipped;

const ONE_PATH: &str = r#"
    duration = "20 s"
    [links.way]
    rate = "10 Mbit/s"
    delay = "10 ms"
    [hosts.client]
    addresses = { a = "10.0.1.1" }
    [hosts.server]
    addresses = { a = "10.0.1.2" }
    [[paths]]
    between = ["client.a", "server.a"]
    via = ["way"]
    [[flows]]
    app = { kind = "timed", duration = "10 s" }
"#;

fn plan(changed: &[(&str, &str)], more: &str) -> Plan {
    let text = changed.iter().fold(ONE_PATH.to_owned(), |text, (from, to)| text.replace(from, to));
    check(&Source::new("test", &(text + more), Notation::Toml), &[]).unwrap()
}

fn tables(plan: &Plan) -> Tables {
    run(plan, &mut |_| ()).unwrap().tables
}

/// Bytes acknowledged from one time to another.
fn delivered(tables: &Tables, from: f64, to: f64) -> u64 {
    let at = |time: f64| {
        let rows = tables.timeseries.iter().take_while(|row| row.time_s <= time + 1e-9);
        rows.last().map_or(0, |row| row.delivered_bytes)
    };
    at(to) - at(from)
}

#[test]
fn tables_of_rates_and_delays_hold_and_are_written_beside_results() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("drive.csv"),
        "time_s,rate_bps,delay_s\n0,8e6,0.010\n5,2e6,0.100\n",
    )
    .unwrap();
    let text = ONE_PATH
        .replace("\"10 Mbit/s\"", "{ series = \"drive.csv\" }")
        .replace("\"10 ms\"", "{ series = \"drive.csv\" }");
    let source = Source::new("test", &text, Notation::Toml).in_folder(folder.path());
    let plan = check(&source, &[]).unwrap();
    let tables = tables(&plan);
    let (fast, slow) = (delivered(&tables, 2.0, 4.0), delivered(&tables, 7.0, 9.0));
    assert!((1_700_000..=2_000_000).contains(&fast), "{fast}");
    assert!((400_000..=500_000).contains(&slow), "{slow}");
    let srtt = |time: f64| {
        tables.timeseries.iter().find(|row| row.time_s >= time).and_then(|row| row.srtt_ms).unwrap()
    };
    assert!(srtt(4.0) < 300.0 && srtt(9.0) > 200.0, "{} {}", srtt(4.0), srtt(9.0));

    let files = plan.traces();
    let names = files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    let expected = ["up-rate", "up-delay", "down-rate", "down-delay"];
    assert_eq!(names, expected.map(|name| format!("traces/way-{name}.csv")));
}

#[test]
fn a_fault_of_a_table_names_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("drive.csv"), "time_s,rate_bps\n0,8e6\nlater,1e6\n").unwrap();
    let text = ONE_PATH.replace("\"10 Mbit/s\"", "{ series = \"drive.csv\" }");
    let source = Source::new("test", &text, Notation::Toml).in_folder(folder.path());
    let faults = check(&source, &[]).unwrap_err().to_string();
    assert!(faults.contains("`drive.csv`: line 3: `later` is no time_s"), "{faults}");
}

#[test]
fn drawn_links_depend_on_their_name_and_the_seed() {
    let varying = [
        ("\"10 Mbit/s\"", "{ cellular = \"10 Mbit/s\" }"),
        ("\"10 ms\"", "{ drawn = { from = \"5 ms\", to = \"50 ms\" }, every = \"1 s\" }"),
    ];
    let first = plan(&varying, "");
    assert_eq!(first.links, plan(&varying, "").links);
    let other =
        [&varying[..], &[("duration = \"20 s\"", "duration = \"20 s\"\nseed = 2")]].concat();
    assert_ne!(first.links, plan(&other, "").links);
    let [up, down] = [&first.links[0].up, &first.links[0].down];
    assert_ne!(up.config.capacity, down.config.capacity);
    assert_ne!(up.delays, down.delays);
    assert!(delivered(&tables(&first), 0.0, 10.0) > 1_000_000);
}

#[test]
fn nothing_comes_without_coverage() {
    let covered = "[[coverage]]\nlink = \"way\"\nintervals = [\"0 s..2 s\", \"6 s..\"]";
    let tables = tables(&plan(&[], covered));
    let row = &tables.summary[0];
    assert!(row.longest_gap_s > 4.0 && row.longest_gap_s < 8.0, "{}", row.longest_gap_s);
    let at = row.longest_gap_start_s.unwrap();
    assert!((1.9..2.1).contains(&at), "{at}");
    for (faulty, why) in [
        ("link = \"way\"\nintervals = [\"5 s..6 s\", \"2 s..3 s\"]", "does not begin after"),
        ("link = \"way\"\nintervals = []", "there is never coverage"),
        ("host = \"client\"\nintervals = [\"0 s..1 s\"]", "coverage is that of a link"),
        ("link = \"way\"\nintervals = [\"3 s..1 s\"]", "`3 s..1 s` is not a time from"),
        ("link = \"no\"\nintervals = [\"1 s..3 s\"]", "unknown link `no`"),
    ] {
        let text = format!("{ONE_PATH}\n[[coverage]]\n{faulty}");
        let faults = check(&Source::new("test", &text, Notation::Toml), &[]).unwrap_err();
        assert!(faults.to_string().contains(why), "{faults}");
    }
}

#[test]
fn energy_is_power_times_time_and_what_data_costs() {
    let radio = "[hosts.client.radios]\na = { active_mw = 1000, hold = \"100 ms\", tail_mw = 500, \
                 tail = \"2 s\", promotion_mw = 800, promotion = \"500 ms\", \
                 download_mw_per_mbps = 50, upload_mw_per_mbps = 100, idle_mw = 10 }";
    let tables = tables(&plan(&[], radio));
    let [row] = tables.energy.as_slice() else { panic!("{:?}", tables.energy) };
    assert_eq!((row.promotions, row.promotion_j), (1, 0.4));
    assert!((10.0..10.5).contains(&row.active_s), "{row:?}");
    assert!(
        (row.active_j - row.active_s).abs() < 1e-9 && (row.tail_j - 1.0).abs() < 1e-9,
        "{row:?}"
    );
    let data_j = 8e-6 * (0.05 * row.received_bytes as f64 + 0.1 * row.sent_bytes as f64);
    assert!((row.data_j - data_j).abs() < 1e-9 && row.data_j > 4.0, "{row:?}");
    assert_eq!(tables.summary[0].energy_j, Some(row.energy_j));
}

#[test]
fn the_train_goes_on_after_every_gap() {
    let scenario = shipped::find("train").unwrap();
    let tables = tables(&check(&scenario.source(), &[]).unwrap());
    let row = &tables.summary[0];
    assert!(row.complete && row.intact && row.longest_gap_s > 5.0, "{row:?}");
    // WiFi came twice, each time as a new subflow.
    assert_eq!(tables.subflows.iter().filter(|row| row.path == "wifi").count(), 2);
    let [lte, wifi] = [&tables.energy[0], &tables.energy[1]];
    assert!(lte.energy_j > 3.0 * wifi.energy_j, "{lte:?} {wifi:?}");
}
