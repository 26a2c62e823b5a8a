//! Rates under a fixed loss, as theory has them: a network so fast that only the losses count.
//!
//! `data/analytic/fixed_loss.csv` gives for each algorithm the fluid model's closed form and the mean of an
//! independent jump process (ideal AIMD under Bernoulli loss) with the tolerance that the total must
//! keep to the latter. Theory knows no scheduler: each subflow always has data for its window. That is so
//! with `lowest-rtt`. The upstream default gives a slow subflow up to 64 KB at once, for which the others
//! wait when the send buffer is full; so it does not do here.

use std::path::PathBuf;

use crate::lab::{Lab, path};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::congestion::Name;
use mptcpsim_models::rules::Stack;
use mptcpsim_models::scheduler::{self, AnyScheduler};
use mptcpsim_models::sysctl::BufferLimits;

/// The algorithms that a name of the table means: in real numbers, and in the kernel's integers.
const ALGORITHMS: &[(&str, &[Name])] = &[
    ("uncoupled", &[Name::Uncoupled]),
    ("lia", &[Name::LiaRfc6356, Name::Lia]),
    ("olia", &[Name::OliaPaper, Name::Olia]),
    ("balia", &[Name::BaliaDraft]),
    ("balia-kernel", &[Name::Balia]),
];
/// Payload of a full packet, with timestamps and room for a DSS.
const PACKET: f64 = 1_428.0;
/// Packets to be delivered while it is measured: some thousand losses.
const PACKETS: f64 = 400_000.0;
const SETTLED: Span = Span::from_secs(20);

struct Case {
    name: String,
    algorithm: Name,
    loss: Vec<f64>,
    rtt_ms: Vec<u64>,
    /// Packets per second, and the part by which the total may differ.
    expected: f64,
    tolerance: f64,
}

fn numbers(text: &str, key: &str) -> Vec<f64> {
    let list = text.split_whitespace().find_map(|part| part.strip_prefix(key)).unwrap();
    list.split('/').map(|number| number.trim_end_matches("ms").parse().unwrap()).collect()
}

fn cases() -> Vec<Case> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/analytic/fixed_loss.csv");
    let mut reader = csv::Reader::from_path(file).unwrap();
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let mut cases = Vec::new();
    for row in reader.records().map(Result::unwrap) {
        let field = |name| &row[column(name)];
        let (named, percent) = (field("algorithm"), field("tolerance").split('%').next().unwrap());
        let Some((_, algorithms)) = ALGORITHMS.iter().find(|(name, _)| *name == named) else {
            continue;
        };
        cases.extend(algorithms.iter().map(|&algorithm| Case {
            name: format!("{} {}", field("case"), algorithm.name()),
            algorithm,
            loss: numbers(field("parameters"), "p="),
            rtt_ms: numbers(field("parameters"), "rtt=").iter().map(|&ms| ms as u64).collect(),
            expected: field("jump_mean").parse().unwrap(),
            tolerance: percent.parse::<f64>().unwrap() / 100.0,
        }));
    }
    cases
}

/// Packets per second after slow start: of each path.
fn measured(case: &Case) -> Vec<f64> {
    let paths = case.loss.iter().zip(&case.rtt_ms);
    let paths = paths.map(|(&loss, &rtt_ms)| path(400, rtt_ms / 2).loss(loss).queue(4.0)).collect();
    let buffers = BufferLimits { min: 4_096, default: 64_000_000, max: 64_000_000 };
    let lab = Lab::upload(paths, 10_000_000_000).congestion(case.algorithm).with(|lab| {
        lab.options.scheduler =
            Some(AnyScheduler::new(scheduler::Name::LowestRtt, Stack::Upstream));
        for config in [&mut lab.client, &mut lab.server] {
            config.quickack = true;
            config.sysctl.tcp_rmem = buffers;
            config.sysctl.tcp_wmem = buffers;
        }
    });
    let mut simulation = lab.build();
    let mut bytes_at = |time| -> Vec<u64> {
        simulation.run_until(time);
        let client = simulation.hosts().actors().iter().find(|end| end.connection().is_client());
        let connection = client.unwrap().connection();
        let acked = |index| connection.subflow(index).unwrap().totals().bytes_acked;
        (0..case.loss.len()).map(acked).collect()
    };
    let seconds = (PACKETS / case.expected).round();
    let before = bytes_at(Time::ZERO + SETTLED);
    let after = bytes_at(Time::ZERO + SETTLED + Span::from_secs(seconds as u64));
    let rate = |(from, to): (&u64, &u64)| (to - from) as f64 / PACKET / seconds;
    before.iter().zip(&after).map(rate).collect()
}

