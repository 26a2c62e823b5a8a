//! What a subflow has to send and has sent: the write queue and the retransmission queue.
//!
//! Bytes wait in *chunks*, each with the place of its first byte in the
//! application's stream. A chunk is what Linux puts into one socket buffer: with
//! MPTCP it is one mapping, and no segment spans two chunks. Sent bytes are
//! *records*, one for each segment. Records are linked in the order they were
//! last sent (`tsorted_sent_queue`), which is all that RACK needs.

use std::collections::VecDeque;

use mptcpsim_core::prefetch::{prefetch_entrance, prefetch_some};
use mptcpsim_core::time::Time;

use crate::search::partition_from_back;
use crate::seq::Seq;

/// No record.
const NIL: u32 = u32::MAX;

/// Bytes with one mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Sequence number of the first byte.
    pub seq: Seq,
    /// Bytes.
    pub len: u32,
    /// Place of the first byte in the application's stream.
    pub stream: u64,
    /// The bytes are mapped to the data level; false once fallen back.
    pub mapped: bool,
    /// Nothing may join it (`frozen` of `struct mptcp_ext`).
    pub frozen: bool,
    /// It was the last one when the queue was to be sent (`tcp_mark_push`).
    pub pushed: bool,
    /// IP refuses its segments, as longer than the MTU, and nothing overtakes them.
    pub refused: bool,
}

/// What happened to a sent segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(u8);

impl Marks {
    /// Selectively acknowledged.
    pub(crate) const SACKED: Self = Self(1);
    /// Taken for lost.
    pub(crate) const LOST: Self = Self(2);
    /// Sent again, and that copy is in flight.
    pub(crate) const RETRANS: Self = Self(4);
    /// Sent again at some time.
    pub(crate) const EVER_RETRANS: Self = Self(8);
    /// Carries the FIN.
    pub(crate) const FIN: Self = Self(16);
    /// Sent while the application had no more.
    pub(crate) const APP_LIMITED: Self = Self(32);
    /// In the list sorted by send time.
    const LISTED: Self = Self(64);
    /// The first one of a burst: one socket buffer holds all that left at once.
    pub(crate) const OPENS_BUFFER: Self = Self(128);

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    pub(crate) fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }
    pub(crate) fn clear(&mut self, other: Self) {
        self.0 &= !other.0;
    }
    /// Sent more than once.
    pub(crate) const fn was_retransmitted(self) -> bool {
        self.has(Self::RETRANS.with(Self::EVER_RETRANS))
    }
}

/// A segment that was sent and not yet cumulatively acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) seq: Seq,
    /// Payload bytes.
    pub(crate) len: u32,
    pub(crate) marks: Marks,
    /// Number of the chunk its bytes are from.
    pub(crate) chunk: u32,
    /// When it was last sent.
    pub(crate) sent_at: Time,
    /// State of the delivery-rate estimator when it was sent.
    pub(crate) delivered: u32,
    pub(crate) delivered_at: Time,
    pub(crate) first_sent_at: Time,
    earlier: u32,
    later: u32,
}

impl Record {
    /// The number behind its last byte or FIN.
    pub(crate) fn end(&self) -> Seq {
        self.seq + self.len + u32::from(self.marks.has(Marks::FIN))
    }
}

/// What the estimator remembers with each transmission.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RateStamp {
    pub(crate) delivered: u32,
    pub(crate) delivered_at: Time,
    pub(crate) first_sent_at: Time,
    pub(crate) app_limited: bool,
}

/// The write queue and the retransmission queue of a subflow.
#[derive(Clone, Debug, Default)]
pub(crate) struct TxQueue {
    records: VecDeque<Record>,
    chunks: VecDeque<Chunk>,
    /// Number of the first record and chunk in the deques.
    first_record: u32,
    first_chunk: u32,
    /// Number of the chunk that the next new segment is cut from.
    send_chunk: u32,
    /// The list by send time is kept: number behind the last record that was there when its order
    /// was last changed. Once these records are gone, or as long as nothing is sent again or taken
    /// out, the order is that of the sequence.
    listed_to: Option<u32>,
    /// Records that open a buffer.
    opened: u32,
    /// Ends of the list by send time.
    oldest: u32,
    newest: u32,
    /// The number behind the last byte (or FIN) queued.
    pub(crate) write_seq: Seq,
}

