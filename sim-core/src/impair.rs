//! What a link does to packets it has sent: loss, damage, duplication, jitter.
//!
//! All of it happens after the transmission: a lost packet has used its share
//! of the capacity. Each kind has its own random stream, so that switching one
//! on does not move the dice of another.

use thiserror::Error;

use crate::pool::Ticket;
use crate::rng::{Seed, Stream};
use crate::time::Span;
use crate::units::Probability;

/// How packets get lost.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Loss {
    /// Not at all.
    #[default]
    None,
    /// Each one independently.
    Bernoulli {
        /// The probability of loss.
        probability: Probability,
    },
    /// In bursts: a Markov chain of a good and a bad state, which may change at each packet
    /// (E. N. Gilbert, 1960; E. O. Elliott, 1963; letters as in Linux `netem`).
    GilbertElliott {
        /// From good to bad.
        p: Probability,
        /// From bad to good.
        r: Probability,
        /// That a packet survives the bad state.
        h: Probability,
        /// That a packet survives the good state.
        k: Probability,
    },
    /// Exactly these packets, counted from 1 in the order of transmission.
    Listed(Vec<u64>),
}

/// Which packets a loss model looks at; others neither get lost nor count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All.
    #[default]
    All,
    /// Packets with payload.
    Data,
}

/// Random delay on top of the propagation delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jitter {
    /// None.
    #[default]
    None,
    /// Equally distributed.
    Uniform {
        /// From zero to this.
        max: Span,
    },
    /// Bell-shaped: the sum of twelve uniform numbers, cut off at zero.
    Normal {
        /// The mean.
        mean: Span,
        /// The standard deviation.
        deviation: Span,
    },
    /// Exponentially distributed.
    Exponential {
        /// The mean, before the cap.
        mean: Span,
        /// Longer delays are cut to this.
        cap: Span,
    },
}

/// All that goes wrong on a link. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Impairments {
    /// How packets get lost.
    pub loss: Loss,
    /// Which packets can get lost.
    pub loss_of: Filter,
    /// How the delay varies.
    pub jitter: Jitter,
    /// Whether jitter can make packets overtake each other.
    pub reorder: bool,
    /// The probability that a second copy of a packet arrives, with a jitter of its own.
    pub duplicate: Probability,
    /// The probability that a packet is damaged.
    pub corrupt: Probability,
}

/// What is wrong with a loss model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LossError {
    /// A listed packet has number 0.
    #[error("listed packets are counted from 1: there is no packet 0")]
    PacketZero,
}

impl Loss {
    /// Whether the model makes sense.
    ///
    /// # Errors
    /// If packet 0 is listed.
    pub fn check(&self) -> Result<(), LossError> {
        match self {
            Self::Listed(numbers) if numbers.contains(&0) => Err(LossError::PacketZero),
            _ => Ok(()),
        }
    }
}

impl Impairments {
    /// True if nothing goes wrong, so that no dice are needed.
    pub(crate) fn is_none(&self) -> bool {
        self.loss == Loss::None
            && self.jitter == Jitter::None
            && self.duplicate == Probability::ZERO
            && self.corrupt == Probability::ZERO
    }
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost,
    Arrives {
        jitter: Span,
        /// Random bits that say how it is damaged.
        damage: Option<u64>,
        /// The jitter of a second copy.
        copy: Option<Span>,
    },
}

/// Impairments at work.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    config: Impairments,
    /// Packets the loss model has looked at.
    count: u64,
    /// The listed packets, sorted, and how many of them have passed.
    listed: (Vec<u64>, usize),
    in_bad_state: bool,
    loss: Stream,
    jitter: Stream,
    duplication: Stream,
    corruption: Stream,
}

impl Dice {
    /// `name` is that of the link: its streams are called `link.NAME.loss` and so on.
    pub(crate) fn new(config: Impairments, seed: Seed, name: &str) -> Result<Self, LossError> {
        let stream = |kind: &str| Stream::new(seed, &format!("link.{name}.{kind}"));
        let mut dice = Self {
            count: 0,
            listed: (Vec::new(), 0),
            in_bad_state: false,
            loss: stream("loss"),
            jitter: stream("jitter"),
            duplication: stream("duplication"),
            corruption: stream("corruption"),
            config,
        };
        dice.config.loss.check()?;
        dice.list();
        Ok(dice)
    }

    pub(crate) fn reorders(&self) -> bool {
        self.config.reorder
    }

    /// Counts packets that have passed without dice.
    pub(crate) fn skip(&mut self, packets: u64) {
        self.count += packets;
    }

    /// Changes how packets get lost; packets are counted on.
    pub(crate) fn set_loss(&mut self, loss: Loss) {
        self.config.loss = loss;
        self.in_bad_state = false;
        self.list();
    }

    fn list(&mut self) {
        let mut numbers = match &self.config.loss {
            Loss::Listed(numbers) => numbers.clone(),
            _ => Vec::new(),
        };
        numbers.sort_unstable();
        numbers.dedup();
        let passed = numbers.partition_point(|&number| number <= self.count);
        self.listed = (numbers, passed);
    }

    pub(crate) fn throw(&mut self, ticket: &Ticket) -> Fate {
        let counts = self.config.loss_of == Filter::All || ticket.is_data();
        if counts && self.loses() {
            return Fate::Lost;
        }
        let chance = |stream: &mut Stream, probability: Probability| {
            probability != Probability::ZERO && stream.chance(probability)
        };
        let damaged = chance(&mut self.corruption, self.config.corrupt);
        let damage = damaged.then(|| self.corruption.next_u64());
        let jitter = self.draw_jitter();
        let copied = chance(&mut self.duplication, self.config.duplicate);
        let copy = copied.then(|| self.draw_jitter());
        Fate::Arrives { jitter, damage, copy }
    }

