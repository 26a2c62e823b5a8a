//! Presets of links: what is not given beside the name is as in the preset.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;

use crate::scenario::{Link, LinkPreset, OneWay};

/// All presets, by name.
const PRESETS: &str = include_str!("../../assets/links.toml");

/// Presets of one kind, read when the first one is asked for.
pub(super) type Presets<K, V> = OnceLock<BTreeMap<K, V>>;

/// What stands under `name` in a text of presets.
pub(super) fn look_up<K, V>(read: &Presets<K, V>, text: &str, name: K) -> V
where
    K: Ord + DeserializeOwned,
    V: Clone + Default + DeserializeOwned,
{
    // A test reads them: they are part of the program.
    let all = read.get_or_init(|| toml::from_str(text).unwrap_or_default());
    all.get(&name).cloned().unwrap_or_default()
}

impl LinkPreset {
    /// Its keys.
    pub fn link(self) -> Link {
        static READ: Presets<LinkPreset, Link> = OnceLock::new();
        look_up(&READ, PRESETS, self)
    }
}

impl Link {
    /// The link with the keys of its preset where it has none of its own. What is given for both directions
    /// wins over what the preset has for one.
    pub(crate) fn with_preset(&self) -> Self {
        let Some(preset) = self.preset else { return self.clone() };
        let base = preset.link();
        let side = |own: &Option<OneWay>, of_preset: &Option<OneWay>| {
            let preset = of_preset.clone().unwrap_or_default().or(&base.both);
            Some(own.clone().unwrap_or_default().or(&self.both).or(&preset))
        };
        let (up, down) = (side(&self.up, &base.up), side(&self.down, &base.down));
        Self { preset: None, both: OneWay::default(), up, down }
    }
}

impl OneWay {
    /// The same with the keys of `other` where it has none.
    fn or(self, other: &Self) -> Self {
        Self {
            rate: self.rate.or_else(|| other.rate.clone()),
            delay: self.delay.or_else(|| other.delay.clone()),
            queue: self.queue.or_else(|| other.queue.clone()),
            loss: self.loss.or_else(|| other.loss.clone()),
            jitter: self.jitter.or_else(|| other.jitter.clone()),
            duplication: self.duplication.or(other.duplication),
            corruption: self.corruption.or(other.corruption),
            outages: self.outages.or_else(|| other.outages.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_read_and_complete() {
        let read: BTreeMap<LinkPreset, Link> = toml::from_str(PRESETS).unwrap();
        assert_eq!(read.len(), 8);
        for preset in read.keys() {
            let link = Link { preset: Some(*preset), ..Link::default() }.with_preset();
            for way in [link.up.unwrap(), link.down.unwrap()] {
                assert!(way.rate.is_some() && way.delay.is_some() && way.queue.is_some());
            }
        }
    }

    #[test]
    fn what_is_given_wins() {
        let given = "preset = \"adsl\"\nrate = \"3 Mbit/s\"\nup.delay = \"1 ms\"";
        let link = toml::from_str::<Link>(given).unwrap().with_preset();
        let expected = "up.rate = \"3 Mbit/s\"\nup.delay = \"1 ms\"\n\
             up.queue = { discipline = \"droptail\", limit = \"64 KB\" }\n\
             down.rate = \"3 Mbit/s\"\ndown.delay = \"20 ms\"\n\
             down.queue = { discipline = \"droptail\", limit = \"256 KB\" }";
        assert_eq!(link, toml::from_str(expected).unwrap());
    }
}
