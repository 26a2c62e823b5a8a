//! Everything else of the command line.

use std::ffi::OsString;

use mptcpsim::capable::{BoxTouch, Finding, Verdict};
use mptcpsim::explain::{Explanation, PathTimes};
use mptcpsim::launcher::Launcher;
use mptcpsim::replay_cc::replay;
use mptcpsim::{cli, scenario, shipped as scenarios};
use mptcpsim_core::time::Span;
use mptcpsim_core::units::Rate;
use mptcpsim_models::congestion::{self, Congestion};
use mptcpsim_models::packetdrill::{self as scripts, Options, Outcome};
use mptcpsim_models::params::Param;
use mptcpsim_models::rules::{Rules, Stack};
use mptcpsim_models::sysctl::Sysctl;
use mptcpsim_models::{path_manager, scheduler};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors;
use crate::plan::Plan;
use crate::policy::{Policies, Trouble};
use crate::watch::Watch;

/// Does what is typed, the name of the program first, and returns the exit code; `launcher` is the command
/// line as words.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, typed: Vec<OsString>, launcher: Vec<OsString>) -> PyResult<u8> {
    let launcher = launched_by(launcher)?;
    Ok(py.detach(|| cli::main(typed, &launcher)))
}

/// A command line given as words.
pub(crate) fn launched_by(words: Vec<OsString>) -> PyResult<Launcher> {
    let mut words = words.into_iter();
    let program = words.next().ok_or_else(|| PyValueError::new_err("launcher: no program"))?;
    Ok(Launcher::new(program, words))
}

/// The JSON Schema of scenarios, as text.
#[pyfunction]
pub(crate) fn schema() -> String {
    format!("{:#}\n", scenario::schema())
}

/// The names and titles of the scenarios that come with mptcpsim, or of those that repeat papers.
#[pyfunction]
pub(crate) fn shipped(papers: bool) -> Vec<(&'static str, &'static str)> {
    let all = if papers { scenarios::PAPERS } else { scenarios::SCENARIOS };
    all.iter().map(|it| (it.name, it.title())).collect()
}

/// The columns of a table of results: their names, and what they hold.
#[pyfunction]
pub(crate) fn columns(table: &str) -> Vec<(String, String)> {
    let table = scenario::Table::ALL.into_iter().find(|known| known.name() == table);
    let columns = table.map_or(Vec::new(), mptcpsim::results::columns).into_iter();
    columns.map(|column| (column.name, column.text)).collect()
}

/// A tree given as JSON in the notation TOML.
#[pyfunction]
pub(crate) fn toml_of(json: &str) -> PyResult<String> {
    let tree: toml::Value =
        serde_json::from_str(json).map_err(|error| PyValueError::new_err(error.to_string()))?;
    toml::to_string_pretty(&tree).map_err(errors::internal)
}

