//! Sending, segment by segment (`mptcp_write_xmit`, `mptcp_next_segment`).
//!
//! Nothing is given to a subflow before its congestion window has room for it. Data to be sent
//! again goes first; new data needs the peer's window, and where that is full the scheduler is
//! asked what to do about it.

use crate::congestion::Window;
use crate::mptcp::{Connection, Env, MetaState, Sub, cx};
use crate::scheduler::{Ask, Blocked, Pick, Piece, Scheduler, SubflowSet};
use crate::segment::MAX_BURST;

/// Segments of a mapping at most, as measured.
const MAPPING_SEGMENTS: u32 = 5;

impl Connection {
    /// Gives data to subflows as long as the scheduler finds one.
    #[inline(never)]
    pub(in crate::mptcp) fn push_segments(&mut self, env: &mut Env<'_>) {
        let again = self.out_of_tree.as_ref().is_some_and(|state| !state.again.is_empty());
        if again || self.tx.una < self.tx.written {
            self.refresh_views();
            while self.push_next(env) {}
        }
        self.start_meta_timer(env);
        self.push_data_fin(env);
    }

    /// One piece of data; false if nothing could be given away.
    fn push_next(&mut self, env: &mut Env<'_>) -> bool {
        if let Some(piece) = self.next_again() {
            return self.push_again(env, piece);
        }
        if self.tx.head < self.tx.written {
            return self.push_new(env);
        }
        self.push_nothing_new(env)
    }

    fn push_new(&mut self, env: &mut Env<'_>) -> bool {
        let len = u32::try_from(self.tx.written - self.tx.head).unwrap_or(u32::MAX);
        let piece = Piece {
            from: self.tx.head,
            len,
            carried_by: SubflowSet::EMPTY,
            // The DATA_FIN is a flag of the last buffer of the queue.
            data_fin: self.tx.fin_wanted && len <= MAX_BURST,
        };
        let (subflow, limit) = match self.pick(env, Ask::New(piece)) {
            Pick::On { subflow, limit } => (subflow, limit),
            Pick::Copy { subflow, from, limit } => return self.copy(env, subflow, from, limit),
            Pick::Wait => return false,
        };
        self.update_reserve(env, subflow);
        let mss = self.subs[subflow].tcp.current_mss().max(1);
        let window = self.tx.window_end.saturating_sub(self.tx.head);
        if u64::from(piece.len.min(mss)) > window {
            return self.relieve(env, Blocked::Window, subflow);
        }
        let most = u64::from(limit.max(mss)).min(window) as u32;
        let mut len = piece.len.min(most).min(self.subs[subflow].tcp.size_goal());
        if len > mss && len < piece.len {
            len -= len % mss;
        }
        if len < mss && len == piece.len && self.small_waits() {
            return false;
        }
        self.tx.head += u64::from(len);
        self.give(env, subflow, piece.from, len);
        if len < mss
            && let Some(state) = self.out_of_tree.as_deref_mut()
        {
            state.small_end = piece.from + u64::from(len);
        }
        true
    }

    /// A small segment waits while another one is unacknowledged (Nagle with Minshall's change).
    fn small_waits(&self) -> bool {
        let out = self.out_of_tree.as_ref().is_some_and(|state| state.small_end > self.tx.una);
        !self.options.nagle.off && !self.tx.fin_wanted && out
    }

    /// There is nothing new: something may be repeated, for schedulers that do, or because the
    /// application waits for room.
    fn push_nothing_new(&mut self, env: &mut Env<'_>) -> bool {
        if self.tx.una >= self.tx.nxt || self.state == MetaState::Closed {
            return false;
        }
        let waits = self.writer_waits();
        if !waits && !self.scheduler.repeats() {
            return false;
        }
        match self.pick(env, Ask::Spare) {
            Pick::Copy { subflow, from, limit } => self.copy(env, subflow, from, limit),
            Pick::On { subflow, .. } if waits => {
                self.relieve(env, Blocked::SendBuffer { full: self.tx.is_full() }, subflow)
            }
            Pick::On { .. } | Pick::Wait => false,
        }
    }

    /// What a subflow sends in the round trip of the slowest one: for so long data of others may hold
    /// up its own (`mptcp_check_snd_buf`).
    pub(in crate::mptcp) fn segments_until_slowest(&self, index: usize) -> u32 {
        let window = &self.windows[index];
        let reordering = self.subs[index].tcp.reordering() + 1;
        let receives = |(sub, _): &(&Sub, &Window)| sub.tcp.state().can_receive();
        let with_windows = self.subs.iter().zip(&self.windows).filter(receives);
        let slowest = with_windows.map(|(_, window)| window.srtt_us).max().unwrap_or(0);
        let longest = u64::from(slowest.max(window.srtt_us));
        let segments = (u64::from(window.cwnd) * longest).checked_div(u64::from(window.srtt_us));
        segments.map_or(0, |segments| segments.min(1 << 20) as u32).max(reordering)
    }

