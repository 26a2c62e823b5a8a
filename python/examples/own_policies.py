"""An application, a middlebox and a path manager written in Python, together in one scenario.

A client asks for five answers of 200 kB each. A box on the first path makes the receiver's window
small; the path manager opens the second path half a second after the first.
"""

from __future__ import annotations

from collections.abc import Iterable

import mptcpsim as mp

ANSWER = 200_000
REQUEST = 300


class Questions(mp.App):
    """The client asks five times, and each time waits for the answer."""

    def __init__(self) -> None:
        self.done = 0

    def on_event(self, view: mp.AppView) -> Iterable[mp.Write | mp.Close]:
        if view.client:
            return self.ask(view)
        asked = view.received // REQUEST
        if view.event == "received" and asked > self.done:
            self.done = asked
            return [mp.Write(ANSWER)]
        return [mp.Close()] if view.event == "ended" else []

    def ask(self, view: mp.AppView) -> Iterable[mp.Write | mp.Close]:
        if view.event == "received" and view.received >= ANSWER * (self.done + 1):
            self.done += 1
        elif view.event != "established":
            return []
        return [mp.Write(REQUEST) if self.done < 5 else mp.Close()]


class SmallWindows(mp.Box):
    """Takes the windows of one direction down, as a proxy with little memory would."""

    def on_segment(self, segment: mp.BoxSegment) -> None:
        if segment.direction == "up":
            segment.window = min(segment.window, 400)


class Late(mp.PathManager):
    """Opens the second path half a second after the first."""

    def on_event(
        self, event: mp.PathEvent, view: mp.PathsView
    ) -> Iterable[mp.CallAt | mp.OpenSubflow]:
        if not view.client:
            return []
        if event.kind == "fully-established":
            return [mp.CallAt(view.now + 0.5)]
        if event.kind == "timer":
            return [mp.OpenSubflow(view.addresses[1], view.subflows[0].remote, local_id=1)]
        return []


def scenario() -> mp.Scenario:
    """Two paths, a box on the first."""
    return mp.Scenario(
        duration="30 s",
        links={
            "wifi": mp.Link(rate="10 Mbit/s", delay="10 ms"),
            "lte": mp.Link(rate="20 Mbit/s", delay="30 ms"),
        },
        middleboxes={"proxy": mp.Middlebox(SmallWindows())},
        hosts={
            "phone": mp.Host(addresses={"wlan0": "10.0.1.1", "rmnet0": "10.0.2.1"}),
            "server": mp.Host(addresses={"eth0": "10.0.0.1"}),
        },
        paths=[
            mp.Path(between=["phone.wlan0", "server.eth0"], via=["wifi", "proxy"]),
            mp.Path(between=["phone.rmnet0", "server.eth0"], via=["lte"]),
        ],
        flows=[
            mp.Flow(
                Questions(), from_="phone", to="server", mptcp=mp.FlowMptcp(path_manager=Late())
            )
        ],
    )


def main() -> mp.Run:
    """Runs it and says what happened."""
    run = mp.run(scenario())
    print(run)
    for subflow in run.subflows:
        print(subflow["sender"], subflow["path"], subflow["bytes"], f"{subflow['opened_s']:.2f} s")
    return run


if __name__ == "__main__":
    main()
