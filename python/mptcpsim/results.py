"""What a run finds out."""

from __future__ import annotations

import html
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mptcpsim import _mptcpsim, arguments, plotting
from mptcpsim.scenario_types import Scenario
from mptcpsim.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TABLES = (
    "summary",
    "subflows",
    "timeseries",
    "links",
    "queues",
    "events",
    "counters",
    "requests",
    "energy",
    "sequence",
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a fluid model expects of a subflow, beside what the run gave."""

    flow: str
    path: str
    model: str
    """The congestion control as published."""
    rtt_s: float
    """The round-trip time that the model was given."""
    loss: float
    """The probability of loss on the path, 0 to 1."""
    expected_bps: float
    simulated_bps: float


@dataclass(frozen=True, slots=True)
class Theory:
    """The equilibrium of the fluid models of congestion control."""

    subflows: tuple[Expectation, ...]
    totals_bps: dict[str, float]
    """What all MPTCP connections would have together with each algorithm, in theory."""


class Run:
    """The results of a run: tables, and one number that stands for all of them."""

    __slots__ = ("_native", "_tables", "manifest", "scenario", "sockets")

    scenario: Scenario
    """The scenario that was run, with the seed that was used."""
    manifest: dict[str, Any]
    """What the run was: name, version, seed, digest, times, numbers of rows."""
    sockets: str
    """All sockets as ``ss -tiM`` prints them, if the scenario's `record` asks for them."""

    def __init__(self, scenario: Scenario, native: _mptcpsim.Outcome) -> None:
        self.scenario = scenario
        self._native: _mptcpsim.Outcome | None = native
        self._tables: dict[str, Table] = {}
        self.manifest = json.loads(native.manifest_json())
        self.sockets = native.sockets

    def table(self, name: str) -> Table:
        """One of the tables.

        Raises:
            KeyError: there is no table of that name.
        """
        if name not in TABLES:
            raise KeyError(f"`{name}` is no table of a run; known: {', '.join(TABLES)}")
        if name not in self._tables:
            assert self._native is not None, "a run without its tables has all of them as columns"
            self._tables[name] = Table(name, self._native.table(name))
        return self._tables[name]

    @property
    def summary(self) -> Table:
        """A row per flow."""
        return self.table("summary")

    @property
    def subflows(self) -> Table:
        """A row per subflow and sender."""
        return self.table("subflows")

    @property
    def timeseries(self) -> Table:
        """A row per subflow, sender and sample: windows, round-trip times, rates."""
        return self.table("timeseries")

    @property
    def links(self) -> Table:
        """A row per link and direction."""
        return self.table("links")

    @property
    def queues(self) -> Table:
        """A row per link, direction and sample."""
        return self.table("queues")

    @property
    def events(self) -> Table:
        """A row per event: handshakes, losses, timeouts, path-manager decisions."""
        return self.table("events")

    @property
    def counters(self) -> Table:
        """A row per host and counter, by the names of the kernel."""
        return self.table("counters")

    @property
    def requests(self) -> Table:
        """A row per request."""
        return self.table("requests")

    @property
    def energy(self) -> Table:
        """A row per interface with a radio: time in each power state, joules."""
        return self.table("energy")

    @property
    def sequence(self) -> Table:
        """A row per segment of MPTCP with data, if the scenario's `record` asks for them."""
        return self.table("sequence")

    @property
    def digest(self) -> str:
        """SHA-256 over all result rows, kept or not: equal if and only if the runs were."""
        return str(self.manifest["digest"])

    @property
    def seed(self) -> int:
        """The seed that was used."""
        return int(self.manifest["seed"])

    @property
    def all_flows(self) -> dict[str, float]:
        """What all flows have together, where it is known: sum, mean and minimum of their goodputs in
        bits per second, Jain's index, percentiles of their completion times in seconds.

        Examples:
            >>> import mptcpsim as mp
            >>> sorted(mp.run("two-equal-paths", duration="1 s").all_flows)
            ['goodput_mean_bps', 'goodput_min_bps', 'goodput_sum_bps', 'jain_index']
        """
        metrics: dict[str, float] = self.manifest["all_flows"]
        return metrics

    @property
    def end_s(self) -> float:
        """When the run ended, in seconds of virtual time."""
        return float(self.manifest["simulated_s"])

    @property
    def wall_s(self) -> float:
        """How long the run took, in seconds of real time."""
        return float(self.manifest["wall_s"])

    @property
    def packet_hops(self) -> int:
        """Packets that finished transmission at a queue."""
        return int(self.manifest["packet_hops"])

    def theory(self) -> Theory:
        """What fluid models expect of the scenario, beside what the run gave.

        Raises:
            ValueError: they have nothing to say about such a scenario; the text says why.
        """
        if self._native is None:
            raise TypeError("only a run of this process can be compared with theory")
        subflows, totals = self._native.theory()
        return Theory(tuple(Expectation(*it) for it in subflows), dict(totals))

    def plot(self, what: str = "rate", *, ax: Axes | None = None, flow: str | None = None) -> Axes:
        """Draws a quantity over time with matplotlib: `rate`, `share`, `cwnd`, `srtt`, `queueing`,
        `sequence` and others.

        Raises:
            ValueError: there is no such quantity or flow.
            ImportError: matplotlib is not installed.
        """
        return plotting.plot(self, what, ax=ax, flow=flow)

    def save(self, folder: str | os.PathLike[str], *, plots: bool = False) -> Path:
        """Writes the folder that the command line writes: CSV files, scenario and manifest.

        It appears complete or not at all.

        Raises:
            OSError: it cannot be written, or holds something other than results.
        """
        if self._native is None:
            raise TypeError("only a run of this process can be saved as a folder")
        return Path(self._native.save(arguments.path("folder", folder), plots))

    def report(self, file: str | os.PathLike[str]) -> Path:
        """Writes one page of HTML that needs no network, as `mptcpsim report` does.

        It holds a picture of the scenario, why its flows were no faster (for that the run is
        repeated), plots over time that can be zoomed, the tables, and how to get the same again.

        Raises:
            OSError: it cannot be written.
        """
        if self._native is None:
            raise TypeError("only a run of this process can be reported on")
        path = arguments.path("file", file)
        _, policies = self.scenario.plan()
        path.write_text(self._native.report(policies), encoding="utf-8")
        return path

    def __repr__(self) -> str:
        lines = [
            f"<Run {self.manifest['name']}: seed {self.seed}, {self.end_s:g} s simulated, "
            f"{self.packet_hops} packet-hops in {self.wall_s:.3g} s, digest {self.digest[:16]}>"
        ]
        for row in self.summary:
            state = row["fallback"] and f", fallback: {row['fallback']}" or ""
            done = "" if row["completion_s"] is None else f", complete in {row['completion_s']:.3f} s"
            lines.append(
                f"  {row['flow']}: {row['bytes']} bytes, {row['goodput_bps'] / 1e6:.2f} Mbit/s"
                f" on {row['subflows']} subflows{done}{state}"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = html.escape(repr(self).splitlines()[0].strip("<>"))
        return f"<p>{head}</p>{self.summary._repr_html_()}"

    def __getstate__(self) -> dict[str, Any]:
        tables = {name: self.table(name) for name in TABLES}
        return {
            "scenario": self.scenario,
            "manifest": self.manifest,
            "sockets": self.sockets,
            "tables": tables,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.scenario = state["scenario"]
        self.manifest = state["manifest"]
        self.sockets = state["sockets"]
        self._tables = state["tables"]
        self._native = None
