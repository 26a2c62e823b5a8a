//! The Python package: built and installed as users do it, then tested.

use std::path::Path;
use std::process::Command;

use super::target;

/// Builds the package without the optimisation of a release: most of the time goes into compiling.
const BUILD: &str = "--config-settings=build-args=--profile python-test";

/// Installs the package into a virtual environment of its own and runs all its tests.
pub(crate) fn test() -> bool {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let environment = target(&project).join("python");
    let python = environment.join("bin/python");
    let package = format!("{}[test,docs]", project.join("python").display());
    let steps = [
        ("python environment", venv(&environment)),
        ("python package", command(&python, &["-m", "pip", "install", "--quiet", BUILD, &package])),
        (
            "python tests",
            command(
                &python,
                &["-m", "pytest", "--quiet", "-c", "python/pyproject.toml", "python/tests"],
            ),
        ),
        (
            "python types",
            command(
                &python,
                &[
                    "-m",
                    "mypy",
                    "--config-file=python/pyproject.toml",
                    "python/mptcpsim",
                    "python/tests",
                    "python/examples",
                    "python/tools/costs.py",
                ],
            ),
        ),
        ("documentation site", command(&python, &["-m", "mkdocs", "--quiet", "build", "--strict"])),
        ("python stubs", command(&python, &["-m", "mypy.stubtest", "mptcpsim._mptcpsim"])),
    ];
    steps.into_iter().all(|(what, mut command)| {
        eprintln!("\n== {what}");
        let done = command.current_dir(&project).status();
        let passed = matches!(&done, Ok(status) if status.success());
        if !passed {
            let why = done.map_or_else(|error| error.to_string(), |status| status.to_string());
            eprintln!(
                "\n{what} failed: {why}. CPython 3.11 or later with the module venv is needed"
            );
        }
        passed
    })
}

fn venv(environment: &Path) -> Command {
    let mut command = command(Path::new("python3"), &["-m", "venv"]);
    command.arg(environment);
    command
}

fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
