"""Plots of runs with matplotlib, the extra `plot`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mptcpsim.results import Run

# What can be plotted: the table, its column, a factor, and what stands at the axis.
PLOTS: dict[str, tuple[str, str, float, str]] = {
    "rate": ("timeseries", "rate_bps", 1e-6, "acknowledged (Mbit/s)"),
    "share": ("timeseries", "rate_bps", 100, "share of the connection (%)"),
    "cwnd": ("timeseries", "cwnd_packets", 1, "congestion window (packets)"),
    "ssthresh": ("timeseries", "ssthresh_packets", 1, "slow-start threshold (packets)"),
    "srtt": ("timeseries", "srtt_ms", 1, "smoothed round-trip time (ms)"),
    "inflight": ("timeseries", "inflight_bytes", 1e-3, "in flight (kB)"),
    "delivered": ("timeseries", "delivered_bytes", 1e-6, "acknowledged since the start (MB)"),
    "rwnd": ("timeseries", "rwnd_bytes", 1e-3, "window offered by the receiver (kB)"),
    "out-of-order": ("timeseries", "out_of_order_bytes", 1e-3, "waiting for earlier data (kB)"),
    "backlog": ("queues", "backlog_packets", 1, "backlog (packets)"),
    "queueing": ("queues", "delay_ms", 1, "queueing delay (ms)"),
    "sequence": ("sequence", "dsn", 1e-6, "data sequence number (MB)"),
}

Key = tuple[str, ...]
"""What a line is about: link and direction; or flow, path, sender and subflow."""
Line = tuple[list[float], list[float]]
"""Times and values."""


def plot(run: Run, what: str = "rate", *, ax: Axes | None = None, flow: str | None = None) -> Axes:
    """Draws a quantity over time: a line per subflow, or per direction of a link. `sequence` says which
    data went over which subflow when, as tcptrace does; the scenario's `record.sequence` asks for it.

    Args:
        run: the run.
        what: `rate`, `share`, `cwnd`, `ssthresh`, `srtt`, `inflight`, `delivered`, `rwnd`,
            `out-of-order`, `backlog`, `queueing` or `sequence`.
        ax: where to draw; without it on new axes.
        flow: only the subflows of this flow.

    Raises:
        ValueError: there is no such quantity or flow.
        ImportError: matplotlib is not installed.
    """
    if what not in PLOTS:
        raise ValueError(f"what: there is no `{what}`; known are {', '.join(PLOTS)}")
    table, column, factor, label = PLOTS[what]
    lines = _lines(run, table, column, flow)
    if not lines:
        record = "; `record.sequence` of the scenario asks for it" if what == "sequence" else ""
        raise ValueError(f"flow: there is nothing to draw of {flow or 'this run'}{record}")
    if what == "share":
        lines = _shares(lines)
    axes = _axes() if ax is None else ax
    for key, (times, values) in lines.items():
        dots: dict[str, Any] = {"linestyle": "", "marker": ".", "markersize": 2}
        axes.plot(times, [value * factor for value in values], label=_name(key), **(dots if what == "sequence" else {}))
    axes.set_xlabel("time (s)")
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
    return axes


def _axes() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError("plots need matplotlib: pip install matplotlib") from None
    _, axes = pyplot.subplots(figsize=(7, 3.5), layout="constrained")
    return axes


def _name(key: Key) -> str:
    if len(key) == 2:
        return " ".join(key)
    flow, path, sender, subflow = key
    return f"{flow}: {path} ({subflow}, {sender})"


def _lines(run: Run, table: str, column: str, flow: str | None) -> dict[Key, Line]:
    rows = run.table(table)
    of_links = table == "queues"
    if of_links and flow is not None:
        raise ValueError("flow: queues belong to no flow")
    about = ("link", "direction") if of_links else ("flow", "path", "sender", "subflow")
    keys = zip(*(map(str, rows.column(it).to_list()) for it in about), strict=True)
    lines: dict[Key, Line] = {}
    for key, time, value in zip(
        keys, rows.column("time_s").to_list(), rows.column(column).to_list(), strict=True
    ):
        if flow is None or key[0] == flow:
            times, values = lines.setdefault(key, ([], []))
            times.append(time)
            values.append(float("nan") if value is None else value)
    return lines


def _shares(lines: dict[Key, Line]) -> dict[Key, Line]:
    """Rates of subflows as parts of what their connection delivers in the same direction."""
    totals: dict[tuple[str, str, float], float] = {}
    for (flow, _, sender, _), (times, rates) in lines.items():
        for time, rate in zip(times, rates, strict=True):
            key = (flow, sender, time)
            totals[key] = totals.get(key, 0.0) + rate

    def share(flow: str, sender: str, time: float, rate: float) -> float:
        total = totals[flow, sender, time]
        return rate / total if total > 0 else float("nan")

    return {
        key: (times, [share(key[0], key[2], *it) for it in zip(times, rates, strict=True)])
        for key, (times, rates) in lines.items()
    }
