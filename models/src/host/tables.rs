//! What packets refer to by number, shared by hosts and middleboxes.

use super::tuples::TupleTable;
use crate::middlebox::Touches;

/// The tables of a network.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Four-tuples and their receivers.
    pub tuples: TupleTable,
    /// What middleboxes did.
    pub touches: Touches,
}
