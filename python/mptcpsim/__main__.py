"""The command line: ``python -m mptcpsim``, and ``mptcpsim`` once installed.

Where a scenario names policies that are registered in Python, ``run`` runs it with them.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tomllib
from pathlib import Path
from typing import Any

from mptcpsim import _mptcpsim
from mptcpsim.errors import MptcpsimError
from mptcpsim.running import LAUNCHER, load, run
from mptcpsim.scenario_types import Scenario


def main() -> int:
    """Does what is typed; returns the exit code of the binary."""
    found = _with_policies(sys.argv[1:])
    if found is not None:
        return _run(*found)
    # Nothing of Python runs meanwhile that would want to know of Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _mptcpsim.main(["mptcpsim", *sys.argv[1:]], LAUNCHER)


def _with_policies(typed: list[str]) -> tuple[Scenario, argparse.Namespace] | None:
    """The scenario and the options, if it is one to be run with policies of Python."""
    files = [word for word in typed[1:] if not word.startswith("-") and Path(word).is_file()]
    if typed[:1] != ["run"] or not files:
        return None
    try:
        scenario = load(files[0])
        if not scenario.plan()[1]:
            return None
    except MptcpsimError:
        # The binary says what is wrong, and in which line.
        return None
    parser = argparse.ArgumentParser(
        "mptcpsim run", description="Runs a scenario that names policies written in Python."
    )
    parser.add_argument("scenario", help="the file")
    parser.add_argument("--seed", type=int, help="the seed, instead of the scenario's")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="another value for a key"
    )
    parser.add_argument("--out", type=Path, help="the folder to write")
    parser.add_argument("--no-plots", action="store_true", help="draw no plots")
    return scenario, parser.parse_args(typed[1:])


def _run(scenario: Scenario, options: argparse.Namespace) -> int:
    changes = dict(map(_change, options.set))
    try:
        done = run(scenario, seed=options.seed, set=changes)
        folder = options.out or Path("results") / (scenario.name or "scenario")
        print(done)
        print(f"results in {done.save(folder, plots=not options.no_plots)}")
    except MptcpsimError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _change(typed: str) -> tuple[str, Any]:
    """A key and a value as in TOML; what is no value there is a text."""
    key, _, value = typed.partition("=")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


if __name__ == "__main__":
    sys.exit(main())
