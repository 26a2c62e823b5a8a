//! The schedulers by name, and an instance of one.

use serde::{Deserialize, Serialize};

use super::{
    Ask, Blocked, ConnView, DynScheduler, Param, ParamError, Pick, Piece, Relief, Scheduler, blest,
    daps, ecf, lowest_rtt, otias, redundant, round_robin, sttf, upstream,
};
use crate::params::read;
use crate::rules::Stack;

/// A scheduler by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// The kernel line's own: least linger time upstream, lowest delay out of tree.
    #[default]
    Default,
    /// The default of upstream Linux, by a name of its own.
    LeastLinger,
    /// The default of the out-of-tree kernel, by a name of its own.
    LowestRtt,
    /// Subflows take turns.
    #[serde(rename = "roundrobin")]
    RoundRobin,
    /// Every subflow carries everything.
    Redundant,
    /// Blocking estimation.
    Blest,
    /// Earliest completion first.
    Ecf,
    /// Out-of-order transmission for in-order arrival.
    Otias,
    /// Shortest transfer time first.
    Sttf,
    /// Delay-aware packet scheduling.
    Daps,
}

impl Name {
    /// All schedulers.
    pub const ALL: &'static [Self] = &[
        Self::Default,
        Self::LeastLinger,
        Self::LowestRtt,
        Self::RoundRobin,
        Self::Redundant,
        Self::Blest,
        Self::Ecf,
        Self::Otias,
        Self::Sttf,
        Self::Daps,
    ];

    /// The name it has in scenarios, and in kernels that have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::LeastLinger => "least-linger",
            Self::LowestRtt => "lowest-rtt",
            Self::RoundRobin => "roundrobin",
            Self::Redundant => "redundant",
            Self::Blest => "blest",
            Self::Ecf => "ecf",
            Self::Otias => "otias",
            Self::Sttf => "sttf",
            Self::Daps => "daps",
        }
    }

    /// What it is, in a line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Default => "the stack's own: least-linger upstream, lowest-rtt out of tree",
            Self::LeastLinger => "the subflow that would drain what it holds the soonest",
            Self::LowestRtt => "the subflow with the lowest delay that has room",
            Self::RoundRobin => "subflows take turns, whatever their delays",
            Self::Redundant => "every subflow carries everything",
            Self::Blest => "lowest-rtt, but a slow subflow must not block the send window",
            Self::Ecf => "lowest-rtt, but the fast subflow is waited for if that ends sooner",
            Self::Otias => "every packet goes where it will arrive first, even if it waits there",
            Self::Sttf => "otias with windows that grow while a packet waits",
            Self::Daps => "a timetable by delays and windows, by which packets arrive in order",
        }
    }

    /// The kernel module whose parameters it has.
    pub const fn module(self) -> Option<&'static str> {
        match self {
            Self::RoundRobin => Some("mptcp_rr"),
            Self::Blest => Some("mptcp_blest"),
            Self::Ecf => Some("mptcp_ecf"),
            Self::Daps => Some("mptcp_daps"),
            _ => None,
        }
    }

    /// Its parameters.
    pub const fn params(self) -> &'static [Param] {
        match self {
            Self::RoundRobin => round_robin::Params::LIST,
            Self::Blest => blest::Params::LIST,
            Self::Ecf => ecf::Params::LIST,
            Self::Daps => daps::Params::LIST,
            Self::LowestRtt => lowest_rtt::Params::LIST,
            _ => &[],
        }
    }

    /// The scheduler called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scheduler| scheduler.name() == name)
    }
}

/// An instance of a scheduler. The built-in ones are dispatched without a table on the packet path.
#[derive(Clone, Debug)]
pub enum AnyScheduler {
    /// See [`upstream`].
    LeastLinger(upstream::LeastLinger),
    /// See [`lowest_rtt`].
    LowestRtt(lowest_rtt::LowestRtt),
    /// See [`round_robin`].
    RoundRobin(round_robin::RoundRobin),
    /// See [`redundant`].
    Redundant(redundant::Redundant),
    /// See [`blest`].
    Blest(blest::Blest),
    /// See [`ecf`].
    Ecf(ecf::Ecf),
    /// See [`otias`].
    Otias(otias::Otias),
    /// See [`sttf`].
    Sttf(sttf::Sttf),
    /// See [`daps`].
    Daps(daps::Daps),
    /// A user's own.
    Custom(Box<dyn DynScheduler>),
}

