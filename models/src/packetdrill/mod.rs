//! Packet scripts: the language of packetdrill, against a simulated host.
//!
//! A script says what packets arrive and which system calls a program makes,
//! and what packets and results must come of it, all at given times. The tool
//! it was made for runs it against the kernel it stands on; here the same
//! script meets the connections of this crate, from the script's own clock and
//! without any network. The MPTCP extensions of the language are those of the
//! multipath-tcp project.
//!
//! ```text
//!   text ─► parse ─► Script ─► run ─┬─► translate ─► kernel.receive        <  packet
//!                                   ├─► kernel.next_sent ─► compare        >  packet
//!                                   ├─► calls ─► sockets                      call(...) = result
//!                                   ├─► commands                           `  command
//!                                   └─► code ◄─ info                       %{ assertion }%
//!                            names: addresses, keys, relative numbers
//! ```

mod calls;
mod code;
mod commands;
mod compare;
mod defines;
mod files;
mod info;
mod kernel;
mod names;
mod parse;
mod run;
mod script;
mod settings;
mod sockets;
mod sockopts;
mod translate;
mod words;
mod zerocopy;

use std::fmt;

pub use self::parse::ScriptError;
pub use self::script::Position;
use crate::rules::{Rules, UPSTREAM_1000_HZ};

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything happened as the script says.
    Passed,
    /// Something did not.
    Failed(Failure),
    /// The script needs something that the simulated host does not have.
    Unsupported {
        /// Where.
        position: Position,
        /// What.
        what: String,
    },
    /// The text is no script.
    Unreadable(ScriptError),
}

/// What went otherwise than a script says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The event.
    pub position: Position,
    /// What is wrong, in a line.
    pub what: String,
    /// What the script says, in its notation, with the time it would have happened.
    pub expected: String,
    /// What happened, if anything, in the same notation.
    pub actual: Option<String>,
}

impl Outcome {
    /// True if everything happened as the script says.
    pub const fn passed(&self) -> bool {
        matches!(self, Self::Passed)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("ok"),
            Self::Unsupported { position, what } => {
                write!(f, "unsupported: line {}: {what}", position.line)
            }
            Self::Unreadable(error) => write!(f, "error: {error}"),
            Self::Failed(failure) => {
                writeln!(f, "failed: line {}: {}", failure.position.line, failure.what)?;
                write!(f, "  expected {}", failure.expected)?;
                match &failure.actual {
                    Some(actual) => write!(f, "\n  actual   {actual}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// How scripts are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the simulated host does.
    pub rules: &'static Rules,
    /// Settings in front of the script's own, as in `--ip_version=ipv6`.
    pub settings: Vec<(String, String)>,
    /// Words of scripts, and what stands for them.
    pub defines: Vec<(String, String)>,
    /// Note everything that happens.
    pub trace: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { rules: &UPSTREAM_1000_HZ, settings: Vec::new(), defines: Vec::new(), trace: false }
    }
}

/// What came of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Everything that happened, one line each, if that was asked for.
    pub trace: Vec<String>,
}

/// Runs a script.
pub fn run(text: &str, options: &Options) -> Report {
    let text = defines::replaced(text, &options.defines);
    match parse::script(&text) {
        Ok(script) => run::run(&script, options),
        Err(error) => Report { outcome: Outcome::Unreadable(error), trace: Vec::new() },
    }
}
