//! Congestion controls, schedulers and path managers: which one, with which parameters.
//!
//! A flow may name them; else the hosts' settings do. Parameters come from the
//! host's kernel modules, and over them those the flow gives.

use std::collections::BTreeMap;

use mptcpsim_models::params::Param;
use mptcpsim_models::rules::Stack;
use mptcpsim_models::{congestion, path_manager, scheduler};

use super::Report;
use super::fault::Problem;
use super::key::KeyPath;
use super::network::DeclaredHost;
use crate::plan::{Algorithm, FlowEnd, HostPlan};
use crate::scenario::{CongestionControl, Flow, PathManager, Scheduler};

impl CongestionControl {
    /// The model of this name.
    pub(crate) const fn model(self) -> congestion::Name {
        match self {
            Self::Reno => congestion::Name::Reno,
            Self::Cubic => congestion::Name::Cubic,
            Self::Lia => congestion::Name::Lia,
            Self::Olia => congestion::Name::Olia,
            Self::Balia => congestion::Name::Balia,
            Self::Wvegas => congestion::Name::Wvegas,
            Self::Bbr => congestion::Name::Bbr,
            Self::LiaRfc6356 => congestion::Name::LiaRfc6356,
            Self::OliaPaper => congestion::Name::OliaPaper,
            Self::BaliaDraft => congestion::Name::BaliaDraft,
            Self::Ewtcp => congestion::Name::Ewtcp,
            Self::Uncoupled => congestion::Name::Uncoupled,
        }
    }
}

impl Scheduler {
    /// The model of this name.
    pub(crate) const fn model(self) -> scheduler::Name {
        match self {
            Self::Default => scheduler::Name::Default,
            Self::LeastLinger => scheduler::Name::LeastLinger,
            Self::LowestRtt => scheduler::Name::LowestRtt,
            Self::RoundRobin => scheduler::Name::RoundRobin,
            Self::Redundant => scheduler::Name::Redundant,
            Self::Blest => scheduler::Name::Blest,
            Self::Ecf => scheduler::Name::Ecf,
            Self::Otias => scheduler::Name::Otias,
            Self::Sttf => scheduler::Name::Sttf,
            Self::Daps => scheduler::Name::Daps,
        }
    }
}

impl PathManager {
    /// The model of this name.
    pub(crate) const fn model(self) -> path_manager::Name {
        match self {
            Self::Default => path_manager::Name::Default,
            Self::Endpoints => path_manager::Name::Endpoints,
            Self::Fullmesh => path_manager::Name::Fullmesh,
            Self::Ndiffports => path_manager::Name::Ndiffports,
            Self::Binder => path_manager::Name::Binder,
            Self::Userspace => path_manager::Name::Userspace,
        }
    }
}

/// Every kernel module with its parameters.
fn all_modules() -> impl Iterator<Item = (&'static str, &'static [Param])> {
    let controls = congestion::Name::ALL.iter().map(|name| (name.module(), name.params()));
    let schedulers = scheduler::Name::ALL.iter().map(|name| (name.module(), name.params()));
    let managers = path_manager::Name::ALL.iter().map(|name| (name.module(), name.params()));
    let all = controls.chain(schedulers).chain(managers);
    all.filter_map(|(module, params)| Some((module?, params)))
}

/// The parameters of a host's kernel modules.
pub(super) fn modules(
    declared: &DeclaredHost,
    report: &mut Report,
) -> Vec<(&'static str, &'static str, i64)> {
    let key = declared.key.key("module_parameters");
    let mut found = Vec::new();
    for (name, &value) in &declared.host.module_parameters {
        let full = |module, param: &Param| format!("{module}.{}", param.name);
        let named = all_modules().find_map(|(module, params)| {
            let param = params.iter().find(|param| full(module, param) == *name)?;
            Some((module, param))
        });
        let Some((module, param)) = named else {
            let known = all_modules()
                .flat_map(|(module, params)| params.iter().map(move |param| full(module, param)));
            report.fault(&key.key(name), Problem::unknown("module parameter", name, known));
            continue;
        };
        if check_value(param, value, &key.key(name), report) {
            found.push((module, param.name, value));
        }
    }
    found
}

fn check_value(param: &Param, value: i64, key: &KeyPath, report: &mut Report) -> bool {
    let right = (param.min..=param.max).contains(&value);
    if !right {
        let what = format!("{value} is no value for `{}`", param.name);
        let help = format!("{}: {} to {}", param.doc, param.min, param.max);
        report.invalid(key, what, help);
    }
    right
}

