//! Parse, don't validate: text becomes a [`Plan`], or a list of all its faults.
//!
//! ```text
//! text ─► tree with places ─► overrides ─► shape ─► Scenario ─► Plan
//!                                  every step reports its faults and goes on
//! ```
//!
//! What one fault spoils is left out of later steps, so that nobody reads ten
//! messages about one mistake.

mod algorithms;
mod capacity;
mod chance;
mod delays;
mod fault;
mod flows;
mod hosts;
mod key;
mod links;
mod middleboxes;
mod network;
mod overrides;
mod paths;
mod presets;
mod queues;
mod radios;
mod series;
mod shape;
mod source;
mod sweep;
mod template;
mod timeline;
mod tree;
mod workloads;

use std::collections::BTreeSet;
use std::sync::Arc;

use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Bytes;

use crate::plan::{Plan, RecordPlan};
use crate::scenario::{Scenario, Table};
use crate::topology;

pub use fault::{Fault, Faults, Problem};
pub use key::KeyPath;
pub use overrides::Override;
pub use source::{Notation, Place, Source, Text};

pub(crate) use flows::default_port;
pub(crate) use template::Template;
use tree::Node;

/// More faults than anybody reads.
const MAX_FAULTS: usize = 500;
/// Longer than every experiment that ends in a lifetime.
const MAX_DURATION: Span = Span::from_secs(30 * 24 * 3_600);
/// More samples than fit into memory.
const MAX_SAMPLES: u64 = 10_000_000;

/// Reads a scenario, puts the values of `overrides` in, and works everything out.
///
/// # Errors
/// All faults at once.
pub fn check(source: &Source, overrides: &[Override]) -> Result<Plan, Faults> {
    read(source, overrides).map(|(plan, _)| plan)
}

/// As [`check`], and returns what plans with other values can be made from.
pub(crate) fn check_template(
    source: &Source,
    overrides: &[Override],
) -> Result<(Plan, Template), Faults> {
    let (plan, tree) = read(source, overrides)?;
    Ok((plan, Template::new(source.clone(), Node::clone(&tree))))
}

fn read(source: &Source, overrides: &[Override]) -> Result<(Plan, Arc<Node>), Faults> {
    let mut tree = tree::read(source)?;
    let mut faults = Vec::new();
    for value in overrides {
        faults.extend(value.apply(&mut tree).err());
    }
    let tree = Arc::new(tree);
    let mut report = Report::new(Arc::clone(&tree));
    report.faults = faults;
    let plan = plan(Node::clone(&tree), source, &mut report);
    if let (true, Some(plan)) = (report.faults.is_empty(), &plan) {
        sweep::check(&tree, source, plan, &mut report);
    }
    Ok((finish(plan, report, source)?, tree))
}

/// The plan, if there are no faults.
fn finish(plan: Option<Plan>, report: Report, source: &Source) -> Result<Plan, Faults> {
    Faults::from_all(report.faults)?;
    plan.ok_or_else(|| {
        let place = Place::start_of(&source.text);
        Fault::new(place, KeyPath::root(), Problem::Syntax("this is no scenario".into())).into()
    })
}

/// The plan that a tree describes; useless if `report` has faults afterwards.
fn plan(mut tree: Node, source: &Source, report: &mut Report) -> Option<Plan> {
    shape::check(&mut tree, report);
    let json = tree.to_json();
    drop(tree);
    let mut scenario: Scenario = match serde_path_to_error::deserialize(json) {
        Ok(scenario) => scenario,
        Err(error) => {
            let key = error.path().to_string().replace(['[', ']'], ".").replace("..", ".");
            let key = KeyPath::parse(key.trim_matches('.')).unwrap_or_else(KeyPath::root);
            report.fault(&key, Problem::Syntax(error.inner().to_string()));
            return None;
        }
    };
    let written = scenario.topology.is_some().then(|| Box::new(scenario.clone()));
    expand(&mut scenario, report)?;
    let network = network::declare(&scenario, report);
    let paths = paths::join(&scenario, &network, report);
    let routes = paths::routes(&network, &paths);
    let folder = source.folder.as_deref();
    let duration = duration(&scenario, report);
    let conditions = links::Conditions { folder, seed: flows::seed(&scenario), duration };
    let links = links::check(&network, &paths, &conditions, report);
    let flows = flows::check(&scenario, &network, &paths, &routes, folder, report);
    let recordings = flows
        .iter()
        .filter_map(|draft| Some((draft.declared, draft.recording()?.to_owned())))
        .collect();
    let hosts = hosts::check(&scenario, &network, &flows, report);
    let radios = radios::check(&network, report);
    let timeline = timeline::check(&scenario, &network, &paths, &links, &hosts, report);
    let flows = flows::finish(flows, &scenario, &hosts, report);
    Some(Plan {
        name: scenario.name.clone().unwrap_or_else(|| source.stem().to_owned()),
        duration,
        seed: flows::seed(&scenario).0,
        record: record(&scenario, duration, report),
        sweep: scenario.sweep.clone(),
        warnings: hosts::warnings(&network, &hosts, &flows),
        recordings,
        links,
        middleboxes: network.middleboxes,
        hosts,
        paths,
        routes,
        flows,
        timeline,
        radios,
        scenario,
        written,
        folder: source.folder.clone(),
    })
}

