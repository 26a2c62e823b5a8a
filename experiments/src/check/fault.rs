//! What can be wrong with a scenario, in words that help to put it right.

use std::fmt;

use thiserror::Error;

use super::key::KeyPath;
use super::source::Place;

/// One fault of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it is.
    pub place: Place,
    /// The path of the key it concerns; the root if it concerns the file.
    pub key: KeyPath,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The text is neither TOML nor JSON.
    #[error("{0}")]
    Syntax(String),
    /// An option of the command line that is no assignment.
    #[error("{0}")]
    Assignment(String),
    /// A key, or a choice by name, that does not exist.
    #[error("unknown {what} `{name}`")]
    Unknown {
        /// What the name should be the name of.
        what: String,
        /// The name.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// A number where text belongs, and so on.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A key that cannot be left out.
    #[error("`{key}` is missing")]
    Missing {
        /// The key.
        key: String,
        /// A line that would be right.
        example: String,
    },
    /// A value of the wrong kind; the text says what would be right.
    #[error("{0}")]
    BadValue(String),
    /// A value that is well-formed but makes no sense.
    #[error("{what}")]
    Invalid {
        /// What is wrong.
        what: String,
        /// What would be right.
        help: String,
    },
    /// Something that must be unique and occurs twice.
    #[error("{what} is already used at `{first}`")]
    Duplicate {
        /// What occurs twice.
        what: String,
        /// Where it occurs first.
        first: KeyPath,
    },
}

impl Problem {
    pub(crate) fn unknown(what: &str, name: &str, known: impl IntoIterator<Item = String>) -> Self {
        Self::Unknown {
            what: what.to_owned(),
            name: name.to_owned(),
            known: known.into_iter().collect(),
        }
    }

    pub(crate) fn invalid(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), help: help.into() }
    }

    /// What would be right.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unknown { what, name, known } => Some(match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => format!("there is no {what} to name here"),
                None => format!("known: {}", known.join(", ")),
            }),
            Self::Missing { example, .. } => Some(format!("write for example `{example}`")),
            Self::Invalid { help, .. } => Some(help.clone()),
            Self::Duplicate { .. } => Some("give each one of its own".into()),
            Self::Assignment(_) => {
                Some("write KEY=VALUE, for example `links.wifi.delay=20 ms`".into())
            }
            _ => None,
        }
    }
}

/// The known name that `name` was probably meant to be.
pub(crate) fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let likeness = |known: &&String| strsim::jaro_winkler(&name.to_lowercase(), known);
    known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .filter(|best| likeness(best) > 0.8)
        .map(String::as_str)
}

impl Fault {
    pub(crate) fn new(place: Place, key: KeyPath, problem: Problem) -> Self {
        Self { place, key, problem }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key != KeyPath::root() {
            write!(f, "{}: ", self.key)?;
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for Fault {}

/// All faults of a scenario, in the order in which they stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// All faults, or nothing if there are none.
    pub(crate) fn from_all(mut faults: Vec<Fault>) -> Result<(), Self> {
        if faults.is_empty() {
            return Ok(());
        }
        faults.sort_by_key(|fault| (fault.place.text.from_options, fault.place.span.start));
        Err(Self(faults))
    }

    /// The faults, at least one.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

/// A line per fault: place, key, what is wrong and what would be right.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, fault) in self.0.iter().enumerate() {
            let newline = if position > 0 { "\n" } else { "" };
            let (line, column) = fault.place.line_column();
            write!(f, "{newline}{}:{line}:{column}: {fault}", fault.place.text.name)?;
            if let Some(help) = fault.problem.help() {
                write!(f, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
