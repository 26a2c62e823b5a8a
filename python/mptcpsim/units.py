"""Units: a number times a unit is a quantity that every key of a scenario takes.

Examples:
    >>> from mptcpsim.units import ms, Mbit_s
    >>> 15 * ms
    15 ms
    >>> 1.5 * (10 * Mbit_s)
    15 Mbit/s
    >>> str(2 * ms + 500 * us)
    '2.5 ms'
    >>> (1 * s) / (10 * ms)
    100.0
    >>> 1 * s > 999 * ms
    True
    >>> 1 * s + 1 * MB
    Traceback (most recent call last):
        ...
    TypeError: 1 s and 1 MB are of different kinds
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import total_ordering
from typing import Literal, overload

Kind = Literal["time", "rate", "bytes", "probability", "packets", "bdp"]
Number = int | float | Decimal | Fraction


def _exact(number: Number) -> Fraction:
    if isinstance(number, bool) or not isinstance(number, (int, float, Decimal, Fraction)):
        raise TypeError(f"expected a number, found {number!r}")
    try:
        # The shortest text of a float is what was meant: 0.1 is a tenth.
        return Fraction(str(number)) if isinstance(number, float) else Fraction(number)
    except (ValueError, OverflowError):
        raise ValueError(f"expected a finite number, found {number!r}") from None


@total_ordering
class Quantity:
    """A number with a unit. Arithmetic is exact."""

    __slots__ = ("_base", "_factor", "_unit", "kind")

    def __init__(self, base: Fraction, unit: str, factor: Fraction, kind: Kind) -> None:
        self._base = base
        self._unit = unit
        self._factor = factor
        self.kind = kind

    def __str__(self) -> str:
        number = self._base / self._factor
        if number.denominator == 1:
            return f"{number.numerator} {self._unit}"
        return f"{float(number):.15g} {self._unit}"

    __repr__ = __str__

    def __float__(self) -> float:
        """In s, bit/s, bytes, packets, BDP, or as a probability from 0 to 1."""
        return float(self._base)

    def _like(self, base: Fraction) -> Quantity:
        return Quantity(base, self._unit, self._factor, self.kind)

    def _same_kind(self, other: Quantity) -> None:
        if self.kind != other.kind:
            raise TypeError(f"{self} and {other} are of different kinds")

    def __mul__(self, number: Number) -> Quantity:
        return self._like(self._base * _exact(number))

    __rmul__ = __mul__

    @overload
    def __truediv__(self, other: Quantity) -> float: ...
    @overload
    def __truediv__(self, other: Number) -> Quantity: ...
    def __truediv__(self, other: Quantity | Number) -> Quantity | float:
        if isinstance(other, Quantity):
            self._same_kind(other)
            return float(self._base / other._base)
        return self._like(self._base / _exact(other))

    def __add__(self, other: Quantity) -> Quantity:
        if not isinstance(other, Quantity):
            return NotImplemented
        self._same_kind(other)
        return self._like(self._base + other._base)

    def __sub__(self, other: Quantity) -> Quantity:
        if not isinstance(other, Quantity):
            return NotImplemented
        self._same_kind(other)
        return self._like(self._base - other._base)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self.kind == other.kind and self._base == other._base

    def __hash__(self) -> int:
        return hash((self.kind, self._base))

    def __lt__(self, other: Quantity) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        self._same_kind(other)
        return self._base < other._base


def _unit(text: str, factor: Fraction | int, kind: Kind) -> Quantity:
    factor = Fraction(factor)
    return Quantity(factor, text, factor, kind)


h = _unit("h", 3600, "time")
min = _unit("min", 60, "time")  # noqa: A001
s = _unit("s", 1, "time")
ms = _unit("ms", Fraction(1, 10**3), "time")
us = _unit("us", Fraction(1, 10**6), "time")
ns = _unit("ns", Fraction(1, 10**9), "time")

bit_s = _unit("bit/s", 1, "rate")
kbit_s = _unit("kbit/s", 10**3, "rate")
Mbit_s = _unit("Mbit/s", 10**6, "rate")
Gbit_s = _unit("Gbit/s", 10**9, "rate")

B = _unit("B", 1, "bytes")
kB = _unit("kB", 10**3, "bytes")
MB = _unit("MB", 10**6, "bytes")
GB = _unit("GB", 10**9, "bytes")
KiB = _unit("KiB", 2**10, "bytes")
MiB = _unit("MiB", 2**20, "bytes")
GiB = _unit("GiB", 2**30, "bytes")

percent = _unit("%", Fraction(1, 100), "probability")
packets = _unit("packets", 1, "packets")
BDP = _unit("BDP", 1, "bdp")

__all__ = [
    "BDP",
    "GB",
    "MB",
    "B",
    "Gbit_s",
    "GiB",
    "KiB",
    "Mbit_s",
    "MiB",
    "Quantity",
    "bit_s",
    "h",
    "kB",
    "kbit_s",
    "min",
    "ms",
    "ns",
    "packets",
    "percent",
    "s",
    "us",
]
