//! Sending again, and sending to find out (Linux `tcp_xmit_retransmit_queue`, `tcp_send_loss_probe`,
//! `tcp_xmit_probe_skb`).

use super::output::Outgoing;
use super::scoreboard::{Marks, Record};
use super::timers::TimerKind;
use super::{Cx, Subflow, Wants};
use crate::congestion::CaState;
use crate::observe::mib::Counter;
use crate::segment::Flags;

impl Subflow {
    /// Starts the walk over what was lost.
    pub(super) fn start_retransmit(&mut self, cx: &mut Cx<'_>) {
        if cx.w().packets_out > 0 {
            self.wants.set(Wants::RETRANSMIT);
        }
    }

    /// The next lost segment that the window lets out (`tcp_xmit_retransmit_queue`).
    pub(super) fn next_retransmission(&mut self, cx: &mut Cx<'_>) -> Option<Outgoing> {
        let mut index = self.recovery.hint.and_then(|hint| self.tx.index(hint)).unwrap_or(0);
        let mut hole = false;
        loop {
            let record = *self.tx.get(index)?;
            if !hole {
                self.recovery.hint = Some(self.tx.number(index));
            }
            let w = cx.w();
            if w.in_flight() >= w.cwnd || w.retrans_out >= w.lost_out {
                return None;
            }
            if !record.marks.has(Marks::LOST) {
                hole |= !record.marks.has(Marks::RETRANS.with(Marks::SACKED));
            } else if !record.marks.has(Marks::RETRANS.with(Marks::SACKED)) {
                if self.is_paced(cx.now) {
                    return None;
                }
                if record.seq.at_or_after(self.window_end(cx)) && index > 0 {
                    return None;
                }
                let in_loss = cx.w().ca_state == CaState::Loss;
                cx.mib.inc(if in_loss { Counter::SlowStartRetrans } else { Counter::FastRetrans });
                if matches!(cx.w().ca_state, CaState::Cwr | CaState::Recovery) {
                    self.recovery.prr_out += 1;
                }
                let out = self.retransmit(cx, index, true);
                if index == 0 && self.timers.kind() != TimerKind::Reordering {
                    let rto = self.backed_off_rto();
                    self.timers.set(cx, TimerKind::Rto, rto);
                }
                return Some(out);
            }
            index += 1;
        }
    }

    /// Sends the record at `index` again. A counted one is in flight twice
    /// (`tcp_retransmit_skb`), a probe is not (`__tcp_retransmit_skb`).
    pub(super) fn retransmit(&mut self, cx: &mut Cx<'_>, index: usize, counted: bool) -> Outgoing {
        let mss = self.current_mss().max(1);
        if self.tx.get(index).is_some_and(|record| record.len > mss) {
            self.split_record(cx, index, mss);
        }
        if self.tx.get(index).is_some_and(|record| record.len > 0) {
            self.data_sent(cx);
        }
        let now = cx.now;
        let packets_out = cx.w().packets_out;
        let stamp = self.rate.stamp(now, packets_out);
        let Some(record) = self.tx.get_mut(index) else {
            let segment = self.header(cx, self.send_seq(cx), Flags::NONE);
            return self.bare(segment);
        };
        record.sent_at = now;
        record.delivered = stamp.delivered;
        record.delivered_at = stamp.delivered_at;
        record.first_sent_at = stamp.first_sent_at;
        record.marks.set(Marks::EVER_RETRANS);
        if counted && !record.marks.has(Marks::RETRANS) {
            record.marks.set(Marks::RETRANS);
            cx.w().retrans_out += 1;
        }
        let record = *record;
        self.tx.list_move_to_end(index);
        if counted {
            self.recovery.retrans_stamp = self.recovery.retrans_stamp.or(Some(now));
        }
        self.recovery.undo_retrans = self.recovery.undo_retrans.max(0) + 1;
        self.totals.retransmissions += 1;
        self.totals.bytes_retransmitted += u64::from(record.len);
        self.totals.bytes_sent += u64::from(record.len);
        cx.mib.inc(Counter::RetransSegs);
        self.pace(cx, record.len);
        self.rebuild(cx, &record)
    }

    /// The segment of a record.
    fn rebuild(&self, cx: &Cx<'_>, record: &Record) -> Outgoing {
        let chunk = self.tx.chunk_of(record).copied().filter(|_| record.len > 0);
        let mut flags = Flags::NONE;
        if record.marks.has(Marks::FIN) {
            flags = flags | Flags::FIN;
        }
        let mut segment = self.header(cx, record.seq, flags);
        if let Some(chunk) = chunk {
            let offset = u64::from(record.seq - chunk.seq);
            segment.payload = crate::payload::Payload::pattern(chunk.stream + offset, record.len);
            if record.seq + record.len == chunk.seq + chunk.len {
                segment.flags = segment.flags | Flags::PSH;
            }
        }
        Outgoing { skb_seq: segment.seq, segment, chunk, retransmission: true }
    }

    /// A record longer than the segment size of today becomes two (`tcp_fragment`).
    fn split_record(&mut self, cx: &mut Cx<'_>, index: usize, len: u32) {
        let Some(marks) = self.tx.get(index).map(|record| record.marks) else { return };
        self.tx.split(index, len);
        let w = cx.w();
        w.packets_out += 1;
        w.sacked_out += u32::from(marks.has(Marks::SACKED));
        w.lost_out += u32::from(marks.has(Marks::LOST));
        w.retrans_out += u32::from(marks.has(Marks::RETRANS));
        self.recovery.hint = None;
    }

    /// Tail loss probe: new data if the window allows, else the last segment (RFC 8985 section 7).
    pub(super) fn loss_probe(&mut self, cx: &mut Cx<'_>) -> Option<Outgoing> {
        let nxt = cx.w().snd_nxt;
        let mss = self.current_mss().max(1);
        if let Some((&chunk, left)) = self.tx.unsent(nxt).filter(|(chunk, _)| !chunk.refused) {
            let len = left.min(mss);
            if (nxt + len).at_or_before(self.window_end(cx)) {
                let last = left == len && self.tx.sends_last_chunk();
                let mut out = Outgoing::default();
                self.send_new(cx, chunk, len, last, left == len, &mut out);
                self.burst.sent = 0;
                self.loss_probe_sent(cx, false);
                return Some(out);
            }
        }
        let index = self.tx.len().checked_sub(1)?;
        let out = self.retransmit(cx, index, false);
        self.loss_probe_sent(cx, true);
        Some(out)
    }

    /// Into a closed window: what fits, else an old number that demands an answer
    /// (`tcp_write_wakeup`).
    #[cold]
    pub(super) fn window_probe(&mut self, cx: &mut Cx<'_>) -> Outgoing {
        cx.mib.inc(Counter::WinProbeTcp);
        let nxt = cx.w().snd_nxt;
        let room = self.window_end(cx).offset_from(nxt).max(0) as u32;
        if let Some((&chunk, left)) = self.tx.unsent(nxt)
            && room > 0
        {
            let len = left.min(self.current_mss()).min(room).max(1);
            let mut out = Outgoing::default();
            self.send_new(cx, chunk, len, false, false, &mut out);
            out.segment.flags = out.segment.flags | Flags::PSH;
            self.burst.sent = 0;
            self.end_probing();
            return out;
        }
        let segment = self.header(cx, cx.window().snd_una - 1, Flags::NONE);
        self.bare(segment)
    }
}
