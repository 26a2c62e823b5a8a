//! `mptcpsim replay-cc`: what does a congestion control make of a list of events?

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use clap::Args;
use mptcpsim::replay_cc::{ReplayCcError, replay};
use mptcpsim_models::congestion::{Congestion, Name};

use super::{Failure, print};

#[derive(Args)]
pub(super) struct ReplayCcArgs {
    /// The congestion control, as in `list congestion-controls`
    #[arg(long, value_name = "NAME")]
    algorithm: String,
    /// A parameter of it, as in `--param total_alpha=20`
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// Write the trajectory into this file rather than to the standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The events: CSV with the columns idx, t_us, subflow, event (JOIN, ACK, LOSS, RECOVERED, RTO,
    /// LEAVE), acked, rtt_us (-1: no sample), cwnd_limited
    events: PathBuf,
}

pub(super) fn replay_cc(args: &ReplayCcArgs) -> Result<(), Failure> {
    let congestion = algorithm(args)?;
    let about = |path: &Path| {
        let path = path.display().to_string();
        move |error: &dyn std::fmt::Display| Failure::bad_input(format!("`{path}`: {error}"))
    };
    let fault = about(&args.events);
    let events = BufReader::new(File::open(&args.events).map_err(|error| fault(&error))?);
    let Some(out) = &args.out else {
        let mut trajectory = Vec::new();
        replay(congestion, events, &mut trajectory).map_err(|error| fault(&error))?;
        return print(&String::from_utf8_lossy(&trajectory));
    };
    // The file appears when it is complete.
    let parent = match out.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let unwritable = about(out);
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(parent).map_err(|error| unwritable(&error))?;
    replay(congestion, events, BufWriter::new(&file)).map_err(|error| match error {
        ReplayCcError::Write(error) => unwritable(&error),
        error => fault(&error),
    })?;
    file.persist(out).map(drop).map_err(|error| unwritable(&error.error))
}

fn algorithm(args: &ReplayCcArgs) -> Result<Congestion, Failure> {
    let Some(name) = Name::from_name(&args.algorithm) else {
        let names = Name::ALL.iter().map(|name| name.name()).collect::<Vec<_>>();
        return Err(Failure::bad_input(format!(
            "there is no congestion control `{}`\n  help: known are {}",
            args.algorithm,
            names.join(", ")
        )));
    };
    let pairs = args.params.iter().map(|param| {
        param.split_once('=').ok_or_else(|| {
            let help = "write it as `--param total_alpha=20`";
            Failure::bad_input(format!("`{param}` gives a parameter no value\n  help: {help}"))
        })
    });
    let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
    Congestion::with_params(name, &pairs).map_err(Failure::bad_input)
}
