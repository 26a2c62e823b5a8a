//! Queues with their limits worked out: a bandwidth-delay product becomes a number of packets.

use mptcpsim_core::queue::{CodelConfig, FqCodelConfig, Limit as Room, QueueConfig, RedConfig};
use mptcpsim_core::time::Span;
use mptcpsim_core::units::{Bytes, Probability, Rate};

use super::Report;
use super::key::KeyPath;
use super::links::Side;
use crate::scenario::{Limit, Queue};

/// The packet that a bandwidth-delay product is counted in.
const FULL_PACKET: Bytes = Bytes::new(1_500);
/// A queue that holds less cannot keep a window of ten going.
const FEWEST_PACKETS: f64 = 4.0;
/// More packets than fit into memory.
const MOST_PACKETS: u64 = 100_000_000;

/// What a multiple of the bandwidth-delay product refers to.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub(super) rate: Rate,
    pub(super) round_trip: Span,
}

/// The queue of one direction of a link.
pub(super) fn resolve(
    side: Side<'_>,
    rate: Rate,
    round_trip: Span,
    report: &mut Report,
) -> QueueConfig {
    let product = Product { rate, round_trip };
    match side.get("queue", |way| way.queue.as_ref()) {
        Some((queue, key)) => Resolver { product, key: &key, report }.queue(queue),
        None => QueueConfig::DropTail { limit: product.times(1.0) },
    }
}

/// A limit that stands alone.
pub(super) fn room(limit: Limit, product: Product, key: &KeyPath, report: &mut Report) -> Room {
    let room = match limit {
        Limit::Packets(packets) => Room::Packets(packets),
        Limit::Bytes(bytes) => Room::Bytes(bytes),
        Limit::Bdp(factor) => product.times(factor),
    };
    let largest = match room {
        Room::Packets(packets) => packets,
        Room::Bytes(bytes) if bytes < FULL_PACKET => {
            let what = format!("{bytes} have no room for a packet of {FULL_PACKET}");
            report.invalid(key, what, "write a larger limit");
            0
        }
        Room::Bytes(bytes) => bytes.get() / FULL_PACKET.get(),
    };
    if largest > MOST_PACKETS {
        let help = format!("write at most {MOST_PACKETS} packets");
        report.invalid(key, format!("a queue of {limit} is absurd"), help);
    }
    room
}

impl Product {
    /// A multiple of the product in full packets, as `max(4, round(factor x rate x round trip))`.
    fn times(self, factor: f64) -> Room {
        let packets = self.rate.bytes_in(self.round_trip).get() as f64 / FULL_PACKET.get() as f64;
        Room::Packets(libm::round(packets * factor).max(FEWEST_PACKETS) as u64)
    }
}

struct Resolver<'a> {
    product: Product,
    key: &'a KeyPath,
    report: &'a mut Report,
}

