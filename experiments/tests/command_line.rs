//! The binary as its users meet it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn mptcpsim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mptcpsim")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Writes a scenario and returns what the check says about it; the folder's name is left out.
fn complaint(text_of_scenario: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my.toml");
    fs::write(&file, text_of_scenario).unwrap();
    let output = mptcpsim(&["check", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
    text(&output.stderr).replace(&format!("{}/", folder.path().display()), "")
}

/// The files of all shipped scenarios.
fn scenario_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let files = [folder.join("papers"), folder].map(|folder| {
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(|file| file.is_file())
    });
    files.into_iter().flatten().collect()
}

#[test]
fn shipped_scenarios_are_listed_and_faultless() {
    let listed = ["scenarios", "papers"].map(|kind| text(&mptcpsim(&["list", kind]).stdout));
    let listed = listed.concat();
    assert_eq!(listed.lines().count(), scenario_files().len());
    for line in listed.lines() {
        let name = line.split_whitespace().next().unwrap();
        let output = mptcpsim(&["check", name]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).starts_with(&format!("{name}: no faults.")));
    }
}

#[test]
fn the_schema_accepts_what_the_check_accepts() {
    let schema = text(&mptcpsim(&["schema"]).stdout);
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for file in scenario_files() {
        let scenario = fs::read_to_string(file).unwrap();
        let scenario: serde_json::Value = toml::from_str(&scenario).unwrap();
        assert!(validator.is_valid(&scenario), "{:?}", validator.validate(&scenario));
    }
    for wrong in [r#"{"seeed": 1}"#, r#"{"links": {"a": {"rate": 5}}}"#, r#"{"seed": -1}"#] {
        assert!(!validator.is_valid(&serde_json::from_str(wrong).unwrap()), "{wrong}");
    }
}

#[test]
fn help_teaches_by_examples() {
    let help = text(&mptcpsim(&["--help"]).stdout);
    for word in ["run", "check", "list", "schema", "plot", "Examples:", "mptcpsim run handover"] {
        assert!(help.contains(word), "{help}");
    }
    assert!(text(&mptcpsim(&["run", "--help"]).stdout).contains("--set"));
    assert_eq!(mptcpsim(&[]).status.code(), Some(2));
    assert_eq!(mptcpsim(&["rnu"]).status.code(), Some(2));
}

#[test]
fn lists_show_names_parameters_and_defaults() {
    let all = text(&mptcpsim(&["list"]).stdout);
    assert!(all.contains("droptail, red, codel") && all.contains("reno, cubic"), "{all}");
    let queues = text(&mptcpsim(&["list", "queues"]).stdout);
    assert!(queues.contains("target (default `5 ms`)"), "{queues}");
    assert!(text(&mptcpsim(&["list", "sysctls"]).stdout).contains("net.mptcp.enabled = 1"));
    assert_eq!(mptcpsim(&["list", "cheeses"]).status.code(), Some(2));
}

#[test]
fn a_faulty_scenario_is_explained() {
    insta::assert_snapshot!(
        "typing mistakes",
        complaint(
            br#"
[links.wifi]
rate = "30 Mbps"
dealy = "15 ms"

[hosts.phone]
addresses = { wlan0 = "10.0.1.1" }

[hosts.server]
addresses = { eth0 = "10.0.1.2" }

[[paths]]
between = ["phone.wlan0", "server.eth0"]
via = ["wfi"]

[[flows]]
app = { kind = "bulk" }
"#
        )
    );
    insta::assert_snapshot!("an empty file", complaint(b""));
    insta::assert_snapshot!("no TOML", complaint(b"links {\n  wifi: 30\n"));
    insta::assert_snapshot!("not UTF-8", complaint(b"name = \"\xff\xfe\"\n"));
}

