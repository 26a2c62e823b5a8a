//! Reports as text; `tests/browser` opens them in a browser.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use mptcpsim::check::{Notation, Override, Source, check};
use mptcpsim::report::{of_folder, of_plan, of_run};
use mptcpsim::results::Manifest;
use mptcpsim::run::run;
use mptcpsim::shipped;

fn mptcpsim(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mptcpsim")).current_dir(folder).args(args).output().unwrap()
}

#[test]
fn a_run_and_its_folder_give_the_same_page() {
    let home = tempfile::tempdir().unwrap();
    let (folder, set) = (home.path().join("results"), ["--set", "flows.0.app.bytes=\"2 MB\""]);
    let out = folder.to_str().unwrap();
    mptcpsim(home.path(), &["run", "wifi-lte", set[0], set[1], "--no-plots", "--out", out]);
    let output = mptcpsim(home.path(), &["report", out]);
    assert!(output.status.success(), "{output:?}");
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    assert_eq!(page, of_folder(&folder).unwrap());

    let overrides = [Override::set(set[1])];
    let plan = check(&shipped::find("wifi-lte").unwrap().source(), &overrides).unwrap();
    assert_eq!(page, of_plan(&plan).unwrap());
    for word in [
        "its paths carry",
        "congestion window",
        "mptcpsim run scenario.toml",
        "MPTcpExtMPJoinSynAckRx",
    ] {
        assert!(page.contains(word), "{word}");
    }
}

#[test]
fn results_that_cannot_be_repeated_are_not_explained() {
    let text = r#"
        [[paths]]
        rate = "10 Mbit/s"
        delay = "5 ms"
        [[flows]]
        app = { kind = "bulk", bytes = "1 MB" }
    "#;
    let plan = check(&Source::new("test", text, Notation::Toml), &[]).unwrap();
    let outcome = run(&plan, &mut |_| ()).unwrap();
    let mut manifest = Manifest::of(&plan, &outcome, std::time::Duration::ZERO);
    assert_eq!(of_run(&plan, &manifest, &outcome.tables).unwrap(), of_plan(&plan).unwrap());
    manifest.digest = "another".into();
    let page = of_run(&plan, &manifest, &outcome.tables).unwrap();
    assert!(page.contains("nothing is explained") && !page.contains("its paths carry"));
}

#[test]
fn what_holds_no_results_is_told() {
    let home = tempfile::tempdir().unwrap();
    let output = mptcpsim(home.path(), &["report", "."]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && error.contains("no folder of results"), "{error}");
    let output = mptcpsim(home.path(), &["report", "wifi-lte", "--out", "no/such/place.html"]);
    assert_eq!(output.status.code(), Some(2));
}