    fn copy(&mut self, env: &mut Env<'_>, subflow: usize, from: u64, limit: u32) -> bool {
        let from = from.max(self.tx.una);
        let len = self.tx.nxt.saturating_sub(from).min(u64::from(limit)) as u32;
        if len > 0 {
            self.give(env, subflow, from, len);
        }
        len > 0
    }

    /// The window or the send buffer is full: opportunistic retransmission and penalisation, as
    /// the scheduler decides (`mptcp_rcv_buf_optimization`).
    fn relieve(&mut self, env: &mut Env<'_>, blocked: Blocked, subflow: usize) -> bool {
        let Some(state) = self.out_of_tree.as_deref() else { return false };
        let Some(&oldest) = state.sent.front() else { return false };
        let view = self.tx.view(env.now, &self.views, None);
        let relief = self.scheduler.relieve(&view, blocked, &oldest, subflow);
        for slow in relief.penalise.iter() {
            self.windows[slow].penalise();
            self.refresh_view(slow);
            env.log.mptcp(env.now, slow, "penalised", || format!("it holds up subflow {subflow}"));
        }
        if !relief.resend {
            return false;
        }
        let from = oldest.from.max(self.tx.una);
        let len = (oldest.from + u64::from(oldest.len)).saturating_sub(from) as u32;
        env.log.mptcp(env.now, subflow, "reinject", || {
            format!("offsets {from} to {}: opportunistic", from + u64::from(len))
        });
        self.give(env, subflow, from, len);
        true
    }

    /// Queues data on a subflow: one mapping for all, or with checksums one for each segment.
    pub(super) fn give(&mut self, env: &mut Env<'_>, index: usize, from: u64, len: u32) {
        self.update_reserve(env, index);
        let end = from + u64::from(len);
        let mss = self.subs[index].tcp.current_mss().max(1);
        let part = if self.checksum { mss } else { MAPPING_SEGMENTS * mss };
        let mut at = from;
        while at < end {
            let take = u64::from(part).min(end - at) as u32;
            let sub = &mut self.subs[index];
            sub.tcp.push(&mut cx!(self, env, index), at, take, true, take);
            sub.tcp.freeze_queue();
            self.note_given(index, at, take);
            at += u64::from(take);
        }
        self.subs[index].statistics.chosen += 1;
        self.scheduler.given(index, from, len);
        self.refresh_view(index);
        self.mark_ready(index);
    }

    /// Remembers one mapping, as the buffers of the kernel's connection do: what is repeated to
    /// help out is the oldest of them.
    fn note_given(&mut self, index: usize, from: u64, len: u32) {
        let end = from + u64::from(len);
        let again = self.tx.nxt.saturating_sub(from).min(u64::from(len));
        self.subs[index].statistics.reinjected_bytes += again;
        self.statistics.reinjected_bytes += again;
        let last = self.tx.fin_wanted && end == self.tx.written;
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        state.subflows[index].last_end = Some(end);
        if from < self.tx.nxt {
            let first =
                state.sent.partition_point(|piece| piece.from + u64::from(piece.len) <= from);
            for piece in state.sent.range_mut(first..).take_while(|piece| piece.from < end) {
                if piece.carried_by.contains(index) {
                    piece.carried_by = SubflowSet::EMPTY;
                }
                piece.carried_by.insert(index);
            }
        }
        if end > self.tx.nxt {
            let carried_by = std::iter::once(index).collect();
            let new = from.max(self.tx.nxt);
            let len = (end - new) as u32;
            state.sent.push_back(Piece { from: new, len, carried_by, data_fin: last });
            self.tx.nxt = end;
            state.data_fin_rides |= last;
            self.tx.fin_sent |= last;
        }
    }

    /// The DATA_FIN by itself, when no data is left to take it along.
    fn push_data_fin(&mut self, env: &mut Env<'_>) {
        let done = self.tx.head >= self.tx.written && self.tx.fin_wanted;
        if !done || self.tx.fin_sent || self.state == MetaState::Opening {
            return;
        }
        self.tx.fin_sent = true;
        env.log.mptcp(env.now, 0, "data-fin", || "sent".into());
        self.send_lone_data_fin(env);
        self.start_meta_timer(env);
    }

    /// A DATA_FIN without data leaves on the subflow that the scheduler picks.
    pub(super) fn send_lone_data_fin(&mut self, env: &mut Env<'_>) {
        self.refresh_views();
        let piece = Piece { from: self.tx.written, data_fin: true, ..Piece::default() };
        let subflow = match self.pick(env, Ask::New(piece)) {
            Pick::On { subflow, .. } | Pick::Copy { subflow, .. } => Some(subflow),
            Pick::Wait => self.ack_subflow(),
        };
        if let (Some(index), Some(state)) = (subflow, self.out_of_tree.as_deref_mut()) {
            state.subflows[index].data_fin = true;
            self.subs[index].tcp.request_ack();
            self.mark_ready(index);
        }
    }
}
