//! Fair queues with controlled delay (RFC 8290).
//!
//! Packets are spread over queues by a hash of their flow. Queues take turns
//! by deficit round robin (M. Shreedhar and G. Varghese, 1995); queues that
//! have just become active go first, and each has a CoDel of its own. When
//! there is no room left, the longest queue loses its first packet.

use std::collections::VecDeque;

use super::codel::State;
use super::{Backlog, CodelConfig, Departure, Limit, QueueError, Verdict, Waiting};
use crate::pool::Ticket;
use crate::rng::Stream;
use crate::time::Time;
use crate::units::Bytes;

/// The parameters of FQ-CoDel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FqCodelConfig {
    /// How many queues there are, 1024 in the RFC.
    pub flows: u32,
    /// Bytes a queue may send in a turn, 1514 in the RFC; at least 256.
    pub quantum: Bytes,
    /// The largest backlog of all queues together, 10240 packets in the RFC.
    pub limit: Limit,
    /// The CoDel of each queue; its `limit` is not used.
    pub codel: CodelConfig,
}

impl Default for FqCodelConfig {
    /// The defaults of the RFC, which has ECN on.
    fn default() -> Self {
        Self {
            flows: 1_024,
            quantum: Bytes::new(1_514),
            limit: Limit::Packets(10_240),
            codel: CodelConfig { ecn: true, ..CodelConfig::default() },
        }
    }
}

/// As in Linux: below, a queue would wait for many turns until it may send a packet.
const LEAST_QUANTUM: Bytes = Bytes::new(256);

#[derive(Clone, Debug, Default)]
struct Flow {
    waiting: VecDeque<Waiting>,
    bytes: Bytes,
    /// Bytes it may still send in this turn.
    deficit: i64,
    codel: State,
    /// It is in one of the lists.
    active: bool,
}

#[derive(Clone, Debug)]
pub(super) struct FqCodel {
    config: FqCodelConfig,
    /// Makes the hash differ from link to link and from seed to seed.
    perturbation: u64,
    flows: Vec<Flow>,
    /// Queues that became active and have not used up their first turn.
    new: VecDeque<u32>,
    old: VecDeque<u32>,
}

impl FqCodel {
    pub(super) fn new(config: FqCodelConfig, mut stream: Stream) -> Result<Self, QueueError> {
        config.codel.check()?;
        if !(1..=65_536).contains(&config.flows) {
            return Err(QueueError::Flows(config.flows));
        }
        if config.quantum < LEAST_QUANTUM {
            return Err(QueueError::Quantum(config.quantum));
        }
        Ok(Self {
            config,
            perturbation: stream.next_u64(),
            flows: vec![Flow::default(); config.flows as usize],
            new: VecDeque::new(),
            old: VecDeque::new(),
        })
    }

    pub(super) fn set_limit(&mut self, limit: Limit) {
        self.config.limit = limit;
    }

    pub(super) fn push(&mut self, waiting: Waiting, flow: u64) {
        let index = self.queue_of(flow);
        let quantum = self.quantum();
        let flow = &mut self.flows[index as usize];
        flow.bytes += waiting.ticket.len();
        flow.waiting.push_back(waiting);
        if !flow.active {
            flow.active = true;
            flow.deficit = quantum;
            self.new.push_back(index);
        }
    }

    /// The first packet of the longest queue, if `backlog` exceeds the limit.
    pub(super) fn evict(&mut self, backlog: Backlog) -> Option<Waiting> {
        let limit = self.config.limit;
        if limit.measure(backlog) <= limit.count() {
            return None;
        }
        let active = self.new.iter().chain(&self.old);
        let longest = active.copied().max_by_key(|&index| self.flows[index as usize].bytes)?;
        self.take_from(longest)
    }

    /// Any packet.
    pub(super) fn drain(&mut self) -> Option<Waiting> {
        let mut active = self.new.iter().chain(&self.old).copied();
        let index = active.find(|&index| !self.flows[index as usize].waiting.is_empty())?;
        self.take_from(index)
    }

    #[inline(never)]
    pub(super) fn next(
        &mut self,
        now: Time,
        mark: impl FnOnce(&Ticket) -> bool,
    ) -> Option<(Waiting, Verdict)> {
        let index = self.whose_turn()?;
        let waiting = self.take_from(index)?;
        let config = &self.config.codel;
        let flow = &mut self.flows[index as usize];
        let departure = Departure { now, waited: now - waiting.since, behind: flow.bytes };
        let verdict = flow.codel.serve(config, &departure, || mark(&waiting.ticket));
        if !matches!(verdict, Verdict::Drop(_)) {
            let len = i64::try_from(waiting.ticket.len().get()).unwrap_or(i64::MAX);
            flow.deficit = flow.deficit.saturating_sub(len);
        }
        Some((waiting, verdict))
    }

