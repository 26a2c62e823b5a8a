//! The middleboxes of the measured scenarios.

use mptcpsim_core::middlebox::Direction;
use mptcpsim_core::rng::Seed;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::middlebox::{
    Copies, Filter, Kinds, Middlebox, OptionSet, Replace, Shift, Spec,
};
use serde_json::Value;

/// A rule of the measurements' emulator.
pub(crate) fn middlebox(rule: &Value) -> (Filter, Box<dyn Middlebox>) {
    let number = |key: &str| rule[key].as_u64();
    let flag = |key: &str| number(key) == Some(1);
    let mut filter = filter(rule);
    let spec = match rule["action"].as_str().unwrap() {
        "strip" => {
            let replace = Replace::Nop;
            Spec::Strip { options: std::mem::take(&mut filter.options), replace }
        }
        "drop" => Spec::Drop,
        "hold" => Spec::Hold { delay: Span::from_ms(number("hold_ms").unwrap()) },
        "mirror_mpc" => Spec::Echo { strip_syn: flag("strip_syn"), invent_key: flag("bogus_key") },
        "nat" => Spec::Nat {
            outwards: Direction::Forward,
            address: rule["ip"].as_str().unwrap().parse().unwrap(),
            port_shift: number("port_add").unwrap() as u16,
            idle: Span::from_secs(3_600),
        },
        "corrupt" => Spec::Corrupt {
            at: number("at").unwrap(),
            stride: number("stride").unwrap_or(0),
            bytes: number("n").unwrap_or(1),
        },
        "isn" => {
            let shift = |key| number(key).unwrap() as u32;
            Spec::Sequence {
                shift: Shift::Fixed([shift("c2s_shift"), shift("s2c_shift")]),
                sack: true,
            }
        }
        "split" => Spec::Split { size: number("size").unwrap() as u32, copies: Copies::All },
        "coalesce" => Spec::Coalesce {
            hold: Span::from_us(number("hold_us").unwrap()),
            same_options: flag("same_opt"),
            parts: 2,
        },
        other => panic!("{other}"),
    };
    (filter, spec.build("box", Seed(1)))
}

fn filter(rule: &Value) -> Filter {
    let acts_on_options = matches!(rule["action"].as_str(), Some("strip" | "drop" | "hold"));
    let options = match rule["sub"].as_u64() {
        _ if !acts_on_options => OptionSet::EMPTY,
        None => OptionSet::MPTCP,
        Some(0) => OptionSet::from_name("mp_capable").unwrap(),
        Some(1) => OptionSet::from_name("mp_join").unwrap(),
        Some(3) => OptionSet::from_name("add_addr").unwrap(),
        Some(other) => panic!("{other}"),
    };
    Filter {
        direction: match rule["dir"].as_str() {
            Some("c2s") => Some(Direction::Forward),
            Some("s2c") => Some(Direction::Reverse),
            _ => None,
        },
        on: match rule["on"].as_str() {
            Some("synack") => Kinds::from_name("syn-ack").unwrap(),
            Some("nonsyn") => Kinds::NOT_SYN,
            Some(name) => Kinds::from_name(name).unwrap(),
            None => Kinds::ALL,
        },
        options,
        from: rule["from"].as_u64().unwrap_or(0),
        after: Time::ZERO + Span::from_ms(rule["after_ms"].as_u64().unwrap_or(0)),
        count: rule["count"].as_u64(),
        probability: None,
    }
}