impl AnyScheduler {
    /// A fresh instance of the scheduler called `name`, as a connection of this line gets it.
    pub fn new(name: Name, stack: Stack) -> Self {
        match (name, stack) {
            (Name::LeastLinger, _) | (Name::Default, Stack::Upstream) => {
                Self::LeastLinger(upstream::LeastLinger::default())
            }
            (Name::LowestRtt, _) | (Name::Default, Stack::OutOfTree) => {
                Self::LowestRtt(lowest_rtt::LowestRtt::default())
            }
            (Name::RoundRobin, _) => Self::RoundRobin(round_robin::RoundRobin::default()),
            (Name::Redundant, _) => Self::Redundant(redundant::Redundant::default()),
            (Name::Blest, _) => Self::Blest(blest::Blest::default()),
            (Name::Ecf, _) => Self::Ecf(ecf::Ecf::default()),
            (Name::Otias, _) => Self::Otias(otias::Otias::default()),
            (Name::Sttf, _) => Self::Sttf(sttf::Sttf::default()),
            (Name::Daps, _) => Self::Daps(daps::Daps::default()),
        }
    }

    /// A fresh instance with parameters by name, each a whole number ([`Name::params`]).
    ///
    /// # Errors
    /// The scheduler has no such parameter, or not with such a value.
    pub fn with_params<N: AsRef<str>, V: AsRef<str>>(
        name: Name,
        stack: Stack,
        params: &[(N, V)],
    ) -> Result<Self, ParamError> {
        let mut scheduler = Self::new(name, stack);
        for (param, value) in params {
            let (param, value) = read(name.name(), name.params(), param.as_ref(), value.as_ref())?;
            match &mut scheduler {
                Self::RoundRobin(round_robin) => round_robin.params.set(param, value),
                Self::Blest(blest) => blest.params.set(param, value),
                Self::Ecf(ecf) => ecf.params.set(param, value),
                Self::Daps(daps) => daps.params.set(param, value),
                Self::LowestRtt(lowest_rtt) => lowest_rtt.params.set(param, value),
                _ => {}
            }
        }
        Ok(scheduler)
    }

    /// A user's own scheduler.
    pub fn custom(scheduler: impl DynScheduler + 'static) -> Self {
        Self::Custom(Box::new(scheduler))
    }
}

macro_rules! dispatch {
    ($self:ident, $scheduler:ident => $call:expr) => {
        match $self {
            AnyScheduler::LeastLinger($scheduler) => $call,
            AnyScheduler::LowestRtt($scheduler) => $call,
            AnyScheduler::RoundRobin($scheduler) => $call,
            AnyScheduler::Redundant($scheduler) => $call,
            AnyScheduler::Blest($scheduler) => $call,
            AnyScheduler::Ecf($scheduler) => $call,
            AnyScheduler::Otias($scheduler) => $call,
            AnyScheduler::Sttf($scheduler) => $call,
            AnyScheduler::Daps($scheduler) => $call,
            AnyScheduler::Custom($scheduler) => $call,
        }
    };
}

impl Scheduler for AnyScheduler {
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        dispatch!(self, scheduler => scheduler.pick(view, ask))
    }
    fn given(&mut self, subflow: usize, from: u64, len: u32) {
        dispatch!(self, scheduler => scheduler.given(subflow, from, len));
    }
    fn relieve(
        &mut self,
        view: &ConnView<'_>,
        blocked: Blocked,
        oldest: &Piece,
        picked: usize,
    ) -> Relief {
        dispatch!(self, scheduler => scheduler.relieve(view, blocked, oldest, picked))
    }
    fn finishes_fragments(&self) -> bool {
        dispatch!(self, scheduler => scheduler.finishes_fragments())
    }
    fn repeats(&self) -> bool {
        dispatch!(self, scheduler => scheduler.repeats())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_serialise_as_themselves() {
        for name in Name::ALL {
            assert_eq!(Name::from_name(name.name()), Some(*name));
            assert_eq!(serde_json::to_value(name).unwrap(), name.name());
        }
    }

    #[test]
    fn every_parameter_takes_its_default_and_its_limits() {
        for &name in Name::ALL {
            for param in name.params() {
                let with = |value: i64| {
                    let params = [(param.name, value.to_string())];
                    AnyScheduler::with_params(name, Stack::Upstream, &params)
                };
                for value in [param.default, param.min, param.max] {
                    with(value).unwrap();
                }
                with(param.max + 1).unwrap_err();
            }
        }
    }

    #[test]
    fn each_line_has_its_own_default() {
        let new = |stack| AnyScheduler::new(Name::Default, stack);
        assert!(matches!(new(Stack::Upstream), AnyScheduler::LeastLinger(_)));
        assert!(matches!(new(Stack::OutOfTree), AnyScheduler::LowestRtt(_)));
    }
}
