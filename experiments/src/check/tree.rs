//! A scenario as a tree in which every value knows where it was written.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use jsonc_parser::ast;
use serde_json::json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Faults, Problem};
use super::key::KeyPath;
use super::source::{Notation, Place, Source, Text};

/// More syntax errors than anybody reads.
const MAX_SYNTAX_FAULTS: usize = 20;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// A value as TOML and JSON have it.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Entry>),
    /// Something a scenario never holds, in words.
    Foreign(String),
}

/// A value in a table, and the place of its key.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Place,
    pub(crate) node: Node,
}

/// Reads the tree of a scenario.
pub(crate) fn read(source: &Source) -> Result<Node, Faults> {
    let reader = Reader { text: &source.text, offset: 0 };
    match source.notation {
        Notation::Toml => reader.toml(),
        Notation::Json => reader.json(),
    }
}

/// The value on the right of an assignment on the command line: TOML, or plain text without quotes.
pub(crate) fn read_value(text: &Arc<Text>, span: Range<usize>) -> Node {
    let given = text.text.get(span.clone()).unwrap_or("");
    let slice = given.trim();
    let reader = Reader { text, offset: span.start + (given.len() - given.trim_start().len()) };
    match DeValue::parse(slice) {
        Ok(value) => reader.toml_value(value),
        Err(_) => {
            Node { value: Value::Text(slice.to_owned()), place: reader.place(0..slice.len()) }
        }
    }
}

struct Reader<'a> {
    text: &'a Arc<Text>,
    /// Where in the text the parsed part begins.
    offset: usize,
}

impl Reader<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        let span = span.start + self.offset..span.end + self.offset;
        Place { text: Arc::clone(self.text), span }
    }

    fn syntax(&self, span: Range<usize>, message: &str) -> Fault {
        Fault::new(self.place(span), KeyPath::root(), Problem::Syntax(message.to_owned()))
    }

    fn toml(&self) -> Result<Node, Faults> {
        let (table, errors) = DeTable::parse_recoverable(&self.text.text);
        let faults = errors.iter().take(MAX_SYNTAX_FAULTS).map(|error| {
            let message = format!("not valid TOML: {}", error.message());
            self.syntax(error.span().unwrap_or(0..0), &message)
        });
        Faults::from_all(faults.collect())?;
        let value = self.toml_table(table.into_inner());
        Ok(Node { value, place: self.place(0..0) })
    }

    fn toml_table(&self, table: DeTable<'_>) -> Value {
        let entries = table.into_iter().map(|(key, value)| {
            let place = self.place(key.span());
            (key.into_inner().into_owned(), Entry { key: place, node: self.toml_value(value) })
        });
        Value::Table(entries.collect())
    }

    fn toml_value(&self, value: Spanned<DeValue<'_>>) -> Node {
        let place = self.place(value.span());
        let value = match value.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or_else(
                    |_| Value::Foreign("a number that is too large".into()),
                    Value::Integer,
                ),
            DeValue::Float(float) => finite(float.as_str()),
            DeValue::Boolean(value) => Value::Bool(value),
            DeValue::Datetime(date) => Value::Foreign(format!("the date `{date}`")),
            DeValue::Array(list) => {
                Value::List(list.into_iter().map(|value| self.toml_value(value)).collect())
            }
            DeValue::Table(table) => self.toml_table(table),
        };
        Node { value, place }
    }

    fn json(&self) -> Result<Node, Faults> {
        let options = jsonc_parser::ParseOptions {
            allow_comments: false,
            allow_loose_object_property_names: false,
            allow_trailing_commas: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            allow_bare_decimal_point_numbers: false,
            allow_non_finite_numbers: false,
            allow_extended_string_escapes: false,
        };
        let collect = jsonc_parser::CollectOptions::default();
        let parsed = jsonc_parser::parse_to_ast(&self.text.text, &collect, &options);
        let parsed = parsed.map_err(|error| {
            let span = error.range().start..error.range().end;
            self.syntax(span, &format!("not valid JSON: {}", error.kind()))
        })?;
        let value = parsed.value.ok_or_else(|| self.syntax(0..0, "the file is empty"))?;
        let mut faults = Vec::new();
        let node = self.json_value(value, &mut faults);
        Faults::from_all(faults)?;
        Ok(node)
    }

    fn json_value(&self, value: ast::Value<'_>, faults: &mut Vec<Fault>) -> Node {
        let range = jsonc_parser::common::Ranged::range(&value);
        let value = match value {
            ast::Value::StringLit(text) => Value::Text(text.value.into_owned()),
            ast::Value::NumberLit(number) => match number.value.parse() {
                Ok(integer) => Value::Integer(integer),
                Err(_) => finite(number.value),
            },
            ast::Value::BooleanLit(value) => Value::Bool(value.value),
            ast::Value::NullKeyword(_) => Value::Foreign("null".into()),
            ast::Value::Array(list) => Value::List(
                list.elements.into_iter().map(|value| self.json_value(value, faults)).collect(),
            ),
            ast::Value::Object(object) => self.json_object(object, faults),
        };
        Node { value, place: self.place(range.start..range.end) }
    }

    fn json_object(&self, object: ast::Object<'_>, faults: &mut Vec<Fault>) -> Value {
        let mut entries = BTreeMap::new();
        for property in object.properties {
            // Null is how JSON says that a key is not given.
            if matches!(property.value, ast::Value::NullKeyword(_)) {
                continue;
            }
            let name = match property.name {
                ast::ObjectPropName::String(name) => name.value.into_owned(),
                ast::ObjectPropName::Word(name) => name.value.to_owned(),
            };
            let span = property.range.start..property.range.start + 1;
            let node = self.json_value(property.value, faults);
            if entries.contains_key(&name) {
                faults.push(self.syntax(span.clone(), &format!("the key `{name}` is given twice")));
            }
            entries.insert(name, Entry { key: self.place(span), node });
        }
        Value::Table(entries)
    }
}

