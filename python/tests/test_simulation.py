"""Runs step by step, and the other tools."""

from __future__ import annotations

from pathlib import Path

import pytest

import mptcpsim as mp
from mptcpsim.units import ms
from test_policies import Counting

ROOT = Path(__file__).parents[2]


def test_where_steps_end_has_no_influence(small: mp.Scenario) -> None:
    sim = mp.Simulation(small)
    for time in ("100 ms", 250 * ms, 0.3, 0.3, 0.1):
        sim.run_until(time)
    assert sim.now == 0.3
    sim.run_for("50 ms")
    assert sim.now == 0.35 and not sim.over
    sim.run_until()
    assert sim.over
    results = sim.results()
    assert results.digest == mp.run(small).digest
    assert results.scenario == small


def test_everything_can_be_read(small: mp.Scenario) -> None:
    sim = mp.Simulation(small)
    assert sim.connections == []
    sim.run_until("300 ms")
    sender, receiver = sim.connection("flow1"), sim.connection("flow1", sender=False)
    assert (sender.host, receiver.host) == ("server", "client")
    assert 0 < sender.acked_bytes <= sender.sent_bytes <= sender.written_bytes <= 500_000
    assert receiver.received_bytes >= sender.acked_bytes
    assert [subflow.path for subflow in sender.subflows] == ["a", "b"]
    for subflow in sender.subflows:
        assert subflow.state == "ESTAB" and subflow.cwnd_packets >= 1
        assert subflow.srtt_ms is not None and subflow.srtt_ms >= 20
    links = {(link.link, link.direction): link for link in sim.links}
    assert links["a", "down"].delivered_bytes > links["a", "up"].delivered_bytes > 0
    assert sim.counters["client"]["MPTcpExtMPCapableSYNTX"] == 1
    assert "ESTAB" in sim.ss() and "MPTcpExtMPCapableSYNTX" in sim.nstat()
    with pytest.raises(KeyError, match="flow9"):
        sim.connection("flow9")


def test_a_condition_ends_a_step(small: mp.Scenario) -> None:
    sim = mp.Simulation(small)

    def has_less(sim: mp.Simulation) -> bool:
        return not sim.connections or sim.connection("flow1").acked_bytes < 100_000

    assert sim.run_while(has_less, every="5 ms")
    assert sim.connection("flow1").acked_bytes >= 100_000 and not sim.over
    assert not sim.run_while(lambda _: True, until=sim.now + 0.05)
    assert not sim.run_while(lambda _: True)
    assert sim.over
    with pytest.raises(ValueError, match="every"):
        mp.Simulation(small).run_while(has_less, every=0.0)


def test_a_fork_goes_its_own_way(small: mp.Scenario) -> None:
    sim = mp.Simulation(small)
    sim.run_until("200 ms")
    same, other = sim.fork(), sim.fork()
    other.set_link("a", rate="1 Mbit/s", direction="down")
    for one in (sim, same, other):
        one.run_until()
    assert sim.results().digest == same.results().digest == mp.run(small).digest
    assert other.now > sim.now
    assert other.scenario.timeline[0].at == "200000000001 ps"
    again = mp.run(other.scenario)
    assert again.digest == other.results().digest, "what was changed can be run again"


def test_a_fork_has_policies_of_its_own(small: mp.Scenario) -> None:
    sim = mp.Simulation(small, set={"flows.0.mptcp.scheduler": Counting()})
    sim.run_until("200 ms")
    twin = sim.fork()
    sim.run_until()
    twin.run_until()
    assert sim.results().digest == twin.results().digest


def test_links_and_endpoints_change(small: mp.Scenario) -> None:
    sim = mp.Simulation(small)
    sim.run_until("100 ms")
    sim.set_link("b", up=False)
    sim.change_endpoint("client", mp.RemoveEndpoint(interface="b"))
    sim.run_until()
    events = sim.results().events
    told = [row["event"] for row in events if row["time_s"] == pytest.approx(0.1)]
    assert {"link-down", "endpoint-removed"} <= set(told)
    with pytest.raises(mp.ScenarioError, match="link"):
        sim.set_link("c", up=True)
    with pytest.raises(mp.ScenarioError, match="rte"):
        sim.set_link("a", rte="1 Mbit/s")
    with pytest.raises(ValueError, match="interfaces"):
        mp.Simulation(small).change(mp.TimelineEntry("0 s", host="client", interface="a", up=False))


@pytest.mark.parametrize("time", ["soon", -1.0, float("nan"), True, 3 * mp.units.MB, None])
def test_times_that_are_none_are_refused(small: mp.Scenario, time: object) -> None:
    sim = mp.Simulation(small)
    with pytest.raises((ValueError, TypeError)):
        sim.run_for(time)  # type: ignore[arg-type]


