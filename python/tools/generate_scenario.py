"""Makes `mptcpsim/scenario_types.py` from the JSON Schema of scenarios.

    python -m mptcpsim schema | python tools/generate_scenario.py > mptcpsim/scenario_types.py
"""

from __future__ import annotations

import json
import keyword
import sys
import textwrap
from typing import Any

HEAD = '''"""The parts of a scenario as data classes.

Made from the JSON Schema of scenarios by `tools/generate_scenario.py`. Quantities are texts with
a unit such as ``"15 ms"``, or numbers times one of `mptcpsim.units`. What is `None` is not
written and means its default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from mptcpsim import policies
from mptcpsim.tree import Node
from mptcpsim.units import Quantity

'''

# The classes of a union are called after their names in a scenario, most with the union behind.
SUFFIXES = {
    "Action": "Box",
    "App": "",
    "EndpointChange": "Endpoint",
    "Jitter": "Jitter",
    "Loss": "Loss",
    "Matrix": "Matrix",
    "Queue": "Queue",
    "Shape": "",
}
# Names of algorithms: the names without it belong to the classes that one derives policies from.
NAMES = {"CongestionControl", "PathManager", "Scheduler"}
# Classes whose own name belongs to something else.
RENAMED = {"Sweep": "SweepPlan"}
# Where an object with the policy can stand for a name.
POLICIES = {
    name: (f"policies.{name}", f"type[policies.{name}]")
    for name in ("CongestionControl", "PathManager", "Scheduler")
}
# Unions of which an object of one's own can be one more member.
OPEN = {
    name: f"policies.{own} | type[policies.{own}]" for name, own in (("App", "App"), ("Action", "Box"))
}
# Parts that are always there, so that their keys can be set.
ALWAYS = {"Record", "FlowMptcp", "Only", "EndpointLimits", "RouteAttributes"}
PLAIN = {"string": "str", "integer": "int", "boolean": "bool", "number": "float"}
QUANTITIES = {"Time", "Rate", "Bytes", "Probability", "Limit"}


def pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.replace("_", "-").split("-"))


def attribute(key: str) -> str:
    return key + "_" if keyword.iskeyword(key) else key


