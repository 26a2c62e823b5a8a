"""Sweeps: one scenario, many values, many seeds, on one machine or many."""

from __future__ import annotations

import functools
import json
import os
import pickle
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mptcpsim import _mptcpsim, policies
from mptcpsim.errors import MptcpsimError, ScenarioError
from mptcpsim.running import ScenarioLike, as_scenario
from mptcpsim.table import Table
from mptcpsim.tree import (
    Policies,
    kept,
    place_policy,
    placed_policies,
    plain,
    take_policy,
    without_policies,
)


class Executor(Protocol):
    """What runs functions elsewhere, in the way of `concurrent.futures`."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Begins a call, and returns its future."""


class RayExecutor:
    """Brings calls to Ray, as tasks. Ray is begun on this machine if it has not been begun.

    `options` are those of a task: ``RayExecutor(num_cpus=2, scheduling_strategy="SPREAD")``.
    """

    def __init__(self, **options: Any) -> None:
        try:
            import ray
        except ImportError:
            raise ImportError("RayExecutor needs Ray: pip install ray") from None
        self._remote = ray.remote(_called).options(**options)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Begins a call, and returns its future."""
        future: Future[Any] = self._remote.remote(fn, args, kwargs).future()
        return future


def _called(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return fn(*args, **kwargs)


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

    Values may be policies written in Python (classes, objects, or names under which they are
    registered), and so may policies of the scenario itself, which get a column of their own. Such a
    sweep is simulated in threads, of which one at a time is in Python: use a `ProcessPoolExecutor`
    for all processors. Processes and clusters have to find the classes: in a module, not in a
    notebook.

    Args:
        scenario: a `Scenario`, the name of a file or of a shipped scenario, or a tree. What its own
            `sweep` varies is varied too.
        vary: for keys, by their paths, the values they take.
        together: groups of keys that take their first values together, then their second, and so on.
        seeds: the seeds that every configuration runs with: numbers, or a text such as ``"1..20"``.
        set: other values for keys, by their paths.
        jobs: how many runs are simulated at a time; without it as many as there are processors.
        executor: runs are simulated where this says instead: a `ProcessPoolExecutor`, the executor of
            a Dask client, a `RayExecutor`, or whatever else has `submit`. The results are the same.
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
    design, work = _design(scenario, vary, together, seeds, set)
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise ValueError(f"jobs: expected a number from 1 on, found {jobs!r}")
    if resume and folder is None:
        raise ValueError("resume: without a folder there is nothing to go on with")
    if executor is not None and not hasattr(executor, "submit"):
        raise TypeError(f"executor: expected something with `submit`, found {executor!r}")
    with tempfile.TemporaryDirectory(prefix="mptcpsim-") as spare:
        where = Path(spare) / "sweep" if folder is None else Path(folder)
        if executor is not None:
            failed = _elsewhere(design, work, executor, where, resume, progress)
        elif work.own:
            stop = _mptcpsim.Stop()
            with ThreadPoolExecutor(jobs or os.cpu_count()) as threads:
                try:
                    failed = _elsewhere(design, work, threads, where, resume, progress, stop)
                except BaseException:
                    stop.set()
                    raise
        else:
            failed = design.run(where, jobs, resume, _whole(progress))
        return Sweep(design, where, failed, keep=folder is not None)


def _whole(progress: Callable[[int], object] | None) -> Callable[[float], object] | None:
    return None if progress is None else lambda done: progress(round(done))


@dataclass(frozen=True)
class _Work:
    """What a worker needs in order to simulate runs."""

    text: str
    name: str
    folder: str | None
    own: Mapping[str, Mapping[str, policies.Policy]]
    """Policies written in Python: by key, and by the name that results have for them."""
    names: Mapping[str, Mapping[int, str]]
    """The same names by the places of the values in the list of a key."""

    def design(self) -> _mptcpsim.Design:
        names = json.dumps(self.names, sort_keys=True)
        return _design_of(self.text, self.name, self.folder, names)

    def policies(self, design: _mptcpsim.Design, run: int) -> Policies | None:
        if not self.own:
            return None
        found = Policies()
        for key, value in zip(design.keys, design.values(run), strict=True):
            policy = self.own.get(key, {}).get(value or "")
            if policy is not None:
                place_policy(found, key, policy)
        return found


def _design(
    scenario: ScenarioLike,
    vary: Mapping[str, Sequence[Any]] | None,
    together: Iterable[Mapping[str, Sequence[Any]]],
    seeds: Iterable[int] | str | None,
    set: Mapping[str, Any] | None,
) -> tuple[_mptcpsim.Design, _Work]:
    base = as_scenario(scenario, None, None, set)
    tree, fixed = without_policies(base._tree(kept))
    tree = plain(tree)
    lists: dict[str, list[Any]] = {}
    for key, values in (vary or {}).items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise TypeError(f"vary: expected a list of values for `{key}`, found {values!r}")
        lists[key] = list(values)
    groups = [{key: list(values) for key, values in group.items()} for group in together]
    varied = {key for group in (lists, *groups) for key in group}
    # A policy of the scenario itself is a key that takes one value.
    lists |= {key: [policy] for key, policy in placed_policies(fixed) if key not in varied}
    own: dict[str, dict[str, policies.Policy]] = {}
    names: dict[str, dict[int, str]] = {}
    for group in (lists, *groups):
        for key, values in group.items():
            taken = _own_values(key, values)
            if taken:
                names[key] = {place: name for place, (name, _) in taken.items()}
                own[key] = dict(taken.values())
    sweep = tree.setdefault("sweep", {})
    sweep.update(plain(lists))
    if groups:
        sweep["together"] = [*sweep.get("together", []), *plain(groups)]
    if seeds is not None:
        sweep["seeds"] = seeds if isinstance(seeds, str) else [int(seed) for seed in seeds]
    work = _Work(json.dumps(tree), base.name or "scenario", base.folder, own, names)
    return work.design(), work


def _own_values(key: str, values: list[Any]) -> dict[int, tuple[str, policies.Policy]]:
    """The policies written in Python in a list, with their names; something built in takes their
    places."""
    found: dict[int, tuple[str, policies.Policy]] = {}
    for place, value in enumerate(values):
        taken = take_policy(key, value)
        if taken is None:
            continue
        policy, stand_in = taken
        named = value.get("kind") if isinstance(value, Mapping) else value
        name = named if isinstance(named, str) else policies.name_of(policy)
        others = sum(known.partition("#")[0] == name for known, _ in found.values())
        found[place] = (f"{name}#{others + 1}" if others else name, policy)
        values[place] = stand_in
    return found


@functools.lru_cache(maxsize=8)
def _design_of(text: str, name: str, folder: str | None, names: str) -> _mptcpsim.Design:
    places = {
        key: {int(place): name for place, name in known.items()}
        for key, known in json.loads(names).items()
    }
    try:
        return _mptcpsim.Design(text, name, None if folder is None else Path(folder), places)
    except ScenarioError as error:
        raise error.without_lines() from None


def _simulate(
    work: _Work, runs: list[int], stop: _mptcpsim.Stop | None = None
) -> list[tuple[int, bool, str]]:
    """Simulates some runs of a design: what is done elsewhere. Only threads can be given a `stop`."""
    design = work.design()
    return [(run, *design.simulate(run, work.policies(design, run), stop)) for run in runs]


_AHEAD = 256
"""How many calls wait at a time: an executor need not hold a whole sweep."""
_TRIES = 3
"""How often a call is begun whose worker was lost."""
_LOOK = 0.05
"""Seconds of waiting at a time. Some packages (polars) have the system go on with what a signal has
interrupted, so that Ctrl-C would wait for the end of a longer one."""
_NOT_LOST = (MptcpsimError, TypeError, ValueError, ImportError, pickle.PicklingError)
"""What would be raised again."""


def _elsewhere(
    design: _mptcpsim.Design,
    work: _Work,
    executor: Executor,
    folder: Path,
    resume: bool,
    progress: Callable[[int], object] | None,
    stop: _mptcpsim.Stop | None = None,
) -> int:
    missing = design.missing(folder, resume)
    done = design.runs - len(missing)
    # Some runs per call, so that calls cost little; many calls, so that all workers have some.
    size = max(1, min(32, len(missing) // 64))
    calls = iter([missing[at : at + size] for at in range(0, len(missing), size)])
    waiting: dict[Any, tuple[list[int], int]] = {}

    def begin(runs: list[int], tries: int) -> None:
        call = (work, runs) if stop is None else (work, runs, stop)
        waiting[executor.submit(_simulate, *call)] = (runs, tries)

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
                except Exception as error:
                    # Whatever it was: executors have exceptions of their own for lost workers.
                    if tries == _TRIES or isinstance(error, _NOT_LOST):
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
        done: list[Any] = []
        while not done:
            done = list(wait(futures, timeout=_LOOK, return_when=FIRST_COMPLETED).done)
        return done
    return [future for future in futures if future.done()] or futures[:1]


__all__ = ["Executor", "RayExecutor", "Sweep", "sweep"]
