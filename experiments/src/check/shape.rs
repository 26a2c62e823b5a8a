//! Does the tree have the shape of a scenario? Unknown keys, wrong types, bad quantities.
//!
//! The JSON Schema that the scenario types produce is walked side by side with
//! the tree, so what is known here can never differ from what the types read.
//! To find all faults in one go, the walk repairs what it reports: a faulty
//! optional key is taken out, a faulty required one replaced by an example.
//! Such keys are remembered as spoilt, and later steps say nothing about them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value as Json;

use super::Report;
use super::fault::{Problem, nearest};
use super::key::KeyPath;
use super::tree::{Entry, Node, Value};
use crate::scenario::{check_text, schema};

/// Reports every fault in the shape of `tree` and leaves a tree that reads as a scenario.
pub(super) fn check(tree: &mut Node, report: &mut Report) {
    let schema = known_schema();
    let mut walk = Walk { definitions: schema.get("$defs").unwrap_or(&Json::Null), report };
    if !walk.visit(tree, schema, &KeyPath::root()) {
        tree.value = Value::Table(BTreeMap::new());
    }
}

/// The schema, made once: a sweep checks a scenario for every run.
fn known_schema() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(schema)
}

struct Walk<'a> {
    definitions: &'a Json,
    report: &'a mut Report,
}

impl<'a> Walk<'a> {
    /// Checks one value; false if it is of no use and must be taken out.
    fn visit(&mut self, node: &mut Node, schema: &Json, key: &KeyPath) -> bool {
        let definitions = self.definitions;
        let schema = resolve(definitions, schema);
        if *schema == Json::Bool(true) {
            return true;
        }
        if let Some(choices) = schema.get("oneOf").and_then(Json::as_array) {
            return self.visit_choice(node, choices, key);
        }
        if let Some(choices) = schema.get("anyOf").and_then(Json::as_array) {
            return match best_fit(definitions, choices, node) {
                Some(choice) => self.visit(node, choice, key),
                None => self.wrong_type(node, schema, key),
            };
        }
        if !has_type(schema, &node.value) {
            return self.wrong_type(node, schema, key);
        }
        match &mut node.value {
            Value::Table(table) => {
                self.visit_table(table, schema, key);
                true
            }
            Value::List(list) => self.visit_list(list, schema, key),
            Value::Integer(value) => {
                let value = *value;
                self.visit_number(node, value, schema, key)
            }
            Value::Float(_) => self.visit_text(node, schema, key),
            Value::Text(_) => self.visit_text(node, schema, key),
            Value::Bool(_) | Value::Foreign(_) => true,
        }
    }

    /// A name out of several, or a table of which one key says what the others are.
    fn visit_choice(&mut self, node: &mut Node, choices: &[Json], key: &KeyPath) -> bool {
        if let Some(tag) = tag_of(choices) {
            return self.visit_tagged(node, choices, tag, key);
        }
        let known = choices.iter().filter_map(constant).map(str::to_owned);
        match &node.value {
            Value::Text(text) if choices.iter().any(|choice| constant(choice) == Some(text)) => {
                true
            }
            Value::Text(text) => {
                let what = spaced(name_of_list(key));
                self.report.fault(key, Problem::unknown(&what, text, known));
                false
            }
            other => {
                let expected = format!("one of {}", quoted(known));
                self.report.fault(key, Problem::WrongType { expected, found: other.describe() });
                false
            }
        }
    }

