//! Four-tuples as small numbers.

use std::collections::BTreeMap;

use mptcpsim_core::prefetch::prefetch_some;

use crate::segment::FourTuple;

/// The number of a four-tuple in its simulation. The two directions of a flow are neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TupleId(pub u32);

impl TupleId {
    /// The tuple of the other direction.
    pub const fn reversed(self) -> Self {
        Self(self.0 ^ 1)
    }

    /// The same for both directions of a flow.
    pub const fn flow(self) -> u32 {
        self.0 >> 1
    }
}

/// Who receives packets of a four-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Number of the connection.
    pub connection: u32,
    /// Index of the subflow.
    pub subflow: u32,
}

/// Four-tuples and their receivers.
#[derive(Clone, Debug, Default)]
pub struct TupleTable {
    /// The tuples with even numbers; the others are their reverse.
    tuples: Vec<FourTuple>,
    numbers: BTreeMap<FourTuple, TupleId>,
    /// Who receives, by number: apart, for every packet asks.
    bindings: Vec<Option<Binding>>,
}

impl TupleTable {
    /// The number of `tuple`.
    #[cold]
    pub fn intern(&mut self, tuple: FourTuple) -> TupleId {
        if let Some(number) = self.number(tuple) {
            return number;
        }
        let number = TupleId(self.bindings.len() as u32);
        self.tuples.push(tuple);
        self.numbers.insert(tuple, number);
        self.bindings.extend([None; 2]);
        number
    }

    fn number(&self, tuple: FourTuple) -> Option<TupleId> {
        let reversed = || self.numbers.get(&tuple.reversed()).map(|number| number.reversed());
        self.numbers.get(&tuple).copied().or_else(reversed)
    }

    /// The tuple with number `id`.
    pub fn tuple(&self, id: TupleId) -> Option<FourTuple> {
        let tuple = self.tuples.get(id.flow() as usize).copied();
        if id.0.is_multiple_of(2) { tuple } else { tuple.map(FourTuple::reversed) }
    }

    /// Brings near who receives packets with tuple `id`.
    pub(super) fn prefetch(&self, id: TupleId) {
        prefetch_some(self.bindings.get(id.0 as usize));
    }

    /// Who receives packets with tuple `id`.
    pub fn binding(&self, id: TupleId) -> Option<Binding> {
        self.bindings.get(id.0 as usize).copied().flatten()
    }

    /// Packets with tuple `id` go to `binding` from now on.
    pub fn bind(&mut self, id: TupleId, binding: Binding) {
        if let Some(entry) = self.bindings.get_mut(id.0 as usize) {
            *entry = Some(binding);
        }
    }
}
