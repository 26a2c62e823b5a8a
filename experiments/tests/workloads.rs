//! What runs over connections, from the scenario to the tables.

use std::fs;

use mptcpsim::check::{Notation, Source, check};
use mptcpsim::plan::Plan;
use mptcpsim::results::{SummaryRow, Tables};
use mptcpsim::run::run;

/// A clean path of 10 Mbit/s and 20 ms there and back, and one flow of `app`.
fn scenario(app: &str) -> String {
    format!(
        "duration = \"60 s\"\nflows = [{{ app = {{ {app} }} }}]\n\
         paths = [{{ rate = \"10 Mbit/s\", delay = \"10 ms\" }}]\n"
    )
}

fn plan(text: &str) -> Plan {
    check(&Source::new("workloads", text, Notation::Toml), &[]).unwrap()
}

fn tables(text: &str) -> Tables {
    run(&plan(text), &mut |_| ()).unwrap().tables
}

fn summary(app: &str) -> SummaryRow {
    tables(&scenario(app)).summary.remove(0)
}

fn fault(text: &str) -> String {
    let source = Source::new("workloads", text, Notation::Toml);
    check(&source, &[]).unwrap_err().to_string()
}

#[test]
fn messages_at_a_constant_rate_take_the_delay_of_the_path() {
    for direction in ["download", "upload", "both"] {
        let app = format!(
            "kind = \"constant-rate\", rate = \"80 kbit/s\", message_bytes = \"100 B\", \
             duration = \"10 s\", deadline = \"11 ms\", direction = \"{direction}\""
        );
        let row = summary(&app);
        let ways = if direction == "both" { 2 } else { 1 };
        assert!(row.complete && row.intact, "{row:?}");
        assert_eq!((row.requests, row.bytes), (ways * 1_000, ways * 100_000));
        assert_eq!((row.request_p50_s.unwrap() * 1e3).floor(), 10.0);
        // The first messages were due before the connection was open.
        assert!((1..=ways * 4).contains(&row.late_messages.unwrap()), "{row:?}");
    }
}

#[test]
fn a_deadline_below_the_delay_is_always_missed() {
    let app = "kind = \"constant-rate\", rate = \"80 kbit/s\", message_bytes = \"100 B\", \
               duration = \"1 s\", deadline = \"9 ms\"";
    assert_eq!(summary(app).late_messages, Some(100));
}

#[test]
fn on_and_off_send_for_their_part_of_the_time() {
    let app = "kind = \"on-off\", rate = \"800 kbit/s\", on = \"1 s\", off = \"3 s\", \
               message_bytes = \"1 KB\", duration = \"20 s\"";
    // Five times a second, a hundred messages each.
    let row = summary(app);
    assert_eq!((row.requests, row.bytes), (500, 500_000));
    let random = "kind = \"on-off\", rate = \"800 kbit/s\", on = { exponential = \"100 ms\" }, \
                  off = { exponential = \"300 ms\" }, message_bytes = \"1 KB\", duration = \"50 s\"";
    let bytes = summary(random).bytes as f64;
    assert!((bytes / 1.25e6 - 1.0).abs() < 0.25, "{bytes}");
}

#[test]
fn with_a_cookie_the_first_request_saves_a_round_trip() {
    let shipped = mptcpsim::shipped::find("fast-open").unwrap().text;
    let times = |change: (&str, &str)| {
        let rows = tables(&shipped.replace(change.0, change.1)).summary;
        assert!(rows.iter().all(|row| row.complete && row.intact));
        let ms = |row: &SummaryRow| (row.completion_s.unwrap() * 1e3).round();
        (ms(&rows[0]), ms(&rows[1]))
    };
    let (first, second) = times(("", ""));
    assert_eq!(first - second, 80.0, "{first} ms, then {second} ms");
    let (usual, again) = times(("fast_open = true", ""));
    assert_eq!((usual, again), (first, first));
    let (_, mptcp) = times(("protocol = \"tcp\"", "protocol = \"mptcp\""));
    assert!(mptcp >= first, "{mptcp} ms");
    let (signed, _) = times(("fast_open = true", "md5_key = \"secret\""));
    assert_eq!(signed, first);
}

