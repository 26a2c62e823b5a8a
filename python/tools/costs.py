"""What Python costs: a run beside the bare engine, and a call of each kind of policy.

    python python/tools/costs.py

Of several tries the fastest counts. The package should be built as users build it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import mptcpsim as mp
from mptcpsim import _mptcpsim

CALLS = 0


class Scheduler(mp.Scheduler):
    def pick(self, view: mp.SchedulerView, ask: mp.Ask) -> Any:
        global CALLS
        CALLS += 1
        best = None
        for subflow in view.subflows:
            if subflow.sendable and (best is None or subflow.srtt < best.srtt):
                best = subflow
        return best


class Reno(mp.CongestionControl):
    def cong_avoid(self, flow: mp.CongestionFlow, acked: int) -> None:
        global CALLS
        CALLS += 1
        flow.window.reno_cong_avoid(acked)


class Bulk(mp.App):
    def on_event(self, view: mp.AppView) -> Any:
        global CALLS
        CALLS += 1
        if view.client:
            return [mp.Close()] if view.event == "ended" else None
        return [mp.Write(40_000_000), mp.Close()] if view.event == "established" else None


class Box(mp.Box):
    def on_segment(self, segment: mp.BoxSegment) -> None:
        global CALLS
        CALLS += 1


def fastest(call: Callable[[], object], tries: int = 7) -> float:
    """Seconds."""
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def network() -> mp.Scenario:
    """Two paths, a box on the first that changes nothing, and a download of 40 MB."""
    ends = ("client", "server")
    return mp.Scenario(
        duration="30 s",
        links={name: mp.Link(rate="50 Mbit/s", delay="5 ms") for name in ("a", "b")},
        hosts={
            name: mp.Host(addresses={f"eth{path}": f"10.0.{path}.{end}" for path in (1, 2)})
            for end, name in enumerate(ends, 1)
        },
        middleboxes={"box": mp.Middlebox(mp.ClampBox(mss=9000))},
        paths=[
            mp.Path(between=[f"{name}.eth1" for name in ends], via=["a", "box"]),
            mp.Path(between=[f"{name}.eth2" for name in ends], via=["b"]),
        ],
        flows=[mp.Flow(mp.Bulk("40 MB"), from_="client", to="server")],
        record=mp.Record(tables=[]),
    )


def main() -> None:
    global CALLS
    scenario = network()
    own = {
        "scheduler": ("flows.0.mptcp.scheduler", Scheduler),
        "congestion control": ("flows.0.congestion_control", Reno),
        "application": ("flows.0.app", Bulk),
        "middlebox": ("middleboxes.box.action", Box),
    }
    for what, (key, policy) in own.items():
        mine = scenario.copy({key: policy})
        bare = fastest(lambda: mp.run(scenario))
        CALLS = 0
        mp.run(mine)
        calls = CALLS
        took = fastest(lambda run=mine: mp.run(run))  # type: ignore[misc]
        print(f"{what:20} {calls:7} calls, {(took - bare) / calls * 1e6:5.2f} us more for each")
    tiny = scenario.copy(duration="10 ms")
    plan = tiny.check()
    engine, run = (fastest(it, 100) for it in (lambda: _mptcpsim.run(plan), lambda: mp.run(tiny)))
    print(f"mp.run               {(run - engine) * 1e3:.3f} ms over the engine")


if __name__ == "__main__":
    main()
