"""Scenarios as objects."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mptcpsim as mp
from mptcpsim import _mptcpsim
from mptcpsim.units import MB, Mbit_s, ms, percent

SHIPPED = [name for name, _ in _mptcpsim.shipped(papers=False)]
TOOLS = Path(__file__).parents[1] / "tools"


def test_the_data_classes_are_those_of_the_schema() -> None:
    generator = TOOLS / "generate_scenario.py"
    made = subprocess.run(
        [sys.executable, generator],
        input=_mptcpsim.schema(),
        capture_output=True,
        text=True,
        check=True,
    )
    kept = (TOOLS.parent / "mptcpsim" / "scenario_types.py").read_text()
    help_ = "python -m mptcpsim schema | python tools/generate_scenario.py > mptcpsim/scenario_types.py"
    assert made.stdout == kept, f"old: run {help_} in the folder python"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_scenario_survives_every_form(name: str) -> None:
    scenario = mp.load(name)
    resolved = scenario.check().resolved()
    for same in (
        mp.load(scenario.to_dict()),
        mp.Scenario.from_toml(scenario.to_toml()),
        mp.Scenario.from_dict(json.loads(scenario.to_json())),
        pickle.loads(pickle.dumps(scenario)),
        scenario.copy(),
    ):
        assert same == scenario
        assert same.check().resolved() == resolved
    again = mp.Scenario.from_toml(scenario.to_toml(resolved=True))
    assert json.loads(again.check().resolved()) == json.loads(resolved)


def test_parts_are_objects_with_names() -> None:
    scenario = mp.load("wifi-lte")
    wifi = scenario.links["wifi"]
    assert isinstance(wifi, mp.Link)
    assert isinstance(scenario.flows[0].app, (mp.Bulk, mp.Timed, mp.Request))
    wifi.loss = mp.BernoulliLoss(probability=2 * percent)
    wifi.delay = 40 * ms
    assert scenario.to_dict()["links"]["wifi"]["loss"] == {
        "model": "bernoulli",
        "probability": "2 %",
    }
    with pytest.raises(AttributeError):
        wifi.dealy = "3 ms"  # type: ignore[attr-defined]


def test_quantities_are_what_their_text_says() -> None:
    def scenario(rate: object, delay: object, size: object) -> mp.Scenario:
        path = {"rate": rate, "delay": delay}
        flow = {"app": {"kind": "bulk", "bytes": size}}
        return mp.Scenario.from_dict({"paths": [path], "flows": [flow]})

    numbers = scenario(2.5 * Mbit_s, 0.5 * ms, 1.25 * MB)
    texts = scenario("2.5 Mbit/s", "500 us", "1250 kB")
    assert numbers.check().resolved() == texts.check().resolved()


@pytest.mark.parametrize("name", mp.units.__all__)
def test_every_unit_is_one_of_scenarios(name: str, small: mp.Scenario) -> None:
    unit = getattr(mp.units, name)
    if not isinstance(unit, mp.units.Quantity):
        return
    key = {
        "time": "duration",
        "rate": "paths.0.rate",
        "bytes": "flows.0.app.bytes",
        "probability": "paths.0.duplication",
    }.get(unit.kind, "paths.0.queue")
    amount = {"bit_s": 50_000_000, "ns": 10**8}.get(name, 3) * unit
    queue = {"discipline": "droptail", "limit": amount}
    resolved = small.copy({key: queue if key == "paths.0.queue" else amount}).check().resolved()
    assert resolved


def test_a_copy_has_other_values_and_leaves_the_first_alone(small: mp.Scenario) -> None:
    other = small.copy({"paths.1.delay": 70 * ms, "flows.0.mptcp.scheduler": "blest"}, seed=7)
    assert other.paths[1].delay == "70 ms"
    assert other.flows[0].mptcp.scheduler == "blest"
    assert (small.paths[1].delay, small.seed, other.seed) == ("20 ms", None, 7)


def test_keys_with_dots_stand_in_quotes() -> None:
    key = 'hosts.phone.sysctl."net.ipv4.tcp_congestion_control"'
    copy = mp.load("wifi-lte").copy({key: "reno"})
    assert copy.hosts["phone"].sysctl["net.ipv4.tcp_congestion_control"] == "reno"


FAULTS = [
    ({"duraton": "1 s"}, "duraton", "did you mean `duration`?"),
    ({"duration": "1 parsec"}, "duration", None),
    ({"paths": [{"rate": "1 Mbit/s", "delay": 3}]}, "paths.0.delay", None),
    ({"seed": -1}, "seed", None),
    ({"flows": [{"app": {"kind": "bulc", "bytes": "1 MB"}}]}, "flows.0.app.kind", "did you mean `bulk`?"),
]


@pytest.mark.parametrize(("tree", "key", "help_"), FAULTS)
def test_faults_name_the_key(tree: dict[str, object], key: str, help_: str | None) -> None:
    with pytest.raises(mp.ScenarioError) as caught:
        mp.load(tree)
    fault = next(fault for fault in caught.value.faults if fault.key == key)
    assert fault.message
    assert help_ is None or fault.help == help_
    assert isinstance(caught.value, ValueError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.faults == caught.value.faults


def test_messages_are_those_of_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "faulty.toml"
    file.write_text('duraton = "1 s"\n[links.a]\nrate = "fast"\n')
    with pytest.raises(mp.ScenarioError) as caught:
        mp.load(file)
    shown = subprocess.run(
        [sys.executable, "-m", "mptcpsim", "check", str(file)], capture_output=True, text=True
    )
    assert shown.returncode == 2
    assert caught.value.faults[0].line == 1
    for fault in caught.value.faults:
        assert fault.message in " ".join(shown.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    "changes",
    [
        {"links.wifi.dealy": "1 ms"},
        {"flows.7.app.bytes": "1 MB"},
        {"name.first": 1},
        {"links.wifi.delay": float("nan")},
        {"links.wifi.delay": object()},
    ],
)
def test_a_copy_that_makes_no_sense_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(mp.ScenarioError):
        mp.load("wifi-lte").copy(changes)


@pytest.mark.parametrize("source", [3, None, ["wifi-lte"]])
def test_what_is_no_scenario_is_refused(source: object) -> None:
    with pytest.raises(TypeError, match="source"):
        mp.load(source)  # type: ignore[arg-type]


def test_a_scenario_that_does_not_exist_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="no file `nowhere`"):
        mp.load("nowhere")


def test_files_are_looked_for_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "slow.trace").write_text("".join(f"{ms}\n" for ms in range(1, 100)))
    text = """
        paths = [{ rate = { trace = "slow.trace" }, delay = "5 ms" }]
        flows = [{ app = { kind = "bulk", bytes = "100 kB" } }]
    """
    (tmp_path / "traced.toml").write_text(text)
    scenario = mp.load(tmp_path / "traced.toml")
    assert scenario.name == "traced"
    for same in (scenario, scenario.copy(), pickle.loads(pickle.dumps(scenario))):
        assert mp.run(same).summary["complete"].all()
    with pytest.raises(mp.ScenarioError):
        mp.load(tomllib.loads(text))


def test_a_notebook_shows_the_paths() -> None:
    shown = mp.load("wifi-lte")._repr_html_()
    assert "wifi" in shown and "30 Mbit/s" in shown and "<svg" in shown
    assert "duraton" not in shown
    broken = mp.load("wifi-lte")
    broken.duration = "<long>"
    assert "&lt;long&gt;" in broken._repr_html_()
