//! Receiving a segment (Linux `tcp_rcv_established`, `tcp_data_queue`; RFC 9293 section 3.10.7, RFC 7323
//! section 5). What is refused stands in `validate`.
//!
//! A segment is taken in three steps, so that the owner can read its MPTCP
//! options between the acknowledgement and the data, where Linux does:
//! [`Subflow::on_segment`], [`Subflow::receive_data`], [`Subflow::segment_done`].

use std::collections::VecDeque;

use mptcpsim_core::prefetch::{pop_near, prefetch_entrance, prefetch_some};
use mptcpsim_core::time::Time;

use super::ack::AckVerdict;
use super::acking::MAX_QUICKACKS;
use super::receiver_rtt::ReceiverRtt;
use super::reorder::{Inserted, Reorder};
use super::window::Space;
use super::{Buffer, Cx, State, Subflow};
use crate::observe::mib::Counter;
use crate::payload::Payload;
use crate::rules::ReceiveTuning;
use crate::segment::{Dss, Ecn, Flags, Segment, TCP_HEADER, Timestamps};
use crate::seq::{Seq, SeqRange};

/// Smallest segment size ever assumed (`TCP_MIN_MSS`, `TCP_MSS_DEFAULT`).
const MIN_MSS: u16 = 88;
const DEFAULT_MSS: u16 = 536;

/// Data that has arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Sequence number of the first byte.
    pub seq: Seq,
    /// The bytes.
    pub payload: Payload,
    /// The mapping that came with them.
    pub dss: Option<Dss>,
    /// A FIN follows the bytes.
    pub fin: bool,
    /// The memory they take.
    pub buffer: Buffer,
    /// When they arrived.
    pub at: Time,
}

impl Arrived {
    /// The number behind the last byte or FIN.
    pub fn end(&self) -> Seq {
        self.seq + self.payload.len() + u32::from(self.fin)
    }

    /// `next` follows, and belongs to the same mapping (`mptcp_skb_can_collapse`).
    pub(super) fn may_take_in(&self, next: &Self) -> bool {
        let mapping = |dss: &Dss| (dss.dsn, dss.ssn, dss.len, dss.checksum);
        let same =
            next.dss.is_none() || next.dss.as_ref().map(mapping) == self.dss.as_ref().map(mapping);
        self.end() == next.seq && !self.fin && same
    }

    /// Drops what lies before `seq`.
    pub(super) fn cut_front(&mut self, seq: Seq) {
        let cut = seq - self.seq;
        self.payload.advance(cut);
        self.seq = seq;
    }

    /// Drops what lies at or behind `seq`.
    pub(super) fn cut_back(&mut self, seq: Seq) {
        self.payload.truncate(seq - self.seq);
        self.fin = false;
    }
}

/// What the owner of the subflow has to do with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it was not acceptable.
    Drop,
    /// The header is processed: read the options, then call [`Subflow::receive_data`].
    Accepted,
    /// As `Accepted`, and the handshake is complete with this segment.
    Established,
    /// The peer reset the subflow: read the options of the reset.
    Reset,
}

/// The receiving half.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    pub(super) rcv_nxt: Seq,
    /// What the owner has taken.
    pub(super) copied: Seq,
    /// `rcv_nxt` and window when a window was last advertised.
    pub(super) rcv_wup: Seq,
    pub(super) rcv_wnd: u32,
    pub(super) rcv_ssthresh: u32,
    pub(super) window_clamp: u32,
    /// Estimated segment size of the peer, and the one announced to it.
    pub(super) rcv_mss: u16,
    pub(super) advmss: u16,
    pub(super) ratio: u16,
    /// Memory in use here and its limit.
    pub(super) rmem: u32,
    pub(super) rcvbuf: u32,
    /// The application has chosen it (`SOCK_RCVBUF_LOCK`).
    pub(super) rcvbuf_locked: bool,
    queue: VecDeque<Arrived>,
    pub(super) reorder: Reorder,
    pub(super) timestamps: TimestampState,
    pub(super) rtt: ReceiverRtt,
    pub(super) last_heard: Time,
    /// Where the peer's FIN is.
    pub(super) fin: Option<Seq>,
}

