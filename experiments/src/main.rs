//! The command line of mptcpsim.

fn main() -> std::process::ExitCode {
    mptcpsim::cli::main(std::env::args_os()).into()
}
