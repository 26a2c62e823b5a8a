//! Kernel time: timer ticks and the timer wheel.
//!
//! Linux' timers count ticks of 1/HZ s. A timer never fires early, so the wheel
//! rounds its expiry up by a tick, and by more the farther away it is: from 63
//! ticks on to eights, from 504 on to sixty-fours (`calc_wheel_index` in
//! `kernel/time/timer.c`). At HZ = 250 a SYN timeout of 1 s therefore takes
//! 1.00 to 1.03 s, which packet traces show.

use mptcpsim_core::time::{Span, Time};

/// Ticks of each level of the wheel, as a power of two.
const LEVEL_SHIFT: u32 = 3;
/// Ticks away from which the first coarser level serves.
const LEVEL_SIZE: u64 = 63;
const LEVELS: u32 = 9;

/// When a kernel timer set at `now` to run out after `delay` fires.
pub fn timer_expiry(now: Time, delay: Span, tick: Span) -> Time {
    let ticks = delay.as_ps().div_ceil(tick.as_ps());
    let expires = (now.as_ps() / tick.as_ps()).saturating_add(ticks);
    let level = (0..LEVELS).find(|level| ticks < LEVEL_SIZE << (LEVEL_SHIFT * level));
    let shift = LEVEL_SHIFT * level.unwrap_or(LEVELS - 1);
    let bucket = ((expires >> shift) + 1) << shift;
    Time::from_ps(bucket.saturating_mul(tick.as_ps()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Span = Span::from_ms(4);

    #[test]
    fn near_timers_fire_at_the_tick_after() {
        let now = Time::ZERO + Span::from_ms(10);
        assert_eq!(timer_expiry(now, Span::from_ms(200), TICK), Time::ZERO + Span::from_ms(212));
        assert_eq!(timer_expiry(now, Span::from_us(1), TICK), Time::ZERO + Span::from_ms(16));
    }

    #[test]
    fn far_timers_fire_in_coarse_steps() {
        let after = |ms| timer_expiry(Time::ZERO, Span::from_ms(ms), TICK).as_ms();
        assert_eq!(after(1_000), 1_024);
        assert_eq!(after(3_000), 3_072);
    }

    #[test]
    fn a_timer_never_fires_early() {
        for ms in [1, 5, 40, 200, 251, 999, 2_016, 60_000, 120_000] {
            for start in [0, 1, 3, 4, 777] {
                let now = Time::ZERO + Span::from_ms(start);
                assert!(timer_expiry(now, Span::from_ms(ms), TICK) >= now + Span::from_ms(ms));
            }
        }
    }
}
