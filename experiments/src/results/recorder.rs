//! Where a run puts its rows.

use std::collections::BTreeSet;

use super::digest::{Digest, Digester};
use super::rows::{
    CounterRow, EnergyRow, EventRow, LinkRow, QueueRow, RequestRow, Row, SequenceRow, SubflowRow,
    SummaryRow, TimeseriesRow,
};
use crate::scenario::Table;

/// The rows of a run, table by table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    /// A row per flow.
    pub summary: Vec<SummaryRow>,
    /// A row per subflow and sender.
    pub subflows: Vec<SubflowRow>,
    /// A row per subflow, sender and sample.
    pub timeseries: Vec<TimeseriesRow>,
    /// A row per link and direction.
    pub links: Vec<LinkRow>,
    /// A row per link, direction and sample.
    pub queues: Vec<QueueRow>,
    /// A row per event.
    pub events: Vec<EventRow>,
    /// A row per host and counter.
    pub counters: Vec<CounterRow>,
    /// A row per request.
    pub requests: Vec<RequestRow>,
    /// A row per interface with a radio.
    pub energy: Vec<EnergyRow>,
    /// A row per segment with data that was sent, if it is asked for.
    pub sequence: Vec<SequenceRow>,
}

/// Takes the rows of a run in the order in which they come about.
///
/// Every row enters the digest; it is kept only if its table is wanted. So the
/// digest of a run does not depend on what is written down.
#[derive(Debug)]
pub struct Recorder {
    wanted: BTreeSet<Table>,
    tables: Tables,
    digester: Digester,
}

impl Recorder {
    /// A recorder that keeps the tables in `wanted`, and those that every run reports on.
    pub fn new(wanted: &BTreeSet<Table>) -> Self {
        let mut wanted = wanted.clone();
        wanted.extend([Table::Summary, Table::Subflows]);
        Self { wanted, tables: Tables::default(), digester: Digester::default() }
    }

    /// Takes a row.
    pub fn push<R: Row>(&mut self, row: R) {
        self.digester.row(&row);
        self.keep(row);
    }

    /// Takes a row that exists only because it was asked for, and so is no part of the digest.
    pub fn keep<R: Row>(&mut self, row: R) {
        if self.wanted.contains(&R::TABLE) {
            R::rows(&mut self.tables).push(row);
        }
    }

    /// Another recorder that has taken the same rows.
    pub fn fork(&mut self) -> Self {
        Self {
            wanted: self.wanted.clone(),
            tables: self.tables.clone(),
            digester: self.digester.fork(),
        }
    }

    /// The tables, and the digest of every row that was pushed.
    pub fn finish(self) -> (Tables, Digest) {
        (self.tables, self.digester.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(wanted: &[Table], rates: &[f64]) -> (Tables, Digest) {
        let mut recorder = Recorder::new(&wanted.iter().copied().collect());
        for rate_bps in rates {
            recorder.push(TimeseriesRow { rate_bps: *rate_bps, ..TimeseriesRow::default() });
        }
        recorder.push(EventRow { event: "rto".into(), ..EventRow::default() });
        recorder.finish()
    }

    #[test]
    fn a_fork_goes_on_from_the_same_rows() {
        let mut recorder = Recorder::new(&Table::ALL.into_iter().collect());
        recorder.push(EventRow { event: "rto".into(), ..EventRow::default() });
        let mut fork = recorder.fork();
        for recorder in [&mut recorder, &mut fork] {
            recorder.push(EventRow { event: "undo".into(), ..EventRow::default() });
        }
        let mut other = recorder.fork();
        other.push(EventRow::default());
        let ends = [recorder, fork, other].map(Recorder::finish);
        assert_eq!(ends[0], ends[1]);
        assert_ne!(ends[0].1, ends[2].1);
    }

    #[test]
    fn the_digest_depends_on_rows_and_not_on_what_is_kept() {
        let (all, digest) = record(&Table::ALL, &[1.0, 2.0]);
        let (few, same) = record(&[], &[1.0, 2.0]);
        assert_eq!((all.timeseries.len(), few.timeseries.len()), (2, 0));
        assert_eq!(digest, same);
        assert_ne!(digest, record(&Table::ALL, &[2.0, 1.0]).1);
        assert_ne!(digest, record(&Table::ALL, &[1.0]).1);
    }
}
