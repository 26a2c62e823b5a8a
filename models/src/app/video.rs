//! Adaptive video over HTTP (DASH): the player fetches segment after segment and chooses how good
//! the next one is to be.
//!
//! A video has the same segments in several qualities. The player asks for one, plays what is in
//! its buffer meanwhile, and stalls when the buffer is empty. Two rules of choice:
//!
//! * throughput: the best quality whose bit rate is below a part of what the last segments came
//!   with, as the harmonic mean (J. Jiang, V. Sekar and H. Zhang, "FESTIVE", CoNEXT 2012);
//! * buffer: a map from what is in the buffer to a quality (T.-Y. Huang et al., "A buffer-based
//!   approach to rate adaptation", SIGCOMM 2014, BBA-0).
//!
//! The size of an answer is told to the server as the size of the request: a byte asks for a unit.

use std::sync::Arc;

use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::{Bytes, Rate};

use super::{App, Exchange, Role};
use crate::mptcp::{Connection, Env};

/// Segments over which the throughput is averaged.
const HISTORY: usize = 5;
/// The part of the throughput that a quality may take: FESTIVE's 0.85.
const SAFETY_PERCENT: u64 = 85;

/// A video and how it is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Video {
    /// The bit rates it exists in, the lowest first; not empty.
    pub bitrates: Arc<[Rate]>,
    /// How long a segment plays.
    pub segment: Span,
    /// How many segments there are.
    pub segments: u32,
    /// No segment is asked for while there is more than this in the buffer.
    pub buffer: Span,
    /// Playing begins, and begins again after a stall, with this much in the buffer.
    pub startup: Span,
    /// How the quality of a segment is chosen.
    pub rule: Adaptation,
}

/// How the quality of a segment is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adaptation {
    /// By the throughput of the last segments.
    #[default]
    Throughput,
    /// By what is in the buffer.
    Buffer,
}

/// What the viewer saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Viewing {
    /// From the start of the application to the first picture.
    pub startup: Option<Span>,
    /// How often playing stopped for want of data, and for how long altogether.
    pub stalls: u32,
    /// See there.
    pub stalled: Span,
    /// Segments that were fetched.
    pub segments: u32,
    /// The sum of their bit rates in bit/s: over `segments` the mean.
    pub bitrates: u64,
    /// How often a segment had another quality than the one before.
    pub switches: u32,
}

impl Viewing {
    /// The mean bit rate of the segments that were fetched.
    pub fn mean_bitrate(&self) -> Option<Rate> {
        self.bitrates.checked_div(u64::from(self.segments)).map(Rate::from_bps)
    }
}

/// The player.
#[derive(Clone, Debug)]
pub(super) struct Player {
    video: Video,
    viewing: Viewing,
    /// The segment that is being fetched: its quality, its bytes, and the bytes up to its end.
    quality: usize,
    bytes: u64,
    end: u64,
    /// What is in the buffer at `at`, and whether it is played.
    buffered: Span,
    at: Time,
    playing: bool,
    /// When playing stopped.
    stalled_from: Option<Time>,
    /// Bytes and time of the last segments.
    history: [Option<(u64, Span)>; HISTORY],
}

/// Bytes that a byte of a request asks for.
pub const UNIT: Bytes = Bytes::new(1_000);

impl Player {
    pub(super) fn new(video: Video, now: Time) -> Self {
        Self {
            video,
            viewing: Viewing::default(),
            quality: 0,
            bytes: 0,
            end: 0,
            buffered: Span::ZERO,
            at: now,
            playing: false,
            stalled_from: None,
            history: [None; HISTORY],
        }
    }

    /// Plays until `now`.
    fn play(&mut self, now: Time) {
        let passed = now - self.at;
        if self.playing {
            if passed > self.buffered && !self.is_over() {
                self.viewing.stalls += 1;
                self.stalled_from = Some(self.at + self.buffered);
                self.playing = false;
            }
            self.buffered = self.buffered - passed;
        }
        self.at = now;
    }

    fn is_over(&self) -> bool {
        self.viewing.segments >= self.video.segments
    }

    /// The segment is there, `took` after it was asked for.
    fn fetched(&mut self, now: Time, took: Span, started: Time) {
        self.play(now);
        self.history.rotate_right(1);
        self.history[0] = Some((self.bytes, took));
        self.buffered += self.video.segment;
        self.viewing.segments += 1;
        self.viewing.bitrates += self.video.bitrates[self.quality].as_bps();
        if !self.playing && (self.buffered >= self.video.startup || self.is_over()) {
            self.playing = true;
            if let Some(from) = self.stalled_from.take() {
                self.viewing.stalled += now - from;
            }
            self.viewing.startup = self.viewing.startup.or(Some(now - started));
        }
    }

    /// When the next segment may be asked for.
    fn room_at(&self) -> Time {
        match self.buffered - self.video.buffer {
            Span::ZERO => self.at,
            excess if self.playing => self.at + excess,
            _ => self.at,
        }
    }

    /// The quality of the next segment.
    fn choose(&self) -> usize {
        let highest = self.video.bitrates.len() - 1;
        match self.video.rule {
            Adaptation::Throughput => self.by_throughput().min(highest),
            Adaptation::Buffer => self.by_buffer(highest),
        }
    }

    fn by_throughput(&self) -> usize {
        // For segments of the same size this is the harmonic mean of their rates.
        let past = self.history.iter().flatten();
        let (bytes, took) =
            past.fold((0, Span::ZERO), |(b, t), (bytes, took)| (b + bytes, t + *took));
        let bps = (u128::from(bytes) * 8 * 1_000_000_000_000)
            .checked_div(u128::from(took.as_ps()))
            .unwrap_or(0);
        let allowed = bps * u128::from(SAFETY_PERCENT) / 100;
        let fits = self.video.bitrates.iter().filter(|rate| u128::from(rate.as_bps()) <= allowed);
        fits.count().saturating_sub(1)
    }

