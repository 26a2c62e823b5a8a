//! The command line of mptcpsim.

use mptcpsim::launcher::Launcher;

fn main() -> std::process::ExitCode {
    mptcpsim::cli::main(std::env::args_os(), &Launcher::this_program()).into()
}
