//! What each direction of a link is, once both halves of its description are laid over each other.

use std::path::Path;

use mptcpsim_core::impair::{self, Impairments};
use mptcpsim_core::link::LinkConfig;
use mptcpsim_core::rng::Seed;
use mptcpsim_core::time::Span;
use mptcpsim_core::units::{Probability, Rate};

use super::Report;
use super::capacity;
use super::delays::{self, Way};
use super::fault::Problem;
use super::key::KeyPath;
use super::network::{DeclaredLink, Network};
use super::queues;
use crate::plan::{DirectionPlan, LinkPlan, PathPlan, VariationFiles};
use crate::scenario::{Directions, Jitter, Loss, OneWay, PacketFilter};

/// Faster than any interface there is.
pub(super) const MAX_RATE: Rate = Rate::from_bps(10_000_000_000_000);
/// Longer than any way on Earth, or to the Moon and back.
pub(super) const MAX_DELAY: Span = Span::from_secs(3_600);

/// What a link depends on beside its own keys.
pub(super) struct Conditions<'a> {
    /// Where files are looked for.
    pub(super) folder: Option<&'a Path>,
    /// The seed of what is drawn.
    pub(super) seed: Seed,
    /// How long the run is at most.
    pub(super) duration: Span,
}

/// One direction of a link as described: what both have in common, and what differs in this one.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    both: &'a OneWay,
    own: Option<&'a OneWay>,
    key: &'a KeyPath,
    /// The name of the link.
    pub(super) link: &'a str,
    /// `up` or `down`, as in the scenario.
    pub(super) name: &'static str,
}

impl<'a> Side<'a> {
    /// The `up` direction of a link.
    pub(super) fn up(declared: &'a DeclaredLink) -> Self {
        let DeclaredLink { link, key, name } = declared;
        Self { both: &link.both, own: link.up.as_ref(), key, link: name, name: "up" }
    }

    /// The `down` direction of a link.
    pub(super) fn down(declared: &'a DeclaredLink) -> Self {
        let DeclaredLink { link, key, name } = declared;
        Self { both: &link.both, own: link.down.as_ref(), key, link: name, name: "down" }
    }

