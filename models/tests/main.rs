//! Tests of the protocol through its public interface; one program, since most of the time of many
//! would go into linking them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

mod bbr;
mod captures;
mod congestion_analytic;
mod congestion_trajectories;
mod connection_timer;
mod crypto_vectors;
mod fallback;
mod fallback_out_of_tree;
mod fast_open;
mod lab;
mod middleboxes;
mod out_of_tree;
mod path_managers;
mod policies;
mod receive_windows;
mod slow_start;
mod transfers;
mod unused_windows;
mod wire;
mod without_options;
