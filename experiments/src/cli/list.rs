//! `mptcpsim list`: what can be named, straight from the schema that scenarios are checked by.

use std::fmt::Write;

use clap::ValueEnum;
use mptcpsim::results::{Column, columns};
use mptcpsim::scenario::{LinkPreset, RadioPreset, Table};
use mptcpsim::shipped::Shipped;
use mptcpsim::validate::reference::{REFERENCES, Reference};
use mptcpsim::{scenario, shipped};
use mptcpsim_models::params::Param;
use mptcpsim_models::rules::Stack;
use mptcpsim_models::sysctl::{Description, Sysctl};
use mptcpsim_models::{congestion, path_manager, scheduler};
use serde_json::Value;

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Who decides which subflow carries the next data
    Schedulers,
    /// Who decides how fast a subflow sends
    CongestionControls,
    /// Who opens subflows and announces addresses
    PathManagers,
    /// Links as they were measured somewhere
    Links,
    /// Queue disciplines of links
    Queues,
    /// Loss models of links
    Losses,
    /// How the delay of links can vary
    Jitters,
    /// Radios of interfaces, for energy
    Radios,
    /// What stands on paths and changes what passes
    Middleboxes,
    /// Ready networks
    Topologies,
    /// Who sends to whom in a ready network
    Matrices,
    /// What runs over a connection
    Apps,
    /// Whose TCP and MPTCP a host runs
    Stacks,
    /// Settings of hosts
    Sysctls,
    /// Tables of results, with their columns
    Tables,
    /// The scenarios that come with mptcpsim
    Scenarios,
    /// Sweeps that repeat what papers have measured
    Papers,
    /// Scenarios that were measured on real kernels (`validate --measured`)
    Measured,
}

impl Kind {
    /// The type of the schema that holds the names, and the key that names them in a scenario.
    fn definition(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Schedulers => Some(("Scheduler", "flows.N.mptcp.scheduler")),
            Self::CongestionControls => Some(("CongestionControl", "flows.N.congestion_control")),
            Self::PathManagers => Some(("PathManager", "flows.N.mptcp.path_manager")),
            Self::Links => Some(("LinkPreset", "links.NAME.preset")),
            Self::Queues => Some(("Queue", "links.NAME.queue")),
            Self::Losses => Some(("Loss", "links.NAME.loss")),
            Self::Jitters => Some(("Jitter", "links.NAME.jitter")),
            Self::Radios => Some(("RadioPreset", "hosts.NAME.radios.INTERFACE")),
            Self::Middleboxes => Some(("Action", "middleboxes.NAME.action")),
            Self::Topologies => Some(("Shape", "topology.shape")),
            Self::Matrices => Some(("Matrix", "traffic.matrix")),
            Self::Apps => Some(("App", "flows.N.app")),
            Self::Stacks => Some(("Stack", "hosts.NAME.stack")),
            Self::Tables => Some(("Table", "record.tables")),
            Self::Sysctls | Self::Scenarios | Self::Papers | Self::Measured => None,
        }
    }

    /// The parameters of an algorithm, which scenarios give beside its name.
    fn model_parameters(self, name: &str) -> &'static [Param] {
        let params = match self {
            Self::Schedulers => scheduler::Name::from_name(name).map(scheduler::Name::params),
            Self::CongestionControls => {
                congestion::Name::from_name(name).map(congestion::Name::params)
            }
            Self::PathManagers => {
                path_manager::Name::from_name(name).map(path_manager::Name::params)
            }
            _ => None,
        };
        params.unwrap_or(&[])
    }

    fn name(self) -> String {
        self.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
    }
}

/// One kind in full, or all in short.
pub(super) fn text(kind: Option<Kind>) -> String {
    let schema = scenario::schema();
    match kind {
        Some(Kind::Sysctls) => sysctls(),
        Some(Kind::Scenarios) => scenarios(shipped::SCENARIOS),
        Some(Kind::Papers) => scenarios(shipped::PAPERS),
        Some(Kind::Measured) => measured(),
        Some(kind) => in_full(kind, &schema),
        None => {
            let kinds = Kind::value_variants().iter().map(|kind| in_short(*kind, &schema));
            kinds.collect::<String>() + "\n`mptcpsim list KIND` shows parameters and defaults.\n"
        }
    }
}

fn in_short(kind: Kind, schema: &Value) -> String {
    let names = match kind {
        Kind::Sysctls => {
            let count = [Stack::Upstream, Stack::OutOfTree].map(|stack| settings(stack).len());
            vec![format!("{} settings upstream, {} more out of tree", count[0], count[1])]
        }
        Kind::Scenarios => {
            shipped::SCENARIOS.iter().map(|shipped| shipped.name.to_owned()).collect()
        }
        Kind::Papers => shipped::PAPERS.iter().map(|shipped| shipped.name.to_owned()).collect(),
        Kind::Measured => {
            let count = |reference: &Reference| reference.scenarios().map_or(0, |all| all.len());
            let said = |it: &Reference| format!("{} of {}", count(it), it.name);
            REFERENCES.iter().map(said).collect()
        }
        _ => choices(kind, schema).iter().map(|choice| name_of(choice).to_owned()).collect(),
    };
    format!("{:<20} {}\n", kind.name(), names.join(", "))
}

