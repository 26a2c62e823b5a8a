//! Segments to bytes and back: laws that hold for any segment and any bytes, and rules one by one.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod damage;
mod laws;
mod rules;
mod strategies;
