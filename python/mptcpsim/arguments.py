"""Arguments that are not what they should be are named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def path(argument: str, value: object) -> Path:
    """The name of a file or a folder."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{argument}: expected the name of a file or a folder, found {value!r}")
    return Path(value)


def mapping(argument: str, value: object) -> dict[str, Any]:
    """Values by the paths of their keys; nothing is none."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{argument}: expected values by the paths of their keys, found {value!r}")
    return dict(value)
