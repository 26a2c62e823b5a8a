//! The lazy link against an eager one that does everything when it happens.

use proptest::prelude::*;

use super::eager::{OPPORTUNITIES, Outcome, ROUND, SEED, STEPS, Step, What, run_eager};
use super::*;
use crate::capacity::{DeliveryTrace, Steps};
use crate::impair::{Filter, Jitter, Loss};
use crate::queue::{CodelConfig, FqCodelConfig, Limit, QueueConfig, RedConfig};
use crate::test_packet::TestPacket;
use crate::trace::{Points, Trace};
use crate::units::{Bytes, Probability, Rate};

fn run_lazy(config: LinkConfig, steps: &[Step], end: Span) -> Outcome {
    let mut shared = Shared { trace: Trace::all(Points::ALL), ..Shared::default() };
    let mut link = Link::new(LinkId(0), "test", config, SEED).unwrap();
    let mut departures = Vec::new();
    let mut now = Time::ZERO;
    let last = Step { gap: end, what: What::Look };
    for Step { gap, what } in steps.iter().chain([&last]) {
        let until = now + *gap;
        while link.due() < until {
            now = now.max(link.due());
            if let Some(ticket) = link.pop(now, &mut shared) {
                departures.push((now, shared.pool.take(ticket).unwrap()));
            }
        }
        now = until;
        match what {
            What::Push(packet) => {
                let ticket = shared.pool.insert(packet.clone(), 0);
                if let Err(Refused(ticket)) = link.push(now, ticket, &mut shared) {
                    shared.pool.discard(ticket);
                }
            }
            What::Change(change) => link.change(now, change, &mut shared),
            What::Look => link.catch_up(now, &mut shared),
        }
    }
    let under_way = link.backlog().packets as usize + link.propagating();
    assert_eq!(shared.pool.len(), under_way, "no ticket is lost");
    let incidents = link.counters().incidents;
    let traffic = link.counters().traffic;
    assert_eq!(
        traffic.offered.packets + incidents.duplicated.packets,
        traffic.delivered.packets + incidents.dropped_packets() + under_way as u64
    );
    let (records, counters) = (shared.trace.records(), link.counters());
    let (backlog, busy) = (link.backlog(), link.busy(now));
    Outcome { departures, records, counters, backlog, busy }
}

fn capacity() -> impl Strategy<Value = Capacity> {
    let steps: Vec<_> = STEPS
        .iter()
        .map(|&(us, bps)| (Time::ZERO + Span::from_us(us), Rate::from_bps(bps)))
        .collect();
    prop_oneof![
        1 => Just(Capacity::Unlimited),
        4 => (1_000_000u64..50_000_000).prop_map(|bps| Capacity::Fixed(Rate::from_bps(bps))),
        1 => Just(Capacity::Fixed(Rate::from_bps(0))),
        2 => Just(Capacity::Steps(Steps::new(&steps, Some(ROUND)).unwrap())),
        2 => Just(Capacity::Trace(DeliveryTrace::new(&OPPORTUNITIES).unwrap())),
    ]
}

fn limit() -> impl Strategy<Value = Limit> {
    prop_oneof![
        (1u64..30).prop_map(Limit::Packets),
        (1_000u64..40_000).prop_map(|bytes| Limit::Bytes(Bytes::new(bytes))),
    ]
}

fn probability(most: f64) -> impl Strategy<Value = Probability> {
    (0.0..=most).prop_map(|value| Probability::new(value).unwrap())
}

fn queue() -> impl Strategy<Value = QueueConfig> {
    let red = (limit(), 1u64..8, 1u64..12, 0.01..1.0, any::<[bool; 2]>(), probability(1.0))
        .prop_filter_map("never drops", |(limit, min, more, weight, [gentle, ecn], most)| {
            (most != Probability::ZERO).then_some(QueueConfig::Red(RedConfig {
                min: Limit::Packets(min),
                max: Limit::Packets(min + more),
                limit,
                max_probability: most,
                weight,
                gentle,
                ecn,
                mean_packet: Bytes::new(1_000),
            }))
        });
    let codel = || {
        (limit(), 0u64..3_000, 1u64..20_000, any::<bool>()).prop_map(
            |(limit, us, interval, ecn)| {
                let (target, interval) = (Span::from_us(us), Span::from_us(interval));
                CodelConfig { target, interval, ecn, limit, mtu: Bytes::new(1_500) }
            },
        )
    };
    let fair =
        (codel(), 1u32..5, 300u64..3_000, limit()).prop_map(|(codel, flows, quantum, limit)| {
            let quantum = Bytes::new(quantum);
            QueueConfig::FqCodel(FqCodelConfig { flows, quantum, limit, codel })
        });
    prop_oneof![
        limit().prop_map(|limit| QueueConfig::DropTail { limit }),
        (limit(), limit())
            .prop_map(|(mark_above, limit)| QueueConfig::EcnThreshold { mark_above, limit }),
        red,
        codel().prop_map(QueueConfig::Codel),
        fair,
    ]
}

