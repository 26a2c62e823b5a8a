"""The command line: ``python -m mptcpsim``, and ``mptcpsim`` once installed.

Where a scenario names policies that are registered in Python, the commands in `COMMANDS` know them.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mptcpsim import _mptcpsim
from mptcpsim.errors import MptcpsimError
from mptcpsim.running import LAUNCHER, load, run
from mptcpsim.scenario_types import Scenario
from mptcpsim.sweeping import sweep
from mptcpsim.tools import capable, explain

Options = argparse.Namespace


def main() -> int:
    """Does what is typed; returns the exit code of the binary."""
    found = _with_policies(sys.argv[1:])
    if found is None:
        # Nothing of Python runs meanwhile that would want to know of Ctrl-C.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        return _mptcpsim.main(["mptcpsim", *sys.argv[1:]], LAUNCHER)
    command, scenario, options = found
    try:
        print(command(scenario, options))
    except (MptcpsimError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run(scenario: Scenario, options: Options) -> str:
    done = run(scenario)
    folder = done.save(_folder(scenario, options), plots=not options.no_plots)
    return f"{done}\nresults in {folder}"


def _report(scenario: Scenario, options: Options) -> str:
    return str(run(scenario).report(options.out or f"{scenario.name or 'scenario'}.html"))


def _sweep(scenario: Scenario, options: Options) -> str:
    folder = _folder(scenario, options)
    done = sweep(scenario, jobs=options.jobs, folder=folder, resume=options.resume)
    return f"{done}\nresults in {folder}"


def _explain(scenario: Scenario, _: Options) -> str:
    return "\n".join(map(str, explain(scenario)))


def _capable(scenario: Scenario, _: Options) -> str:
    return "\n".join(map(str, capable(scenario)))


def _check(scenario: Scenario, _: Options) -> str:
    return f"{scenario.check().name}: no faults"


COMMANDS: dict[str, Callable[[Scenario, Options], str]] = {
    "run": _run,
    "report": _report,
    "sweep": _sweep,
    "explain": _explain,
    "capable": _capable,
    "check": _check,
}


def _with_policies(
    typed: list[str],
) -> tuple[Callable[[Scenario, Options], str], Scenario, Options] | None:
    """What to do with which scenario, if one names policies of Python."""
    files = [word for word in typed[1:] if not word.startswith("-") and Path(word).is_file()]
    if not files or typed[0] not in COMMANDS:
        return None
    try:
        scenario = load(files[0])
        if not scenario.plan()[1]:
            return None
    except MptcpsimError:
        # The binary says what is wrong, and in which line.
        return None
    options = _parser(typed[0]).parse_args(typed[1:])
    changes = dict(map(_change, options.set))
    given = {key: getattr(options, key) for key in ("seed", "duration")}
    changes |= {key: value for key, value in given.items() if value is not None}
    try:
        return COMMANDS[typed[0]], scenario.copy(changes), options
    except MptcpsimError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def _parser(command: str) -> argparse.ArgumentParser:
    about = "For a scenario that names policies written in Python."
    parser = argparse.ArgumentParser(f"mptcpsim {command}", description=about)
    parser.add_argument("scenario", help="the file")
    parser.add_argument("--seed", type=int, help="the seed, instead of the scenario's")
    parser.add_argument("--duration", help="when the run ends at the latest, such as `10 s`")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="another value for a key"
    )
    if command in ("run", "report", "sweep"):
        parser.add_argument("--out", type=Path, help="what to write")
    if command == "run":
        parser.add_argument("--no-plots", action="store_true", help="draw no plots")
    if command == "sweep":
        parser.add_argument("--jobs", type=int, help="how many runs are simulated at a time")
        parser.add_argument("--resume", action="store_true", help="go on with what is there")
    return parser


def _folder(scenario: Scenario, options: Options) -> Path:
    return options.out or Path("results") / (scenario.name or "scenario")


def _change(typed: str) -> tuple[str, Any]:
    """A key and a value as in TOML; what is no value there is a text."""
    key, _, value = typed.partition("=")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


if __name__ == "__main__":
    sys.exit(main())
