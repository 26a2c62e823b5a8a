//! A 4-ary heap of keys that knows where each actor's key is.

use super::Actor;
use crate::time::Time;

/// A date and an actor in one number, so that one comparison orders both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u128);

impl Key {
    pub(super) fn new(time: Time, actor: u32) -> Self {
        Self(u128::from(time.as_ps()) << 64 | u128::from(actor))
    }

    pub(super) fn actor(self) -> u32 {
        self.0 as u32
    }
}

/// Children of a node: four keys are one cache line.
const ARITY: usize = 4;

/// The keys that come next, the first on top. Positions are kept in [`Actor::place`].
#[derive(Clone, Default)]
pub(super) struct Near {
    keys: Vec<Key>,
}

impl Near {
    pub(super) fn first(&self) -> Option<Key> {
        self.keys.first().copied()
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
    }

    pub(super) fn push(&mut self, key: Key, actors: &mut [Actor]) {
        let at = self.keys.len();
        self.keys.push(key);
        self.sift_up(at, key, actors);
    }

    /// Gives the entry at `at` an earlier key.
    pub(super) fn advance(&mut self, at: usize, key: Key, actors: &mut [Actor]) {
        self.sift_up(at, key, actors);
    }

    /// Gives the first entry a later key.
    pub(super) fn replace_first(&mut self, key: Key, actors: &mut [Actor]) {
        self.sift_down(key, actors);
    }

    pub(super) fn remove_first(&mut self, actors: &mut [Actor]) {
        if let Some(last) = self.keys.pop()
            && !self.keys.is_empty()
        {
            self.sift_down(last, actors);
        }
    }

    /// Moves `key` from the free position `at` towards the top, to where it belongs.
    fn sift_up(&mut self, mut at: usize, key: Key, actors: &mut [Actor]) {
        while at > 0 {
            let parent = (at - 1) / ARITY;
            let above = self.keys[parent];
            if above <= key {
                break;
            }
            self.put(at, above, actors);
            at = parent;
        }
        self.put(at, key, actors);
    }

    /// Moves `key` from the free top down, to where it belongs.
    fn sift_down(&mut self, key: Key, actors: &mut [Actor]) {
        let mut at = 0;
        while let Some((child, below)) = self.first_child(at)
            && below < key
        {
            self.put(at, below, actors);
            at = child;
        }
        self.put(at, key, actors);
    }

    /// The smallest of the children of `at`, and where it is.
    fn first_child(&self, at: usize) -> Option<(usize, Key)> {
        let start = at * ARITY + 1;
        let (&first, others) = self.keys.get(start..)?.split_first()?;
        let mut smallest = (start, first);
        for (child, &key) in (start + 1..).zip(others.iter().take(ARITY - 1)) {
            if key < smallest.1 {
                smallest = (child, key);
            }
        }
        Some(smallest)
    }

    fn put(&mut self, at: usize, key: Key, actors: &mut [Actor]) {
        self.keys[at] = key;
        actors[key.actor() as usize].place = at as u32;
    }
}