/// The parameters that a flow gives to `algorithm`.
fn given(
    algorithm: &str,
    params: &[Param],
    given: &BTreeMap<String, i64>,
    key: &KeyPath,
    report: &mut Report,
) {
    for (name, &value) in given {
        let key = key.key(name);
        match params.iter().find(|param| param.name == *name) {
            Some(param) => {
                check_value(param, value, &key, report);
            }
            None => {
                let what = format!("parameter of {algorithm}");
                let known = params.iter().map(|param| param.name.to_owned());
                report.fault(&key, Problem::unknown(&what, name, known));
            }
        }
    }
}

/// The parameters of an algorithm on a host: those of its module, and over them the flow's.
fn params(
    host: &HostPlan,
    module: Option<&str>,
    given: &BTreeMap<String, i64>,
) -> Vec<(String, String)> {
    let of_host = host.modules.iter().filter(|(name, ..)| Some(*name) == module);
    let of_host = of_host.map(|(_, param, value)| ((*param).to_owned(), *value));
    let of_flow = given.iter().map(|(param, value)| (param.clone(), *value));
    of_host.chain(of_flow).map(|(param, value)| (param, value.to_string())).collect()
}

/// The congestion control of a flow's end on `host`.
pub(super) fn congestion_control(flow: &Flow, host: &HostPlan) -> Algorithm<congestion::Name> {
    let named = flow.congestion_control.map(CongestionControl::model);
    let name = named.unwrap_or(host.sysctl.tcp_congestion_control);
    Algorithm { name, params: params(host, name.module(), &flow.congestion_parameters) }
}

/// The scheduler of a flow's end on `host`.
pub(super) fn scheduler(flow: &Flow, host: &HostPlan) -> Algorithm<scheduler::Name> {
    let named = flow.mptcp.scheduler.map(Scheduler::model);
    let name = named.unwrap_or(host.sysctl.scheduler(host.stack));
    Algorithm { name, params: params(host, name.module(), &flow.mptcp.scheduler_parameters) }
}

/// The path manager of a flow's end on `host`.
pub(super) fn path_manager(flow: &Flow, host: &HostPlan) -> Algorithm<path_manager::Name> {
    let named = flow.mptcp.path_manager.map(PathManager::model);
    let named = named.filter(|name| name.runs_on(host.stack));
    let name = named.unwrap_or(path_manager::Name::from_sysctl(&host.sysctl, host.stack));
    Algorithm { name, params: params(host, name.module(), &flow.mptcp.path_manager_parameters) }
}

/// Reports a path manager that no end of a flow can have.
pub(super) fn check_stacks(
    flow: &Flow,
    key: &KeyPath,
    stacks: [Option<Stack>; 2],
    report: &mut Report,
) {
    let Some(named) = flow.mptcp.path_manager.map(PathManager::model) else { return };
    if !stacks.into_iter().flatten().any(|stack| named.runs_on(stack)) {
        let what = format!("hosts with `stack = \"out-of-tree\"` have no `{}`", named.name());
        let help = "write `fullmesh`, `ndiffports` or `binder`";
        report.invalid(&key.key("mptcp").key("path_manager"), what, help);
    }
}

/// The parameters that a flow gives to the algorithms of its ends.
pub(super) fn check(flow: &Flow, key: &KeyPath, ends: [&FlowEnd; 2], report: &mut Report) {
    let parameters = &flow.congestion_parameters;
    let congestion_key = key.key("congestion_parameters");
    let names = ends.map(|end| end.congestion_control.name);
    for (index, name) in names.iter().enumerate() {
        if !names[..index].contains(name) {
            given(name.name(), name.params(), parameters, &congestion_key, report);
        }
    }
    let parameters = &flow.mptcp.scheduler_parameters;
    let scheduler_key = key.key("mptcp").key("scheduler_parameters");
    let names = ends.map(|end| end.scheduler.name);
    for (index, name) in names.iter().enumerate() {
        if !names[..index].contains(name) {
            given(name.name(), name.params(), parameters, &scheduler_key, report);
        }
    }
    let parameters = &flow.mptcp.path_manager_parameters;
    let manager_key = key.key("mptcp").key("path_manager_parameters");
    let names = ends.map(|end| end.path_manager.name);
    for (index, name) in names.iter().enumerate() {
        if !names[..index].contains(name) {
            given(name.name(), name.params(), parameters, &manager_key, report);
        }
    }
}
