//! What runs over connections: files read, sizes and times drawn.
//!
//! What is random here is drawn while the scenario is checked, from a stream that has the name of the
//! flow: both ends know it, and another algorithm under test meets the same.

use std::path::Path;

use mptcpsim_core::rng::{Seed, Stream};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::{Bytes, Rate};
use mptcpsim_models::app::messages::constant_rate;
use mptcpsim_models::app::video::{self, Video};
use mptcpsim_models::app::{Schedule, Script};

use super::Report;
use super::key::KeyPath;
use super::series::{self, Series};
use crate::plan::Work;
use crate::scenario::{Adaptation, App, AppDirection, MeasuredSizes, SizePoint, Sizes, Times};

/// More than any transfer of a run: data sequence numbers of a petabyte.
const MAX_BYTES: Bytes = Bytes::new(1_000_000_000_000_000);
/// More messages than fit into memory beside everything else.
const MAX_MESSAGES: u64 = 10_000_000;
/// The heaviest tail for which the mean of a Pareto distribution is worth its name.
const MIN_SHAPE: f64 = 1.01;
/// e to this power is more than any scale.
const MAX_SIGMA: f64 = 10.0;
/// What a request for a part of a page is.
const REQUEST: Bytes = Bytes::new(200);

/// Packets of 1,460 bytes and the probability of as many or less, as simulators have used them since
/// M. Alizadeh et al., "pFabric", SIGCOMM 2013.
const WEB_SEARCH: &[(u64, f64)] = &[
    (1, 0.0),
    (6, 0.15),
    (13, 0.2),
    (19, 0.3),
    (33, 0.4),
    (53, 0.53),
    (133, 0.6),
    (667, 0.7),
    (1_333, 0.8),
    (3_333, 0.9),
    (6_667, 0.97),
    (20_000, 1.0),
];
const DATA_MINING: &[(u64, f64)] = &[
    (1, 0.5),
    (2, 0.6),
    (3, 0.7),
    (7, 0.8),
    (267, 0.9),
    (2_107, 0.95),
    (66_667, 0.99),
    (666_667, 1.0),
];
const PACKET: u64 = 1_460;

/// What was recorded: when and how much.
pub(super) type Recording = Series<Bytes>;

/// Which of the connections of a flow this is.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) number: u32,
    pub(super) of: u32,
}

/// How many connections the application opens at once.
pub(super) fn connections(app: &App) -> u32 {
    match app {
        App::Page { connections, objects, .. } => (*connections).min(*objects).max(1),
        _ => 1,
    }
}

/// True if the server must know which of several connections it accepts.
pub(super) fn differs(app: &App) -> bool {
    let drawn = |sizes: &Sizes| !matches!(sizes, Sizes::Fixed(_));
    match app {
        App::Bulk { bytes, .. } => drawn(bytes),
        App::Request { request_bytes, response_bytes, .. } => {
            drawn(request_bytes) || drawn(response_bytes)
        }
        App::Timed { .. } | App::Video { .. } => false,
        App::Page { .. } => true,
        // The times at which messages are expected are those of the connection.
        App::ConstantRate { .. } | App::OnOff { .. } | App::Trace { .. } => true,
    }
}

pub(super) fn check(app: &App, key: &KeyPath, report: &mut Report) {
    let mut checker = Checker { key, report };
    match app {
        App::Bulk { bytes, .. } => checker.sizes("bytes", bytes),
        App::Timed { duration, .. } => checker.lasts(*duration),
        App::Request { request_bytes, response_bytes, think_time, .. } => {
            checker.sizes("request_bytes", request_bytes);
            checker.sizes("response_bytes", response_bytes);
            checker.times("think_time", think_time);
        }
        App::Page { page_bytes, object_bytes, .. } => {
            checker.bytes("page_bytes", *page_bytes);
            checker.sizes("object_bytes", object_bytes);
        }
        App::ConstantRate { rate, message_bytes, duration, .. } => {
            checker.bytes("message_bytes", *message_bytes);
            checker.lasts(*duration);
            checker.messages(*rate, *message_bytes, *duration);
        }
        App::OnOff { rate, on, off, message_bytes, duration, .. } => {
            checker.bytes("message_bytes", *message_bytes);
            checker.lasts(*duration);
            checker.times("on", on);
            checker.times("off", off);
            if on.is_zero() {
                let help = "write for example `on = \"1 s\"`";
                checker.invalid("on", "it never writes", help);
            }
            checker.messages(*rate, *message_bytes, *duration);
        }
        App::Trace { .. } => {}
        App::Video { bitrates, segment, buffer, startup, .. } => {
            checker.video(bitrates, *segment, *buffer, *startup);
        }
    }
}

