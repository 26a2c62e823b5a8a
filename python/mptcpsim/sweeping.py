"""Sweeps: one scenario, many values, many seeds, on one machine or many."""

from __future__ import annotations

import functools
import json
import logging
import operator
import os
import pickle
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mptcpsim import _mptcpsim, arguments, policies
from mptcpsim.errors import MptcpsimError, ScenarioError
from mptcpsim.running import Bar, ScenarioLike, as_scenario
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


log = logging.getLogger("mptcpsim")


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


class Picture(str):
    """A picture as SVG; notebooks show it."""

    __slots__ = ()

    def _repr_svg_(self) -> str:
        return str(self)


class Sweep:
    """The results of a sweep, in the order of its design."""

    __slots__ = (
        "__weakref__",
        "_files",
        "configurations",
        "failed",
        "folder",
        "keys",
        "results",
        "runs",
        "summary",
    )

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
        self._files: Path | None = folder
        if not keep:
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def report(self, file: str | os.PathLike[str]) -> Path:
        """Writes one page of HTML that needs no network, as `mptcpsim report` does.

        It holds the pictures, the table of means with their intervals, and how to get the same again.

        Raises:
            OSError: it cannot be written.
        """
        path = arguments.path("file", file)
        path.write_text(_mptcpsim.report(self._folder()), encoding="utf-8")
        return path

    def plots(self) -> dict[str, Picture]:
        """The pictures that `mptcpsim plot` draws, chosen from what was varied: lines over one quantity,
        a heat map over two, bars otherwise; boxes over seeds, distributions over flows.

        Examples:
            >>> done = sweep("two-equal-paths", {"duration": ["1 s", "2 s"]}, seeds=[1, 2])
            >>> list(done.plots())
            ['goodput', 'longest_gap']
        """
        return {name: Picture(svg) for name, svg in _mptcpsim.pictures(self._folder())}

    def _folder(self) -> Path:
        if self._files is None:
            raise TypeError("a sweep of another process has no files here; give it a `folder`")
        return self._files

    def __getstate__(self) -> dict[str, Any]:
        kept = ("configurations", "failed", "folder", "keys", "results", "runs", "summary")
        return {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._files = self.folder

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
    progress: bool | Callable[[int], object] | None = None,
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
        progress: true for a bar (with `tqdm` installed), or a callable that gets the number of runs that
            are done some times per second. Without it a bar appears in a terminal or a notebook.

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
    log.debug("sweeping %s: %d runs", work.name, design.runs)
    where = None if folder is None else arguments.path("folder", folder)
    where = where or Path(tempfile.mkdtemp(prefix="mptcpsim-"))
    try:
        with Bar(progress, work.name, design.runs, "run") as bar:
            failed = _simulated(design, work, where, jobs, executor, resume, _whole(bar.tell))
        return Sweep(design, where, failed, keep=folder is not None)
    except BaseException:
        if folder is None:
            shutil.rmtree(where, ignore_errors=True)
        raise


Tell = Callable[[Any], object] | None


def _whole(tell: Tell) -> Tell:
    return None if tell is None else lambda done: tell(round(done))


def _simulated(
    design: _mptcpsim.Design,
    work: _Work,
    folder: Path,
    jobs: int | None,
    executor: Executor | None,
    resume: bool,
    tell: Tell,
) -> int:
    """Simulates all runs into a folder, and returns how many failed."""
    if executor is not None:
        return _elsewhere(design, work, executor, folder, resume, tell)
    if not work.own:
        return design.run(folder, jobs, resume, tell)
    stop = _mptcpsim.Stop()
    with ThreadPoolExecutor(jobs or os.cpu_count()) as threads:
        try:
            return _elsewhere(design, work, threads, folder, resume, tell, stop)
        except BaseException:
            stop.set()
            raise


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
    lists = _lists("vary", vary)
    groups = [_lists("together", group) for group in together]
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
        sweep["seeds"] = seeds if isinstance(seeds, str) else _numbers(seeds)
    work = _Work(json.dumps(tree), base.name or "scenario", base.folder, own, names)
    return work.design(), work


def _lists(argument: str, group: Mapping[str, Sequence[Any]] | None) -> dict[str, list[Any]]:
    lists: dict[str, list[Any]] = {}
    for key, values in arguments.mapping(argument, group).items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise TypeError(f"{argument}: expected a list of values for `{key}`, found {values!r}")
        lists[key] = list(values)
    return lists


def _numbers(seeds: Iterable[int]) -> list[int]:
    try:
        return [operator.index(seed) for seed in seeds]
    except TypeError:
        raise TypeError(f"seeds: expected whole numbers, found {seeds!r}") from None


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
    tell: Tell,
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
                if tell is not None:
                    tell(done)
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


__all__ = ["Executor", "Picture", "RayExecutor", "Sweep", "sweep"]