def test_ctrl_c_leaves_a_simulation_that_can_go_on(small: mp.Scenario) -> None:
    sim = mp.Simulation(small)

    def progress(_: float) -> None:
        raise KeyboardInterrupt

    slow = mp.Simulation(small, duration="1000 s", set={"flows.0.app.bytes": "1 GB"})
    with pytest.raises(KeyboardInterrupt):
        slow.run_until(progress=progress)
    before = slow.now
    slow.run_for("10 ms")
    assert slow.now == pytest.approx(before + 0.01)
    sim.run_until()


def test_nobody_looks_at_a_simulation_during_a_step(small: mp.Scenario) -> None:
    class Curious(mp.Scheduler):
        def pick(self, view: mp.SchedulerView, ask: mp.Ask) -> None:
            assert watched[0].now >= 0

    watched = [mp.Simulation(small, set={"flows.0.mptcp.scheduler": Curious})]
    with pytest.raises(RuntimeError, match="between steps"):
        watched[0].run_until()


def test_boxes_are_blamed() -> None:
    verdicts = mp.capable("middleboxes")
    assert {verdict.finding for verdict in verdicts} - {"capable"}
    blamed = next(verdict for verdict in verdicts if not verdict.capable)
    assert "because" in str(blamed) and blamed.touches


def test_explain_says_where_the_time_went(small: mp.Scenario) -> None:
    tight = {"flows.0.receive_buffer": "16 KB", "duration": "1 s"}
    [flow] = mp.explain("two-equal-paths", set=tight)
    assert "receive" in str(flow) and flow.possible_bps is not None
    assert flow.goodput_bps < flow.possible_bps / 2 and flow.sender == "client"
    for spent in flow.paths.values():
        assert spent["receive window"] + spent.get("head-of-line blocking", 0) > 0.1
    down, up = mp.explain(small, set={"flows.0.app.direction": "both"})
    assert (down.sender, up.sender) == ("server", "client") and str(up).startswith("flow1 from client")
    [own] = mp.explain(small, set={"flows.0.mptcp.scheduler": Counting})
    assert own.goodput_bps > 0 and own.paths

    class Broken(mp.Scheduler):
        def pick(self, view: mp.SchedulerView, ask: mp.Ask) -> None:
            raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        mp.explain(small, set={"flows.0.mptcp.scheduler": Broken})


def test_scripts_run() -> None:
    script = ROOT / "models/tests/packetdrill/out-of-tree/02-handshake-client.pkt"
    report = mp.packetdrill(script, stack="out-of-tree")
    assert report.passed, report.text
    assert report.trace
    assert mp.packetdrill("this is no script").outcome == "unreadable"
    with pytest.raises(ValueError, match="known are"):
        mp.packetdrill("", stack="windows")
    with pytest.raises(FileNotFoundError):
        mp.packetdrill("nowhere.pkt")


def test_events_are_replayed() -> None:
    data = ROOT / "models/tests/data/congestion"
    rows = mp.replay_cc("lia", data / "events_S1.csv")
    kept = [line.split(",") for line in (data / "traj_S1_lia.csv").read_text().splitlines()]
    assert [str(row["cwnd"]) for row in rows] == [line[kept[0].index("cwnd")] for line in kept[1:]]
    for wrong, words in [
        (("vegas2", []), "algorithm"),
        (("lia", [{"event": "DANCE"}]), "events"),
        (("lia", [{"evnt": "ACK"}]), "evnt"),
    ]:
        with pytest.raises(ValueError, match=words):
            mp.replay_cc(*wrong)
    with pytest.raises(ValueError, match="parameters"):
        mp.replay_cc("lia", [], nonsense=3)


@pytest.mark.parametrize("kind", [*mp.tools.KINDS, "sysctls", "scenarios", "papers", "measured"])
def test_what_can_be_named_is_listed(kind: str) -> None:
    listed = mp.list(kind)
    assert listed and all(one.name and one.text for one in listed)
    assert len({one.name for one in listed}) == len(listed)


def test_parameters_are_listed() -> None:
    bulk = next(app for app in mp.list("apps") if app.name == "bulk")
    assert bulk.parameters[0].name == "bytes" and bulk.parameters[0].required
    summary = next(table for table in mp.list("tables") if table.name == "summary")
    assert [it.name for it in summary.parameters] == mp.run("two-equal-paths", duration="1 s").summary.columns
    with pytest.raises(ValueError, match="schedulers"):
        mp.list("scheduler")