struct Checker<'a> {
    key: &'a KeyPath,
    report: &'a mut Report,
}

impl Checker<'_> {
    fn invalid(&mut self, field: &str, what: impl Into<String>, help: &str) {
        self.report.invalid(&self.key.key(field), what, help);
    }

    fn bytes(&mut self, field: &str, bytes: Bytes) {
        check_bytes(bytes, &self.key.key(field), self.report);
    }

    fn sizes(&mut self, field: &str, sizes: &Sizes) {
        check_sizes(sizes, &self.key.key(field), self.report);
    }

    fn times(&mut self, field: &str, times: &Times) {
        check_times(times, &self.key.key(field), self.report);
    }

    fn lasts(&mut self, duration: Span) {
        if duration.is_zero() {
            let help = "write for example `duration = \"10 s\"`";
            self.invalid("duration", "a transfer of no length", help);
        }
    }

    fn messages(&mut self, rate: Rate, size: Bytes, duration: Span) {
        let every = interval(rate, size);
        if rate.as_bps() == 0 {
            let help = "write for example `rate = \"1 Mbit/s\"`";
            self.invalid("rate", "nothing would be sent", help);
        } else if every.is_zero() || duration.as_ps() / every.as_ps() > MAX_MESSAGES {
            let help = format!("write larger messages: {MAX_MESSAGES} are enough");
            self.invalid("message_bytes", "too many messages", &help);
        }
    }

    fn video(&mut self, bitrates: &[Rate], segment: Span, buffer: Span, startup: Span) {
        let rising = bitrates.windows(2).all(|pair| pair[0] < pair[1]);
        if bitrates.first().is_none_or(|lowest| lowest.as_bps() == 0) || !rising {
            let help = "write bit rates from the lowest to the highest, \
                        for example `bitrates = [\"1 Mbit/s\", \"3 Mbit/s\"]`";
            self.invalid("bitrates", "these are no qualities of a video", help);
        }
        if segment.is_zero() {
            let help = "write for example `segment = \"4 s\"`";
            self.invalid("segment", "a segment of no length", help);
        }
        if buffer < segment {
            let what = format!("a buffer of {buffer} holds no segment of {segment}");
            self.invalid("buffer", what, "write a larger buffer");
        }
        if startup > buffer {
            let what = format!("playing would wait for {startup} in a buffer of {buffer}");
            self.invalid("startup", what, "write a shorter time");
        }
    }
}

fn check_bytes(bytes: Bytes, key: &KeyPath, report: &mut Report) {
    if bytes == Bytes::ZERO {
        report.invalid(key, "nothing would be sent", "write at least `1 B`");
    } else if bytes > MAX_BYTES {
        let help = format!("write at most {MAX_BYTES}");
        report.invalid(key, format!("{bytes} are too many"), help);
    }
}

fn check_sizes(sizes: &Sizes, key: &KeyPath, report: &mut Report) {
    match sizes {
        Sizes::Uniform { from, to } if from > to => {
            let what = format!("sizes from {from} to {to}");
            report.invalid(key, what, "write the smaller one first");
        }
        Sizes::Fixed(bytes)
        | Sizes::Uniform { to: bytes, .. }
        | Sizes::Exponential { exponential: bytes } => check_bytes(*bytes, key, report),
        Sizes::Pareto { pareto: mean, shape } => {
            check_bytes(*mean, &key.key("pareto"), report);
            check_shape(*shape, key, report);
        }
        Sizes::Lognormal { lognormal: median, sigma } => {
            check_bytes(*median, &key.key("lognormal"), report);
            check_sigma(*sigma, key, report);
        }
        Sizes::Measured { .. } => {}
        Sizes::Cumulative { cumulative } => {
            check_points(cumulative, &key.key("cumulative"), report);
        }
    }
}

