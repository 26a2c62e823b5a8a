//! TCP and Multipath TCP as value machines, and what surrounds them.

pub mod clock;
pub mod congestion;
pub mod mptcp_keys;
pub mod observe;
pub mod options;
pub mod payload;
pub mod rules;
pub mod segment;
pub mod seq;
pub mod sysctl;
pub mod tcp;
pub mod wire;
