//! What packets refer to by number, shared by hosts and middleboxes.

use super::tuples::TupleTable;

/// The tables of a network.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Four-tuples and their receivers.
    pub tuples: TupleTable,
}
