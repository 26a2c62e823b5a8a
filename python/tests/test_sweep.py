"""Sweeps, here and elsewhere."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy
import pytest

import mptcpsim as mp
from test_apps_and_boxes import Echo
from test_policies import Broken, LowestRtt, OnlyFirst


class Mine(LowestRtt):
    """Registered by nobody else."""


class Chat(Echo):
    """The same."""



def test_ctrl_c_ends_the_runs_of_threads_too(small: mp.Scenario) -> None:
    long = {"duration": "3000 s", "flows.0.app.bytes": "100 GB", "record.interval": "100 s"}
    pressed = []

    def press() -> None:
        pressed.append(time.monotonic())
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    # As polars has it: the system goes on with what a signal has interrupted.
    signal.siginterrupt(signal.SIGINT, False)
    threading.Timer(0.5, press).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            mp.sweep(small.copy({**long, "flows.0.mptcp.scheduler": Mine}), seeds=[1, 2])
    finally:
        signal.siginterrupt(signal.SIGINT, True)
    assert time.monotonic() - pressed[0] < 10, "the runs take minutes, the end less than a second"


VARY: dict[str, list[Any]] = {
    "flows.0.mptcp.scheduler": ["default", "redundant"],
    "paths.1.delay": ["20 ms", 40 * mp.units.ms],
}


def test_a_sweep_is_all_its_runs(small: mp.Scenario) -> None:
    done = mp.sweep(small, VARY, seeds=range(1, 4))
    assert (done.runs, done.configurations, done.failed) == (12, 4, 0)
    assert done.keys == list(VARY)
    assert done.results["run"].tolist() == list(range(12))
    assert done.results["seed"].tolist() == [1, 2, 3] * 4
    row = done.results[10]
    alone = mp.run(small, seed=row["seed"], set={key: row[key] for key in VARY})
    assert alone.summary[0]["completion_s"] == row["completion_s"]
    means = [it for it in done.summary if it["metric"] == "completion_s"]
    times = done.results["completion_s"].reshape(4, 3)
    assert numpy.allclose([it["mean"] for it in means], times.mean(axis=1))


def executors() -> list[Callable[[], Any]]:
    return [
        lambda: ThreadPoolExecutor(2),
        lambda: ProcessPoolExecutor(2, mp_context=get_context("spawn")),
    ]


@pytest.mark.parametrize("executor", executors(), ids=["threads", "processes"])
def test_results_are_the_same_elsewhere(
    small: mp.Scenario, executor: Callable[[], Any], tmp_path: Path
) -> None:
    here = mp.sweep(small, VARY, seeds="1..2", folder=tmp_path / "here")
    with executor() as pool:
        there = mp.sweep(small, VARY, seeds="1..2", executor=pool, folder=tmp_path / "there")
    assert there.results.to_list() == here.results.to_list()
    for name in ("results.csv", "summary.csv", "results.parquet"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


OWN: dict[str, list[Any]] = {
    "flows.0.mptcp.scheduler": ["default", Mine, OnlyFirst()],
    "paths.1.delay": ["20 ms", "40 ms"],
}


def test_policies_in_python_are_values(small: mp.Scenario) -> None:
    done = mp.sweep(small, OWN, seeds="1..2")
    names = ["default", "Mine", "OnlyFirst"]
    assert done.results["flows.0.mptcp.scheduler"].tolist() == numpy.repeat(names, 4).tolist()
    for row in done.results:
        policy = OWN["flows.0.mptcp.scheduler"][names.index(row["flows.0.mptcp.scheduler"])]
        own = {"flows.0.mptcp.scheduler": policy, "paths.1.delay": row["paths.1.delay"]}
        alone = mp.run(small, seed=row["seed"], set=own)
        assert alone.summary[0]["completion_s"] == row["completion_s"]


def test_policies_in_python_go_to_other_processes(small: mp.Scenario) -> None:
    mp.register("lowest", LowestRtt)
    vary = {**OWN, "flows.0.mptcp.scheduler": ["lowest", "default"]}
    own = small.copy({"flows.0.app": Chat(rounds=2)})
    here = mp.sweep(own, vary)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        there = mp.sweep(own, vary, executor=pool)
    assert there.results.to_list() == here.results.to_list()
    assert here.results["flows.0.app"].tolist() == ["Chat"] * 4
    assert here.results["flows.0.mptcp.scheduler"].tolist() == ["lowest", "lowest", "default", "default"]
    assert (here.results["bytes"] == 80_000).all()


def test_an_exception_in_a_policy_ends_the_sweep(small: mp.Scenario) -> None:
    with pytest.raises(LookupError, match="no idea which"):
        mp.sweep(small, {"flows.0.mptcp.scheduler": ["default", Broken]})


def test_a_dask_cluster_gives_the_same(small: mp.Scenario) -> None:
    distributed = pytest.importorskip("distributed")
    here = mp.sweep(small, OWN)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        there = mp.sweep(small, OWN, executor=client.get_executor())
        assert there.results.to_list() == here.results.to_list()


def test_a_dask_worker_that_is_lost_loses_nothing(small: mp.Scenario) -> None:
    distributed = pytest.importorskip("distributed")
    here = mp.sweep(small, VARY, seeds=range(1, 11))
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        workers = list(client.run(os.getpid).values())

        def kill(done: int) -> None:
            if workers:
                os.kill(workers.pop(), signal.SIGKILL)
                workers.clear()

        executor = client.get_executor()
        there = mp.sweep(small, VARY, seeds=range(1, 11), executor=executor, progress=kill)
    assert not workers and there.results.to_list() == here.results.to_list()


def test_ray_gives_the_same(small: mp.Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="Ray has no package for this Python")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        here, there = mp.sweep(small, VARY), mp.sweep(small, VARY, executor=mp.RayExecutor())
    finally:
        ray.shutdown()
    assert there.results.to_list() == here.results.to_list()


class Backwards:
    """Does the last call first, and loses each worker once."""

    def __init__(self) -> None:
        self.lost: set[int] = set()
        self.begun = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Any:
        self.begun += 1
        first = args[1][0] not in self.lost
        self.lost.add(args[1][0])
        future: Future[Any] = Future()
        if first:
            future.set_exception(RuntimeError("the worker was lost"))
        else:
            future.set_result(fn(*args))
        return future


def test_lost_workers_are_replaced(small: mp.Scenario) -> None:
    executor = Backwards()
    there = mp.sweep(small, VARY, executor=executor)
    assert there.results.to_list() == mp.sweep(small, VARY).results.to_list()
    assert executor.begun == 8


class Dying(Backwards):
    """Is lost for good after some calls."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Any:
        self.begun += 1
        future: Future[Any] = Future()
        if self.begun > 2:
            future.set_exception(RuntimeError("the cluster is gone"))
        else:
            future.set_result(fn(*args))
        return future


