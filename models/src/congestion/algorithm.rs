//! The algorithms by name, and an instance of one.

use serde::{Deserialize, Serialize};

use super::{
    AckSample, CaEvent, CaState, CongestionControl, DynCongestionControl, Flow, Internals,
    RateSample, Window, balia, bbr, cubic, ewtcp, lia, olia, reno, wvegas,
};
use crate::params::{Param, ParamError, read};

/// A congestion control by the name it has in `net.ipv4.tcp_congestion_control`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// NewReno (RFC 5681), every subflow for itself.
    Reno,
    /// CUBIC with HyStart (RFC 9438, Linux), every subflow for itself.
    #[default]
    Cubic,
    /// Linked increases, in the kernel's integers.
    Lia,
    /// Opportunistic linked increases, in the kernel's integers.
    Olia,
    /// Balanced linked adaptation, in the kernel's integers.
    Balia,
    /// Weighted Vegas, in the kernel's integers.
    Wvegas,
    /// Bottleneck bandwidth and round-trip time (version 1), every subflow for itself.
    Bbr,
    /// Linked increases as published, in real numbers.
    LiaRfc6356,
    /// Opportunistic linked increases as published, in real numbers.
    OliaPaper,
    /// Balanced linked adaptation as published, in real numbers.
    BaliaDraft,
    /// Equally weighted TCP, a baseline in real numbers.
    Ewtcp,
    /// NewReno on every subflow: what coupling is compared to.
    Uncoupled,
}

impl Name {
    /// All algorithms.
    pub const ALL: &'static [Self] = &[
        Self::Reno,
        Self::Cubic,
        Self::Lia,
        Self::Olia,
        Self::Balia,
        Self::Wvegas,
        Self::Bbr,
        Self::LiaRfc6356,
        Self::OliaPaper,
        Self::BaliaDraft,
        Self::Ewtcp,
        Self::Uncoupled,
    ];

    /// The kernel's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reno => "reno",
            Self::Cubic => "cubic",
            Self::Lia => "lia",
            Self::Olia => "olia",
            Self::Balia => "balia",
            Self::Wvegas => "wvegas",
            Self::Bbr => "bbr",
            Self::LiaRfc6356 => "lia-rfc6356",
            Self::OliaPaper => "olia-paper",
            Self::BaliaDraft => "balia-draft",
            Self::Ewtcp => "ewtcp",
            Self::Uncoupled => "uncoupled",
        }
    }

    /// What it is, in a line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Reno => "NewReno (RFC 5681): every subflow for itself",
            Self::Cubic => "CUBIC with HyStart (RFC 9438, Linux): every subflow for itself",
            Self::Lia => "linked increases (RFC 6356), in the kernel's integers",
            Self::Olia => "opportunistic linked increases, in the kernel's integers",
            Self::Balia => "balanced linked adaptation, in the kernel's integers",
            Self::Wvegas => "weighted Vegas, in the kernel's integers",
            Self::Bbr => "BBR version 1: every subflow sends at the rate its path delivers",
            Self::LiaRfc6356 => "linked increases as in RFC 6356, in real numbers",
            Self::OliaPaper => "opportunistic linked increases as published, in real numbers",
            Self::BaliaDraft => "balanced linked adaptation as published, in real numbers",
            Self::Ewtcp => "equally weighted TCP: a subflow of n is a TCP of weight 1/n",
            Self::Uncoupled => "NewReno on every subflow: what coupling is compared to",
        }
    }

    /// The algorithm with the kernel's name `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }

    /// The kernel module whose parameters it has.
    pub const fn module(self) -> Option<&'static str> {
        match self {
            Self::Cubic => Some("tcp_cubic"),
            Self::Wvegas => Some("mptcp_wvegas"),
            _ => None,
        }
    }

    /// Its parameters.
    pub const fn params(self) -> &'static [Param] {
        match self {
            Self::Cubic => cubic::Params::LIST,
            Self::Wvegas => wvegas::Params::LIST,
            _ => &[],
        }
    }
}

