//! TCP and Multipath TCP as value machines, and what surrounds them.

pub mod app;
pub mod clock;
pub mod congestion;
pub mod fast_open_keys;
pub mod host;
pub mod middlebox;
pub mod mptcp;
pub mod mptcp_keys;
pub mod observe;
pub mod options;
pub mod packetdrill;
pub mod params;
pub mod path_manager;
pub mod payload;
pub mod rules;
pub mod scheduler;
mod search;
pub mod segment;
pub mod seq;
pub mod sysctl;
pub mod tcp;
pub mod wire;
