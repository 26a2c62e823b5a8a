//! Sending: from the application's stream to the subflows' queues
//! (Linux `mptcp_sendmsg`, `__mptcp_push_pending`, `mptcp_sendmsg_frag`, `ack_update_msk`).

use mptcpsim_core::time::{Span, Time};

use super::fragments::Fragments;
use super::{Connection, Env, MetaState, Mode, SocketOptions, cx};
use crate::congestion::CongestionControl as _;
use crate::observe::mib::Counter;
use crate::scheduler::{Ask, ConnView, Pick, Piece, Scheduler, SubflowView};
use crate::segment::{Dss, Width};
use crate::seq::expand_dsn;
use crate::tcp::TcpConfig;

/// Memory that one full segment takes in a send buffer (`tcp_sndbuf_expand`).
const MEMORY_PER_SEGMENT: u32 = 2_304;

/// The sending half of a connection, in stream offsets.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    /// DSN of stream offset 0.
    pub(super) first_dsn: u64,
    /// Bytes that went with the SYN, which have no DSN.
    pub(super) in_syn: u64,
    /// First offset not acknowledged.
    pub(super) una: u64,
    /// Behind the highest offset ever given to a subflow.
    pub(super) nxt: u64,
    /// The next offset to give to a subflow: `nxt`, or less while sending anew.
    pub(super) head: u64,
    /// Behind the last offset written.
    pub(super) written: u64,
    /// The memory of what is not acknowledged.
    fragments: Fragments,
    /// Right edge of the peer's window.
    pub(super) window_end: u64,
    /// While sending anew: `nxt` when that began.
    pub(super) recovery: Option<u64>,
    /// The application will write no more: a DATA_FIN follows the data.
    pub(super) fin_wanted: bool,
    /// The DATA_FIN is sent, and acknowledged.
    pub(super) fin_sent: bool,
    pub(super) fin_acked: bool,
    /// ... and the connection has acted upon that.
    pub(super) fin_done: bool,
    /// Memory that unacknowledged data may take.
    sndbuf: u32,
    /// The application wanted to write more than fitted.
    pub(super) starved: bool,
    fixed_sndbuf: Option<u32>,
    /// See [`Rules::buffer_memory`](crate::rules::Rules::buffer_memory).
    buffer_memory: u64,
    /// Bytes acknowledged on a plain connection, as a 32-bit count that wraps.
    pub(super) plain_acked: u32,
}

impl Sender {
    pub(super) fn new(config: &TcpConfig, options: &SocketOptions, first_dsn: u64) -> Self {
        Self {
            first_dsn,
            in_syn: 0,
            una: 0,
            nxt: 0,
            head: 0,
            written: 0,
            fragments: Fragments::default(),
            window_end: 0,
            recovery: None,
            fin_wanted: false,
            fin_sent: false,
            fin_acked: false,
            fin_done: false,
            sndbuf: options.sndbuf.unwrap_or(config.sysctl.tcp_wmem.default),
            starved: false,
            fixed_sndbuf: options.sndbuf,
            buffer_memory: u64::from(config.rules.buffer_memory),
            plain_acked: 1,
        }
    }

    /// Brings near what acknowledgements free.
    pub(super) fn prefetch(&self) {
        self.fragments.prefetch();
    }

    /// Behind the fragment of memory that holds offset `at`.
    pub(super) fn fragment_end(&self, at: u64) -> u64 {
        self.fragments.end_of(at)
    }

    /// Something is written that no subflow was given yet.
    const fn is_pending(&self) -> bool {
        self.nxt < self.written
    }

    /// The peer's window lets something out that was never sent.
    pub(super) const fn has_window(&self) -> bool {
        self.window_end > self.nxt
    }

