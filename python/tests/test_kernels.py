"""Runs with the real kernel of this machine. They take Linux with MPTCP, and root."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest

import mptcpsim as mp
from test_policies import Broken, LowestRtt
from test_run import shell

DEVICES = (Path("/proc/sys/net/mptcp/enabled"), Path("/dev/net/tun"))

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not all(it.exists() for it in DEVICES) or shutil.which("ip") is None,
    reason="it takes root, MPTCP, TUN devices and iproute2",
)


@needs_root
def test_a_scheduler_in_python_sends_to_a_real_kernel(small: mp.Scenario, tmp_path: Path) -> None:
    up = mp.Bulk("500 kB", direction="upload")
    own = small.copy({"flows.0.app": up, "flows.0.mptcp.scheduler": LowestRtt})
    run = mp.live(own, captures=tmp_path)
    assert run.summary[0]["bytes"] == 500_000 and run.summary[0]["intact"]
    [connection] = run.kernels["server"].connections
    assert connection["received"] == 500_000 and connection["error"] is None
    assert {it["sender"] for it in run.subflows} >= {"client"}
    assert "MPTcpExtMPCapableSYNRX" in run.counters.column("counter").to_list()
    assert run.lateness.packets > 300
    assert (tmp_path / "capture" / "server.pcapng").stat().st_size > 50_000
    assert (run.save(tmp_path / "results") / "kernel" / "server.ss.txt").is_file()
    again = pickle.loads(pickle.dumps(run))
    assert (again.kernels, again.lateness) == (run.kernels, run.lateness)


@needs_root
def test_an_exception_ends_a_live_run(small: mp.Scenario) -> None:
    own = small.copy({"flows.0.mptcp.scheduler": Broken, "flows.0.app.direction": "upload"})
    with pytest.raises(LookupError, match="no idea which"):
        mp.live(own)


def test_what_no_kernel_does_is_refused(small: mp.Scenario) -> None:
    with pytest.raises(ValueError, match=r"scenario: .*redundant"):
        mp.live(small, set={"flows.0.mptcp.scheduler": "redundant"})
    with pytest.raises(ValueError, match="server: expected `sim` or `kernel`, found `linux`"):
        mp.live(small, server="linux")  # type: ignore[arg-type]


@needs_root
def test_the_command_line_starts_itself(small: mp.Scenario, tmp_path: Path) -> None:
    file = tmp_path / "small.toml"
    file.write_text(small.to_toml())
    typed = ["live", str(file), "--server", "sim", "--client", "kernel", "--no-plots"]
    done = shell(*typed, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "kernel" / "client.connections.json").is_file()


@needs_root
def test_simulations_are_compared_with_kernels(small: mp.Scenario) -> None:
    rows = mp.validate(small, seeds=2, repetitions=1)
    completion = next(row for row in rows if row["metric"] == "completion_s")
    assert completion["kernel_mean"] > 0 and completion["simulated_deviation"] is not None


def test_simulations_are_compared_with_measurements() -> None:
    done: list[int] = []
    rows = mp.validate_measured("mptcp-0.94.7", only=["backup", "fallback"], progress=done.append)
    names = {row["scenario"] for row in rows}
    assert names and all("backup" in name or "fallback" in name for name in names)
    assert "agrees" in rows and rows["tolerance"].min() >= 0
    assert mp.load(f"mptcp-0.94.7/{min(names)}").name == min(names)
    with pytest.raises(ValueError, match="kernel: there is no `windows`"):
        mp.validate_measured("windows")
    with pytest.raises(ValueError, match="only: no scenario"):
        mp.validate_measured(only="nothing")
    with pytest.raises(ValueError, match="repetitions"):
        mp.validate("two-equal-paths", repetitions=0)