    fn visit_tagged(
        &mut self,
        node: &mut Node,
        choices: &[Json],
        tag: &str,
        key: &KeyPath,
    ) -> bool {
        let known = || choices.iter().filter_map(|choice| constant(property(choice, tag)?));
        let Value::Table(table) = &mut node.value else {
            let example = known().next().unwrap_or("");
            let expected = format!("a table such as `{{ {tag} = \"{example}\", ... }}`");
            let found = node.value.describe();
            self.report.fault(key, Problem::WrongType { expected, found });
            return false;
        };
        let place = key.key(tag);
        match table.get(tag).map(|entry| &entry.node.value) {
            Some(Value::Text(name)) => {
                let named = |choice: &&Json| property(choice, tag).and_then(constant) == Some(name);
                if let Some(choice) = choices.iter().find(named) {
                    self.visit_table(table, choice, key);
                    return true;
                }
                let known = known().map(str::to_owned);
                let what = if tag == "kind" { spaced(key.last()) } else { spaced(tag) };
                self.report.fault(&place, Problem::unknown(&what, name, known));
            }
            Some(other) => {
                let expected = format!("one of {}", quoted(known().map(str::to_owned)));
                self.report.fault(&place, Problem::WrongType { expected, found: other.describe() });
            }
            None => {
                let example = format!("{tag} = \"{}\"", known().next().unwrap_or(""));
                self.report.fault(&place, Problem::Missing { key: tag.into(), example });
            }
        }
        false
    }

    fn visit_table(&mut self, table: &mut BTreeMap<String, Entry>, schema: &Json, key: &KeyPath) {
        let none = serde_json::Map::new();
        let known = schema.get("properties").and_then(Json::as_object).unwrap_or(&none);
        let names = table.keys().cloned().collect::<Vec<_>>();
        for name in names {
            let inner = key.key(&name);
            let of_others = schema.get("additionalProperties").filter(|other| other.is_object());
            let Some(inner_schema) = known.get(&name).or(of_others) else {
                self.unknown_key(key, &name, known, table.get(&name));
                table.remove(&name);
                continue;
            };
            let Some(entry) = table.get_mut(&name) else { continue };
            if !self.visit(&mut entry.node, inner_schema, &inner) {
                self.report.spoil(inner);
                // A table named by the user stays, so that whoever refers to it finds it.
                if known.contains_key(&name) {
                    table.remove(&name);
                } else {
                    entry.node = self.example(inner_schema, entry);
                }
            }
        }
        self.fill_in_missing(table, schema, key);
    }

    fn unknown_key(
        &mut self,
        table: &KeyPath,
        name: &str,
        known: &serde_json::Map<String, Json>,
        entry: Option<&Entry>,
    ) {
        let names = known.keys().cloned().collect::<Vec<_>>();
        if let Some(meant) = nearest(name, &names) {
            self.report.spoil(table.key(meant));
        }
        let problem = Problem::unknown("key", name, names);
        match entry {
            Some(entry) => self.report.fault_at(entry.key.clone(), &table.key(name), problem),
            None => self.report.fault(&table.key(name), problem),
        }
    }

    /// Reports required keys that are not there, and puts examples in their place.
    fn fill_in_missing(
        &mut self,
        table: &mut BTreeMap<String, Entry>,
        schema: &Json,
        key: &KeyPath,
    ) {
        let required = schema.get("required").and_then(Json::as_array);
        let required = required.into_iter().flatten().filter_map(Json::as_str);
        for name in required {
            if table.contains_key(name) {
                continue;
            }
            let Some(inner) = property(schema, name) else { continue };
            let path = key.key(name);
            let example = example(self.definitions, inner);
            let shown = toml::Value::try_from(&example).map(|value| value.to_string());
            let line = format!("{name} = {}", shown.unwrap_or_else(|_| "...".into()));
            // A spoilt key has been reported: it is missing because it was taken out.
            self.report.fault(&path, Problem::Missing { key: name.to_owned(), example: line });
            self.report.spoil(path.clone());
            let place = self.report.place(key);
            let node = Node::from_json(&example, &place);
            table.insert(name.to_owned(), Entry { key: place, node });
        }
    }

