//! Which runs a sweep has: each is worked out from its number, so a design takes the same memory whatever
//! the number of runs.

use std::collections::BTreeMap;

use mptcpsim_core::rng::{Seed, Stream};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::span::Span;
use crate::check::{Faults, KeyPath, Override, Source, Template, check_template};
use crate::plan::Plan;
use crate::scenario::{Domain, Sample, SampleDesign, Seeds, Sweep};

/// All runs of a sweep, in order: the last key varies fastest, and below it the seeds.
///
/// The lists of the scenario come first, sorted by key, then groups that vary
/// together, then the points of a sample.
#[derive(Clone, Debug)]
pub struct Design {
    template: Template,
    name: String,
    sweep: Sweep,
    factors: Vec<Factor>,
    seeds: Seeds,
    traces: Vec<String>,
}

/// Keys that change at the same time.
#[derive(Clone, Debug)]
struct Factor {
    keys: Vec<KeyPath>,
    levels: Levels,
}

#[derive(Clone, Debug)]
enum Levels {
    /// A list for each key.
    Lists(Vec<List>),
    /// Points of a sample.
    Points(Points),
}

/// The values of a key, and what results call them.
#[derive(Clone, Debug)]
struct List {
    values: Vec<Value>,
    names: Vec<Value>,
}

impl List {
    fn of(values: Vec<Value>) -> Self {
        Self { names: values.clone(), values }
    }
}

/// Names for values, by key and by place in the key's list.
type Names = BTreeMap<String, BTreeMap<usize, String>>;

/// One run of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its number, from 0.
    pub run: u64,
    /// The number of its configuration, from 0.
    pub configuration: u64,
    /// Its seed.
    pub seed: u64,
    /// The values of the varied keys, in the order of [`Design::keys`], as results call them.
    pub values: Vec<Value>,
}

impl Design {
    /// The design of a scenario with a `[sweep]`; without one there is a single run.
    ///
    /// # Errors
    /// All faults of the scenario and of its sweep.
    pub fn of(source: &Source, overrides: &[Override]) -> Result<Self, Faults> {
        let (plan, template) = check_template(source, overrides)?;
        let sweep = plan.sweep.clone().unwrap_or_default();
        let list =
            |(key, values): (&String, &Vec<Value>)| Some((KeyPath::parse(key)?, values.clone()));
        let factor = |lists: Vec<(KeyPath, Vec<Value>)>| {
            let (keys, lists) = lists.into_iter().unzip();
            let lists: Vec<Vec<Value>> = lists;
            Factor { keys, levels: Levels::Lists(lists.into_iter().map(List::of).collect()) }
        };
        let grid = sweep.keys.iter().filter_map(list).map(|it| factor(vec![it]));
        let groups =
            sweep.together.iter().map(|group| factor(group.iter().filter_map(list).collect()));
        let sample = sweep.sample.as_ref().map(Points::draw);
        let factors = grid.chain(groups).chain(sample).collect();
        let seeds = sweep.seeds.clone().unwrap_or(Seeds::List(vec![plan.seed]));
        let traces = plan.traces().into_iter().map(|(_, text)| text.to_owned()).collect();
        Ok(Self { template, name: plan.name, sweep, factors, seeds, traces })
    }

    /// The same design, in which some values have names by which results and scenario call them: values
    /// that stand for something that a scenario cannot say.
    #[must_use]
    pub fn named(mut self, names: &Names) -> Self {
        let rename = |key: &str, list: &mut [Value]| {
            for (place, name) in names.get(key).into_iter().flatten() {
                if let Some(value) = list.get_mut(*place) {
                    *value = name.as_str().into();
                }
            }
        };
        for factor in &mut self.factors {
            let Levels::Lists(lists) = &mut factor.levels else { continue };
            for (key, list) in factor.keys.iter().zip(lists) {
                rename(&key.to_string(), &mut list.names);
            }
        }
        for lists in self.sweep.together.iter_mut().chain([&mut self.sweep.keys]) {
            for (key, list) in lists {
                rename(key, list);
            }
        }
        self
    }