/// What is known of the peer's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TimestampState {
    /// The value to echo, and when it was taken.
    pub(super) recent: u32,
    recent_at: Time,
    /// The echo in the segment being processed.
    pub(super) echo: Option<u32>,
}

impl Receiver {
    /// Brings near the next to be taken, and where what comes will be put.
    pub(super) fn prefetch_queues(&self) {
        prefetch_some(self.queue.front());
        prefetch_entrance(&self.queue);
        self.reorder.prefetch();
    }

    pub(super) fn new(
        irs_next: Seq,
        rcvbuf: u32,
        rcvbuf_locked: bool,
        ratio: u16,
        advmss: u16,
    ) -> Self {
        let window_clamp = Space::window_from(ratio, rcvbuf);
        Self {
            rcv_nxt: irs_next,
            copied: irs_next,
            rcv_wup: irs_next,
            rcv_wnd: 0,
            rcv_ssthresh: window_clamp,
            window_clamp,
            rcv_mss: DEFAULT_MSS,
            advmss,
            ratio,
            rmem: 0,
            rcvbuf,
            rcvbuf_locked,
            queue: VecDeque::new(),
            reorder: Reorder::default(),
            timestamps: TimestampState::default(),
            rtt: ReceiverRtt::default(),
            last_heard: Time::ZERO,
            fin: None,
        }
    }

    /// The first number the peer's data has.
    pub(super) fn start_at(&mut self, next: Seq) {
        self.rcv_nxt = next;
        self.copied = next;
        self.rcv_wup = next;
        self.rtt.seq = next;
    }

    /// First guess of the peer's segment size (`tcp_initialize_rcv_mss`).
    pub(super) fn initialize_rcv_mss(&mut self, mss_cache: u16) {
        let hint = self.advmss.min(mss_cache);
        let half = (self.rcv_wnd / 2).min(u32::from(u16::MAX)) as u16;
        self.rcv_mss = hint.min(half).clamp(MIN_MSS, DEFAULT_MSS);
    }

    /// Learns the peer's segment size and the share of payload in memory
    /// (`tcp_measure_rcv_mss`). A packet has `payload` bytes, in segments of `len`. Returns whether
    /// they were full ones.
    fn measure_mss(&mut self, len: u16, (payload, truesize): (u32, u32), measured: bool) -> bool {
        if len < self.rcv_mss {
            return false;
        }
        if len != self.rcv_mss && measured {
            let ratio = (payload << 8) / truesize.max(1);
            if ratio as u16 != self.ratio {
                self.ratio = (ratio as u16).max(1);
                self.clamp_to_ratio();
            }
        }
        self.rcv_mss = len.min(self.advmss);
        true
    }
}

impl Subflow {
    /// Takes the header of a segment: validity, acknowledgement, window.
    pub fn on_segment(&mut self, cx: &mut Cx<'_>, segment: &Segment) -> Step {
        self.totals.segs_in += 1;
        cx.mib.inc(Counter::InSegs);
        match self.state {
            State::Closed => Step::Drop,
            State::SynSent => self.on_segment_syn_sent(cx, segment),
            State::SynReceived => self.on_segment_syn_received(cx, segment),
            State::TimeWait => self.on_segment_time_wait(cx, segment),
            State::FinWait2 if self.shadow => self.on_segment_shadow(cx, segment),
            _ => self.on_segment_synchronised(cx, segment),
        }
    }

    fn on_segment_synchronised(&mut self, cx: &mut Cx<'_>, segment: &Segment) -> Step {
        if let Some(step) = self.refuse(cx, segment) {
            return step;
        }
        self.rx.last_heard = cx.now;
        self.note_echo(segment);
        if self.ack(cx, segment) == AckVerdict::Invalid {
            return Step::Drop;
        }
        self.note_acknowledged(cx);
        self.look_for_data(cx);
        self.measure_rtt_by_echo(cx, segment);
        self.after_fin_acked(cx, segment);
        if self.state == State::Closed { Step::Drop } else { Step::Accepted }
    }