class Generator:
    def __init__(self, schema: dict[str, Any]) -> None:
        self.definitions: dict[str, Any] = schema["$defs"]
        self.lines: list[str] = []
        self.classes: list[str] = []
        self.last: list[str] = []

    def text(self, schema: dict[str, Any]) -> str:
        self.lines.append(HEAD)
        for name, definition in self.definitions.items():
            if name in QUANTITIES or "const" in (definition.get("oneOf") or [{}])[0]:
                self.alias(name, definition)
        for name, definition in self.definitions.items():
            if name in SUFFIXES:
                self.union(name, definition)
            elif "properties" in definition:
                self.data_class(name, definition)
            elif "anyOf" in definition:
                self.choice(name, definition)
        self.data_class("Scenario", schema, base="ScenarioBase")
        out = "\n".join([*self.lines, "", *self.last])
        out = out.replace("from mptcpsim.tree import Node\n", "from mptcpsim.tree import Node, ScenarioBase\n")
        names = "".join(f'    "{name}",\n' for name in sorted(self.classes))
        return f"{out}\n\nCLASSES: dict[str, type[Node]] = {{\n" + "".join(
            f'    "{name}": {name},\n' for name in self.classes
        ) + f"}}\n\n__all__ = [\n{names}]\n"

    def alias(self, name: str, definition: dict[str, Any]) -> None:
        if name in QUANTITIES:
            number = " | float" if name == "Probability" else ""
            self.lines.append(f"{name}: TypeAlias = str | Quantity{number}")
            self.lines.append(f'"""{definition["description"]}"""\n')
            return
        alias = name + "Name" if name in NAMES else name
        constants = ", ".join(json.dumps(one["const"]) for one in definition["oneOf"])
        line = f"{alias}: TypeAlias = Literal[{constants}]"
        if len(line) > 100:
            items = "".join(f"    {json.dumps(one['const'])},\n" for one in definition["oneOf"])
            line = f"{alias}: TypeAlias = Literal[\n{items}]"
        self.lines.append(line + f'\n"""{definition["description"]}"""\n')

    def choice(self, name: str, definition: dict[str, Any]) -> None:
        """A value of one of several forms, told apart by their keys."""
        members = []
        for alternative in definition["anyOf"]:
            if "properties" in alternative:
                own = name + pascal(alternative["required"][0])
                self.data_class(own, {"description": definition["description"], **alternative})
                members.append(own)
            else:
                members.append(self.type_of(alternative))
        self.last.append(f"{name}: TypeAlias = {' | '.join(members)}")
        self.last.append(f'"""{definition["description"]}"""\n')

    def union(self, name: str, definition: dict[str, Any]) -> None:
        self.lines.append(f"\nclass {name}(Node):\n{indented_doc(definition['description'])}")
        self.lines.append("    __slots__ = ()\n")
        for alternative in definition["oneOf"]:
            tag, value = next(
                (key, value["const"])
                for key, value in alternative["properties"].items()
                if "const" in value
            )
            own = pascal(value) + SUFFIXES[name]
            self.data_class(own, alternative, base=name, tag=(tag, value))

    def data_class(
        self,
        name: str,
        definition: dict[str, Any],
        base: str = "Node",
        tag: tuple[str, str] | None = None,
    ) -> None:
        properties = {k: v for k, v in definition["properties"].items() if "const" not in v}
        required = [key for key in properties if key in definition.get("required", [])]
        optional = [key for key in properties if key not in required]
        name = RENAMED.get(name, name)
        self.classes.append(name)
        lines = [f"\n@dataclass(slots=True)\nclass {name}({base}):"]
        lines.append(indented_doc(definition["description"]))
        nested = {
            key: where
            for key, value in properties.items()
            if (where := self.nested(value)) is not None
        }
        if nested or tag:
            lines.append(f"    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {nested!r}")
        if tag:
            lines.append(f"    _tag: ClassVar[tuple[str, str] | None] = {tag!r}")
        first = required + optional
        if len(required) != 1:
            lines.append("    _: KW_ONLY")
        for position, key in enumerate(first):
            if position == 1 and len(required) == 1:
                lines.append("    _: KW_ONLY")
            lines.append(self.field(name, key, properties[key], key in required))
        if isinstance(definition.get("additionalProperties"), dict):
            lines.append("    vary: dict[str, Sequence[Any]] = field(default_factory=dict)")
            lines.append('    """The lists of values, by the paths of their keys."""')
        if len(lines) == 2:
            lines.append("    pass")
        self.lines.append("\n".join(lines) + "\n")

    def field(self, owner: str, key: str, schema: dict[str, Any], required: bool) -> str:
        kind = self.type_of(schema)
        reference = schema.get("$ref", "").rpartition("/")[2]
        if required:
            declared = f"    {attribute(key)}: {kind}"
        elif schema.get("type") == "object":
            declared = f"    {attribute(key)}: {kind} = field(default_factory=dict)"
        elif owner == "Scenario" and schema.get("type") == "array":
            declared = f"    {attribute(key)}: {kind} = field(default_factory=list)"
        elif reference in ALWAYS:
            declared = f"    {attribute(key)}: {kind} = field(default_factory=lambda: {kind}())"
        else:
            declared = f"    {attribute(key)}: {kind} | None = None"
        text = schema.get("description", "")
        if "default" in schema:
            shown = json.dumps(schema["default"])
            text = f"{text} Without it {shown}."
        return declared + "\n" + indented_doc(text)

    def type_of(self, schema: dict[str, Any] | bool) -> str:
        if isinstance(schema, bool):
            return "Any"
        if "$ref" in schema:
            name: str = schema["$ref"].rpartition("/")[2]
            if name in NAMES:
                return " | ".join([f"{name}Name", "str", *POLICIES[name]])
            if name in OPEN:
                return f"{name} | {OPEN[name]}"
            return "str" if name in {"Interval", "SeedRange"} else RENAMED.get(name, name)
        match schema.get("type"):
            case "array":
                return f"Sequence[{self.type_of(schema['items'])}]" if "minItems" in schema else (
                    f"list[{self.type_of(schema['items'])}]"
                )
            case "object":
                return f"dict[str, {self.type_of(schema['additionalProperties'])}]"
            case None:
                return "Any"
            case [*kinds]:
                return " | ".join(PLAIN[kind] for kind in kinds)
            case kind:
                return PLAIN[kind]

    def nested(self, schema: dict[str, Any]) -> tuple[str, str] | None:
        """How other classes are in a key: alone, in a list, or by name; and which."""
        if isinstance(schema.get("items"), dict) and "items" in schema["items"]:
            return None
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            definition = self.definitions[name]
            if name in SUFFIXES:
                return ("one", "|".join(
                    pascal(self.constant(one)) + SUFFIXES[name] for one in definition["oneOf"]
                ))
            if "properties" in definition:
                return ("one", RENAMED.get(name, name))
            forms = [
                name + pascal(one["required"][0])
                for one in definition.get("anyOf", [])
                if "properties" in one
            ]
            return ("form", "|".join(forms)) if forms else None
        inner = schema.get("items") or schema.get("additionalProperties")
        if not isinstance(inner, dict) or not (found := self.nested(inner)):
            return None
        return ("list" if "items" in schema else "map", found[1])

    @staticmethod
    def constant(alternative: dict[str, Any]) -> str:
        return next(v["const"] for v in alternative["properties"].values() if "const" in v)


def indented_doc(text: str) -> str:
    text = " ".join(text.split()).replace("\\", "\\\\")
    if not text:
        return '    """"""'
    if len(text) <= 90:
        return f'    """{text}"""'
    body = textwrap.fill(text, 92, initial_indent="    ", subsequent_indent="    ")
    return f'    """{body.strip()}\n    """'


if __name__ == "__main__":
    schema = json.load(sys.stdin)
    sys.stdout.write(Generator(schema).text(schema))
