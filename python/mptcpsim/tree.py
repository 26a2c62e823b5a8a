"""What the data classes of scenarios have in common: they are a tree of plain values."""

from __future__ import annotations

import copy as copying
import functools
import html
import inspect
import json
import math
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path as FilePath
from typing import Any, ClassVar, Self

from mptcpsim import _mptcpsim, policies
from mptcpsim.errors import Fault, ScenarioError
from mptcpsim.units import Quantity


class Node:
    """A part of a scenario."""

    __slots__ = ()
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = None

    def to_dict(self) -> dict[str, Any]:
        """The part as a tree of dictionaries, lists, texts and numbers, as in a file.

        A policy written in Python is shown by its name, programs and boxes with what they were
        made with as far as they keep it: parameters of ``__init__`` in attributes of their names.

        Raises:
            ScenarioError: a program or a box does not keep a parameter.
        """
        return self._tree(written)

    def _tree(self, policy: Callable[[Any], Any]) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        if self._tag is not None:
            tree[self._tag[0]] = self._tag[1]
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if value is None:
                continue
            value = plain(value, policy)
            if field.name == "vary":
                tree.update(value)
            elif value or not isinstance(value, (dict, list)) or field.default is None:
                tree[field.name.rstrip("_")] = value
        return tree

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> Self:
        """The part that a tree describes. Unlike a whole scenario it is not checked."""
        from mptcpsim.scenario_types import CLASSES

        names = {field.name.rstrip("_"): field.name for field in fields(cls)}  # type: ignore[arg-type]
        known: dict[str, Any] = {}
        for key, value in tree.items():
            if cls._tag is not None and key == cls._tag[0]:
                continue
            if key in names:
                known[names[key]] = _part(cls._nested.get(key), value, CLASSES)
            elif "vary" in names:
                known.setdefault("vary", {})[key] = value
            else:
                raise _unknown(cls.__name__, key, names)
        return cls(**known)


def named(policy: Any) -> Any:
    """A policy as texts show it."""
    own = policy if isinstance(policy, type) else type(policy)
    name = policies.name_of(policy)
    return {"kind": name} if issubclass(own, (policies.App, policies.Box)) else name


def written(policy: Any) -> Any:
    """A policy as files have it."""
    shown = named(policy)
    if isinstance(shown, str) or isinstance(policy, type):
        return shown
    return shown | _parameters(policy)


def _parameters(policy: policies.Policy) -> dict[str, Any]:
    """What an object was made with, as far as it differs from what is usual."""
    found: dict[str, Any] = {}
    own = type(policy)
    for name, parameter in inspect.signature(own).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        value = getattr(policy, name, _parameters)
        if value is parameter.default:
            continue
        if isinstance(value, Quantity):
            value = str(value)
        if not _is_plain(value):
            what = f"an object of {own.__name__} cannot be written"
            hint = f"keep the parameter as a number or text in the attribute `{name}`"
            raise ScenarioError((Fault(f"{own.__name__}.{name}", what, hint),))
        if value != parameter.default:
            found[name] = value
    return found


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(inner) for inner in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in value.items())
    return isinstance(value, (str, bool, int, float))


def kept(policy: Any) -> Any:
    """A policy as it is."""
    return policy


def plain(value: Any, policy: Callable[[Any], Any] = named) -> Any:
    """A value as JSON and TOML know it; `policy` says what stands for policies."""
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Node):
        return value._tree(policy)
    if isinstance(value, Quantity):
        return str(value)
    if policies.is_policy(value):
        return policy(value)
    if isinstance(value, Mapping):
        return {
            str(key): plain(inner, policy) for key, inner in value.items() if inner is not None
        }
    if isinstance(value, (Sequence, set, frozenset, range)):
        return [plain(inner, policy) for inner in value]
    if hasattr(value, "item"):  # a number of NumPy
        return value.item()
    return str(value)


def _part(nested: tuple[str, str] | None, value: Any, classes: Mapping[str, type[Node]]) -> Any:
    if nested is None or isinstance(value, Node):
        return copying.deepcopy(value)
    form, names = nested
    candidates = [classes[name] for name in names.split("|")]
    if form == "list" and isinstance(value, Sequence) and not isinstance(value, str):
        return [_one(candidates, inner) for inner in value]
    if form == "map" and isinstance(value, Mapping):
        return {key: _one(candidates, inner) for key, inner in value.items()}
    return _one(candidates, value)


