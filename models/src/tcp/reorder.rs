//! Segments that arrived ahead of others, and the SACK blocks that tell of them
//! (Linux `tcp_data_queue_ofo`, `tcp_sack_new_ofo_skb`).

use std::collections::VecDeque;

use mptcpsim_core::prefetch::{pop_near, prefetch_some};

use super::receive::Arrived;
use crate::search::partition_from_back;
use crate::seq::{Seq, SeqRange};

/// SACK blocks remembered (`TCP_NUM_SACKS`).
const MAX_BLOCKS: usize = 4;
/// Blocks that an acknowledgement is sure to have room for (`TCP_SACK_BLOCKS_EXPECTED`).
const EXPECTED_BLOCKS: usize = 2;

/// The out-of-order queue: sorted, without overlaps.
#[derive(Clone, Debug, Default)]
pub(super) struct Reorder {
    queue: VecDeque<Arrived>,
    /// Contiguous stretches, the most recently touched first.
    blocks: [SeqRange; MAX_BLOCKS],
    count: u8,
    /// Blocks that the acknowledgement under way has to report instead of the present ones.
    snapshot: Option<([SeqRange; MAX_BLOCKS], u8)>,
    /// A duplicate to report once (RFC 2883).
    pub(super) dsack: Option<SeqRange>,
}

/// What became of a segment that arrived out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// All or part of it is new; bytes of payload kept.
    New,
    /// Everything in it was here already.
    Duplicate,
}

impl Reorder {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Where the data farthest ahead ends (`ooo_last_skb`).
    pub(super) fn end(&self) -> Option<Seq> {
        self.queue.back().map(Arrived::end)
    }

    /// The SACK blocks, most recent first.
    fn blocks(&self) -> &[SeqRange] {
        &self.blocks[..usize::from(self.count)]
    }

    /// Where the block farthest ahead ends.
    pub(super) fn farthest_block(&self) -> Option<Seq> {
        self.blocks().iter().map(|block| block.end).reduce(Seq::latest)
    }

    /// The SACK blocks to report with the acknowledgement that leaves now.
    pub(super) fn reported(&mut self) -> impl Iterator<Item = SeqRange> + use<> {
        let (blocks, count) = self.snapshot.take().unwrap_or((self.blocks, self.count));
        blocks.into_iter().take(usize::from(count))
    }

    /// The next acknowledgement reports the blocks as they are now, whatever arrives before it
    /// leaves.
    pub(super) fn freeze_report(&mut self) {
        self.snapshot = Some((self.blocks, self.count));
    }

    /// True if a segment that takes `range` would push older blocks behind the second place,
    /// where they may no longer fit into an option (`TCP_SACK_BLOCKS_EXPECTED`).
    pub(super) fn displaces_blocks(&self, range: SeqRange) -> bool {
        let touched = self.blocks().iter().position(|block| touches(*block, range));
        touched.unwrap_or(usize::from(self.count)) >= EXPECTED_BLOCKS
    }

    /// Adds a segment, which goes into the buffer of the one before if that may take it in; `removed`
    /// is called with all memory that this frees.
    pub(super) fn insert(&mut self, mut new: Arrived, mut removed: impl FnMut(u32)) -> Inserted {
        let range = SeqRange::new(new.seq, new.end());
        let mut at = partition_from_back(&self.queue, |held| held.end().at_or_before(new.seq));
        if let Some(held) = self.queue.get(at)
            && held.seq.at_or_before(new.seq)
        {
            if held.end().at_or_after(range.end) {
                self.dsack = Some(range);
                return Inserted::Duplicate;
            }
            self.dsack = Some(SeqRange::new(new.seq, held.end()));
            new.cut_front(held.end());
            at += 1;
        }
        while let Some(held) = self.queue.get(at)
            && held.seq.before(range.end)
        {
            let overlap = SeqRange::new(held.seq, held.end().earliest(range.end));
            self.dsack = Some(self.dsack.map_or(overlap, |dsack| join(dsack, overlap)));
            if held.end().after(range.end) {
                new.cut_back(held.seq);
                break;
            }
            removed(held.buffer.truesize);
            self.queue.remove(at);
        }
        if let Some(before) = at.checked_sub(1).and_then(|at| self.queue.get_mut(at))
            && before.may_take_in(&new)
            && let Some(freed) = before.buffer.absorb(new.payload.len(), &mut new.buffer)
        {
            removed(freed);
        }
        self.queue.insert(at, new);
        self.note_block(range);
        Inserted::New
    }

    /// Brings near where most segments are added.
    pub(super) fn prefetch(&self) {
        prefetch_some(self.queue.back());
    }