/// Checks a time that may be drawn.
pub(super) fn check_times(times: &Times, key: &KeyPath, report: &mut Report) {
    match times {
        Times::Uniform { from, to } if from > to => {
            let what = format!("times from {from} to {to}");
            report.invalid(key, what, "write the shorter one first");
        }
        Times::Pareto { shape, .. } => check_shape(*shape, key, report),
        Times::Lognormal { sigma, .. } => check_sigma(*sigma, key, report),
        Times::Fixed(_) | Times::Uniform { .. } | Times::Exponential { .. } => {}
    }
}

fn check_shape(shape: f64, key: &KeyPath, report: &mut Report) {
    if !(shape >= MIN_SHAPE && shape.is_finite()) {
        let help = format!("write a number from {MIN_SHAPE}, for example `shape = 1.5`");
        let what = format!("a Pareto distribution of shape {shape} has no mean");
        report.invalid(&key.key("shape"), what, help);
    }
}

fn check_sigma(sigma: f64, key: &KeyPath, report: &mut Report) {
    if !(0.0..=MAX_SIGMA).contains(&sigma) {
        let help = format!("write a number from 0 to {MAX_SIGMA}, for example `sigma = 1.5`");
        let what = format!("{sigma} is no standard deviation of a logarithm");
        report.invalid(&key.key("sigma"), what, help);
    }
}

fn check_points(points: &[SizePoint], key: &KeyPath, report: &mut Report) {
    let rises = |pair: &[SizePoint]| {
        pair[0].bytes <= pair[1].bytes && pair[0].probability <= pair[1].probability
    };
    let starts = points.first().is_some_and(|first| first.probability >= 0.0);
    let ends = points.last().is_some_and(|last| last.probability == 1.0);
    if !(points.windows(2).all(rises) && starts && ends) {
        let help = "write points in order, for example \
                    `[{ bytes = \"10 KB\", probability = 0.5 }, { bytes = \"1 MB\", probability = 1.0 }]`";
        report.invalid(key, "this is no distribution function: it rises to 1", help);
    }
    if let Some(last) = points.last() {
        check_bytes(last.bytes, key, report);
    }
}

/// Reads the file of an application that replays one; nothing if there is none or it is faulty.
pub(super) fn read(
    app: &App,
    folder: Option<&Path>,
    key: &KeyPath,
    report: &mut Report,
) -> Option<Recording> {
    let App::Trace { file, .. } = app else { return None };
    read_file(file, folder, &key.key("file"), report)
}

/// A table of times and bytes beside the scenario.
pub(super) fn read_file(
    file: &str,
    folder: Option<&Path>,
    key: &KeyPath,
    report: &mut Report,
) -> Option<Recording> {
    let times = series::Times::MayRepeat;
    series::read(file, ("bytes", times), folder, key, whole_bytes, report)
}

fn whole_bytes(number: f64) -> Option<Bytes> {
    let fits = number.fract() == 0.0 && (1.0..=MAX_BYTES.get() as f64).contains(&number);
    fits.then(|| Bytes::new(number as u64))
}

