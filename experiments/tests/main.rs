//! Tests through the public interface and the command line; one program, since most of the time of
//! many would go into linking them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

#[cfg(feature = "dissector")]
mod captures;
mod check;
mod command_line;
#[cfg(feature = "dissector")]
mod dissect;
mod explain;
mod links;
mod measured;
mod own_policies;
mod papers;
mod path_managers;
mod replay_cc;
mod report;
mod session;
mod sweep;
mod theory;
mod workloads;
