"""Sweeps: one scenario, many values, many seeds, on one machine or many."""

from __future__ import annotations

import functools
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any, Protocol

from mptcpsim import _mptcpsim
from mptcpsim.errors import Fault, ScenarioError
from mptcpsim.running import ScenarioLike, as_scenario
from mptcpsim.table import Table
from mptcpsim.tree import plain


class Executor(Protocol):
    """What runs functions elsewhere, in the way of `concurrent.futures`."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Begins a call, and returns its future."""


class Sweep:
    """The results of a sweep, in the order of its design."""

    __slots__ = ("configurations", "failed", "folder", "keys", "results", "runs", "summary")

    results: Table
    """A row per run and flow: the values of what varies, the seed, and the summary of the flow."""
    summary: Table
    """A row per configuration, flow and metric: mean, standard deviation and confidence interval."""
    runs: int
    """How many runs there are."""
    configurations: int
    """How many configurations; each runs with every seed."""
    failed: int
    """How many runs failed; the column `error` of their rows says why."""
    keys: list[str]
    """The paths of the keys that vary."""
    folder: Path | None
    """Where the files are, if a folder was given."""

    def __init__(self, design: _mptcpsim.Design, folder: Path, failed: int, keep: bool) -> None:
        kinds = dict(design.columns)
        texts = {name: (folder / f"{name}.csv").read_text("utf-8") for name in ("results", "summary")}
        self.results = Table("results", _mptcpsim.table_of_csv(texts["results"], kinds))
        statistics = dict.fromkeys(("mean", "sd", "ci95_low", "ci95_high"), "real")
        summary = {**kinds, "n": "integer", **statistics}
        self.summary = Table("summary", _mptcpsim.table_of_csv(texts["summary"], summary))
        self.runs = design.runs
        self.configurations = design.configurations
        self.keys = design.keys
        self.failed = failed
        self.folder = folder if keep else None

    def __repr__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        varied = ", ".join(self.keys) or "nothing but the seed"
        return f"<Sweep of {varied}: {self.configurations} configurations, {self.runs} runs{failed}>"

    def _repr_html_(self) -> str:
        return f"<p>{repr(self).strip('<>')}</p>{self.summary._repr_html_()}"