/// What the two ends of connection `part` of the flow called `name` do.
pub(super) fn work(
    app: &App,
    name: &str,
    part: Part,
    start: Time,
    recording: Option<&Recording>,
    seed: Seed,
) -> Work {
    let mut dice = Stream::new(seed, &format!("flow.{name}.app"));
    match app {
        App::Bulk { bytes, direction, abort } => {
            let bytes = bytes.draw(&mut dice);
            Work::Bulk { bytes, direction: *direction, abort: *abort }
        }
        App::Timed { duration, direction, abort } => {
            Work::Timed { duration: *duration, direction: *direction, abort: *abort }
        }
        App::Request {
            count,
            request_bytes: Sizes::Fixed(request),
            response_bytes: Sizes::Fixed(response),
            think_time: Times::Fixed(think),
            server_closes,
        } => {
            let script = Script::alike(*request, *response, *think, u64::from(*count));
            Work::Exchanges { script, server_closes: *server_closes }
        }
        App::Request { count, request_bytes, response_bytes, think_time, server_closes } => {
            let mut step = |number| {
                let think = think_time.draw(&mut dice);
                let think = if number == 0 { Span::ZERO } else { think };
                (think, request_bytes.draw(&mut dice), response_bytes.draw(&mut dice))
            };
            let script = Script::new((0..*count).map(&mut step));
            Work::Exchanges { script, server_closes: *server_closes }
        }
        App::Page { page_bytes, objects, object_bytes, .. } => {
            let script = page(*page_bytes, *objects, object_bytes, part, dice);
            Work::Exchanges { script, server_closes: false }
        }
        App::ConstantRate { rate, message_bytes, duration, deadline, direction } => {
            let every = interval(*rate, *message_bytes);
            let messages = constant_rate(start, *message_bytes, every, *duration);
            Work::messages(Schedule::new(messages), *direction, *deadline)
        }
        App::OnOff { rate, on, off, message_bytes, duration, deadline, direction } => {
            let every = interval(*rate, *message_bytes);
            let mut messages = Vec::new();
            let mut passed = Span::ZERO;
            while passed < *duration {
                let writes = on.draw(&mut dice).min(*duration - passed);
                messages.extend(constant_rate(start + passed, *message_bytes, every, writes));
                passed = passed + writes.max(Span::from_us(1)) + off.draw(&mut dice);
            }
            Work::messages(Schedule::new(messages), *direction, *deadline)
        }
        App::Trace { deadline, direction, .. } => {
            let messages = recording.map_or(&[][..], |recording| &recording.values);
            let messages = messages.iter().map(|(at, bytes)| (start + *at, *bytes));
            Work::messages(Schedule::new(messages), *direction, *deadline)
        }
        App::Video { bitrates, segment, segments, buffer, startup, adaptation } => {
            Work::Video(Video {
                bitrates: bitrates.as_slice().into(),
                segment: *segment,
                segments: *segments,
                buffer: *buffer,
                startup: *startup,
                rule: match adaptation {
                    Adaptation::Throughput => video::Adaptation::Throughput,
                    Adaptation::Buffer => video::Adaptation::Buffer,
                },
            })
        }
    }
}

/// The page itself comes over the first connection; the objects go round.
fn page(page: Bytes, objects: u32, sizes: &Sizes, part: Part, mut dice: Stream) -> Script {
    let own = |object: &u32| object % part.of == part.number;
    let objects = (0..objects).filter(own).map(|_| sizes.draw(&mut dice));
    let first = (part.number == 0).then_some(page);
    Script::new(first.into_iter().chain(objects).map(|bytes| (Span::ZERO, REQUEST, bytes)))
}

/// The time from one message to the next.
fn interval(rate: Rate, size: Bytes) -> Span {
    let ps = (u128::from(size.get()) * 8_000_000_000_000).checked_div(u128::from(rate.as_bps()));
    Span::from_ps(ps.and_then(|ps| u64::try_from(ps).ok()).unwrap_or(u64::MAX / 4))
}

impl Sizes {
    fn draw(&self, dice: &mut Stream) -> Bytes {
        let real = |size: f64| Bytes::new((size.round() as u64).clamp(1, MAX_BYTES.get()));
        match self {
            Self::Fixed(bytes) => *bytes,
            Self::Uniform { from, to } => {
                Bytes::new((from.get() + dice.below(to.get() - from.get() + 1)).max(1))
            }
            Self::Exponential { exponential: mean } => real(dice.exponential(mean.get() as f64)),
            Self::Pareto { pareto: mean, shape } => real(pareto(dice, mean.get() as f64, *shape)),
            Self::Lognormal { lognormal: median, sigma } => {
                real(lognormal(dice, median.get() as f64, *sigma))
            }
            Self::Measured { measured } => {
                let points = match measured {
                    MeasuredSizes::WebSearch => WEB_SEARCH,
                    MeasuredSizes::DataMining => DATA_MINING,
                };
                let bytes =
                    |(packets, probability): &(u64, f64)| ((packets * PACKET) as f64, *probability);
                real(quantile(points.iter().map(bytes), dice.uniform()))
            }
            Self::Cumulative { cumulative } => {
                let bytes = |point: &SizePoint| (point.bytes.get() as f64, point.probability);
                real(quantile(cumulative.iter().map(bytes), dice.uniform()))
            }
        }
    }
}

impl Times {
    pub(super) fn draw(&self, dice: &mut Stream) -> Span {
        let real = |ps: f64| Span::from_ps(ps.min(u64::MAX as f64 / 4.0) as u64);
        match self {
            Self::Fixed(time) => *time,
            Self::Uniform { from, to } => {
                Span::from_ps(from.as_ps() + dice.below(to.as_ps() - from.as_ps() + 1))
            }
            Self::Exponential { exponential: mean } => real(dice.exponential(mean.as_ps() as f64)),
            Self::Pareto { pareto: mean, shape } => real(pareto(dice, mean.as_ps() as f64, *shape)),
            Self::Lognormal { lognormal: median, sigma } => {
                real(lognormal(dice, median.as_ps() as f64, *sigma))
            }
        }
    }
}

