//! The receive window (Linux `__tcp_select_window`, `tcp_grow_window`, `tcp_rcv_space_adjust`).

use super::receive::Receiver;
use super::{Cx, Subflow, TcpConfig};
use crate::rules::WindowFromSpace;
use crate::sysctl::Sysctl;

/// Parts in a whole of [`Space::ratio`].
const RATIO_SCALE: u32 = 256;
/// Half of the memory is payload, until measured (`TCP_DEFAULT_SCALING_RATIO`).
const DEFAULT_RATIO: u16 = 128;

/// The receive buffer behind a window. With MPTCP it belongs to the connection.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// Size of the buffer in bytes of memory.
    pub rcvbuf: u32,
    /// Bytes of memory in use.
    pub used: u32,
    /// Payload bytes per 256 bytes of memory.
    pub ratio: u16,
    /// The window in bytes that segments on any subflow have earned, where subflows share theirs
    /// (v0.94: `rcv_ssthresh` of the connection's socket); 0 where they do not.
    pub rcv_ssthresh: u32,
    /// It is that of a socket of TCP: what the subflow holds is in it too.
    pub plain: bool,
}

impl Space {
    /// The window that `memory` bytes can hold (`tcp_win_from_space`).
    pub const fn window_from(ratio: u16, memory: u32) -> u32 {
        ((memory as u64 * ratio as u64) / RATIO_SCALE as u64) as u32
    }

    /// The memory that a window of `window` bytes takes (`tcp_space_from_win`).
    pub const fn memory_for(ratio: u16, window: u32) -> u32 {
        let ratio = if ratio == 0 { 1 } else { ratio as u64 };
        let memory = (window as u64 * RATIO_SCALE as u64) / ratio;
        if memory > u32::MAX as u64 { u32::MAX } else { memory as u32 }
    }

    /// The whole buffer as a window.
    pub const fn full(self) -> u32 {
        Self::window_from(self.ratio, self.rcvbuf)
    }

    /// The window that lets a sender double its rate that had `read` bytes read in a round trip and
    /// `before` in the best one before: measuring is a round trip late (`tcp_rcvbuf_grow`).
    pub(crate) fn window_to_grow(read: u32, before: u32) -> u32 {
        let window = 2 * u64::from(read);
        let growth = window * u64::from(read.saturating_sub(before)) / u64::from(before.max(1));
        u32::try_from(window + 2 * growth).unwrap_or(u32::MAX)
    }

    /// The unused part as a window.
    pub const fn free(self) -> u32 {
        Self::window_from(self.ratio, self.rcvbuf.saturating_sub(self.used))
    }
}

/// The ratio a new socket starts with.
pub(crate) fn initial_ratio(config: &TcpConfig) -> u16 {
    match config.rules.window_from_space {
        WindowFromSpace::MeasuredRatio => DEFAULT_RATIO,
        WindowFromSpace::AdvWinScale => {
            (RATIO_SCALE - (RATIO_SCALE >> config.sysctl.tcp_adv_win_scale.min(8))) as u16
        }
    }
}

/// The window field of a SYN and the shift behind it (`tcp_select_initial_window`).
pub(super) fn initial_window(space: u32, mss: u32, largest: u32, scaling: bool) -> (u32, u8) {
    let rounded = if space > mss { space / mss * mss } else { space };
    let window = rounded.min(u32::from(u16::MAX));
    let mut shift = 0;
    if scaling {
        let bits = u32::BITS - largest.max(space).leading_zeros();
        shift = bits.saturating_sub(16).min(14) as u8;
    }
    (window, shift)
}

fn round_down(value: u32, step: u32) -> u32 {
    value - value.checked_rem(step).unwrap_or(0)
}

const fn round_up_shift(value: u32, shift: u8) -> u32 {
    let step = 1u32 << shift;
    value.saturating_add(step - 1) & !(step - 1)
}

impl Receiver {
    /// What remains of the window last advertised (`tcp_receive_window`).
    pub(super) fn remaining_window(&self) -> u32 {
        let left = (self.rcv_wup + self.rcv_wnd).offset_from(self.rcv_nxt);
        left.max(0) as u32
    }

    /// More than a full segment was received and not acknowledged.
    pub(super) fn owes_more_than_a_segment(&self) -> bool {
        self.rcv_nxt - self.rcv_wup > u32::from(self.rcv_mss)
    }

