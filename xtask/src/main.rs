//! The project's chores: `cargo xtask test` checks everything that a change must not break.

use std::process::{Command, ExitCode};

const HELP: &str = "\
cargo xtask COMMAND

  test    format, clippy, all tests, documentation: what continuous integration runs
  help    this text";

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
        cargo: &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"],
    },
    Step { what: "tests", cargo: &["test", "--workspace", "--quiet"] },
    Step { what: "documentation", cargo: &["doc", "--workspace", "--no-deps", "--quiet"] },
];

fn main() -> ExitCode {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["test"] => test(),
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
    for step in STEPS {
        eprintln!("\n== {}: cargo {}", step.what, step.cargo.join(" "));
        if let Err(why) = run(step) {
            eprintln!("\n{} failed: {why}", step.what);
            return ExitCode::FAILURE;
        }
    }
    eprintln!("\nall checks passed");
    ExitCode::SUCCESS
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
