//! A sweep is checked by trying each of its values in the scenario.

use std::sync::Arc;

use super::fault::Problem;
use super::key::KeyPath;
use super::source::Source;
use super::tree::{Node, Value};
use super::{Report, plan};

/// More values than a check tries one by one.
const MAX_VALUES: usize = 10_000;

/// Reports keys that cannot be varied and values that make a faulty scenario.
pub(super) fn check(tree: &Node, source: &Source, report: &mut Report) {
    let root = KeyPath::root().key("sweep");
    let Some(Node { value: Value::Table(sweep), .. }) = tree.at(&root) else { return };
    let mut base = tree.clone();
    if let Value::Table(table) = &mut base.value {
        table.remove("sweep");
    }
    let mut tried = 0;
    for (name, entry) in sweep.iter().filter(|(name, _)| name.as_str() != "seeds") {
        let place = root.key(name);
        let Value::List(values) = &entry.node.value else { continue };
        let Some(key) = KeyPath::parse(name).filter(|key| !key.is_within(&root)) else {
            let help = "write for example `\"links.wifi.delay\" = [\"10 ms\", \"50 ms\"]`";
            let what = format!("`{name}` is not the path of a key");
            report.fault_at(entry.key.clone(), &place, Problem::invalid(what, help));
            continue;
        };
        if values.is_empty() {
            report.invalid(&place, "no values to take", "name at least one");
        }
        for (index, value) in values.iter().enumerate() {
            tried += 1;
            if tried > MAX_VALUES {
                report.invalid(&root, "too many values", format!("write at most {MAX_VALUES}"));
                return;
            }
            try_value(&base, &key, value, &place.index(index), source, report);
        }
    }
}

fn try_value(
    base: &Node,
    key: &KeyPath,
    value: &Node,
    place: &KeyPath,
    source: &Source,
    report: &mut Report,
) {
    let mut tree = base.clone();
    if let Err(problem) = tree.set(key, &value.place, value.clone()) {
        report.fault(place, problem);
        return;
    }
    let mut trial = Report::new(Arc::new(tree.clone()));
    plan(tree, source, &mut trial);
    for fault in trial.faults {
        let help = fault.problem.help().unwrap_or_default();
        report.fault(place, Problem::invalid(fault.to_string(), help));
    }
}