    /// The window that `space` allows now, in whole units of the scale
    /// (`__tcp_select_window`; RFC 9293 section 3.8.6.2.2 against silly windows).
    pub(super) fn selectable_window(&self, space: Space, shift: u8) -> u32 {
        let (allowed, free) = (space.full(), space.free());
        let full = allowed.min(self.window_clamp);
        let mss = u32::from(self.rcv_mss).min(full);
        if mss == 0 {
            return 0;
        }
        let mut free = free;
        if free < full >> 1 {
            free = round_down(free, 1 << shift);
            if free < allowed >> 4 || free < mss {
                return 0;
            }
        }
        free = free.min(self.rcv_ssthresh.max(space.rcv_ssthresh));
        if shift > 0 {
            return round_up_shift(free, shift);
        }
        let window = self.rcv_wnd;
        if window + mss <= free || window > free {
            round_down(free, mss)
        } else if mss == full && free > window + (full >> 1) {
            free
        } else {
            window
        }
    }

    /// Lets the buffer follow `read` bytes that were read in a round trip, and what waits out of order
    /// (`tcp_rcvbuf_grow`).
    pub(super) fn grow_rcvbuf(&mut self, sysctl: &Sysctl, read: u32) {
        let before = std::mem::replace(&mut self.rtt.read, read);
        if self.rcvbuf_locked || !sysctl.tcp_moderate_rcvbuf {
            return;
        }
        let ahead = self.reorder.end().map_or(0, |end| end - self.rcv_nxt);
        let window = Space::window_to_grow(read, before).saturating_add(ahead);
        let rcvbuf = Space::memory_for(self.ratio, window).min(sysctl.tcp_rmem.max);
        if rcvbuf > self.rcvbuf {
            self.rcvbuf = rcvbuf;
            self.window_clamp = Space::window_from(self.ratio, rcvbuf);
        }
    }

    /// The share of payload in memory has changed: so does what the buffer can promise
    /// (`tcp_measure_rcv_mss`, `tcp_set_window_clamp`).
    pub(super) fn clamp_to_ratio(&mut self) {
        let clamp = Space::window_from(self.ratio, self.rcvbuf);
        let before = std::mem::replace(&mut self.window_clamp, clamp);
        if clamp < before {
            self.rcv_ssthresh = self.rcv_ssthresh.min(clamp);
        } else if clamp > before {
            self.rcv_ssthresh = self.rcv_ssthresh.max(self.rcv_wnd.min(clamp));
        }
        self.rtt.read = self.rtt.read.min(clamp);
    }

    /// `space` as the window sees it.
    pub(super) fn seen(&self, space: Space) -> Space {
        match space.plain {
            true => Space { used: space.used + self.rmem, ratio: self.ratio, ..space },
            false => space,
        }
    }

    /// The window that `space` allows now.
    pub(super) fn window_in(&self, space: Space, shift: u8) -> u32 {
        self.selectable_window(self.seen(space), shift)
    }

    /// The window that the memory left in the buffer would allow.
    fn free_window(&self) -> u32 {
        Space::window_from(self.ratio, self.rcvbuf.saturating_sub(self.rmem))
    }

    /// Lets the window follow the sender, by `room` at most (`tcp_grow_window`). True if it grew.
    fn grow_window(&mut self, len: u32, truesize: u32, room: u32, rmem_max: u32) -> bool {
        if room == 0 {
            return false;
        }
        let increase = if Space::window_from(self.ratio, truesize) <= len {
            2 * u32::from(self.advmss)
        } else {
            self.grow_for_overhead(len, truesize, rmem_max)
        };
        if increase > 0 {
            self.rcv_ssthresh += room.min(increase.max(2 * len));
        }
        increase > 0
    }

    /// How much to grow for segments with much overhead (`__tcp_grow_window`).
    #[cold]
    fn grow_for_overhead(&self, len: u32, truesize: u32, rmem_max: u32) -> u32 {
        let mut size = Space::window_from(self.ratio, truesize) >> 1;
        let mut window = Space::window_from(self.ratio, rmem_max) >> 1;
        while self.rcv_ssthresh <= window {
            if size <= len {
                return 2 * u32::from(self.rcv_mss);
            }
            size >>= 1;
            window >>= 1;
        }
        0
    }
}

/// The window of the subflow is that of its connection.
fn shares_window(cx: &Cx<'_>) -> bool {
    cx.window().multipath && cx.config.rules.connection_window
}

