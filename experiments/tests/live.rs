//! Interoperation with the kernel of this machine: the simulated stack at one end, Linux at the other.
//!
//! Each case is run twice, with the simulated host as client and as server, and has to bring all
//! bytes to both ends as they were sent, with the outcome it says and without an error in the
//! kernel's counters. It takes Linux with MPTCP, and root; elsewhere the tests are ignored.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[cfg(target_os = "linux")]
#[path = "live/cases.rs"]
mod cases;
#[cfg(target_os = "linux")]
#[path = "live/harness.rs"]
mod harness;

fn main() {
    #[cfg(target_os = "linux")]
    harness::main();
}
