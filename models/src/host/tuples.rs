//! Four-tuples as small numbers.

use std::collections::BTreeMap;

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
    tuples: Vec<(FourTuple, Option<Binding>)>,
    numbers: BTreeMap<FourTuple, TupleId>,
}

impl TupleTable {
    /// The number of `tuple`.
    pub fn intern(&mut self, tuple: FourTuple) -> TupleId {
        if let Some(&number) = self.numbers.get(&tuple) {
            return number;
        }
        let number = TupleId(self.tuples.len() as u32);
        for (tuple, number) in [(tuple, number), (tuple.reversed(), number.reversed())] {
            self.tuples.push((tuple, None));
            self.numbers.insert(tuple, number);
        }
        number
    }

    /// The tuple with number `id`.
    pub fn tuple(&self, id: TupleId) -> Option<FourTuple> {
        self.tuples.get(id.0 as usize).map(|(tuple, _)| *tuple)
    }

    /// Who receives packets with tuple `id`.
    pub fn binding(&self, id: TupleId) -> Option<Binding> {
        self.tuples.get(id.0 as usize).and_then(|(_, binding)| *binding)
    }

    /// Packets with tuple `id` go to `binding` from now on.
    pub fn bind(&mut self, id: TupleId, binding: Binding) {
        if let Some(entry) = self.tuples.get_mut(id.0 as usize) {
            entry.1 = Some(binding);
        }
    }
}
