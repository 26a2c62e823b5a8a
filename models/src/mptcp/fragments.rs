//! The memory that written data stays in until it is acknowledged: fragments of pages, which are sent again
//! as they are (Linux `struct mptcp_data_frag`, `mptcp_sendmsg`).

use std::collections::VecDeque;

use mptcpsim_core::prefetch::prefetch_some;

/// Bytes of a page (`SKB_FRAG_PAGE_ORDER`).
const PAGE: u64 = 32_768;
/// Bytes that a fragment's own description takes of it (`mptcp_carve_data_frag`).
const HEADER: u64 = 40;
/// A page with less left than this behind the header is given up (`mptcp_page_frag_refill`).
const LEAST: u64 = 32;

/// The fragments of what is written and not acknowledged.
#[derive(Clone, Debug, Default)]
pub(super) struct Fragments {
    /// Behind each fragment, as a stream offset.
    ends: VecDeque<u64>,
    /// Bytes left of the page that holds the last one.
    page_left: u64,
}

impl Fragments {
    /// Brings near the first one.
    pub(super) fn prefetch(&self) {
        prefetch_some(self.ends.front());
    }

    /// What lies before `una` is acknowledged.
    pub(super) fn release(&mut self, una: u64) {
        while self.ends.front().is_some_and(|end| *end <= una) {
            self.ends.pop_front();
        }
    }

    /// Behind the fragment that holds offset `at`.
    pub(super) fn end_of(&self, at: u64) -> u64 {
        let index = self.ends.partition_point(|end| *end <= at);
        self.ends.get(index).copied().unwrap_or(u64::MAX)
    }

    /// Bytes that can be written while `used` bytes are below `size`: a fragment at a time, of which the last
    /// one may pass it. If some are `pending`, not yet given to a subflow, they may be joined.
    pub(super) fn room(&self, used: u64, size: u64, pending: bool) -> u64 {
        let first = self.room_of_next(pending);
        let left = size.saturating_sub(used + first);
        first + left.div_ceil(PAGE - HEADER) * (PAGE - HEADER)
    }

    /// `bytes` bytes from offset `at` on are written.
    pub(super) fn append(&mut self, mut at: u64, bytes: u64, mut pending: bool) {
        let end = at + bytes;
        while at < end {
            let room = self.room_of_next(pending);
            let part = room.min(end - at);
            at += part;
            match self.ends.back_mut() {
                Some(last) if pending && self.page_left > 0 => *last = at,
                _ => self.ends.push_back(at),
            }
            self.page_left = room - part;
            pending = true;
        }
    }

    /// Bytes that fit into what the next byte goes into: the last fragment if it is pending and at the end of
    /// what is used of its page (`mptcp_frag_can_collapse_to`), else a new one. A page of which nothing is in
    /// use any more is filled anew (`skb_page_frag_refill`).
    fn room_of_next(&self, pending: bool) -> u64 {
        match self.page_left {
            _ if self.ends.is_empty() => PAGE - HEADER,
            left @ 1.. if pending => left,
            left if left >= HEADER + LEAST => left - HEADER,
            _ => PAGE - HEADER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a writer adds to pending data joins its fragment; behind data that has left it begins another one.
    /// 32688 bytes in two fragments of a page were seen on Linux 6.18.
    #[test]
    fn pages_hold_one_fragment_or_more() {
        let mut fragments = Fragments::default();
        fragments.append(0, 20_000, false);
        fragments.append(20_000, 1_000, true);
        fragments.append(21_000, 40_000, false);
        let ends = [0, 20_999, 21_000, 32_688].map(|at| fragments.end_of(at));
        assert_eq!(ends, [21_000, 21_000, 32_688, 61_000]);
        fragments.release(21_000);
        assert_eq!(fragments.end_of(0), 32_688);
    }

    #[test]
    fn a_page_is_used_again_when_all_of_it_is_acknowledged() {
        let mut fragments = Fragments::default();
        fragments.append(0, 30_000, false);
        assert_eq!(fragments.room(30_000, 40_000, false), 2_688 + 32_728);
        assert_eq!(fragments.room(30_000, 40_000, true), 2_728 + 32_728);
        fragments.release(30_000);
        assert_eq!(fragments.room(0, 40_000, false), 2 * 32_728);
        assert_eq!(fragments.room(0, 32_728, false), 32_728);
    }
}