    /// Takes the first segment if it starts at or before `rcv_nxt`.
    pub(super) fn take_next(&mut self, rcv_nxt: Seq) -> Option<Arrived> {
        self.queue.front().filter(|held| held.seq.at_or_before(rcv_nxt))?;
        pop_near(&mut self.queue)
    }

    /// Drops the segment farthest ahead.
    pub(super) fn drop_last(&mut self) -> Option<Arrived> {
        let dropped = self.queue.pop_back();
        // What was promised is no longer true: promise nothing (`tcp_sack_reset`).
        self.count = 0;
        dropped
    }

    /// Forgets blocks below `rcv_nxt` (`tcp_sack_remove`).
    pub(super) fn advance(&mut self, rcv_nxt: Seq) {
        if self.queue.is_empty() {
            self.count = 0;
            return;
        }
        self.retain(|block| block.start.after(rcv_nxt));
    }

    /// Puts the block that `range` belongs to first, joining neighbours.
    fn note_block(&mut self, range: SeqRange) {
        let mut block = range;
        for &held in self.blocks().iter().filter(|held| touches(**held, range)) {
            block = join(block, held);
        }
        self.retain(|held| !touches(*held, range));
        let count = usize::from(self.count).min(MAX_BLOCKS - 1);
        self.blocks.copy_within(..count, 1);
        self.blocks[0] = block;
        self.count = count as u8 + 1;
    }

    fn retain(&mut self, keep: impl Fn(&SeqRange) -> bool) {
        let mut kept = 0;
        for at in 0..usize::from(self.count) {
            if keep(&self.blocks[at]) {
                self.blocks[kept] = self.blocks[at];
                kept += 1;
            }
        }
        self.count = kept as u8;
    }
}

/// The ranges overlap or meet.
fn touches(a: SeqRange, b: SeqRange) -> bool {
    a.start.at_or_before(b.end) && b.start.at_or_before(a.end)
}

fn join(a: SeqRange, b: SeqRange) -> SeqRange {
    SeqRange::new(a.start.earliest(b.start), a.end.latest(b.end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;
    use crate::tcp::Buffer;

    fn arrived(start: u32, end: u32) -> Arrived {
        Arrived {
            at: mptcpsim_core::time::Time::ZERO,
            seq: Seq(start),
            payload: Payload::pattern(u64::from(start), end - start),
            dss: None,
            fin: false,
            buffer: Buffer { truesize: 1, tailroom: 0 },
        }
    }

    fn held(reorder: &Reorder) -> Vec<(u32, u32)> {
        reorder.queue.iter().map(|held| (held.seq.0, held.end().0)).collect()
    }

    fn blocks(reorder: &Reorder) -> Vec<(u32, u32)> {
        reorder.blocks().iter().map(|block| (block.start.0, block.end.0)).collect()
    }

    #[test]
    fn the_latest_block_comes_first_and_neighbours_join() {
        let mut reorder = Reorder::default();
        for (start, end) in [(10, 20), (30, 40), (50, 60), (20, 30)] {
            reorder.insert(arrived(start, end), |_| ());
        }
        assert_eq!(blocks(&reorder), [(10, 40), (50, 60)]);
        assert_eq!(reorder.dsack, None);
    }

    #[test]
    fn overlaps_are_cut_and_reported() {
        let mut reorder = Reorder::default();
        reorder.insert(arrived(10, 20), |_| ());
        reorder.insert(arrived(30, 40), |_| ());
        let mut freed = 0;
        reorder.insert(arrived(15, 35), |size| freed += size);
        assert_eq!(held(&reorder), [(10, 20), (20, 30), (30, 40)]);
        assert_eq!((reorder.dsack, freed), (Some(SeqRange::new(Seq(15), Seq(35))), 0));
        reorder.insert(arrived(5, 45), |size| freed += size);
        assert_eq!((held(&reorder), freed), (vec![(5, 45)], 3));
        assert_eq!(reorder.insert(arrived(6, 7), |_| ()), Inserted::Duplicate);
    }

    #[test]
    fn filling_the_gap_empties_the_queue() {
        let mut reorder = Reorder::default();
        reorder.insert(arrived(10, 20), |_| ());
        reorder.insert(arrived(20, 25), |_| ());
        assert!(reorder.take_next(Seq(9)).is_none());
        assert_eq!(reorder.take_next(Seq(10)).unwrap().end(), Seq(20));
        assert_eq!(reorder.take_next(Seq(20)).unwrap().end(), Seq(25));
        reorder.advance(Seq(25));
        assert!(blocks(&reorder).is_empty());
    }
}
