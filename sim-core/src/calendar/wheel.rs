//! Buckets of dates: an inner wheel, an outer wheel, and a list for the rest.
//!
//! All lists have numbers in the order of their times: first the buckets of
//! the inner wheel, then those of the outer wheel, then the far list. So one
//! scan of one bitmap finds where time goes on. The inner wheel spans one
//! bucket of the outer wheel; when it is used up, the next bucket of the outer
//! wheel is spread over it.

use super::{Actor, LISTED, NONE};
use crate::prefetch::prefetch;
use crate::time::{Span, Time};

/// Buckets of the outer wheel.
const OUTER: usize = 128;

/// Buckets of the inner wheel for each actor, so that most dates fall into it.
const BUCKETS_PER_ACTOR: usize = 8;

/// Entries a bucket of the inner wheel should hold, as a divisor: one in two buckets.
const BUCKETS_PER_ENTRY: u64 = 4;

/// How many buckets of the inner wheel come up soon.
const SOON: usize = 512;

/// Widths in powers of two: 16 ps to 18 s.
const WIDTHS: std::ops::RangeInclusive<u32> = 4..=42;

#[derive(Clone)]
pub(super) struct Wheel {
    /// The first actor of each list.
    heads: Vec<u32>,
    /// A bit per list: set if it is not empty.
    occupied: Vec<u64>,
    /// Lists before this one are empty.
    cursor: usize,
    /// Lists before this one were foreseen, as far as they had entries then.
    foreseen: usize,
    /// A bucket of the inner wheel is `1 << width_log2` picoseconds wide.
    width_log2: u32,
    /// The inner wheel has `1 << inner_log2` buckets.
    inner_log2: u32,
    inner_start: Time,
    outer_start: Time,
    /// Actors it is laid out for.
    room: usize,
    /// Entries met since bucket `counted_from` of the inner wheel.
    entries: u64,
    counted_from: usize,
}

impl Default for Wheel {
    fn default() -> Self {
        Self {
            heads: Vec::new(),
            occupied: Vec::new(),
            cursor: 0,
            foreseen: 0,
            // Narrow buckets are widened at once when they prove too narrow.
            width_log2: 14,
            inner_log2: 0,
            inner_start: Time::ZERO,
            outer_start: Time::ZERO,
            room: 0,
            entries: 0,
            counted_from: 0,
        }
    }
}

impl Wheel {
    /// Empties it and lays it out for `actors`, from `first` or shortly before on.
    #[cold]
    pub(super) fn reset(&mut self, actors: usize, width_log2: u32, first: Time) {
        self.room = actors.next_power_of_two();
        let inner = self.room * BUCKETS_PER_ACTOR;
        let lists = inner + OUTER + 1;
        self.heads.clear();
        self.heads.resize(lists, NONE);
        self.occupied.clear();
        self.occupied.resize(lists.div_ceil(64), 0);
        self.width_log2 = width_log2;
        self.inner_log2 = inner.trailing_zeros();
        self.restart(first);
    }

    /// Both wheels begin at `first` or shortly before.
    fn restart(&mut self, first: Time) {
        self.outer_start = Time::from_ps(first.as_ps() >> self.width_log2 << self.width_log2);
        self.inner_start = self.outer_start;
        self.cursor = 0;
        self.foreseen = 0;
        self.counted_from = 0;
        self.entries = 0;
    }

    pub(super) const fn room(&self) -> usize {
        self.room
    }

    pub(super) fn width_log2(&self) -> u32 {
        self.width_log2
    }

    pub(super) fn start(&self) -> Time {
        self.inner_start
    }

    pub(super) fn head(&self, list: usize) -> u32 {
        self.heads[list]
    }

    fn inner(&self) -> usize {
        1 << self.inner_log2
    }

    fn outer_width_log2(&self) -> u32 {
        self.width_log2 + self.inner_log2
    }

    /// The list for a date that is not before the start of the inner wheel.
    pub(super) fn list_for(&self, key: Time) -> usize {
        let bucket = (key - self.inner_start).as_ps() >> self.width_log2;
        if bucket < self.inner() as u64 {
            return bucket as usize;
        }
        let bucket = (key - self.outer_start).as_ps() >> self.outer_width_log2();
        self.inner() + bucket.min(OUTER as u64) as usize
    }

    /// Brings near the list for a date.
    #[inline]
    pub(super) fn bring_near(&self, key: Time) {
        prefetch(&self.heads[self.list_for(key)]);
    }