/// A verdict on a path: its name, whether a subflow joined there, a word, the whole in words, and what
/// boxes did.
type Judged = (String, bool, &'static str, String, Vec<String>);

/// Would MPTCP survive the paths of a plan?
#[pyfunction]
pub(crate) fn capable(py: Python<'_>, plan: &Plan, policies: Policies) -> PyResult<Vec<Judged>> {
    let trouble = Trouble::default();
    let verdicts = py
        .detach(|| mptcpsim::capable::capable_with(&plan.plan, &mut policies.installed(&trouble)));
    trouble.check()?;
    let verdicts = verdicts.map_err(|error| errors::run_error(py, error))?;
    Ok(verdicts.iter().map(judged).collect())
}

/// A flow: its name and the host that sends, all in words, goodput, what is possible and what theory gives in
/// bits per second, and its paths with the seconds that went into what.
type Explained = (
    String,
    String,
    String,
    f64,
    Option<f64>,
    Option<f64>,
    Vec<(String, Vec<(&'static str, f64)>)>,
);

/// Runs a plan and says why its flows were no faster.
#[pyfunction]
pub(crate) fn explain(py: Python<'_>, plan: &Plan, policies: Policies) -> PyResult<Vec<Explained>> {
    let trouble = Trouble::default();
    let mut watch = Watch::new(None, &trouble);
    let explained = py.detach(|| {
        let policies = &mut policies.installed(&trouble);
        mptcpsim::explain::explain_with(&plan.plan, policies, &mut |time| watch.look(time))
    });
    watch.finish()?;
    let (flows, _) = explained.map_err(|error| errors::run_error(py, error))?;
    Ok(flows.iter().map(in_numbers).collect())
}

fn in_numbers(flow: &Explanation) -> Explained {
    let spent = |path: &PathTimes| {
        path.spent.iter().map(|(holdup, span)| (holdup.name(), span.as_secs_f64())).collect()
    };
    let paths = flow.paths.iter().map(|path| (path.path.clone(), spent(path))).collect();
    let (name, sender) = (flow.flow.clone(), flow.sender.clone());
    (name, sender, flow.text(), flow.goodput_bps, flow.possible_bps, flow.theory_bps, paths)
}

fn judged(verdict: &Verdict) -> Judged {
    let word = match verdict.finding {
        Finding::Capable => "capable",
        Finding::FellBack(_) => "fallback",
        Finding::Reset(_) => "reset",
        Finding::NotEstablished => "not-established",
        Finding::Stopped => "stopped",
        Finding::WrongBytes(_) => "wrong-bytes",
    };
    let touches = verdict.touches.iter().map(BoxTouch::to_string).collect();
    (verdict.path.clone(), verdict.joined, word, verdict.to_string(), touches)
}

/// Runs a packet script: how it ended as a word and in full, and everything that happened.
#[pyfunction]
pub(crate) fn packetdrill(
    py: Python<'_>,
    text: &str,
    stack: &str,
    settings: Vec<(String, String)>,
    defines: Vec<(String, String)>,
) -> PyResult<(&'static str, String, Vec<String>)> {
    let rules = Rules::FOR_SCRIPTS.iter().find(|(name, _)| *name == stack);
    let (_, rules) = rules.ok_or_else(|| {
        let known = Rules::FOR_SCRIPTS.map(|(name, _)| name).join(", ");
        PyValueError::new_err(format!("stack: there is no `{stack}`; known are {known}"))
    })?;
    let options = Options { rules, settings, defines, trace: true };
    let report = py.detach(|| scripts::run(text, &options));
    let word = match &report.outcome {
        Outcome::Passed => "passed",
        Outcome::Failed(_) => "failed",
        Outcome::Unsupported { .. } => "unsupported",
        Outcome::Unreadable(_) => "unreadable",
    };
    Ok((word, report.outcome.to_string(), report.trace))
}

/// Drives a congestion control with events in CSV, and returns its windows in CSV.
#[pyfunction]
pub(crate) fn replay_cc(
    py: Python<'_>,
    algorithm: &str,
    events: &str,
    parameters: Vec<(String, String)>,
) -> PyResult<String> {
    let name = congestion::Name::from_name(algorithm).ok_or_else(|| {
        let known = congestion::Name::ALL.iter().map(|name| name.name()).collect::<Vec<_>>();
        let known = known.join(", ");
        PyValueError::new_err(format!(
            "algorithm: there is no congestion control `{algorithm}`; known are {known}"
        ))
    })?;
    let congestion = Congestion::with_params(name, &parameters)
        .map_err(|error| PyValueError::new_err(format!("parameters: {error}")))?;
    let mut trajectory = Vec::new();
    py.detach(|| replay(congestion, events.as_bytes(), &mut trajectory))
        .map_err(|error| PyValueError::new_err(format!("events: {error}")))?;
    Ok(String::from_utf8_lossy(&trajectory).into_owned())
}

/// A parameter of an algorithm: name, default, smallest and largest value, and what it does.
type Described = (&'static str, i64, i64, i64, &'static str);

/// The parameters of an algorithm.
#[pyfunction]
pub(crate) fn parameters(kind: &str, name: &str) -> Vec<Described> {
    let params: Option<&'static [Param]> = match kind {
        "schedulers" => scheduler::Name::from_name(name).map(scheduler::Name::params),
        "congestion-controls" => congestion::Name::from_name(name).map(congestion::Name::params),
        "path-managers" => path_manager::Name::from_name(name).map(path_manager::Name::params),
        _ => None,
    };
    let params = params.unwrap_or(&[]).iter();
    params.map(|it| (it.name, it.default, it.min, it.max, it.doc)).collect()
}

/// The settings of hosts of a stack: name, default, what is expected, and what it does.
#[pyfunction]
pub(crate) fn sysctls(stack: &str) -> PyResult<Vec<(String, String, String, String)>> {
    let stack = match stack {
        "upstream" => Stack::Upstream,
        "out-of-tree" => Stack::OutOfTree,
        other => return Err(PyValueError::new_err(format!("stack: there is no `{other}`"))),
    };
    let known = Sysctl::describe(stack).into_iter();
    let known = known.filter(|knob| knob.only.is_none_or(|line| line == stack));
    let text = |knob: &dyn std::fmt::Display| knob.to_string();
    Ok(known
        .map(|it| (text(&it.name), text(&it.default), text(&it.expected), text(&it.help)))
        .collect())
}

/// A rate in bits per second.
#[pyfunction]
pub(crate) fn bits_per_second(text: &str) -> PyResult<u64> {
    let rate = text.parse::<Rate>().map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(rate.as_bps())
}

/// A time in seconds.
#[pyfunction]
pub(crate) fn seconds(text: &str) -> PyResult<f64> {
    let span = text.parse::<Span>().map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(span.as_secs_f64())
}
