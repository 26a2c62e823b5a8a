//! What interfaces draw: power states of radios.

use mptcpsim_core::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity;

/// The radio of an interface: one that was measured, by name, or its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Radio {
    /// One that was measured.
    Preset(RadioPreset),
    /// Numbers of one's own.
    Own(RadioPower),
}

/// Radios whose power was measured; `mptcpsim list radios` shows the numbers.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum RadioPreset {
    /// WiFi (J. Huang et al., "A Close Examination of Performance and Power Characteristics of 4G LTE Networks",
    /// MobiSys 2012, tables 3 and 4).
    Wifi,
    /// LTE with discontinuous reception (the same tables).
    Lte,
    /// UMTS, its tail that of the dedicated channel (the same tables).
    #[serde(rename = "3g")]
    ThreeG,
}

/// The power states of a radio and what data costs (the model of J. Huang et al., MobiSys 2012): a packet wakes it
/// up, it stays active, then in its tail, then falls idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RadioPower {
    /// What it draws while idle, on average, in milliwatts.
    #[serde(default)]
    pub idle_mw: f64,
    /// What it draws while it is woken up.
    #[serde(default)]
    pub promotion_mw: f64,
    /// How long that takes. Packets are not delayed by it: links have their delays.
    #[serde(default)]
    #[schemars(with = "quantity::Time")]
    pub promotion: Span,
    /// What it draws while active, before data is counted.
    pub active_mw: f64,
    /// How long it stays active after a packet.
    #[schemars(with = "quantity::Time")]
    pub hold: Span,
    /// What it draws in its tail.
    #[serde(default)]
    pub tail_mw: f64,
    /// How long the tail lasts.
    #[serde(default)]
    #[schemars(with = "quantity::Time")]
    pub tail: Span,
    /// What sending draws beside that, per Mbit/s.
    #[serde(default)]
    pub upload_mw_per_mbps: f64,
    /// What receiving draws beside that, per Mbit/s.
    #[serde(default)]
    pub download_mw_per_mbps: f64,
}