def sweep(
    scenario: ScenarioLike,
    vary: Mapping[str, Sequence[Any]] | None = None,
    *,
    together: Iterable[Mapping[str, Sequence[Any]]] = (),
    seeds: Iterable[int] | str | None = None,
    set: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Sweep:
    """Runs a scenario with every combination of values and every seed.

    Args:
        scenario: a `Scenario`, the name of a file or of a shipped scenario, or a tree. What its own
            `sweep` varies is varied too.
        vary: for keys, by their paths, the values they take.
        together: groups of keys that take their first values together, then their second, and so on.
        seeds: the seeds that every configuration runs with: numbers, or a text such as ``"1..20"``.
        set: other values for keys, by their paths.
        jobs: how many runs are simulated at a time; without it as many as there are processors.
        executor: runs are simulated where this says instead: a `ProcessPoolExecutor`, the executor of
            a Dask client, or whatever else has `submit`. The results are the same.
        folder: keeps the files of the sweep here, as the command line does.
        resume: goes on with what an earlier sweep has left in the folder.
        progress: called some times per second with the number of runs that are done.

    Examples:
        >>> done = sweep("two-equal-paths", {"duration": ["1 s", "2 s"]}, seeds=range(1, 3))
        >>> done
        <Sweep of duration: 2 configurations, 4 runs>
        >>> done.results["seed"].tolist()
        [1, 2, 1, 2]

    Raises:
        ScenarioError: the scenario has faults, or a value fits no key.
        OSError: the folder cannot be written, or holds something else.
    """
    design, arguments = _design(scenario, vary, together, seeds, set)
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise ValueError(f"jobs: expected a number from 1 on, found {jobs!r}")
    if resume and folder is None:
        raise ValueError("resume: without a folder there is nothing to go on with")
    if executor is not None and not hasattr(executor, "submit"):
        raise TypeError(f"executor: expected something with `submit`, found {executor!r}")
    with tempfile.TemporaryDirectory(prefix="mptcpsim-") as spare:
        where = Path(spare) / "sweep" if folder is None else Path(folder)
        if executor is None:
            failed = design.run(where, jobs, resume, _whole(progress))
        else:
            failed = _elsewhere(design, arguments, executor, where, resume, progress)
        return Sweep(design, where, failed, keep=folder is not None)


def _whole(progress: Callable[[int], object] | None) -> Callable[[float], object] | None:
    return None if progress is None else lambda done: progress(round(done))


Arguments = tuple[str, str, str | None]


def _design(
    scenario: ScenarioLike,
    vary: Mapping[str, Sequence[Any]] | None,
    together: Iterable[Mapping[str, Sequence[Any]]],
    seeds: Iterable[int] | str | None,
    set: Mapping[str, Any] | None,
) -> tuple[_mptcpsim.Design, Arguments]:
    base = as_scenario(scenario, None, None, set)
    if base.plan()[1]:
        raise ScenarioError(
            (Fault("flows", "a sweep knows no policies that are written in Python"),)
        )
    tree = base.to_dict()
    own = tree.setdefault("sweep", {})
    for key, values in (vary or {}).items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise TypeError(f"vary: expected a list of values for `{key}`, found {values!r}")
        own[key] = plain(list(values))
    groups = [plain(group) for group in together]
    if groups:
        own["together"] = [*own.get("together", []), *groups]
    if seeds is not None:
        own["seeds"] = seeds if isinstance(seeds, str) else [int(seed) for seed in seeds]
    arguments = (json.dumps(tree), base.name or "scenario", base.folder)
    return _design_of(*arguments), arguments


@functools.lru_cache(maxsize=8)
def _design_of(text: str, name: str, folder: str | None) -> _mptcpsim.Design:
    try:
        return _mptcpsim.Design(text, name, None if folder is None else Path(folder))
    except ScenarioError as error:
        raise error.without_lines() from None


def _simulate(arguments: Arguments, runs: list[int]) -> list[tuple[int, bool, str]]:
    """Simulates some runs of a design: what is done elsewhere."""
    design = _design_of(*arguments)
    return [(run, *design.simulate(run)) for run in runs]


_AHEAD = 256
"""How many calls wait at a time: an executor need not hold a whole sweep."""
_TRIES = 3
"""How often a call is begun whose worker was lost."""


def _elsewhere(
    design: _mptcpsim.Design,
    arguments: Arguments,
    executor: Executor,
    folder: Path,
    resume: bool,
    progress: Callable[[int], object] | None,
) -> int:
    missing = design.missing(folder, resume)
    done = design.runs - len(missing)
    # Some runs per call, so that calls cost little; many calls, so that all workers have some.
    size = max(1, min(32, len(missing) // 64))
    calls = iter([missing[at : at + size] for at in range(0, len(missing), size)])
    waiting: dict[Any, tuple[list[int], int]] = {}

    def begin(runs: list[int], tries: int) -> None:
        waiting[executor.submit(_simulate, arguments, runs)] = (runs, tries)

    for runs in calls:
        begin(runs, 1)
        if len(waiting) >= _AHEAD:
            break
    try:
        while waiting:
            for future in _ready(list(waiting)):
                runs, tries = waiting.pop(future)
                try:
                    records = future.result()
                except (OSError, EOFError, RuntimeError):
                    if tries == _TRIES:
                        raise
                    begin(runs, tries + 1)
                    continue
                design.take(folder, records)
                done += len(records)
                if progress is not None:
                    progress(done)
                following = next(calls, None)
                if following is not None:
                    begin(following, 1)
    finally:
        for future in waiting:
            future.cancel()
    return design.finish(folder)


def _ready(futures: list[Any]) -> list[Any]:
    """Those that are done, at least one. Futures of others than `concurrent.futures` are taken in
    order."""
    if all(isinstance(future, Future) for future in futures):
        return list(wait(futures, return_when=FIRST_COMPLETED).done)
    return [future for future in futures if future.done()] or futures[:1]


__all__ = ["Executor", "Sweep", "sweep"]
