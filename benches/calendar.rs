//! The calendar alone: links that move on a little, timers that are put off again and again.
//!
//! `cargo bench -p mptcpsim-benches --bench calendar`

#![allow(missing_docs, reason = "criterion makes a public function")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mptcpsim_core::calendar::{ActorId, Calendar};
use mptcpsim_core::rng::{Seed, Stream};
use mptcpsim_core::time::{Span, Time};

/// A calendar in the middle of its work: three of four actors are links, the others timers.
struct Work {
    calendar: Calendar,
    stream: Stream,
    links: u64,
    timers: u64,
}

const RETRANSMISSION: Span = Span::from_ms(200);

impl Work {
    fn new(actors: u64) -> Self {
        let (mut calendar, mut stream) = (Calendar::new(), Stream::new(Seed(1), "calendar"));
        let timers = actors / 4;
        let links = actors - timers;
        for actor in 0..actors {
            let id = calendar.add();
            let start = Time::from_ps(stream.below(120_000_000));
            calendar.set(id, if actor < links { start } else { start + RETRANSMISSION });
        }
        Self { calendar, stream, links, timers }
    }

    /// One event: a link has sent a packet, or rarely a timer fires.
    fn step(&mut self) {
        let Some((now, actor)) = self.calendar.pop(Time::NEVER) else { return };
        if u64::from(actor.0) >= self.links {
            return self.calendar.set(actor, now + RETRANSMISSION);
        }
        // Most packets are long, some are acknowledgements.
        let random = self.stream.next_u64();
        let ns = if random.is_multiple_of(8) {
            4_000 + random % 6_000
        } else {
            110_000 + random % 20_000
        };
        self.calendar.set(actor, now + Span::from_ns(ns));
        if self.timers > 0 {
            let timer = self.links + self.stream.below(self.timers);
            self.calendar.set(ActorId(timer as u32), now + RETRANSMISSION);
        }
    }
}

fn calendar(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("calendar");
    group.throughput(Throughput::Elements(1));
    for actors in [4, 64, 768, 6_144, 10_000, 100_000] {
        let mut work = Work::new(actors);
        (0..20 * actors).for_each(|_| work.step());
        group.bench_function(BenchmarkId::from_parameter(actors), |bencher| {
            bencher.iter(|| work.step());
        });
    }
}

criterion_group!(benches, calendar);
criterion_main!(benches);
