"""Plots."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy
import pytest
from matplotlib import pyplot

import mptcpsim as mp
from mptcpsim.plotting import PLOTS

matplotlib.use("Agg")


@pytest.mark.parametrize("what", PLOTS)
def test_everything_can_be_drawn(small: mp.Scenario, what: str, tmp_path: Path) -> None:
    run = mp.run(small.copy(record=mp.Record(sequence=True)))
    axes = run.plot(what)
    labels = [line.get_label() for line in axes.get_lines()]
    links = [f"{link} {way}" for link in "ab" for way in ("up", "down")]
    of_paths = ["flow1: a (0, server)", "flow1: b (1, server)"]
    assert labels == (links if what in ("backlog", "queueing") else of_paths)
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.savefig(tmp_path / "plot.png")
    pyplot.close(figure)


def test_wrong_names_are_named(small: mp.Scenario) -> None:
    run = mp.run(small)
    with pytest.raises(ValueError, match="known are rate"):
        run.plot("cwd")
    with pytest.raises(ValueError, match="flow9"):
        run.plot("cwnd", flow="flow9")
    with pytest.raises(ValueError, match=r"record\.sequence"):
        run.plot("sequence")
    with pytest.raises(ValueError, match="queues"):
        run.plot("backlog", flow="flow1")


def test_shares_of_a_connection_add_up(small: mp.Scenario) -> None:
    axes = mp.run(small).plot("share", flow="flow1")
    of_a, of_b = (numpy.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines())
    later = of_a[-len(of_b) :] + of_b  # b joins later
    known = ~numpy.isnan(later)
    assert known.any() and numpy.allclose(later[known], 100)
    pyplot.close("all")
