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
    target: Target,
}

/// What an option gives a value to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    /// The key that it names.
    Named,
    /// The list of the sweep for the key that it names.
    Varied,
    /// The key that it stands for.
    Fixed(KeyPath),
}

impl Override {
    /// `--set KEY=VALUE`. That it is no assignment is found by the check, with everything else.
    pub fn set(assignment: &str) -> Self {
        Self::shown("--set", assignment, Target::Named)
    }

    /// `--vary KEY=LIST`: the values that a key takes in a sweep.
    pub fn vary(assignment: &str) -> Self {
        Self::shown("--vary", assignment, Target::Varied)
    }

    /// An option such as `--seed 3` that stands for the key `key`.
    pub fn option(option: &str, key: &'static str, value: &str) -> Self {
        let key = key.split('.').fold(KeyPath::root(), |path, step| path.key(step));
        Self::shown(option, value, Target::Fixed(key))
    }

    fn shown(option: &str, argument: &str, target: Target) -> Self {
        let text = format!("{option} {argument}");
        let shown = Text { name: "command line".into(), text, from_options: true };
        Self { shown: Arc::new(shown), assignment: option.len() + 1, target }
    }

    /// Puts the value into `tree`, or says why it cannot be there.
    pub(super) fn apply(&self, tree: &mut Node) -> Result<(), Fault> {
        let end = self.shown.text.len();
        let whole = Place { text: Arc::clone(&self.shown), span: self.assignment..end };
        let wrong = |what| Fault::new(whole.clone(), KeyPath::root(), Problem::Assignment(what));
        let argument = self.shown.text.get(whole.span.clone()).unwrap_or("");
        let (key, value_at) = if let Target::Fixed(key) = &self.target {
            (key.clone(), self.assignment)
        } else {
            let (key, _) = argument
                .split_once('=')
                .ok_or_else(|| wrong(format!("`{argument}` assigns nothing: there is no `=`")))?;
            let named = KeyPath::parse(key.trim())
                .ok_or_else(|| wrong(format!("`{key}` is not the path of a key")))?;
            let varied = || KeyPath::root().key("sweep").key(&named.to_string());
            let target = if self.target == Target::Varied { varied() } else { named.clone() };
            (target, self.assignment + key.len() + 1)
        };
        let value = read_value(&self.shown, value_at..end);
        tree.set(&key, &whole, value).map_err(|problem| Fault::new(whole.clone(), key, problem))
    }
}