    fn loses(&mut self) -> bool {
        self.count += 1;
        match self.config.loss {
            Loss::None => false,
            Loss::Bernoulli { probability } => self.loss.chance(probability),
            Loss::GilbertElliott { p, r, h, k } => {
                let (leave, survive) = if self.in_bad_state { (r, h) } else { (p, k) };
                let lost = !self.loss.chance(survive);
                self.in_bad_state ^= self.loss.chance(leave);
                lost
            }
            Loss::Listed(_) => {
                let (numbers, passed) = &mut self.listed;
                let lost = numbers.get(*passed) == Some(&self.count);
                *passed += usize::from(lost);
                lost
            }
        }
    }

    fn draw_jitter(&mut self) -> Span {
        let stream = &mut self.jitter;
        match self.config.jitter {
            Jitter::None => Span::ZERO,
            Jitter::Uniform { max } => Span::from_ps(stream.below(max.as_ps().saturating_add(1))),
            Jitter::Normal { mean, deviation } => {
                let bell = (0..12).map(|_| stream.uniform()).sum::<f64>() - 6.0;
                let ps = mean.as_ps() as f64 + bell * deviation.as_ps() as f64;
                Span::from_ps(ps as u64)
            }
            Jitter::Exponential { mean, cap } => {
                let ps = stream.exponential(mean.as_ps() as f64);
                Span::from_ps(ps as u64).min(cap)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use crate::test_packet::TestPacket;

    fn dice(config: Impairments) -> Dice {
        Dice::new(config, Seed(1), "test").unwrap()
    }

    fn fates(config: Impairments, count: usize, len: u64) -> Vec<Fate> {
        let ticket = Pool::default().insert(TestPacket::new(1, len), 0);
        let mut dice = dice(config);
        (0..count).map(|_| dice.throw(&ticket)).collect()
    }

    fn losses(loss: Loss, count: usize) -> Vec<usize> {
        let fates = fates(Impairments { loss, ..Impairments::default() }, count, 1_500);
        (0..count).filter(|&index| fates[index] == Fate::Lost).collect()
    }

    fn percent(value: f64) -> Probability {
        Probability::new(value / 100.0).unwrap()
    }

    #[test]
    fn bernoulli_losses_are_as_frequent_as_asked() {
        let count = losses(Loss::Bernoulli { probability: percent(2.0) }, 100_000).len();
        assert!((1_850..2_150).contains(&count), "{count}");
    }

    #[test]
    fn gilbert_elliott_loses_in_bursts() {
        // Stationary share of the bad state p / (p + r) = 1/11, mean burst 1 / r = 10.
        let (p, r) = (percent(1.0), percent(10.0));
        let lost =
            losses(Loss::GilbertElliott { p, r, h: percent(0.0), k: percent(100.0) }, 200_000);
        let share = lost.len() as f64 / 200_000.0;
        assert!((share - 1.0 / 11.0).abs() < 0.006, "{share}");
        let bursts = 1 + lost.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
        let length = lost.len() as f64 / bursts as f64;
        assert!((length - 10.0).abs() < 0.7, "{length}");
    }

    #[test]
    fn listed_packets_are_counted_from_one() {
        assert_eq!(losses(Loss::Listed(vec![5, 1, 3, 3]), 10), [0, 2, 4]);
        assert_eq!(Loss::Listed(vec![1, 0]).check(), Err(LossError::PacketZero));
    }

    #[test]
    fn a_filter_spares_acknowledgements() {
        let loss = Loss::Bernoulli { probability: Probability::ONE };
        let config = Impairments { loss, loss_of: Filter::Data, ..Impairments::default() };
        assert_eq!(fates(config.clone(), 1, 1_500), [Fate::Lost]);
        assert_ne!(fates(config, 1, 40), [Fate::Lost]);
    }

    #[test]
    fn jitter_has_the_asked_mean() {
        let ms = Span::from_ms;
        let mean = |jitter| {
            let fates = fates(Impairments { jitter, ..Impairments::default() }, 50_000, 1_500);
            let spans = fates.iter().map(|fate| match fate {
                Fate::Arrives { jitter, .. } => jitter.as_secs_f64() * 1e3,
                Fate::Lost => 0.0,
            });
            spans.sum::<f64>() / 50_000.0
        };
        assert!((mean(Jitter::Uniform { max: ms(10) }) - 5.0).abs() < 0.1);
        assert!((mean(Jitter::Normal { mean: ms(10), deviation: ms(2) }) - 10.0).abs() < 0.1);
        let wide = Jitter::Exponential { mean: ms(4), cap: Span::MAX };
        assert!((mean(wide) - 4.0).abs() < 0.1);
        assert_eq!(mean(Jitter::Exponential { mean: Span::MAX, cap: ms(1) }).round(), 1.0);
    }

    #[test]
    fn one_impairment_does_not_move_the_dice_of_another() {
        let loss = Loss::Bernoulli { probability: percent(10.0) };
        let plain = Impairments { loss, ..Impairments::default() };
        let full = Impairments {
            jitter: Jitter::Uniform { max: Span::from_ms(1) },
            duplicate: percent(30.0),
            corrupt: percent(30.0),
            ..plain.clone()
        };
        let lost = |config| -> Vec<bool> {
            fates(config, 1_000, 1_500).iter().map(|fate| *fate == Fate::Lost).collect()
        };
        assert_eq!(lost(plain), lost(full));
    }
}
