//! The sweeps that repeat papers, in full: their tables go to `target/papers`.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Shipped sweeps that belong to the gallery and lie elsewhere.
const OTHERS: &[&str] = &["schedulers"];

/// Runs every sweep of `scenarios/papers` and those beside it; each prints its figures.
pub(super) fn run(root: &Path) -> Result<(), String> {
    let folder = root.join("scenarios/papers");
    let files = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names = OTHERS.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    for file in files {
        let path = file.map_err(|error| error.to_string())?.path();
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort_unstable();
    for name in names {
        let out = format!("target/papers/{name}");
        println!("\n{name}");
        mptcpsim(root, &["sweep", &name, "--out", &out])?;
        mptcpsim(root, &["plot", &out])?;
    }
    Ok(())
}

fn mptcpsim(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let done = Command::new(env!("CARGO"))
        .args(["run", "--release", "--quiet", "--package=mptcpsim", "--"])
        .args(arguments)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    match done.success() {
        true => Ok(()),
        false => Err(format!("mptcpsim {} failed", arguments.join(" "))),
    }
}