/// An instance of an algorithm. The built-in ones are dispatched without a table on the packet path.
#[derive(Clone, Debug)]
pub enum Congestion {
    /// See [`reno`].
    Reno(reno::Reno),
    /// See [`cubic`].
    Cubic(cubic::Cubic),
    /// See [`lia`].
    Lia(lia::Lia),
    /// See [`olia`].
    Olia(olia::Olia),
    /// See [`balia`].
    Balia(balia::Balia),
    /// See [`wvegas`].
    Wvegas(wvegas::Wvegas),
    /// See [`bbr`].
    Bbr(bbr::Bbr),
    /// See [`lia`].
    LiaRfc6356(lia::LiaRfc6356),
    /// See [`olia`].
    OliaPaper(olia::OliaPaper),
    /// See [`balia`].
    BaliaDraft(balia::BaliaDraft),
    /// See [`ewtcp`].
    Ewtcp(ewtcp::Ewtcp),
    /// A user's own.
    Custom(Box<dyn DynCongestionControl>),
}

impl Congestion {
    /// A fresh instance of the algorithm called `name`, with default parameters.
    pub fn new(name: Name) -> Self {
        match name {
            Name::Reno | Name::Uncoupled => Self::Reno(reno::Reno),
            Name::Cubic => Self::Cubic(cubic::Cubic::default()),
            Name::Lia => Self::Lia(lia::Lia::default()),
            Name::Olia => Self::Olia(olia::Olia::default()),
            Name::Balia => Self::Balia(balia::Balia::default()),
            Name::Wvegas => Self::Wvegas(wvegas::Wvegas::default()),
            Name::Bbr => Self::Bbr(bbr::Bbr::default()),
            Name::LiaRfc6356 => Self::LiaRfc6356(lia::LiaRfc6356::default()),
            Name::OliaPaper => Self::OliaPaper(olia::OliaPaper::default()),
            Name::BaliaDraft => Self::BaliaDraft(balia::BaliaDraft::default()),
            Name::Ewtcp => Self::Ewtcp(ewtcp::Ewtcp::default()),
        }
    }

    /// A fresh instance with parameters by name, each a whole number ([`Name::params`]).
    ///
    /// # Errors
    /// The algorithm has no such parameter, or not with such a value.
    pub fn with_params<N: AsRef<str>, V: AsRef<str>>(
        name: Name,
        params: &[(N, V)],
    ) -> Result<Self, ParamError> {
        let mut congestion = Self::new(name);
        for (param, value) in params {
            let (param, value) = read(name.name(), name.params(), param.as_ref(), value.as_ref())?;
            match &mut congestion {
                Self::Cubic(cubic) => cubic.params.set(param, value),
                Self::Wvegas(wvegas) => wvegas.params.set(param, value),
                _ => {}
            }
        }
        Ok(congestion)
    }

    /// The algorithm, unless it is a user's own. `uncoupled` is `reno` here.
    pub const fn name(&self) -> Option<Name> {
        Some(match self {
            Self::Reno(_) => Name::Reno,
            Self::Cubic(_) => Name::Cubic,
            Self::Lia(_) => Name::Lia,
            Self::Olia(_) => Name::Olia,
            Self::Balia(_) => Name::Balia,
            Self::Wvegas(_) => Name::Wvegas,
            Self::Bbr(_) => Name::Bbr,
            Self::LiaRfc6356(_) => Name::LiaRfc6356,
            Self::OliaPaper(_) => Name::OliaPaper,
            Self::BaliaDraft(_) => Name::BaliaDraft,
            Self::Ewtcp(_) => Name::Ewtcp,
            Self::Custom(_) => return None,
        })
    }

    /// A user's own algorithm.
    pub fn custom(algorithm: impl DynCongestionControl + 'static) -> Self {
        Self::Custom(Box::new(algorithm))
    }
}