fn loss() -> impl Strategy<Value = Loss> {
    prop_oneof![
        Just(Loss::None),
        probability(0.5).prop_map(|probability| Loss::Bernoulli { probability }),
        [probability(0.3), probability(0.6), probability(1.0), probability(1.0)]
            .prop_map(|[p, r, h, k]| Loss::GilbertElliott { p, r, h, k }),
        prop::collection::vec(1u64..100, 0..20).prop_map(Loss::Listed),
    ]
}

fn impairments() -> impl Strategy<Value = Impairments> {
    let jitter = prop_oneof![
        Just(Jitter::None),
        (0u64..4_000).prop_map(|us| Jitter::Uniform { max: Span::from_us(us) }),
        (0u64..4_000, 0u64..2_000).prop_map(|(mean, deviation)| Jitter::Normal {
            mean: Span::from_us(mean),
            deviation: Span::from_us(deviation),
        }),
        (0u64..2_000, 0u64..9_000).prop_map(|(mean, cap)| Jitter::Exponential {
            mean: Span::from_us(mean),
            cap: Span::from_us(cap),
        }),
    ];
    let filter = prop_oneof![Just(Filter::All), Just(Filter::Data)];
    let impaired = (loss(), filter, jitter, any::<bool>(), probability(0.3), probability(0.3))
        .prop_map(|(loss, loss_of, jitter, reorder, duplicate, corrupt)| Impairments {
            loss,
            loss_of,
            jitter,
            reorder,
            duplicate,
            corrupt,
        });
    prop_oneof![1 => Just(Impairments::default()), 2 => impaired]
}

fn config() -> impl Strategy<Value = LinkConfig> {
    (capacity(), 0u64..8_000, queue(), impairments(), prop::bool::weighted(0.9)).prop_map(
        |(capacity, us, queue, impairments, up)| LinkConfig {
            capacity,
            delay: Span::from_us(us),
            queue,
            impairments,
            up,
        },
    )
}

fn change() -> impl Strategy<Value = LinkChange> {
    (
        prop::option::weighted(0.4, capacity()),
        prop::option::weighted(0.3, (0u64..8_000).prop_map(Span::from_us)),
        prop::option::weighted(0.3, loss()),
        prop::option::weighted(0.3, limit()),
        prop::option::weighted(0.3, any::<bool>()),
    )
        .prop_map(|(capacity, delay, loss, limit, up)| LinkChange {
            capacity,
            delay,
            loss,
            limit,
            up,
        })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let packet = (0u64..6, 40u64..3_000, any::<bool>()).prop_map(|(flow, len, ecn_capable)| {
        What::Push(TestPacket { ecn_capable, ..TestPacket::new(flow, len) })
    });
    let what = prop_oneof![
        16 => packet,
        2 => Just(What::Look),
        1 => change().prop_map(What::Change),
    ];
    // Whole milliseconds and zero make events coincide.
    let gap = prop_oneof![
        3 => Just(Span::ZERO),
        4 => (0u64..900_000).prop_map(Span::from_ns),
        1 => (0u64..3).prop_map(Span::from_ms),
    ];
    prop::collection::vec((gap, what).prop_map(|(gap, what)| Step { gap, what }), 0..150)
}

/// Numbers at the edges of what can be written.
fn extreme() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(u64::MAX), 0u64..100_000, any::<u64>()]
}

fn extreme_queue() -> impl Strategy<Value = QueueConfig> {
    let numbers = (prop::array::uniform5(extreme()), any::<[bool; 2]>(), probability(1.0));
    (0u8..5, numbers, any::<f64>()).prop_map(|(kind, (numbers, [one, two], share), weight)| {
        let [a, b, c, d, e] = numbers;
        let limit = |count, packets| match packets {
            true => Limit::Packets(count),
            false => Limit::Bytes(Bytes::new(count)),
        };
        let codel = CodelConfig {
            target: Span::from_ps(b),
            interval: Span::from_ps(c),
            ecn: one,
            limit: limit(a, two),
            mtu: Bytes::new(d),
        };
        match kind {
            0 => QueueConfig::DropTail { limit: limit(a, one) },
            1 => QueueConfig::EcnThreshold { mark_above: limit(b, two), limit: limit(a, one) },
            2 => QueueConfig::Red(RedConfig {
                min: limit(b.min(c), one),
                max: limit(b.max(c), one),
                limit: limit(a, two),
                max_probability: share,
                weight: weight.abs().min(1.0),
                gentle: two,
                ecn: one,
                mean_packet: Bytes::new(d),
            }),
            3 => QueueConfig::Codel(codel),
            _ => QueueConfig::FqCodel(FqCodelConfig {
                flows: e as u32 % 70_000,
                quantum: Bytes::new(e),
                limit: limit(a, two),
                codel,
            }),
        }
    })
}

