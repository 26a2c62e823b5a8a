//! The engine under mptcpsim: virtual time, quantities, links and the event loop.

pub mod time;
pub mod units;
