//! `mptcpsim replay-cc` as its users meet it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn replay_cc(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mptcpsim"));
    command.arg("replay-cc").args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_trajectory_is_printed_or_written() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/data/congestion");
    let events = data.join("events_S2.csv");
    let events = events.to_str().unwrap();
    let output = replay_cc(&["--algorithm", "wvegas", events]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let expected = fs::read_to_string(data.join("traj_S2_wvegas.csv")).unwrap();
    assert!(text(&output.stdout) == expected);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trajectory.csv");
    let output = replay_cc(&["--algorithm", "wvegas", "--out", file.to_str().unwrap(), events]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(fs::read_to_string(file).unwrap() == expected);
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    let complaint = |events: &str, arguments: &[&str]| {
        let header = "idx,t_us,subflow,event,acked,rtt_us,cwnd_limited";
        fs::write(&file, format!("{header}\n{events}")).unwrap();
        let output = replay_cc(&[arguments, &[file.to_str().unwrap()]].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        text(&output.stderr)
    };
    let lia = ["--algorithm", "lia"];
    let unknown = complaint("0,0,0,JOIN,0,9,1\n1,5,0,AKC,1,9,1\n", &lia);
    assert!(unknown.contains("line 3: unknown event `AKC`"));
    assert!(complaint("0,0,4,ACK,1,9,1\n", &lia).contains("line 2: subflow 4 has not joined"));
    assert!(complaint("0,0,0,JOIN,0,soon,1\n", &lia).contains("line: 2"));
    assert!(complaint("", &["--algorithm", "vegas"]).contains("known are reno, cubic, lia"));
    let wvegas = ["--algorithm", "wvegas", "--param", "alpha=3"];
    assert!(complaint("", &wvegas).contains("it has initial_alpha, total_alpha, gamma"));
}