fn extreme_impairments() -> impl Strategy<Value = Impairments> {
    (impairments(), 0u8..3, extreme(), extreme()).prop_map(|(impairments, kind, a, b)| {
        let (a, b) = (Span::from_ps(a), Span::from_ps(b));
        let jitter = match kind {
            0 => Jitter::Uniform { max: a },
            1 => Jitter::Normal { mean: a, deviation: b },
            _ => Jitter::Exponential { mean: a, cap: b },
        };
        Impairments { jitter, ..impairments }
    })
}

/// RED counts the time without packets, whether the link works in it or not.
#[test]
fn a_link_that_goes_down_while_idle_was_idle_before() {
    let red = QueueConfig::Red(RedConfig {
        min: Limit::Packets(1),
        max: Limit::Packets(2),
        limit: Limit::Packets(100),
        max_probability: Probability::ONE,
        weight: 0.5,
        gentle: false,
        ecn: false,
        mean_packet: Bytes::new(1_000),
    });
    let capacity = Capacity::Fixed(Rate::from_bps(10_000_000));
    let config = LinkConfig { queue: red, ..LinkConfig::new(capacity, Span::ZERO) };
    let step = |ms, what| Step { gap: Span::from_ms(ms), what };
    let packet = || What::Push(TestPacket::new(0, 1_000));
    let burst = |ms| (0..6).map(move |nth| step(if nth == 0 { ms } else { 0 }, packet()));
    let set = |up| What::Change(LinkChange { up: Some(up), ..LinkChange::default() });
    let always_up: Vec<Step> = burst(0).chain(burst(50)).collect();
    let changes = [step(49, set(false)), step(1, set(true))];
    let down_while_idle: Vec<Step> = burst(0).chain(changes).chain(burst(0)).collect();
    let end = Span::from_ms(60);
    let run = |steps| run_lazy(config.clone(), steps, end);
    assert_eq!(run(&down_while_idle), run(&always_up));
    assert_eq!(run(&down_while_idle), run_eager(config.clone(), &down_while_idle, end));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_lazy_link_is_the_eager_link(config in config(), steps in steps()) {
        let end = Span::from_ms(60);
        prop_assert_eq!(run_lazy(config.clone(), &steps, end), run_eager(config, &steps, end));
    }

    #[test]
    fn looking_makes_no_difference(config in config(), steps in steps()) {
        let looks = |step: &Step| {
            let half = step.gap / 2;
            [Step { gap: half, what: What::Look }, Step { gap: step.gap - half, ..step.clone() }]
        };
        let watched: Vec<Step> = steps.iter().flat_map(looks).collect();
        let end = Span::from_ms(60);
        prop_assert_eq!(run_lazy(config.clone(), &steps, end), run_lazy(config, &watched, end));
    }

    #[test]
    fn no_accepted_configuration_panics(
        queue in extreme_queue(),
        impairments in extreme_impairments(),
        numbers in prop::array::uniform4(extreme()),
        changes in prop::collection::vec((extreme(), extreme(), change()), 0..4),
        steps in prop::collection::vec((extreme(), 0usize..5), 0..60),
    ) {
        let [rate, other_rate, period, delay] = numbers;
        let list = [(0, rate), (period / 3 + 1, other_rate)]
            .map(|(at, bps)| (Time::from_ps(at), Rate::from_bps(bps)));
        let capacities = [
            Steps::new(&list, Some(Span::from_ps(period))).ok().map(Capacity::Steps),
            DeliveryTrace::new(&[rate / 2, rate]).ok().map(Capacity::Trace),
            Some(Capacity::Fixed(Rate::from_bps(rate))),
        ];
        let mut script: Vec<Step> = steps.into_iter().map(|(gap, size)| {
            let len = [0, 1, 40, 65_535, 1_000_000][size];
            Step { gap: Span::from_ps(gap), what: What::Push(TestPacket::new(gap % 7, len)) }
        }).collect();
        for (at, gap, change) in changes {
            let step = Step { gap: Span::from_ps(gap), what: What::Change(change) };
            script.insert(at as usize % (script.len() + 1), step);
        }
        for capacity in capacities.into_iter().flatten() {
            let config = LinkConfig {
                queue: queue.clone(),
                impairments: impairments.clone(),
                ..LinkConfig::new(capacity, Span::from_ps(delay))
            };
            if Link::new(LinkId(0), "test", config.clone(), SEED).is_ok() {
                run_lazy(config, &script, Span::from_ps(delay));
            }
        }
    }
}
