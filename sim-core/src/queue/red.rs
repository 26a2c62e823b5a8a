//! Random early detection.
//!
//! S. Floyd and V. Jacobson, "Random Early Detection Gateways for Congestion
//! Avoidance", IEEE/ACM ToN 1993: a moving average of the backlog decides with
//! which probability an arrival is dropped or marked; drops are spread evenly
//! by the count since the last one. With `gentle` (S. Floyd, 2000) the
//! probability rises from its maximum to one between the maximum threshold and
//! twice that. Marks instead of drops as RFC 3168 section 7 has them: not above
//! the maximum threshold.

use super::{Arrival, Discipline, Limit, QueueError, Verdict};
use crate::rng::Stream;
use crate::time::Span;
use crate::trace::Cause;
use crate::units::{Bytes, Probability, Rate};

/// The parameters of RED.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RedConfig {
    /// Below this average backlog nothing is dropped early.
    pub min: Limit,
    /// At this average backlog the probability reaches `max_probability`; in the same measure.
    pub max: Limit,
    /// The largest backlog.
    pub limit: Limit,
    /// The probability of an early drop as the average reaches `max`.
    pub max_probability: Probability,
    /// The weight of the newest sample in the average, 0.002 in the paper.
    pub weight: f64,
    /// Raise the probability gradually above `max` instead of dropping all.
    pub gentle: bool,
    /// Mark ECN-capable packets where others are dropped early.
    pub ecn: bool,
    /// The size of a typical packet: with thresholds in bytes, larger ones are dropped more often;
    /// and idle time counts as so many of them.
    pub mean_packet: Bytes,
}