impl Subflow {
    /// A segment of `len` bytes arrived and takes `truesize` bytes: the window may grow, and while
    /// it does every segment is acknowledged at once.
    pub(super) fn grow_window(&mut self, cx: &mut Cx<'_>, len: u32, truesize: u32) {
        self.rx.rcv_ssthresh = self.rx.rcv_ssthresh.max(cx.space.rcv_ssthresh);
        let room = self.room_to_grow(cx);
        if self.rx.grow_window(len, truesize, room, cx.config.sysctl.tcp_rmem.max) {
            self.acks.quick_once();
        }
        if shares_window(cx) {
            cx.space.rcv_ssthresh = self.rx.rcv_ssthresh;
        }
    }

    /// How much further the window may go: to what the buffer could still take. With the window of
    /// the connection any free memory of its buffer is enough (v0.94).
    fn room_to_grow(&self, cx: &Cx<'_>) -> u32 {
        let to_clamp = self.rx.window_clamp.saturating_sub(self.rx.rcv_ssthresh);
        if shares_window(cx) {
            return if cx.space.free() > self.rx.rcv_ssthresh { to_clamp } else { 0 };
        }
        to_clamp.min(self.rx.free_window().saturating_sub(self.rx.rcv_ssthresh))
    }

    /// Chooses the window to advertise now; a window is never taken back (`tcp_select_window`), but
    /// with a DATA_ACK that of a subflow may be. Returns the field of the header.
    pub(super) fn select_window(&mut self, cx: &mut Cx<'_>, data_ack: bool) -> u16 {
        let shift = self.negotiated.rcv_wscale;
        let current = self.rx.remaining_window();
        let mut window = self.window_now(cx);
        let may_shrink = data_ack && cx.config.rules.subflow_windows_shrink;
        if window < current && !may_shrink {
            window = round_up_shift(current, shift);
        }
        self.rx.rcv_wnd = window;
        self.rx.rcv_wup = self.rx.rcv_nxt;
        self.window_field()
    }

    /// What the header says of the window: as much of it as fits.
    fn window_field(&self) -> u16 {
        (self.rx.rcv_wnd >> self.negotiated.rcv_wscale).min(u32::from(u16::MAX)) as u16
    }

    /// The window that the buffer allows now. If it is half full, quick acknowledgements end with the
    /// question (`__tcp_select_window`).
    pub(super) fn window_now(&mut self, cx: &Cx<'_>) -> u32 {
        let space = self.rx.seen(*cx.space);
        let (full, free) = (space.full(), space.free());
        if free < full.min(self.rx.window_clamp) / 2 && !shares_window(cx) {
            self.acks.leave_quick_mode();
        }
        self.rx.selectable_window(space, self.negotiated.rcv_wscale)
    }

    /// The right edge of the window last advertised, relative to what was received: with MPTCP
    /// the connection shares the highest edge among subflows.
    pub const fn advertised_window(&self) -> u32 {
        self.rx.rcv_wnd
    }

    /// What remains of the window last advertised.
    pub fn remaining_window(&self) -> u32 {
        self.rx.remaining_window()
    }

    /// Raises the advertised window to `window` bytes, or a little more if the field `rounds_up`, and
    /// returns the header field for it.
    pub fn raise_advertised_window(&mut self, window: u32, rounds_up: bool) -> u16 {
        let shift = self.negotiated.rcv_wscale;
        let window = if rounds_up { round_up_shift(window, shift) } else { window };
        self.rx.rcv_wnd = window;
        self.window_field()
    }

    /// Lets the subflow send up to `edge` bytes beyond what is acknowledged, because the
    /// connection's window allows it.
    pub fn raise_send_window(&mut self, window: u32) {
        self.snd_wnd = self.snd_wnd.max(window);
        self.max_window = self.max_window.max(window);
    }

    /// Bytes of payload per 256 bytes of memory, as measured on arriving segments.
    pub const fn scaling_ratio(&self) -> u16 {
        self.rx.ratio
    }

    /// The size of the subflow's own receive buffer in bytes of memory.
    pub const fn rcvbuf(&self) -> u32 {
        self.rx.rcvbuf
    }

    /// The buffer grew: the window may follow (`tcp_rcv_space_adjust`, `mptcp_rcv_space_adjust`).
    #[cold]
    pub fn set_rcvbuf(&mut self, rcvbuf: u32, window_clamp: u32) {
        self.rx.rcvbuf = rcvbuf;
        self.rx.window_clamp = window_clamp;
    }

    /// The buffer has the size that the application chose, and keeps it (`SOCK_RCVBUF_LOCK`).
    #[cold]
    pub fn fix_rcvbuf(&mut self) {
        self.rx.rcvbuf_locked = true;
    }

    /// The reader of the connection took `read` bytes in a round trip, more than ever before
    /// (`mptcp_rcv_space_adjust`).
    #[cold]
    pub fn grow_rcvbuf(&mut self, sysctl: &Sysctl, read: u32) {
        if self.rx.rtt.read > 0 {
            self.rx.grow_rcvbuf(sysctl, read);
        }
    }

