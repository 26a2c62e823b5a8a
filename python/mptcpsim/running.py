"""Running scenarios."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, SupportsIndex

from mptcpsim import _mptcpsim, arguments
from mptcpsim.results import Run
from mptcpsim.scenario_types import Scenario
from mptcpsim.units import Quantity

log = logging.getLogger("mptcpsim")

ScenarioLike = Scenario | str | os.PathLike[str] | Mapping[str, Any]
"""A scenario, the name of a file or of a shipped one, or a tree of dictionaries."""

LAUNCHER = [sys.executable, "-m", "mptcpsim"]
"""The command line as words, for work that takes a process of its own."""

Progress = bool | Callable[[float], object] | None
"""Whether to show a bar, or what to call with the virtual time in seconds."""


def load(source: str | os.PathLike[str] | Mapping[str, Any]) -> Scenario:
    """A scenario from a file, a shipped one by its name, or from a tree of dictionaries.

    Examples:
        >>> load("wifi-lte").links["wifi"].rate
        '30 Mbit/s'

    Raises:
        ScenarioError: the scenario has faults.
        FileNotFoundError: there is neither a file nor a shipped scenario of that name.
    """
    return Scenario.load(source)


def as_scenario(
    scenario: ScenarioLike,
    seed: SupportsIndex | None,
    duration: str | Quantity | None,
    set: Mapping[str, Any] | None,
) -> Scenario:
    """The scenario that the arguments of `run` name."""
    changes = arguments.mapping("set", set)
    if seed is not None:
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise TypeError(f"seed: expected a whole number, found {seed!r}")
        changes["seed"] = seed.__index__()
    if duration is not None:
        changes["duration"] = duration
    if not isinstance(scenario, Scenario):
        scenario = Scenario.load(scenario)
    return scenario.copy(changes) if changes else scenario


def run(
    scenario: ScenarioLike = "wifi-lte",
    *,
    seed: SupportsIndex | None = None,
    duration: str | Quantity | None = None,
    set: Mapping[str, Any] | None = None,
    captures: str | os.PathLike[str] | None = None,
    progress: Progress = None,
) -> Run:
    """Runs a scenario.

    Args:
        scenario: a `Scenario`, the name of a file or of a shipped scenario, or a tree.
        seed: the seed of every random stream, instead of the scenario's.
        duration: when the run ends at the latest, such as ``"10 s"``, instead of the scenario's.
        set: other values for keys, by their paths: ``{"links.wifi.delay": "40 ms"}``.
        captures: a folder into which ``capture/*.pcapng`` are written, one per host.
        progress: true for a bar (with `tqdm` installed), or a callable that gets the virtual time
            in seconds some times per second. Without it a bar appears in a terminal or a notebook.

    The same scenario and seed give the same `Run.digest`, here and on the command line. Other
    threads go on meanwhile; Ctrl-C raises `KeyboardInterrupt` within 100 ms.

    Examples:
        >>> run("two-equal-paths", seed=1, duration="1 s").end_s
        1.0

    Raises:
        ScenarioError: the scenario has faults.
        RunError: a capture cannot be written.
    """
    wanted, folder = capturing(as_scenario(scenario, seed, duration, set), captures)
    plan, policies = wanted.plan()
    log.debug("running %s with seed %d", plan.name, plan.seed)
    with Bar(progress, plan.name, plan.duration_s) as bar:
        outcome = _mptcpsim.run(plan, policies, bar.tell, folder)
    done = Run(wanted, outcome)
    log.debug("%s ended at %g s, digest %s", plan.name, done.end_s, done.digest)
    return done


def capturing(
    scenario: Scenario, captures: str | os.PathLike[str] | None
) -> tuple[Scenario, Path | None]:
    """The scenario with captures if they are wanted, and the folder for them."""
    if captures is None:
        return scenario, None
    wanted = scenario.copy({"record.pcap": True})
    wanted.plan()
    folder = arguments.path("captures", captures)
    folder.mkdir(parents=True, exist_ok=True)
    return wanted, folder


class Bar:
    """A bar of tqdm, or whatever else is told how much of `total` is done."""

    def __init__(
        self,
        progress: bool | Callable[[Any], object] | None,
        name: str,
        total: float,
        unit: str = "s",
    ) -> None:
        if progress is not None and not isinstance(progress, bool) and not callable(progress):
            raise TypeError(f"progress: expected a truth or a callable, found {progress!r}")
        self.tell: Callable[[Any], object] | None = progress if callable(progress) else None
        self.bar: Any = None
        if callable(progress) or progress is False:
            return
        if progress is None and not (sys.stderr.isatty() or "ipykernel" in sys.modules):
            return
        try:
            from tqdm.auto import tqdm
        except ImportError:
            if progress:
                raise ImportError("a bar needs tqdm: pip install tqdm") from None
            return
        self.bar = tqdm(total=total, desc=name, unit=unit, delay=0.5, leave=False)
        self.tell = self._show

    def _show(self, done: float) -> None:
        self.bar.update(done - self.bar.n)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
