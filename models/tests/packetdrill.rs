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

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for (stack, rules) in Rules::FOR_SCRIPTS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packetdrill").join(stack);
        for path in scripts(&folder)? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("{stack}/{name}");
            trials.push(Trial::test(name, move || run(&path, rules)));
        }
    }
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
