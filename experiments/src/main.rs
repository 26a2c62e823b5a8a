//! The command line of mptcpsim.

use mptcpsim::launcher::Launcher;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    mptcpsim::cli::main(std::env::args_os(), &Launcher::this_program()).into()
}