/// Makes links, hosts, paths and flows of a topology; none if that is not possible.
fn expand(scenario: &mut Scenario, report: &mut Report) -> Option<()> {
    let root = KeyPath::root();
    if scenario.topology.is_none() && scenario.traffic.is_some() {
        let help = "add `[topology]` with a shape and a link, or write `[[flows]]`";
        report.invalid(&root.key("traffic"), "traffic needs a topology", help);
    }
    let Err(error) = topology::expand(scenario) else { return Some(()) };
    let (key, help) = error.advice();
    report.invalid(&root.key(key), error.to_string(), help);
    None
}

fn duration(scenario: &Scenario, report: &mut Report) -> Span {
    let key = KeyPath::root().key("duration");
    let duration = scenario.duration.unwrap_or(Span::from_secs(60));
    if duration.is_zero() {
        report.invalid(&key, "a run of no length", "write for example `duration = \"30 s\"`");
    } else if duration > MAX_DURATION {
        report.invalid(&key, "the run is longer than 30 days", "write a shorter time");
    }
    duration
}

fn record(scenario: &Scenario, duration: Span, report: &mut Report) -> RecordPlan {
    let key = KeyPath::root().key("record").key("interval");
    let record = &scenario.record;
    let interval = record.interval.unwrap_or(Span::from_ms(100));
    if interval.is_zero() {
        report.invalid(&key, "samples need time between them", "write for example `\"100 ms\"`");
    } else if duration <= MAX_DURATION && duration.as_ps() / interval.as_ps() > MAX_SAMPLES {
        let what = format!("more than {MAX_SAMPLES} samples in {duration}");
        report.invalid(&key, what, "write a longer time");
    }
    let mut ss_at: Vec<_> = record.ss_at.iter().map(|at| Time::ZERO + *at).collect();
    ss_at.sort_unstable();
    let mut tables = record.tables.clone().unwrap_or_else(Table::usual);
    if record.sequence {
        tables.insert(Table::Sequence);
    }
    RecordPlan {
        interval,
        tables,
        options: record.options,
        pcap: record.pcap,
        snap_length: record.snap_length.unwrap_or(Bytes::new(200)),
        ss: record.ss,
        ss_at,
        nstat: record.nstat,
    }
}

/// The faults found so far, and what they spoil.
struct Report {
    /// The tree as written: it knows all places.
    tree: Arc<Node>,
    faults: Vec<Fault>,
    spoilt: BTreeSet<KeyPath>,
}

impl Report {
    fn new(tree: Arc<Node>) -> Self {
        Self { tree, faults: Vec::new(), spoilt: BTreeSet::new() }
    }

    /// The place of the value at `key`, or of what is around it.
    fn place(&self, key: &KeyPath) -> Place {
        self.tree.place_of(key)
    }

    /// Reports a fault of the value at `key`, unless an earlier fault explains it.
    fn fault(&mut self, key: &KeyPath, problem: Problem) {
        self.fault_at(self.place(key), key, problem);
    }

    fn fault_at(&mut self, place: Place, key: &KeyPath, problem: Problem) {
        let fault = Fault::new(place, key.clone(), problem);
        if !self.is_spoilt(key) && self.faults.len() < MAX_FAULTS && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    fn invalid(&mut self, key: &KeyPath, what: impl Into<String>, help: impl Into<String>) {
        self.fault(key, Problem::invalid(what, help));
    }

    /// Remembers that nothing can be said about `key` any more.
    fn spoil(&mut self, key: KeyPath) {
        self.spoilt.insert(key);
    }

    fn is_spoilt(&self, key: &KeyPath) -> bool {
        self.spoilt.iter().any(|spoilt| key.is_within(spoilt))
    }

    /// Whether anything at or inside `key` was faulty, so that conclusions from it are idle.
    fn is_doubtful(&self, key: &KeyPath) -> bool {
        let inside = |other: &KeyPath| other.is_within(key) || key.is_within(other);
        self.spoilt.iter().any(inside) || self.faults.iter().any(|fault| inside(&fault.key))
    }
}
