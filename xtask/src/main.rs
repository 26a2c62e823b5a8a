//! The project's chores: `cargo xtask test` checks everything that a change must not break.

#![allow(
    clippy::disallowed_methods,
    reason = "chores run nothing that must not depend on where it runs"
)]

mod browser;
mod pages;
mod papers;
mod python;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
cargo xtask COMMAND

  browser  open reports in Chromium, where it is or can be installed
  papers   run the sweeps of scenarios/papers in full and print their figures
  pages    make docs/algorithms from the documentation of the modules
  python   build and install the Python package in a virtual environment, and run its tests
  test     format, clippy, documentation, all tests: what continuous integration runs
  help     this text";

const BROWSER_SKIPPED: &str =
    "SKIPPED: reports in a browser. They need: apt-get install chromium nodejs npm";

/// A step of the test command: what it is for, and the arguments of cargo.
struct Step {
    what: &'static str,
    cargo: &'static [&'static str],
}

/// In the order of how soon they fail.
const STEPS: &[Step] = &[
    Step { what: "format", cargo: &["fmt", "--all", "--check"] },
    Step {
        what: "clippy",
        cargo: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "--deny",
            "warnings",
        ],
    },
    Step { what: "documentation", cargo: &["doc", "--workspace", "--no-deps", "--quiet"] },
];

/// All tests, those of captures included, which a dissector has to read.
const ALL_TESTS: Step = Step {
    what: "tests",
    cargo: &["test", "--workspace", "--features=mptcpsim/dissector", "--quiet"],
};

const TESTS_WITHOUT_DISSECTOR: Step =
    Step { what: "tests", cargo: &["test", "--workspace", "--quiet"] };

fn main() -> ExitCode {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["test"] => test(),
        ["browser"] if !passes(&browser::BINARY) => ExitCode::FAILURE,
        ["browser"] => match browser::test() {
            browser::Browser::Passed => ExitCode::SUCCESS,
            browser::Browser::Failed => ExitCode::FAILURE,
            browser::Browser::Skipped => {
                eprintln!("{BROWSER_SKIPPED}");
                ExitCode::FAILURE
            }
        },
        ["python"] => match python::test() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
        ["papers"] => match papers::run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("error: {why}");
                ExitCode::FAILURE
            }
        },
        ["pages"] => match pages::write(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("the pages cannot be made: {error}");
                ExitCode::FAILURE
            }
        },
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        other => {
            eprintln!("unknown command `{}`\n\n{HELP}", other.join(" "));
            ExitCode::from(2)
        }
    }
}

/// Runs all steps until one fails.
fn test() -> ExitCode {
    if !STEPS.iter().all(passes) {
        return ExitCode::FAILURE;
    }
    let dissects = has_tshark() || (install(&["tshark"]) && has_tshark());
    if !passes(if dissects { &ALL_TESTS } else { &TESTS_WITHOUT_DISSECTOR }) {
        return ExitCode::FAILURE;
    }
    let browser = browser::test();
    // Continuous integration has installed one.
    let must = std::env::var_os("CI").is_some();
    match browser {
        browser::Browser::Failed => return ExitCode::FAILURE,
        browser::Browser::Skipped if must => {
            eprintln!("\nthe tests of reports need chromium, nodejs and npm");
            return ExitCode::FAILURE;
        }
        _ => {}
    }
    if !python::test() {
        return ExitCode::FAILURE;
    }
    eprintln!("\nall checks passed");
    if matches!(browser, browser::Browser::Skipped) {
        eprintln!("{BROWSER_SKIPPED}");
    }
    if !dissects {
        eprintln!("SKIPPED: the tests of captures. They need tshark: apt-get install tshark");
    }
    ExitCode::SUCCESS
}

fn has_tshark() -> bool {
    let version = Command::new("tshark").arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// Debian's packages, where this user may install them. True if that went well.
fn install(packages: &[&str]) -> bool {
    let packages = packages.join(" ");
    eprintln!("\n== missing: {packages}; trying to install");
    let install = format!(
        "export DEBIAN_FRONTEND=noninteractive; \
        as_root=; [ \"$(id -u)\" -eq 0 ] || as_root='sudo --non-interactive'; \
        $as_root apt-get update --quiet && \
        $as_root apt-get install --yes --quiet --no-install-recommends {packages}"
    );
    let status = Command::new("sh").args(["-c", &install]).status();
    status.is_ok_and(|status| status.success())
}

/// Where cargo puts what it builds.
fn target(project: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project.join("target"), PathBuf::from)
}

/// Says what it does, and why it failed if it did.
fn passes(step: &Step) -> bool {
    eprintln!("\n== {}: cargo {}", step.what, step.cargo.join(" "));
    match run(step) {
        Ok(()) => true,
        Err(why) => {
            eprintln!("\n{} failed: {why}", step.what);
            false
        }
    }
}

fn run(step: &Step) -> Result<(), String> {
    // Cargo tells programs it runs where it is.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(step.cargo)
        .env("RUSTDOCFLAGS", "--deny warnings")
        .status()
        .map_err(|error| error.to_string())?;
    status.success().then_some(()).ok_or_else(|| status.to_string())
}