fn in_full(kind: Kind, schema: &Value) -> String {
    let mut text = String::new();
    if let Some((_, key)) = kind.definition() {
        line(&mut text, format_args!("{key} =\n"));
    }
    for choice in choices(kind, schema) {
        line(&mut text, format_args!("{}\n    {}", name_of(choice), description(choice)));
        for (name, property) in parameters(choice) {
            let column = format!("{name} ({})", requirement(choice, name, property));
            line(&mut text, format_args!("    {column:<36} {}", description(property)));
        }
        for key in preset_keys(kind, choice).lines() {
            line(&mut text, format_args!("    {key}"));
        }
        for column in columns_of(kind, choice) {
            line(&mut text, format_args!("    {:<36} {}", column.name, column.text));
        }
        for param in kind.model_parameters(name_of(choice)) {
            let column = format!("{} (default {})", param.name, param.default);
            line(&mut text, format_args!("    {column:<36} {}", param.doc));
        }
        text.push('\n');
    }
    text
}

fn choices(kind: Kind, schema: &Value) -> &[Value] {
    let definition = kind.definition().and_then(|(name, _)| schema.get("$defs")?.get(name));
    let choices = definition.and_then(|definition| definition.get("oneOf")?.as_array());
    choices.map_or(&[], Vec::as_slice)
}

/// The keys of a preset, as a scenario would have them.
fn preset_keys(kind: Kind, choice: &Value) -> String {
    let name = Value::from(name_of(choice));
    let text = match kind {
        Kind::Links => serde_json::from_value(name)
            .ok()
            .and_then(|preset: LinkPreset| toml::to_string(&preset.link()).ok()),
        Kind::Radios => serde_json::from_value(name)
            .ok()
            .and_then(|preset: RadioPreset| toml::to_string(&preset.power()).ok()),
        _ => None,
    };
    text.unwrap_or_default()
}

/// The columns of a table.
fn columns_of(kind: Kind, choice: &Value) -> Vec<Column> {
    let table = Table::ALL.into_iter().find(|table| table.name() == name_of(choice));
    table.filter(|_| kind == Kind::Tables).map_or(Vec::new(), columns)
}

/// What names a choice: its constant, or the constant among its keys.
fn name_of(choice: &Value) -> &str {
    let constant = |schema: &'_ Value| schema.get("const").and_then(Value::as_str).is_some();
    let of_key = || choice.get("properties")?.as_object()?.values().find(|key| constant(key));
    let named = if constant(choice) { Some(choice) } else { of_key() };
    named.and_then(|schema| schema.get("const")?.as_str()).unwrap_or("")
}

/// The keys beside the name, those that must be given first.
fn parameters(choice: &Value) -> Vec<(&String, &Value)> {
    let properties = choice.get("properties").and_then(Value::as_object);
    let parameters = properties.into_iter().flatten();
    let mut parameters =
        parameters.filter(|(_, key)| key.get("const").is_none()).collect::<Vec<_>>();
    parameters.sort_by_key(|(name, _)| !is_required(choice, name));
    parameters
}

fn is_required(choice: &Value, name: &str) -> bool {
    let required = choice.get("required").and_then(Value::as_array);
    required.is_some_and(|required| required.iter().any(|key| key == name))
}

fn requirement(choice: &Value, name: &str, property: &Value) -> String {
    match property.get("default") {
        Some(Value::String(default)) => format!("default `{default}`"),
        Some(default) => format!("default {default}"),
        None if is_required(choice, name) => "required".to_owned(),
        None => "optional".to_owned(),
    }
}

fn description(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or("");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sysctls() -> String {
    let mut text = "hosts.NAME.sysctl.\"...\" =\n".to_owned();
    for stack in [Stack::Upstream, Stack::OutOfTree] {
        let more = if stack == Stack::Upstream { "" } else { ", where it differs" };
        line(&mut text, format_args!("\nOn hosts with stack = \"{}\"{more}:\n", stack.name()));
        for knob in settings(stack) {
            line(&mut text, format_args!("{} = {}", knob.name, knob.default));
            line(&mut text, format_args!("    {}: {}", knob.help, knob.expected));
        }
    }
    text
}

/// The settings of a stack; of the second one only those that the first has not, or not so.
fn settings(stack: Stack) -> Vec<Description> {
    let upstream = Sysctl::describe(Stack::Upstream);
    let known = |knob: &Description| {
        let same = |other: &Description| other.name == knob.name && other.default == knob.default;
        stack != Stack::Upstream && upstream.iter().any(|other| knob.only.is_none() && same(other))
    };
    let all = Sysctl::describe(stack).into_iter();
    all.filter(|knob| knob.only.is_none_or(|line| line == stack) && !known(knob)).collect()
}

fn measured() -> String {
    let all = REFERENCES.iter().flat_map(|reference| {
        let scenarios = reference.scenarios().unwrap_or_default().into_iter();
        scenarios.map(|it| format!("{}/{:<30} {}\n", reference.name, it.name, it.about))
    });
    all.collect()
}

fn scenarios(all: &[Shipped]) -> String {
    let lines = all.iter();
    lines.map(|shipped| format!("{:<20} {}\n", shipped.name, shipped.title())).collect()
}

/// Writing into a string cannot fail.
fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{arguments}");
}