    /// The name of the scenario.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the scenario says about the sweep.
    pub fn sweep(&self) -> &Sweep {
        &self.sweep
    }

    /// The paths of the keys that vary.
    pub fn keys(&self) -> impl Iterator<Item = String> + '_ {
        self.factors.iter().flat_map(|factor| &factor.keys).map(ToString::to_string)
    }

    /// For each key some of the values that it takes, of every kind that occurs.
    pub(super) fn examples(&self) -> impl Iterator<Item = Vec<Value>> + '_ {
        self.factors.iter().flat_map(Factor::examples)
    }

    /// How many runs there are.
    pub fn runs(&self) -> u64 {
        self.configurations() * self.seeds.count()
    }

    /// How many different configurations there are; each runs with every seed.
    pub fn configurations(&self) -> u64 {
        self.factors.iter().map(Factor::count).product()
    }

    /// How many seeds each configuration runs with.
    pub fn seeds(&self) -> u64 {
        self.seeds.count()
    }

    /// The run called `run`, from 0.
    pub fn run(&self, run: u64) -> Run {
        let configuration = run / self.seeds.count();
        let seed = self.seeds.at(run % self.seeds.count()).unwrap_or_default();
        Run { run, configuration, seed, values: self.values(configuration, |list| &list.names) }
    }

    fn values(&self, configuration: u64, which: fn(&List) -> &[Value]) -> Vec<Value> {
        let mut below = self.configurations();
        let mut rest = configuration;
        let mut values = Vec::new();
        for factor in &self.factors {
            below /= factor.count();
            factor.values(rest / below, which, &mut values);
            rest %= below;
        }
        values
    }

    /// What is simulated in a run.
    ///
    /// # Errors
    /// If its values do not fit together, each of them being good for itself.
    pub fn plan(&self, run: &Run) -> Result<Plan, Faults> {
        let keys = self.factors.iter().flat_map(|factor| &factor.keys);
        let seed = (KeyPath::root().key("seed"), json!(run.seed));
        let values = self.values(run.configuration, |list| &list.values);
        let values = keys.zip(&values).chain([(&seed.0, &seed.1)]);
        self.template.plan(&values.collect::<Vec<_>>())
    }

    /// The scenario that is varied, with its sweep.
    pub(crate) fn scenario(&self) -> Value {
        let mut scenario = self.template.to_json();
        if let Value::Object(table) = &mut scenario {
            table.insert("sweep".into(), json!(self.sweep));
        }
        scenario
    }

    /// SHA-256 over the scenario, the files it names and the design, in hexadecimal.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new().chain_update(self.scenario().to_string());
        self.traces.iter().for_each(|text| hash.update(text));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Sweep {
    /// How many combinations of values there are; none if they are beyond all counting.
    pub(crate) fn configurations(&self) -> Option<u64> {
        let lists = self.keys.values().map(Vec::len);
        let groups =
            self.together.iter().map(|group| group.values().map(Vec::len).min().unwrap_or(1));
        let points = self.sample.as_ref().map(|sample| sample.points as usize);
        let mut counts = lists.chain(groups).chain(points);
        counts.try_fold(1u64, |product, count| product.checked_mul(count as u64))
    }
}

impl Factor {
    fn count(&self) -> u64 {
        let count = match &self.levels {
            Levels::Lists(lists) => lists.iter().map(|it| it.values.len()).min().unwrap_or(1),
            Levels::Points(points) => points.count,
        };
        count as u64
    }

    fn examples(&self) -> Vec<Vec<Value>> {
        match &self.levels {
            Levels::Lists(lists) => lists.iter().map(|list| list.names.clone()).collect(),
            Levels::Points(points) => points.axes.iter().map(|(axis, _)| axis.examples()).collect(),
        }
    }

    fn values(&self, level: u64, which: fn(&List) -> &[Value], values: &mut Vec<Value>) {
        let level = usize::try_from(level).unwrap_or(usize::MAX);
        match &self.levels {
            Levels::Lists(lists) => {
                values.extend(lists.iter().filter_map(|list| which(list).get(level)).cloned())
            }
            Levels::Points(points) => values.extend(points.at(level)),
        }
    }
}

