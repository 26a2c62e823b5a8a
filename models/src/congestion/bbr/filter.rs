//! The largest value of the last rounds, kept as the best three candidates (Linux `lib/win_minmax.c`;
//! K. Nichols' windowed filter).

/// A value and the round it was seen in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    round: u32,
    value: u32,
}

/// The filter: the best, the best after that, and the best after that.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunningMax([Seen; 3]);

impl RunningMax {
    /// The largest value.
    pub(super) const fn get(&self) -> u32 {
        self.0[0].value
    }

    /// Takes a value seen in `round`; values older than `window` rounds are forgotten.
    pub(super) fn update(&mut self, window: u32, round: u32, value: u32) {
        let seen = Seen { round, value };
        let best = &mut self.0;
        if value >= best[0].value || round.wrapping_sub(best[2].round) > window {
            *best = [seen; 3];
            return;
        }
        if value >= best[1].value {
            best[1] = seen;
            best[2] = seen;
        } else if value >= best[2].value {
            best[2] = seen;
        }
        self.age(window, seen);
    }

    /// Moves the candidates up when they get old.
    fn age(&mut self, window: u32, seen: Seen) {
        let best = &mut self.0;
        let age = seen.round.wrapping_sub(best[0].round);
        if age > window {
            *best = [best[1], best[2], seen];
            if seen.round.wrapping_sub(best[0].round) > window {
                *best = [best[1], best[2], seen];
            }
        } else if best[1].round == best[0].round && age > window / 4 {
            best[1] = seen;
            best[2] = seen;
        } else if best[2].round == best[1].round && age > window / 2 {
            best[2] = seen;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_the_window_is_known() {
        let mut max = RunningMax::default();
        max.update(10, 1, 50);
        for round in 2..=11 {
            max.update(10, round, 20 + round);
            assert_eq!(max.get(), 50);
        }
        max.update(10, 12, 25);
        assert!((30..=31).contains(&max.get()), "{}", max.get());
    }
}
