//! Which subflows something has happened to.

/// The subflows that something has happened to since they were last looked at, so that a segment
/// costs a look at its own subflow and not at all. The last bit stands for all from the 64th on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Touched {
    /// Since any of those below was asked.
    lately: u64,
    /// Before that: `Connection::views` is older.
    view: u64,
    /// `Connection::dues` is older.
    due: u64,
}

impl Touched {
    const fn bit(index: usize) -> u64 {
        if index < 63 { 1 << index } else { 1 << 63 }
    }

    pub(super) const fn mark(&mut self, index: usize) {
        self.lately |= Self::bit(index);
    }

    pub(super) const fn mark_all(&mut self) {
        self.lately = u64::MAX;
    }

    pub(super) const fn dues_hold(&self) -> bool {
        self.due | self.lately == 0
    }

    pub(super) const fn take_views(&mut self) -> Marked {
        self.spread();
        Marked::of(std::mem::replace(&mut self.view, 0))
    }

    pub(super) const fn take_dues(&mut self) -> Marked {
        self.spread();
        Marked::of(std::mem::replace(&mut self.due, 0))
    }

    const fn spread(&mut self) {
        self.view |= self.lately;
        self.due |= self.lately;
        self.lately = 0;
    }
}

/// The subflows of some marks, one after the other; all if the last bit is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marked {
    bits: u64,
    next: usize,
}

impl Marked {
    const fn of(bits: u64) -> Self {
        Self { bits, next: 0 }
    }

    const fn is_all(self) -> bool {
        self.bits >> 63 != 0
    }

    /// The next of `count` subflows.
    pub(super) const fn next(&mut self, count: usize) -> Option<usize> {
        let index = if self.is_all() {
            self.next += 1;
            self.next - 1
        } else {
            if self.bits == 0 {
                return None;
            }
            let index = self.bits.trailing_zeros() as usize;
            self.bits &= self.bits - 1;
            index
        };
        if index < count { Some(index) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut marked: Marked, count: usize) -> Vec<usize> {
        // One more than there can be, so that what never ends is seen.
        (0..=count).map_while(|_| marked.next(count)).collect()
    }

    #[test]
    fn marks_are_told_once_to_each_who_asks() {
        let mut touched = Touched::default();
        [5, 0, 62].into_iter().for_each(|index| touched.mark(index));
        assert!(!touched.dues_hold());
        assert_eq!(all(touched.take_dues(), 100), [0, 5, 62]);
        assert!(touched.dues_hold());
        assert_eq!(all(touched.take_views(), 6), [0, 5]);
        assert!(all(touched.take_views(), 6).is_empty());
    }

    #[test]
    fn one_mark_stands_for_all_from_the_64th_on() {
        let mut touched = Touched::default();
        assert!(all(touched.take_dues(), 70).is_empty());
        touched.mark(66);
        let every: Vec<usize> = (0..70).collect();
        assert_eq!(all(touched.take_dues(), 70), every);
        assert!(all(touched.take_dues(), 70).is_empty());
    }
}
