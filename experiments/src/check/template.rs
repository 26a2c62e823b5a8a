//! A checked scenario whose keys can be given other values, again and again.

use serde_json::Value as Json;

use super::fault::{Fault, Faults};
use super::key::KeyPath;
use super::source::{Place, Source};
use super::tree::{Node, Value};
use super::{finish, plan};
use crate::check::Report;
use crate::plan::Plan;

/// The tree of a scenario without its sweep.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    source: Source,
    tree: Node,
}

impl Template {
    pub(super) fn new(source: Source, mut tree: Node) -> Self {
        if let Value::Table(table) = &mut tree.value {
            table.remove("sweep");
        }
        Self { source, tree }
    }

    /// The plan with other values at some keys.
    pub(crate) fn plan(&self, values: &[(&KeyPath, &Json)]) -> Result<Plan, Faults> {
        let mut tree = self.tree.clone();
        let place = Place::start_of(&self.source.text);
        for (key, value) in values {
            tree.set(key, &place, Node::from_json(value, &place))
                .map_err(|problem| Fault::new(place.clone(), (*key).clone(), problem))?;
        }
        let mut report = Report::new(tree.clone().into());
        let plan = plan(tree, &self.source, &mut report);
        finish(plan, report, &self.source)
    }

    /// The tree, without places.
    pub(crate) fn to_json(&self) -> Json {
        self.tree.to_json()
    }
}
