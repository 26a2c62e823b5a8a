"""The example programs do what they say."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "examples"


def example(name: str) -> dict[str, Any]:
    return runpy.run_path(str(FOLDER / name))


def test_own_policies_work_together() -> None:
    run = example("own_policies.py")["main"]()
    assert run.summary[0]["bytes"] == 1_001_500 and run.summary[0]["complete"]
    opened = sorted(row["opened_s"] for row in run.subflows)
    assert opened[0] < 0.1 and opened[-1] > 0.5


def test_a_scheduler_is_learnt() -> None:
    gain = example("learn_scheduler.py")["main"](
        ["--bytes", "1 MB", "--generations", "8", "--environments", "32"]
    )
    assert gain > 0
