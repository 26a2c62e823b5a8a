//! A sweep is checked by trying each of its values in the scenario.

use std::sync::Arc;

use super::fault::Problem;
use super::key::KeyPath;
use super::source::{Place, Source};
use super::tree::{Node, Value};
use super::{Report, plan};
use crate::plan::Plan;
use crate::scenario::{Seeds, Sweep};
use crate::sweep::{MAX_RUNS, Span};

/// More values than a check tries one by one.
const MAX_VALUES: usize = 10_000;

/// Reports keys that cannot be varied, values that make a faulty scenario, and sweeps without end.
pub(super) fn check(tree: &Node, source: &Source, plan: &Plan, report: &mut Report) {
    let root = KeyPath::root().key("sweep");
    let (Some(node), Some(sweep)) = (tree.at(&root), &plan.sweep) else { return };
    let mut base = tree.clone();
    if let Value::Table(table) = &mut base.value {
        table.remove("sweep");
    }
    let mut check = Check {
        node,
        root,
        plan,
        trial: Trial { base, source, tried: 0 },
        keys: Vec::new(),
        report,
    };
    check.seeds(sweep);
    check.lists(&check.root.clone(), &["seeds", "together", "sample"]);
    for index in 0..sweep.together.len() {
        check.group(index);
    }
    check.sample(sweep);
    check.size(sweep);
}

struct Check<'a> {
    node: &'a Node,
    /// `sweep`.
    root: KeyPath,
    plan: &'a Plan,
    trial: Trial<'a>,
    /// What is varied so far.
    keys: Vec<KeyPath>,
    report: &'a mut Report,
}

/// Puts values into the scenario and looks what becomes of it.
struct Trial<'a> {
    base: Node,
    source: &'a Source,
    tried: usize,
}

impl<'a> Check<'a> {
    fn seeds(&mut self, sweep: &Sweep) {
        let place = self.root.key("seeds");
        let Some(seeds) = &sweep.seeds else { return };
        if seeds.count() == 0 {
            self.report.invalid(&place, "no seeds to run with", "write for example `\"1..20\"`");
        }
        if let Seeds::List(list) = seeds {
            for (index, seed) in list.iter().enumerate() {
                if list.iter().take(index).any(|earlier| earlier == seed) {
                    let what = format!("the seed {seed} is named twice");
                    let help = "two runs of the same seed are one run";
                    self.report.invalid(&place.index(index), what, help);
                    return;
                }
            }
        }
    }

    /// The lists of one table, without the keys that mean something else; each value is tried for itself.
    fn lists(&mut self, place: &KeyPath, others: &[&str]) {
        for (key, values, here) in self.lists_in(place, others) {
            for (index, value) in values.iter().enumerate() {
                self.trial.values(&[(&key, value)], &here.index(index), self.report);
            }
        }
    }

    /// The keys, values and places of the lists of one table.
    fn lists_in(
        &mut self,
        place: &KeyPath,
        others: &[&str],
    ) -> Vec<(KeyPath, &'a [Node], KeyPath)> {
        let inner = KeyPath::of_steps(place.steps().get(1..).unwrap_or_default());
        let node: &'a Node = self.node;
        let Some(Node { value: Value::Table(table), .. }) = node.at(&inner) else {
            return Vec::new();
        };
        let mut lists = Vec::new();
        for (name, entry) in table.iter().filter(|(name, _)| !others.contains(&name.as_str())) {
            let Value::List(values) = &entry.node.value else { continue };
            let here = place.key(name);
            let Some(key) = self.key(name, &entry.key, &here) else { continue };
            if values.is_empty() {
                self.report.invalid(&here, "no values to take", "name at least one");
            }
            lists.push((key, values.as_slice(), here));
        }
        lists
    }

    /// Lists that vary together: their values are tried together, too.
    fn group(&mut self, index: usize) {
        let place = self.root.key("together").index(index);
        let lists = self.lists_in(&place, &[]);
        let lengths = || lists.iter().map(|(_, values, _)| values.len());
        if lengths().min() != lengths().max() {
            let lengths = lengths().map(|length| length.to_string()).collect::<Vec<_>>().join(", ");
            let what = format!("lists that vary together have {lengths} values");
            self.report.invalid(&place, what, "give all of them the same number of values");
        }
        if lists.is_empty() {
            let help = "name two keys, or leave it out";
            self.report.invalid(&place, "nothing varies together here", help);
        }
        for level in 0..lengths().min().unwrap_or(0) {
            let values =
                lists.iter().filter_map(|(key, values, _)| Some((key, values.get(level)?)));
            self.trial.values(&values.collect::<Vec<_>>(), &place, self.report);
        }
    }

