//! What is counted of one run, by name.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use mptcpsim_core::time::Time;
use mptcpsim_models::host::Tapped;
use mptcpsim_models::segment::{Flags, Segment};

use crate::capture::Captures;
use crate::plan::{PathId, Plan};
use crate::results::{CounterRow, Tables};

/// Values by name; a name ends with the unit.
pub type Metrics = BTreeMap<String, f64>;

/// Counters of handshakes, joins, addresses, priorities, resets and fallbacks, by the beginning of
/// their names.
const COUNTERS: [&str; 14] = [
    "MPCapable",
    "MPJoin",
    "AddAddr",
    "EchoAdd",
    "RmAddr",
    "RmSubflow",
    "MPPrio",
    "MPFastclose",
    "MPFail",
    "InfiniteMap",
    "DataCsumErr",
    "DSSNotMatching",
    "DSSCorruption",
    "DssFallback",
];

/// What packets told during a run.
#[derive(Clone, Debug)]
pub(super) struct Observation {
    seen: Rc<RefCell<Seen>>,
}

#[derive(Debug)]
struct Seen {
    /// The path of each pair of addresses.
    paths: BTreeMap<(IpAddr, IpAddr), usize>,
    /// Payload that arrived over each path.
    arrived: Vec<u64>,
    first_syn: Option<Time>,
    /// When each option was sent first.
    options: BTreeMap<&'static str, Time>,
}

impl Observation {
    pub(super) fn new(plan: &Plan) -> Self {
        let both = plan.routes.iter().flat_map(|route| {
            let PathId(path) = route.path;
            [((route.a, route.b), path), ((route.b, route.a), path)]
        });
        let seen = Seen {
            paths: both.collect(),
            arrived: vec![0; plan.paths.len()],
            first_syn: None,
            options: BTreeMap::new(),
        };
        Self { seen: Rc::new(RefCell::new(seen)) }
    }

    /// A capture that shows it all packets.
    pub(super) fn captures(&self) -> Captures {
        let seen = Rc::clone(&self.seen);
        Captures::watching(move |tapped| seen.borrow_mut().packet(tapped))
    }

    /// All that is compared.
    pub(super) fn metrics(&self, plan: &Plan, tables: &Tables) -> Metrics {
        let mut metrics = Metrics::new();
        let rows = &tables.summary;
        let count = rows.len().max(1) as f64;
        let complete = rows.iter().filter(|row| row.complete && row.intact).count() as f64;
        metrics.insert("complete_share".to_owned(), complete / count);
        let times: Vec<f64> = rows.iter().filter_map(|row| row.completion_s).collect();
        if !times.is_empty() {
            let mean = times.iter().sum::<f64>() / times.len() as f64;
            metrics.insert("completion_s".to_owned(), mean);
        }
        let goodput = rows.iter().map(|row| row.goodput_bps).sum::<f64>() / count;
        metrics.insert("goodput_bps".to_owned(), goodput);
        let gap = rows.iter().map(|row| row.longest_gap_s).fold(0.0, f64::max);
        metrics.insert("longest_gap_s".to_owned(), gap);
        metrics.extend(counters(&tables.counters));
        self.seen.borrow().add(plan, &mut metrics);
        metrics
    }
}

/// Sums over all hosts.
fn counters(rows: &[CounterRow]) -> Metrics {
    let mut sums = Metrics::new();
    for row in rows {
        let name = row.counter.trim_start_matches("MPTcpExt").trim_start_matches("TcpExt");
        let repeated = ["TcpRetransSegs", "MPTCPRetrans"].contains(&name);
        if repeated || COUNTERS.iter().any(|prefix| name.starts_with(prefix)) {
            *sums.entry(format!("{name}_count")).or_default() += row.value as f64;
        }
    }
    sums.retain(|name, value| *value > 0.0 || name.ends_with("Retrans_count"));
    sums
}

impl Seen {
    fn packet(&mut self, tapped: &Tapped) {
        let Tapped { at, sent, tuple, segment, .. } = tapped;
        if *sent {
            if segment.flags.has(Flags::SYN) {
                self.first_syn.get_or_insert(*at);
            }
            for option in options(segment) {
                self.options.entry(option).or_insert(*at);
            }
            return;
        }
        let path = self.paths.get(&(tuple.src.ip(), tuple.dst.ip()));
        if let Some(arrived) = path.and_then(|path| self.arrived.get_mut(*path)) {
            *arrived += u64::from(segment.payload.len());
        }
    }

    fn add(&self, plan: &Plan, metrics: &mut Metrics) {
        let total: u64 = self.arrived.iter().sum();
        for (path, arrived) in plan.paths.iter().zip(&self.arrived).filter(|_| total > 0) {
            metrics.insert(format!("{}_share", path.name), *arrived as f64 / total as f64);
        }
        let Some(start) = self.first_syn else { return };
        for (option, at) in &self.options {
            metrics.insert(format!("first_{option}_s"), (*at - start).as_secs_f64());
        }
    }
}

/// The names of the MPTCP options that are sent for something special.
fn options(segment: &Segment) -> impl Iterator<Item = &'static str> {
    let rare = segment.rare();
    let has = |there: bool, name: &'static str| there.then_some(name);
    let found = rare.map(|rare| {
        [
            has(rare.mp_join.is_some(), "MP_JOIN"),
            has(rare.add_addr.is_some(), "ADD_ADDR"),
            has(rare.remove_addr.is_some(), "REMOVE_ADDR"),
            has(rare.mp_prio.is_some(), "MP_PRIO"),
            has(rare.mp_fail.is_some(), "MP_FAIL"),
            has(rare.mp_fastclose.is_some(), "MP_FASTCLOSE"),
            has(rare.mp_tcprst.is_some(), "MP_TCPRST"),
        ]
    });
    found.into_iter().flatten().flatten()
}