def _one(candidates: list[type[Node]], value: Any) -> Any:
    if isinstance(value, Node) or not isinstance(value, Mapping):
        return value
    for candidate in candidates:
        tag = candidate._tag
        if tag is not None and value.get(tag[0]) == tag[1]:
            return candidate.from_dict(value)
        if tag is None and all(
            key in {field.name.rstrip("_") for field in fields(candidate)}  # type: ignore[arg-type]
            for key in value
        ):
            return candidate.from_dict(value)
    return candidates[0].from_dict(value) if len(candidates) == 1 else value


def _unknown(what: str, key: str, known: Mapping[str, str]) -> ScenarioError:
    return ScenarioError(
        (Fault(key, f"unknown key `{key}` of {what}", f"known: {', '.join(known)}"),)
    )


class ScenarioBase(Node):
    """What can be done with a whole scenario."""

    __slots__ = ("_folder",)
    _folder: str | None
    name: str | None

    # ---- from and to text

    @classmethod
    def load(cls, source: str | os.PathLike[str] | Mapping[str, Any]) -> Self:
        """A scenario from a file (TOML, or JSON by its ending), a shipped one by its name, or from
        a tree of dictionaries.

        Raises:
            ScenarioError: the scenario has faults.
            FileNotFoundError: there is neither a file nor a shipped scenario of that name.
        """
        if isinstance(source, Mapping):
            return cls.from_dict(source)
        if not isinstance(source, (str, os.PathLike)):
            raise TypeError(f"source: expected a name, a path or a tree, found {source!r}")
        try:
            return cls._of(_mptcpsim.read(FilePath(source)))
        except ScenarioError:
            mine = cls._with_policies(FilePath(source))
            if mine is None:
                raise
            return mine

    @classmethod
    def _with_policies(cls, file: FilePath) -> Self | None:
        """What a file says that names policies written in Python."""
        try:
            text = file.read_text(encoding="utf-8")
            tree = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
        except (OSError, ValueError):
            return None
        if not without_policies(tree)[1]:
            return None
        check_tree(tree, os.fspath(file.parent))
        scenario = super().from_dict({"name": file.stem, **tree})
        scenario._folder = os.fspath(file.parent)
        return scenario

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """A scenario from a text in TOML.

        Raises:
            ScenarioError: the scenario has faults.
        """
        return cls._of(_mptcpsim.read(text=text))

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> Self:
        """A scenario from a tree of dictionaries, as `json.load` or `tomllib.load` give it.

        Raises:
            ScenarioError: the scenario has faults.
        """
        if not isinstance(tree, Mapping):
            raise TypeError(f"tree: expected a dictionary, found {tree!r}")
        check_tree(plain(tree, kept), None)
        return super().from_dict(tree)

    @classmethod
    def _of(cls, plan: _mptcpsim.Plan) -> Self:
        scenario = super().from_dict(json.loads(plan.scenario()))
        scenario.name = plan.name  # type: ignore[misc]  # a field of the class made of this one
        scenario._folder = None if plan.folder is None else os.fspath(plan.folder)
        return scenario

    def to_json(self) -> str:
        """The scenario as JSON."""
        return json.dumps(self.to_dict(), indent=2)

    def to_toml(self, *, resolved: bool = False) -> str:
        """The scenario as TOML; `resolved` writes every default out.

        Raises:
            ScenarioError: the scenario has faults, and so cannot be resolved.
        """
        return _mptcpsim.toml_of(self.check().resolved() if resolved else self.to_json())

    # ---- checks and changes

    @property
    def folder(self) -> str | None:
        """The folder in which files named in the scenario are looked for."""
        return getattr(self, "_folder", None)

    @folder.setter
    def folder(self, folder: str | os.PathLike[str] | None) -> None:
        self._folder = None if folder is None else os.fspath(folder)

    def check(self) -> _mptcpsim.Plan:
        """The scenario worked out, as a run needs it.

        Raises:
            ScenarioError: the scenario has faults; all of them are named.
        """
        return self.plan()[0]

    def plan(self) -> tuple[_mptcpsim.Plan, Policies]:
        """The scenario worked out, and for each flow the policies that are written in Python.

        Raises:
            ScenarioError: the scenario has faults; all of them are named.
        """
        return check_tree(self._tree(kept), self.folder)

    def copy(self, changes: Mapping[str, Any] | None = None, /, **more: Any) -> Self:
        """A copy in which the keys of `changes` have other values.

        Keys are paths as in messages, elements of lists are counted from 0:
        ``scenario.copy({"links.wifi.delay": "40 ms", "flows.0.mptcp.scheduler": "blest"}, seed=7)``.

        Raises:
            ScenarioError: a key does not exist, or the new scenario has faults.
        """
        tree = self._tree(kept)
        for path, value in {**(changes or {}), **more}.items():
            set_key(tree, path, plain(value, kept))
        check_tree(tree, self.folder)
        scenario = super().from_dict(tree)
        scenario._folder = self.folder
        return scenario

    # ---- in a notebook

    def _repr_html_(self) -> str:
        tree = shown = self._tree(named)
        head = html.escape(str(tree.get("name", "scenario")))
        try:
            plan, own = self.plan()
            tree = json.loads(plan.resolved())
            for number in (number for number, kinds in own.flows.items() if "app" in kinds):
                tree["flows"][number]["app"] = shown["flows"][number]["app"]
        except ScenarioError as error:
            return f"<b>{head}</b><pre>{html.escape(str(error))}</pre>"
        flows = "".join(
            f"<li><b>{html.escape(flow['name'])}</b>: {html.escape(flow['from'])} to "
            f"{html.escape(flow['to'])}, {html.escape(json.dumps(flow['app']))}</li>"
            for flow in tree["flows"]
        )
        return f"<b>{head}</b>, {html.escape(tree['duration'])}<br>{plan.picture()}<ul>{flows}</ul>"