impl RedConfig {
    fn check(&self) -> Result<(), QueueError> {
        let same = matches!(
            (self.min, self.max),
            (Limit::Packets(_), Limit::Packets(_)) | (Limit::Bytes(_), Limit::Bytes(_))
        );
        match self {
            _ if !same => Err(QueueError::MixedThresholds),
            _ if self.min.count() >= self.max.count() => Err(QueueError::Thresholds),
            _ if !(self.weight > 0.0 && self.weight <= 1.0) => Err(QueueError::Weight(self.weight)),
            _ if self.max_probability == Probability::ZERO => Err(QueueError::NeverDrops),
            _ if self.mean_packet == Bytes::ZERO => Err(QueueError::MeanPacket),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Red {
    config: RedConfig,
    stream: Stream,
    /// The time a typical packet takes.
    packet_time: Span,
    average: f64,
    /// Packets since the last early drop; `None` below the minimum threshold.
    since_drop: Option<u64>,
}

impl Red {
    pub(super) fn new(
        config: RedConfig,
        rate: Option<Rate>,
        stream: Stream,
    ) -> Result<Self, QueueError> {
        config.check()?;
        let mut red =
            Self { config, stream, packet_time: Span::ZERO, average: 0.0, since_drop: None };
        red.set_rate(rate);
        Ok(red)
    }

    pub(super) fn set_limit(&mut self, limit: Limit) {
        self.config.limit = limit;
    }

    pub(super) fn set_rate(&mut self, rate: Option<Rate>) {
        self.packet_time = rate.map_or(Span::ZERO, |rate| rate.time_for(self.config.mean_packet));
    }

    fn update_average(&mut self, arrival: &Arrival) {
        if let Some(since) = arrival.idle_since {
            // As if small packets had arrived all the time and found the queue empty.
            let idle = arrival.now - since;
            let packets = idle.as_ps() as f64 / self.packet_time.as_ps().max(1) as f64;
            self.average *= libm::pow(1.0 - self.config.weight, packets);
        }
        let backlog = self.config.min.measure(arrival.backlog) as f64;
        self.average += self.config.weight * (backlog - self.average);
    }

    /// The probability of an early drop by the average alone; `None` if nothing is to be dropped.
    fn early_probability(&self) -> Option<f64> {
        let (min, max) = (self.config.min.count() as f64, self.config.max.count() as f64);
        let most = self.config.max_probability.get();
        if self.average < min {
            None
        } else if self.average < max {
            Some(most * (self.average - min) / (max - min))
        } else if self.config.gentle && self.average < 2.0 * max {
            Some(most + (1.0 - most) * (self.average - max) / max)
        } else {
            Some(1.0)
        }
    }

    /// Throws the dice for an arrival in the range of early drops.
    fn drops_early(&mut self, probability: f64, len: Bytes) -> bool {
        if probability >= 1.0 {
            self.since_drop = Some(0);
            return true;
        }
        let count = self.since_drop.map_or(0, |count| count + 1);
        let size = match self.config.min {
            Limit::Packets(_) => 1.0,
            Limit::Bytes(_) => len.get() as f64 / self.config.mean_packet.get() as f64,
        };
        let share = probability * size;
        let spread = 1.0 - count as f64 * share;
        let drop = spread <= 0.0 || self.stream.uniform() < share / spread;
        self.since_drop = Some(if drop { 0 } else { count });
        drop
    }
}

impl Discipline for Red {
    #[inline(never)]
    fn admit(&mut self, arrival: &Arrival, mark: impl FnOnce() -> bool) -> Verdict {
        self.update_average(arrival);
        if !self.config.limit.admits(arrival.backlog, arrival.len) {
            self.since_drop = Some(0);
            return Verdict::Drop(Cause::Queue);
        }
        let Some(probability) = self.early_probability() else {
            self.since_drop = None;
            return Verdict::Pass;
        };
        if !self.drops_early(probability, arrival.len) {
            return Verdict::Pass;
        }
        let markable = self.config.ecn && self.average < self.config.max.count() as f64;
        if markable && mark() { Verdict::Marked } else { Verdict::Drop(Cause::Aqm) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Backlog;
    use super::*;
    use crate::rng::Seed;
    use crate::time::Time;

    fn config() -> RedConfig {
        RedConfig {
            min: Limit::Packets(5),
            max: Limit::Packets(15),
            limit: Limit::Packets(100),
            max_probability: Probability::new(0.1).unwrap(),
            weight: 1.0,
            gentle: true,
            ecn: false,
            mean_packet: Bytes::new(1_000),
        }
    }

    fn red(config: RedConfig) -> Red {
        let rate = Some(Rate::from_bps(8_000_000));
        Red::new(config, rate, Stream::new(Seed(1), "red")).unwrap()
    }

    fn arrival(packets: u64) -> Arrival {
        let backlog = Backlog { packets, bytes: Bytes::new(packets * 1_000) };
        Arrival { now: Time::ZERO, len: Bytes::new(1_000), backlog, idle_since: None }
    }

    /// The share of drops at a constant average.
    fn share(red: &mut Red, packets: u64) -> f64 {
        let dropped = |verdict| matches!(verdict, Verdict::Drop(Cause::Aqm));
        let drops = (0..20_000).filter(|_| dropped(red.admit(&arrival(packets), || true))).count();
        drops as f64 / 20_000.0
    }

    /// As the paper's pseudo-code counts, gaps are uniform in 1..1/p, so their mean is 1/(2 p).
    #[test]
    fn the_share_of_drops_follows_the_average() {
        let mut red = red(config());
        let expected = |p: f64| 2.0 * p;
        assert_eq!(share(&mut red, 4), 0.0);
        assert!((share(&mut red, 10) - expected(0.05)).abs() < 0.005);
        assert!((share(&mut red, 14) - expected(0.09)).abs() < 0.01);
        assert!(share(&mut red, 22) > 0.6);
        assert_eq!(share(&mut red, 30), 1.0);
        red.config.gentle = false;
        assert_eq!(share(&mut red, 15), 1.0);
    }

    #[test]
    fn marks_replace_drops_below_the_maximum_only() {
        let mut red = red(RedConfig { ecn: true, ..config() });
        let verdicts = |red: &mut Red, packets, capable| -> Vec<Verdict> {
            (0..1_000).map(|_| red.admit(&arrival(packets), || capable)).collect()
        };
        let marking = verdicts(&mut red, 12, true);
        assert!(marking.contains(&Verdict::Marked));
        assert!(!marking.contains(&Verdict::Drop(Cause::Aqm)));
        assert!(verdicts(&mut red, 12, false).contains(&Verdict::Drop(Cause::Aqm)));
        assert!(!verdicts(&mut red, 20, true).contains(&Verdict::Marked));
    }

    #[test]
    fn larger_packets_are_dropped_more_often_by_bytes() {
        let bytes = |kilobytes: u64| Limit::Bytes(Bytes::new(kilobytes * 1_000));
        let mut red = red(RedConfig { min: bytes(5), max: bytes(15), ..config() });
        let mut share = |len| {
            let arrival = Arrival { len: Bytes::new(len), ..arrival(10) };
            (0..20_000).filter(|_| red.admit(&arrival, || false) != Verdict::Pass).count()
        };
        assert!(share(1_000) > 15 * share(50));
    }

    #[test]
    fn the_average_decays_while_the_link_is_idle() {
        let mut red = red(RedConfig { weight: 0.002, ..config() });
        red.average = 10.0;
        // 500 ms at 1 ms a packet.
        let now = Time::ZERO + Span::from_ms(600);
        let idle_since = Some(Time::ZERO + Span::from_ms(100));
        red.update_average(&Arrival { now, idle_since, ..arrival(0) });
        let expected = 10.0 * libm::pow(0.998, 501.0);
        assert!((red.average - expected).abs() < 1e-9);
    }

    #[test]
    fn nonsense_is_refused() {
        let error = |config| Red::new(config, None, Stream::new(Seed(1), "red")).err();
        let ok = config();
        assert_eq!(error(ok), None);
        let bytes = Limit::Bytes(Bytes::new(9));
        assert_eq!(error(RedConfig { min: bytes, ..ok }), Some(QueueError::MixedThresholds));
        assert_eq!(error(RedConfig { min: ok.max, ..ok }), Some(QueueError::Thresholds));
        for weight in [0.0, -1.0, 1.1, f64::INFINITY] {
            assert_eq!(error(RedConfig { weight, ..ok }), Some(QueueError::Weight(weight)));
        }
        assert!(matches!(error(RedConfig { weight: f64::NAN, ..ok }), Some(QueueError::Weight(_))));
        let never = RedConfig { max_probability: Probability::ZERO, ..ok };
        assert_eq!(error(never), Some(QueueError::NeverDrops));
        assert_eq!(
            error(RedConfig { mean_packet: Bytes::ZERO, ..ok }),
            Some(QueueError::MeanPacket)
        );
    }
}
