//! The path of a key in a scenario: `links.wifi.loss.probability`, `flows.0.app`.

use std::fmt;

use toml::de::{DeTable, DeValue};

/// The keys and list indices that lead from the root of a scenario to a value.
///
/// The same notation names a key in error messages, in `--set` and in `[sweep]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPath(Vec<String>);

impl KeyPath {
    /// The path of the whole scenario.
    pub(crate) fn root() -> Self {
        Self::default()
    }

    /// The path of `key` inside this path.
    pub(crate) fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(key.to_owned());
        Self(steps)
    }

    /// The path of element `index` of the list at this path.
    pub(crate) fn index(&self, index: usize) -> Self {
        self.key(&index.to_string())
    }

    /// Reads a path as TOML reads dotted keys, so that `"net.mptcp.enabled"` in quotes is one key.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.contains('\n') {
            return None;
        }
        let document = format!("{text} = 0");
        let mut rest = DeTable::parse(&document).ok()?.into_inner();
        let mut steps = Vec::new();
        loop {
            let (key, value) = rest.into_iter().next()?;
            steps.push(key.into_inner().into_owned());
            match value.into_inner() {
                DeValue::Table(inner) => rest = inner,
                _ => break,
            }
        }
        Some(Self(join_sysctl_name(steps)))
    }

    /// The keys from the root on.
    pub(crate) fn steps(&self) -> &[String] {
        &self.0
    }

    /// The path made of `steps`.
    pub(crate) fn of_steps(steps: &[String]) -> Self {
        Self(steps.to_vec())
    }

    /// The last key, empty for the root.
    pub(crate) fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// Whether this path is `ancestor` or lies inside it.
    pub(crate) fn is_within(&self, ancestor: &Self) -> bool {
        self.0.starts_with(&ancestor.0)
    }
}

/// Sysctl names contain dots; nobody should have to quote them on a command line.
fn join_sysctl_name(mut steps: Vec<String>) -> Vec<String> {
    if steps.len() > 4
        && let [hosts, _, sysctl, ..] = steps.as_slice()
        && hosts == "hosts"
        && sysctl == "sysctl"
    {
        let name = steps.split_off(3).join(".");
        steps.push(name);
    }
    steps
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            let dot = if position > 0 { "." } else { "" };
            let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if step.chars().all(bare) && !step.is_empty() {
                write!(f, "{dot}{step}")?;
            } else {
                write!(f, "{dot}{step:?}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_and_print_alike() {
        for text in ["duration", "flows.0.mptcp.scheduler", r#"hosts.a.sysctl."net.mptcp.enabled""#]
        {
            assert_eq!(KeyPath::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            KeyPath::parse("hosts.a.sysctl.net.mptcp.enabled").unwrap().last(),
            "net.mptcp.enabled"
        );
        for text in ["", "a..b", "a b", "a = 1\nb", "=", "[a]"] {
            assert_eq!(KeyPath::parse(text), None, "{text:?}");
        }
    }
}