/// By inversion: the smallest value is mean * (shape - 1) / shape.
fn pareto(dice: &mut Stream, mean: f64, shape: f64) -> f64 {
    let smallest = mean * (shape - 1.0) / shape;
    smallest / libm::pow(1.0 - dice.uniform(), 1.0 / shape)
}

fn lognormal(dice: &mut Stream, median: f64, sigma: f64) -> f64 {
    median * libm::exp(sigma * normal(dice))
}

/// A standard normal deviate as G. E. P. Box and M. E. Muller make it (1958).
pub(super) fn normal(dice: &mut Stream) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - dice.uniform()));
    radius * libm::cos(2.0 * std::f64::consts::PI * dice.uniform())
}

/// The value at which a distribution function reaches `probability`; straight lines between points.
fn quantile(points: impl Iterator<Item = (f64, f64)>, probability: f64) -> f64 {
    let mut before: Option<(f64, f64)> = None;
    for (value, reached) in points {
        if probability <= reached {
            return match before {
                Some((lower, from)) if reached > from => {
                    lower + (value - lower) * (probability - from) / (reached - from)
                }
                _ => value,
            };
        }
        before = Some((value, reached));
    }
    before.map_or(0.0, |(value, _)| value)
}

impl Work {
    fn messages(schedule: Schedule, direction: AppDirection, deadline: Option<Span>) -> Self {
        let (down, up) = match direction {
            AppDirection::Download => (schedule, Schedule::default()),
            AppDirection::Upload => (Schedule::default(), schedule),
            AppDirection::Both => (schedule.clone(), schedule),
        };
        Self::Messages { down, up, deadline }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(sizes: &Sizes) -> f64 {
        let mut dice = Stream::new(Seed(1), "sizes");
        let count = 200_000;
        (0..count).map(|_| sizes.draw(&mut dice).get() as f64).sum::<f64>() / f64::from(count)
    }

    #[test]
    fn drawn_sizes_have_the_mean_that_is_asked_for() {
        let bytes = Bytes::new(100_000);
        for (sizes, expected) in [
            (Sizes::Fixed(bytes), 100_000.0),
            (Sizes::Uniform { from: Bytes::new(50_000), to: Bytes::new(150_000) }, 100_000.0),
            (Sizes::Exponential { exponential: bytes }, 100_000.0),
            (Sizes::Pareto { pareto: bytes, shape: 2.5 }, 100_000.0),
            // The mean of a lognormal distribution is exp(sigma^2 / 2) medians.
            (Sizes::Lognormal { lognormal: bytes, sigma: 1.0 }, 164_872.0),
            // pFabric gives 1.6 MB for the search cluster.
            (Sizes::Measured { measured: MeasuredSizes::WebSearch }, 1_670_000.0),
        ] {
            let mean = mean(&sizes);
            assert!((mean / expected - 1.0).abs() < 0.02, "{sizes:?} {mean}");
        }
    }

    #[test]
    fn a_quantile_lies_on_the_line_between_two_points() {
        let points = [(10.0, 0.5), (20.0, 0.5), (40.0, 1.0)];
        let at = |probability| quantile(points.into_iter(), probability);
        assert_eq!([at(0.0), at(0.5), at(0.75), at(1.0)], [10.0, 10.0, 30.0, 40.0]);
    }

    #[test]
    fn recorded_bytes_are_whole_and_some() {
        assert_eq!(whole_bytes(100.0), Some(Bytes::new(100)));
        assert_eq!([0.0, -1.0, 1.5, 1e16].map(whole_bytes), [None; 4]);
    }

    #[test]
    fn the_objects_of_a_page_go_round_its_connections() {
        let sizes = Sizes::Fixed(Bytes::new(10));
        let script = |number| {
            let part = Part { number, of: 2 };
            page(Bytes::new(1_000), 5, &sizes, part, Stream::new(Seed(1), "page"))
        };
        let (first, second) = (script(0), script(1));
        assert_eq!((first.count(), first.answered(4)), (4, 1_030));
        assert_eq!((second.count(), second.answered(2)), (2, 20));
    }
}
