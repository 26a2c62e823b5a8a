//! What can be typed, and what happens then.
//!
//! Results go to the standard output or into files, errors to the standard
//! error. Exit codes: 0 done, 1 the run or a check failed, 2 bad input, 130 ended by Ctrl-C.

mod bench;
mod capable;
mod explain;
mod faults;
mod list;
#[cfg(target_os = "linux")]
mod live;
mod packetdrill;
mod replay_cc;
mod report;
mod run;
mod summary;
mod sweep;
mod theory;
mod validate;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use mptcpsim::check::{Override, Source, check};
use mptcpsim::launcher::Launcher;
use mptcpsim::plan::Plan;
use mptcpsim::results::WriteError;
use mptcpsim::scenario;
use mptcpsim::shipped::{self, Shipped};
use mptcpsim::validate::reference;

const EXAMPLES: &str = "Examples:
  mptcpsim run                              the embedded scenario wifi-lte
  mptcpsim run handover --out results/h     a path dies and returns
  mptcpsim run my.toml --seed 7 --set links.wifi.delay=\"40 ms\"
  mptcpsim sweep schedulers --jobs 4        many configurations and seeds, see [sweep]
  mptcpsim check my.toml                    every fault at once, nothing is run
  mptcpsim capable middleboxes              does MPTCP survive each path, and if not, why
  mptcpsim explain wifi-lte                 why was this run no faster
  mptcpsim report results/h                 one page to look at, to keep or to send
  mptcpsim list queues                      what can be named, with parameters
  mptcpsim validate --measured linux-6.18   simulations beside what real kernels did
  mptcpsim packetdrill scripts/             packet scripts against a simulated host
  mptcpsim schema > scenario.schema.json    completion and checks in an editor";

/// Simulates Multipath TCP.
///
/// A scenario says what the network is and what flows through it; a run writes tables, plots and
/// captures into a folder. The same scenario and seed always give the same results.
#[derive(Parser)]
#[command(name = "mptcpsim", version, after_help = EXAMPLES, disable_help_subcommand = true)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a scenario and write its results
    Run(run::RunArgs),
    /// Run a scenario with many values and many seeds, on all processors
    Sweep(sweep::SweepArgs),
    /// Draw the plots of a run again from its CSV files, or those of a sweep
    Plot {
        /// A folder that `run` or `sweep` has written
        folder: PathBuf,
    },
    /// Show what can be named in a scenario, with parameters and defaults
    List {
        /// One kind of thing; without it all kinds in short
        kind: Option<list::Kind>,
    },
    /// Show every fault of a scenario without running it
    Check(CheckArgs),
    /// Try each path of a scenario with a short transfer: does MPTCP survive it, and if not, why?
    Capable(capable::CapableArgs),
    /// Compare the rates of a run with the equilibrium that fluid models give, if they give one
    Theory(theory::TheoryArgs),
    /// Run a scenario, or results again, and say why it was no faster: where the time of each path went
    Explain(explain::ExplainArgs),
    /// Make one page of HTML of a run or a sweep: a picture of the scenario, why it was no faster, plots
    /// over time that can be zoomed, tables and events, and how to repeat it
    Report(report::ReportArgs),
    /// Print the JSON Schema of scenarios
    Schema,
    /// Run packet scripts in the language of packetdrill against a simulated host
    Packetdrill(packetdrill::PacketdrillArgs),
    /// Drive a congestion control with a list of events and print its windows
    ReplayCc(replay_cc::ReplayCcArgs),
    /// Measure how fast the simulator is on this machine
    Bench(bench::BenchArgs),
    /// Run a scenario in real time, with the real kernel of this machine as client, server or both (Linux,
    /// root)
    #[cfg(target_os = "linux")]
    Live(live::LiveArgs),
    /// Compare simulations with real kernels: with two that run the same scenario here (Linux, root), or with what
    /// was measured on others
    Validate(validate::ValidateArgs),
    /// Be the application of a real kernel in a live run
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    LivePeer,
    /// Run a scenario in real time with real kernels: on Linux only
    #[cfg(not(target_os = "linux"))]
    Live {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        _arguments: Vec<OsString>,
    },
}

/// A scenario and the values that replace those in it.
#[derive(Args)]
struct ScenarioArgs {
    /// Give a key of the scenario another value, as in `--set links.wifi.rate="5 Mbit/s"`. Elements of
    /// lists are counted from 0: `--set flows.0.app.bytes="1 MB"`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The seed of every random stream
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// When the run ends at the latest, such as `10 s`
    #[arg(long, value_name = "TIME")]
    duration: Option<String>,
}

impl ScenarioArgs {
    /// Whether anything is replaced.
    fn any(&self) -> bool {
        !self.set.is_empty() || self.seed.is_some() || self.duration.is_some()
    }
}

#[derive(Args)]
struct CheckArgs {
    /// A TOML or JSON file, or the name of a shipped scenario
    scenario: String,
    #[command(flatten)]
    values: ScenarioArgs,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for people
    #[default]
    Text,
    /// JSON for programs
    Json,
}