#[test]
fn a_video_gets_the_quality_of_the_link_or_stalls() {
    let video = |bitrates: &str, rule: &str| {
        summary(&format!(
            "kind = \"video\", bitrates = [{bitrates}], segment = \"2 s\", segments = 15, \
             buffer = \"10 s\", startup = \"2 s\", adaptation = \"{rule}\""
        ))
    };
    let good = video("\"1 Mbit/s\", \"4 Mbit/s\", \"30 Mbit/s\"", "throughput");
    assert_eq!((good.stalls, good.requests, good.complete), (Some(0), 15, true));
    // The first segment is of the lowest quality, all others of the middle one.
    assert_eq!(good.mean_bitrate_bps, Some((1_000_000 + 14 * 4_000_000) / 15));
    assert_eq!(good.quality_switches, Some(1));
    let buffered = video("\"1 Mbit/s\", \"2 Mbit/s\", \"4 Mbit/s\"", "buffer");
    assert!(buffered.mean_bitrate_bps.unwrap() > 1_500_000, "{buffered:?}");
    let bad = video("\"20 Mbit/s\"", "throughput");
    // 30 s of 20 Mbit/s over a line of 10: twice the time, less what was there before playing.
    assert!(bad.stalls.unwrap() > 5, "{bad:?}");
    let stalled = bad.stalled_s.unwrap();
    assert!((27.0..36.0).contains(&stalled), "{stalled}");
    assert!(bad.startup_s.unwrap() > 4.0);
}

#[test]
fn a_page_comes_over_its_connections() {
    let app = "kind = \"page\", page_bytes = \"50 KB\", objects = 11, object_bytes = \"10 KB\", connections = 4";
    let rows = tables(&scenario(app)).summary;
    let requests: Vec<_> = rows.iter().map(|row| row.requests).collect();
    assert_eq!(requests, [1 + 3, 3, 3, 2]);
    let downloaded: u64 = rows.iter().map(|row| row.bytes - 200 * row.requests).sum();
    assert_eq!(downloaded, 50_000 + 11 * 10_000);
    assert!(rows.iter().all(|row| row.complete && row.intact));
}

#[test]
fn requests_of_drawn_sizes_are_the_same_for_every_scheduler_and_other_for_another_seed() {
    let rows = |seed: u64, scheduler: &str| {
        let app = "kind = \"request\", count = 30, request_bytes = { from = \"100 B\", to = \"5 KB\" }, \
                   response_bytes = { lognormal = \"20 KB\", sigma = 1.5 }, think_time = { exponential = \"50 ms\" }";
        let mptcp = format!("flows = [{{ mptcp = {{ scheduler = \"{scheduler}\" }}, ");
        let text = scenario(app).replace("flows = [{ ", &mptcp);
        let row = tables(&format!("seed = {seed}\n{text}")).summary.remove(0);
        assert!(row.complete && row.intact && row.requests == 30, "{row:?}");
        row.bytes
    };
    assert_eq!(rows(1, "default"), rows(1, "redundant"));
    assert_ne!(rows(1, "default"), rows(2, "default"));
}

#[test]
fn arrivals_are_a_poisson_process_or_listed() {
    let flow = |repeat: &str| {
        format!(
            "duration = \"100 s\"\npaths = [{{ rate = \"10 Mbit/s\", delay = \"10 ms\" }}]\n\
             [[flows]]\nname = \"web\"\nstart = \"1 s\"\n{repeat}\n\
             app = {{ kind = \"bulk\", bytes = {{ measured = \"web-search\" }} }}\n"
        )
    };
    let plan = plan(&flow("repeat = { times = 400, every = { exponential = \"200 ms\" } }"));
    let starts: Vec<f64> = plan.flows.iter().map(|flow| flow.start.as_secs_f64()).collect();
    assert_eq!((starts.len(), starts[0]), (400, 1.0));
    let mean = (starts[399] - 1.0) / 399.0;
    assert!((mean / 0.2 - 1.0).abs() < 0.15, "{mean}");
    let ports: std::collections::BTreeSet<u16> = plan.flows.iter().map(|flow| flow.port).collect();
    assert_eq!(ports.len(), 400);

    let listed = flow("repeat = { times = 2, at = [\"0 s\", \"1.5 s\"] }");
    let starts: Vec<f64> = check(&Source::new("workloads", &listed, Notation::Toml), &[])
        .unwrap()
        .flows
        .iter()
        .map(|flow| flow.start.as_secs_f64())
        .collect();
    assert_eq!(starts, [1.0, 2.5]);
    assert!(fault(&flow("repeat = { times = 3, at = [\"0 s\"] }")).contains("1 times for 3"));
}

