"""A run taken step by step."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, SupportsIndex

from mptcpsim import _mptcpsim
from mptcpsim.errors import ScenarioError
from mptcpsim.results import Run
from mptcpsim.running import ScenarioLike, as_scenario
from mptcpsim.scenario_types import EndpointChange, LinkSet, Scenario, TimelineEntry
from mptcpsim.units import Quantity

Moment = str | Quantity | float
"""A time: a text such as ``"1.5 s"``, a quantity, or a number of seconds."""


@dataclass(frozen=True, slots=True)
class Subflow:
    """The sending side of a subflow, as it is now."""

    id: int
    path: str | None
    local: str
    remote: str
    state: str
    fully_established: bool
    backup: bool
    stale: bool
    congestion_state: str
    cwnd_packets: int
    ssthresh_packets: int | None
    inflight_packets: int
    mss_bytes: int
    srtt_ms: float | None
    min_rtt_ms: float | None
    rto_ms: float
    pacing_rate_bps: float
    peer_window_bytes: int
    acked_bytes: int
    retransmissions: int


@dataclass(frozen=True, slots=True)
class Connection:
    """One end of a connection, as it is now."""

    flow: str | None
    host: str | None
    client: bool
    state: str
    fallback: str | None
    closed: bool
    done: bool
    error: str | None
    written_bytes: int
    sent_bytes: int
    acked_bytes: int
    received_bytes: int
    read_bytes: int
    out_of_order_bytes: int
    reinjected_bytes: int
    subflows: tuple[Subflow, ...]


@dataclass(frozen=True, slots=True)
class LinkState:
    """One direction of a link, as it is now."""

    link: str
    direction: Literal["up", "down"]
    backlog_packets: int
    backlog_bytes: int
    queueing_delay_ms: float | None
    offered_packets: int
    delivered_packets: int
    delivered_bytes: int
    overflow_packets: int
    managed_packets: int
    lost_packets: int
    down_packets: int
    marked_packets: int


class Simulation:
    """A run that goes on as far as it is told, and can be looked at and changed meanwhile.

    Examples:
        >>> sim = Simulation("two-equal-paths", seed=1)
        >>> sim.run_until("0.5 s")
        >>> sim.now
        0.5
        >>> twin = sim.fork()
        >>> sim.set_link("fast", up=False) if "fast" in {it.link for it in sim.links} else None
        >>> sim.run_until(); twin.run_until()
        >>> sim.over and twin.over
        True

    Where the steps end has no influence: a simulation that nobody changes has the digest of `run`.
    """

    __slots__ = ("_native", "_scenario")

    def __init__(
        self,
        scenario: ScenarioLike = "wifi-lte",
        *,
        seed: SupportsIndex | None = None,
        duration: str | Quantity | None = None,
        set: Mapping[str, Any] | None = None,
    ) -> None:
        self._scenario = as_scenario(scenario, seed, duration, set)
        plan, policies = self._scenario.plan()
        self._native = _mptcpsim.Simulation(plan, policies)

    # ---- going on

    @property
    def now(self) -> float:
        """The virtual time in seconds."""
        return self._native.now_s

    @property
    def over(self) -> bool:
        """Whether the duration is over or all flows have finished."""
        return self._native.over

    def run_until(
        self, time: Moment | None = None, *, progress: Callable[[float], object] | None = None
    ) -> None:
        """Goes on until a time, or without it to the end. A time that has passed is no error.

        Raises:
            ValueError: it is no time.
            KeyboardInterrupt: Ctrl-C was pressed; the simulation can go on from there.
        """
        self._native.run_until(None if time is None else _text("time", time), progress)

    def run_for(self, span: Moment) -> None:
        """Goes on for a time."""
        self.run_until(self.now + _seconds("span", span))

    def run_while(
        self,
        condition: Callable[[Simulation], object],
        *,
        every: Moment = "10 ms",
        until: Moment | None = None,
    ) -> bool:
        """Goes on as long as a condition holds; it is asked each `every` of virtual time.

        Returns whether the condition ended it, rather than `until` or the end of the run.
        """
        if not callable(condition):
            raise TypeError(f"condition: expected a callable, found {condition!r}")
        step = _seconds("every", every)
        if step <= 0:
            raise ValueError(f"every: expected more than nothing, found {every!r}")
        end = float("inf") if until is None else _seconds("until", until)
        while condition(self):
            if self.over or self.now >= end:
                return False
            self.run_until(min(self.now + step, end))
        return True

    # ---- looking

    @property
    def connections(self) -> list[Connection]:
        """Both ends of all connections opened so far, in the order in which they were made."""
        return [
            Connection(**{**it, "subflows": tuple(Subflow(**one) for one in it["subflows"])})
            for it in json.loads(self._native.connections())
        ]

    def connection(self, flow: str, *, sender: bool = True) -> Connection:
        """The end of a flow that has written the most, or the other one.

        Raises:
            KeyError: no such flow has been opened.
        """
        ends = [it for it in self.connections if it.flow == flow]
        if not ends:
            raise KeyError(f"no flow `{flow}` has been opened")
        ends.sort(key=lambda end: end.written_bytes, reverse=sender)
        return ends[0]

    @property
    def links(self) -> list[LinkState]:
        """Both directions of all links."""
        return [LinkState(**it) for it in json.loads(self._native.links())]

    @property
    def counters(self) -> dict[str, dict[str, int]]:
        """The counters of all hosts, by host and by the kernel's names."""
        counters: dict[str, dict[str, int]] = json.loads(self._native.counters())
        return counters

    def ss(self) -> str:
        """All sockets, as ``ss -tiM`` prints them."""
        return self._native.ss()

    def nstat(self) -> str:
        """All counters, as ``nstat -az`` prints them."""
        return self._native.nstat()

    # ---- changing

    def change(self, entry: TimelineEntry) -> None:
        """Does what an entry of a timeline says, a picosecond from now, whatever its own time.

        A run of the `scenario` that has the change is the same run.

        Raises:
            ScenarioError: a timeline could not hold such an entry.
            ValueError: an interface is to go up or down that the scenario's timeline never does.
        """
        tree = {**entry.to_dict(), "at": "0 s"}
        try:
            self._native.change(json.dumps(tree))
        except ScenarioError as error:
            raise error.without_lines() from None

    def set_link(
        self, link: str, *, direction: Literal["up", "down"] | None = None, **set: Any
    ) -> None:
        """Makes a link different from now on: `rate`, `delay`, `loss`, `limit` or `up`.

        Raises:
            ScenarioError: there is no such link, or a value is wrong.
        """
        entry = TimelineEntry("0 s", link=link, direction=direction, set=LinkSet.from_dict(set))
        self.change(entry)

    def change_endpoint(self, host: str, change: EndpointChange) -> None:
        """Adds, changes or removes an endpoint of a host, as ``ip mptcp endpoint`` does.

        Raises:
            ScenarioError: there is no such host, or the change makes no sense.
        """
        self.change(TimelineEntry("0 s", host=host, endpoint=change))

    def fork(self) -> Simulation:
        """Another simulation that has come just as far and goes on by itself."""
        twin = object.__new__(Simulation)
        twin._scenario = self._scenario
        twin._native = self._native.fork()
        return twin

    # ---- results

    @property
    def scenario(self) -> Scenario:
        """The scenario, with all changes made so far in its timeline."""
        scenario = self._scenario.copy()
        changed = Scenario.from_dict(json.loads(self._native.scenario()))
        scenario.timeline = changed.timeline
        return scenario

    def results(self) -> Run:
        """What the run has found out so far. The simulation can go on."""
        return Run(self.scenario, self._native.outcome())

    def __repr__(self) -> str:
        name = self._scenario.name or "scenario"
        return f"<Simulation {name} at {self.now:g} s{', over' if self.over else ''}>"


def _seconds(argument: str, time: Moment) -> float:
    if isinstance(time, Quantity):
        return float(time) if time.kind == "time" else _wrong(argument, time)
    if isinstance(time, str):
        return _mptcpsim.seconds(time)
    if isinstance(time, bool) or not isinstance(time, (int, float)):
        return _wrong(argument, time)
    return float(time)


def _text(argument: str, time: Moment) -> str:
    if isinstance(time, str):
        return time
    seconds = _seconds(argument, time)
    if not 0 <= seconds < 1e9:
        _wrong(argument, time)
    return f"{seconds:.12f} s"


def _wrong(argument: str, time: object) -> float:
    raise ValueError(f"{argument}: expected a time such as '1.5 s', found {time!r}")
