//! What a host lets one see: counters, events, socket state.

pub mod event;
pub mod mib;
pub mod notation;
pub mod nstat;
pub mod ss;