fn total(case: &Case) -> f64 {
    measured(case).iter().sum()
}

fn assert_agree(scenario: &str) {
    let of_scenario = |case: &Case| case.name.starts_with(scenario);
    let cases: Vec<_> = cases().into_iter().filter(of_scenario).collect();
    assert_eq!(cases.len(), 7);
    let wrong: Vec<_> = cases
        .iter()
        .filter(|case| (case.algorithm, scenario) != (Name::Lia, "L1"))
        .filter_map(|case| {
            let measured = total(case);
            let error = measured / case.expected - 1.0;
            let line =
                format!("{}: {measured:.1} for {:.1} ({error:+.3})", case.name, case.expected);
            println!("{line}");
            (error.abs() > case.tolerance).then_some(line)
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn equal_paths_agree_with_theory() {
    assert_agree("L1");
}

#[test]
fn paths_of_unequal_loss_agree_with_theory() {
    assert_agree("L2");
}

#[test]
fn paths_of_unequal_delay_agree_with_theory() {
    assert_agree("L4");
}

/// The kernel's LIA looks for the best path by `cwnd * 2^32 / srtt^2` in whole numbers, `srtt` in eighths of
/// microseconds: from 8 ms times the root of the window on that is 0 for all, and the oldest subflow is
/// taken for the best one. Simulated as a jump process this costs a fifth, as here; the acknowledgement
/// that each increase takes beyond its number and windows halved to whole numbers cost a thirtieth.
#[test]
fn the_kernels_lia_cannot_tell_the_best_path_where_delays_are_long() {
    let ratio = |rtt_ms| {
        let rate = |algorithm| total(&case(algorithm, &[0.005; 2], &[rtt_ms; 2]));
        let (kernel, published) = (rate(Name::Lia), rate(Name::LiaRfc6356));
        println!("{rtt_ms} ms: {:.3}", kernel / published);
        kernel / published
    };
    let (short, long) = (ratio(10), ratio(100));
    assert!((0.92..1.02).contains(&short), "{short}");
    assert!((0.76..0.88).contains(&long), "{long}");
}

fn case(algorithm: Name, loss: &[f64], rtt_ms: &[u64]) -> Case {
    let (loss, rtt_ms) = (loss.to_vec(), rtt_ms.to_vec());
    Case { name: String::new(), algorithm, loss, rtt_ms, expected: 800.0, tolerance: 0.1 }
}

/// RFC 6356 section 2, goal 1: as much as a single-path flow would get on the best path; and goal 3: the
/// more congested path carries less than its share of what uncoupled flows would send over it.
#[test]
fn coupled_flows_take_what_the_best_path_gives_and_leave_the_congested_one() {
    let alone: f64 = total(&case(Name::Reno, &[0.001], &[50]));
    let uncoupled = measured(&case(Name::Uncoupled, &[0.001, 0.004], &[50, 50]));
    for algorithm in [Name::LiaRfc6356, Name::OliaPaper, Name::BaliaDraft, Name::Balia] {
        let rates = measured(&case(algorithm, &[0.001, 0.004], &[50, 50]));
        let (name, total) = (algorithm.name(), rates.iter().sum::<f64>());
        println!("{name}: {rates:.0?}, alone {alone:.0}, uncoupled {uncoupled:.0?}");
        assert!(total > 0.85 * alone && total < 1.1 * alone, "{name} {total} {alone}");
        assert!(rates[1] / rates[0] < 0.6 * uncoupled[1] / uncoupled[0], "{name} {rates:?}");
    }
}