    pub(super) fn link(&mut self, actors: &mut [Actor], actor: u32, list: usize) {
        let next = std::mem::replace(&mut self.heads[list], actor);
        self.occupied[list / 64] |= 1 << (list % 64);
        let entry = &mut actors[actor as usize];
        entry.place = LISTED | list as u32;
        entry.prev = NONE;
        entry.next = next;
        if next != NONE {
            actors[next as usize].prev = actor;
        }
    }

    pub(super) fn unlink(&mut self, actors: &mut [Actor], actor: u32) {
        let Actor { place, prev, next, .. } = actors[actor as usize];
        if next != NONE {
            actors[next as usize].prev = prev;
        }
        if prev != NONE {
            actors[prev as usize].next = next;
            return;
        }
        let list = (place & !LISTED) as usize;
        self.heads[list] = next;
        if next == NONE {
            self.occupied[list / 64] &= !(1 << (list % 64));
        }
    }

    /// Empties a list and gives its first actor.
    pub(super) fn take(&mut self, list: usize) -> u32 {
        self.occupied[list / 64] &= !(1 << (list % 64));
        std::mem::replace(&mut self.heads[list], NONE)
    }

    /// The first list that is not empty.
    pub(super) fn next_occupied(&self) -> Option<usize> {
        self.occupied_from(self.cursor)
    }

    /// The first actor of the next of the lists that come up soon. Each is asked for once.
    #[inline]
    pub(super) fn foresee(&mut self) -> Option<u32> {
        let soon = (self.cursor + SOON).min(self.inner());
        let list = self.occupied_from(self.foreseen.max(self.cursor + 1))?;
        if list >= soon {
            self.foreseen = soon;
            return None;
        }
        self.foreseen = list + 1;
        Some(self.heads[list])
    }

    /// The place of those in the list that was asked for last.
    #[inline]
    pub(super) fn place_foreseen(&self) -> u32 {
        LISTED | (self.foreseen as u32).wrapping_sub(1)
    }

    fn occupied_from(&self, list: usize) -> Option<usize> {
        let mut word = list / 64;
        let mut bits = self.occupied.get(word)? & (!0 << (list % 64));
        while bits == 0 {
            word += 1;
            bits = *self.occupied.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    /// True for a bucket of the inner wheel.
    pub(super) fn is_bucket(&self, list: usize) -> bool {
        list < self.inner()
    }

    /// Moves on to a bucket of the inner wheel and says where it starts.
    pub(super) fn move_to(&mut self, bucket: usize) -> Time {
        if bucket != self.cursor {
            self.cursor = bucket;
            self.entries += 1;
        }
        self.inner_start + Span::from_ps((bucket as u64) << self.width_log2)
    }

    /// Counts the entries of a crowded bucket; true if it is time to look at the width.
    pub(super) fn count(&mut self, entries: usize) -> bool {
        self.entries += entries as u64;
        self.entries > self.room as u64
    }

    /// The width that would have suited the buckets up to list `end`, if that is much different.
    #[cold]
    pub(super) fn better_width(&mut self, end: usize) -> Option<u32> {
        let entries = std::mem::take(&mut self.entries).max(1);
        let counted_from = std::mem::replace(&mut self.counted_from, end);
        let passed = end.min(self.inner()).saturating_sub(counted_from) as u64;
        let wanted = (passed / BUCKETS_PER_ENTRY).max(1);
        let width_log2 = if entries > wanted {
            self.width_log2.saturating_sub((entries / wanted).ilog2())
        } else {
            self.width_log2 + (wanted / entries).ilog2()
        };
        let width_log2 = width_log2.clamp(*WIDTHS.start(), *WIDTHS.end());
        (width_log2.abs_diff(self.width_log2) >= 2).then_some(width_log2)
    }

    /// Lays the inner wheel over a bucket of the outer wheel, or both wheels over what begins at
    /// `first`; gives the new start. The contents of `list` are to be filed anew.
    pub(super) fn turn_to(&mut self, list: usize, first: Time) -> Time {
        let bucket = list - self.inner();
        if bucket < OUTER {
            let offset = Span::from_ps((bucket as u64) << self.outer_width_log2());
            self.inner_start = self.outer_start + offset;
            self.cursor = 0;
            self.foreseen = 0;
            self.counted_from = 0;
        } else {
            self.restart(first);
        }
        self.inner_start
    }
}
