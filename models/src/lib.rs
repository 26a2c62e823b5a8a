//! TCP and Multipath TCP as value machines, and what surrounds them.

pub mod mptcp_keys;
pub mod options;
pub mod payload;
pub mod segment;
pub mod seq;
pub mod wire;