    fn sample(&mut self, sweep: &Sweep) {
        let Some(sample) = &sweep.sample else { return };
        let place = self.root.key("sample");
        self.lists(&place, &["design", "points", "seed"]);
        let Some(Node { value: Value::Table(table), .. }) =
            self.node.at(&KeyPath::root().key("sample"))
        else {
            return;
        };
        if sample.keys.is_empty() {
            let help = "write for example `\"links.wifi.rate\" = { from = \"1 Mbit/s\", to = \"50 Mbit/s\" }`";
            self.report.invalid(&place, "no keys to draw values for", help);
        }
        for (name, domain) in &sample.keys {
            let (Some(entry), crate::scenario::Domain::Range(range)) = (table.get(name), domain)
            else {
                continue;
            };
            let here = place.key(name);
            let Some(key) = self.key(name, &entry.key, &here) else { continue };
            match Span::of(range) {
                Ok(span) => {
                    for (end, share) in [("from", 0.0), ("to", 1.0)] {
                        let value = Node::from_json(&span.at(share), &entry.node.place);
                        self.trial.values(&[(&key, &value)], &here.key(end), self.report);
                    }
                }
                Err(why) => {
                    let help = "write for example `{ from = \"1 ms\", to = \"100 ms\" }`";
                    self.report.invalid(&here, why, help);
                }
            }
        }
    }

    fn size(&mut self, sweep: &Sweep) {
        if !self.report.faults.is_empty() {
            return;
        }
        let configurations = sweep.configurations();
        let seeds = sweep.seeds.as_ref().map_or(1, Seeds::count);
        let runs = configurations.and_then(|count| count.checked_mul(seeds));
        if runs.is_none_or(|runs| runs > MAX_RUNS) {
            let runs = runs.map_or("more than 10^19".to_owned(), |runs| runs.to_string());
            let what = format!("the sweep has {runs} runs, at most {MAX_RUNS} are possible");
            let help = "draw points with `[sweep.sample]` instead of taking every combination";
            self.report.invalid(&self.root.clone(), what, help);
        }
    }

    /// The key called `name`, if it can be varied and is not yet.
    fn key(&mut self, name: &str, written: &Place, place: &KeyPath) -> Option<KeyPath> {
        let invalid = |report: &mut Report, what: String, help: &str| {
            report.fault_at(written.clone(), place, Problem::invalid(what, help));
            None
        };
        let sweep = KeyPath::root().key("sweep");
        let Some(key) = KeyPath::parse(name).filter(|key| !key.is_within(&sweep)) else {
            let help = "write for example `\"links.wifi.delay\" = [\"10 ms\", \"50 ms\"]`";
            return invalid(self.report, format!("`{name}` is not the path of a key"), help);
        };
        if key == KeyPath::root().key("seed") {
            let help = "write for example `seeds = \"1..20\"`";
            return invalid(self.report, "seeds are varied by `seeds`".to_owned(), help);
        }
        let clash = |other: &&KeyPath| key.is_within(other) || other.is_within(&key);
        if let Some(other) = self.keys.iter().find(clash) {
            let what = format!("`{other}` is varied already");
            return invalid(self.report, what, "name each key once, and none inside another");
        }
        if let Some(problem) = self.unknown(&key) {
            self.report.fault_at(written.clone(), place, problem);
            return None;
        }
        self.keys.push(key.clone());
        Some(key)
    }

    /// A value cannot call a link or host into being by a typing mistake in its name.
    fn unknown(&self, key: &KeyPath) -> Option<Problem> {
        let [kind, name, ..] = key.steps() else { return None };
        let what = match kind.as_str() {
            "links" => "link",
            "hosts" => "host",
            "middleboxes" => "middlebox",
            _ => return None,
        };
        let mut known = match self.trial.base.at(&KeyPath::root().key(kind)).map(|node| &node.value)
        {
            Some(Value::Table(table)) => table.keys().cloned().collect(),
            _ => Vec::new(),
        };
        if kind == "hosts" {
            known.extend(self.plan.hosts.iter().map(|host| host.name.clone()));
        }
        (!known.contains(name)).then(|| Problem::unknown(what, name, known))
    }
}

impl Trial<'_> {
    fn values(&mut self, values: &[(&KeyPath, &Node)], place: &KeyPath, report: &mut Report) {
        self.tried += 1;
        if self.tried > MAX_VALUES {
            if self.tried == MAX_VALUES + 1 {
                let root = KeyPath::root().key("sweep");
                report.invalid(&root, "too many values", format!("write at most {MAX_VALUES}"));
            }
            return;
        }
        let mut tree = self.base.clone();
        for (key, value) in values {
            if let Err(problem) = tree.set(key, &value.place, Node::clone(value)) {
                report.fault(place, problem);
                return;
            }
        }
        let mut trial = Report::new(Arc::new(tree.clone()));
        plan(tree, self.source, &mut trial);
        for fault in trial.faults {
            let help = fault.problem.help().unwrap_or_default();
            report.fault(place, Problem::invalid(fault.to_string(), help));
        }
    }
}