fn finite(text: &str) -> Value {
    match text.replace('_', "").parse::<f64>() {
        Ok(float) if float.is_finite() => Value::Float(float),
        _ => Value::Foreign(format!("the number {text}")),
    }
}

impl Node {
    /// The value at `path`.
    pub(crate) fn at(&self, path: &KeyPath) -> Option<&Self> {
        path.steps().iter().try_fold(self, |node, step| node.child(step))
    }

    /// The place of the value at `path`, or of the nearest one around it.
    pub(crate) fn place_of(&self, path: &KeyPath) -> Place {
        let mut node = self;
        for step in path.steps() {
            match node.child(step) {
                Some(child) => node = child,
                None => break,
            }
        }
        node.place.clone()
    }

    fn child(&self, step: &str) -> Option<&Self> {
        match &self.value {
            Value::Table(table) => table.get(step).map(|entry| &entry.node),
            Value::List(list) => list.get(step.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// Puts `value` at `path`, making tables on the way where there is nothing yet.
    pub(crate) fn set(&mut self, path: &KeyPath, key: &Place, value: Self) -> Result<(), Problem> {
        let mut node = self;
        for (depth, step) in path.steps().iter().enumerate() {
            let so_far = || KeyPath::of_steps(&path.steps()[..depth]);
            node = match &mut node.value {
                Value::Table(table) => {
                    let empty = Self { value: Value::Table(BTreeMap::new()), place: key.clone() };
                    let entry = Entry { key: key.clone(), node: empty };
                    &mut table.entry(step.clone()).or_insert(entry).node
                }
                Value::List(list) => {
                    let length = list.len();
                    let index = step.parse::<usize>().ok();
                    index.and_then(|index| list.get_mut(index)).ok_or_else(|| {
                        Problem::Assignment(format!(
                            "`{}` is a list with {length} elements, counted from 0: it has no `{step}`",
                            so_far()
                        ))
                    })?
                }
                other => {
                    let found = other.describe();
                    return Err(Problem::Assignment(format!(
                        "`{}` is {found}: it has no key `{step}`",
                        so_far()
                    )));
                }
            };
        }
        *node = value;
        Ok(())
    }

    /// The same tree without places.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Bool(value) => json!(value),
            Value::Integer(value) => json!(value),
            Value::Float(value) => json!(value),
            Value::Text(value) => json!(value),
            Value::Foreign(what) => json!(what),
            Value::List(list) => list.iter().map(Self::to_json).collect(),
            Value::Table(table) => serde_json::Value::Object(
                table.iter().map(|(key, entry)| (key.clone(), entry.node.to_json())).collect(),
            ),
        }
    }

    /// A tree whose values all have the same place.
    pub(crate) fn from_json(json: &serde_json::Value, place: &Place) -> Self {
        let value = match json {
            serde_json::Value::Null => Value::Foreign("null".into()),
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Value::Integer(integer),
                (None, Some(float)) => Value::Float(float),
                (None, None) => Value::Foreign(format!("the number {number}")),
            },
            serde_json::Value::String(text) => Value::Text(text.clone()),
            serde_json::Value::Array(list) => {
                Value::List(list.iter().map(|value| Self::from_json(value, place)).collect())
            }
            serde_json::Value::Object(object) => Value::Table(
                object
                    .iter()
                    .map(|(key, value)| {
                        let node = Self::from_json(value, place);
                        (key.clone(), Entry { key: place.clone(), node })
                    })
                    .collect(),
            ),
        };
        Self { value, place: place.clone() }
    }
}

impl Value {
    /// What kind of value this is, in words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Bool(value) => format!("`{value}`"),
            Self::Integer(value) => format!("the number {value}"),
            Self::Float(value) => format!("the number {value}"),
            Self::Text(text) if text.chars().count() > 40 => "a long text".into(),
            Self::Text(text) => format!("the text `{text}`"),
            Self::List(_) => "a list".into(),
            Self::Table(_) => "a table".into(),
            Self::Foreign(what) => what.clone(),
        }
    }
}