    // ---- timestamps ----------------------------------------------------------------------

    /// The value of this host's timestamp clock, in milliseconds.
    pub(super) const fn timestamp_clock(&self, now: Time) -> u32 {
        (now.as_ms() as u32).wrapping_add(self.iss.0)
    }

    /// The timestamps of a segment sent now.
    pub(super) fn timestamps(&self, now: Time) -> Option<Timestamps> {
        self.negotiated
            .timestamps
            .then(|| Timestamps { val: self.timestamp_clock(now), ecr: self.rx.timestamps.recent })
    }

    pub(super) fn note_timestamps(&mut self, now: Time, segment: &Segment) {
        self.note_echo(segment);
        self.note_stamp(now, segment);
    }

    fn note_echo(&mut self, segment: &Segment) {
        let stamp = segment.timestamps.filter(|_| self.negotiated.timestamps);
        self.rx.timestamps.echo = stamp.map(|stamp| stamp.ecr);
    }

    /// The timestamp that will be echoed. Only a segment at or before the last acknowledgement
    /// sent may set it (RFC 7323 section 4.3), and none with an unacceptable acknowledgement
    /// (`tcp_replace_ts_recent`).
    pub(super) fn note_stamp(&mut self, now: Time, segment: &Segment) {
        let stamp = segment.timestamps.filter(|_| self.negotiated.timestamps);
        if let Some(stamp) = stamp
            && segment.seq.at_or_before(self.rx.rcv_wup)
        {
            self.rx.timestamps.recent = stamp.val;
            self.rx.timestamps.recent_at = now;
        }
    }

    /// The round trip by the echoed timestamp, in microseconds.
    pub(super) fn timestamp_rtt_us(&self, now: Time) -> Option<u32> {
        let echo = self.rx.timestamps.echo?;
        let elapsed = self.timestamp_clock(now).wrapping_sub(echo);
        (elapsed < i32::MAX as u32 / 1_000).then(|| elapsed.max(1) * 1_000)
    }

    /// The segment being processed echoes a time before `moment`.
    pub(super) fn echoes_before(&self, moment: Time) -> bool {
        self.rx
            .timestamps
            .echo
            .is_some_and(|echo| (echo.wrapping_sub(self.timestamp_clock(moment)) as i32) < 0)
    }

    // ---- data ----------------------------------------------------------------------------

    #[cold]
    pub(super) fn report_duplicate(&mut self, cx: &mut Cx<'_>, range: SeqRange) {
        if !self.negotiated.sack || !cx.sysctl().tcp_dsack {
            return;
        }
        cx.mib.inc(if range.start.before(self.rx.rcv_nxt) {
            Counter::DsackOldSent
        } else {
            Counter::DsackOfoSent
        });
        self.rx.reorder.dsack = Some(range);
    }

    /// Reports a duplicate unless another one is being reported that it does not extend
    /// (`tcp_dsack_extend`).
    fn report_another_duplicate(&mut self, cx: &mut Cx<'_>, range: SeqRange) {
        match &mut self.rx.reorder.dsack {
            None => self.report_duplicate(cx, range),
            Some(known)
                if range.start.at_or_before(known.end) && known.start.at_or_before(range.end) =>
            {
                *known =
                    SeqRange::new(known.start.earliest(range.start), known.end.latest(range.end));
            }
            Some(_) => {}
        }
    }

    /// Takes the data of a segment whose header was accepted. `dss` is the mapping that belongs
    /// to it. In-order data then waits in [`Subflow::peek_arrived`].
    #[inline]
    pub fn receive_data(&mut self, cx: &mut Cx<'_>, segment: &Segment, dss: Option<Dss>) {
        if segment.flags.has(Flags::CWR) {
            self.ecn.cwr_received();
        }
        if !segment.payload.is_empty() || segment.flags.has(Flags::FIN) {
            self.receive_payload(cx, segment, dss);
        }
    }

