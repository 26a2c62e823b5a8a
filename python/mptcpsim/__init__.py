"""A deterministic simulator and research library for Multipath TCP.

Examples:
    >>> import mptcpsim as mp
    >>> base = mp.load("two-equal-paths").copy(duration="2 s")
    >>> run = mp.run(base, seed=1)
    >>> run.summary["flow"].tolist()
    ['flow1']
    >>> len(run.digest)
    64

A scenario is data (`Scenario` and the classes of its parts), `run` makes results of it (`Run`),
and results are tables (`Table`) that NumPy, polars, pandas and PyArrow read.
"""

from __future__ import annotations

import json
from typing import Any

from mptcpsim import units
from mptcpsim._mptcpsim import __version__
from mptcpsim.errors import Fault, MptcpsimError, RunError, ScenarioError
from mptcpsim.kernels import KernelReport, Lateness, LiveRun, live, validate, validate_measured
from mptcpsim.policies import *  # noqa: F403
from mptcpsim.policies import __all__ as _policies
from mptcpsim.results import Expectation, Run, Theory
from mptcpsim.running import load, run
from mptcpsim.scenario_types import *  # noqa: F403
from mptcpsim.scenario_types import __all__ as _parts
from mptcpsim.simulation import Connection, LinkState, Simulation, Subflow
from mptcpsim.sweeping import Executor, Picture, RayExecutor, Sweep, sweep
from mptcpsim.table import Table
from mptcpsim.tools import *  # noqa: F403
from mptcpsim.tools import __all__ as _tools


list = list_names  # noqa: A001, F405


def schema() -> dict[str, Any]:
    """The JSON Schema of scenarios.

    Examples:
        >>> schema()["title"]
        'Scenario'
    """
    from mptcpsim import _mptcpsim

    tree: dict[str, Any] = json.loads(_mptcpsim.schema())
    return tree


__all__ = [
    "Connection",
    "Executor",
    "Expectation",
    "Fault",
    "KernelReport",
    "Lateness",
    "LinkState",
    "LiveRun",
    "MptcpsimError",
    "Picture",
    "RayExecutor",
    "Run",
    "RunError",
    "ScenarioError",
    "Simulation",
    "Subflow",
    "Sweep",
    "Table",
    "Theory",
    "__version__",
    "live",
    "load",
    "run",
    "schema",
    "sweep",
    "units",
    "validate",
    "validate_measured",

    *_parts,
    *_policies,
    *_tools,
]
