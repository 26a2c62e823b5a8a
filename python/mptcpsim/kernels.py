"""Runs with the real kernel of this machine, and comparisons with real kernels."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, SupportsIndex

from mptcpsim import _mptcpsim
from mptcpsim.errors import RunError
from mptcpsim.results import Run
from mptcpsim.running import LAUNCHER, Bar, Progress, ScenarioLike, as_scenario, capturing
from mptcpsim.scenario_types import Scenario
from mptcpsim.table import Table
from mptcpsim.units import Quantity

log = logging.getLogger("mptcpsim")

Side = Literal["sim", "kernel"]
"""Whether hosts are simulated or the real kernel of this machine."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """How much later than due packets were handed to real kernels."""

    median_s: float
    p99_s: float
    max_s: float
    packets: int
    valid: bool
    """The links were as the scenario has them: 0.1 ms at the median, 1 ms at the 99th percentile."""


@dataclass(frozen=True, slots=True)
class KernelReport:
    """What was seen of a host that is a real kernel."""

    host: str
    connections: tuple[dict[str, Any], ...]
    """What became of each connection: bytes, times, and what ``MPTCP_INFO`` said."""
    counters: str = field(repr=False)
    """What ``nstat -az`` printed in the end."""
    sockets: str = field(repr=False)
    """What ``ss -tiM`` printed in the end."""
    problems: tuple[str, ...]
    """Sysctls that could not be set as the scenario has them."""


class LiveRun(Run):
    """The results of a run in real time. Its digest means nothing: real time is never twice the same."""

    __slots__ = ("kernels", "lateness")

    kernels: dict[str, KernelReport]
    """What was seen of the hosts that are real kernels, by their names."""
    lateness: Lateness

    def __init__(
        self,
        scenario: Scenario,
        native: _mptcpsim.Outcome,
        kernels: dict[str, KernelReport],
        lateness: Lateness,
    ) -> None:
        super().__init__(scenario, native)
        self.kernels = kernels
        self.lateness = lateness

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"kernels": self.kernels, "lateness": self.lateness}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.kernels = state["kernels"]
        self.lateness = state["lateness"]


def live(
    scenario: ScenarioLike = "wifi-lte",
    *,
    client: Side = "sim",
    server: Side = "kernel",
    seed: SupportsIndex | None = None,
    duration: str | Quantity | None = None,
    set: Mapping[str, Any] | None = None,
    captures: str | os.PathLike[str] | None = None,
    progress: Progress = None,
) -> LiveRun:
    """Runs a scenario in real time, with the real kernel of this machine at one end or at both.

    It takes Linux with MPTCP, ``ip`` with ``ip mptcp``, ``/dev/net/tun``, and root; nothing is sent
    outside the namespaces that it makes. Simulated hosts may have policies written in Python.

    Args:
        scenario: a `Scenario`, the name of a file or of a shipped scenario, or a tree.
        client: what the hosts that open connections are.
        server: what the hosts that accept connections are.
        seed: the seed of every random stream, instead of the scenario's.
        duration: when the run ends at the latest, such as ``"10 s"``, instead of the scenario's.
        set: other values for keys, by their paths.
        captures: a folder into which ``capture/*.pcapng`` are written, one per host.
        progress: as of `run`.

    Examples:
        >>> run = live("wifi-lte", set={"flows.0.app.bytes": "1 MB"})  # doctest: +SKIP
        >>> run.kernels["server"].connections[0]["sent"]  # doctest: +SKIP
        1000000

    Raises:
        ScenarioError: the scenario has faults.
        ValueError: a real kernel cannot do what the scenario says, or a side is neither.
        RunError: the system does not have what it takes, or does not allow it.
    """
    native = getattr(_mptcpsim, "live", None)
    if native is None:
        raise RunError("real kernels run MPTCP on Linux only")
    wanted, folder = capturing(as_scenario(scenario, seed, duration, set), captures)
    plan, policies = wanted.plan()
    log.debug("running %s live, client %s, server %s", plan.name, client, server)
    with Bar(progress, plan.name, plan.duration_s) as bar:
        outcome, kernels, late = native(
            plan, policies, str(client), str(server), LAUNCHER, bar.tell, folder
        )
    return LiveRun(wanted, outcome, _reports(kernels), Lateness(*late))


def validate(
    scenario: ScenarioLike = "wifi-lte",
    *,
    seeds: int = 5,
    repetitions: int = 3,
    set: Mapping[str, Any] | None = None,
) -> Table:
    """Compares simulations of a scenario with runs between two real kernels of this machine, in real time.

    Needs what `live` needs.

    Args:
        scenario: a `Scenario`, the name of a file or of a shipped scenario, or a tree.
        seeds: how many simulations there are, each with a seed of its own.
        repetitions: how many runs there are between two kernels.
        set: other values for keys, by their paths.

    Returns:
        A row per metric: mean and standard deviation on both sides, by how much they may differ, and
        whether they agree. Names of metrics end in their units. What the kernels could not be set to,
        and late packets, are logged as warnings.

    Raises:
        ScenarioError: the scenario has faults.
        ValueError: real kernels cannot do what the scenario says.
        RunError: the system does not have what it takes, or does not allow it.
    """
    native = getattr(_mptcpsim, "compare_kernels", None)
    if native is None:
        raise RunError("real kernels run MPTCP on Linux only")
    for argument, count in (("seeds", seeds), ("repetitions", repetitions)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"{argument}: expected a number from 1 on, found {count!r}")
    wanted = as_scenario(scenario, None, None, set)
    plans = [wanted.copy(seed=seed).check() for seed in range(1, max(seeds, repetitions) + 1)]
    rows, late, unset = native(plans[:seeds], plans[:repetitions], LAUNCHER)
    for problem in sorted(unset):
        log.warning("%s: %s", plans[0].name, problem)
    for p99_s in late:
        log.warning("%s: packets were late, %g s at p99", plans[0].name, p99_s)
    return Table("validation", rows)


def validate_measured(
    kernel: str = "linux-6.18",
    *,
    only: str | Iterable[str] = (),
    progress: bool | Callable[[int], object] | None = None,
) -> Table:
    """Compares simulations with what was measured on real kernels elsewhere; works anywhere.

    Args:
        kernel: ``"linux-6.18"`` or ``"mptcp-0.94.7"``.
        only: texts, of which the name of a scenario has to contain one; without them all scenarios.
        progress: true for a bar, or a callable that gets the number of scenarios that are done.

    Returns:
        A row per scenario and metric, as of `validate`; `cause` says why two differ. `load` knows the
        scenarios by names such as ``"linux-6.18/d_backup"``.

    Examples:
        >>> rows = validate_measured(only="d_backup")
        >>> bool(rows["agrees"].mean() > 0.9)
        True

    Raises:
        ValueError: there are no such measurements, or no such scenario.
    """
    texts = [only] if isinstance(only, str) else list(only)
    known = [name for name, _ in _mptcpsim.measured(kernel)]
    names = [name for name in known if not texts or any(text in name for text in texts)]
    if not names:
        raise ValueError(f"only: no scenario has `{'` or `'.join(texts)}` in its name")
    with Bar(progress, kernel, len(names), "scenario") as bar:
        tell = bar.tell
        whole = None if tell is None else lambda done: tell(round(done))
        return Table("validation", _mptcpsim.compare_measured(kernel, names, whole))


def _reports(kernels: str) -> dict[str, KernelReport]:
    return {
        it["host"]: KernelReport(
            it["host"], tuple(it["flows"]), it["counters"], it["sockets"], tuple(it["problems"])
        )
        for it in json.loads(kernels)
    }


__all__ = ["KernelReport", "Lateness", "LiveRun", "live", "validate", "validate_measured"]
