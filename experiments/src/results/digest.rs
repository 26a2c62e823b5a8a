//! One number for everything a run found out: two runs are the same if it is.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::rows::Row;
use crate::scenario::Table;

/// SHA-256 over all result rows.
///
/// Each table is hashed as the CSV text that its file has, header included;
/// the digest is the hash of the names and hashes of all tables in order.
/// Nothing in it depends on the machine, the time of day or what was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Hashes rows as they come.
#[derive(Debug, Default)]
pub(super) struct Digester {
    tables: BTreeMap<Table, csv::Writer<Hasher>>,
}

impl Digester {
    pub(super) fn row<R: Row>(&mut self, row: &R) {
        let writer = self
            .tables
            .entry(R::TABLE)
            .or_insert_with(|| csv::Writer::from_writer(Hasher::default()));
        // Rows are flat and hashing cannot fail, so there is no error to pass on.
        let written = writer.serialize(row);
        debug_assert!(written.is_ok(), "{written:?}");
    }

    /// Another one that has hashed the same rows.
    pub(super) fn fork(&mut self) -> Self {
        let fork = |(table, writer): (&Table, &mut csv::Writer<Hasher>)| {
            // Hashing cannot fail.
            let _ = writer.flush();
            let hasher = Hasher(writer.get_ref().0.clone());
            (*table, csv::WriterBuilder::new().has_headers(false).from_writer(hasher))
        };
        Self { tables: self.tables.iter_mut().map(fork).collect() }
    }

    pub(super) fn finish(self) -> Digest {
        let mut whole = Sha256::new();
        for (table, writer) in self.tables {
            let Ok(hasher) = writer.into_inner() else { continue };
            whole.update(table.name());
            whole.update(hasher.0.finalize());
        }
        Digest(whole.finalize().into())
    }
}

#[derive(Debug, Default)]
struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