#[test]
fn wrong_options_are_explained() {
    let output =
        mptcpsim(&["check", "wifi-lte", "--set", "links.wifi.rate=30 Mbps", "--duration", "soon"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(text(&output.stderr));
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let missing = mptcpsim(&["run", "no-such-scenario"]);
    assert!(text(&missing.stderr).contains("shipped are wifi-lte"), "{}", text(&missing.stderr));
    let directory = mptcpsim(&["run", path]);
    assert!(text(&directory.stderr).contains("is a folder, not a file"));
    let not_results = mptcpsim(&["plot", path]);
    assert!(text(&not_results.stderr).contains("is no folder of results"));
    for output in [missing, directory, not_results] {
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn garbage_is_refused_quickly() {
    let ten_megabytes = vec![b'x'; 10_000_000];
    assert!(complaint(&ten_megabytes).contains("larger than 4 MiB"));
    let noise = (0..3_000_000_u32).map(|n| b' ' + (n.wrapping_mul(2_654_435_761) >> 25) as u8 % 95);
    assert!(complaint(&noise.collect::<Vec<_>>()).contains("not valid TOML"));
    let brackets = vec![b'['; 1_000_000];
    assert!(complaint(&brackets).contains("not valid TOML"));
}

#[test]
fn nothing_is_written_where_something_else_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "precious").unwrap();
    let output = mptcpsim(&["run", "--out", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is no folder of results"));
    let inside_file = folder.path().join("thesis.tex").join("results");
    let output = mptcpsim(&["run", "--out", inside_file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot write"), "{}", text(&output.stderr));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}

/// Runs a scenario and returns its summary and folder.
fn run(args: &[&str], folder: &Path) -> serde_json::Value {
    let out = folder.to_str().unwrap();
    let output = mptcpsim(&[&["run"], args, &["--format", "json", "--out", out]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_run_leaves_all_files_and_the_same_digest_again() {
    let home = tempfile::tempdir().unwrap();
    let first = run(&["--duration", "2 s"], &home.path().join("first"));
    for table in ["summary", "subflows", "timeseries", "links", "queues", "events", "counters"] {
        let csv = fs::read_to_string(home.path().join(format!("first/{table}.csv"))).unwrap();
        let rows = csv.lines().count() - 1;
        assert_eq!(first["manifest"]["rows"][table], rows, "{table}");
        assert!(rows > 0, "{table}");
    }
    for figure in ["goodput", "share", "cwnd", "srtt", "queue"] {
        for ending in ["svg", "png"] {
            assert!(
                home.path().join(format!("first/plots/{figure}.{ending}")).exists(),
                "{figure}"
            );
        }
    }
    let digest = |run: &serde_json::Value| run["manifest"]["digest"].as_str().unwrap().to_owned();
    let again = run(&["wifi-lte", "--duration", "2 s", "--no-plots"], &home.path().join("again"));
    assert_eq!(digest(&first), digest(&again));
    assert!(!home.path().join("again/plots").exists());
    let resolved = home.path().join("first/scenario.toml");
    let resolved = run(&[resolved.to_str().unwrap(), "--no-plots"], &home.path().join("resolved"));
    assert_eq!(digest(&first), digest(&resolved), "the resolved scenario is the same run");
    let few = run(
        &["--duration", "2 s", "--set", "record.tables=[]", "--no-plots"],
        &home.path().join("few"),
    );
    assert_eq!(digest(&first), digest(&few), "what is written has no influence");
    let other =
        run(&["--duration", "2 s", "--seed", "2", "--no-plots"], &home.path().join("other"));
    assert_ne!(digest(&first), digest(&other), "the seed has");
}

#[test]
fn sockets_and_counters_are_listed_as_on_linux() {
    let home = tempfile::tempdir().unwrap();
    let plain = run(&["--duration", "2 s", "--no-plots"], &home.path().join("plain"));
    let options = ["--duration", "2 s", "--no-plots", "--ss", "--ss-at", "1 s", "--nstat"];
    let listed = run(&options, &home.path().join("listed"));
    assert_eq!(plain["manifest"]["digest"], listed["manifest"]["digest"]);
    assert_eq!(plain["listings"], serde_json::json!({}));

    let sockets = fs::read_to_string(home.path().join("listed/ss.txt")).unwrap();
    assert_eq!(listed["listings"]["ss.txt"], sockets);
    let tables: Vec<&str> = sockets.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(tables.len(), 4, "two hosts, two times: {tables:?}");
    for part in
        ["flags:Mmec", "flags:Jjec", "flags:Mec", "flags:Jec", " cubic wscale:7,7 rto:", " busy:"]
    {
        assert!(sockets.contains(part), "{part} in {sockets}");
    }
    assert_eq!(sockets.lines().filter(|line| line.starts_with("mptcp ESTAB")).count(), 4);

    let counters = fs::read_to_string(home.path().join("listed/nstat.txt")).unwrap();
    let value = |host: &str, counter: &str| -> u64 {
        let of_host = counters.split('#').find(|part| part.starts_with(host)).unwrap();
        let line = of_host.lines().find(|line| line.starts_with(&format!("{counter} "))).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    assert_eq!(value("phone", "TcpCurrEstab"), 2, "both subflows are open");
    let [sent, again, out] = ["TcpExtTCPOrigDataSent", "TcpRetransSegs", "TcpOutSegs"]
        .map(|counter| value("server", counter));
    assert!(sent > 1_000 && sent < out && again > 0, "{sent} {again} {out}");
    let delivered = value("server", "TcpExtTCPDelivered");
    assert!(delivered <= sent + 2 && delivered > sent - 400, "{delivered} of {sent}");
    let line = format!("\n{:<32}{:<16}{:>6}\n", "MPTcpExtMPJoinSynAckRx", 1, "0.0");
    assert!(counters.contains(&line), "{counters}");
}

#[test]
fn events_tell_states_with_their_rule_and_options_if_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let options = ["--duration", "1 s", "--no-plots"];
    let plain = run(&options, &home.path().join("plain"));
    let more = [&options[..], &["--set", "record.options=true"]].concat();
    let told = run(&more, &home.path().join("told"));
    assert_eq!(plain["manifest"]["digest"], told["manifest"]["digest"]);
    let events = |run: &str| fs::read_to_string(home.path().join(run).join("events.csv")).unwrap();
    let (plain, told) = (events("plain"), events("told"));
    assert!(plain.contains(",tcp-state,SYN-SENT to ESTAB: SYN/ACK received\n"), "{plain}");
    assert!(!plain.contains("option-"), "{plain}");
    for part in [
        "phone,flow1,0,option-sent,mpcapable v1",
        "server,flow1,0,option-received,mpcapable v1",
        "phone,flow1,1,option-sent,mp_join_syn ",
        "server,flow1,1,option-received,mp_join_syn ",
        ",option-received,dss ",
    ] {
        let start = told.lines().find(|line| line.contains("option-")).unwrap();
        assert!(told.contains(part), "{part}: {start}");
    }
}

#[test]
fn requests_are_told_one_by_one() {
    let home = tempfile::tempdir().unwrap();
    let app = "flows.0.app={ kind = \"request\", count = 5, request_bytes = \"100 B\", \
               response_bytes = \"50 KB\" }";
    let result = run(&["two-equal-paths", "--no-plots", "--set", app], &home.path().join("run"));
    let csv = fs::read_to_string(home.path().join("run/requests.csv")).unwrap();
    assert_eq!(csv.lines().count(), 6, "{csv}");
    let mut before = 0.0;
    for line in csv.lines().skip(1) {
        let cells: Vec<f64> = line.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect();
        let [_, asked, first, answered, duration] = cells[..] else { panic!("{line}") };
        assert!(before <= asked && asked < first && first < answered, "{line}");
        assert!((answered - asked - duration).abs() < 1e-9, "{line}");
        before = answered;
    }
    let flow = &result["summary"][0];
    assert_eq!((&flow["requests"], &flow["complete"]), (&5.into(), &true.into()));
    let seconds = |column: &str| flow[column].as_f64().unwrap();
    assert!(seconds("request_p50_s") <= seconds("request_p99_s"));
    assert_eq!(seconds("request_p99_s"), seconds("request_max_s"));
}

#[test]
fn every_shipped_scenario_runs_and_keeps_its_data_intact() {
    let home = tempfile::tempdir().unwrap();
    for name in ["wifi-lte", "two-equal-paths", "handover", "short-flows", "raspberry-pi"] {
        let result = run(&[name, "--no-plots"], &home.path().join(name));
        for flow in result["summary"].as_array().unwrap() {
            assert_eq!(flow["intact"], true, "{flow}");
            assert_eq!(flow["complete"], true, "{flow}");
            assert_eq!(flow["fallback"], "", "{flow}");
        }
    }
}

#[test]
fn a_firewall_that_strips_mp_capable_makes_plain_tcp() {
    let home = tempfile::tempdir().unwrap();
    let result = run(&["middleboxes", "--no-plots"], &home.path().join("middleboxes"));
    let flow = &result["summary"][0];
    assert_eq!((&flow["intact"], &flow["complete"]), (&true.into(), &true.into()), "{flow}");
    assert_ne!(flow["fallback"], "", "{flow}");
    let without = ["middleboxes", "--no-plots", "--set", "paths.0.via=[\"wifi\"]"];
    let result = run(&without, &home.path().join("without"));
    assert_eq!(result["summary"][0]["fallback"], "", "{result}");
}

#[test]
fn plots_are_drawn_again_from_the_tables() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("run");
    run(&["two-equal-paths", "--duration", "1 s", "--no-plots"], &folder);
    let output = mptcpsim(&["plot", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let drawn = text(&output.stdout);
    for name in ["goodput", "share", "cwnd", "srtt", "rwnd", "out-of-order", "queue"] {
        assert!(
            ["svg", "png"].iter().all(|ending| drawn.contains(&format!("{name}.{ending}"))),
            "{drawn}"
        );
    }
    assert!(fs::read_to_string(folder.join("plots/goodput.svg")).unwrap().contains("total"));
}

#[test]
fn benches_count_packet_hops_and_say_what_they_used() {
    let output = mptcpsim(&["bench", "W1", "engine", "--duration", "20 ms", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows[0]["workload"], "W1");
    assert!(rows.len() > 2 && rows.iter().all(|row| row["packet_hops"].as_u64() > Some(0)));
    assert!(rows[0]["utilisation"].as_f64().is_some());
    let wrong = mptcpsim(&["bench", "W1", "W2", "--duration", "soon"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("`soon` is not a time"), "{}", text(&wrong.stderr));
}

/// A script that a host passes if the SYN it sends asks for MPTCP with `flag`.
fn script(flag: &str) -> String {
    format!(
        "0.0  socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_MPTCP) = 3
+0.0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0.0 > S 0:0(0) <mss 1460, sackOK, TS val 1 ecr 0, nop, wscale 7, mpcapable v1 flags[{flag}] nokey>
"
    )
}

#[test]
fn packet_scripts_tell_how_they_went() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, script: &str| fs::write(folder.path().join(name), script).unwrap();
    write("a.pkt", &script("flag_h"));
    write("notes.txt", "not a script");
    let run = |options: &[&str]| {
        let path = folder.path().to_str().unwrap();
        let output = mptcpsim(&[&["packetdrill", path], options].concat());
        (output.status.code(), text(&output.stdout))
    };
    let (code, said) = run(&["--verbose"]);
    assert!(
        code == Some(0) && said.ends_with("a.pkt: ok\n") && said.contains("win 64240"),
        "{said}"
    );

    write("b.pkt", &script("flag_a"));
    let (code, said) = run(&[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("b.pkt: failed: line 3: the options differ"), "{said}");
    assert!(said.contains("expected 0.000000 > S 0:0(0)") && said.contains("\n  actual "));
    assert!(said.ends_with("1 passed, 1 failed\n"), "{said}");

    write("b.pkt", "0 < icmp unreachable");
    assert_eq!(run(&[]).0, Some(1));
    assert_eq!(run(&["--skip-unsupported"]).0, Some(0));
    write("b.pkt", "0 bind(3");
    let (code, said) = run(&[]);
    assert!(code == Some(2) && said.contains("b.pkt: error: line 1, column 9"), "{said}");

    let (code, said) = run(&["-D", "flag_h=flag_c"]);
    assert!(code == Some(2) && said.contains("a.pkt: failed"), "{said}");
    assert_eq!(mptcpsim(&["packetdrill", "/nowhere.pkt"]).status.code(), Some(2));
    assert_eq!(mptcpsim(&["packetdrill"]).status.code(), Some(2));
}

#[test]
fn a_folder_does_not_hide_the_shipped_scenario_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("wifi-lte")).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_mptcpsim"));
    let output = check.current_dir(folder.path()).args(["check", "wifi-lte"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}
