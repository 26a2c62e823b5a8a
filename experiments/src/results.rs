//! What a run leaves behind: tables, a digest, and a folder of files.

mod columns;
mod digest;
mod files;
mod listings;
mod recorder;
mod rows;

pub use columns::{Column, columns};
pub use digest::Digest;
pub(crate) use files::{JOURNAL, MANIFEST, header, is_occupied};
pub use files::{Manifest, ResultFolder, WriteError, read_rows};
pub use listings::Listings;
pub use recorder::{Recorder, Tables};
pub use rows::{
    CounterRow, EnergyRow, EventRow, LinkRow, QueueRow, RequestRow, Row, SequenceRow, SubflowRow,
    SummaryRow, TimeseriesRow,
};
