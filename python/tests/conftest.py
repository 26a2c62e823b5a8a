"""What the tests share."""

from __future__ import annotations

import signal

import pytest

import mptcpsim as mp

# Shells start what runs in the background with Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def small() -> mp.Scenario:
    """Two paths and a short transfer."""
    return mp.Scenario(
        name="small",
        duration="5 s",
        paths=[
            mp.Path(name="a", rate="10 Mbit/s", delay="10 ms"),
            mp.Path(name="b", rate="5 Mbit/s", delay="20 ms", loss=mp.BernoulliLoss("1 %")),
        ],
        flows=[mp.Flow(mp.Bulk("500 kB"))],
    )