impl TxQueue {
    /// An empty queue whose first byte will have number `start`.
    pub(crate) fn new(start: Seq) -> Self {
        Self { write_seq: start, oldest: NIL, newest: NIL, ..Self::default() }
    }

    /// Queues `len` bytes of the stream from `stream` on. They join the last chunk if they
    /// continue it, nothing of it was sent, and it stays within `limit` bytes; true if they do not.
    pub(crate) fn push(
        &mut self,
        stream: u64,
        len: u32,
        mapped: bool,
        limit: u32,
        snd_nxt: Seq,
    ) -> bool {
        let seq = self.write_seq;
        self.write_seq += len;
        if let Some(last) = self.chunks.back_mut() {
            let continues = last.stream + u64::from(last.len) == stream && last.mapped == mapped;
            let unsent =
                last.seq.at_or_after(snd_nxt) || (!mapped && (last.seq + last.len).after(snd_nxt));
            if continues && unsent && !last.frozen && last.len + len <= limit {
                last.len += len;
                last.pushed = false;
                return false;
            }
        }
        self.chunks.push_back(Chunk {
            seq,
            len,
            stream,
            mapped,
            frozen: false,
            pushed: false,
            refused: false,
        });
        true
    }

    /// The chunks with something not acknowledged, the first one cut to that.
    pub(crate) fn outstanding(&self, snd_una: Seq) -> impl Iterator<Item = Chunk> + '_ {
        self.chunks.iter().filter_map(move |chunk| {
            let done = snd_una.offset_from(chunk.seq).max(0) as u32;
            (done < chunk.len).then(|| Chunk {
                seq: chunk.seq + done,
                len: chunk.len - done,
                stream: chunk.stream + u64::from(done),
                ..*chunk
            })
        })
    }

    /// The receiver is to read once it has what is queued now.
    pub(crate) fn mark_push(&mut self) {
        if let Some(last) = self.chunks.back_mut() {
            last.pushed = true;
        }
    }

    /// Brings near what acknowledgements take away, and where more is added.
    pub(super) fn prefetch(&self) {
        prefetch_some(self.records.front());
        prefetch_some(self.records.get(1));
        prefetch_some(self.records.get(1).map(|second| &second.marks));
        prefetch_entrance(&self.records);
        prefetch_some(self.chunks.front());
        prefetch_some(self.chunks.get(1));
        prefetch_some(self.chunks.back());
    }

    /// Nothing may join the last chunk any more.
    pub(crate) fn freeze(&mut self) {
        if let Some(last) = self.chunks.back_mut() {
            last.frozen = true;
        }
    }

    /// IP refuses what is queued last.
    pub(crate) fn refuse_last(&mut self) {
        if let Some(last) = self.chunks.back_mut() {
            last.refused = true;
        }
    }

    /// The chunk and the bytes left in it from which the next new segment is cut.
    pub(crate) fn unsent(&self, snd_nxt: Seq) -> Option<(&Chunk, u32)> {
        let chunk = self.chunks.get(self.send_chunk.wrapping_sub(self.first_chunk) as usize)?;
        let left = chunk.len - (snd_nxt - chunk.seq);
        (left > 0).then_some((chunk, left))
    }

    /// How many chunks have bytes that are not sent.
    pub(crate) fn unsent_chunks(&self) -> usize {
        self.chunks.len().saturating_sub(self.send_chunk.wrapping_sub(self.first_chunk) as usize)
    }

    /// True if the chunk being sent is the last one.
    pub(crate) fn sends_last_chunk(&self) -> bool {
        self.send_chunk.wrapping_sub(self.first_chunk) as usize + 1 >= self.chunks.len()
    }

    /// Space left in the last chunk, if nothing of it was sent: bytes may still join it.
    pub(crate) fn open_chunk(&self, snd_nxt: Seq) -> Option<&Chunk> {
        self.chunks.back().filter(|chunk| !chunk.frozen && chunk.seq.at_or_after(snd_nxt))
    }

    /// How much of the last chunk was sent, and how much was not, if plain data may still join it.
    pub(crate) fn plain_tail(&self, snd_nxt: Seq) -> Option<(u32, u32)> {
        let last = self.chunks.back().filter(|chunk| !chunk.frozen && !chunk.mapped)?;
        let unsent = (last.seq + last.len).offset_from(snd_nxt).min(last.len as i32);
        (unsent > 0).then(|| (last.len - unsent as u32, unsent as u32))
    }

    /// Socket buffers that hold what was sent.
    pub(crate) fn sent_buffers(&self) -> u32 {
        let cut = self.front().is_some_and(|first| !first.marks.has(Marks::OPENS_BUFFER));
        self.opened + u32::from(cut)
    }

    /// The record at `index` was selectively acknowledged: buffers of such records that follow each
    /// other become one, and others are cut where they begin and end (`tcp_shift_skb_data`).
    pub(crate) fn note_sacked(&mut self, index: usize) {
        for at in [index, index + 1] {
            let Some(before) = at.checked_sub(1).and_then(|at| self.records.get(at)) else {
                continue;
            };
            let (sacked, chunk) = (before.marks.has(Marks::SACKED), before.chunk);
            let Some(record) = self.records.get_mut(at) else { continue };
            let both = sacked && record.marks.has(Marks::SACKED);
            let opened = record.marks.has(Marks::OPENS_BUFFER);
            if both && record.chunk == chunk {
                record.marks.clear(Marks::OPENS_BUFFER);
                self.opened -= u32::from(opened);
            } else {
                record.marks.set(Marks::OPENS_BUFFER);
                self.opened += u32::from(!opened);
            }
        }
    }

    /// Notes that `len` bytes from `seq` on (and the FIN) were sent for the first time.
    pub(crate) fn sent(&mut self, seq: Seq, len: u32, marks: Marks, now: Time, rate: RateStamp) {
        let mut marks = marks;
        self.opened += u32::from(marks.has(Marks::OPENS_BUFFER));
        if rate.app_limited {
            marks.set(Marks::APP_LIMITED);
        }
        let number = self.next_number();
        self.records.push_back(Record {
            seq,
            len,
            marks,
            chunk: self.send_chunk,
            sent_at: now,
            delivered: rate.delivered,
            delivered_at: rate.delivered_at,
            first_sent_at: rate.first_sent_at,
            earlier: NIL,
            later: NIL,
        });
        if self.listed_to.is_some() {
            self.list_append(number);
        }
        let at = self.send_chunk.wrapping_sub(self.first_chunk) as usize;
        if let Some(chunk) = self.chunks.get(at)
            && len > 0
            && seq + len == chunk.seq + chunk.len
        {
            self.send_chunk = self.send_chunk.wrapping_add(1);
        }
    }

    /// Records in order of sequence.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(crate) fn front(&self) -> Option<&Record> {
        self.records.front()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Record> {
        self.records.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Record> {
        self.records.get_mut(index)
    }

    /// Number of the record at `index`: it stays the same while the queue moves.
    pub(crate) fn number(&self, index: usize) -> u32 {
        self.first_record.wrapping_add(index as u32)
    }

    /// Index of the record with number `number`, if it still exists.
    pub(crate) fn index(&self, number: u32) -> Option<usize> {
        let index = number.wrapping_sub(self.first_record) as usize;
        (index < self.records.len()).then_some(index)
    }

    /// Index of the first record that ends behind `seq`.
    pub(crate) fn find(&self, seq: Seq) -> usize {
        partition_from_back(&self.records, |record| record.end().at_or_before(seq))
    }

    /// The chunk a record was cut from.
    pub(crate) fn chunk_of(&self, record: &Record) -> Option<&Chunk> {
        self.chunks.get(record.chunk.wrapping_sub(self.first_chunk) as usize)
    }

    /// Removes the first record and the chunks that end with it.
    pub(crate) fn pop(&mut self) -> Option<Record> {
        if self.listed_to.is_some() {
            self.unlink(0);
        }
        let record = self.records.pop_front()?;
        self.opened -= u32::from(record.marks.has(Marks::OPENS_BUFFER));
        self.first_record = self.first_record.wrapping_add(1);
        if self.listed_to == Some(self.first_record) {
            self.listed_to = None;
        }
        while let Some(chunk) = self.chunks.front()
            && self.first_chunk != self.send_chunk
            && (chunk.seq + chunk.len).at_or_before(record.seq + record.len)
        {
            self.chunks.pop_front();
            self.first_chunk = self.first_chunk.wrapping_add(1);
        }
        Some(record)
    }

    /// Cuts the record at `index` behind its first `len` bytes.
    pub(crate) fn split(&mut self, index: usize, len: u32) {
        let Some(record) = self.records.get_mut(index) else { return };
        if len == 0 || len >= record.len {
            return;
        }
        let mut tail = *record;
        tail.seq += len;
        tail.len -= len;
        record.len = len;
        record.marks.clear(Marks::FIN);
        tail.marks.set(Marks::OPENS_BUFFER);
        self.opened += 1;
        // Numbers behind the cut move by one: the list is rebuilt in its old order.
        let order: Vec<u32> = self.by_send_time().map(|at| self.number(at)).collect();
        let cut = self.number(index);
        self.records.insert(index + 1, tail);
        self.relink(order.into_iter().flat_map(|number| {
            let behind = number.wrapping_sub(cut) as i32 > 0;
            let own = if behind { number.wrapping_add(1) } else { number };
            std::iter::once(own).chain((number == cut).then(|| cut.wrapping_add(1)))
        }));
    }

    /// The number that the next record gets.
    fn next_number(&self) -> u32 {
        self.first_record.wrapping_add(self.records.len() as u32)
    }

    /// The order is about to differ from that of the sequence: keep the list.
    fn keep_list(&mut self) {
        let next = self.next_number();
        if self.listed_to.replace(next).is_none() {
            let first = self.first_record;
            self.relink((0..next.wrapping_sub(first)).map(|index| first.wrapping_add(index)));
        }
    }

    fn relink(&mut self, order: impl Iterator<Item = u32>) {
        self.listed_to = Some(self.next_number());
        (self.oldest, self.newest) = (NIL, NIL);
        for record in &mut self.records {
            record.marks.clear(Marks::LISTED);
        }
        for number in order {
            self.list_append(number);
        }
    }

    /// Indices of the listed records, the one sent longest ago first.
    pub(crate) fn by_send_time(&self) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.oldest_sent(), |&index| self.sent_after(index))
    }

    /// Index of the listed record that was sent longest ago.
    pub(crate) fn oldest_sent(&self) -> Option<usize> {
        let oldest = if self.listed_to.is_some() { self.oldest } else { self.first_record };
        self.index(oldest).filter(|_| oldest != NIL)
    }

    /// Index of the listed record sent next after the one at `index`.
    pub(crate) fn sent_after(&self, index: usize) -> Option<usize> {
        if self.listed_to.is_none() {
            return Some(index + 1).filter(|&next| next < self.records.len());
        }
        let later = self.records.get(index)?.later;
        if later == NIL { None } else { self.index(later) }
    }

    /// Puts the record at `index` at the end of the list: it has just been sent.
    pub(crate) fn list_move_to_end(&mut self, index: usize) {
        self.list_remove(index);
        self.list_append(self.number(index));
    }

    /// Takes the record at `index` out of the list.
    pub(crate) fn list_remove(&mut self, index: usize) {
        self.keep_list();
        self.unlink(index);
    }

    fn unlink(&mut self, index: usize) {
        let Some(record) = self.records.get_mut(index) else { return };
        if !record.marks.has(Marks::LISTED) {
            return;
        }
        record.marks.clear(Marks::LISTED);
        let (earlier, later) = (record.earlier, record.later);
        match self.index(earlier).filter(|_| earlier != NIL) {
            Some(at) => self.records[at].later = later,
            None => self.oldest = later,
        }
        match self.index(later).filter(|_| later != NIL) {
            Some(at) => self.records[at].earlier = earlier,
            None => self.newest = earlier,
        }
    }

    fn list_append(&mut self, number: u32) {
        let newest = self.newest;
        if let Some(at) = self.index(number) {
            let record = &mut self.records[at];
            record.marks.set(Marks::LISTED);
            record.earlier = newest;
            record.later = NIL;
        }
        match self.index(newest).filter(|_| newest != NIL) {
            Some(at) => self.records[at].later = number,
            None => self.oldest = number,
        }
        self.newest = number;
    }

    /// Bytes queued or sent and not acknowledged, from `snd_una` on.
    pub(crate) fn bytes(&self, snd_una: Seq) -> u32 {
        self.write_seq - snd_una
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.write_seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(queue: &mut TxQueue, lens: &[u32]) {
        let mut seq = Seq(0);
        for (at, &len) in lens.iter().enumerate() {
            let now = Time::from_ps(at as u64);
            queue.sent(seq, len, Marks::default(), now, RateStamp::default());
            seq += len;
        }
    }

    fn order(queue: &TxQueue) -> Vec<u32> {
        queue.by_send_time().map(|at| queue.get(at).unwrap().seq.0).collect()
    }

    #[test]
    fn bytes_join_a_chunk_until_it_is_sent_or_full() {
        let mut queue = TxQueue::new(Seq(0));
        queue.push(0, 100, true, 250, Seq(0));
        queue.push(100, 100, true, 250, Seq(0));
        queue.push(200, 100, true, 250, Seq(0));
        let lens = |queue: &TxQueue| queue.chunks.iter().map(|c| c.len).collect::<Vec<_>>();
        assert_eq!(lens(&queue), [200, 100]);
        queue.sent(Seq(0), 200, Marks::default(), Time::ZERO, RateStamp::default());
        assert_eq!(queue.unsent(Seq(200)).unwrap().0.stream, 200);
        queue.sent(Seq(200), 50, Marks::default(), Time::ZERO, RateStamp::default());
        queue.push(300, 10, true, 250, Seq(250));
        assert_eq!(lens(&queue), [200, 100, 10]);
        queue.pop();
        assert_eq!(lens(&queue), [100, 10]);
        assert_eq!(queue.unsent(Seq(250)).unwrap().1, 50);
    }

    #[test]
    fn the_list_follows_the_last_transmission() {
        let mut queue = TxQueue::new(Seq(0));
        queue.push(0, 40, true, 1_000, Seq(0));
        sent(&mut queue, &[10, 10, 10, 10]);
        queue.list_move_to_end(1);
        assert_eq!(order(&queue), [0, 20, 30, 10]);
        queue.list_remove(2);
        queue.pop();
        assert_eq!(order(&queue), [30, 10]);
    }

    #[test]
    fn a_split_keeps_both_halves_in_the_list() {
        let mut queue = TxQueue::new(Seq(0));
        queue.push(0, 40, true, 1_000, Seq(0));
        sent(&mut queue, &[10, 20, 10]);
        queue.list_move_to_end(0);
        queue.split(1, 15);
        assert_eq!(order(&queue), [10, 25, 30, 0]);
        assert_eq!((queue.find(Seq(24)), queue.find(Seq(25))), (1, 2));
    }
}
