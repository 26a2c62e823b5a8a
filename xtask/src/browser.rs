//! Reports in a real browser: Chromium, driven from Node.js.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Step, target};

/// What the tests drive, which `cargo test` has built as well.
pub(super) const BINARY: Step = Step {
    what: "the binary for the browser",
    cargo: &["build", "--package=mptcpsim", "--bin=mptcpsim", "--quiet"],
};

/// What is needed, and what Debian calls it.
const NEEDED: [(&str, &str); 3] = [("node", "nodejs"), ("npm", "npm"), ("chromium", "chromium")];

/// What became of the tests.
pub(super) enum Browser {
    Passed,
    Failed,
    /// Something that is needed is not here.
    Skipped,
}

/// Opens reports of the binary in Chromium, if there is one or one can be installed.
pub(super) fn test() -> Browser {
    let missing = NEEDED.iter().filter(|(program, _)| !is_there(program));
    let missing = missing.map(|(_, package)| *package).collect::<Vec<_>>();
    if !missing.is_empty() && !super::install(&missing) {
        return Browser::Skipped;
    }
    if !NEEDED.iter().all(|(program, _)| is_there(program)) {
        return Browser::Skipped;
    }
    match drives() {
        true => Browser::Passed,
        false => Browser::Failed,
    }
}

fn drives() -> bool {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tests = project.join("experiments/tests/browser");
    let target = target(&project);
    let home = target.join("browser");
    let copied = fs::create_dir_all(&home).is_ok()
        && ["package.json", "package-lock.json"]
            .iter()
            .all(|file| fs::copy(tests.join(file), home.join(file)).is_ok());
    if !copied {
        eprintln!("\nthe folder {} cannot be written", home.display());
        return false;
    }
    let mut install = Command::new("npm");
    install.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&home);
    let mut test = Command::new("node");
    test.arg("--test")
        .arg(tests.join("report.test.js"))
        .env("NODE_PATH", home.join("node_modules"))
        .env("MPTCPSIM", absolute(target.join("debug/mptcpsim")))
        .env("CHROMIUM", "/usr/bin/chromium");
    [("browser driver", install), ("reports in a browser", test)].into_iter().all(
        |(what, mut command)| {
            eprintln!("\n== {what}");
            command.status().is_ok_and(|status| status.success())
        },
    )
}

fn absolute(path: PathBuf) -> PathBuf {
    fs::canonicalize(&path).unwrap_or(path)
}

fn is_there(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}
