"""The examples in documentation do what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import mptcpsim

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(mptcpsim.__path__, "mptcpsim.")
    if not module.name.endswith(("__main__", "_mptcpsim"))
)


@pytest.mark.parametrize("name", ["mptcpsim", *MODULES])
def test_examples_in_modules(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0


ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / name
    for name in ("README.md", "python/README.md", "docs/tutorial.md", "docs/python.md", "docs/gym.md")
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_on_pages(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