    /// What a scheduler sees of it.
    pub(super) fn view<'v>(
        &self,
        now: Time,
        subflows: &'v [SubflowView],
        data_fin_from: Option<usize>,
    ) -> ConnView<'v> {
        ConnView {
            now,
            subflows,
            una: self.una,
            nxt: self.nxt,
            window: self.window_end.saturating_sub(self.nxt),
            pending: self.written - self.head,
            data_fin_from,
        }
    }

    /// Data that is not acknowledged fills the send buffer.
    pub(super) fn is_full(&self) -> bool {
        self.written - self.una >= u64::from(self.sndbuf)
    }

    pub(super) fn initial_sndbuf(&self, config: &TcpConfig) -> u32 {
        self.fixed_sndbuf.unwrap_or(config.sysctl.tcp_wmem.default)
    }

    /// From now on the subflow's acknowledgements count: it has got up to the relative number
    /// `acked`, and `queued` bytes of it are not acknowledged.
    pub(super) fn count_plain_acks(&mut self, acked: u32, queued: u64) {
        self.plain_acked = acked;
        self.una = self.una.max(self.nxt.saturating_sub(queued));
    }

    /// A plain subflow has acknowledged up to the relative number `acked` (SYN counts).
    pub(super) fn note_plain_ack(&mut self, acked: u32) {
        let progress = u64::from(acked.wrapping_sub(self.plain_acked));
        if (progress as u32 as i32) <= 0 {
            return;
        }
        self.plain_acked = acked;
        let una = self.una + progress;
        self.una = una.min(self.nxt);
        self.fin_acked |= self.fin_wanted && una > self.written;
    }
}

impl Connection {
    // ---- C: from above -------------------------------------------------------------------

    /// C: appends up to `bytes` bytes of the pattern to the stream; returns how many the send
    /// buffer took.
    pub fn write(&mut self, env: &mut Env<'_>, bytes: u64) -> u64 {
        if self.tx.fin_wanted || matches!(self.state, MetaState::Closed) {
            return 0;
        }
        self.tx.fragments.release(self.tx.una);
        let taken = bytes.min(self.writable());
        self.tx.fragments.append(self.tx.written, taken, self.tx.is_pending());
        self.tx.written += taken;
        self.tx.starved = taken < bytes;
        if taken > 0 {
            self.push_pending(env);
        }
        taken
    }

    /// Bytes that [`Connection::write`] would take now, a whole number of fragments. Like a blocking writer of the kernel it
    /// is woken only when a third of the buffer is free (`sk_stream_is_writeable`).
    pub fn writable(&self) -> u64 {
        if self.mode == Mode::Plain && self.state != MetaState::Opening {
            return self.writable_plain();
        }
        let used = self.tx.written - self.tx.una;
        let size = u64::from(self.tx.sndbuf);
        if used + used / 2 > size {
            return 0;
        }
        self.tx.fragments.room(used, size, self.tx.is_pending())
    }

    /// The same for a socket of TCP: buffers are taken while their memory is below the limit, and each
    /// is filled. What may leave leaves meanwhile, and the buffer it was in is filled again
    /// (`tcp_sendmsg_locked`, `tcp_push_one`).
    fn writable_plain(&self) -> u64 {
        let Some(sub) = self.subs.first() else { return 0 };
        let (used, size) = (self.queued_memory(0), u64::from(self.tx.sndbuf));
        let needed = if self.tx.starved { used + used / 2 } else { used + 1 };
        if needed > size {
            return 0;
        }
        let goal = u64::from(sub.tcp.size_goal());
        let buffer = goal + self.tx.buffer_memory;
        let (room, memory) = match self.plain_tail() {
            (0, 0) => (0, 0),
            (leaves, 0) => {
                let leaves = u64::from(leaves);
                (leaves + goal, leaves + self.tx.buffer_memory + buffer)
            }
            (_, unsent) => {
                let room = goal.saturating_sub(u64::from(unsent));
                (room, room)
            }
        };
        let left = size.saturating_sub(used + memory);
        room + left.div_ceil(buffer) * goal
    }

    /// Of the buffer at the end of a plain queue that more may join: the bytes that were sent, or leave
    /// before it is filled, and those that were not.
    fn plain_tail(&self) -> (u32, u32) {
        let (Some(sub), Some(window)) = (self.subs.first(), self.windows.first()) else {
            return (0, 0);
        };
        match sub.tcp.plain_tail(window.snd_nxt) {
            Some(tail) => tail,
            None if sub.tcp.unsent_bytes(window.snd_nxt) == 0 => {
                (sub.tcp.sendable_bytes(window), 0)
            }
            None => (0, 0),
        }
    }

    /// C: sends small segments at once, or not (`TCP_NODELAY`).
    pub fn set_nodelay(&mut self, env: &mut Env<'_>, nodelay: bool) {
        self.options.nagle.off = nodelay;
        for sub in &mut self.subs {
            sub.tcp.set_nodelay(nodelay);
        }
        if nodelay {
            self.mark_all_ready();
            self.push_pending(env);
        }
    }

