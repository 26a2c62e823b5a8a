//! Path managers in Python.

use std::net::{IpAddr, SocketAddr};

use mptcpsim_core::time::Time;
use mptcpsim_models::path_manager::{PathAction, PathEvent, PathManager, PathsView};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use super::{Policy, Told, Wanted, moment};

/// What a path manager is told: a word, and what goes with it.
#[pyclass(frozen, module = "mptcpsim._mptcpsim", name = "PathEvent")]
pub(crate) struct EventView {
    event: PathEvent,
}

#[pymethods]
impl EventView {
    /// What happened, such as `fully-established`, `add-addr`, `subflow-closed` or `timer`.
    #[getter]
    fn kind(&self) -> &'static str {
        match self.event {
            PathEvent::Created => "created",
            PathEvent::FullyEstablished => "fully-established",
            PathEvent::SubflowEstablished { .. } => "subflow-established",
            PathEvent::SubflowClosed { .. } => "subflow-closed",
            PathEvent::PriorityReceived { .. } => "priority-received",
            PathEvent::Closed => "closed",
            PathEvent::Unreachable { .. } => "unreachable",
            PathEvent::Timer => "timer",
            PathEvent::AddAddr { .. } => "add-addr",
            PathEvent::AddAddrDone { .. } => "add-addr-done",
            PathEvent::RemoveAddr { .. } => "remove-addr",
            PathEvent::EndpointsChanged => "endpoints-changed",
            PathEvent::AddressGone { .. } => "address-gone",
            PathEvent::AddressAdded { .. } => "address-added",
            PathEvent::AddressPriority { .. } => "address-priority",
            PathEvent::InitialAddressRemoved => "initial-address-removed",
            PathEvent::BackupChanged { .. } => "backup-changed",
        }
    }
    /// Index of the subflow that it is about.
    #[getter]
    fn subflow(&self) -> Option<usize> {
        match self.event {
            PathEvent::SubflowEstablished { subflow }
            | PathEvent::SubflowClosed { subflow, .. }
            | PathEvent::PriorityReceived { subflow, .. } => Some(subflow),
            _ => None,
        }
    }
    /// Identifier of the address that it is about.
    #[getter]
    fn id(&self) -> Option<u8> {
        match self.event {
            PathEvent::AddAddr { id, .. }
            | PathEvent::AddAddrDone { id }
            | PathEvent::RemoveAddr { id }
            | PathEvent::BackupChanged { id, .. } => Some(id),
            PathEvent::SubflowClosed { local_id, .. } => Some(local_id),
            PathEvent::Unreachable { remote_id, .. } => Some(remote_id),
            _ => None,
        }
    }
    /// The address that it is about, as text.
    #[getter]
    fn address(&self) -> Option<String> {
        match self.event {
            PathEvent::AddAddr { addr, .. } => Some(addr.ip().to_string()),
            PathEvent::AddressGone { addr }
            | PathEvent::AddressAdded { addr }
            | PathEvent::AddressPriority { addr, .. } => Some(addr.to_string()),
            PathEvent::Unreachable { local, .. } => Some(local.to_string()),
            _ => None,
        }
    }
    /// The port of an announced address.
    #[getter]
    fn port(&self) -> Option<u16> {
        match self.event {
            PathEvent::AddAddr { addr, .. } => Some(addr.port()),
            _ => None,
        }
    }
    /// Whether something is a backup from now on.
    #[getter]
    fn backup(&self) -> Option<bool> {
        match self.event {
            PathEvent::PriorityReceived { backup, .. }
            | PathEvent::AddressPriority { backup, .. }
            | PathEvent::BackupChanged { backup, .. } => Some(backup),
            _ => None,
        }
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.event)
    }
}

/// A subflow as a path manager sees it.
#[pyclass(frozen, get_all, module = "mptcpsim._mptcpsim", name = "SubflowPath")]
pub(crate) struct SubflowPath {
    /// Local address.
    local: String,
    /// Local port.
    local_port: u16,
    /// Remote address.
    remote: String,
    /// Remote port.
    remote_port: u16,
    /// Identifier of the local address.
    local_id: u8,
    /// Identifier of the remote address.
    remote_id: u8,
    /// It was joined (not the first one).
    joined: bool,
    /// It is neither closed nor closing.
    alive: bool,
}