/// The points of a sample, as shares of the way through each domain.
#[derive(Clone, Debug)]
struct Points {
    count: usize,
    axes: Vec<(Axis, Vec<f64>)>,
}

#[derive(Clone, Debug)]
enum Axis {
    List(Vec<Value>),
    Span(Span),
}

impl Axis {
    fn examples(&self) -> Vec<Value> {
        match self {
            Self::List(list) => list.clone(),
            Self::Span(span) => vec![span.at(0.0), span.at(1.0)],
        }
    }
}

impl Points {
    fn draw(sample: &Sample) -> Factor {
        let count = sample.points as usize;
        let mut keys = Vec::new();
        let mut axes = Vec::new();
        for (name, domain) in &sample.keys {
            let axis = match domain {
                Domain::List(list) => Some(Axis::List(list.clone())),
                Domain::Range(range) => Span::of(range).ok().map(Axis::Span),
            };
            let (Some(key), Some(axis)) = (KeyPath::parse(name), axis) else { continue };
            let mut dice = Stream::new(Seed(sample.seed), &format!("sweep.sample.{name}"));
            keys.push(key);
            axes.push((axis, shares(sample.design, count, &mut dice)));
        }
        Factor { keys, levels: Levels::Points(Self { count, axes }) }
    }

    fn at(&self, point: usize) -> impl Iterator<Item = Value> + '_ {
        self.axes.iter().filter_map(move |(axis, shares)| {
            let share = *shares.get(point)?;
            match axis {
                Axis::List(list) => list.get((share * list.len() as f64) as usize).cloned(),
                Axis::Span(span) => Some(span.at(share)),
            }
        })
    }
}

