//! How the command line is started again, for work that takes a process of its own.

use std::ffi::OsString;
use std::process::Command;

/// A program and the arguments in front of those of a command, such as `python -m mptcpsim`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    program: OsString,
    arguments: Vec<OsString>,
}

impl Launcher {
    /// `program` with `arguments` is the command line.
    pub fn new(
        program: impl Into<OsString>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { program: program.into(), arguments }
    }

    /// The program that is running is the command line.
    pub fn this_program() -> Self {
        let named = || std::env::args_os().next().unwrap_or_else(|| "mptcpsim".into());
        let program = std::env::current_exe().map_or_else(|_| named(), OsString::from);
        Self { program, arguments: Vec::new() }
    }

    /// The command line, to be given the arguments of a command.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }
}
