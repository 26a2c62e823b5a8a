//! The path managers by name, and an instance of one.

use std::net::IpAddr;

use mptcpsim_core::time::Time;

use super::binder::Binder;
use super::fullmesh::{self, Fullmesh, address_id};
use super::ndiffports::{self, Ndiffports};
use super::userspace::Userspace;
use super::{DynPathManager, PathAction, PathEvent, PathManager, PathsView};
use crate::params::{Param, ParamError, read};
use crate::rules::Stack;
use crate::sysctl::Sysctl;

/// A path manager by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Name {
    /// The kernel line's own: the endpoints upstream, out of tree one that opens nothing.
    #[default]
    Default,
    /// The in-kernel path manager of upstream Linux.
    Endpoints,
    /// A subflow between every pair of addresses.
    Fullmesh,
    /// Several subflows between the same addresses.
    Ndiffports,
    /// A subflow through each list of gateways.
    Binder,
    /// A daemon of the host decides.
    Userspace,
}

impl Name {
    /// All path managers.
    pub const ALL: &'static [Self] = &[
        Self::Default,
        Self::Endpoints,
        Self::Fullmesh,
        Self::Ndiffports,
        Self::Binder,
        Self::Userspace,
    ];

    /// The name it has in scenarios, and in kernels that have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Endpoints => "endpoints",
            Self::Fullmesh => "fullmesh",
            Self::Ndiffports => "ndiffports",
            Self::Binder => "binder",
            Self::Userspace => "userspace",
        }
    }

    /// The kernel module whose parameters it has.
    pub const fn module(self) -> Option<&'static str> {
        match self {
            Self::Fullmesh => Some("mptcp_fullmesh"),
            Self::Ndiffports => Some("mptcp_ndiffports"),
            _ => None,
        }
    }

    /// Its parameters.
    pub const fn params(self) -> &'static [Param] {
        match self {
            Self::Fullmesh => fullmesh::Params::LIST,
            Self::Ndiffports => ndiffports::Params::LIST,
            _ => &[],
        }
    }

    /// The path manager called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|manager| manager.name() == name)
    }

    /// True if hosts of line `stack` can have it.
    pub fn runs_on(self, stack: Stack) -> bool {
        self != Self::Endpoints || stack == Stack::Upstream
    }

    /// The one that the knobs of a host of line `stack` name; a name that no module has is the
    /// default.
    pub fn from_sysctl(sysctl: &Sysctl, stack: Stack) -> Self {
        match stack {
            Stack::Upstream if sysctl.pm_type == 1 || sysctl.path_manager == "userspace" => {
                Self::Userspace
            }
            Stack::Upstream => Self::Endpoints,
            Stack::OutOfTree => Self::from_name(&sysctl.mptcp_path_manager)
                .filter(|name| name.runs_on(stack))
                .unwrap_or_default(),
        }
    }
}

/// An instance of a path manager, for one end of a connection.
#[derive(Clone, Debug)]
pub enum AnyPathManager {
    /// See [`endpoints`](super::endpoints): what the connection counts and what the host has
    /// configured are its state.
    Endpoints,
    /// `default` out of tree: opens and announces nothing, accepts everything (`mptcp_pm_default`).
    Passive,
    /// See [`fullmesh`].
    Fullmesh(Box<Fullmesh>),
    /// See [`ndiffports`].
    Ndiffports(Ndiffports),
    /// See [`binder`](super::binder).
    Binder(Binder),
    /// See [`userspace`](super::userspace).
    Userspace(Box<Userspace>),
    /// A user's own.
    Custom(Box<dyn DynPathManager>),
}

impl AnyPathManager {
    /// A fresh instance of the path manager called `name`, as a connection of this line gets it.
    /// `fullmesh` upstream is a flag of endpoints.
    pub fn new(name: Name, stack: Stack) -> Self {
        match (name, stack) {
            (Name::Endpoints | Name::Default | Name::Fullmesh, Stack::Upstream) => Self::Endpoints,
            (Name::Endpoints | Name::Default, Stack::OutOfTree) => Self::Passive,
            (Name::Fullmesh, Stack::OutOfTree) => Self::Fullmesh(Box::default()),
            (Name::Ndiffports, _) => Self::Ndiffports(Ndiffports::default()),
            (Name::Binder, _) => Self::Binder(Binder),
            (Name::Userspace, _) => Self::Userspace(Box::default()),
        }
    }

