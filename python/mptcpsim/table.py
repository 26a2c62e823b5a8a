"""Result tables: columns of numbers and texts that other libraries read in place."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from mptcpsim import _mptcpsim

if TYPE_CHECKING:
    import numpy
    import pandas
    import polars
    import pyarrow

_SHOWN = 10


class Table:
    """Rows and columns of a result.

    ``table["srtt_ms"]`` is a column as a NumPy array that views the table's memory (without NumPy
    installed: a list); ``table[3]`` is a row as a dictionary; iterating gives rows. Libraries that
    speak the Arrow C stream interface take the table as it is, without copying:
    ``polars.DataFrame(table)``, ``pyarrow.table(table)``, ``duckdb.sql("select * from samples")`` with ``samples = run.timeseries``.
    """

    __slots__ = ("_native", "name")

    def __init__(self, name: str, native: _mptcpsim.Table) -> None:
        self.name = name
        self._native = native

    @property
    def columns(self) -> list[str]:
        """The names of the columns, each ending in its unit."""
        return self._native.column_names

    def __len__(self) -> int:
        return len(self._native)

    @overload
    def __getitem__(self, key: str) -> numpy.ndarray[Any, Any]: ...
    @overload
    def __getitem__(self, key: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: slice) -> Table: ...
    def __getitem__(self, key: str | int | slice) -> Any:
        if isinstance(key, str):
            return self._array(key)
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step != 1:
                raise ValueError("a slice of a table has step 1")
            return Table(self.name, self._native.slice(start, max(0, stop - start)))
        if isinstance(key, bool) or not isinstance(key, int):
            raise TypeError(f"expected the name of a column or the number of a row, found {key!r}")
        row = key + len(self) if key < 0 else key
        if not 0 <= row < len(self):
            raise IndexError(f"row {key} of a table with {len(self)} rows")
        return self._native.row(row)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self._native.row(index) for index in range(len(self)))

    def __contains__(self, column: object) -> bool:
        return column in self.columns

    def column(self, name: str) -> _mptcpsim.Column:
        """A column that speaks the Arrow C stream interface and the array interface.

        Raises:
            KeyError: there is no such column.
        """
        try:
            return self._native.column(name)
        except KeyError:
            known = ", ".join(self.columns)
            raise KeyError(f"`{name}` is no column of {self.name}; known: {known}") from None

    def _array(self, name: str) -> Any:
        column = self.column(name)
        try:
            import numpy
        except ImportError:
            return column.to_list()
        if hasattr(column, "__array_interface__"):
            return numpy.asarray(column)
        truths = column.truth_bytes()
        if truths is not None:
            return numpy.frombuffer(truths, dtype=bool)
        values = column.to_list()
        if any(isinstance(value, str) for value in values):
            return numpy.asarray(values, dtype=str)
        return numpy.asarray(values, dtype=float)  # numbers, NaN where nothing is known

    def to_numpy(self) -> dict[str, numpy.ndarray[Any, Any]]:
        """All columns as NumPy arrays; numbers without gaps and reals are views, not copies."""
        return {name: self[name] for name in self.columns}

    def to_list(self) -> list[dict[str, Any]]:
        """All rows as dictionaries."""
        return list(self)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._native.__arrow_c_stream__(requested_schema)

    def to_arrow(self) -> pyarrow.Table:
        """The table as one of PyArrow, without copying."""
        return _needs("pyarrow").table(self)

    def to_polars(self) -> polars.DataFrame:
        """The table as a data frame of polars, without copying numbers."""
        library: Any = _needs("polars")
        frame: polars.DataFrame = library.DataFrame(self)
        return frame

    def to_pandas(self) -> pandas.DataFrame:
        """The table as a data frame of pandas."""
        library: Any = _needs("pandas")
        if hasattr(library.DataFrame, "from_arrow"):
            frame: pandas.DataFrame = library.DataFrame.from_arrow(self)
            return frame
        return library.DataFrame(self.to_numpy(), columns=self.columns)

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str | None:
        """The table as CSV text as in the files of a run, or written to `path`."""
        text = self._native.to_csv()
        if path is None:
            return text
        Path(path).write_text(text, encoding="utf-8", newline="")
        return None

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Writes the table as a Parquet file, with PyArrow or polars, whichever is installed."""
        try:
            import pyarrow.parquet
        except ImportError:
            self.to_polars().write_parquet(Path(path))
        else:
            pyarrow.parquet.write_table(self.to_arrow(), path)

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self)} rows of {', '.join(self.columns)}>"

    def _repr_html_(self) -> str:
        def cells(kind: str, values: list[Any]) -> str:
            texts = ("" if value is None else html.escape(str(value)) for value in values)
            return "<tr>" + "".join(f"<{kind}>{text}</{kind}>" for text in texts) + "</tr>"

        rows = "".join(cells("td", list(row.values())) for row in self[:_SHOWN])
        more = f"<p>{len(self)} rows</p>" if len(self) > _SHOWN else ""
        return f"<table>{cells('th', list(self.columns))}{rows}</table>{more}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.name, self._native.to_ipc())


def _unpickled(name: str, data: bytes) -> Table:
    return Table(name, _mptcpsim.table_of_ipc(data))


def _needs(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(f"this needs {module}: pip install {module}") from None