    /// C: ends the connection when data is not acknowledged for `limit`, or leaves that to the number
    /// of retries if it is zero (`TCP_USER_TIMEOUT`). MPTCP has none (`mptcp_supported_sockopt`).
    pub fn set_user_timeout(&mut self, env: &mut Env<'_>, limit: Span) {
        self.options.user_timeout = limit;
        if self.mode == Mode::Plain {
            let sub = &mut self.subs[0];
            sub.tcp.set_user_timeout(&cx!(self, env, 0), limit);
        }
    }

    /// The same for a connection that begins.
    pub(super) fn start_user_timeout(&mut self, env: &mut Env<'_>) {
        if !self.options.user_timeout.is_zero() {
            self.set_user_timeout(env, self.options.user_timeout);
        }
    }

    /// C: holds small segments back, or sends them (`TCP_CORK`).
    pub fn set_cork(&mut self, env: &mut Env<'_>, cork: bool) {
        self.options.nagle.cork = cork;
        for sub in &mut self.subs {
            sub.tcp.set_cork(cork);
        }
        if !cork {
            self.mark_all_ready();
            self.push_pending(env);
        }
    }

    /// C: more is about to be written: a small segment may wait for it (`MSG_MORE`).
    pub fn expect_more(&mut self, more: bool) {
        for sub in &mut self.subs {
            sub.tcp.expect_more(more);
        }
    }

    /// C: nothing written later shares a buffer with what was written (`MSG_EOR`).
    pub fn end_record(&mut self) {
        for sub in &mut self.subs {
            sub.tcp.freeze_queue();
        }
    }

    /// C: waits in the queue of a listener, or was taken from it. Who says nothing of it has
    /// accepted it at once.
    pub fn await_accept(&mut self, waits: bool) {
        for sub in &mut self.subs {
            sub.tcp.await_accept(waits);
        }
    }

    /// C: gives the send buffer a size of its own, in bytes of memory (`SO_SNDBUF` doubled).
    pub fn set_sndbuf(&mut self, bytes: u32) {
        self.tx.fixed_sndbuf = Some(bytes);
        self.tx.sndbuf = bytes;
        for sub in &mut self.subs {
            sub.sndbuf = bytes;
        }
        self.touched.mark_all();
    }

    /// C: gives the receive buffer a size of its own, in bytes of memory (`SO_RCVBUF` doubled).
    pub fn set_rcvbuf(&mut self, bytes: u32) {
        self.options.rcvbuf = Some(bytes);
        self.rx.space.rcvbuf = bytes;
        self.spread_rcvbuf();
        self.subs.iter_mut().for_each(|sub| sub.tcp.fix_rcvbuf());
    }

    // ---- from the scheduler to the subflows --------------------------------------------------

    /// Gives data to subflows as long as the scheduler finds one (`__mptcp_push_pending`).
    pub(super) fn push_pending(&mut self, env: &mut Env<'_>) {
        if self.state == MetaState::Opening {
            self.fill_syn();
            return;
        }
        let waiting = self.tx.head < self.tx.written;
        if waiting && self.subs.first().is_some_and(|sub| sub.send_infinite) {
            self.map_infinitely(env);
        }
        if waiting && !self.is_mptcp() {
            self.push_plain(env);
        } else if self.is_mptcp() && self.out_of_tree.is_some() {
            self.push_segments(env);
            return;
        } else if waiting {
            self.refresh_views();
            self.push_bursts(env);
            self.start_timer_if_idle(env);
        }
        if self.tx.una < self.tx.nxt && self.scheduler.repeats() {
            self.refresh_views();
            while self.push_spare(env) {}
        }
        self.check_data_fin(env);
    }

    /// All that can be given away, burst by burst. A subflow sends when it is another one's turn
    /// (`mptcp_push_release`).
    fn push_bursts(&mut self, env: &mut Env<'_>) {
        let mut filled = None;
        while self.tx.head < self.tx.written
            && let Some(subflow) = self.push_burst(env)
        {
            if let Some(before) = filled.replace(subflow).filter(|before| *before != subflow) {
                self.subs[before].tcp.sends_at(env.now);
            }
        }
    }