impl Resolver<'_> {
    fn queue(&mut self, queue: &Queue) -> QueueConfig {
        match *queue {
            Queue::Droptail { limit } => QueueConfig::DropTail { limit: self.room("limit", limit) },
            Queue::Red { min, max, max_probability, weight, ecn, limit } => {
                let (min, max) = (self.room("min", min), self.room("max", max));
                let limit = self.room("limit", limit);
                let mean_packet = FULL_PACKET;
                let gentle = true;
                let red = RedConfig {
                    min,
                    max,
                    limit,
                    max_probability,
                    weight,
                    gentle,
                    ecn,
                    mean_packet,
                };
                self.check_red(&red);
                QueueConfig::Red(red)
            }
            Queue::Codel { target, interval, ecn, limit } => {
                self.check_codel(target, interval);
                let limit = self.room("limit", limit);
                QueueConfig::Codel(CodelConfig {
                    target,
                    interval,
                    limit,
                    ecn,
                    ..CodelConfig::default()
                })
            }
            Queue::EcnThreshold { mark, limit } => {
                let (mark_above, limit) = (self.room("mark", mark), self.room("limit", limit));
                QueueConfig::EcnThreshold { mark_above, limit }
            }
            Queue::FqCodel { flows, quantum, target, interval, ecn, limit } => {
                self.check_codel(target, interval);
                let limit = self.room("limit", limit);
                let codel = CodelConfig { target, interval, limit, ecn, ..CodelConfig::default() };
                let quantum = Bytes::new(u64::from(quantum));
                QueueConfig::FqCodel(FqCodelConfig { flows, quantum, limit, codel })
            }
        }
    }

    fn check_red(&mut self, red: &RedConfig) {
        let same_unit = matches!(
            (red.min, red.max, red.limit),
            (Room::Packets(_), Room::Packets(_), Room::Packets(_))
                | (Room::Bytes(_), Room::Bytes(_), Room::Bytes(_))
        );
        let shown = |room| Limit::from(room).to_string();
        let amount = |room| match room {
            Room::Packets(packets) => packets,
            Room::Bytes(bytes) => bytes.get(),
        };
        if !same_unit {
            let what = "`min`, `max` and `limit` are in different units";
            self.invalid("min", what, "write all three in packets (or BDP), or all three in bytes");
        } else if amount(red.min) >= amount(red.max) {
            let what =
                format!("`max`, {}, must be above `min`, {}", shown(red.max), shown(red.min));
            self.invalid("max", &what, "write a larger `max`");
        } else if amount(red.limit) < amount(red.max) {
            let what = format!("`limit`, {}, is below `max`, {}", shown(red.limit), shown(red.max));
            self.invalid("limit", &what, "write a larger `limit`");
        }
        if !(red.weight > 0.0 && red.weight <= 1.0) {
            let what = format!("a weight of {} makes no average", red.weight);
            self.invalid("weight", &what, "write a number above 0 and at most 1, such as 0.002");
        }
        if red.max_probability == Probability::ZERO {
            self.invalid("max_probability", "nothing would be dropped", "write for example `2 %`");
        }
    }

    fn check_codel(&mut self, target: Span, interval: Span) {
        if target.is_zero() || target >= interval {
            let what = format!("a target of {target} with an interval of {interval}");
            self.invalid("target", &what, "write a target above 0 and below the interval");
        }
    }

    fn room(&mut self, name: &str, limit: Limit) -> Room {
        room(limit, self.product, &self.key.key(name), self.report)
    }

    fn invalid(&mut self, name: &str, what: &str, help: &str) {
        self.report.invalid(&self.key.key(name), what, help);
    }
}

/// A queue as a scenario says it.
pub(super) fn describe(queue: &QueueConfig) -> Queue {
    match *queue {
        QueueConfig::DropTail { limit } => Queue::Droptail { limit: limit.into() },
        QueueConfig::Red(RedConfig { min, max, max_probability, weight, ecn, limit, .. }) => {
            let (min, max, limit) = (min.into(), max.into(), limit.into());
            Queue::Red { min, max, max_probability, weight, ecn, limit }
        }
        QueueConfig::Codel(CodelConfig { target, interval, ecn, limit, .. }) => {
            Queue::Codel { target, interval, ecn, limit: limit.into() }
        }
        QueueConfig::EcnThreshold { mark_above, limit } => {
            Queue::EcnThreshold { mark: mark_above.into(), limit: limit.into() }
        }
        QueueConfig::FqCodel(FqCodelConfig { flows, quantum, limit, codel }) => Queue::FqCodel {
            flows,
            quantum: u32::try_from(quantum.get()).unwrap_or(u32::MAX),
            target: codel.target,
            interval: codel.interval,
            ecn: codel.ecn,
            limit: limit.into(),
        },
    }
}

impl From<Room> for Limit {
    fn from(room: Room) -> Self {
        match room {
            Room::Packets(packets) => Self::Packets(packets),
            Room::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}