/// Where in [0, 1) the points lie along one axis.
fn shares(design: SampleDesign, count: usize, dice: &mut Stream) -> Vec<f64> {
    match design {
        SampleDesign::Random => (0..count).map(|_| dice.uniform()).collect(),
        SampleDesign::LatinHypercube => {
            let part = |index: usize, within: f64| (index as f64 + within) / count as f64;
            let mut shares =
                (0..count).map(|index| part(index, dice.uniform())).collect::<Vec<_>>();
            // The shuffle of Fisher and Yates.
            for last in (1..count).rev() {
                let other = dice.below(last as u64 + 1) as usize;
                shares.swap(last, other);
            }
            shares
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Notation;

    fn design(sweep: &str) -> Result<Design, Faults> {
        let text = format!(
            "[[paths]]\nrate = \"10 Mbit/s\"\ndelay = \"5 ms\"\n[[flows]]\n\
             app = {{ kind = \"bulk\", bytes = \"1 MB\" }}\n{sweep}"
        );
        Design::of(&Source::new("test", &text, Notation::Toml), &[])
    }

    #[test]
    fn all_combinations_run_with_all_seeds() {
        let design = design(
            "[sweep]\nseeds = [3, 5]\n\"paths.0.delay\" = [\"1 ms\", \"2 ms\"]\n\
             [[sweep.together]]\n\"paths.0.rate\" = [\"1 Mbit/s\", \"2 Mbit/s\"]\n\
             \"flows.0.app.bytes\" = [\"1 KB\", \"2 KB\"]",
        )
        .unwrap();
        assert_eq!((design.configurations(), design.runs()), (4, 8));
        let keys = design.keys().collect::<Vec<_>>();
        assert_eq!(keys, ["paths.0.delay", "flows.0.app.bytes", "paths.0.rate"]);
        let runs = (0..8).map(|run| design.run(run)).collect::<Vec<_>>();
        assert_eq!(runs[2].values, [json!("1 ms"), json!("2 KB"), json!("2 Mbit/s")]);
        assert_eq!((runs[7].configuration, runs[7].seed), (3, 5));
        let plan = design.plan(&runs[7]).unwrap();
        assert_eq!((plan.seed, plan.links[0].up.config.delay.as_ms()), (5, 2));
        let different = runs.iter().map(|run| format!("{:?}{}", run.values, run.seed));
        assert_eq!(different.collect::<std::collections::BTreeSet<_>>().len(), 8);
    }

    #[test]
    fn a_latin_hypercube_meets_every_part_of_every_range_once() {
        let design = design(
            "[sweep.sample]\npoints = 50\n\"paths.0.delay\" = { from = \"0 ms\", to = \"50 ms\" }\n\
             \"flows.0.app.bytes\" = { from = \"1 KB\", to = \"1 MB\", scale = \"log\" }\n\
             \"flows.0.protocol\" = [\"tcp\", \"mptcp\"]",
        )
        .unwrap();
        let points = (0..50).map(|run| design.run(run).values).collect::<Vec<_>>();
        let tcp = points.iter().filter(|values| values[1] == json!("tcp")).count();
        assert_eq!(tcp, 25, "a list is met evenly, too");
        let delays = (0..50).map(|run| {
            let plan = design.plan(&design.run(run)).unwrap();
            plan.links[0].up.config.delay.as_us() / 1_000
        });
        let delays = delays.collect::<std::collections::BTreeSet<_>>();
        assert_eq!(delays, (0..50).collect());
    }

    #[test]
    fn names_stand_in_results_and_values_in_plans() {
        let lists = "[sweep]\n\"paths.0.delay\" = [\"1 ms\", \"2 ms\"]";
        let names = [("paths.0.delay".to_owned(), BTreeMap::from([(1, "late".to_owned())]))];
        let plain = design(lists).unwrap();
        let named = plain.clone().named(&BTreeMap::from(names));
        let last = named.runs() - 1;
        assert_eq!(named.run(0).values, [json!("1 ms")]);
        assert_eq!(named.run(last).values, [json!("late")]);
        assert_eq!(named.plan(&named.run(last)).unwrap(), plain.plan(&plain.run(last)).unwrap());
        assert_ne!(named.digest(), plain.digest());
    }

    #[test]
    fn bad_designs_are_refused() {
        let many = (0..10).map(|index| {
            let list = (0..20).map(|ms| format!("\"{ms} ms\"")).collect::<Vec<_>>().join(", ");
            format!("[[sweep.together]]\n\"flows.0.start{}\" = [{list}]\n", " ".repeat(index))
        });
        let huge = "[sweep]\nseeds = \"1..1000000000000\"";
        for (sweep, complaint) in [
            ("[sweep]\nseeds = []", "no seeds"),
            ("[sweep]\nseeds = [1, 2, 1]", "the seed 1 is named twice"),
            ("[sweep]\n\"seed\" = [1, 2]", "seeds are varied by `seeds`"),
            ("[sweep]\n\"paths.0.delay\" = []", "no values to take"),
            ("[sweep]\n\"paths.0.dealy\" = [\"1 ms\"]", "did you mean `delay`?"),
            ("[sweep]\n\"paths.7.delay\" = [\"1 ms\"]", "a list with 1 elements"),
            ("[sweep]\n\"hosts.clent.stack\" = [\"upstream\"]", "did you mean `client`?"),
            (
                "[sweep]\n\"flows.0.app\" = [{ kind = \"bulk\", bytes = \"1 B\" }]\n\"flows.0.app.bytes\" = [\"1 B\"]",
                "varied already",
            ),
            (
                "[[sweep.together]]\n\"paths.0.delay\" = [\"1 ms\"]\n\"paths.0.rate\" = [\"1 Mbit/s\", \"2 Mbit/s\"]",
                "have 1, 2 values",
            ),
            (
                "[sweep.sample]\npoints = 0\n\"paths.0.delay\" = { from = \"1 ms\", to = \"2 ms\" }",
                "0 is too small",
            ),
            (
                "[sweep.sample]\npoints = 5\n\"paths.0.delay\" = { from = \"3 ms\", to = \"2 ms\" }",
                "not less than",
            ),
            ("[sweep.sample]\npoints = 5", "no keys to draw"),
            (huge, "the sweep has 1000000000000 runs"),
            (&many.collect::<String>(), "varied already"),
        ] {
            let faults = design(sweep).unwrap_err().to_string();
            assert!(faults.contains(complaint), "{sweep}\n{faults}");
        }
    }
}
