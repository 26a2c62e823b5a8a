//! The binary as its users meet it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

use std::fs;
use std::path::Path;
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

#[test]
fn shipped_scenarios_are_listed_and_faultless() {
    let listed = text(&mptcpsim(&["list", "scenarios"]).stdout);
    assert_eq!(listed.lines().count(), 5);
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    for file in fs::read_dir(folder).unwrap() {
        let scenario = fs::read_to_string(file.unwrap().path()).unwrap();
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