    /// The queue that sends next; it has a packet.
    fn whose_turn(&mut self) -> Option<u32> {
        loop {
            let (index, is_new) = match (self.new.front(), self.old.front()) {
                (Some(&index), _) => (index, true),
                (None, Some(&index)) => (index, false),
                (None, None) => return None,
            };
            let quantum = self.quantum();
            let flow = &mut self.flows[index as usize];
            let stays = if flow.deficit <= 0 {
                flow.deficit = flow.deficit.saturating_add(quantum);
                true
            } else if flow.waiting.is_empty() {
                // An empty new queue goes behind the old ones once, so that it cannot starve them.
                flow.codel.run_empty();
                is_new
            } else {
                return Some(index);
            };
            flow.active = stays;
            let list = if is_new { &mut self.new } else { &mut self.old };
            list.pop_front();
            if stays {
                self.old.push_back(index);
            }
        }
    }

    fn take_from(&mut self, index: u32) -> Option<Waiting> {
        let flow = &mut self.flows[index as usize];
        let waiting = flow.waiting.pop_front()?;
        flow.bytes = flow.bytes - waiting.ticket.len();
        Some(waiting)
    }

    fn quantum(&self) -> i64 {
        i64::try_from(self.config.quantum.get()).unwrap_or(i64::MAX)
    }

    /// The queue of a flow: a multiplicative hash (Knuth), then its upper bits.
    fn queue_of(&self, flow: u64) -> u32 {
        let mixed = (flow ^ self.perturbation).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (((mixed >> 32) * u64::from(self.config.flows)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use crate::rng::Seed;
    use crate::test_packet::TestPacket;
    use crate::time::Span;

    struct Bench {
        queue: FqCodel,
        pool: Pool<TestPacket>,
        backlog: Backlog,
    }

    impl Bench {
        fn new(config: FqCodelConfig) -> Self {
            let queue = FqCodel::new(config, Stream::new(Seed(1), "fq")).unwrap();
            Self { queue, pool: Pool::default(), backlog: Backlog::default() }
        }

        fn push(&mut self, flow: u64, len: u64) {
            let ticket = self.pool.insert(TestPacket::new(flow, len), 0);
            self.backlog.packets += 1;
            self.queue.push(Waiting { since: Time::ZERO, ticket }, flow);
        }

        /// The flows of the next packets at a time.
        fn flows(&mut self, at: Span, count: usize) -> Vec<u64> {
            let mut flows = Vec::new();
            while flows.len() < count {
                let next = self.queue.next(Time::ZERO + at, |_| false);
                let Some((waiting, verdict)) = next else { break };
                if verdict == Verdict::Pass {
                    flows.push(self.pool.flow(&waiting.ticket));
                }
            }
            flows
        }
    }

    #[test]
    fn flows_take_turns_by_bytes() {
        let mut bench = Bench::new(FqCodelConfig::default());
        for _ in 0..9 {
            bench.push(1, 1_514);
        }
        for _ in 0..9 {
            bench.push(2, 757);
        }
        assert_eq!(bench.flows(Span::ZERO, 9), [1, 2, 2, 1, 2, 2, 1, 2, 2]);
    }

    #[test]
    fn a_sparse_flow_overtakes_a_full_queue() {
        let mut bench = Bench::new(FqCodelConfig::default());
        for _ in 0..20 {
            bench.push(1, 1_514);
        }
        assert_eq!(bench.flows(Span::ZERO, 3), [1, 1, 1]);
        bench.push(2, 100);
        assert_eq!(bench.flows(Span::ZERO, 2), [2, 1]);
    }

    #[test]
    fn without_room_the_longest_queue_loses_its_head() {
        let config = FqCodelConfig { limit: Limit::Packets(4), ..FqCodelConfig::default() };
        let mut bench = Bench::new(config);
        for flow in [1, 1, 2, 1] {
            bench.push(flow, 1_000);
            assert!(bench.queue.evict(bench.backlog).is_none());
        }
        bench.push(2, 100);
        let victim = bench.queue.evict(bench.backlog).unwrap();
        assert_eq!(bench.pool.flow(&victim.ticket), 1);
    }

    #[test]
    fn each_queue_has_its_own_codel() {
        let mut bench = Bench::new(FqCodelConfig::default());
        for _ in 0..200 {
            bench.push(1, 1_514);
        }
        for ms in 0..100 {
            bench.flows(Span::from_ms(200 + ms), 1);
        }
        assert_eq!(bench.flows(Span::from_ms(300), 1), [1]);
        let left = bench.flows(Span::from_ms(301), 200).len();
        assert!(left < 99, "{left} of 99 packets passed");
        bench.push(2, 1_514);
        assert_eq!(bench.flows(Span::from_ms(1), 1), [2]);
    }

    #[test]
    fn nonsense_is_refused() {
        let error = |config| FqCodel::new(config, Stream::new(Seed(1), "fq")).err();
        let ok = FqCodelConfig::default();
        assert_eq!(error(ok), None);
        assert_eq!(error(FqCodelConfig { flows: 0, ..ok }), Some(QueueError::Flows(0)));
        let quantum = Bytes::new(255);
        assert_eq!(error(FqCodelConfig { quantum, ..ok }), Some(QueueError::Quantum(quantum)));
    }
}