@dataclass(slots=True)
class Policies:
    """What of a scenario is written in Python."""

    flows: dict[int, dict[str, Any]] = field(default_factory=dict)
    """For each flow, by number, its policies by kind."""
    middleboxes: dict[str, Any] = field(default_factory=dict)
    """Boxes by the names of their middleboxes."""

    def __bool__(self) -> bool:
        return bool(self.flows or self.middleboxes)


def check_tree(tree: Mapping[str, Any], folder: str | None) -> tuple[_mptcpsim.Plan, Policies]:
    """The plan of a tree and the policies in it, or all that is wrong with it."""
    tree, found = without_policies(tree)
    name = tree.get("name")
    name = name if isinstance(name, str) else "scenario"
    try:
        text = json.dumps(tree, allow_nan=False, default=_unfit)
    except (TypeError, ValueError) as error:
        what = f"the scenario is no tree of plain values: {error}"
        raise ScenarioError((Fault(_not_finite(tree) or "", what),)) from None
    try:
        plan = _mptcpsim.check(text, name, None if folder is None else FilePath(folder))
    except ScenarioError as error:
        raise error.without_lines() from None
    return plan, found


def _not_finite(part: Any) -> str | None:
    """The path of a number that is none."""
    if isinstance(part, float):
        return None if math.isfinite(part) else ""
    inner = part.items() if isinstance(part, Mapping) else enumerate(part) if isinstance(part, list) else ()
    for key, value in inner:
        below = _not_finite(value)
        if below is not None:
            return f"{joined(str(key))}{below and '.'}{below}"
    return None


def _unfit(value: Any) -> Any:
    what = value.__name__ if isinstance(value, type) else type(value).__name__
    raise TypeError(f"a policy cannot stand where {what} does")


def without_policies(tree: Mapping[str, Any]) -> tuple[dict[str, Any], Policies]:
    """The tree with built-in policies only, and those taken out."""
    found = Policies()
    tree = dict(tree)
    if isinstance(tree.get("flows"), list):
        tree["flows"] = list(tree["flows"])
        for number, flow in enumerate(tree["flows"]):
            for kind, way, base in policies.KINDS:
                path = ".".join(["flows", str(number), *way])
                policy = _taken(_at(flow, way), base, path)
                if policy is not None:
                    tree["flows"][number] = flow = _with(flow, way, _STAND_INS.get(kind))
                    found.flows.setdefault(number, {})[kind] = policy
    if isinstance(tree.get("middleboxes"), Mapping):
        tree["middleboxes"] = dict(tree["middleboxes"])
        for name, middlebox in tree["middleboxes"].items():
            path = f"middleboxes.{name}.action"
            policy = _taken(_at(middlebox, ("action",)), policies.Box, path)
            if policy is not None:
                stand_in = _with(middlebox, ("action",), _STAND_INS["action"])
                tree["middleboxes"][name] = stand_in
                found.middleboxes[name] = policy
    return tree, found


def place_policy(found: Policies, key: str, policy: policies.Policy) -> None:
    """Puts a policy where a key says: a path such as ``flows.0.mptcp.scheduler``."""
    way = _split(key)
    if way[0] == "middleboxes":
        found.middleboxes[way[1]] = policy
        return
    kind = next(kind for kind, own, _ in policies.KINDS if own == tuple(way[2:]))
    found.flows.setdefault(int(way[1]), {})[kind] = policy


def placed_policies(found: Policies) -> list[tuple[str, policies.Policy]]:
    """All policies with the paths of their keys."""
    ways = {kind: ".".join(way) for kind, way, _ in policies.KINDS}
    flows = [
        (f"flows.{number}.{ways[kind]}", policy)
        for number, own in found.flows.items()
        for kind, policy in own.items()
    ]
    boxes = [
        (joined("middleboxes", name, "action"), policy)
        for name, policy in found.middleboxes.items()
    ]
    return flows + boxes


