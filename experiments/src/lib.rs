//! Multipath TCP experiments: what a scenario is, how it is run, and what comes out of it.
//!
//! An experiment is data. A [`scenario`] is text; [`check`] turns it into a
//! [`plan`](plan::Plan) or says what is wrong with it; [`run`](run::run) makes a
//! simulation of the plan and returns tables; [`results`] are files, and [`plot`]
//! draws them.
//!
//! ```text
//! Source ─► check ─► Plan ─► run ─► Tables + Digest ─► ResultFolder ─► plots
//! ```
//!
//! ```
//! use mptcpsim::check::{Notation, Source, check};
//!
//! let text = r#"
//!     [[paths]]
//!     rate = "10 Mbit/s"
//!     delay = "5 ms"
//!
//!     [[flows]]
//!     app = { kind = "bulk", bytes = "1 MB" }
//! "#;
//! let plan = check(&Source::new("example", text, Notation::Toml), &[])?;
//! assert_eq!(plan.flows[0].name, "flow1");
//!
//! let faults = check(&Source::new("example", "duraton = \"1 s\"", Notation::Toml), &[]).unwrap_err();
//! assert!(faults.to_string().contains("did you mean `duration`?"));
//! # Ok::<(), mptcpsim::check::Faults>(())
//! ```

// The command line is written like any other user of the library.
extern crate self as mptcpsim;

pub mod bench;
pub mod build;
pub mod capable;
pub mod capture;
pub mod check;
pub mod cli;
pub mod explain;
pub mod launcher;
#[cfg(target_os = "linux")]
pub mod live;
pub mod metrics;
mod observe;
pub mod plan;
pub mod plot;
pub mod replay_cc;
pub mod report;
pub mod results;
pub mod run;
pub mod scenario;
pub mod session;
pub mod shipped;
pub mod sweep;
pub mod theory;
mod topology;
pub mod validate;