    /// What `pick` finds in this direction, and the key it was written at.
    pub(super) fn get<T>(
        self,
        field: &str,
        pick: impl Fn(&'a OneWay) -> Option<&'a T>,
    ) -> Option<(&'a T, KeyPath)> {
        let own = self.own.and_then(&pick).map(|value| (value, self.key.key(self.name).key(field)));
        own.or_else(|| pick(self.both).map(|value| (value, self.key.key(field))))
    }
}

/// Both directions of every link.
pub(super) fn check(
    network: &Network,
    paths: &[PathPlan],
    conditions: &Conditions<'_>,
    report: &mut Report,
) -> Vec<LinkPlan> {
    let sides = || network.links.iter().map(|link| [Side::up(link), Side::down(link)]);
    let ways = sides()
        .map(|sides| sides.map(|side| delays::check(side, conditions, report)))
        .collect::<Vec<_>>();
    let own = ways.iter().map(|[up, down]| up.steps.longest() + down.steps.longest());
    let round_trips = longest_round_trips(&own.collect::<Vec<_>>(), paths);
    let mut links = Vec::new();
    for (((declared, sides), ways), round_trip) in
        network.links.iter().zip(sides()).zip(ways).zip(round_trips)
    {
        let ([up, down], [up_way, down_way]) = (sides, ways);
        let mut plan = |side, way| direction(side, way, round_trip, conditions, report);
        let (up, down) = (plan(up, up_way), plan(down, down_way));
        links.push(LinkPlan { name: declared.name.clone(), up, down });
    }
    links
}

/// For each link the longest round trip without queueing of the paths that use it; `own` are those of the
/// links themselves.
pub(super) fn longest_round_trips(own: &[Span], paths: &[PathPlan]) -> Vec<Span> {
    let mut longest = vec![None; own.len()];
    for path in paths {
        let links = || path.links().filter_map(|link| own.get(link.0).copied());
        let whole = links().fold(Span::ZERO, |a, b| a + b);
        for link in path.links() {
            if let Some(longest) = longest.get_mut(link.0) {
                *longest = (*longest).max(Some(whole));
            }
        }
    }
    longest.iter().zip(own).map(|(longest, own)| longest.unwrap_or(*own)).collect()
}

fn direction(
    side: Side<'_>,
    way: Way,
    round_trip: Span,
    conditions: &Conditions<'_>,
    report: &mut Report,
) -> DirectionPlan {
    let service = capacity::check(side, conditions, report);
    let loss = side.get("loss", |way| way.loss.as_ref());
    let loss = loss.and_then(|(loss, key)| loss_in(side.name, loss, &key, report));
    let jitter = side.get("jitter", |way| way.jitter.as_ref());
    let jitter = jitter.map(|(jitter, key)| check_jitter(jitter, &key, report));
    let duplication = side.get("duplication", |way| way.duplication.as_ref()).map(|found| *found.0);
    let corruption = side.get("corruption", |way| way.corruption.as_ref()).map(|found| *found.0);
    let queue = queues::resolve(side, service.nominal_rate, round_trip, report);
    let described = OneWay {
        rate: service.described,
        delay: Some(way.described),
        queue: Some(queues::describe(&queue)),
        loss: loss.clone(),
        jitter: jitter.cloned(),
        duplication,
        corruption,
        outages: service.outages,
    };
    let impairments = impairments(loss.as_ref(), jitter, duplication, corruption);
    let (capacity, delay) = (service.capacity, way.steps.first());
    let config = LinkConfig { capacity, delay, queue, impairments, up: true };
    let files = VariationFiles { rate: service.file, delay: way.series };
    DirectionPlan { config, delays: way.steps, described, files }
}

fn impairments(
    loss: Option<&Loss>,
    jitter: Option<&Jitter>,
    duplication: Option<Probability>,
    corruption: Option<Probability>,
) -> Impairments {
    let (jitter, reorder) = jitter.map(jitter_model).unwrap_or_default();
    let (loss, loss_of) = loss.map(loss_model).unwrap_or_default();
    Impairments {
        loss,
        loss_of,
        jitter,
        reorder,
        duplicate: duplication.unwrap_or_default(),
        corrupt: corruption.unwrap_or_default(),
    }
}

/// The engine's model of a loss.
pub(super) fn loss_model(loss: &Loss) -> (impair::Loss, impair::Filter) {
    let survives = |loss: Probability| Probability::new(1.0 - loss.get()).unwrap_or_default();
    let (model, filter) = match loss {
        Loss::Bernoulli { probability, filter, .. } => {
            (impair::Loss::Bernoulli { probability: *probability }, filter)
        }
        Loss::GilbertElliott {
            good_to_bad,
            bad_to_good,
            loss_in_bad,
            loss_in_good,
            filter,
            ..
        } => {
            let (h, k) = (survives(*loss_in_bad), survives(*loss_in_good));
            (impair::Loss::GilbertElliott { p: *good_to_bad, r: *bad_to_good, h, k }, filter)
        }
        Loss::List { numbers, filter, .. } => (impair::Loss::Listed(numbers.clone()), filter),
    };
    let filter = match filter {
        PacketFilter::All => impair::Filter::All,
        PacketFilter::Data => impair::Filter::Data,
    };
    (model, filter)
}

/// The engine's model of a jitter, and whether packets may overtake each other.
fn jitter_model(jitter: &Jitter) -> (impair::Jitter, bool) {
    match *jitter {
        Jitter::Uniform { max, reorder } => (impair::Jitter::Uniform { max }, reorder),
        Jitter::Normal { mean, deviation, reorder } => {
            (impair::Jitter::Normal { mean, deviation }, reorder)
        }
        Jitter::Exponential { mean, cap, reorder } => {
            (impair::Jitter::Exponential { mean, cap }, reorder)
        }
    }
}

pub(super) fn missing<T: Default>(
    side: Side<'_>,
    field: &str,
    example: &str,
    report: &mut Report,
) -> T {
    let problem = Problem::Missing { key: field.to_owned(), example: example.to_owned() };
    report.fault(&side.key.key(field), problem);
    T::default()
}

/// Reports steps of the list at `key` that are not in order of time.
pub(super) fn check_order(
    times: impl Iterator<Item = Span> + Clone,
    key: &KeyPath,
    report: &mut Report,
) {
    for (index, (before, after)) in times.clone().zip(times.skip(1)).enumerate() {
        if after <= before {
            let what = format!("{after} is not after {before}");
            let key = key.index(index + 1).key("at");
            report.invalid(&key, what, "write the steps in order of time");
        }
    }
}

/// Reports a delay that is too long to be meant.
pub(super) fn check_delay(delay: Span, key: &KeyPath, report: &mut Report) -> Span {
    if delay > MAX_DELAY {
        report.invalid(key, format!("a delay of {delay} is absurd"), "write at most one hour");
    }
    delay
}

/// Reports a rate that carries nothing or more than any interface.
pub(super) fn check_rate(rate: Rate, key: &KeyPath, report: &mut Report) -> Rate {
    if rate.as_bps() == 0 {
        let help = "use `outages`, or `up = false` in the timeline";
        report.invalid(key, "a link of rate 0 carries nothing", help);
    } else if rate > MAX_RATE {
        let help = format!("write at most {MAX_RATE}");
        report.invalid(key, format!("a rate of {rate} is absurd"), help);
    }
    rate
}

/// The loss of one direction, if the model is meant for it.
pub(super) fn loss_in(side: &str, loss: &Loss, key: &KeyPath, report: &mut Report) -> Option<Loss> {
    let here = match loss.direction() {
        Directions::Both => true,
        Directions::Up => side == "up",
        Directions::Down => side == "down",
    };
    if !here {
        let own_table = key.steps().iter().rev().nth(1).is_some_and(|step| step == side);
        if own_table {
            let what = format!("this is the `{side}` direction, but the loss is in the other one");
            report.invalid(&key.key("direction"), what, "leave out `direction`");
        }
        return None;
    }
    if let Loss::List { numbers, .. } = loss {
        let numbers_key = key.key("numbers");
        if numbers.is_empty() {
            report.invalid(&numbers_key, "no packet is named", "write for example `[10, 11]`");
        }
        if let Some(index) = numbers.iter().position(|number| *number == 0) {
            let key = numbers_key.index(index);
            report.invalid(&key, "there is no packet 0", "packets are counted from 1");
        }
    }
    Some(loss.clone().in_its_direction())
}

fn check_jitter<'a>(jitter: &'a Jitter, key: &KeyPath, report: &mut Report) -> &'a Jitter {
    let (name, largest) = match jitter {
        Jitter::Uniform { max, .. } => ("max", *max),
        Jitter::Normal { mean, deviation, .. } => ("deviation", *mean + *deviation),
        Jitter::Exponential { mean, cap, .. } => {
            if mean > cap {
                let what = format!("the mean of {mean} is above the cap of {cap}");
                report.invalid(&key.key("cap"), what, "write a longer cap");
            }
            ("cap", *cap)
        }
    };
    check_delay(largest, &key.key(name), report);
    jitter
}
