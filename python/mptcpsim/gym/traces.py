"""Networks that differ from episode to episode."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy

from mptcpsim import _mptcpsim
from mptcpsim.running import ScenarioLike, as_scenario
from mptcpsim.scenario_types import Scenario
from mptcpsim.tree import joined
from mptcpsim.units import bit_s, ms

Randomise = Callable[[numpy.random.Generator, Scenario], Mapping[str, Any]]
"""Draws what is different in an episode: values for keys of the scenario, by their paths."""


@dataclass(frozen=True, slots=True)
class RandomRates:
    """Links whose rates wander: a random walk of the logarithm around the rate of the scenario.

    It is pulled back to where it began, so that it has a standard deviation of its own: the walk is
    an Ornstein-Uhlenbeck process.

    Examples:
        >>> import mptcpsim as mp, numpy
        >>> changes = RandomRates(links=["lte"])(numpy.random.default_rng(1), mp.load("wifi-lte"))
        >>> list(changes)
        ['links.lte.rate']
        >>> mp.load("wifi-lte").copy(changes).links["lte"].rate.steps[1].at
        '500 ms'
    """

    links: tuple[str, ...] | list[str] | None = None
    """Names of links or paths; without them all whose rate is a number."""
    spread: float = 0.5
    """Standard deviation of the natural logarithm of a rate."""
    every_ms: int = 500
    """Time between two steps of a walk, in milliseconds."""
    memory_s: float = 5.0
    """How long it takes to forget a rate, in seconds."""

    def __call__(self, rng: numpy.random.Generator, scenario: Scenario) -> dict[str, Any]:
        duration_s = scenario.check().duration_s
        count = max(1, math.ceil(duration_s * 1e3 / self.every_ms))
        return {
            key: {"steps": self._steps(rng, mean_bps, count)}
            for key, mean_bps in rates(scenario, self.links).items()
        }

    def _steps(
        self, rng: numpy.random.Generator, mean_bps: float, count: int
    ) -> list[dict[str, Any]]:
        kept = math.exp(-self.every_ms / 1e3 / self.memory_s)
        fresh = self.spread * math.sqrt(1 - kept * kept)
        logarithm = rng.normal(scale=self.spread)
        steps = []
        for number in range(count):
            rate = max(1000, round(mean_bps * math.exp(logarithm)))
            steps.append({"at": number * self.every_ms * ms, "rate": rate * bit_s})
            logarithm = kept * logarithm + fresh * rng.normal()
        return steps


def rates(
    scenario: ScenarioLike, links: tuple[str, ...] | list[str] | None = None
) -> dict[str, float]:
    """The rates of links in bit/s by the paths of their keys, of those that are a number.

    Raises:
        ValueError: a link has no such name, or no rate that is a number.
    """
    scenario = as_scenario(scenario, None, None, None)
    resolved = json.loads(scenario.check().resolved())
    keys = {name: joined("links", name) for name in scenario.links or {}}
    for at, path in enumerate(scenario.paths or []):
        if path.rate is not None:
            keys[resolved["paths"][at]["via"][0]] = f"paths.{at}"
    found: dict[str, float] = {}
    known = set()
    for name, key in keys.items():
        link = resolved["links"][name]
        ways = {key: link, f"{key}.up": link.get("up", {}), f"{key}.down": link.get("down", {})}
        own = {f"{at}.rate": way["rate"] for at, way in ways.items() if isinstance(way.get("rate"), str)}
        if own and (links is None or name in links):
            known.add(name)
            found.update((at, _mptcpsim.bits_per_second(rate)) for at, rate in own.items())
    missing = set(links or ()) - known
    if missing:
        raise ValueError(f"links: {sorted(missing)[0]!r} is no link with a rate that is a number")
    return found
