"""Learns a scheduler for a scenario, and compares it with the default one of Linux.

    python learn_scheduler.py
    python learn_scheduler.py --scenario schedulers --bytes "5 MB"
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy

import mptcpsim as mp
from mptcpsim.gym import AgentScheduler, VectorSimulations, cross_entropy


def main(arguments: Sequence[str] | None = None) -> float:
    """Returns by how many seconds what was learnt is faster, in the mean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", default="wifi-lte")
    parser.add_argument("--bytes", default="2 MB", help="the size of the download")
    parser.add_argument("--generations", type=int, default=12)
    parser.add_argument("--environments", type=int, default=64, help="a multiple of 16")
    given = parser.parse_args(arguments)

    scenario = mp.load(given.scenario).copy({"flows.0.app.bytes": given.bytes})
    scenario.sweep = None
    many = VectorSimulations(
        "scheduling", given.environments, autoreset=False, scenario=scenario
    )

    def tell(generation: int, mean: float) -> None:
        print(f"generation {generation + 1}: {-mean:.3f} s", flush=True)

    learned = cross_entropy(many, generations=given.generations, seed=1, progress=tell)
    many.close()

    schedulers = ["default", AgentScheduler(learned.policy)]
    done = mp.sweep(scenario, {"flows.0.mptcp.scheduler": schedulers}, seeds=range(101, 121))
    default, mine = done.results["completion_s"].reshape(2, -1)
    gain = float(numpy.mean(default - mine))
    print(f"default {default.mean():.3f} s, learnt {mine.mean():.3f} s, {gain:.3f} s faster")
    return gain


if __name__ == "__main__":
    main()