    /// One burst on one subflow, and on which; `None` if nothing could be given away.
    fn push_burst(&mut self, env: &mut Env<'_>) -> Option<usize> {
        self.update_interval(env);
        let (subflow, pushed) = match self.pick(env, Ask::New(self.next_piece())) {
            Pick::On { subflow, limit } => {
                let pushed = self.push_fragments(env, subflow, limit);
                self.refresh_view(subflow);
                (subflow, pushed)
            }
            Pick::Copy { subflow, from, limit } => {
                (subflow, self.push_copy(env, subflow, from, limit))
            }
            Pick::Wait => return None,
        };
        pushed.then_some(subflow)
    }

    /// Queues new data on a subflow up to `limit`, whole fragments if the scheduler wants that;
    /// false if there was no room.
    fn push_fragments(&mut self, env: &mut Env<'_>, subflow: usize, limit: u32) -> bool {
        let exact = !self.scheduler.finishes_fragments();
        let mut budget = i64::from(limit);
        let before = self.tx.head;
        loop {
            let fragment_end = self.tx.fragment_end(self.tx.head);
            let mut end = fragment_end.min(self.tx.written);
            if exact {
                end = end.min(self.tx.head + u64::try_from(budget).unwrap_or(0));
            }
            while self.tx.head < end {
                let pushed = self.push_range(env, subflow, self.tx.head, end);
                if pushed == 0 {
                    return self.tx.head > before;
                }
                self.tx.head += pushed;
                budget -= pushed as i64;
                self.tx.nxt = self.tx.nxt.max(self.tx.head);
            }
            let full = self.queued_memory(subflow) >= u64::from(self.subs[subflow].sndbuf);
            let done = self.tx.head >= self.tx.written;
            if done || budget <= 0 || full || !self.subs[subflow].active() {
                return true;
            }
        }
    }

    /// Gives data that others carry to a subflow that has room, for schedulers that repeat data.
    fn push_spare(&mut self, env: &mut Env<'_>) -> bool {
        if !self.is_mptcp() {
            return false;
        }
        match self.pick(env, Ask::Spare) {
            Pick::Copy { subflow, from, limit } => self.push_copy(env, subflow, from, limit),
            Pick::On { .. } | Pick::Wait => false,
        }
    }

    /// What the scheduler decides, from the views as they are.
    pub(super) fn pick(&mut self, env: &Env<'_>, ask: Ask) -> Pick {
        let fin_from = self.out_of_tree.as_ref().and_then(|state| state.data_fin_from());
        let view = self.tx.view(env.now, &self.views, fin_from);
        self.scheduler.pick(&view, ask)
    }

    /// The next data to give to a subflow.
    fn next_piece(&self) -> Piece {
        let len = u32::try_from(self.tx.written - self.tx.head).unwrap_or(u32::MAX);
        Piece { from: self.tx.head, len, ..Piece::default() }
    }

    /// Repeats bytes that another subflow carries; false if none could be given away.
    pub(super) fn push_copy(
        &mut self,
        env: &mut Env<'_>,
        subflow: usize,
        from: u64,
        limit: u32,
    ) -> bool {
        let mut from = from.max(self.tx.una);
        let end = (from + u64::from(limit)).min(self.tx.nxt);
        let start = from;
        while from < end {
            let pushed = self.push_range(env, subflow, from, end);
            if pushed == 0 {
                break;
            }
            from += pushed;
        }
        self.refresh_view(subflow);
        from > start
    }

    /// Queues bytes `from..end` of the stream on a subflow, as far as one buffer and the window
    /// allow; returns how many (`mptcp_sendmsg_frag`).
    pub(super) fn push_range(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        from: u64,
        end: u64,
    ) -> u64 {
        self.update_reserve(env, index);
        let window = self.tx.window_end.saturating_sub(from);
        if window == 0 {
            self.probe_window(env, index);
            return 0;
        }
        let snd_nxt = self.windows[index].snd_nxt;
        let sub = &mut self.subs[index];
        let goal = sub.tcp.size_goal();
        let joins = sub
            .tcp
            .open_chunk(snd_nxt)
            .filter(|chunk| chunk.mapped && chunk.stream + u64::from(chunk.len) == from)
            .map_or(0, |chunk| chunk.len);
        let room = if joins < goal { goal - joins } else { goal };
        let len = (end - from).min(window).min(u64::from(room)) as u32;
        if u64::from(sub.tcp.snd_wnd()) < window {
            sub.tcp.raise_send_window(window.min(u64::from(u32::MAX)) as u32);
            env.mib.inc(Counter::SndWndShared);
        }
        if from < self.tx.nxt {
            let again = u64::from(len).min(self.tx.nxt - from);
            sub.statistics.reinjected_bytes += again;
            self.statistics.reinjected_bytes += again;
        }
        let sub = &mut self.subs[index];
        sub.statistics.chosen += 1;
        sub.tcp.push(&mut cx!(self, env, index), from, len, true, goal);
        self.scheduler.given(index, from, len);
        self.mark_ready(index);
        u64::from(len)
    }

