//! What the application reads, and the receive buffer that grows with it (Linux `mptcp_recvmsg`,
//! `mptcp_rcv_space_adjust`, `mptcp_cleanup_rbuf`; `tcp_rcv_space_adjust`).

use mptcpsim_core::prefetch::pop_near;
use mptcpsim_core::time::Time;

use super::{Connection, Env, Mode};
use crate::payload::Payload;
use crate::tcp::{INITIAL_SEGMENTS, Space, State, Subflow};

/// Automatic sizing of the receive buffer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tuning {
    /// Bytes read in the current round, and in the best round so far.
    pub(super) copied: u64,
    pub(super) space: u64,
    /// Bytes that the application read at once behind its first segment, which alone has counted so
    /// far; without MPTCP the round is looked at after each segment (`tcp_recvmsg_locked`).
    later: Option<u64>,
    pub(super) since: Time,
    /// The receiver's round-trip time in microseconds times 8.
    rtt_us: u32,
}

impl Tuning {
    fn note_read(&mut self, bytes: u64, plain: bool) {
        match &mut self.later {
            Some(later) => *later += bytes,
            None => {
                self.copied += bytes;
                self.later = plain.then_some(0);
            }
        }
    }

    fn end_read(&mut self) {
        self.copied += self.later.take().unwrap_or(0);
    }
}

impl Connection {
    /// C: the next run of bytes in order, if any. Call [`Connection::after_read`] when done.
    pub fn read(&mut self) -> Option<Payload> {
        let (payload, buffer) = pop_near(&mut self.rx.queue)?;
        self.rx.space.used -= buffer.truesize;
        self.rx.tuning.note_read(u64::from(payload.len()), self.rx.space.plain);
        Some(payload)
    }

    /// True if [`Connection::read`] has something.
    pub fn readable(&self) -> bool {
        !self.rx.queue.is_empty()
    }

    /// True once the end of the peer's stream has arrived, read or not.
    pub fn has_end(&self) -> bool {
        self.rx.eof
    }

    /// Bytes that [`Connection::read`] would give.
    pub fn unread_bytes(&self) -> u64 {
        self.rx.queue.iter().map(|(payload, _)| u64::from(payload.len())).sum()
    }

    /// True once the peer's stream has been read to its end.
    pub fn at_end(&self) -> bool {
        self.rx.eof && self.rx.queue.is_empty()
    }

    /// C: the application has read: windows may open, acknowledgements may be due
    /// (`mptcp_rcv_space_adjust`, `mptcp_cleanup_rbuf`).
    pub fn after_read(&mut self, env: &mut Env<'_>) {
        self.adjust_receive_buffer(env);
        self.rx.tuning.end_read();
        let shared = env.config.rules.connection_window && self.is_mptcp();
        let shared = shared.then(|| self.rx.remaining_window());
        let opens = env.config.rules.connection_window || self.window_could_double();
        for index in 0..self.subs.len() {
            let tcp = &mut self.subs[index].tcp;
            if tcp.after_read(self.rx.space, shared.unwrap_or(tcp.remaining_window()), opens) {
                self.mark_ready(index);
            }
        }
        // Data that waited for room in the buffer may move up.
        if self.is_mptcp() {
            for index in 0..self.subs.len() {
                if self.subs[index].tcp.peek_arrived().is_some() {
                    self.data_ready(env, index);
                }
            }
        }
    }

    /// There is room for twice the window that was advertised last, on whichever subflow, so it is worth
    /// asking each of them (`old_wspace` in `mptcp_cleanup_rbuf`). TCP asks its only one always.
    fn window_could_double(&self) -> bool {
        let last = match (self.mode, self.subs.first()) {
            (Mode::FellBack(_), Some(only)) => only.tcp.advertised_window(),
            (Mode::Plain, _) => return true,
            _ => self.rx.last_window,
        };
        let free = self.rx.space.free();
        free > 0 && free / 2 >= last
    }