def test_what_was_done_is_not_done_again(small: mp.Scenario, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    with pytest.raises(RuntimeError, match="gone"):
        mp.sweep(small, VARY, executor=Dying(), folder=folder)
    told: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        done = mp.sweep(
            small, VARY, executor=pool, folder=folder, resume=True, progress=told.append
        )
    assert told[0] > 1 and told[-1] == 4
    assert done.results.to_list() == mp.sweep(small, VARY).results.to_list()


def test_a_sweep_is_reported_on_and_drawn(small: mp.Scenario, tmp_path: Path) -> None:
    done = mp.sweep(small, {"paths.1.delay": ["20 ms", "40 ms", "80 ms"]}, seeds=[1, 2], progress=True)
    page = done.report(tmp_path / "sweep.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and "paths.1.delay" in page
    plots = done.plots()
    assert plots["completion"].startswith("<svg") and plots["completion"]._repr_svg_() in page
    [files] = [file for file in (done._files,) if file is not None]
    assert files.is_dir() and done.folder is None
    again = pickle.loads(pickle.dumps(done))
    assert again.summary.to_list() == done.summary.to_list() and again.keys == done.keys
    with pytest.raises(TypeError, match="another process"):
        again.report(tmp_path / "again.html")
    del done
    assert not files.exists()


def test_failed_runs_are_rows(small: mp.Scenario) -> None:
    together = [{"paths.0.rate": ["1 Mbit/s", "2 Mbit/s"], "paths.1.rate": ["2 Mbit/s", "1 Mbit/s"]}]
    done = mp.sweep(small, together=together)
    assert done.configurations == 2 and not done.failed


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"vary": {"paths.0.dealy": ["1 ms"]}}, mp.ScenarioError, "dealy"),
        ({"vary": {"paths.0.delay": "1 ms"}}, TypeError, "paths.0.delay"),
        ({"vary": {"paths.0.delay": ["soon"]}}, mp.ScenarioError, "delay"),
        ({"seeds": "1..x"}, mp.ScenarioError, "seeds"),
        ({"vary": 3}, TypeError, "vary"),
        ({"seeds": 3}, TypeError, "seeds"),
        ({"seeds": ["one"]}, TypeError, "seeds"),
        ({"folder": 3}, TypeError, "folder"),
        ({"jobs": 0}, ValueError, "jobs"),
        ({"resume": True}, ValueError, "resume"),
        ({"executor": os}, TypeError, "executor"),
        ({"vary": {"flows.0.app": [LowestRtt]}}, mp.ScenarioError, "LowestRtt is no App"),
        ({"vary": {"flows.0.start": [LowestRtt]}}, mp.ScenarioError, "start"),
    ],
)
def test_wrong_arguments_are_named(
    small: mp.Scenario, arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        mp.sweep(small, **arguments)