    fn receive_payload(&mut self, cx: &mut Cx<'_>, segment: &Segment, dss: Option<Dss>) {
        let mut new = Arrived {
            seq: segment.seq,
            payload: segment.payload.clone(),
            dss,
            fin: segment.flags.has(Flags::FIN),
            buffer: cx.config.buffer(segment),
            at: cx.now,
        };
        if segment.flags.has(Flags::SYN) {
            new.seq += 1;
        }
        if !new.payload.is_empty() {
            self.totals.data_segs_in += 1;
        }
        let rcv_nxt = self.rx.rcv_nxt;
        // Nobody will read it (RFC 1122 section 4.2.2.13).
        if self.orphaned && (new.seq + new.payload.len()).after(rcv_nxt) {
            cx.mib.inc(Counter::AbortOnData);
            self.abort_by_answer(cx, segment);
            return;
        }
        if !new.end().after(rcv_nxt) {
            self.old_data(cx, &new);
        } else if !new.seq.before(rcv_nxt + self.rx.remaining_window()) {
            self.beyond_window(cx);
        } else if new.seq.after(rcv_nxt) {
            self.data_out_of_order(cx, segment, new);
        } else {
            if new.seq.before(rcv_nxt) {
                self.report_duplicate(cx, SeqRange::new(new.seq, rcv_nxt));
                new.cut_front(rcv_nxt);
            }
            self.data_in_order(cx, segment, new);
        }
    }

    #[cold]
    fn old_data(&mut self, cx: &mut Cx<'_>, old: &Arrived) {
        self.report_old(cx, SeqRange::new(old.seq, old.end()));
        self.acks.scheduled = true;
    }

    /// What had arrived before has come again.
    #[cold]
    pub(super) fn report_old(&mut self, cx: &mut Cx<'_>, range: SeqRange) {
        cx.mib.inc(Counter::DelayedAckLost);
        self.report_duplicate(cx, range);
        self.enter_quickack_mode(MAX_QUICKACKS);
    }

    #[cold]
    fn beyond_window(&mut self, cx: &mut Cx<'_>) {
        if self.rx.remaining_window() == 0 {
            cx.mib.inc(Counter::ZeroWindowDrop);
        }
        self.enter_quickack_mode(MAX_QUICKACKS);
        self.acks.scheduled = true;
    }

    #[inline]
    fn data_in_order(&mut self, cx: &mut Cx<'_>, segment: &Segment, new: Arrived) {
        if self.rx.remaining_window() == 0 {
            self.beyond_window(cx);
            return;
        }
        if !self.make_room(cx) {
            cx.mib.inc(Counter::RcvQDrop);
            self.totals.drops += 1;
            self.acks.scheduled = true;
            self.acks.now = true;
            return;
        }
        self.append(cx, new);
        if !segment.payload.is_empty() {
            self.event_data_recv(cx, segment);
        }
        if !self.rx.reorder.is_empty() {
            self.append_held(cx);
        }
    }

    /// Appends what was held ahead of a gap and is now in order.
    #[inline(never)]
    fn append_held(&mut self, cx: &mut Cx<'_>) {
        let arrived = self.rx.rcv_nxt;
        while let Some(mut next) = self.rx.reorder.take_next(self.rx.rcv_nxt) {
            self.rx.rmem -= next.buffer.truesize;
            if next.seq.before(arrived) {
                let twice = SeqRange::new(next.seq, next.end().earliest(arrived));
                self.report_another_duplicate(cx, twice);
            }
            if next.end().after(self.rx.rcv_nxt) {
                next.cut_front(self.rx.rcv_nxt);
                self.append(cx, next);
            }
        }
        let rcv_nxt = self.rx.rcv_nxt;
        self.rx.reorder.advance(rcv_nxt);
        // RFC 5681 section 4.2: acknowledge at once when a gap is filled.
        self.acks.now |= self.rx.reorder.is_empty();
    }

    /// Appends data that continues what was received.
    #[inline]
    fn append(&mut self, cx: &mut Cx<'_>, new: Arrived) {
        self.rx.rcv_nxt = new.end();
        self.totals.bytes_received += u64::from(new.payload.len());
        self.rx.rmem += new.buffer.truesize;
        let fin = new.fin;
        self.rx.queue.push_back(new);
        if fin {
            self.fin_received(cx);
        }
    }

