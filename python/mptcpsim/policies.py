"""Policies of one's own, written in Python: schedulers, congestion controls, path managers,
applications and middleboxes.

A class derived from `Scheduler`, `CongestionControl` or `PathManager` stands in a scenario where
a name would, one derived from `App` where an application would, and one derived from `Box` where
the action of a middlebox would: as a class or as an object. Every connection end gets a deep copy
of its own. An exception in a policy ends the run, which raises it with its traceback.

Examples:
    >>> import mptcpsim as mp
    >>> class Fastest(mp.Scheduler):
    ...     def pick(self, view, ask):
    ...         able = (subflow for subflow in view.subflows if subflow.sendable)
    ...         return min(able, key=lambda subflow: subflow.srtt, default=mp.WAIT)
    >>> run = mp.run("two-equal-paths", duration="1 s", set={"flows.0.mptcp.scheduler": Fastest})
    >>> run.summary[0]["subflows"]
    2

Policies must not depend on anything but what they are told, their own state and the seed they are
given: then a run is the same each time.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from mptcpsim._mptcpsim import (
    AppView,
    Ask,
    BoxSegment,
    CongestionFlow,
    PathEvent,
    PathsView,
    SchedulerView,
    SubflowPath,
    SubflowState,
    Window,
)

GROUP = "mptcpsim.policies"
"""The group of entry points by which other packages offer policies."""

WAIT: Final = None
"""What a scheduler returns if no subflow is to carry anything now."""

Method = TypeVar("Method")


def _default(method: Method) -> Method:
    """Marks a method that need not be called unless a class has its own."""
    method._default = True  # type: ignore[attr-defined]
    return method


@dataclass(slots=True)
class On:
    """The data asked about goes to this subflow."""

    subflow: SubflowState | int
    """The subflow, or its index."""
    limit: int | None = None
    """Bytes that it may take before the scheduler is asked again; without it one segment."""


@dataclass(slots=True)
class Copy:
    """Something else first: a subflow gets data that others carry."""

    subflow: SubflowState | int
    """The subflow, or its index."""
    start: int
    """The first stream offset to repeat, from `view.una` on and below `view.nxt`."""
    limit: int | None = None
    """Bytes to repeat at most; without it one segment."""


class Policy:
    """What all policies have in common."""


class Scheduler(Policy):
    """Which subflow carries the next data."""

    repeats: bool = False
    """True if it wants to be asked for data to repeat also when nothing new waits."""

    def pick(self, view: SchedulerView, ask: Ask) -> SubflowState | int | On | Copy | None:
        """Chooses a subflow for what is asked, or `WAIT`.

        Called whenever data could leave, and again until it says `WAIT` or nothing is left. `view`
        and `ask` are filled anew for each call: keep what you need of them, not the objects.
        """
        raise NotImplementedError(f"{type(self).__name__}.pick")

    @_default
    def given(self, subflow: int, start: int, len: int) -> None:
        """A subflow was given `len` bytes from stream offset `start` on, new or repeated."""


class CongestionControl(Policy):
    """How large each subflow's window may be. The verbs are those of Linux' tcp_congestion_ops."""

    paces: bool = False
    """True if packets are to leave spaced by `Window.pacing_rate` rather than in bursts."""

    def init(self, flow: CongestionFlow) -> None:
        """A subflow has been established."""

    @_default
    def release(self, flow: CongestionFlow) -> None:
        """A subflow has ended."""

    def ssthresh(self, flow: CongestionFlow) -> int:
        """The new slow-start threshold in packets after a loss or congestion signal, at least 1."""
        return flow.window.reno_ssthresh()

    def cong_avoid(self, flow: CongestionFlow, acked: int) -> None:
        """`acked` packets were delivered and the state allows growth: set `flow.window.cwnd`."""
        raise NotImplementedError(f"{type(self).__name__}.cong_avoid")

    @_default
    def set_state(self, flow: CongestionFlow, state: str) -> None:
        """The sender's state is about to become `open`, `disorder`, `cwr`, `recovery` or `loss`."""

    @_default
    def cwnd_event(self, flow: CongestionFlow, event: str) -> None:
        """`tx-start`, `cwnd-restart`, `complete-cwr` or `loss` happened."""

    @_default
    def pkts_acked(self, flow: CongestionFlow, acked: int, rtt: float | None) -> None:
        """Packets were acknowledged, in any state; with a round-trip time in seconds, if there is
        one."""

    @_default
    def undo_cwnd(self, flow: CongestionFlow) -> int:
        """The window in packets to return to when a reduction proves wrong."""
        return max(flow.window.cwnd, flow.window.prior_cwnd)


@dataclass(slots=True)
class Write:
    """Write to the connection, as soon as it takes it."""

    bytes: int
    """How much. What the bytes are is not for an application to say: they are a pattern."""


@dataclass(slots=True)
class Close:
    """Close the connection, once all is written."""


@dataclass(slots=True)
class Abort:
    """Abort the connection: with MP_FASTCLOSE, or a reset."""


@dataclass(slots=True)
class OpenSubflow:
    """Open a subflow."""

    local: str
    """Local address."""
    remote: str
    """Remote address."""
    local_id: int = 0
    """Identifier of the local address."""
    remote_id: int = 0
    """Identifier of the remote address."""
    remote_port: int | None = None
    """Remote port; without it that of the first subflow."""
    backup: bool = False
    """Ask the peer to use it as a backup."""