    fn visit_list(&mut self, list: &mut [Node], schema: &Json, key: &KeyPath) -> bool {
        let bound = |name: &str| schema.get(name).and_then(Json::as_u64);
        let length = list.len() as u64;
        if bound("minItems").is_some_and(|min| length < min)
            || bound("maxItems").is_some_and(|max| length > max)
        {
            let example = schema.pointer("/examples/0").map(Json::to_string).unwrap_or_default();
            let wanted = bound("minItems").unwrap_or_default();
            let what = format!("expected a list of {wanted}, found a list of {length}");
            self.report
                .fault(key, Problem::invalid(what, format!("write for example `{example}`")));
            return false;
        }
        let Some(items) = schema.get("items") else { return true };
        for (index, node) in list.iter_mut().enumerate() {
            let inner = key.index(index);
            if !self.visit(node, items, &inner) {
                self.report.spoil(inner);
                node.value = Node::from_json(&example(self.definitions, items), &node.place).value;
            }
        }
        true
    }

    fn visit_number(&mut self, node: &mut Node, value: i64, schema: &Json, key: &KeyPath) -> bool {
        if format(schema) == "probability" {
            return self.visit_text(node, schema, key);
        }
        let bound = |name: &str| schema.get(name).and_then(Json::as_i64);
        let (min, max) = (bound("minimum"), bound("maximum"));
        let too_small = min.is_some_and(|min| value < min);
        let too_large = max.is_some_and(|max| value > max);
        if !too_small && !too_large {
            return true;
        }
        let allowed = match (min, max) {
            (Some(min), Some(max)) => format!("write a whole number from {min} to {max}"),
            (Some(min), None) => format!("write a whole number from {min}"),
            _ => "write a smaller number".to_owned(),
        };
        let side = if too_small { "small" } else { "large" };
        self.report.fault(key, Problem::invalid(format!("{value} is too {side}"), allowed));
        false
    }

    /// Text, or a number that stands for text with a unit.
    fn visit_text(&mut self, node: &mut Node, schema: &Json, key: &KeyPath) -> bool {
        let text = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Integer(value) => value.to_string(),
            Value::Float(value) if format(schema) == "probability" => value.to_string(),
            _ => return true,
        };
        match check_text(format(schema), &text) {
            Ok(()) => {
                node.value = Value::Text(text);
                true
            }
            Err(why) => {
                self.report.fault(key, Problem::BadValue(why));
                false
            }
        }
    }

    fn wrong_type(&mut self, node: &Node, schema: &Json, key: &KeyPath) -> bool {
        let expected = expected(self.definitions, schema);
        self.report.fault(key, Problem::WrongType { expected, found: node.value.describe() });
        false
    }

    fn example(&self, schema: &Json, entry: &Entry) -> Node {
        Node::from_json(&example(self.definitions, schema), &entry.node.place)
    }
}

/// The schema itself, or the one it refers to.
fn resolve<'a>(definitions: &'a Json, schema: &'a Json) -> &'a Json {
    let name = schema.get("$ref").and_then(Json::as_str);
    let name = name.and_then(|name| name.strip_prefix("#/$defs/"));
    name.and_then(|name| definitions.get(name)).unwrap_or(schema)
}

fn property<'a>(schema: &'a Json, name: &str) -> Option<&'a Json> {
    schema.get("properties")?.get(name)
}

fn constant(schema: &Json) -> Option<&str> {
    schema.get("const")?.as_str()
}

fn format(schema: &Json) -> &str {
    schema.get("format").and_then(Json::as_str).unwrap_or("")
}

/// The key that tells tables of several kinds apart.
fn tag_of(choices: &[Json]) -> Option<&str> {
    let properties = choices.first()?.get("properties")?.as_object()?;
    properties.iter().find(|(_, schema)| constant(schema).is_some()).map(|(name, _)| name.as_str())
}

fn has_type(schema: &Json, value: &Value) -> bool {
    let name = match value {
        Value::Bool(_) => "boolean",
        Value::Integer(_) => "integer",
        Value::Float(_) => "number",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        Value::Table(_) => "object",
        Value::Foreign(_) => return false,
    };
    let fits = |wanted: &str| wanted == name || (wanted == "number" && name == "integer");
    match schema.get("type") {
        Some(Json::String(wanted)) => fits(wanted),
        Some(Json::Array(wanted)) => wanted.iter().filter_map(Json::as_str).any(fits),
        _ => true,
    }
}