    fn data_out_of_order(&mut self, cx: &mut Cx<'_>, segment: &Segment, new: Arrived) {
        self.check_ce(segment);
        if !self.make_room(cx) {
            cx.mib.inc(Counter::OfoDrop);
            self.totals.drops += 1;
            return;
        }
        if cx.config.rules.measures_ahead_of_gaps {
            self.measure_segment(cx, segment, new.buffer.truesize);
        }
        self.acks.scheduled = true;
        let range = SeqRange::new(new.seq, new.end());
        if self.rx.reorder.displaces_blocks(range) {
            self.flush_compressed_ack(cx);
        }
        cx.mib.inc(Counter::OfoQueueTcp);
        self.totals.rcv_ooopack += 1;
        let size = new.buffer.truesize;
        let len = new.payload.len();
        let mut freed = 0;
        let before = self.rx.reorder.dsack.take();
        let inserted = self.rx.reorder.insert(new, |size| freed += size);
        if let Some(range) = self.rx.reorder.dsack.take() {
            cx.mib.inc(Counter::OfoMergeTcp);
            self.report_duplicate(cx, range);
        }
        self.rx.reorder.dsack = self.rx.reorder.dsack.or(before);
        if inserted == Inserted::New {
            if self.negotiated.sack || cx.config.rules.window_grows_ahead_without_sack {
                self.grow_window(cx, len, size);
            }
            self.rx.rmem += size;
        }
        self.rx.rmem -= freed;
        let owned = !self.orphaned && !self.unaccepted;
        if cx.config.rules.receive_tuning == ReceiveTuning::GrowingRound && owned {
            self.rx.grow_rcvbuf(cx.sysctl(), self.rx.rtt.read);
        }
    }

    /// Bookkeeping of arriving data (`tcp_event_data_recv`).
    fn event_data_recv(&mut self, cx: &mut Cx<'_>, segment: &Segment) {
        let len = segment.payload.len();
        let size = cx.config.buffer(segment).truesize;
        self.measure_segment(cx, segment, size);
        self.measure_rtt_by_window(cx.now);
        self.data_received(cx);
        self.check_ce(segment);
        if len >= 128 {
            self.grow_window(cx, len, size);
        }
    }

    /// Learns from a segment how long those of the peer are (`tcp_measure_rcv_mss`).
    fn measure_segment(&mut self, cx: &Cx<'_>, segment: &Segment, truesize: u32) {
        let len = segment.payload.len();
        if len == 0 {
            return;
        }
        let measured = matches!(
            cx.config.rules.window_from_space,
            crate::rules::WindowFromSpace::MeasuredRatio
        );
        let len16 = len.min(u32::from(u16::MAX)) as u16;
        let len16 = cx.config.merged_from(len).unwrap_or(len16);
        let last = std::mem::take(&mut self.acks.last_seg_size);
        let full = self.rx.measure_mss(len16, (len, truesize), measured);
        if !full && let Some(size) = self.size_of_small(segment, len16) {
            self.acks.last_seg_size = size;
            if size == last {
                self.rx.rcv_mss = size;
                return;
            }
        }
        let psh = cx.config.rules.full_push_acks && segment.flags.has(Flags::PSH);
        self.acks.note_push(full, psh);
    }

    /// The segment size that a segment shorter than any full one before may tell: what it would hold without
    /// options that come and go. Nothing if it looks like the rest of something written.
    fn size_of_small(&self, segment: &Segment, len: u16) -> Option<u16> {
        let header = u16::from(segment.header_len.saturating_sub(self.ip_header));
        let (whole, fixed) = (len + header, u16::from(TCP_HEADER));
        let ends = segment.flags.has(Flags::PSH) || segment.flags.has(Flags::FIN);
        let shortest = if ends { DEFAULT_MSS } else { MIN_MSS };
        (whole >= shortest + fixed).then(|| whole - fixed - self.negotiated.timestamps_len())
    }

    /// A router marked the packet (RFC 3168 section 6.1.3; `tcp_ecn_check_ce`).
    fn check_ce(&mut self, segment: &Segment) {
        if self.negotiated.ecn && segment.ecn == Ecn::Experienced && self.ecn.ce_received() {
            self.enter_quickack_mode(2);
        }
    }

