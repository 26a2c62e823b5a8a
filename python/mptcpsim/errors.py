"""What can go wrong, as exceptions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a scenario."""

    key: str
    """The path of the key it concerns, such as ``links.wifi.delay``; empty for the whole."""
    message: str
    """What is wrong."""
    help: str | None = None
    """What would be right."""
    file: str = "scenario"
    """The file, or the name of the scenario if it comes from no file."""
    line: int | None = None
    """The line in the file, from 1; `None` if the scenario comes from no file."""
    column: int | None = None
    """The column in the line, from 1."""

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        help_ = f" ({self.help})" if self.help else ""
        place = f"{self.file}:{self.line}:{self.column}: " if self.line is not None else ""
        return f"{place}{key}{self.message}{help_}"


class MptcpsimError(Exception):
    """Whatever goes wrong in this package for a reason of its own."""


class ScenarioError(MptcpsimError, ValueError):
    """A scenario has faults: all of them are in `faults`, the first one's key in `key`."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(faults)
        self.faults = faults

    @property
    def key(self) -> str:
        """The path of the key that the first fault concerns."""
        return self.faults[0].key if self.faults else ""

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))

    @classmethod
    def _of(
        cls, faults: list[tuple[str, str, str | None, tuple[str, int, int]]]
    ) -> ScenarioError:
        return cls(tuple(Fault(key, text, help_, *place) for key, text, help_, place in faults))

    def without_lines(self) -> ScenarioError:
        """The same without places in a text, for a scenario that is none."""
        return ScenarioError(
            tuple(Fault(it.key, it.message, it.help, it.file) for it in self.faults)
        )


class RunError(MptcpsimError, RuntimeError):
    """A run could not be made."""
