//! Values from the command line that replace or complete those of the file.

use std::sync::Arc;

use super::fault::{Fault, Problem};
use super::key::KeyPath;
use super::source::{Place, Text};
use super::tree::{Node, read_value};

/// A value that a command-line option gives to a key of the scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The option as it was typed: messages point into it.
    shown: Arc<Text>,
    /// Where in it the assignment begins.
    assignment: usize,
    /// The key, if the option itself stands for one.
    key: Option<&'static str>,
}

impl Override {
    /// `--set KEY=VALUE`. That it is no assignment is found by the check, with everything else.
    pub fn set(assignment: &str) -> Self {
        Self::shown("--set", assignment, None)
    }

    /// An option such as `--seed 3` that stands for the key `key`.
    pub fn option(option: &str, key: &'static str, value: &str) -> Self {
        Self::shown(option, value, Some(key))
    }

    fn shown(option: &str, argument: &str, key: Option<&'static str>) -> Self {
        let text = format!("{option} {argument}");
        let shown = Text { name: "command line".into(), text, from_options: true };
        Self { shown: Arc::new(shown), assignment: option.len() + 1, key }
    }

    /// Puts the value into `tree`, or says why it cannot be there.
    pub(super) fn apply(&self, tree: &mut Node) -> Result<(), Fault> {
        let end = self.shown.text.len();
        let whole = Place { text: Arc::clone(&self.shown), span: self.assignment..end };
        let wrong = |what| Fault::new(whole.clone(), KeyPath::root(), Problem::Assignment(what));
        let argument = self.shown.text.get(whole.span.clone()).unwrap_or("");
        let (key_text, value_at) = match (self.key, argument.split_once('=')) {
            (Some(key), _) => (key, self.assignment),
            (None, Some((key, _))) => (key, self.assignment + key.len() + 1),
            (None, None) => {
                return Err(wrong(format!("`{argument}` assigns nothing: there is no `=`")));
            }
        };
        let key = KeyPath::parse(key_text.trim())
            .ok_or_else(|| wrong(format!("`{key_text}` is not the path of a key")))?;
        let value = read_value(&self.shown, value_at..end);
        tree.set(&key, &whole, value).map_err(|problem| Fault::new(whole.clone(), key, problem))
    }
}
