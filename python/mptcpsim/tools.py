"""Everything else of the command line: capable, packet scripts, replays, lists."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mptcpsim import _mptcpsim, arguments
from mptcpsim.results import Theory
from mptcpsim.running import ScenarioLike, as_scenario, run


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether MPTCP survives a path."""

    path: str
    """The name of the path."""
    joined: bool
    """It was tried with a subflow that joins, not with the first one."""
    finding: str
    """``capable``, ``fallback``, ``reset``, ``not-established``, ``stopped`` or ``wrong-bytes``."""
    text: str
    """What happened, in words, and which box is to blame."""
    touches: tuple[str, ...]
    """What the boxes of the path did first, the worst last."""

    @property
    def capable(self) -> bool:
        """MPTCP to the end, and the data came as it was sent."""
        return self.finding == "capable"

    def __str__(self) -> str:
        return self.text


def capable(
    scenario: ScenarioLike = "middleboxes", *, set: Mapping[str, Any] | None = None
) -> list[Verdict]:
    """Tries each path of a scenario with a short transfer: does MPTCP survive it?

    Boxes, schedulers and congestion controls may be written in Python; an exception in one is raised
    here.

    Examples:
        >>> [verdict.capable for verdict in capable("two-equal-paths")]
        [True, True, True, True]

    Raises:
        ScenarioError: the scenario has faults.
    """
    plan, policies = as_scenario(scenario, None, None, set).plan()
    return [
        Verdict(path, joined, finding, text, tuple(touches))
        for path, joined, finding, text, touches in _mptcpsim.capable(plan, policies)
    ]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a flow was no faster."""

    flow: str
    """The name of the flow."""
    sender: str
    """The host that sends: both directions are explained where much data went in both."""
    text: str
    """Where its time went, in words."""
    goodput_bps: float
    """What was read while the sender had something to do, in bits per second."""
    possible_bps: float | None
    """What all paths together carry as payload; ``None`` without a limit."""
    theory_bps: float | None
    """What the fluid model gives, if there is one."""
    paths: dict[str, dict[str, float]]
    """Seconds of each path by what held it up: ``"link busy"``, ``"head-of-line blocking"`` ..."""

    def __str__(self) -> str:
        return self.text


def explain(
    scenario: ScenarioLike = "wifi-lte", *, set: Mapping[str, Any] | None = None
) -> list[Explanation]:
    """Runs a scenario, with policies written in Python too, and says of each flow why it was no
    faster.

    Examples:
        >>> [flow] = explain("two-equal-paths", set={"duration": "2 s"})
        >>> sorted(flow.paths), 0 < flow.goodput_bps < flow.possible_bps
        (['left', 'right'], True)

    Raises:
        ScenarioError: the scenario has faults.
    """
    plan, policies = as_scenario(scenario, None, None, set).plan()
    return [
        Explanation(flow, sender, text, goodput, possible, theory, {it: dict(to) for it, to in paths})
        for flow, sender, text, goodput, possible, theory, paths in _mptcpsim.explain(plan, policies)
    ]


def theory(
    scenario: ScenarioLike = "two-equal-paths", *, set: Mapping[str, Any] | None = None
) -> Theory:
    """Runs a scenario, and puts what fluid models expect of it beside what the run gave.

    Examples:
        >>> coupled = {"flows.0.congestion_control": "lia"}
        >>> [left, right] = theory("two-equal-paths", set=coupled).subflows
        >>> round(left.simulated_bps / left.expected_bps, 1)
        1.0

    Raises:
        ScenarioError: the scenario has faults.
        ValueError: they have nothing to say about such a scenario; the text says why.
    """
    return run(scenario, set=set, progress=False).theory()


@dataclass(frozen=True, slots=True)
class ScriptReport:
    """How a packet script ended."""

    outcome: Literal["passed", "failed", "unsupported", "unreadable"]
    text: str
    """The outcome in words: what was expected and what happened, in the script's notation."""
    trace: tuple[str, ...] = field(repr=False)
    """Everything that happened, a line each."""

    @property
    def passed(self) -> bool:
        """Everything happened as the script says."""
        return self.outcome == "passed"


def packetdrill(
    script: str | os.PathLike[str],
    *,
    stack: str = "upstream",
    settings: Mapping[str, object] | None = None,
    defines: Mapping[str, object] | None = None,
) -> ScriptReport:
    """Runs a packet script in the language of packetdrill against a simulated host.

    Args:
        script: the text of the script, or the path of a file.
        stack: the stack of the host; an unknown one is answered with those that are known.
        settings: settings of the language in front of the script's own.
        defines: words of the script, and what stands for them.

    Examples:
        >>> packetdrill("0 socket(..., SOCK_STREAM, IPPROTO_MPTCP) = 3").passed
        True

    Raises:
        ValueError: there is no such stack.
        FileNotFoundError: there is no such file.
    """
    text = script if isinstance(script, str) and "\n" in script else None
    if text is None and isinstance(script, str) and not script.endswith(".pkt"):
        text = script
    if text is None:
        text = arguments.path("script", script).read_text(encoding="utf-8")

    def pairs(values: Mapping[str, object] | None) -> list[tuple[str, str]]:
        return [(str(key), str(value)) for key, value in (values or {}).items()]

    outcome, words, trace = _mptcpsim.packetdrill(text, stack, pairs(settings), pairs(defines))
    return ScriptReport(outcome, words, tuple(trace))


_EVENT = ("idx", "t_us", "subflow", "event", "acked", "rtt_us", "cwnd_limited")


