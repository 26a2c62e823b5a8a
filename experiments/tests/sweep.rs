//! Sweeps as their users meet them: complete, killed, resumed, with runs that fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

const SCENARIO: &str = r#"
duration = "5 s"
[[paths]]
rate = "10 Mbit/s"
delay = "5 ms"
loss = { model = "bernoulli", probability = "1 %" }
[[paths]]
rate = "5 Mbit/s"
delay = "20 ms"
[[flows]]
app = { kind = "bulk", bytes = "50 KB" }
[[flows]]
app = { kind = "bulk", bytes = "20 KB" }
protocol = "tcp"
"#;

const FILES: [&str; 5] =
    ["results.csv", "results.parquet", "summary.csv", "manifest.json", "scenario.toml"];

fn command(home: &Path, sweep: &str, out: &str, more: &[&str]) -> Command {
    let file = home.join("my.toml");
    fs::write(&file, format!("{SCENARIO}{sweep}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mptcpsim"));
    command.arg("sweep").arg(file).arg("--out").arg(home.join(out)).args(more);
    command
}

fn run(home: &Path, sweep: &str, out: &str, more: &[&str]) -> (Output, PathBuf) {
    (command(home, sweep, out, more).output().unwrap(), home.join(out))
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn assert_same(a: &Path, b: &Path) {
    for file in FILES {
        assert!(fs::read(a.join(file)).unwrap() == fs::read(b.join(file)).unwrap(), "{file}");
    }
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        entries.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(names(a), names(b), "nothing is left behind");
}

#[test]
fn a_sweep_that_is_killed_again_and_again_ends_like_one_that_is_not() {
    let home = tempfile::tempdir().unwrap();
    let sweep = "[sweep]\nseeds = \"1..400\"\n\"paths.0.delay\" = [\"5 ms\", \"9 ms\"]\n";
    let (output, whole) = run(home.path(), sweep, "whole", &["--jobs", "1"]);
    succeeded(&output);

    let journal = home.path().join("killed/journal.jsonl");
    let lines =
        || fs::read(&journal).map_or(0, |text| text.iter().filter(|b| **b == b'\n').count());
    for kill in 1..=3 {
        let mut child = command(home.path(), sweep, "killed", &["--resume", "--jobs", "3"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while lines() < kill * 150 && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(lines() >= kill * 150 && lines() < 800, "killed in the middle");
        assert!(!home.path().join("killed/results.csv").exists());
    }
    let (refused, _) = run(home.path(), sweep, "killed", &[]);
    assert_eq!(refused.status.code(), Some(2), "what took so long is not overwritten");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--resume"));
    let other = sweep.replace("9 ms", "8 ms");
    let (refused, _) = run(home.path(), &other, "killed", &["--resume"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another scenario or design"));

    let (output, killed) = run(home.path(), sweep, "killed", &["--resume"]);
    succeeded(&output);
    assert!(String::from_utf8_lossy(&output.stdout).contains("were done before"));
    assert_same(&whole, &killed);
    let (again, _) = run(home.path(), sweep, "killed", &["--resume"]);
    succeeded(&again);
    assert_same(&whole, &killed);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_sweep_and_says_how_to_go_on() {
    let home = tempfile::tempdir().unwrap();
    let sweep = "[sweep]\nseeds = \"1..1000000\"\n";
    let child = command(home.path(), sweep, "out", &[]).stderr(Stdio::piped()).spawn().unwrap();
    let journal = home.path().join("out/journal.jsonl");
    while fs::metadata(&journal).map_or(0, |it| it.len()) == 0 {
        sleep(Duration::from_millis(1));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("stopped after") && said.contains("--resume"), "{said}");
    assert!(journal.exists());
}

#[test]
fn where_flows_are_many_what_all_have_together_is_drawn() {
    let home = tempfile::tempdir().unwrap();
    let sweep = r#"
[[flows]]
app = { kind = "bulk", bytes = "5 KB" }
repeat = { times = 60, every = "10 ms" }
[sweep]
"paths.0.delay" = ["5 ms", "7 ms", "9 ms"]
"#;
    let (output, folder) = run(home.path(), sweep, "many", &[]);
    succeeded(&output);
    let plot = || Command::new(env!("CARGO_BIN_EXE_mptcpsim")).arg("plot").arg(&folder).output();
    let drawn = String::from_utf8(plot().unwrap().stdout).unwrap();
    assert!(drawn.contains("goodput_mean.svg") && drawn.contains("completion_p99.png"), "{drawn}");
    let picture = fs::read_to_string(folder.join("plots/goodput_mean.svg")).unwrap();
    assert!(picture.contains("mean goodput of all flows (Mbit/s), n = 1"), "{picture}");
}

#[test]
fn a_run_that_fails_is_a_row() {
    let home = tempfile::tempdir().unwrap();
    // Each value is good for itself: only four days in samples of 100 us are too many.
    let sweep =
        "[sweep]\nduration = [\"5 s\", \"100 h\"]\n\"record.interval\" = [\"1 s\", \"100 us\"]\n";
    let (output, folder) = run(home.path(), sweep, "out", &[]);
    succeeded(&output);
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 runs failed"));
    let mut reader = csv::Reader::from_path(folder.join("results.csv")).unwrap();
    let rows = reader.records().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(rows.len(), 3 * 2 + 1, "a row per flow, and one for the run that failed");
    let failed = rows.iter().filter(|row| !row[5].is_empty()).collect::<Vec<_>>();
    assert_eq!((&failed[0][0], &failed[0][2], &failed[0][3]), ("3", "100 h", "100 us"));
    assert!(failed[0][5].contains("more than 10000000 samples"), "{}", &failed[0][5]);
    assert!(failed[0].iter().skip(6).all(str::is_empty));
}

#[test]
fn parquet_says_what_csv_says() {
    let home = tempfile::tempdir().unwrap();
    let sweep = "[sweep]\nseeds = \"1..3\"\n\"flows.0.repeat\" = [{ times = 1, every = \"1 s\" }]\n\
                 [sweep.sample]\npoints = 4\n\"paths.0.loss.probability\" = { from = 0.001, to = 0.1, scale = \"log\" }";
    let (output, folder) = run(home.path(), sweep, "out", &["--keep-runs"]);
    succeeded(&output);
    let mut reader = csv::Reader::from_path(folder.join("results.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let rows = reader.records().collect::<Result<Vec<_>, _>>().unwrap();
    let file = fs::File::open(folder.join("results.parquet")).unwrap();
    let parquet = SerializedFileReader::new(file).unwrap();
    let mut compared = 0;
    for (row, wanted) in parquet.get_row_iter(None).unwrap().zip(&rows) {
        for ((name, field), (column, cell)) in
            row.unwrap().get_column_iter().zip(header.iter().zip(wanted))
        {
            assert_eq!(name, column);
            match field {
                Field::Null => assert_eq!(cell, ""),
                Field::Str(text) => assert_eq!(cell, text),
                Field::Bool(value) => assert_eq!(cell, value.to_string()),
                Field::Long(value) => assert_eq!(cell, value.to_string()),
                Field::Double(value) => assert_eq!(cell.parse::<f64>().unwrap(), *value),
                other => panic!("{name}: {other:?}"),
            }
            compared += 1;
        }
    }
    assert_eq!((rows.len(), compared), (24, 24 * header.len()));
    let columns = parquet.metadata().file_metadata().schema_descr().columns().to_vec();
    let kind = |name: &str| columns.iter().find(|it| it.name() == name).unwrap().physical_type();
    assert_eq!(kind("paths.0.loss.probability"), parquet::basic::Type::DOUBLE);
    assert_eq!(kind("seed"), parquet::basic::Type::INT64);
    assert!(folder.join("runs/11/timeseries.csv").exists());

    let lines = mptcpsim::sweep::read_summary(&folder).unwrap();
    let estimate = |flow: &str, metric: &str| {
        let found =
            lines.iter().find(|line| (line.flow.as_str(), line.metric.as_str()) == (flow, metric));
        found.unwrap().estimate
    };
    let goodput = |name: &str| estimate(name, "goodput_bps").mean;
    let sum = estimate("all", "goodput_sum_bps");
    assert_eq!((sum.n, estimate("all", "jain_index").n), (3, 3));
    assert!((sum.mean - goodput("flow1") - goodput("flow2")).abs() < 1e-3 * sum.mean);
    let fair = estimate("all", "jain_index").mean;
    assert!((0.5..=1.0).contains(&fair), "two flows: {fair}");

    let kept = fs::read_to_string(folder.join("runs/11/summary.csv")).unwrap();
    let kept = kept.lines().nth(1).unwrap();
    let line = fs::read_to_string(folder.join("results.csv")).unwrap();
    assert!(line.lines().nth(23).unwrap().ends_with(kept), "the same numbers");
}

#[test]
fn bad_designs_are_refused_before_anything_runs() {
    for (sweep, complaint) in [
        ("[sweep]\n\"paths.0.dealy\" = [\"1 ms\"]", "did you mean `delay`?"),
        ("[sweep]\n\"paths.0.delay\" = []", "no values to take"),
        ("[sweep]\nseeds = \"1..1000000000000\"", "the sweep has 1000000000000 runs"),
        ("[sweep]\nseeds = \"9..1\"", "is not a range of seeds"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let (output, folder) = run(home.path(), sweep, "out", &[]);
        assert_eq!(output.status.code(), Some(2), "{sweep}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(complaint), "{said}");
        assert!(!folder.exists());
    }
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("precious")).unwrap();
    fs::write(home.path().join("precious/thesis.tex"), "years").unwrap();
    for more in [&[][..], &["--resume"]] {
        let (output, folder) = run(home.path(), "", "precious", more);
        assert_eq!(output.status.code(), Some(2));
        assert!(folder.join("thesis.tex").exists());
    }
    let vary = ["--dry-run", "--seeds", "1..7", "--vary", "paths.0.delay=[\"1 ms\", \"2 ms\"]"];
    let (output, folder) = run(home.path(), "", "dry", &vary);
    succeeded(&output);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("2 configurations x 7 seeds = 14 runs") && !folder.exists(), "{said}");
}