    /// BBA-0: the lowest quality below the reservoir, the highest above nine tenths of the buffer,
    /// in proportion between.
    fn by_buffer(&self, highest: usize) -> usize {
        let (full, have) = (self.video.buffer.as_ps(), self.buffered.as_ps());
        let (reservoir, cushion) = (full / 10 * 3, full / 10 * 9);
        if have <= reservoir || cushion <= reservoir {
            return 0;
        }
        let part = u128::from(have.min(cushion) - reservoir) * highest as u128;
        (part / u128::from(cushion - reservoir)) as usize
    }

    /// Bytes of all requests so far.
    const fn asked(&self) -> u64 {
        self.end / UNIT.get()
    }

    /// A segment of the chosen quality is fetched now.
    fn ask(&mut self, quality: usize) {
        if self.viewing.segments > 0 && quality != self.quality {
            self.viewing.switches += 1;
        }
        self.quality = quality;
        let bits = u128::from(self.video.bitrates[quality].as_bps())
            * u128::from(self.video.segment.as_ps())
            / 1_000_000_000_000;
        let units = (bits as u64).div_ceil(8 * UNIT.get()).max(1);
        self.bytes = units * UNIT.get();
        self.end += self.bytes;
    }
}

impl App {
    /// What the viewer saw, if this plays a video.
    pub const fn viewing(&self) -> Option<&Viewing> {
        match &self.role {
            Role::Play { player, .. } => Some(&player.viewing),
            _ => None,
        }
    }

    #[inline(never)]
    pub(super) fn progress_video(
        &mut self,
        connection: &mut Connection,
        env: &mut Env<'_>,
    ) -> bool {
        let Role::Play { ref mut player, ref mut next } = self.role else { return false };
        let bytes = self.ledger.bytes();
        let asked = player.asked();
        if self.sent < asked {
            return self.write_to(asked, connection, env);
        }
        if let Some(last) = self.exchanges.last_mut() {
            let waiting = last.answered_at.is_none();
            last.note(env.now, bytes > player.end - player.bytes, bytes >= player.end);
            match last.answered_at {
                None => return false,
                Some(at) if waiting => {
                    player.fetched(env.now, at - last.asked_at, self.ledger.started_at());
                }
                Some(_) => player.play(env.now),
            }
        }
        if player.is_over() {
            return self.close(connection, env);
        }
        *next = player.room_at();
        if env.now < *next {
            return false;
        }
        let quality = player.choose();
        player.ask(quality);
        let end = player.asked();
        self.exchanges.push(Exchange::asked(env.now));
        self.write_to(end, connection, env)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::from_ms(ms)
    }

    fn player(rule: Adaptation) -> Player {
        let bitrates = [1, 2, 4].map(|mbit| Rate::from_bps(mbit * 1_000_000)).into();
        let video = Video {
            bitrates,
            segment: Span::from_secs(2),
            segments: 10,
            buffer: Span::from_secs(10),
            startup: Span::from_secs(2),
            rule,
        };
        Player::new(video, Time::ZERO)
    }

    #[test]
    fn a_segment_has_the_bytes_of_its_quality() {
        let mut player = player(Adaptation::Throughput);
        player.ask(0);
        assert_eq!(player.asked(), 250);
        assert_eq!((player.bytes, player.end), (250_000, 250_000));
        player.ask(2);
        assert_eq!(player.asked(), 250 + 1_000);
        assert_eq!((player.bytes, player.end), (1_000_000, 1_250_000));
    }

    #[test]
    fn playing_waits_for_the_first_segment_and_stalls_when_the_next_is_late() {
        let mut player = player(Adaptation::Throughput);
        player.ask(0);
        player.fetched(at(500), Span::from_ms(500), Time::ZERO);
        assert_eq!(player.viewing.startup, Some(Span::from_ms(500)));
        player.ask(0);
        // Two seconds are in the buffer; the next segment comes a second too late.
        player.fetched(at(3_500), Span::from_ms(3_000), Time::ZERO);
        assert_eq!((player.viewing.stalls, player.viewing.stalled), (1, Span::from_secs(1)));
        assert!(player.playing);
        assert_eq!(player.viewing.mean_bitrate(), Some(Rate::from_bps(1_000_000)));
    }

    #[test]
    fn throughput_chooses_what_fits_into_85_percent_of_it() {
        let mut player = player(Adaptation::Throughput);
        assert_eq!(player.choose(), 0);
        player.ask(0);
        // 250 kB in 0.8 s are 2.5 Mbit/s.
        player.fetched(at(800), Span::from_ms(800), Time::ZERO);
        assert_eq!(player.choose(), 1);
        player.ask(1);
        assert_eq!(player.viewing.switches, 1);
    }

    #[test]
    fn the_buffer_chooses_between_reservoir_and_cushion() {
        let mut player = player(Adaptation::Buffer);
        for (buffered, quality) in [(0, 0), (3, 0), (6, 1), (9, 2), (12, 2)] {
            player.buffered = Span::from_secs(buffered);
            assert_eq!(player.choose(), quality, "{buffered}");
        }
    }

    #[test]
    fn a_full_buffer_is_played_down_first() {
        let mut player = player(Adaptation::Buffer);
        player.at = at(1_000);
        player.buffered = Span::from_secs(11);
        player.playing = true;
        assert_eq!(player.room_at(), at(2_000));
    }
}
