"""A hook of mkdocs: the pages of all keys of scenarios and of all columns of results."""

from __future__ import annotations

from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import mptcpsim


def on_files(files: Files, config: MkDocsConfig) -> Files:
    files.append(File.generated(config, "reference/scenario.md", content=page(mptcpsim.schema())))
    files.append(File.generated(config, "reference/results.md", content=results()))
    return files


def results() -> str:
    parts = [
        "# Columns of results\n",
        "Each table is a CSV file of a run and an attribute of `Run`. Names of columns end in their units; "
        "an empty cell is something not known. `mptcpsim list tables` prints the same.",
    ]
    for each in mptcpsim.list("tables"):
        rows = [f"| `{column.name}` | {column.text} |" for column in each.parameters]
        parts += [f"## {each.name}.csv", each.text, "\n".join(["| column | |", "|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


def page(schema: dict[str, Any]) -> str:
    parts = ["# Keys of scenarios\n", schema["description"], table(schema)]
    for name, definition in schema["$defs"].items():
        parts += [f"## {name}", definition.get("description", ""), body(definition)]
    return "\n\n".join(parts) + "\n"


def body(definition: dict[str, Any]) -> str:
    if "properties" in definition:
        return table(definition)
    choices = definition.get("oneOf") or definition.get("anyOf") or []
    texts = []
    for choice in choices:
        if "const" in choice:
            texts.append(f"- `{choice['const']}`: {line(choice)}")
        elif "properties" in choice:
            named = next((it["const"] for it in choice["properties"].values() if "const" in it), "")
            head = f"**`{named}`** " if named else ""
            texts.append(f"{head}{line(choice)}\n\n{table(choice)}")
        else:
            texts.append(f"- {kind(choice)}")
    joint = "\n" if all(text.startswith("-") for text in texts) else "\n\n"
    examples = ", ".join(f"`{it}`" for it in definition.get("examples", []))
    return joint.join(texts) or (f"For example {examples}." if examples else "")


def table(definition: dict[str, Any]) -> str:
    required = definition.get("required", [])
    rows = ["| key | value | |", "|---|---|---|"]
    for key, value in definition["properties"].items():
        note = "required" if key in required else ""
        if "default" in value:
            note = f"default `{value['default']}`"
        note = f" ({note})" if note else ""
        rows.append(f"| `{key}` | {kind(value)} | {line(value)}{note} |")
    return "\n".join(rows)


def kind(value: Any) -> str:
    if not isinstance(value, dict):
        return "anything"
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in value:
        return f"`{value['const']}`"
    if value.get("type") == "array":
        return f"list of {kind(value.get('items', True))}"
    if value.get("type") == "object":
        return f"table of {kind(value.get('additionalProperties', True))}"
    return str(value.get("type", "anything"))


def line(value: dict[str, Any]) -> str:
    return " ".join(value.get("description", "").split()).replace("|", "\\|")
