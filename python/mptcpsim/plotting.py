"""Plots of runs with matplotlib, the extra `plot`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mptcpsim.results import Run

# What can be plotted: the table, its column, a factor, and what stands at the axis.
PLOTS: dict[str, tuple[str, str, float, str]] = {
    "rate": ("timeseries", "rate_bps", 1e-6, "acknowledged (Mbit/s)"),
    "cwnd": ("timeseries", "cwnd_packets", 1, "congestion window (packets)"),
    "ssthresh": ("timeseries", "ssthresh_packets", 1, "slow-start threshold (packets)"),
    "srtt": ("timeseries", "srtt_ms", 1, "smoothed round-trip time (ms)"),
    "inflight": ("timeseries", "inflight_bytes", 1e-3, "in flight (kB)"),
    "delivered": ("timeseries", "delivered_bytes", 1e-6, "acknowledged since the start (MB)"),
    "rwnd": ("timeseries", "rwnd_bytes", 1e-3, "window offered by the receiver (kB)"),
    "out-of-order": ("timeseries", "out_of_order_bytes", 1e-3, "waiting for earlier data (kB)"),
    "backlog": ("queues", "backlog_packets", 1, "backlog (packets)"),
    "queueing": ("queues", "delay_ms", 1, "queueing delay (ms)"),
}


def plot(run: Run, what: str = "rate", *, ax: Axes | None = None, flow: str | None = None) -> Axes:
    """Draws a quantity over time: a line per subflow, or per direction of a link.

    Args:
        run: the run.
        what: `rate`, `cwnd`, `ssthresh`, `srtt`, `inflight`, `delivered`, `rwnd`, `out-of-order`,
            `backlog` or `queueing`.
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
        raise ValueError(f"flow: there is nothing to draw of {flow or 'this run'}")
    axes = _axes() if ax is None else ax
    for name, (times, values) in lines.items():
        known = [float("nan") if it is None else it * factor for it in values]
        axes.plot(times, known, label=name)
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


def _lines(
    run: Run, table: str, column: str, flow: str | None
) -> dict[str, tuple[list[float], list[Any]]]:
    rows = run.table(table)
    values = rows.column(column).to_list()
    times = rows.column("time_s").to_list()
    if table == "queues":
        if flow is not None:
            raise ValueError("flow: queues belong to no flow")
        names = [
            f"{link} {direction}"
            for link, direction in zip(
                rows.column("link").to_list(), rows.column("direction").to_list(), strict=True
            )
        ]
    else:
        parts = [rows.column(it).to_list() for it in ("flow", "path", "subflow", "sender")]
        names = [f"{it[0]}: {it[1]} ({it[2]}, {it[3]})" for it in zip(*parts, strict=True)]
        keep = [index for index, of in enumerate(parts[0]) if flow is None or of == flow]
        names, times, values = ([all_[it] for it in keep] for all_ in (names, times, values))
    lines: dict[str, tuple[list[float], list[Any]]] = {}
    for name, time, value in zip(names, times, values, strict=True):
        line = lines.setdefault(name, ([], []))
        line[0].append(time)
        line[1].append(value)
    return lines