    /// The peer's window is closed and nothing is under way that could open it: the last byte
    /// acknowledged is queued once more, and the subflow's own probes ask for its window
    /// (`mptcp_sendmsg_frag`, `MPTCP_MIB_WINPROBE`).
    fn probe_window(&mut self, env: &mut Env<'_>, index: usize) {
        let una = self.tx.una;
        let idle = self.subs[index].tcp.is_idle(self.windows[index].snd_una);
        if una == 0 || una != self.tx.nxt || !idle {
            return;
        }
        env.mib.inc(Counter::WinProbe);
        let sub = &mut self.subs[index];
        sub.tcp.push(&mut cx!(self, env, index), una - 1, 1, true, 1);
        sub.tcp.freeze_queue();
        self.mark_ready(index);
    }

    /// A connection without MPTCP: all data goes to the first subflow as its buffer allows.
    fn push_plain(&mut self, env: &mut Env<'_>) {
        self.update_reserve(env, 0);
        let mut tail = self.plain_tail();
        let Some(sub) = self.subs.first_mut() else { return };
        let goal = sub.tcp.size_goal();
        let len = (self.tx.written - self.tx.head).min(u64::from(u32::MAX >> 2)) as u32;
        let mut left = len;
        while left > 0 {
            let (sent, unsent) = std::mem::take(&mut tail);
            let (limit, room) = match unsent {
                0 => (sent + goal, sent + goal),
                _ if unsent < goal => (sent + goal, goal - unsent),
                _ => (goal, goal),
            };
            let part = left.min(room);
            sub.tcp.push(&mut cx!(self, env, 0), self.tx.head, part, false, limit);
            self.tx.head += u64::from(part);
            left -= part;
        }
        self.tx.nxt = self.tx.nxt.max(self.tx.head);
        self.mark_ready(0);
    }

    /// Brings the policy views up to date, those of new subflows included.
    pub(super) fn refresh_views(&mut self) {
        self.refresh_known_views();
        let (known, count) = (self.views.len(), self.subs.len());
        (known..count).for_each(|index| self.views.push(self.view_of(index)));
        debug_assert!((0..count).all(|index| self.views[index] == self.view_of(index)));
    }

    /// The same for those that somebody has asked for already.
    pub(super) fn refresh_known_views(&mut self) {
        let known = self.views.len();
        let mut touched = self.touched.take_views();
        while let Some(index) = touched.next(known) {
            self.views[index] = self.view_of(index);
        }
    }

    /// The same for one subflow, when nothing has happened to the others.
    pub(super) fn refresh_view(&mut self, index: usize) {
        if index < self.views.len() {
            self.views[index] = self.view_of(index);
        }
    }

    #[inline]
    fn view_of(&self, id: usize) -> SubflowView {
        let (sub, window) = (&self.subs[id], &self.windows[id]);
        let queued_memory = self.queued_memory(id);
        let unacked = u64::from(sub.tcp.queued_bytes(window.snd_una));
        SubflowView {
            id,
            active: sub.active(),
            backup: sub.backup(),
            idle: sub.tcp.is_idle(window.snd_una),
            has_memory: queued_memory < u64::from(sub.sndbuf),
            queued_memory,
            pacing_rate: window.pacing_rate,
            stale_count: u32::from(sub.stale_count),
            srtt_us8: window.srtt_us,
            rttvar_us4: sub.tcp.rttvar_us4(),
            cwnd: window.cwnd,
            ssthresh: window.ssthresh,
            ca_state: window.ca_state,
            packets_out: window.packets_out,
            in_flight: window.in_flight(),
            mss: window.mss,
            unsent: u64::from(sub.tcp.unsent_bytes(window.snd_nxt)),
            unacked,
            window: u64::from(sub.tcp.snd_wnd()).saturating_sub(unacked),
            only_from: self
                .out_of_tree
                .as_ref()
                .and_then(|state| (!sub.fully_established).then(|| state.only_from(id)).flatten()),
        }
    }