    /// Grows the buffer so that it never limits the rate (`mptcp_rcvbuf_grow`,
    /// `tcp_rcvbuf_grow`): twice what a round trip brings, and more while that grows.
    pub(super) fn adjust_receive_buffer(&mut self, env: &mut Env<'_>) {
        let tuning = self.rx.tuning;
        let elapsed = env.now - tuning.since;
        if tuning.rtt_us > 0 && elapsed.as_us() < u64::from(tuning.rtt_us >> 3) {
            return;
        }
        // One that is being opened counts too, with the share of payload a new socket assumes (`conn_list`),
        // but what makes it open is read before the worker does that.
        let opening = |tcp: &Subflow| tcp.state() == State::SynSent && tcp.opened_at() < env.now;
        let counts = |tcp: &Subflow| tcp.state().synchronised() || opening(tcp);
        let live = || self.subs.iter().filter(|sub| counts(&sub.tcp));
        let rtt_us = live().map(|sub| sub.tcp.rcv_rtt_us()).max().unwrap_or(0);
        self.rx.tuning.rtt_us = rtt_us;
        if let Some(ratio) = live().map(|sub| sub.tcp.scaling_ratio()).min() {
            self.rx.space.ratio = ratio;
        }
        if rtt_us == 0 || elapsed.as_us() < u64::from(rtt_us >> 3) {
            return;
        }
        if tuning.space == 0 {
            self.rx.tuning.space = self.first_round();
        }
        let tuning = &mut self.rx.tuning;
        if let crate::rules::ReceiveTuning::TwoRounds = env.config.rules.receive_tuning {
            self.tune_by_two_rounds(env);
        } else if tuning.copied > tuning.space {
            let read = u32::try_from(tuning.copied).unwrap_or(u32::MAX);
            let before = u32::try_from(tuning.space).unwrap_or(u32::MAX);
            tuning.space = tuning.copied;
            self.follow_growing_round(env, read, before);
        }
        self.rx.tuning.copied = 0;
        self.rx.tuning.since = env.now;
    }

    /// The bytes that a first round trip brings, by the segment size announced. Whoever accepts a
    /// connection counts before it knows that timestamps take room of each segment
    /// (`mptcp_rcv_space_init` in `mptcp_sk_clone_init`).
    fn first_round(&self) -> u64 {
        let Some(first) = self.subs.first() else { return 0 };
        let early = self.is_mptcp() && !first.opener;
        let timestamps = if early { first.tcp.negotiated().timestamps_len() } else { 0 };
        u64::from(INITIAL_SEGMENTS * u32::from(first.tcp.advmss() + timestamps))
    }

    /// The buffer of the connection grows by what is read, those of its subflows also by what they
    /// hold out of order (`mptcp_rcvbuf_grow`, `tcp_rcvbuf_grow`).
    fn follow_growing_round(&mut self, env: &mut Env<'_>, read: u32, before: u32) {
        if !self.tunes_rcvbuf(env) {
            return;
        }
        let window = Space::window_to_grow(read, before);
        let memory = Space::memory_for(self.rx.space.ratio, window);
        if self.is_mptcp() && !self.enlarge_rcvbuf(env, memory) {
            return;
        }
        for sub in &mut self.subs {
            sub.tcp.grow_rcvbuf(&env.config.sysctl, read);
        }
        if !self.is_mptcp() {
            self.share_only_rcvbuf();
        }
    }

    /// Without MPTCP the buffer of the only subflow is that of the connection.
    pub(super) fn share_only_rcvbuf(&mut self) {
        if let Some(only) = self.subs.first() {
            self.rx.space.rcvbuf = self.rx.space.rcvbuf.max(only.tcp.rcvbuf());
        }
    }

    /// The buffer may follow the rate: the application has chosen no size.
    pub(super) fn tunes_rcvbuf(&self, env: &Env<'_>) -> bool {
        self.options.rcvbuf.is_none() && env.config.sysctl.tcp_moderate_rcvbuf
    }

    /// Gives the connection's buffer so much memory; false if it has it, or may have no more.
    pub(super) fn enlarge_rcvbuf(&mut self, env: &Env<'_>, memory: u32) -> bool {
        let wanted = memory.min(env.config.sysctl.tcp_rmem.max);
        let grows = wanted > self.rx.space.rcvbuf;
        if grows {
            self.rx.space.rcvbuf = wanted;
        }
        grows
    }

    /// All subflows have the buffer of the connection.
    pub(super) fn spread_rcvbuf(&mut self) {
        let (rcvbuf, clamp) = (self.rx.space.rcvbuf, self.rx.space.full());
        for sub in &mut self.subs {
            sub.tcp.set_rcvbuf(rcvbuf, clamp);
        }
    }
}