macro_rules! dispatch {
    ($self:ident, $algorithm:ident => $call:expr) => {
        match $self {
            Congestion::Reno($algorithm) => $call,
            Congestion::Cubic($algorithm) => $call,
            Congestion::Lia($algorithm) => $call,
            Congestion::Olia($algorithm) => $call,
            Congestion::Balia($algorithm) => $call,
            Congestion::Wvegas($algorithm) => $call,
            Congestion::Bbr($algorithm) => $call,
            Congestion::LiaRfc6356($algorithm) => $call,
            Congestion::OliaPaper($algorithm) => $call,
            Congestion::BaliaDraft($algorithm) => $call,
            Congestion::Ewtcp($algorithm) => $call,
            Congestion::Custom($algorithm) => $call,
        }
    };
}

impl CongestionControl for Congestion {
    fn init(&mut self, flow: &mut Flow<'_>) {
        dispatch!(self, algorithm => algorithm.init(flow));
    }
    fn release(&mut self, flow: &mut Flow<'_>) {
        dispatch!(self, algorithm => algorithm.release(flow));
    }
    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        dispatch!(self, algorithm => algorithm.ssthresh(flow))
    }
    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
        dispatch!(self, algorithm => algorithm.cong_avoid(flow, acked));
    }
    fn set_state(&mut self, flow: &mut Flow<'_>, new: CaState) {
        dispatch!(self, algorithm => algorithm.set_state(flow, new));
    }
    fn cwnd_event(&mut self, flow: &mut Flow<'_>, event: CaEvent) {
        dispatch!(self, algorithm => algorithm.cwnd_event(flow, event));
    }
    fn pkts_acked(&mut self, flow: &mut Flow<'_>, sample: AckSample) {
        dispatch!(self, algorithm => algorithm.pkts_acked(flow, sample));
    }
    fn undo_cwnd(&mut self, flow: &mut Flow<'_>) -> u32 {
        dispatch!(self, algorithm => algorithm.undo_cwnd(flow))
    }
    fn controls_rate(&self) -> bool {
        dispatch!(self, algorithm => algorithm.controls_rate())
    }
    fn cong_control(&mut self, flow: &mut Flow<'_>, sample: &RateSample) {
        dispatch!(self, algorithm => algorithm.cong_control(flow, sample));
    }
    fn paces(&self) -> bool {
        dispatch!(self, algorithm => algorithm.paces())
    }
    fn min_tso_segs(&self, window: &Window) -> Option<u32> {
        dispatch!(self, algorithm => algorithm.min_tso_segs(window))
    }
    fn sndbuf_windows(&self) -> u32 {
        dispatch!(self, algorithm => algorithm.sndbuf_windows())
    }
    fn internals(&self, me: usize, window: &Window) -> Internals {
        dispatch!(self, algorithm => algorithm.internals(me, window))
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
                for value in [param.default, param.min, param.max] {
                    Congestion::with_params(name, &[(param.name, value.to_string())]).unwrap();
                }
                let beyond = (param.max + 1).to_string();
                assert!(Congestion::with_params(name, &[(param.name, beyond)]).is_err());
            }
        }
    }

    #[test]
    fn parameters_arrive() {
        let set = Congestion::with_params(Name::Wvegas, &[("total_alpha", "20")]).unwrap();
        let Congestion::Wvegas(wvegas) = set else { unreachable!() };
        assert_eq!(wvegas.params, wvegas::Params { total_alpha: 20, ..Default::default() });
        let set = Congestion::with_params(Name::Cubic, &[("hystart", "0"), ("beta", "512")]);
        let Ok(Congestion::Cubic(cubic)) = set else { unreachable!() };
        let expected = cubic::Params { hystart: false, beta: 512, ..Default::default() };
        assert_eq!(cubic.params, expected);
    }

    #[test]
    fn a_wrong_parameter_is_named_with_the_right_ones() {
        let error = Congestion::with_params(Name::Wvegas, &[("alpha", "1")]).unwrap_err();
        assert!(error.to_string().contains("total_alpha"));
        let error = Congestion::with_params(Name::Lia, &[("alpha", "1")]).unwrap_err();
        assert!(error.to_string().contains("none"));
    }
}