    /// Makes room for a segment, dropping what is farthest ahead if need be
    /// (`tcp_try_rmem_schedule`, `tcp_prune_queue`). False if the segment must be dropped.
    fn make_room(&mut self, cx: &mut Cx<'_>) -> bool {
        if self.rx.rmem <= self.rx.rcvbuf {
            return true;
        }
        cx.mib.inc(Counter::RcvPruned);
        self.clamp_window(cx);
        if self.rx.rmem <= self.rx.rcvbuf {
            return true;
        }
        let goal = self.rx.rcvbuf / 8;
        let mut freed = 0;
        while self.rx.rmem > self.rx.rcvbuf || freed < goal {
            let Some(dropped) = self.rx.reorder.drop_last() else { break };
            self.rx.rmem -= dropped.buffer.truesize;
            freed += dropped.buffer.truesize;
        }
        self.rx.rmem <= self.rx.rcvbuf
    }

    /// The sender overran the buffer: enlarge it if allowed, else hold the window down
    /// (`tcp_clamp_window`).
    #[cold]
    fn clamp_window(&mut self, cx: &mut Cx<'_>) {
        let max = cx.sysctl().tcp_rmem.max;
        let rx = &mut self.rx;
        if rx.rcvbuf < max {
            rx.rcvbuf = rx.rmem.min(max);
        }
        if rx.rmem > rx.rcvbuf {
            rx.rcv_ssthresh = rx.window_clamp.min(2 * u32::from(rx.advmss));
        }
    }

    /// The first run of bytes in order that nobody has taken, with its mapping.
    pub fn peek_arrived(&self) -> Option<&Arrived> {
        self.rx.queue.front()
    }

    /// Takes the first `bytes` bytes of the first run, or all of it. Returns them with the memory
    /// they took; that of a run is released with its last byte.
    #[inline]
    pub fn take_arrived(&mut self, bytes: u32) -> Option<(Payload, Buffer)> {
        let first = self.rx.queue.front_mut()?;
        if bytes < first.payload.len() {
            let payload = first.payload.slice(0, bytes);
            first.cut_front(first.seq + bytes);
            self.rx.copied = first.seq;
            return Some((payload, Buffer::default()));
        }
        let arrived = pop_near(&mut self.rx.queue)?;
        self.rx.rmem -= arrived.buffer.truesize;
        self.rx.copied = arrived.end();
        Some((arrived.payload, arrived.buffer))
    }

    /// What is left of the first run belongs to no mapping (`mptcp_skb_split_tail`).
    pub fn unmap_arrived(&mut self) {
        if let Some(first) = self.rx.queue.front_mut() {
            first.dss = None;
        }
    }

    /// Throws away what arrived and nobody has taken.
    pub fn purge_arrived(&mut self) {
        while self.take_arrived(u32::MAX).is_some() {}
    }

    /// All runs in order that nobody has taken.
    pub fn arrived(&self) -> impl Iterator<Item = &Arrived> {
        self.rx.queue.iter()
    }

    /// Memory of segments held here in bytes.
    pub const fn receive_memory(&self) -> u32 {
        self.rx.rmem
    }

    /// True once the peer's FIN is in order.
    pub const fn fin_arrived(&self) -> bool {
        self.rx.fin.is_some()
    }

    /// True if [`Subflow::receive_data`] has anything to do with `segment`.
    #[inline]
    pub fn brings_data(segment: &Segment) -> bool {
        segment.seq_len() > 0 || segment.flags.has(Flags::CWR)
    }

    /// True if something is to be acknowledged.
    #[inline]
    pub const fn owes_ack(&self) -> bool {
        self.acks.scheduled || self.acks.now
    }

    /// Ends the processing of a segment if [`Subflow::owes_ack`]: perhaps at once
    /// (`tcp_ack_snd_check`).
    pub fn segment_done(&mut self, cx: &mut Cx<'_>) {
        self.ack_snd_check(cx, true);
    }
}
