//! The middleboxes of a plan as elements of its network.

use std::collections::BTreeSet;

use mptcpsim_core::middlebox::Direction;
use mptcpsim_core::rng::Seed;
use mptcpsim_core::time::Time;
use mptcpsim_core::units::Bytes;
use mptcpsim_models::middlebox::{
    self as models, Filter, FirewallRules, Kinds, Middlebox, OptionSet, Order, Placed, Replace,
    Shift, Spec,
};

use crate::plan::MiddleboxPlan;
use crate::scenario::{
    Action, Copies, Directions, End, FirewallRule, Only, OptionName, OptionOrder, Replacement,
    SegmentKind,
};

/// The box of a plan, or `own` in its place; its random streams depend on `seed` and its name.
pub(super) fn placed(plan: &MiddleboxPlan, own: Option<Box<dyn Middlebox>>, seed: Seed) -> Placed {
    let planned = || spec(&plan.middlebox.action).build(&plan.name, seed);
    let middlebox = own.unwrap_or_else(planned);
    Placed::new(&plan.name, filter(&plan.middlebox.only), middlebox, seed)
}

fn filter(only: &Only) -> Filter {
    let kinds = only.on.iter().map(|kind| kinds(*kind)).reduce(Kinds::and);
    Filter {
        direction: match only.direction {
            Directions::Both => None,
            Directions::Up => Some(Direction::Forward),
            Directions::Down => Some(Direction::Reverse),
        },
        on: kinds.unwrap_or(Kinds::ALL),
        options: options(&only.with),
        from: only.from.unwrap_or(0),
        after: only.after.map_or(Time::ZERO, |after| Time::ZERO + after),
        count: only.count,
        probability: only.probability,
    }
}

fn kinds(kind: SegmentKind) -> Kinds {
    let name = match kind {
        SegmentKind::Syn => "syn",
        SegmentKind::SynAck => "syn-ack",
        SegmentKind::ThirdAck => "third-ack",
        SegmentKind::Ack => "ack",
        SegmentKind::Data => "data",
        SegmentKind::Rst => "rst",
        SegmentKind::NotSyn => "not-syn",
    };
    Kinds::from_name(name).unwrap_or(Kinds::ALL)
}

fn options(names: &BTreeSet<OptionName>) -> OptionSet {
    let set = |name: &OptionName| match name {
        OptionName::Mptcp => "mptcp",
        OptionName::MpCapable => "mp_capable",
        OptionName::MpJoin => "mp_join",
        OptionName::Dss => "dss",
        OptionName::AddAddr => "add_addr",
        OptionName::RemoveAddr => "remove_addr",
        OptionName::MpPrio => "mp_prio",
        OptionName::MpFail => "mp_fail",
        OptionName::MpFastclose => "mp_fastclose",
        OptionName::MpTcprst => "mp_tcprst",
        OptionName::Mss => "mss",
        OptionName::SackPermitted => "sack_permitted",
        OptionName::Sack => "sack",
        OptionName::Timestamps => "timestamps",
        OptionName::WindowScale => "window_scale",
        OptionName::Unknown => "unknown",
    };
    let sets = names.iter().filter_map(|name| OptionSet::from_name(set(name)));
    sets.fold(OptionSet::EMPTY, OptionSet::and)
}

fn spec(action: &Action) -> Spec {
    match *action {
        Action::Strip { ref options, replace } => {
            Spec::Strip { options: self::options(options), replace: replacement(replace) }
        }
        Action::Drop => Spec::Drop,
        Action::Hold { delay } => Spec::Hold { delay },
        Action::Echo { strip_syn, invent_key } => Spec::Echo { strip_syn, invent_key },
        Action::Nat { address, port_shift, idle_timeout } => {
            Spec::Nat { outwards: Direction::Forward, address, port_shift, idle: idle_timeout }
        }
        Action::Sequence { up, down, sack } => Spec::Sequence { shift: shift(up, down), sack },
        Action::Split { size, copies } => Spec::Split { size, copies: self::copies(copies) },
        Action::Coalesce { hold, same_options, segments } => {
            Spec::Coalesce { hold, same_options, parts: segments }
        }
        Action::Corrupt { at, stride, bytes } => Spec::Corrupt { at, stride, bytes },
        Action::Alg { at, remove, ref insert } => {
            let insert = insert.clone().into_bytes();
            Spec::Alg { direction: Direction::Forward, at, remove, insert }
        }
        Action::ReorderOptions { order } => Spec::Reorder {
            order: match order {
                OptionOrder::Reverse => Order::Reverse,
                OptionOrder::ByKind => Order::ByKind,
            },
        },
        Action::Clamp { mss, window } => Spec::Clamp { mss, window },
        Action::AckProxy { timeout, absorb } => Spec::AckProxy { timeout, absorb },
        Action::SplitProxy { buffer } => {
            let bytes = |buffer: Bytes| u32::try_from(buffer.get()).unwrap_or(u32::MAX);
            Spec::SplitProxy { buffer: buffer.map(bytes) }
        }
        Action::Firewall { ref drops } => Spec::Firewall(rules(drops)),
        Action::Icmp { end, port, mtu, mss_adjust } => {
            let mtu = u32::try_from(mtu.get()).unwrap_or(u32::MAX);
            let outwards = match end {
                End::First => Direction::Forward,
                End::Second => Direction::Reverse,
            };
            Spec::Icmp { outwards, port, mtu, mss_adjust }
        }
    }
}

fn shift(up: Option<u32>, down: Option<u32>) -> Shift {
    match (up, down) {
        (None, None) => Shift::Random,
        (up, down) => Shift::Fixed([up.unwrap_or(0), down.unwrap_or(0)]),
    }
}

fn replacement(replace: Replacement) -> Replace {
    match replace {
        Replacement::Nop => Replace::Nop,
        Replacement::Eol => Replace::Eol,
        Replacement::None => Replace::Remove,
    }
}

fn copies(copies: Copies) -> models::Copies {
    match copies {
        Copies::All => models::Copies::All,
        Copies::First => models::Copies::First,
        Copies::Last => models::Copies::Last,
    }
}

fn rules(drops: &BTreeSet<FirewallRule>) -> FirewallRules {
    let has = |rule| drops.contains(&rule);
    FirewallRules {
        pure_acks: has(FirewallRule::PureAcks),
        duplicate_acks: has(FirewallRule::DuplicateAcks),
        out_of_window: has(FirewallRule::OutOfWindow),
        holes: has(FirewallRule::Holes),
        unseen_acks: has(FirewallRule::UnseenAcks),
    }
}