    /// Memory that the queues of a subflow take (`sk_wmem_queued`).
    pub(super) fn queued_memory(&self, index: usize) -> u64 {
        let window = &self.windows[index];
        let tcp = &self.subs[index].tcp;
        let bytes = u64::from(tcp.queued_bytes(window.snd_una));
        if bytes == 0 {
            return 0;
        }
        bytes + tcp.buffers() * self.tx.buffer_memory
    }

    // ---- acknowledgements ----------------------------------------------------------------

    /// A DATA_ACK arrived with a window of so many bytes (`ack_update_msk`).
    pub(super) fn data_ack(&mut self, env: &mut Env<'_>, dss: &Dss, window: u32) {
        let reference = self.tx.first_dsn.wrapping_add(self.tx.una);
        let dsn = match dss.ack_width {
            Width::Four => expand_dsn(reference, dss.data_ack as u32),
            Width::Eight | Width::Absent => dss.data_ack,
        };
        let offset = dsn.wrapping_sub(self.tx.first_dsn);
        // The DATA_FIN takes one number behind the data.
        let limit = self.tx.nxt + u64::from(self.tx.fin_sent);
        if offset > limit {
            return;
        }
        self.tx.window_end = self.tx.window_end.max(offset + u64::from(window));
        if self.out_of_tree.is_none() && self.tx.has_window() {
            // Before the connection's timer restarts, which so takes its interval from what the
            // subflows wait for since this segment (`__mptcp_check_push`).
            self.push_pending(env);
            self.pushed = true;
        }
        let una = offset.min(self.tx.nxt);
        let fin_acked = self.tx.fin_sent && offset > self.tx.written;
        if una > self.tx.una || (fin_acked && !self.tx.fin_acked) {
            self.tx.una = self.tx.una.max(una);
            self.tx.head = self.tx.head.max(self.tx.una);
            if self.tx.recovery.is_some_and(|nxt| self.tx.una >= nxt) {
                self.tx.recovery = None;
            }
            self.tx.fin_acked |= fin_acked;
            self.data_acked(env);
        }
    }

    // ---- buffers -------------------------------------------------------------------------

    /// Lets the send buffer follow the window (`tcp_sndbuf_expand`, `mptcp_propagate_sndbuf`).
    pub(super) fn update_sndbuf(&mut self, env: &Env<'_>, index: usize) {
        if self.tx.fixed_sndbuf.is_some() {
            return;
        }
        let max = env.config.sysctl.tcp_wmem.max;
        let segments = if self.is_mptcp() && self.out_of_tree.is_some() {
            self.segments_until_slowest(index)
        } else {
            self.windows[index].cwnd.max(env.config.initial_cwnd).max(4)
        };
        let segments = segments.saturating_mul(self.congestion.sndbuf_windows());
        let wanted = segments.saturating_mul(MEMORY_PER_SEGMENT).min(max);
        let sub = &mut self.subs[index];
        if wanted <= sub.sndbuf {
            return;
        }
        sub.sndbuf = wanted;
        self.touched.mark(index);
        let total: u32 = self
            .subs
            .iter()
            .filter(|sub| sub.tcp.state().synchronised())
            .map(|sub| sub.sndbuf)
            .fold(0, u32::saturating_add);
        let base = if self.is_mptcp() && self.out_of_tree.is_none() {
            env.config.sysctl.tcp_wmem.min
        } else {
            0
        };
        self.tx.sndbuf = self.tx.sndbuf.max(total.saturating_add(base));
    }

    /// Grows the buffer of a subflow whose window is not full although the writer waits for room
    /// (`tcp_check_space`, `tcp_should_expand_sndbuf`).
    pub(super) fn maybe_expand_sndbuf(&mut self, env: &Env<'_>, index: usize) {
        let window = &self.windows[index];
        if window.in_flight() < window.cwnd && window.can_send && self.writer_waits() {
            self.update_sndbuf(env, index);
        }
    }

    /// The application had more to write than fitted, and there is still no room (`SOCK_NOSPACE`).
    pub(super) fn writer_waits(&self) -> bool {
        self.tx.starved && self.writable() == 0
    }
}
