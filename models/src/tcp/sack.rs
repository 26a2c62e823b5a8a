//! Selective acknowledgements (RFC 2018, RFC 2883; Linux `tcp_sacktag_write_queue`).

use arrayvec::ArrayVec;

use super::ack::{Ack, AckFlags};
use super::scoreboard::Marks;
use super::{Cx, Subflow};
use crate::congestion::CaState;
use crate::observe::mib::Counter;
use crate::segment::{Rare, Segment};
use crate::seq::{Seq, SeqRange};

type Blocks = ArrayVec<SeqRange, 4>;

/// What earlier SACK blocks said.
#[derive(Clone, Debug, Default)]
pub(super) struct SackCache {
    /// The blocks of the last acknowledgement: nothing in them needs a second look.
    seen: Blocks,
    /// The number behind the highest selectively acknowledged record.
    highest: Option<Seq>,
}

impl SackCache {
    /// The number behind the highest SACKed record, `una` if there is none
    /// (`tcp_highest_sack_seq`).
    pub(super) fn highest(&self, una: Seq) -> Seq {
        self.highest.map_or(una, |highest| highest.latest(una))
    }

    /// Forgets what lies below `una`.
    pub(super) fn forget_below(&mut self, una: Seq) {
        self.highest = self.highest.filter(|highest| highest.after(una));
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Subflow {
    /// Marks what the SACK blocks of `segment` say has arrived.
    pub(super) fn sacktag(&mut self, cx: &mut Cx<'_>, segment: &Segment, ack: &mut Ack) {
        let mut blocks: Blocks = segment.sack.as_slice().iter().copied().collect();
        if let Some(fourth) = segment.rare().and_then(|rare: &Rare| rare.fourth_sack) {
            blocks.push(fourth);
        }
        let duplicate = self.check_dsack(cx, segment.ack, &blocks, ack);
        if cx.w().packets_out == 0 {
            return;
        }
        if duplicate && let Some(&block) = blocks.first() {
            blocks.remove(0);
            self.sacktag_duplicate(cx, block, ack);
        }
        let una = cx.w().snd_una.latest(ack.prior_una);
        blocks.retain(|block| self.valid_block(cx, *block) && block.end.after(una));
        blocks.sort_unstable_by_key(|block| block.start - una.earliest(block.start));
        for &block in &blocks {
            self.sacktag_block(cx, block, ack);
        }
        self.sack.seen = blocks;
        let in_loss = cx.w().ca_state == CaState::Loss;
        if let Some(reord) = ack.reord
            && (!in_loss || self.recovery.undo_marker.is_some())
        {
            self.check_reordering(cx, reord);
        }
    }

    /// A block is believable if it lies within what was sent (`tcp_is_sackblock_valid`).
    fn valid_block(&self, cx: &mut Cx<'_>, block: SeqRange) -> bool {
        let w = cx.w();
        block.start.before(block.end)
            && block.end.at_or_before(w.snd_nxt)
            && block.start.at_or_after(w.snd_una)
    }

    /// Recognises a D-SACK: the first block lies below the acknowledgement or within the second
    /// (`tcp_check_dsack`).
    fn check_dsack(
        &mut self,
        cx: &mut Cx<'_>,
        ack_seq: Seq,
        blocks: &Blocks,
        ack: &mut Ack,
    ) -> bool {
        let Some(&first) = blocks.first() else { return false };
        let below = first.start.before(ack_seq);
        let within = blocks.get(1).is_some_and(|second| second.contains(first));
        if !below && !within {
            return false;
        }
        cx.mib.inc(Counter::DsackRecv);
        let segments = self.dsack_seen(first, ack);
        if segments == 0 {
            cx.mib.inc(Counter::DsackIgnoredDubious);
        }
        // Duplicates of data that is long acknowledged count against the retransmissions too.
        if let Some(marker) = self.recovery.undo_marker
            && self.recovery.undo_retrans > 0
            && first.end.at_or_before(ack.prior_una)
            && first.end.after(marker)
        {
            self.recovery.undo_retrans = (self.recovery.undo_retrans - segments as i32).max(0);
        }
        true
    }

    /// Counts a reported duplicate (`tcp_dsack_seen`); returns its segments.
    #[cold]
    fn dsack_seen(&mut self, block: SeqRange, ack: &mut Ack) -> u32 {
        if !block.start.before(block.end) || block.len() > self.max_window {
            return 0;
        }
        let mss = u32::from(self.mss_cache).max(1);
        let mut segments = 1;
        if block.len() > mss {
            segments = block.len().div_ceil(mss);
        } else if self.recovery.tlp_high_seq == Some(block.end) {
            ack.flags.set(AckFlags::DSACK_TLP);
        }
        self.totals.dsack_dups += segments;
        // More duplicates than retransmissions: the network duplicates, not this sender.
        if u64::from(self.totals.dsack_dups) > self.totals.retransmissions {
            return 0;
        }
        if self.recovery.reord_seen && !ack.flags.has(AckFlags::DSACK_TLP) {
            self.rack.dsack_seen = true;
        }
        ack.flags.set(AckFlags::DSACKING_ACK);
        self.rate.delivered = self.rate.delivered.wrapping_add(segments);
        segments
    }

    /// Marks a duplicate block's records: their retransmission was not needed.
    #[cold]
    fn sacktag_duplicate(&mut self, cx: &mut Cx<'_>, block: SeqRange, ack: &mut Ack) {
        let mut index = self.tx.find(block.start);
        while let Some(record) = self.tx.get_mut(index) {
            if !record.seq.before(block.end) {
                return;
            }
            if block.contains(SeqRange::new(record.seq, record.end())) {
                let marks = record.marks;
                let (seq, end) = (record.seq, record.end());
                record.marks.clear(Marks::RETRANS);
                if marks.has(Marks::RETRANS) {
                    cx.w().retrans_out -= 1;
                }
                let undo = &mut self.recovery.undo_retrans;
                if marks.was_retransmitted()
                    && self.recovery.undo_marker.is_some_and(|marker| end.after(marker))
                    && *undo > 0
                {
                    *undo -= 1;
                }
                if marks.was_retransmitted() && marks.has(Marks::SACKED) {
                    note_reordering(ack, seq);
                }
            }
            index += 1;
        }
    }

    /// Marks the records of one block, passing over what the last acknowledgement told already.
    fn sacktag_block(&mut self, cx: &mut Cx<'_>, block: SeqRange, ack: &mut Ack) {
        let mut from = block.start;
        let seen = self.sack.seen.clone();
        for cached in seen.iter().filter(|cached| cached.end.after(block.start)) {
            if cached.start.at_or_after(block.end) {
                break;
            }
            if from.before(cached.start) {
                self.sacktag_walk(cx, block, from, cached.start, ack);
            }
            from = from.latest(cached.end);
        }
        if from.before(block.end) {
            self.sacktag_walk(cx, block, from, block.end, ack);
        }
    }

    fn sacktag_walk(
        &mut self,
        cx: &mut Cx<'_>,
        block: SeqRange,
        from: Seq,
        to: Seq,
        ack: &mut Ack,
    ) {
        let mut index = self.tx.find(from);
        while let Some(record) = self.tx.get(index) {
            if !record.seq.before(to) {
                return;
            }
            if block.contains(SeqRange::new(record.seq, record.end())) {
                self.sacktag_one(cx, index, ack);
            }
            index += 1;
        }
    }

    /// One record has arrived out of order (`tcp_sacktag_one`).
    fn sacktag_one(&mut self, cx: &mut Cx<'_>, index: usize, ack: &mut Ack) {
        let Some(&record) = self.tx.get(index) else { return };
        if record.marks.has(Marks::SACKED) {
            return;
        }
        self.rack_advance(cx, &record);
        if record.marks.has(Marks::RETRANS) {
            // The original or the retransmission may have arrived; if it was thought lost,
            // assume the retransmission did.
            if record.marks.has(Marks::LOST) {
                let w = cx.w();
                w.lost_out -= 1;
                w.retrans_out -= 1;
                self.clear_marks(index, Marks::LOST.with(Marks::RETRANS));
            }
        } else {
            if !record.marks.was_retransmitted() {
                let una = cx.w().snd_una;
                if record.seq.before(self.sack.highest(una)) {
                    note_reordering(ack, record.seq);
                }
                if record.end().at_or_before(self.recovery.high_seq) {
                    ack.flags.set(AckFlags::ORIG_SACK_ACKED);
                }
                ack.first_sacked = ack.first_sacked.or(Some(record.sent_at));
                ack.last_sacked = Some(record.sent_at);
            }
            if record.marks.has(Marks::LOST) {
                cx.w().lost_out -= 1;
                self.clear_marks(index, Marks::LOST);
            }
        }
        if let Some(record) = self.tx.get_mut(index) {
            record.marks.set(Marks::SACKED);
        }
        self.tx.note_sacked(index);
        self.tx.list_remove(index);
        ack.flags.set(AckFlags::DATA_SACKED);
        cx.w().sacked_out += 1;
        self.rate.delivered = self.rate.delivered.wrapping_add(1);
        self.rate.delivered_packet(&record, &mut ack.sample);
        let end = record.end();
        self.sack.highest = Some(self.sack.highest.map_or(end, |highest| highest.latest(end)));
    }

    fn clear_marks(&mut self, index: usize, marks: Marks) {
        if let Some(record) = self.tx.get_mut(index) {
            record.marks.clear(marks);
        }
    }
}

fn note_reordering(ack: &mut Ack, seq: Seq) {
    ack.reord = Some(ack.reord.map_or(seq, |reord| reord.earliest(seq)));
}
