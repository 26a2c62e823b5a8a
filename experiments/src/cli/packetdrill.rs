//! `mptcpsim packetdrill`: packet scripts against a simulated host.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use mptcpsim_models::packetdrill::{self, Options, Outcome};
use mptcpsim_models::rules::{Rules, UPSTREAM_1000_HZ};

use super::{BAD_INPUT, FAILED, Failure, print};

const HELP: &str = "\
A script lists what happens and what must come of it, each line with its time:

  --tolerance_usecs=100000                     packets may be 100 ms off
  0.0   socket(..., SOCK_STREAM, IPPROTO_MPTCP) = 3
  +0.0  connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
  +0.0  > S  0:0(0)                   <mss 1460, sackOK, TS val 100 ecr 0, nop, wscale 8, mpcapable v1 flags[flag_h] nokey>
  +0.1  < S. 0:0(0) ack 1 win 65535   <mss 1460, sackOK, TS val 700 ecr 100, nop, wscale 8, mpcapable v1 flags[flag_h] key[skey=2]>
  +0.0  > .  1:1(0) ack 1             <nop, nop, TS val 100 ecr 700, mpcapable v1 flags[flag_h] key[ckey, skey]>
  +0.0  %{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%

  >  the host must send it      `...`     a shell command: sysctl, ip mptcp, nstat, ss
  <  the script sends it        %{...}%   an assertion over tcp_info, mptcp_info, counters
  +T after the event before     T         after the start     *  whenever

Scripts written for Linux run as they are. docs/packetdrill.md has the whole language.

Exit code: 0 every script passed, 1 one failed or needs what a simulated host does not have,
2 one cannot be read.";

/// Which packet scripts are run, and how.
#[derive(Args)]
#[command(after_help = HELP)]
pub(super) struct PacketdrillArgs {
    /// Scripts, or folders with scripts (*.pkt)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Whose TCP and MPTCP the host runs
    #[arg(long, default_value = "upstream", value_parser = stacks())]
    stack: String,
    /// Put VALUE wherever a script says NAME
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE", value_parser = pair)]
    defines: Vec<(String, String)>,
    /// The family of addresses. Without it: IPv6 if the script's name ends in `v6`, else IPv4
    #[arg(long, alias = "ip_version", value_name = "FAMILY")]
    ip_version: Option<Family>,
    /// Any other setting of the language, as in `--setting tolerance_usecs=10000`. What a script
    /// sets itself has priority
    #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = pair)]
    settings: Vec<(String, String)>,
    /// Scripts that need what a simulated host does not have count as skipped, not as failed
    #[arg(long)]
    skip_unsupported: bool,
    /// Show everything that happens
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Family {
    Ipv4,
    Ipv6,
}

fn stacks() -> PossibleValuesParser {
    PossibleValuesParser::new(Rules::FOR_SCRIPTS.map(|(name, _)| name))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// How many scripts ended how.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    unsupported: usize,
    unreadable: usize,
}

/// Runs scripts and says of each how it went.
pub(super) fn packetdrill(args: &PacketdrillArgs) -> Result<(), Failure> {
    let mut scripts = Vec::new();
    for path in &args.files {
        collect(path, &mut scripts)?;
    }
    if scripts.is_empty() {
        return Err(Failure::bad_input("there are no scripts (*.pkt) in these folders"));
    }
    let mut tally = Tally::default();
    for path in &scripts {
        print(&run(args, path, &mut tally)?)?;
    }
    if scripts.len() > 1 {
        print(&format!("{tally}\n"))?;
    }
    tally.verdict(args.skip_unsupported)
}

/// The scripts that a path stands for, in the order of their names.
fn collect(path: &Path, scripts: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable =
        |error| Failure::bad_input(format!("cannot read `{}`: {error}", path.display()));
    if !path.is_dir() {
        scripts.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(unreadable)?;
    let mut inside = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    inside.sort();
    for path in inside {
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "pkt") {
            collect(&path, scripts)?;
        }
    }
    Ok(())
}

fn run(args: &PacketdrillArgs, path: &Path, tally: &mut Tally) -> Result<String, Failure> {
    let name = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::bad_input(format!("cannot read `{name}`: {error}")))?;
    let report = packetdrill::run(&text, &options(args, path));
    let mut lines = String::new();
    for line in &report.trace {
        // Writing into a string cannot fail.
        let _ = writeln!(lines, "  {line}");
    }
    tally.count(&report.outcome);
    let _ = writeln!(lines, "{name}: {}", report.outcome);
    Ok(lines)
}

fn options(args: &PacketdrillArgs, path: &Path) -> Options {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
    let v6 = match args.ip_version {
        Some(family) => matches!(family, Family::Ipv6),
        None => stem.ends_with("v6"),
    };
    let family = if v6 { "ipv6" } else { "ipv4" };
    let mut settings = vec![("ip_version".to_owned(), family.to_owned())];
    settings.extend(args.settings.iter().cloned());
    let rules = Rules::FOR_SCRIPTS.iter().find(|(name, _)| *name == args.stack);
    Options {
        rules: rules.map_or(&UPSTREAM_1000_HZ, |(_, rules)| *rules),
        settings,
        defines: args.defines.clone(),
        trace: args.verbose,
    }
}

impl Tally {
    fn count(&mut self, outcome: &Outcome) {
        *match outcome {
            Outcome::Passed => &mut self.passed,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::Unsupported { .. } => &mut self.unsupported,
            Outcome::Unreadable(_) => &mut self.unreadable,
        } += 1;
    }

    /// What has been said of each script is enough: the exit code tells the worst.
    fn verdict(&self, skip_unsupported: bool) -> Result<(), Failure> {
        let fails = |code, message: &str| Err(Failure { message: message.to_owned(), code });
        if self.unreadable > 0 {
            fails(BAD_INPUT, "error: a script cannot be read")
        } else if self.failed > 0 {
            fails(FAILED, "error: a script failed")
        } else if self.unsupported > 0 && !skip_unsupported {
            fails(FAILED, "error: a script needs what a simulated host does not have")
        } else {
            Ok(())
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = [
            (self.passed, "passed"),
            (self.failed, "failed"),
            (self.unsupported, "unsupported"),
            (self.unreadable, "unreadable"),
        ];
        let words = counts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = words.map(|(count, word)| format!("{count} {word}")).collect();
        f.write_str(&words.join(", "))
    }
}
