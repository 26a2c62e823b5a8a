//! Radios of interfaces: presets looked up, numbers checked.

use std::sync::OnceLock;

use super::Report;
use super::network::Network;
use super::presets::{Presets, look_up};
use crate::plan::{HostId, RadioPlan};
use crate::scenario::{Radio, RadioPower, RadioPreset};

/// All presets, by name.
const PRESETS: &str = include_str!("../../assets/radios.toml");
/// More than any battery gives, in milliwatts.
const MAX_POWER: f64 = 1e6;

impl RadioPreset {
    /// Its numbers.
    pub fn power(self) -> RadioPower {
        static READ: Presets<RadioPreset, RadioPower> = OnceLock::new();
        look_up(&READ, PRESETS, self)
    }
}

/// The radios of all hosts.
pub(super) fn check(network: &Network, report: &mut Report) -> Vec<RadioPlan> {
    let mut radios = Vec::new();
    for (number, declared) in network.hosts.iter().enumerate() {
        let root = declared.key.key("radios");
        for (name, radio) in &declared.host.radios {
            let key = root.key(name);
            let power = match radio {
                Radio::Preset(preset) => preset.power(),
                Radio::Own(power) => *power,
            };
            for (field, value) in power.numbers() {
                if !(0.0..=MAX_POWER).contains(&value) {
                    let what = format!("{value} is no power in milliwatts");
                    report.invalid(&key.key(field), what, "write a number from 0 to 1e6");
                }
            }
            let found = network.find_interface(HostId(number), name, &key, report);
            radios.extend(found.map(|interface| RadioPlan { interface, power }));
        }
    }
    radios
}

impl RadioPower {
    fn numbers(&self) -> [(&'static str, f64); 6] {
        [
            ("idle_mw", self.idle_mw),
            ("promotion_mw", self.promotion_mw),
            ("active_mw", self.active_mw),
            ("tail_mw", self.tail_mw),
            ("upload_mw_per_mbps", self.upload_mw_per_mbps),
            ("download_mw_per_mbps", self.download_mw_per_mbps),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn presets_are_read() {
        let read: BTreeMap<RadioPreset, RadioPower> = toml::from_str(PRESETS).unwrap();
        assert_eq!(read.len(), 3);
        assert_eq!(RadioPreset::Lte.power().active_mw, 1_288.04);
    }
}