#[test]
fn a_recording_is_replayed_and_stays_with_the_scenario() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("game.csv"), "time_s,bytes\n0.5,1000\n0.75,3000\n2,500\n")
        .unwrap();
    let text = scenario("kind = \"trace\", file = \"game.csv\", deadline = \"50 ms\"");
    let source = Source::new("workloads", &text, Notation::Toml).in_folder(folder.path());
    let plan = check(&source, &[]).unwrap();
    let outcome = run(&plan, &mut |_| ()).unwrap();
    let asked: Vec<f64> = outcome.tables.requests.iter().map(|row| row.asked_s).collect();
    assert_eq!(asked, [0.5, 0.75, 2.0]);
    assert_eq!(outcome.tables.summary[0].late_messages, Some(0));

    for (name, text) in plan.traces() {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let resolved = serde_json::to_string(&plan.resolved()).unwrap();
    let source = Source::new("resolved", &resolved, Notation::Json).in_folder(folder.path());
    let again = check(&source, &[]).unwrap();
    assert_eq!(run(&again, &mut |_| ()).unwrap().digest, outcome.digest);

    let source = Source::new("workloads", &text, Notation::Toml);
    let faults = check(&source, &[]).unwrap_err().to_string();
    assert!(faults.contains("no folder to look in"), "{faults}");
}

#[test]
fn a_resolved_scenario_is_the_same_again() {
    let shipped = mptcpsim::shipped::find("workloads").unwrap();
    let plan = check(&shipped.source(), &[]).unwrap();
    let resolved = serde_json::to_string(&plan.resolved()).unwrap();
    let again = check(&Source::new("resolved", &resolved, Notation::Json), &[]).unwrap();
    assert_eq!(again.flows, plan.flows);
    assert_eq!(serde_json::to_string(&again.resolved()).unwrap(), resolved);
}

#[test]
fn what_is_no_workload_is_refused() {
    for (app, why) in [
        ("kind = \"bulk\", bytes = { pareto = \"1 MB\", shape = 1.0 }", "no mean"),
        (
            "kind = \"bulk\", bytes = { lognormal = \"1 MB\", sigma = -1.0 }",
            "no standard deviation",
        ),
        ("kind = \"bulk\", bytes = { from = \"2 KB\", to = \"1 KB\" }", "sizes from 2 KB to 1 KB"),
        ("kind = \"bulk\", bytes = { cumulative = [] }", "no distribution function"),
        ("kind = \"bulk\", bytes = { exponential = \"0 B\" }", "nothing would be sent"),
        ("kind = \"video\", segments = 3, bitrates = []", "no qualities"),
        ("kind = \"video\", segments = 3, buffer = \"1 s\"", "holds no segment"),
        (
            "kind = \"constant-rate\", rate = \"0 bit/s\", duration = \"1 s\"",
            "nothing would be sent",
        ),
        (
            "kind = \"constant-rate\", rate = \"1 Tbit/s\", message_bytes = \"1 B\", duration = \"1 s\"",
            "too many messages",
        ),
        (
            "kind = \"on-off\", rate = \"1 Mbit/s\", on = \"0 s\", off = \"1 s\", duration = \"1 s\"",
            "never writes",
        ),
    ] {
        let text = fault(&scenario(app));
        assert!(text.contains(why), "{app}: {text}");
    }
}

