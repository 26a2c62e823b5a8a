//! What a link is made from.

use thiserror::Error;

use crate::capacity::Capacity;
use crate::impair::{Impairments, LossError};
use crate::queue::{QueueConfig, QueueError};
use crate::time::Span;

/// What a link is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkConfig {
    /// How fast it sends.
    pub capacity: Capacity,
    /// The propagation delay, one way.
    pub delay: Span,
    /// Its queue.
    pub queue: QueueConfig,
    /// What goes wrong on it.
    pub impairments: Impairments,
    /// Whether it works from the start.
    pub up: bool,
}

impl LinkConfig {
    /// A faultless link with an unlimited queue.
    pub fn new(capacity: Capacity, delay: Span) -> Self {
        let impairments = Impairments::default();
        Self { capacity, delay, queue: QueueConfig::UNLIMITED, impairments, up: true }
    }

    /// The same with another queue.
    pub fn with_queue(self, queue: QueueConfig) -> Self {
        Self { queue, ..self }
    }

    /// The same with impairments.
    pub fn with_impairments(self, impairments: Impairments) -> Self {
        Self { impairments, ..self }
    }
}

/// What is wrong with a link.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LinkError {
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The loss model.
    #[error(transparent)]
    Loss(#[from] LossError),
}
