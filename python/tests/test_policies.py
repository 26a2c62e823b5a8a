"""Policies written in Python."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import traceback
from typing import Any

import pytest

import mptcpsim as mp


class LowestRtt(mp.Scheduler):
    """The fastest subflow that has room."""

    def pick(self, view: mp.SchedulerView, ask: mp.Ask) -> mp.SubflowState | None:
        able = (subflow for subflow in view.subflows if subflow.sendable)
        return min(able, key=lambda subflow: subflow.srtt, default=mp.WAIT)


class OnlyFirst(mp.Scheduler):
    def pick(self, view: mp.SchedulerView, ask: mp.Ask) -> int | None:
        return 0 if view.subflows[0].sendable else None


class Counting(LowestRtt):
    """Counts its own questions: every connection has a count of its own."""

    def __init__(self) -> None:
        self.asked = 0
        self.bytes = 0

    def pick(self, view: mp.SchedulerView, ask: mp.Ask) -> mp.SubflowState | None:
        self.asked += 1
        assert ask.kind in ("new", "again", "retransmit", "probe", "spare")
        assert 0 <= view.una <= view.nxt and view.now >= 0
        return super().pick(view, ask)

    def given(self, subflow: int, start: int, len: int) -> None:
        self.bytes += len
        assert self.bytes <= 10_000_000, "the state of another connection"


def shares(run: mp.Run) -> dict[str, float]:
    return {row["path"]: row["share"] for row in run.subflows if row["bytes"]}


def test_a_scheduler_decides(small: mp.Scenario) -> None:
    both = mp.run(small, set={"flows.0.mptcp.scheduler": LowestRtt})
    assert both.summary["complete"].all() and both.summary["intact"].all()
    assert set(shares(both)) == {"a", "b"}
    first = mp.run(small, set={"flows.0.mptcp.scheduler": OnlyFirst()})
    assert shares(first) == {"a": 1.0}
    assert first.summary[0]["completion_s"] > both.summary[0]["completion_s"]
    assert both.digest == mp.run(both.scenario).digest != first.digest


def test_every_connection_has_a_policy_of_its_own(small: mp.Scenario) -> None:
    flows = [mp.Flow(mp.Bulk("300 kB"), mptcp=mp.FlowMptcp(scheduler=Counting())) for _ in range(3)]
    scheduler = flows[0].mptcp.scheduler
    small.flows = flows
    run = mp.run(small)
    assert run.summary["complete"].all()
    assert isinstance(scheduler, Counting) and scheduler.asked == 0


class HalfReno(mp.CongestionControl):
    """Reno that grows half as fast."""

    def __init__(self) -> None:
        self.turn = False

    def cong_avoid(self, flow: mp.CongestionFlow, acked: int) -> None:
        assert flow.windows[flow.me].cwnd == flow.window.cwnd
        window = flow.window
        if not window.cwnd_limited:
            return
        left = window.slow_start(acked) if window.in_slow_start else acked
        window.cong_avoid_ai(2 * window.cwnd, left)


class Reno(mp.CongestionControl):
    def cong_avoid(self, flow: mp.CongestionFlow, acked: int) -> None:
        flow.window.reno_cong_avoid(acked)


def test_a_congestion_control_decides(small: mp.Scenario) -> None:
    def run(control: object) -> mp.Run:
        return mp.run(small, set={"flows.0.congestion_control": control})

    mine, kernels, slow = run(Reno), run("reno"), run(HalfReno)
    assert mine.timeseries.to_list() == kernels.timeseries.to_list()
    assert slow.timeseries.to_list() != kernels.timeseries.to_list()
    assert slow.summary["complete"].all()


class Late(mp.PathManager):
    """Opens a second subflow when a transfer takes longer than a tenth of a second."""

    def on_event(self, event: mp.PathEvent, view: mp.PathsView) -> list[Any]:
        if not view.client:
            return []
        if event.kind == "fully-established":
            return [mp.CallAt(view.now + 0.1)]
        if event.kind == "timer":
            return [mp.OpenSubflow(view.addresses[1], view.subflows[0].remote, local_id=1)]
        return []


def test_a_path_manager_decides(small: mp.Scenario) -> None:
    run = mp.run(small, set={"flows.0.mptcp.path_manager": Late})
    opened = sorted(row["opened_s"] for row in run.subflows)
    assert run.summary[0]["subflows"] == 2 and run.summary["complete"].all()
    assert opened[0] < 0.1 <= opened[-1]


class Broken(mp.Scheduler):
    def pick(self, view: mp.SchedulerView, ask: mp.Ask) -> int | None:
        if view.now > 0.1:
            raise LookupError("no idea which")
        return 0


def test_an_exception_ends_the_run_with_its_traceback(small: mp.Scenario) -> None:
    with pytest.raises(LookupError, match="no idea which") as caught:
        mp.run(small, set={"flows.0.mptcp.scheduler": Broken})
    assert "if view.now > 0.1" in traceback.format_exc() or any(
        frame.name == "pick" for frame in caught.traceback
    )


class Answers(mp.Scheduler):
    def __init__(self, answer: object) -> None:
        self.answer = answer

    def pick(self, view: mp.SchedulerView, ask: mp.Ask) -> Any:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("first", TypeError),
        (7, ValueError),
        (-1, TypeError),
        (mp.On(0, 0), ValueError),
        (mp.On(99), ValueError),
        (mp.Copy(0, 10**12), ValueError),
        (mp.On(0, -5), OverflowError),
    ],
)
def test_answers_that_make_no_sense_are_named(
    small: mp.Scenario, answer: object, error: type[Exception]
) -> None:
    with pytest.raises(error, match="pick|subflow|limit|int"):
        mp.run(small, set={"flows.0.mptcp.scheduler": Answers(answer)})


def test_random_answers_break_nothing(small: mp.Scenario) -> None:
    class Random(mp.Scheduler):
        def __init__(self) -> None:
            self.random = random.Random(1)

        def pick(self, view: mp.SchedulerView, ask: mp.Ask) -> Any:
            subflow = self.random.choice(view.subflows)
            if not subflow.active or self.random.random() < 0.2:
                return mp.WAIT
            if view.una < view.nxt and self.random.random() < 0.1:
                return mp.Copy(subflow, self.random.randrange(view.una, view.nxt))
            return mp.On(subflow, self.random.randrange(1, 5000))

    one, two = (mp.run(small, set={"flows.0.mptcp.scheduler": Random}) for _ in range(2))
    assert one.digest == two.digest
    assert one.summary["intact"].all()


@pytest.mark.parametrize(("method", "value"), [("ssthresh", 0), ("ssthresh", "x"), ("undo_cwnd", -1)])
def test_windows_that_make_no_sense_are_named(
    small: mp.Scenario, method: str, value: object
) -> None:
    wrong = type("Wrong", (Reno,), {method: lambda self, flow: value})
    lossy = {"paths.0.loss": {"model": "bernoulli", "probability": "5 %"}, "duration": "30 s"}
    lossy |= {"flows.0.app.bytes": "5 MB"}
    if method == "undo_cwnd":
        lossy["paths.0.jitter"] = {"distribution": "uniform", "max": "30 ms", "reorder": True}
    with pytest.raises(ValueError, match=method):
        mp.run(small, set={**lossy, "flows.0.congestion_control": wrong})


def test_a_policy_stands_where_its_kind_does(small: mp.Scenario) -> None:
    with pytest.raises(mp.ScenarioError, match="LowestRtt is no CongestionControl"):
        small.copy({"flows.0.congestion_control": LowestRtt})
    with pytest.raises(mp.ScenarioError):
        small.copy({"name": LowestRtt})


def test_policies_have_names(small: mp.Scenario) -> None:
    with pytest.raises(mp.ScenarioError, match="lowest-of-all"):
        small.copy({"flows.0.mptcp.scheduler": "lowest-of-all"})
    mp.register("lowest-of-all", LowestRtt)
    named = small.copy({"flows.0.mptcp.scheduler": "lowest-of-all"})
    own = small.copy({"flows.0.mptcp.scheduler": LowestRtt})
    assert mp.run(named).digest == mp.run(own).digest
    assert own.to_dict()["flows"][0]["mptcp"] == {"scheduler": "lowest-of-all"}
    with pytest.raises(TypeError, match="policy"):
        mp.register("no", int)  # type: ignore[arg-type]


def test_installed_packages_offer_policies(
    small: mp.Scenario, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs.py").write_text(
        "import mptcpsim as mp\n"
        "class Theirs(mp.Scheduler):\n"
        "    def pick(self, view, ask):\n"
        "        return next((s for s in view.subflows if s.sendable), mp.WAIT)\n"
    )
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mptcpsim.policies]\ntheirs-first = theirs:Theirs\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    own = small.copy({"flows.0.mptcp.scheduler": "theirs-first"})
    run = mp.run(own)
    assert run.summary["complete"].all()
    # The command line knows them too.
    (tmp_path / "own.toml").write_text(own.to_toml())

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mptcpsim", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done

    def digest() -> str:
        return str(json.loads((tmp_path / "out" / "manifest.json").read_text())["digest"])

    into = ("run", "own.toml", "--no-plots", "--out", "out")
    typed(*into, "--set", "flows.0.app.bytes=10 kB")
    assert digest() != run.digest
    typed(*into)
    assert digest() == run.digest
    assert "its paths carry" in typed("explain", "own.toml", "--duration", "1 s").stdout
    swept = own.copy({"sweep.seeds": [1, 2]})
    (tmp_path / "swept.toml").write_text(swept.to_toml())
    typed("sweep", "swept.toml", "--out", "sweep", "--jobs", "1")
    assert "theirs-first" in (tmp_path / "sweep" / "results.csv").read_text()