#[test]
fn arrivals_and_sizes_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("web.csv"), "time_s,bytes\n0.5,20000\n0.6,100\n2,5000\n")
        .unwrap();
    let scenario = |repeat: &str, app: &str| {
        let text = format!(
            "[[paths]]\nrate = \"10 Mbit/s\"\ndelay = \"5 ms\"\n[[flows]]\nname = \"web\"\n\
             start = \"1 s\"\nrepeat = {repeat}\napp = {app}"
        );
        check(&Source::new("test", &text, Notation::Toml).in_folder(folder.path()), &[])
    };
    let bulk = "{ kind = \"bulk\", bytes = \"1 B\" }";
    let plan = scenario("{ file = \"web.csv\" }", bulk).unwrap();
    assert_eq!(plan.traces()[0].0, "traces/flow1.csv");
    let rows = run(&plan, &mut |_| ()).unwrap().tables.summary;
    let carried = rows.iter().map(|row| (row.flow.as_str(), row.start_s, row.bytes));
    assert!(
        carried.eq([("web-1", 1.5, 20_000), ("web-2", 1.6, 100), ("web-3", 3.0, 5_000)]),
        "{rows:?}"
    );
    let timed = "{ kind = \"timed\", duration = \"1 s\" }";
    for (repeat, app, why) in [
        ("{ file = \"web.csv\", times = 3 }", bulk, "leave `times` and `at` out"),
        ("{ file = \"web.csv\" }", timed, "only the application `bulk`"),
        ("{ file = \"no.csv\" }", bulk, "cannot use the table `no.csv`"),
        ("{ every = \"1 s\" }", bulk, "times = 10"),
    ] {
        let faults = format!("{:?}", scenario(repeat, app).unwrap_err());
        assert!(faults.contains(why), "{faults}");
    }
}

/// The scenario of an application with more keys of its flow.
fn with_flow(app: &str, flow: &str) -> Tables {
    tables(&scenario(app).replace("flows = [{ ", &format!("flows = [{{ {flow}, ")))
}

fn counter(tables: &Tables, host: &str, name: &str) -> u64 {
    let row = tables.counters.iter().find(|row| row.host == host && row.counter == name);
    row.map_or(0, |row| row.value)
}

#[test]
fn who_reads_late_closes_the_window() {
    let app = "kind = \"bulk\", bytes = \"1 MB\", direction = \"upload\"";
    let buffer = "protocol = \"tcp\", receive_buffer = \"64 KB\"";
    let (soon, late) =
        (with_flow(app, buffer), with_flow(app, &format!("{buffer}, reads_after = \"2 s\"")));
    let zero = "TcpExtTCPToZeroWindowAdv";
    assert!(soon.summary[0].completion_s.unwrap() < 2.0 && counter(&soon, "server", zero) == 0);
    let row = &late.summary[0];
    assert!(row.complete && row.intact && row.completion_s.unwrap() > 2.0, "{row:?}");
    assert!(
        counter(&late, "server", zero) > 0 && counter(&late, "client", "TcpExtTCPWinProbe") > 0
    );
}

#[test]
fn a_server_can_close_first_and_can_be_without_mptcp() {
    let app = "kind = \"request\", count = 3, response_bytes = \"10 KB\"";
    let closing = summary(&format!("{app}, server_closes = true"));
    assert!(closing.complete && closing.requests == 3, "{closing:?}");
    let mixed = &with_flow(app, "accepting_protocol = \"tcp\"").summary[0];
    assert!(mixed.complete && !mixed.fallback.is_empty() && mixed.protocol == "mptcp", "{mixed:?}");
}

#[test]
fn a_timed_transfer_can_end_with_an_abort() {
    let app = "kind = \"timed\", duration = \"1 s\", direction = \"upload\"";
    let aborted = tables(&scenario(&format!("{app}, abort = true")));
    assert_eq!(counter(&aborted, "client", "MPTcpExtMPFastcloseTx"), 1);
    assert_eq!(counter(&tables(&scenario(app)), "client", "MPTcpExtMPFastcloseTx"), 0);
}
