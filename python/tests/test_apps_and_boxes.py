"""Applications and middleboxes written in Python."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import mptcpsim as mp


class Echo(mp.App):
    """The client sends so many bytes some times, and waits each time until all have come back."""

    def __init__(self, bytes: int = 20_000, rounds: int = 3) -> None:
        self.bytes = bytes
        self.rounds = rounds
        self.answered = 0

    def on_event(self, view: mp.AppView) -> Iterable[Any]:
        if view.client:
            return self.ask(view)
        return self.answer(view)

    def ask(self, view: mp.AppView) -> Iterable[Any]:
        if view.event == "established":
            return [mp.Write(self.bytes)]
        if view.event == "received" and view.received == self.bytes * (self.answered + 1):
            self.answered += 1
            return [mp.Write(self.bytes) if self.answered < self.rounds else mp.Close()]
        return []

    def answer(self, view: mp.AppView) -> Iterable[Any]:
        if view.event == "received":
            new = view.received - self.answered
            self.answered = view.received
            return [mp.Write(new)]
        return [mp.Close()] if view.event == "ended" else []


def test_an_application_reads_and_writes(small: mp.Scenario) -> None:
    run = mp.run(small, set={"flows.0.app": Echo()})
    row = run.summary[0]
    assert row["bytes"] == 120_000 and row["complete"] and row["intact"]
    assert 0.06 < row["completion_s"] < 1 and row["subflows"] == 2
    assert mp.run(small, set={"flows.0.app": Echo}).digest == run.digest
    more = mp.run(small, set={"flows.0.app": Echo(rounds=6)})
    assert more.summary[0]["bytes"] == 240_000


class Ticker(mp.App):
    """A message each 100 ms until the connection is a second old."""

    def on_event(self, view: mp.AppView) -> Any:
        if not view.client:
            return [mp.Close()] if view.event == "ended" else None
        if view.event not in ("established", "timer"):
            return None
        if view.now >= 1:
            return (mp.Close(),)
        return mp.Write(1000), mp.CallAt(view.now + 0.1)


class Quitter(Ticker):
    def on_event(self, view: mp.AppView) -> Any:
        return [mp.Abort()] if view.now > 0.5 else super().on_event(view)


def test_an_application_keeps_time_and_can_abort(small: mp.Scenario) -> None:
    ticker = mp.run(small, set={"flows.0.app": Ticker})
    assert ticker.summary[0]["bytes"] == 10_000 and ticker.end_s == pytest.approx(1.04, abs=0.05)
    quitter = mp.run(small, set={"flows.0.app": Quitter})
    assert quitter.summary[0]["bytes"] == 5000 and quitter.end_s < 0.7


class Large(mp.App):
    """Writes more than fits, and more when that is gone."""

    def on_event(self, view: mp.AppView) -> Any:
        if view.client:
            return [mp.Close()] if view.event == "ended" else None
        if view.event == "established":
            return [mp.Write(600_000)]
        if view.event == "written" and view.written == 600_000:
            assert view.waiting == 0
            return [mp.Write(1), mp.Close()]
        return None


def test_what_does_not_fit_waits(small: mp.Scenario) -> None:
    row = mp.run(small, set={"flows.0.app": Large}).summary[0]
    assert row["bytes"] == 600_001 and row["complete"]


def test_forks_of_applications_are_copies(small: mp.Scenario) -> None:
    sim = mp.Simulation(small, set={"flows.0.app": Echo})
    sim.run_until("100 ms")
    twin = sim.fork()
    sim.run_until()
    twin.run_until()
    assert sim.results().digest == twin.results().digest


class Wrong(mp.App):
    def __init__(self, answer: object) -> None:
        self.answer = answer

    def on_event(self, view: mp.AppView) -> Any:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ([7], TypeError, "7 is no action"),
        (7, TypeError, "iter"),
        ([mp.Write(-1)], ValueError, "Write.bytes"),
        ([mp.CallAt(-1)], ValueError, "CallAt"),
    ],
)
def test_answers_that_make_no_sense_are_named(
    small: mp.Scenario, answer: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        mp.run(small, set={"flows.0.app": Wrong(answer)})


class Normaliser(mp.Box):
    """Takes MPTCP out of SYNs, and counts."""

    seen = 0

    def on_segment(self, segment: mp.BoxSegment) -> Any:
        type(self).seen += 1
        if "mp_capable" in segment.options:
            assert segment.kind in ("syn", "syn-ack", "third-ack", "data")
            assert segment.strip("mptcp") and "mp_capable" not in segment.options
        return None


def through(small: mp.Scenario, box: object, **only: Any) -> mp.Scenario:
    """The scenario with a box on its first path."""
    tree = small.to_dict()
    tree["links"] = {"a": {"rate": "10 Mbit/s", "delay": "10 ms"}}
    tree["hosts"] = {name: {"addresses": {"eth0": f"10.0.0.{n}"}} for n, name in enumerate(("client", "server"), 1)}
    tree["paths"] = [{"between": ["client.eth0", "server.eth0"], "via": ["a", "box"]}]
    tree["flows"][0] |= {"from": "client", "to": "server"}
    tree["middleboxes"] = {"box": {"action": box, "only": only}}
    return mp.Scenario.from_dict(tree)


def test_a_box_changes_segments(small: mp.Scenario) -> None:
    run = mp.run(through(small, Normaliser, on=["syn"]))
    assert run.summary[0]["fallback"] and run.summary[0]["complete"]
    built_in = mp.run(through(small, mp.StripBox(), on=["syn"]))
    assert run.subflows.to_list() == built_in.subflows.to_list()
    assert Normaliser.seen > 0


class Gate(mp.Box):
    """Resets, drops or delays what comes after a while."""

    def __init__(self, verdict: Any, since: float = 0.2) -> None:
        self.verdict = verdict
        self.since = since

    def on_segment(self, segment: mp.BoxSegment) -> Any:
        assert segment.direction in ("up", "down") and segment.flags
        return self.verdict if segment.now > self.since else None


def test_a_box_drops_resets_and_holds(small: mp.Scenario) -> None:
    open_ = mp.run(through(small, Gate(None))).summary[0]
    dropped = mp.run(through(small, Gate(mp.DROP))).summary[0]
    reset = mp.Simulation(through(small, Gate(mp.RESET)))
    reset.run_until()
    held = mp.run(through(small, mp.Middlebox(Gate(mp.Hold(0.05))).action)).summary[0]
    assert open_["complete"] and not dropped["complete"]
    assert [it.error is not None for it in reset.connections if not it.client] == [True]
    assert held["complete"] and held["completion_s"] > open_["completion_s"] + 0.05


class Every(mp.Box):
    """Drops every hundredth segment that it sees."""

    def __init__(self) -> None:
        self.seen = 0

    def on_segment(self, segment: mp.BoxSegment) -> Any:
        self.seen += 1
        return mp.DROP if self.seen % 100 == 0 else None


def test_every_run_has_a_box_of_its_own(small: mp.Scenario) -> None:
    scenario, box = small, Every()
    one, two = (mp.run(through(scenario, box)) for _ in range(2))
    assert one.digest == two.digest and box.seen == 0
    assert one.subflows["retransmissions"].sum() > 0


class Window(mp.Box):
    def on_segment(self, segment: mp.BoxSegment) -> Any:
        if segment.kind == "ack":
            segment.window = min(segment.window, 60)
        return None


def test_a_box_rewrites_headers(small: mp.Scenario) -> None:
    free = mp.run(through(small, Gate(None))).summary[0]
    tight = mp.run(through(small, Window)).summary[0]
    assert tight["completion_s"] > free["completion_s"]


@pytest.mark.parametrize(
    ("verdict", "error", "words"),
    [(7, TypeError, "on_segment"), (mp.Hold(-1), ValueError, "Hold"), ("drip", TypeError, "drip")],
)
def test_verdicts_that_make_no_sense_are_named(
    small: mp.Scenario, verdict: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        mp.run(through(small, Gate(verdict)))


def test_options_that_are_none_are_named(small: mp.Scenario) -> None:
    class Mistaken(mp.Box):
        def on_segment(self, segment: mp.BoxSegment) -> Any:
            return segment.strip("mp_cable")

    with pytest.raises(ValueError, match="mp_cable"):
        mp.run(through(small, Mistaken))


def test_each_stands_where_its_kind_does(small: mp.Scenario) -> None:
    with pytest.raises(mp.ScenarioError, match="Gate is no App"):
        small.copy({"flows.0.app": Gate(None)})
    with pytest.raises(mp.ScenarioError, match="Echo is no Box"):
        through(small, Echo())


def test_capable_tries_paths_with_boxes_of_ones_own(small: mp.Scenario) -> None:
    [verdict] = mp.capable(through(small, Gate(None)))
    assert verdict.capable

    class Broken(mp.Box):
        def on_segment(self, segment: mp.BoxSegment) -> None:
            raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        mp.capable(through(small, Broken()))


def test_what_programs_were_made_with_is_written(small: mp.Scenario) -> None:
    class Sized(mp.App):
        def __init__(self, size: int, name: str = "usual", pause: object = None) -> None:
            self.size, self.name, self.pause = size, name, pause

    def app(program: mp.App) -> object:
        return small.copy({"flows.0.app": program}).to_dict()["flows"][0]["app"]

    assert app(Sized(7)) == {"kind": "Sized", "size": 7}
    assert app(Sized(7, "other")) == {"kind": "Sized", "size": 7, "name": "other"}
    with pytest.raises(mp.ScenarioError, match=r"Sized\.pause: .*cannot be written"):
        app(Sized(7, pause=object()))


def test_a_notebook_shows_applications_by_name(small: mp.Scenario) -> None:
    assert "Echo" in small.copy({"flows.0.app": Echo})._repr_html_()


def test_names_with_parameters(small: mp.Scenario, tmp_path: Path) -> None:
    mp.register("echo", Echo)
    mp.register("gate", Gate)
    named = small.copy({"flows.0.app": {"kind": "echo", "rounds": 2}})
    assert mp.run(named).digest == mp.run(small, set={"flows.0.app": Echo(rounds=2)}).digest
    assert not mp.run(through(small, {"kind": "gate", "verdict": "drop"})).summary["complete"].any()
    with pytest.raises(mp.ScenarioError, match="round"):
        small.copy({"flows.0.app": {"kind": "echo", "round": 2}})
    file = tmp_path / "mine.toml"
    file.write_text(
        'duration = "5 s"\n[[paths]]\nname = "a"\nrate = "10 Mbit/s"\ndelay = "10 ms"\n'
        '[[flows]]\napp = { kind = "echo", rounds = 2 }\n'
    )
    read = mp.load(file)
    assert read.name == "mine" and mp.run(read).summary[0]["bytes"] == 80_000
    file.write_text(file.read_text().replace('"10 ms"', '"10 moments"'))
    with pytest.raises(mp.ScenarioError, match="delay"):
        mp.load(file)