@dataclass(slots=True)
class CloseSubflow:
    """Close a subflow."""

    subflow: int
    """Its index."""


@dataclass(slots=True)
class SetPriority:
    """Change the priority of a subflow."""

    subflow: int
    """Its index."""
    backup: bool
    """Use it as a backup."""


@dataclass(slots=True)
class AnnounceAddress:
    """Announce an address to the peer."""

    id: int
    """Its identifier."""
    address: str
    """The address."""
    port: int | None = None
    """A port of its own."""


@dataclass(slots=True)
class ConfirmAddress:
    """Confirm an announcement of the peer."""

    id: int
    """Its identifier."""
    address: str
    """The address as announced."""
    port: int | None = None
    """The port, if it was in the announcement."""


@dataclass(slots=True)
class WithdrawAddress:
    """Withdraw an announced or used address."""

    id: int
    """Its identifier."""


@dataclass(slots=True)
class CallAt:
    """Call again with the event `timer`; a later one takes the place of an earlier one."""

    time_s: float
    """When, in seconds of virtual time."""


PathAction = (
    OpenSubflow
    | CloseSubflow
    | SetPriority
    | AnnounceAddress
    | ConfirmAddress
    | WithdrawAddress
    | CallAt
)


class PathManager(Policy):
    """Which addresses are announced and which subflows are opened."""

    def on_event(self, event: PathEvent, view: PathsView) -> Iterable[PathAction] | None:
        """Reacts to an event with actions, in the order in which they are to be done.

        That an action succeeds is not certain: an event will tell.
        """
        raise NotImplementedError(f"{type(self).__name__}.on_event")


AppAction = Write | Close | Abort | CallAt


class App(Policy):
    """What the two ends of a connection do. Each end has an object of its own: `view.client` says
    which end it is. What comes is read at once."""

    def on_event(self, view: AppView) -> Iterable[AppAction] | None:
        """Reacts to `view.event`, in this order if several things have happened:

        - ``established``: the connection is there;
        - ``received``: `view.received` has grown;
        - ``ended``: the other end will write no more;
        - ``written``: all has been taken that was to be written, after some of it had to wait;
        - ``timer``: the time of a `CallAt` has come.

        An end is done when it has closed, the other end too, and all is acknowledged.
        """
        raise NotImplementedError(f"{type(self).__name__}.on_event")


DROP: Final = "drop"
"""What a middlebox returns to drop a segment."""
RESET: Final = "reset"
"""What a middlebox returns to drop a segment and answer it with a reset."""


@dataclass(slots=True)
class Hold:
    """What a middlebox returns to keep a segment for a while; others overtake it."""

    seconds: float


class Box(Policy):
    """What a middlebox does: the action of a `Middlebox`, whose `only` says which segments it gets
    to see. One object sees both directions of all paths through it."""

    def on_segment(self, segment: BoxSegment) -> str | Hold | None:
        """Looks at a segment, may change it (`strip`, `seq`, `ack`, `window`), and returns nothing
        to pass it on, or `DROP`, `RESET` or `Hold`."""
        raise NotImplementedError(f"{type(self).__name__}.on_segment")


_registered: dict[str, type[Policy]] = {}


def register(name: str, policy: type[Policy]) -> None:
    """Lets scenarios name a policy.

    Other packages do the same with an entry point of the group ``mptcpsim.policies``, whose name
    is that of the policy and whose object is the class.

    Raises:
        TypeError: `policy` is not derived from one of the classes of policies.
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"name: expected a text, found {name!r}")
    if not (isinstance(policy, type) and issubclass(policy, Policy)):
        raise TypeError(f"policy: expected a class derived from a policy, found {policy!r}")
    _registered[name] = policy


def registered(name: str) -> type[Policy] | None:
    """The policy of that name, registered or offered by an installed package."""
    if name not in _registered:
        for point in importlib.metadata.entry_points(group=GROUP, name=name):
            register(name, point.load())
    return _registered.get(name)


KINDS: tuple[tuple[str, tuple[str, ...], type[Policy]], ...] = (
    ("scheduler", ("mptcp", "scheduler"), Scheduler),
    ("path_manager", ("mptcp", "path_manager"), PathManager),
    ("congestion_control", ("congestion_control",), CongestionControl),
    ("app", ("app",), App),
)
"""Where policies stand in a flow: their kind, the keys, and what they are derived from."""


def is_policy(value: object) -> bool:
    """Whether it is an object or a class of a policy."""
    return isinstance(value, Policy) or (isinstance(value, type) and issubclass(value, Policy))


def name_of(policy: Any) -> str:
    """The name that a policy is shown by."""
    own = policy if isinstance(policy, type) else type(policy)
    for name, known in _registered.items():
        if known is own:
            return name
    return str(own.__name__)


__all__ = [
    "DROP",
    "RESET",
    "WAIT",
    "Abort",
    "AnnounceAddress",
    "App",
    "AppView",
    "Ask",
    "Box",
    "BoxSegment",
    "CallAt",
    "Close",
    "CloseSubflow",
    "ConfirmAddress",
    "CongestionControl",
    "CongestionFlow",
    "Copy",
    "Hold",
    "On",
    "OpenSubflow",
    "PathEvent",
    "PathManager",
    "PathsView",
    "Policy",
    "Scheduler",
    "SchedulerView",
    "SetPriority",
    "SubflowPath",
    "SubflowState",
    "Window",
    "WithdrawAddress",
    "Write",
    "register",
]
