//! The command line of mptcpsim.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