    /// A fresh instance with parameters by name, each a whole number ([`Name::params`]).
    ///
    /// # Errors
    /// The path manager has no such parameter, or not with such a value.
    pub fn with_params<N: AsRef<str>, V: AsRef<str>>(
        name: Name,
        stack: Stack,
        params: &[(N, V)],
    ) -> Result<Self, ParamError> {
        let mut manager = Self::new(name, stack);
        for (param, value) in params {
            let (param, value) = read(name.name(), name.params(), param.as_ref(), value.as_ref())?;
            match &mut manager {
                Self::Fullmesh(mesh) => mesh.params.set(param, value),
                Self::Ndiffports(ports) => ports.params.set(param, value),
                _ => {}
            }
        }
        Ok(manager)
    }

    /// A user's own path manager.
    pub fn custom(manager: impl DynPathManager + 'static) -> Self {
        Self::Custom(Box::new(manager))
    }

    /// The id of a local address in joins of the peer (`get_local_id`).
    pub(crate) fn local_id(&self, addresses: &[IpAddr], addr: IpAddr) -> u8 {
        match self {
            Self::Fullmesh(_) | Self::Custom(_) => address_id(addresses, addr).unwrap_or(0),
            Self::Userspace(userspace) => userspace.local_id(addr),
            Self::Endpoints | Self::Passive | Self::Ndiffports(_) | Self::Binder(_) => 0,
        }
    }
}

impl PathManager for AnyPathManager {
    fn on_event(&mut self, event: PathEvent, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        match self {
            // The connection asks endpoints and the daemon itself.
            Self::Endpoints | Self::Userspace(_) | Self::Passive => {
                close_withdrawn(event, actions);
            }
            Self::Fullmesh(mesh) => mesh.on_event(event, view, actions),
            Self::Ndiffports(ports) => {
                close_withdrawn(event, actions);
                ports.on_event(event, view, actions);
            }
            Self::Binder(binder) => {
                close_withdrawn(event, actions);
                binder.on_event(event, view, actions);
            }
            Self::Custom(manager) => manager.on_event(event, view, actions),
        }
    }

    fn due(&self) -> Time {
        match self {
            Self::Fullmesh(mesh) => mesh.due(),
            Self::Custom(manager) => manager.due(),
            _ => Time::NEVER,
        }
    }
}

/// Subflows to an address that the peer takes back end, whoever manages the paths.
fn close_withdrawn(event: PathEvent, actions: &mut Vec<PathAction>) {
    if let PathEvent::RemoveAddr { id } = event {
        actions.push(PathAction::CloseRemote { id });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for name in Name::ALL {
            assert_eq!(Name::from_name(name.name()), Some(*name));
        }
    }

    #[test]
    fn every_parameter_takes_its_default_and_its_limits() {
        for &name in Name::ALL {
            for param in name.params() {
                let with = |value: i64| {
                    let params = [(param.name, value.to_string())];
                    AnyPathManager::with_params(name, Stack::OutOfTree, &params)
                };
                for value in [param.default, param.min, param.max] {
                    with(value).unwrap();
                }
                with(param.max + 1).unwrap_err();
            }
        }
    }

    #[test]
    fn the_knobs_of_each_line_name_its_path_managers() {
        let mut sysctl = Sysctl::default();
        assert_eq!(Name::from_sysctl(&sysctl, Stack::Upstream), Name::Endpoints);
        assert_eq!(Name::from_sysctl(&sysctl, Stack::OutOfTree), Name::Fullmesh);
        sysctl.pm_type = 1;
        sysctl.mptcp_path_manager = "nobody".into();
        assert_eq!(Name::from_sysctl(&sysctl, Stack::Upstream), Name::Userspace);
        assert_eq!(Name::from_sysctl(&sysctl, Stack::OutOfTree), Name::Default);
    }
}
