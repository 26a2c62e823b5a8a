//! What a connection and its subflows did, in numbers.

use mptcpsim_core::time::Time;

use crate::segment::ResetReason;

/// Totals of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// When the first subflow was established.
    pub established_at: Option<Time>,
    /// Data bytes sent again at the connection level.
    pub reinjected_bytes: u64,
    /// Data bytes received twice.
    pub duplicate_bytes: u64,
    /// Firings of the connection's timer that sent something.
    pub retransmits: u64,
    /// Subflows there have been.
    pub subflows_total: u32,
}

/// What a subflow did, beside its TCP totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubStatistics {
    /// How often the scheduler chose it for a piece of data.
    pub chosen: u32,
    /// Data bytes it carried that had gone to another subflow before.
    pub reinjected_bytes: u64,
    /// Data bytes received on it that were new to the connection.
    pub delivered_bytes: u64,
    /// Data bytes received on it that the connection had already.
    pub duplicate_bytes: u64,
    /// When it was closed, or [`Time::NEVER`].
    pub(super) closed: Time,
    /// When it was established, or [`Time::NEVER`].
    pub(super) established: Time,
    /// Why the peer or this host reset it, if one did.
    pub reset_reason: Option<ResetReason>,
}

impl Default for SubStatistics {
    fn default() -> Self {
        Self {
            chosen: 0,
            reinjected_bytes: 0,
            delivered_bytes: 0,
            duplicate_bytes: 0,
            closed: Time::NEVER,
            established: Time::NEVER,
            reset_reason: None,
        }
    }
}

impl SubStatistics {
    /// When it was closed.
    pub fn closed_at(&self) -> Option<Time> {
        (self.closed != Time::NEVER).then_some(self.closed)
    }

    /// When it was established.
    pub fn established_at(&self) -> Option<Time> {
        (self.established != Time::NEVER).then_some(self.established)
    }
}