    /// The receiver's estimate of the round-trip time in microseconds; 0 if unknown
    /// (`rcv_rtt_est`).
    pub const fn rcv_rtt_us(&self) -> u32 {
        self.rx.rtt.rtt_us
    }

    /// The segment size announced to the peer.
    pub const fn advmss(&self) -> u16 {
        self.rx.advmss
    }
}

#[cfg(test)]
mod tests {
    use mptcpsim_core::time::Time;

    use super::super::receive::Arrived;
    use super::*;
    use crate::payload::Payload;
    use crate::seq::Seq;
    use crate::tcp::Buffer;

    #[test]
    fn the_first_window_is_whole_segments_below_64_kib() {
        assert_eq!(initial_window(65_536, 1_460, 6_291_456, true), (64_240, 7));
        assert_eq!(initial_window(65_536, 1_460, 6_291_456, false), (64_240, 0));
        assert_eq!(initial_window(1_000, 1_460, 1_000, true), (1_000, 0));
    }

    #[test]
    fn half_the_memory_is_window_until_measured() {
        let space = Space {
            rcvbuf: 131_072,
            used: 31_072,
            ratio: DEFAULT_RATIO,
            rcv_ssthresh: 0,
            plain: false,
        };
        assert_eq!((space.full(), space.free()), (65_536, 50_000));
        assert_eq!(Space::memory_for(DEFAULT_RATIO, 50_000), 100_000);
    }

    /// The payload of segments of 1424 bytes that take 2304 bytes of memory.
    const RATIO: u16 = 158;

    /// Sizes of the buffer (`SO_RCVBUF`) that a reader of Linux 6.18 saw.
    #[test]
    fn buffers_grow_as_measured() {
        let grown = |read, before| Space::memory_for(RATIO, Space::window_to_grow(read, before));
        assert_eq!(grown(31_328, 14_600), 334_148);
        assert_eq!(grown(123_232, 39_528), 2_090_583);
    }

    fn receiver() -> Receiver {
        let mut rx = Receiver::new(Seq(1), 131_072, false, RATIO, 1_448);
        rx.rtt.read = 14_480;
        rx
    }

    #[test]
    fn the_buffer_of_a_subflow_grows_from_its_own_rounds_and_from_what_waits() {
        let sysctl = Sysctl::default();
        let mut rx = receiver();
        rx.grow_rcvbuf(&sysctl, 14_480);
        assert_eq!(rx.rcvbuf, 131_072, "twice a round is less than it has");
        rx.grow_rcvbuf(&sysctl, 31_328);
        let window = Space::window_to_grow(31_328, 14_480);
        assert_eq!(rx.rcvbuf, Space::memory_for(RATIO, window));
        assert_eq!(rx.window_clamp, window - 1, "whole bytes of memory");

        let mut held = receiver();
        let ahead = Arrived {
            seq: Seq(150_001),
            payload: Payload::pattern(0, 1_000),
            dss: None,
            fin: false,
            buffer: Buffer { truesize: 2_304, tailroom: 0 },
            at: Time::ZERO,
        };
        held.reorder.insert(ahead, |_| {});
        held.grow_rcvbuf(&sysctl, 14_480);
        assert_eq!(held.rcvbuf, Space::memory_for(RATIO, 2 * 14_480 + 151_000));
    }

    /// A window that the connection has raised already needs not grow, so no segment is acknowledged
    /// for its growth: 16 quick acknowledgements on a joined subflow of Linux 6.18, 21 on the first.
    #[test]
    fn a_larger_clamp_takes_the_window_that_was_advertised() {
        let joined = |advertised| {
            let mut rx = receiver();
            rx.ratio = 128;
            rx.clamp_to_ratio();
            rx.rcv_wnd = advertised;
            rx.ratio = RATIO;
            rx.clamp_to_ratio();
            (rx.rcv_ssthresh, rx.window_clamp)
        };
        assert_eq!(joined(64_384), (65_536, 80_896), "as it was");
        assert_eq!(joined(79_488), (79_488, 80_896));
        assert_eq!(joined(96_896), (80_896, 80_896));
    }

    #[test]
    fn a_buffer_that_the_application_chose_does_not_grow() {
        let mut rx = receiver();
        rx.rcvbuf_locked = true;
        rx.grow_rcvbuf(&Sysctl::default(), 1_000_000);
        assert_eq!(rx.rcvbuf, 131_072);
    }
}