/// A connection as a path manager sees it.
#[pyclass(frozen, get_all, module = "mptcpsim._mptcpsim", name = "PathsView")]
pub(crate) struct PathsViewObject {
    /// The virtual time in seconds.
    now: f64,
    /// This host opened the connection.
    client: bool,
    /// The addresses of the host.
    addresses: Vec<String>,
    /// The subflows in order of creation, the first one first.
    subflows: Vec<Py<SubflowPath>>,
}

/// A path manager that asks an object of Python.
#[derive(Clone, Debug)]
pub(super) struct InPython(Told);

impl InPython {
    pub(super) fn new(policy: Policy) -> Self {
        Self(Told::new(policy))
    }
}

impl PathManager for InPython {
    fn on_event(&mut self, event: PathEvent, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        self.0.on_event(
            view.now,
            actions,
            |object| {
                let shown = (EventView { event }, shown(object.py(), view)?);
                object.call_method1("on_event", shown)
            },
            |action| wanted(action, view),
        );
    }

    fn due(&self) -> Time {
        self.0.due
    }
}

fn shown(py: Python<'_>, view: &PathsView<'_>) -> PyResult<PathsViewObject> {
    let subflows = view.subflows.iter().map(|subflow| {
        let shown = SubflowPath {
            local: subflow.local.ip().to_string(),
            local_port: subflow.local.port(),
            remote: subflow.remote.ip().to_string(),
            remote_port: subflow.remote.port(),
            local_id: subflow.local_id,
            remote_id: subflow.remote_id,
            joined: subflow.joined,
            alive: subflow.alive,
        };
        Py::new(py, shown)
    });
    Ok(PathsViewObject {
        now: view.now.as_secs_f64(),
        client: view.client,
        addresses: view.addresses.iter().map(ToString::to_string).collect(),
        subflows: subflows.collect::<PyResult<_>>()?,
    })
}

/// An action is an object of one of the classes of `mptcpsim.policies`; its class names it.
fn wanted(action: &Bound<'_, PyAny>, view: &PathsView<'_>) -> PyResult<Wanted<PathAction>> {
    let name = action.get_type().name()?.to_string();
    let get = |key: &str| action.getattr(key);
    let address = |key: &str| -> PyResult<IpAddr> {
        let text: String = get(key)?.extract()?;
        text.parse()
            .map_err(|_| PyValueError::new_err(format!("{name}.{key}: `{text}` is no address")))
    };
    let ends = || -> PyResult<(SocketAddr, SocketAddr)> {
        let subflow = get("subflow")?;
        let index: usize = subflow.extract()?;
        let subflow = view.subflows.get(index);
        subflow.map(|subflow| (subflow.local, subflow.remote)).ok_or_else(|| {
            PyValueError::new_err(format!("{name}.subflow: there is no subflow {index}"))
        })
    };
    Ok(Wanted::Now(match name.as_str() {
        "OpenSubflow" => PathAction::Open {
            local: address("local")?,
            local_id: get("local_id")?.extract()?,
            remote: SocketAddr::new(address("remote")?, port(&get("remote_port")?, view)?),
            remote_id: get("remote_id")?.extract()?,
            backup: get("backup")?.extract()?,
            source_route: None,
        },
        "CloseSubflow" => {
            let (local, remote) = ends()?;
            PathAction::Close { local, remote }
        }
        "SetPriority" => {
            let (local, remote) = ends()?;
            PathAction::SetPriority { local, remote, backup: get("backup")?.extract()? }
        }
        "AnnounceAddress" => PathAction::Announce {
            id: get("id")?.extract()?,
            addr: address("address")?,
            port: get("port")?.extract()?,
        },
        "WithdrawAddress" => PathAction::Withdraw { id: get("id")?.extract()? },
        "ConfirmAddress" => PathAction::Echo {
            id: get("id")?.extract()?,
            addr: SocketAddr::new(
                address("address")?,
                get("port")?.extract::<Option<u16>>()?.unwrap_or(0),
            ),
            with_port: !get("port")?.is_none(),
        },
        "CallAt" => return Ok(Wanted::Call(moment(&get("time_s")?, view.now)?)),
        _ => {
            let what = action.repr()?;
            return Err(PyTypeError::new_err(format!("on_event: {what} is no action")));
        }
    }))
}

/// The port of the first subflow's other end, if none is given.
fn port(given: &Bound<'_, PyAny>, view: &PathsView<'_>) -> PyResult<u16> {
    let first = view.subflows.first().map_or(0, |subflow| subflow.remote.port());
    Ok(given.extract::<Option<u16>>()?.unwrap_or(first))
}