def take_policy(key: str, value: Any) -> tuple[policies.Policy, Any] | None:
    """The policy of one's own that is a value for a key, and something built in for its place."""
    way = _split(key) if isinstance(key, str) else []
    if len(way) == 3 and (way[0], way[2]) == ("middleboxes", "action"):
        kind, base = "action", policies.Box
    else:
        bases = {own: (kind, base) for kind, own, base in policies.KINDS if way[:1] == ["flows"]}
        kind, base = bases.get(tuple(way[2:]), ("", None))  # type: ignore[assignment]
        if base is None:
            return None
    policy = _taken(value, base, key)
    if policy is None:
        return None
    return policy, _STAND_INS.get(kind) or min(_built_in(base.__name__))


_STAND_INS: Mapping[str, Any] = {
    "app": {"kind": "timed", "duration": "1 s"},
    "action": {"kind": "strip"},
}
"""What the check sees in the place of policies that cannot be left out."""


def _taken(value: Any, base: type[policies.Policy], path: str) -> policies.Policy | None:
    """The policy of one's own that stands somewhere: as an object, a class, or by its name, where
    there are parameters with these."""
    parameters = {}
    if isinstance(value, Mapping) and isinstance(value.get("kind"), str):
        parameters = {key: it for key, it in value.items() if key != "kind"}
        value = value["kind"]
    if isinstance(value, str):
        value = policies.registered(value) if not _is_built_in(base, value) else None
    if value is None or not policies.is_policy(value):
        return None
    own = value if isinstance(value, type) else type(value)
    if not issubclass(own, base):
        what = f"{own.__name__} is no {base.__name__}"
        raise ScenarioError((Fault(path, what, f"derive it from mptcpsim.{base.__name__}"),))
    if not isinstance(value, type):
        made: policies.Policy = value
        return made
    try:
        return own(**parameters)
    except TypeError as error:
        raise ScenarioError((Fault(path, f"{own.__name__}: {error}"),)) from error


def _at(part: Any, way: tuple[str, ...]) -> Any:
    for key in way:
        part = part.get(key) if isinstance(part, Mapping) else None
    return part


def _with(part: Mapping[str, Any], way: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The part with another value in one place, or none."""
    key, *rest = way
    if rest:
        return {**part, key: _with(part[key], tuple(rest), value)}
    others = {name: it for name, it in part.items() if name != key}
    return others if value is None else {**others, key: value}


@functools.cache
def _built_in(definition: str) -> frozenset[str]:
    choices = json.loads(_mptcpsim.schema())["$defs"][definition]["oneOf"]
    return frozenset(
        one["const"] if "const" in one else one["properties"]["kind"]["const"] for one in choices
    )


def _is_built_in(base: type[policies.Policy], name: str) -> bool:
    return name in _built_in("Action" if base is policies.Box else base.__name__)


def set_key(tree: Any, path: str, value: Any) -> None:
    """Sets the value at a path such as ``flows.0.mptcp.scheduler``; tables on the way are made."""
    if not isinstance(path, str) or not path:
        raise TypeError(f"expected the path of a key, found {path!r}")
    *way, last = _split(path)
    node = tree
    for step, following in zip(way, [*way, last][1:], strict=True):
        if isinstance(node, list):
            node = _element(node, step, path)
        elif isinstance(node, dict):
            node = node.setdefault(step, [] if following.isdigit() and step not in node else {})
        else:
            raise _no_such(path)
    if isinstance(node, list):
        _element(node, last, path)
        node[int(last)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        raise _no_such(path)


def _split(path: str) -> list[str]:
    """The steps of a path; one with dots in it stands in quotes, as in TOML."""
    steps, rest = [], path
    while rest:
        if rest[0] == '"':
            step, _, rest = rest[1:].partition('"')
            rest = rest.removeprefix(".")
        else:
            step, _, rest = rest.partition(".")
        steps.append(step)
    return steps


def joined(*steps: str) -> str:
    """The path of these steps, as `_split` takes it apart."""
    return ".".join(f'"{step}"' if "." in step else step for step in steps)


def _element(node: list[Any], step: str, path: str) -> Any:
    if not step.isdigit() or int(step) >= len(node):
        count = f"there are {len(node)}, counted from 0"
        raise ScenarioError((Fault(path, f"there is no element `{step}`", count),))
    return node[int(step)]


def _no_such(path: str) -> ScenarioError:
    return ScenarioError((Fault(path, "there is no such key"),))