/// Of several allowed shapes the one that a value comes closest to.
fn best_fit<'a>(definitions: &'a Json, choices: &'a [Json], node: &Node) -> Option<&'a Json> {
    let known_keys = |schema: &Json| match &node.value {
        Value::Table(table) => table.keys().filter(|key| property(schema, key).is_some()).count(),
        _ => 0,
    };
    let fitting = choices.iter().map(|choice| resolve(definitions, choice));
    let fitting = fitting.filter(|schema| has_type(schema, &node.value));
    // Of equals the first, as serde tries them.
    fitting.rev().max_by_key(|schema| known_keys(schema))
}

/// A value of the right shape.
fn example(definitions: &Json, schema: &Json) -> Json {
    let given = schema.get("default").or_else(|| schema.pointer("/examples/0"));
    if let Some(given) = given.or_else(|| schema.get("const")) {
        return given.clone();
    }
    let schema = resolve(definitions, schema);
    if let Some(given) = schema.pointer("/examples/0").or_else(|| schema.get("const")) {
        return given.clone();
    }
    let choices = schema.get("oneOf").or_else(|| schema.get("anyOf"));
    if let Some(first) = choices.and_then(|choices| choices.get(0)) {
        return example(definitions, first);
    }
    match schema.get("type").and_then(Json::as_str) {
        Some("object") => {
            let required = schema.get("required").and_then(Json::as_array);
            let names = required.into_iter().flatten().filter_map(Json::as_str);
            let inner = names.filter_map(|name| Some((name, property(schema, name)?)));
            Json::Object(
                inner.map(|(name, inner)| (name.into(), example(definitions, inner))).collect(),
            )
        }
        Some("array") => Json::Array(Vec::new()),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(Json::from(0)),
        Some("boolean") => Json::Bool(false),
        // An address of the block that is reserved for documentation (RFC 5737).
        _ if format(schema) == "ip" => Json::String("192.0.2.1".into()),
        _ => Json::String(String::new()),
    }
}

/// What belongs somewhere, in words.
fn expected(definitions: &Json, schema: &Json) -> String {
    let schema = resolve(definitions, schema);
    if let Some(choices) = schema.get("anyOf").and_then(Json::as_array) {
        let choices = choices.iter().map(|choice| expected(definitions, choice));
        return choices.collect::<Vec<_>>().join(", or ");
    }
    let kind = match (format(schema), schema.get("type").and_then(Json::as_str)) {
        ("rate", _) => "a rate",
        ("time", _) => "a time",
        ("bytes", _) => "a number of bytes",
        ("probability", _) => "a probability",
        ("limit", _) => "a queue limit",
        ("ip", _) => return "an IP address such as `10.0.1.1`".into(),
        (_, Some("object")) => return expected_table(schema),
        (_, Some("array")) => "a list",
        (_, Some("integer")) => "a whole number",
        (_, Some("number")) => "a number",
        (_, Some("boolean")) => "`true` or `false`",
        _ => "a text in quotes",
    };
    match schema.pointer("/examples/0") {
        Some(example) => format!("{kind} such as `{example}`"),
        None => kind.to_owned(),
    }
}

fn expected_table(schema: &Json) -> String {
    match schema.pointer("/required/0").and_then(Json::as_str) {
        Some(key) => format!("a table with `{key}`"),
        None => "a table".to_owned(),
    }
}

/// The last key that is not the index of a list: what its elements are called after.
fn name_of_list(key: &KeyPath) -> &str {
    let named = |step: &&String| step.parse::<usize>().is_err();
    key.steps().iter().rev().find(named).map_or("", String::as_str)
}

fn spaced(name: &str) -> String {
    name.trim_end_matches('s').replace('_', " ")
}

fn quoted(names: impl Iterator<Item = String>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
