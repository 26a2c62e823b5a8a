//! Packet scripts of this project: `packetdrill/STACK/SECTION-WHAT.pkt`, one test per script.
//!
//! The numbers in front of the names are the parts of the protocol: 02 handshakes, 02a and 02b
//! established states and joins, 03 options, 04 data, closing and repair, 07 fallbacks, 08 path
//! managers, 09 what can be observed, 12 whole exchanges. The stacks are those of
//! `mptcpsim packetdrill --stack`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use mptcpsim_models::packetdrill::{self, Options};
use mptcpsim_models::rules::Rules;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let mut texts = Vec::new();
    for (stack, rules) in Rules::FOR_SCRIPTS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packetdrill").join(stack);
        for path in scripts(&folder)? {
            texts.push(fs::read_to_string(&path)?);
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("{stack}/{name}");
            trials.push(Trial::test(name, move || run(&path, rules)));
        }
    }
    trials.push(Trial::test("spoilt scripts end somehow", move || spoil(&texts)));
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

fn scripts(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut paths = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

fn run(path: &Path, rules: &'static Rules) -> Result<(), Failed> {
    let text = fs::read_to_string(path)?;
    let options = Options { rules, trace: true, ..Options::default() };
    let report = packetdrill::run(&text, &options);
    if report.outcome.passed() {
        return Ok(());
    }
    Err(format!("{}\n{}", report.trace.join("\n"), report.outcome).into())
}

/// What may go wrong with a line of a script.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Lost,
    Twice,
    Swapped,
    OfAnother,
    Digit,
}

/// Scripts with lines lost, repeated, out of order, of other scripts or with another number lead to
/// strange exchanges, which a host must survive.
fn spoil(texts: &[String]) -> Result<(), Failed> {
    use Fault::{Digit, Lost, OfAnother, Swapped, Twice};
    let fault = prop::sample::select(vec![Lost, Twice, Swapped, OfAnother, Digit, Digit]);
    let faults = prop::collection::vec((fault, any::<Index>(), any::<Index>()), 1..5);
    let scripts = prop::sample::select(texts.to_vec());
    let mut runner =
        TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    runner.run(&(scripts.clone(), scripts, faults), |(text, other, faults)| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (fault, a, b) in faults {
            let (from, to) = (a.index(lines.len()), b.index(lines.len()));
            match fault {
                Lost => drop(lines.remove(from)),
                Twice => lines.insert(to, lines[from].clone()),
                Swapped => lines.swap(from, to),
                OfAnother => {
                    let others: Vec<&str> = other.lines().collect();
                    lines.insert(to, others[a.index(others.len())].to_owned());
                }
                Digit => lines[from] = lines[from].replacen('1', "4294967295", 1 + to % 3),
            }
            if lines.is_empty() {
                break;
            }
        }
        packetdrill::run(&lines.join("\n"), &Options::default());
        Ok(())
    })?;
    Ok(())
}
