//! The simulation beside what was measured on real kernels (`measured/`).
//!
//! What misses its tolerance stands in `misses.csv` with its cause. The tests fail on a miss that is not listed
//! and on a listed one that agrees by now. `mptcpsim validate --measured linux-6.18` prints everything.

use std::process::Command;

use mptcpsim::validate::Comparison;
use mptcpsim::validate::reference::REFERENCES;
use rayon::prelude::*;

fn assert_as_listed(name: &str) {
    let reference = REFERENCES.iter().find(|reference| reference.name == name).unwrap();
    let scenarios = reference.scenarios().unwrap();
    let compared = scenarios.par_iter().map(|measured| (measured, measured.compare().unwrap()));
    let (mut unlisted, mut stale) = (Vec::new(), Vec::new());
    for (measured, rows) in compared.collect::<Vec<_>>() {
        stale.extend(measured.stale(&rows).map(|metric| format!("{},{metric}", measured.name)));
        unlisted.extend(rows.into_iter().filter(|row| !row.agrees && row.cause.is_none()));
    }
    assert!(unlisted.is_empty() && stale.is_empty(), "misses: {unlisted:#?}\nagree: {stale:#?}");
}

#[test]
fn the_simulation_agrees_with_linux_6_18_where_no_miss_is_listed() {
    assert_as_listed("linux-6.18");
}

#[test]
fn the_simulation_agrees_with_v0_94_where_no_miss_is_listed() {
    assert_as_listed("mptcp-0.94.7");
}

#[test]
fn the_command_writes_a_table_and_a_plot_of_each_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mptcpsim"));
        command.args(arguments).current_dir(folder.path()).output().unwrap()
    };
    let arguments = ["validate", "--measured", "mptcp-0.94.7", "--only", "c_ndiff", "--out", "out"];
    let output = run(&arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("2 of 2 scenarios agree"), "{text}");
    let out = folder.path().join("out");
    let rows = csv::Reader::from_path(out.join("validation.csv")).unwrap().into_deserialize();
    let rows = rows.collect::<Result<Vec<Comparison>, _>>().unwrap();
    let goodput = rows.iter().find(|row| row.metric == "goodput_mbps").unwrap();
    let (ours, theirs) = (goodput.simulated_mean.unwrap(), goodput.kernel_mean.unwrap());
    assert!(goodput.agrees && (ours - theirs).abs() <= goodput.tolerance, "{goodput:?}");
    for file in ["c_ndiff2.svg", "c_ndiff4.png", "all-scenarios.svg"] {
        assert!(out.join("plots").join(file).is_file(), "{file}");
    }
    assert!(run(&["check", "mptcp-0.94.7/c_ndiff2"]).status.success());
    let nothing = run(&["validate", "--measured", "linux-6.18", "--only", "c_ndiff"]);
    assert_eq!(nothing.status.code(), Some(2));
}
