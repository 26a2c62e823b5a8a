"""Runs and their results."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy
import pandas
import polars
import pyarrow
import pyarrow.parquet
import pytest

import mptcpsim as mp
from test_policies import OnlyFirst
from mptcpsim import _mptcpsim
from mptcpsim.results import TABLES


def shell(*typed: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mptcpsim", *typed]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["wifi-lte", "middleboxes"])
def test_the_digest_is_that_of_the_command_line(name: str, tmp_path: Path) -> None:
    run = mp.run(name, seed=3, duration="2 s")
    out = str(tmp_path / "out")
    shown = shell("run", name, "--seed=3", "--duration=2 s", "--format=json", "--no-plots", "--out", out)
    assert shown.returncode == 0, shown.stderr
    manifest = json.loads(shown.stdout)["manifest"]
    assert run.digest == manifest["digest"]
    assert {**run.manifest, "wall_s": 0} == {**manifest, "wall_s": 0}


def test_the_command_line_is_all_there() -> None:
    help_ = shell("--help")
    assert help_.returncode == 0 and "packetdrill" in help_.stdout
    assert shell("run", "nowhere").returncode == 2
    script = Path(sys.executable).parent / "mptcpsim"
    assert subprocess.run([script, "list"], capture_output=True, check=True).stdout


def test_a_seed_is_a_run(small: mp.Scenario) -> None:
    one, same, other = (mp.run(small, seed=seed) for seed in (1, numpy.int64(1), 2))
    assert one.digest == same.digest != other.digest
    assert (one.seed, other.seed, one.scenario.seed) == (1, 2, 1)
    assert mp.run(small, set={"paths.0.rate": "1 Mbit/s"}).end_s > one.end_s


def test_a_report_is_one_page(small: mp.Scenario, tmp_path: Path) -> None:
    run = mp.run(small)
    page = run.report(tmp_path / "run.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and run.digest in page and "its paths carry" in page
    own = mp.run(small, set={"flows.0.mptcp.scheduler": OnlyFirst})
    page = own.report(tmp_path / "own.html").read_text(encoding="utf-8")
    assert own.digest != run.digest and own.digest in page and "its paths carry" in page
    with pytest.raises(OSError, match="nowhere"):
        run.report(tmp_path / "nowhere" / "run.html")


def test_saved_files_are_those_of_the_command_line(small: mp.Scenario, tmp_path: Path) -> None:
    run = mp.run(small.copy(record=mp.Record(sequence=True)))
    folder = run.save(tmp_path / "out")
    for name in TABLES:
        text = (folder / f"{name}.csv").read_text()
        table = run.table(name)
        if len(table):
            assert table.to_csv() == text
            table.to_csv(tmp_path / "one.csv")
            assert (tmp_path / "one.csv").read_text() == text
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("dear")
    with pytest.raises(OSError, match="mine"):
        run.save(tmp_path / "mine")


@pytest.mark.parametrize("name", TABLES)
def test_every_library_reads_the_same(name: str) -> None:
    special = {"energy": "train", "requests": "workloads", "sequence": "handover"}
    scenario = special.get(name, "short-flows")
    table = mp.run(scenario, duration="1 s").table(name)
    rows = table.to_list()
    assert rows and len(rows) == len(table)
    assert table.to_polars().to_dicts() == rows
    assert table.to_arrow().to_pylist() == rows
    frame = table.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == table.columns and len(frame) == len(rows)
    for column, values in table.to_numpy().items():
        known = [row[column] for row in rows]
        for value, right in zip(values.tolist(), known, strict=True):
            assert value == right or (right is None and value != value), column


def test_numbers_are_viewed_in_place(small: mp.Scenario) -> None:
    table = mp.run(small).timeseries
    for column in ("time_s", "cwnd_packets", "subflow", "srtt_ms"):
        first, second = table[column], table[column]
        assert numpy.shares_memory(first, second)
        assert not first.flags.writeable
    frame = polars.DataFrame(table)
    shared = frame["cwnd_packets"].to_numpy(allow_copy=False)
    assert numpy.shares_memory(shared, table["cwnd_packets"])
    arrow = pyarrow.table(table).column("rate_bps").chunk(0).to_numpy(zero_copy_only=True)
    assert numpy.shares_memory(arrow, table["rate_bps"])
    view = table["time_s"]
    del table, frame, arrow
    assert view[-1] > 0


def test_duckdb_reads_tables_in_place(small: mp.Scenario) -> None:
    import duckdb

    samples = table = mp.run(small).timeseries
    with duckdb.connect() as database:
        query = "select path, max(srtt_ms), count(*) from samples group by path order by path"
        rows = database.execute(query).fetchall()
    del samples
    assert [row[0] for row in rows] == ["a", "b"]
    assert sum(row[2] for row in rows) == len(table)
    assert max(row[1] for row in rows) == numpy.nanmax(table["srtt_ms"])


def test_many_rows_are_not_copied() -> None:
    count = 200_000
    text = "time_s,value\n" + "\n".join(f"{at}.5,{at}" for at in range(count))
    table = mp.Table("many", _mptcpsim.table_of_csv(text, {"time_s": "real", "value": "integer"}))
    frame = table.to_polars()
    assert frame.shape == (count, 2) and frame.n_chunks() == 1
    for column in frame.columns:
        assert numpy.shares_memory(frame[column].to_numpy(allow_copy=False), table[column])
    assert frame["value"].sum() == count * (count - 1) // 2


def test_rows_slices_and_mistakes(small: mp.Scenario) -> None:
    table = mp.run(small).timeseries
    assert table[0] == next(iter(table)) and table[-1] == table[len(table) - 1]
    assert [row["time_s"] for row in table[2:5]] == table["time_s"][2:5].tolist()
    assert len(table[5:2]) == 0
    with pytest.raises(IndexError):
        table[len(table)]
    with pytest.raises(KeyError, match="known: time_s"):
        table["time"]
    with pytest.raises(TypeError):
        table[1.5]  # type: ignore[call-overload]
    with pytest.raises(KeyError, match="known: summary"):
        mp.run(small).table("sumary")


def test_parquet_keeps_everything(small: mp.Scenario, tmp_path: Path) -> None:
    table = mp.run(small).subflows
    table.to_parquet(tmp_path / "subflows.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "subflows.parquet").to_pylist() == table.to_list()


def test_results_are_pickled(small: mp.Scenario) -> None:
    run = mp.run(small)
    again = pickle.loads(pickle.dumps(run))
    assert again.digest == run.digest and again.scenario == run.scenario
    for name in TABLES:
        assert again.table(name).to_list() == run.table(name).to_list()
    assert repr(again) == repr(run)


def test_theory_has_its_say_or_says_why_not(small: mp.Scenario) -> None:
    with pytest.raises(ValueError, match="cubic"):
        mp.run(small).theory()
    loss = mp.BernoulliLoss("2 %", filter="data", direction="down")
    lossy = small.copy(
        {
            "duration": "20 s",
            "paths.0.loss": loss,
            "paths.0.rate": "100 Mbit/s",
            "paths.1.loss": loss,
            "paths.1.rate": "100 Mbit/s",
            "flows.0.app": mp.Timed("20 s"),
            "flows.0.congestion_control": "lia-rfc6356",
            "flows.0.mptcp.scheduler": "lowest-rtt",
        }
    )
    theory = mp.run(lossy).theory()
    assert {it.model for it in theory.subflows} == {"lia"} and len(theory.subflows) == 2
    for it in theory.subflows:
        assert it.loss == pytest.approx(0.02, rel=1e-6)
        assert 0.5 < it.simulated_bps / it.expected_bps < 1.5
    assert theory.totals_bps["uncoupled"] > theory.totals_bps["lia"]


def test_captures_are_written(small: mp.Scenario, tmp_path: Path) -> None:
    mp.run(small, captures=tmp_path / "seen")
    files = sorted((tmp_path / "seen" / "capture").glob("*.pcapng"))
    assert [file.stem for file in files] == ["client", "server"]
    assert all(file.read_bytes().startswith(b"\x0a\x0d\x0d\x0a") for file in files)


LONG = {"duration": "3000 s", "flows.0.app.bytes": "100 GB", "record.interval": "100 s"}


def test_ctrl_c_ends_a_run_at_once(small: mp.Scenario) -> None:
    pressed = []

    def press() -> None:
        time.sleep(0.3)
        pressed.append(time.monotonic())
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        mp.run(small, set=LONG)
    assert time.monotonic() - pressed[0] < 5, "many times what it takes, for slow machines"
    thread.join()


def test_other_threads_go_on_and_progress_is_told(small: mp.Scenario) -> None:
    seen: list[float] = []

    class Enough(Exception):
        pass

    def progress(time_s: float) -> None:
        seen.append(time_s)
        if len(seen) == 5:
            raise Enough

    with pytest.raises(Enough):
        mp.run(small, set=LONG, progress=progress)
    assert seen == sorted(seen) and len(seen) == 5


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"seed": "one"}, TypeError, "seed"),
        ({"seed": 1.5}, TypeError, "seed"),
        ({"seed": -1}, mp.ScenarioError, "seed"),
        ({"seed": 2**70}, mp.ScenarioError, "seed"),
        ({"duration": "soon"}, mp.ScenarioError, "duration"),
        ({"set": {"links": 3}}, mp.ScenarioError, "links"),
        ({"set": 3}, TypeError, "set: "),
        ({"set": {"links.wifi.delay": float("nan")}}, mp.ScenarioError, r"links\.wifi\.delay"),
        ({"captures": 3}, TypeError, "captures"),
        ({"progress": 3}, TypeError, "progress"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        mp.run("wifi-lte", **arguments)  # type: ignore[arg-type]


def test_nothing_is_printed(small: mp.Scenario, capfd: pytest.CaptureFixture[str]) -> None:
    mp.run(small)
    assert capfd.readouterr() == ("", "")