def replay_cc(
    algorithm: str,
    events: str | os.PathLike[str] | Iterable[Mapping[str, Any]],
    **parameters: int,
) -> list[dict[str, Any]]:
    """Drives a congestion control with a list of events.

    Args:
        algorithm: the name of the congestion control.
        events: the path of a CSV file, or rows with the keys `t_us`, `subflow`, `event` (JOIN, ACK,
            LOSS, RECOVERED, RTO or LEAVE), `acked` (packets), `rtt_us` (-1: no sample) and
            `cwnd_limited`.
        parameters: parameters of the algorithm, by name.

    Returns:
        A row per event: the state of the subflow after it. Windows are packets, `srtt_us8` is
        microseconds times 8.

    Examples:
        >>> events = [{"t_us": 0, "event": "JOIN", "rtt_us": 20_000}]
        >>> events += [{"t_us": 20_000, "event": "ACK", "acked": 2, "rtt_us": 20_000}]
        >>> [row["cwnd"] for row in replay_cc("reno", events)]
        [10, 12]

    Raises:
        ValueError: there is no such algorithm or parameter, or an event makes no sense.
    """
    if isinstance(events, (str, os.PathLike)):
        text = Path(events).read_text(encoding="utf-8")
    elif isinstance(events, Iterable):
        text = _events(events)
    else:
        raise TypeError(f"events: expected the path of a CSV file or rows, found {events!r}")
    given = [(name, str(value)) for name, value in parameters.items()]
    rows = csv.DictReader(io.StringIO(_mptcpsim.replay_cc(algorithm, text, given)))
    return [{key: _number(value) for key, value in row.items()} for row in rows]


def _events(rows: Iterable[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, _EVENT, lineterminator="\n")
    writer.writeheader()
    usual = {"t_us": 0, "subflow": 0, "acked": 0, "rtt_us": -1, "cwnd_limited": 1}
    for number, row in enumerate(rows):
        unknown = [key for key in row if key not in _EVENT]
        if unknown:
            known = ", ".join(_EVENT)
            raise ValueError(f"events: row {number} has `{unknown[0]}`; known are {known}")
        whole = {"idx": number, **usual, **row}
        writer.writerow({key: int(v) if isinstance(v, bool) else v for key, v in whole.items()})
    return out.getvalue()


def _number(text: str) -> int | float | str | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text or None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of something that can be named."""

    name: str
    text: str
    """What it does, with its unit."""
    default: object = None
    """Its value unless given; `None` if it is optional or must be given."""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """Something that can be named in a scenario."""

    name: str
    text: str
    parameters: tuple[Parameter, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


KINDS = {
    "schedulers": "Scheduler",
    "congestion-controls": "CongestionControl",
    "path-managers": "PathManager",
    "links": "LinkPreset",
    "queues": "Queue",
    "losses": "Loss",
    "jitters": "Jitter",
    "radios": "RadioPreset",
    "middleboxes": "Action",
    "apps": "App",
    "stacks": "Stack",
    "tables": "Table",
    "topologies": "Shape",
    "matrices": "Matrix",
}


def list_names(kind: str) -> list[Named]:
    """What can be named in a scenario: schedulers, congestion-controls, path-managers, links, queues,
    losses, jitters, radios, middleboxes, topologies, matrices, apps, stacks, sysctls, tables (with their
    columns), scenarios, papers or measured (scenarios that were measured on real kernels).

    Examples:
        >>> [one.name for one in list_names("schedulers")][:3]
        ['default', 'least-linger', 'lowest-rtt']

    Raises:
        ValueError: there is no such kind.
    """
    import json

    if kind in ("scenarios", "papers"):
        return [Named(name, title) for name, title in _mptcpsim.shipped(kind == "papers")]
    if kind == "measured":
        kernels = ("linux-6.18", "mptcp-0.94.7")
        return [Named(f"{it}/{name}", text) for it in kernels for name, text in _mptcpsim.measured(it)]
    if kind == "sysctls":
        both = [one for stack in ("upstream", "out-of-tree") for one in _mptcpsim.sysctls(stack)]
        known = {name: Named(name, f"{text}: {expected}", (Parameter("value", expected, default),))
                 for name, default, expected, text in reversed(both)}
        return sorted(known.values(), key=lambda one: one.name)
    if kind not in KINDS:
        known_kinds = ", ".join([*KINDS, "sysctls", "scenarios", "papers", "measured"])
        raise ValueError(f"kind: there is no `{kind}`; known are {known_kinds}")
    definition = json.loads(_mptcpsim.schema())["$defs"][KINDS[kind]]
    return [_named(kind, one) for one in definition["oneOf"]]


def _named(kind: str, choice: Mapping[str, Any]) -> Named:
    properties: Mapping[str, Any] = choice.get("properties", {})
    name = choice.get("const") or next(it["const"] for it in properties.values() if "const" in it)
    required = choice.get("required", [])
    own = [
        Parameter(key, _line(it), it.get("default"), key in required)
        for key, it in properties.items()
        if "const" not in it
    ]
    own.sort(key=lambda parameter: not parameter.required)
    if kind == "tables":
        own = [Parameter(*column) for column in _mptcpsim.columns(name)]
    models = [
        Parameter(key, text, default)
        for key, default, _, _, text in _mptcpsim.parameters(kind, name)
    ]
    return Named(name, _line(choice), (*own, *models))


def _line(schema: Mapping[str, Any]) -> str:
    return " ".join(str(schema.get("description", "")).split())


__all__ = [
    "Explanation",
    "Named",
    "Parameter",
    "ScriptReport",
    "Verdict",
    "capable",
    "explain",
    "list_names",
    "packetdrill",
    "replay_cc",
    "theory",
]