/// Why a command ends early: what to say, and the exit code.
struct Failure {
    message: String,
    code: u8,
}

/// What went wrong while doing what was asked.
const FAILED: u8 = 1;
/// What was asked cannot be done.
const BAD_INPUT: u8 = 2;

/// Does what is typed, the name of the program first, and returns the exit code. Some commands start
/// others, with `launcher`.
pub fn main(typed: impl IntoIterator<Item = OsString>, launcher: &Launcher) -> u8 {
    let cli = match Cli::try_parse_from(typed) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to the standard output, which may be closed.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(BAD_INPUT);
        }
    };
    let done = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Sweep(args) => sweep::sweep(&args),
        Command::Plot { folder } => plot(&folder),
        Command::List { kind } => print(&list::text(kind)),
        Command::Check(args) => check_scenario(&args),
        Command::Capable(args) => capable::run(&args),
        Command::Theory(args) => theory::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Schema => schema(),
        Command::Packetdrill(args) => packetdrill::packetdrill(&args),
        Command::ReplayCc(args) => replay_cc::replay_cc(&args),
        Command::Bench(args) => bench::bench(&args, launcher),
        #[cfg(target_os = "linux")]
        Command::Live(args) => live::live(&args, launcher),
        Command::Validate(args) => validate::run(&args, launcher),
        #[cfg(target_os = "linux")]
        Command::LivePeer => live::peer(),
        #[cfg(not(target_os = "linux"))]
        Command::Live { .. } => Err(Failure::bad_input("real kernels run MPTCP on Linux only")),
    };
    match done {
        Ok(()) => 0,
        Err(Failure { message, code }) => {
            // Nobody is left to tell if the standard error is closed too.
            let _ = writeln!(io::stderr(), "{message}");
            code
        }
    }
}

impl Failure {
    fn bad_input(why: impl Display) -> Self {
        Self { message: format!("error: {why}"), code: BAD_INPUT }
    }

    fn failed(why: impl Display) -> Self {
        Self { message: format!("error: {why}"), code: FAILED }
    }
}

/// Nothing can be written where it was asked for: that is the asker's to put right.
impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Self::bad_input(error)
    }
}

/// Writes to the standard output. A reader that has seen enough, such as `head`, is no error.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to the standard output: {error}")))
        }
        _ => Ok(()),
    }
}

fn plot(folder: &Path) -> Result<(), Failure> {
    let files = mptcpsim::plot::plot(folder).map_err(Failure::bad_input)?;
    if files.is_empty() {
        return print(
            "nothing was drawn: too many configurations and flows for one page, or no metric that is drawn\n",
        );
    }
    let lines = files.iter().map(|file| format!("{}\n", folder.join(file).display()));
    print(&lines.collect::<String>())
}

fn check_scenario(args: &CheckArgs) -> Result<(), Failure> {
    let plan = plan(Some(&args.scenario), &args.values, &[])?;
    print(&format!(
        "{}: no faults. {} links, {} hosts, {} paths, {} flows, {}\n",
        plan.name,
        plan.links.len(),
        plan.hosts.len(),
        plan.paths.len(),
        plan.flows.len(),
        plan.duration
    ))
}

fn schema() -> Result<(), Failure> {
    print(&format!("{:#}\n", scenario::schema()))
}

/// The plan of the scenario called `name`, or of the default one.
fn plan(name: Option<&str>, values: &ScenarioArgs, more: &[Override]) -> Result<Plan, Failure> {
    let source = source(name.unwrap_or(shipped::DEFAULT))?;
    let plan = check(&source, &overrides(values, more))
        .map_err(|faults| Failure { message: faults::render(&faults), code: BAD_INPUT })?;
    for warning in &plan.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(plan)
}

/// What the options say about the scenario, those in `more` last.
fn overrides(values: &ScenarioArgs, more: &[Override]) -> Vec<Override> {
    let mut overrides = values.set.iter().map(|text| Override::set(text)).collect::<Vec<_>>();
    let seed = values.seed.map(|seed| seed.to_string());
    let options = [("--seed", "seed", seed), ("--duration", "duration", values.duration.clone())];
    for (option, key, value) in options {
        overrides.extend(value.map(|value| Override::option(option, key, &value)));
    }
    overrides.extend_from_slice(more);
    overrides
}

/// A file, a shipped scenario or a measured one.
fn source(name: &str) -> Result<Source, Failure> {
    let path = Path::new(name);
    let embedded = || shipped::find(name).map(Shipped::source).or_else(|| reference::find(name));
    let found = if path.is_file() { None } else { embedded() };
    match found {
        Some(source) => Ok(source),
        None if path.exists() => Source::read(path)
            .map_err(|faults| Failure { message: faults::render(&faults), code: BAD_INPUT }),
        None => {
            let names = shipped::SCENARIOS.iter().map(|shipped| shipped.name).collect::<Vec<_>>();
            Err(Failure::bad_input(format!(
                "there is no file `{name}`, and no shipped scenario of that name\n  help: shipped are {}",
                names.join(", ")
            )))
        }
    }
}
