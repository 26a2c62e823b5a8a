//! When small segments wait: Nagle's algorithm (RFC 896) with Minshall's change, TCP_NODELAY and
//! TCP_CORK (Linux `tcp_nagle_test`, `tcp_sock_set_nodelay`, `tcp_sock_set_cork`).

use super::{Cx, Subflow, Wants};

/// What the application asked for (`nonagle` of `struct tcp_sock`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nagle {
    /// Send small segments at once: `TCP_NODELAY`.
    pub off: bool,
    /// Send no small segment at all: `TCP_CORK`.
    pub cork: bool,
    /// More is about to be written: `MSG_MORE`.
    more: bool,
    /// What is queued now may leave whatever its size.
    push: bool,
}

impl Nagle {
    /// With `TCP_NODELAY` set or not.
    pub const fn with_nodelay(off: bool) -> Self {
        Self { off, cork: false, more: false, push: false }
    }
}

impl Subflow {
    /// Sends every segment at once however small, or not (`TCP_NODELAY`).
    pub fn set_nodelay(&mut self, nodelay: bool) {
        self.nagle.off = nodelay;
        if nodelay {
            self.push_small();
        }
    }

    /// Holds small segments back until this is taken back (`TCP_CORK`).
    pub fn set_cork(&mut self, cork: bool) {
        self.nagle.cork = cork;
        if !cork {
            self.nagle.push |= self.nagle.off;
            self.wants.set(Wants::PUSH);
        }
    }

    /// More is about to be written, or not (`MSG_MORE`).
    pub fn expect_more(&mut self, more: bool) {
        self.nagle.more = more;
    }

    fn push_small(&mut self) {
        self.nagle.push = true;
        self.wants.set(Wants::PUSH);
    }

    /// More was queued: it is judged by itself.
    pub(super) fn nagle_queued(&mut self) {
        self.nagle.push = false;
    }

    /// True if a small segment at the end of the queue has to wait.
    pub(super) fn nagle_holds(&self, cx: &Cx<'_>) -> bool {
        let w = cx.window();
        let small_one_out = w.packets_out > 0 && self.small_sent.after(w.snd_una);
        let waits = self.nagle.cork || self.nagle.more || (!self.nagle.off && small_one_out);
        waits && !self.nagle.push && !self.fin_queued
    }
}
