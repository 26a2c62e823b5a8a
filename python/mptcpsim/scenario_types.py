"""The parts of a scenario as data classes.

Made from the JSON Schema of scenarios by `tools/generate_scenario.py`. Quantities are texts with
a unit such as ``"15 ms"``, or numbers times one of `mptcpsim.units`. What is `None` is not
written and means its default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from mptcpsim import policies
from mptcpsim.tree import Node, ScenarioBase
from mptcpsim.units import Quantity


Adaptation: TypeAlias = Literal["throughput", "buffer"]
"""How a video player chooses the quality of a segment."""

AppDirection: TypeAlias = Literal["download", "upload", "both"]
"""Who sends the bytes of an application."""

Bytes: TypeAlias = str | Quantity
"""A number of bytes: a number and B, KB, MB, GB (powers of 1000) or KiB, MiB, GiB (powers of 1024)."""

CongestionControlName: TypeAlias = Literal[
    "reno",
    "cubic",
    "lia",
    "olia",
    "balia",
    "wvegas",
    "bbr",
    "lia-rfc6356",
    "olia-paper",
    "balia-draft",
    "ewtcp",
    "uncoupled",
]
"""How fast data is sent."""

Copies: TypeAlias = Literal["all", "first", "last"]
"""Which pieces of a segment get its MPTCP options."""

Directions: TypeAlias = Literal["both", "up", "down"]
"""One direction of a link, or both."""

End: TypeAlias = Literal["first", "second"]
"""An end of a path."""

EndpointFlag: TypeAlias = Literal["subflow", "signal", "backup", "fullmesh"]
"""What an endpoint is used for."""

FirewallRule: TypeAlias = Literal[
    "pure-acks",
    "duplicate-acks",
    "out-of-window",
    "holes",
    "unseen-acks",
]
"""What a firewall drops."""

Limit: TypeAlias = str | Quantity
"""The room of a queue: a number and BDP, packets, or a unit of bytes."""

LinkPreset: TypeAlias = Literal["ethernet", "wifi", "lte", "5g", "leo", "geo", "adsl", "vdsl"]
"""A link with the numbers of a kind of access; `up` leads away from whoever is connected by it.

Rates, delays and distributions come from the sources named; what they do not tell is chosen to fit."""

MeasuredSizes: TypeAlias = Literal["web-search", "data-mining"]
"""A distribution of flow sizes that was measured."""

MptcpdPlugin: TypeAlias = Literal["addr_adv", "sspi"]
"""A plugin of mptcpd."""

Multipath: TypeAlias = Literal["on", "off", "backup"]
"""What the path managers of the out-of-tree stack may use an interface for."""

NotifyFlag: TypeAlias = Literal["existing", "skip_link_local", "skip_loopback", "check_route"]
"""What mptcpd tells plugins of the addresses of the host."""

OptionName: TypeAlias = Literal[
    "mptcp",
    "mp_capable",
    "mp_join",
    "dss",
    "add_addr",
    "remove_addr",
    "mp_prio",
    "mp_fail",
    "mp_fastclose",
    "mp_tcprst",
    "mss",
    "sack_permitted",
    "sack",
    "timestamps",
    "window_scale",
    "unknown",
]
"""TCP options, MPTCP's as RFC 8684 names them."""

OptionOrder: TypeAlias = Literal["reverse", "by-kind"]
"""The order in which a middlebox writes options."""

PacketFilter: TypeAlias = Literal["all", "data"]
"""Which packets a loss model looks at."""

PathManagerName: TypeAlias = Literal[
    "default",
    "endpoints",
    "fullmesh",
    "ndiffports",
    "binder",
    "userspace",
]
"""Who opens subflows and announces addresses."""

Probability: TypeAlias = str | Quantity | float
"""A probability: a percentage, or a number from 0 to 1."""

Protocol: TypeAlias = Literal["mptcp", "tcp"]
"""Which kind of socket opens a connection."""

RadioPreset: TypeAlias = Literal["wifi", "lte", "3g"]
"""Radios whose power was measured; `mptcpsim list radios` shows the numbers."""

Rate: TypeAlias = str | Quantity
"""A bit rate: a number and bit/s, kbit/s, Mbit/s, Gbit/s or Tbit/s."""

Replacement: TypeAlias = Literal["nop", "eol", "none"]
"""What takes the place of a stripped option."""

SampleDesign: TypeAlias = Literal["latin-hypercube", "random"]
"""How the points of a sample are drawn."""

Scale: TypeAlias = Literal["linear", "log"]
"""How values spread over a range."""

SchedulerName: TypeAlias = Literal[
    "default",
    "least-linger",
    "lowest-rtt",
    "roundrobin",
    "redundant",
    "blest",
    "ecf",
    "otias",
    "sttf",
    "daps",
]
"""Which subflow carries the next data."""

SegmentKind: TypeAlias = Literal["syn", "syn-ack", "third-ack", "ack", "data", "rst", "not-syn"]
"""Kinds of segments."""

Selection: TypeAlias = Literal["ecmp", "random", "distinct"]
"""Which of the paths between two hosts the subflows of a connection take."""

Stack: TypeAlias = Literal["upstream", "out-of-tree"]
"""Whose TCP and MPTCP a host runs: protocol version, defaults and names of settings."""

Table: TypeAlias = Literal[
    "summary",
    "subflows",
    "timeseries",
    "links",
    "queues",
    "events",
    "counters",
    "requests",
    "energy",
    "sequence",
]
"""A table of results: a CSV file of the same name."""

Time: TypeAlias = str | Quantity
"""A time: a number and h, min, s, ms, us, ns or ps."""


class Action(Node):
    """What a middlebox does."""
    __slots__ = ()


@dataclass(slots=True)
class StripBox(Action):
    """Takes options out of segments."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'strip')
    _: KW_ONLY
    options: list[OptionName] | None = None
    """Which options. Without it ["mptcp"]."""
    replace: Replacement | None = None
    """What takes their place. Without it "nop"."""


@dataclass(slots=True)
class DropBox(Action):
    """Drops segments: which ones, says `only`."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'drop')
    _: KW_ONLY


@dataclass(slots=True)
class HoldBox(Action):
    """Keeps segments for a time; others overtake them."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'hold')
    delay: Time
    """How long."""


@dataclass(slots=True)
class EchoBox(Action):
    """Copies the MP_CAPABLE of SYNs into the SYN/ACKs, as boxes do that answer with the
    options they were sent.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'echo')
    _: KW_ONLY
    invent_key: bool | None = None
    """The copy has a key, as if a server that speaks MPTCP had answered. Without it false."""
    strip_syn: bool | None = None
    """The server does not see the option. Without it false."""


@dataclass(slots=True)
class NatBox(Action):
    """Translates source addresses and ports (RFC 3022). The side of the path's first host is
    inside.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'nat')
    address: str
    """The address outside."""
    _: KW_ONLY
    idle_timeout: Time | None = None
    """A mapping that is idle for so long ends; then a segment from inside gets another port,
    and one from outside is dropped. Without it "7440 s".
    """
    port_shift: int | None = None
    """What is added to ports. Without it 0."""


@dataclass(slots=True)
class SequenceBox(Action):
    """Replaces initial sequence numbers by others, and shifts all that follow."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'sequence')
    _: KW_ONLY
    down: int | None = None
    """Shift of the numbers that go down."""
    sack: bool | None = None
    """Shift the numbers in SACK blocks too; some boxes forget to. Without it true."""
    up: int | None = None
    """Shift of the numbers that go up; without it a random one for each subflow."""


@dataclass(slots=True)
class SplitBox(Action):
    """Cuts segments with much payload into several, as segmentation offload does."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'split')
    _: KW_ONLY
    copies: Copies | None = None
    """Which pieces get the MPTCP options. Without it "all"."""
    size: int | None = None
    """Most bytes of payload. Without it 700."""


@dataclass(slots=True)
class CoalesceBox(Action):
    """Joins consecutive data segments; the first one's options stay."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'coalesce')
    _: KW_ONLY
    hold: Time | None = None
    """How long it waits for the next segment. Without it "2 ms"."""
    same_options: bool | None = None
    """Join only segments with the same MPTCP options, as receive offload does. Without it true."""
    segments: int | None = None
    """How many segments become one. Without it 2."""


@dataclass(slots=True)
class CorruptBox(Action):
    """Changes single bytes of the payload, and sets the TCP checksum right."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'corrupt')
    at: int
    """Offset of the first byte in the subflow's stream."""
    _: KW_ONLY
    bytes: int | None = None
    """How many bytes change. Without it 1."""
    stride: int | None = None
    """From one changed byte to the next. Without it 0."""


@dataclass(slots=True)
class AlgBox(Action):
    """Application-level gateway: replaces bytes of the stream that goes up by others, and
    shifts all later sequence numbers.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'alg')
    _: KW_ONLY
    at: int
    """Offset of the first byte in the subflow's stream."""
    insert: str
    """What comes in their place."""
    remove: int
    """How many bytes go."""


@dataclass(slots=True)
class ReorderOptionsBox(Action):
    """Writes options in another order."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'reorder-options')
    _: KW_ONLY
    order: OptionOrder | None = None
    """The order. Without it "reverse"."""


@dataclass(slots=True)
class ClampBox(Action):
    """Lowers the MSS that SYNs announce, or the window."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'clamp')
    _: KW_ONLY
    mss: int | None = None
    """The largest MSS."""
    window: int | None = None
    """The largest window field, as in the header, before scaling."""


@dataclass(slots=True)
class AckProxyBox(Action):
    """Acknowledges data before the receiver does, and repeats what gets lost behind it (RFC
    3135).
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'ack-proxy')
    _: KW_ONLY
    absorb: bool | None = None
    """The receiver's own acknowledgements of that data go no further. Without it false."""
    timeout: Time | None = None
    """What the receiver has not acknowledged by then is sent again. Without it "300 ms"."""


@dataclass(slots=True)
class SplitProxyBox(Action):
    """Ends TCP connections and opens others in their place (RFC 3135): answers SYNs and
    acknowledges data itself, has buffers and retransmissions of its own, and speaks no
    MPTCP.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'split-proxy')
    _: KW_ONLY
    buffer: Bytes | None = None
    """Memory for each direction of each of the two connections, as `SO_RCVBUF` and `SO_SNDBUF`
    count it; without it they size their buffers themselves.
    """


@dataclass(slots=True)
class FirewallBox(Action):
    """Drops segments that do not fit its idea of TCP."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'firewall')
    drops: list[FirewallRule]
    """What it drops."""


@dataclass(slots=True)
class IcmpBox(Action):
    """One end of a detour inside ICMP echo requests; the other end of the path needs one too."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'icmp')
    end: End
    """Which end of the path it stands at."""
    _: KW_ONLY
    mss_adjust: int | None = None
    """How much smaller the hosts make their segments; 24 is what the detour needs. Without it 0."""
    mtu: Bytes | None = None
    """Packets that would be longer are not wrapped. Without it "1500 B"."""
    port: int | None = None
    """Subflows with this port at one end take the detour. Without it 80."""


class App(Node):
    """What runs over a connection. All but `bulk`, `timed` and `request` set TCP_NODELAY."""
    __slots__ = ()


@dataclass(slots=True)
class Bulk(App):
    """Sends a number of bytes as fast as the network takes them, then closes."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'bytes': ('form', 'SizesFrom|SizesExponential|SizesPareto|SizesLognormal|SizesMeasured|SizesCumulative')}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'bulk')
    bytes: Sizes
    """How much is sent (in each direction)."""
    _: KW_ONLY
    abort: bool | None = None
    """Aborts the connection after the last byte instead of closing it: with MP_FASTCLOSE, or a
    reset.
    """
    direction: AppDirection | None = None
    """Who sends. Without it "download"."""


@dataclass(slots=True)
class Timed(App):
    """Sends for a time as fast as the network takes it, then closes."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'timed')
    duration: Time
    """For how long, from when the connection is opened."""
    _: KW_ONLY
    abort: bool | None = None
    """Aborts the connection then instead of closing it."""
    direction: AppDirection | None = None
    """Who sends. Without it "download"."""


@dataclass(slots=True)
class Request(App):
    """Sends a request and waits for the response, several times on the same connection, then
    closes.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'request_bytes': ('form', 'SizesFrom|SizesExponential|SizesPareto|SizesLognormal|SizesMeasured|SizesCumulative'), 'response_bytes': ('form', 'SizesFrom|SizesExponential|SizesPareto|SizesLognormal|SizesMeasured|SizesCumulative'), 'think_time': ('form', 'TimesFrom|TimesExponential|TimesPareto|TimesLognormal')}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'request')
    response_bytes: Sizes
    """The size of a response."""
    _: KW_ONLY
    count: int | None = None
    """How many requests there are. Without it 1."""
    request_bytes: Sizes | None = None
    """The size of a request. Without it "200 B"."""
    server_closes: bool | None = None
    """After the last response the server closes first, as with HTTP/1.0."""
    think_time: Times | None = None
    """The pause between a response and the next request. Without it "0 s"."""


@dataclass(slots=True)
class Page(App):
    """Loads a web page: the page itself over the first connection, and what it is made of over
    all of them in turn, one object after the other on each. All connections are opened at
    once.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'object_bytes': ('form', 'SizesFrom|SizesExponential|SizesPareto|SizesLognormal|SizesMeasured|SizesCumulative')}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'page')
    _: KW_ONLY
    connections: int | None = None
    """How many connections there are: 6 is what browsers open with HTTP/1.1. Without it 1."""
    object_bytes: Sizes | None = None
    """The size of an object. Without it {"lognormal": "15 KB", "sigma": 1.4}."""
    objects: int | None = None
    """How many objects it is made of. Without it 40."""
    page_bytes: Bytes | None = None
    """The size of the page itself. Without it "30 KB"."""


@dataclass(slots=True)
class ConstantRate(App):
    """Writes messages of the same size at the same distance, as voice and sensors do."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'constant-rate')
    _: KW_ONLY
    duration: Time
    """For how long."""
    rate: Rate
    """How much is written per time."""
    deadline: Time | None = None
    """A message that takes longer is late."""
    direction: AppDirection | None = None
    """Who writes. Without it "download"."""
    message_bytes: Bytes | None = None
    """The size of a message. Without it "1 KB"."""


@dataclass(slots=True)
class OnOff(App):
    """Writes messages at a constant rate for a time, pauses, and so on."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'off': ('form', 'TimesFrom|TimesExponential|TimesPareto|TimesLognormal'), 'on': ('form', 'TimesFrom|TimesExponential|TimesPareto|TimesLognormal')}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'on-off')
    _: KW_ONLY
    duration: Time
    """For how long altogether."""
    off: Times
    """For how long it pauses."""
    on: Times
    """For how long it writes."""
    rate: Rate
    """How much is written per time while it writes."""
    deadline: Time | None = None
    """A message that takes longer is late."""
    direction: AppDirection | None = None
    """Who writes. Without it "download"."""
    message_bytes: Bytes | None = None
    """The size of a message. Without it "1 KB"."""


@dataclass(slots=True)
class Trace(App):
    """Writes what was recorded, when it was recorded."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'trace')
    file: str
    """A CSV file beside the scenario with the columns `time_s` (seconds from the start of the
    flow, in order) and `bytes`.
    """
    _: KW_ONLY
    deadline: Time | None = None
    """A message that takes longer is late."""
    direction: AppDirection | None = None
    """Who writes. Without it "download"."""


@dataclass(slots=True)
class Video(App):
    """Plays an adaptive video (DASH): fetches segment after segment, each in the quality that
    the network or the buffer allows, and stalls when the buffer is empty.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'video')
    segments: int
    """How many segments are played."""
    _: KW_ONLY
    adaptation: Adaptation | None = None
    """How the quality is chosen. Without it "throughput"."""
    bitrates: list[Rate] | None = None
    """The bit rates in which the video exists, the lowest first. Without it ["400 kbit/s",
    "800 kbit/s", "1500 kbit/s", "3 Mbit/s", "6 Mbit/s"].
    """
    buffer: Time | None = None
    """No segment is fetched while there is more than this in the buffer. Without it "30 s"."""
    segment: Time | None = None
    """How long a segment plays. Without it "4 s"."""
    startup: Time | None = None
    """Playing begins, and begins again after a stall, with this much in the buffer. Without it
    "4 s".
    """


@dataclass(slots=True)
class CapacitySteps(Node):
    """A rate that changes at given times."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'steps': ('list', 'RateStep')}
    steps: list[RateStep]
    """From when which rate holds, in order; the first one holds before its time too."""
    _: KW_ONLY
    period: Time | None = None
    """After this time the steps begin again; without it the last one holds on."""


@dataclass(slots=True)
class CapacitySeries(Node):
    """A rate that changes as a table says."""
    series: str
    """A CSV file with the columns `time_s` and `rate_bps`, others beside them or not: from
    when which rate holds. Looked for beside the scenario.
    """
    _: KW_ONLY
    period: Time | None = None
    """After this time the table begins again; without it the last row holds on."""


@dataclass(slots=True)
class CapacityTrace(Node):
    """Delivery opportunities recorded on a real link."""
    trace: str
    """A file in the format of Mahimahi: a line with a time in milliseconds for each 1500 bytes
    that may leave. Looked for beside the scenario; repeats at its end.
    """


@dataclass(slots=True)
class CapacityAmong(Node):
    """A rate that goes up and down between neighbours in a list, as that of WiFi between its
    modulations.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'holding': ('form', 'TimesFrom|TimesExponential|TimesPareto|TimesLognormal')}
    _: KW_ONLY
    among: list[Rate]
    """The rates, the slowest first; the middle one comes first."""
    holding: Times
    """How long a rate holds."""


@dataclass(slots=True)
class CapacityCellular(Node):
    """Opportunities to send 1500 bytes as the scheduler of a cell grants them: a Poisson
    process whose rate wanders like a Brownian motion between zero and twice its mean, and
    stays at zero for a while when it gets there (K. Winstein et al., "Stochastic Forecasts
    Achieve High Throughput and Low Delay over Cellular Networks", NSDI 2013, section 3.1).
    """
    cellular: Rate
    """The mean rate, outages aside."""
    _: KW_ONLY
    outage: Time | None = None
    """How long the rate stays at zero: the mean of an exponential distribution. It soon comes
    back there, so that outages of a second and more come about; the paper's forecasts are
    cautious and say `1 s`. Without it "100 ms".
    """
    period: Time | None = None
    """After this time, or that of the run if it is shorter, the same comes again. Without it
    "60 s".
    """
    volatility: Rate | None = None
    """How far the rate wanders in a second: the standard deviation. Without it two fifths of
    the mean, as in the paper.
    """


@dataclass(slots=True)
class Coverage(Node):
    """When a link (`link`) or the interface of a host (`host` and `interface`) carries
    packets: it is down at all other times, as if the timeline said so.
    """
    intervals: list[str]
    """The times with coverage, in order."""
    _: KW_ONLY
    host: str | None = None
    """The host with the interface."""
    interface: str | None = None
    """The interface; its host sees it go down, as far as its path manager looks."""
    link: str | None = None
    """The link. Nobody is told when it goes down."""


@dataclass(slots=True)
class DelaySteps(Node):
    """A delay that changes at given times."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'steps': ('list', 'DelayStep')}
    steps: list[DelayStep]
    """From when which delay holds, in order; the first one holds before its time too."""
    _: KW_ONLY
    period: Time | None = None
    """After this time the steps begin again; without it the last one holds on."""


@dataclass(slots=True)
class DelaySeries(Node):
    """A delay that changes as a table says."""
    series: str
    """A CSV file with the columns `time_s` and `delay_s`, others beside them or not: from when
    which delay holds. Looked for beside the scenario.
    """
    _: KW_ONLY
    period: Time | None = None
    """After this time the table begins again; without it the last row holds on."""


@dataclass(slots=True)
class DelayDrawn(Node):
    """A delay that is drawn anew again and again, as that of a satellite link at each handover."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'drawn': ('form', 'TimesFrom|TimesExponential|TimesPareto|TimesLognormal')}
    _: KW_ONLY
    drawn: Times
    """What it is drawn from."""
    every: Time
    """How long each holds."""


@dataclass(slots=True)
class DelayStep(Node):
    """A delay that holds from a given time on."""
    _: KW_ONLY
    at: Time
    """When the delay begins to hold."""
    delay: Time
    """The delay."""


@dataclass(slots=True)
class Endpoint(Node):
    """An address that the in-kernel path manager may use."""
    _: KW_ONLY
    address: str | None = None
    """The address, instead of an interface."""
    flags: list[EndpointFlag] | None = None
    """What the address is used for."""
    id: int | None = None
    """The address identifier; without it the next free one."""
    interface: str | None = None
    """The interface whose first address is meant."""
    port: int | None = None
    """A port to announce with the address; only with the flag `signal`."""


class EndpointChange(Node):
    """A change of the endpoints of a host."""
    __slots__ = ()


@dataclass(slots=True)
class AddEndpoint(EndpointChange):
    """A new endpoint."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('action', 'add')
    _: KW_ONLY
    address: str | None = None
    """The address, instead of an interface."""
    flags: list[EndpointFlag] | None = None
    """What the address is used for."""
    id: int | None = None
    """The address identifier; without it the next free one."""
    interface: str | None = None
    """The interface whose first address is meant."""
    port: int | None = None
    """A port to announce with the address; only with the flag `signal`."""


@dataclass(slots=True)
class RemoveEndpoint(EndpointChange):
    """An endpoint goes: its subflows are closed and the peer is told."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('action', 'remove')
    _: KW_ONLY
    address: str | None = None
    """Or its address."""
    id: int | None = None
    """The identifier of the endpoint; 0 stands for the address that connections began with."""
    interface: str | None = None
    """Or its interface."""


@dataclass(slots=True)
class ChangeEndpoint(EndpointChange):
    """An endpoint gets other flags: its subflows become backups, or the opposite."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('action', 'change')
    flags: list[EndpointFlag]
    """All flags it has from then on."""
    _: KW_ONLY
    address: str | None = None
    """Or its address."""
    id: int | None = None
    """The identifier of the endpoint."""
    interface: str | None = None
    """Or its interface."""


@dataclass(slots=True)
class EndpointLimits(Node):
    """How many subflows the in-kernel path manager allows."""
    _: KW_ONLY
    add_addr_accepted: int | None = None
    """Announced addresses of the peer that are used; without it 0."""
    subflows: int | None = None
    """Subflows of a connection beyond the first, opened or accepted; without it 2, or as many
    as the endpoints made by default need.
    """


@dataclass(slots=True)
class Flow(Node):
    """A connection and what runs over it."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'app': ('one', 'Bulk|Timed|Request|Page|ConstantRate|OnOff|Trace|Video'), 'mptcp': ('one', 'FlowMptcp'), 'repeat': ('one', 'Repeat')}
    app: App | policies.App | type[policies.App]
    """What runs over the connection."""
    _: KW_ONLY
    accepting_protocol: Protocol | None = None
    """Which kind of socket accepts it; without it the same kind."""
    congestion_control: CongestionControlName | str | policies.CongestionControl | type[policies.CongestionControl] | None = None
    """The congestion control of both ends; without it what the hosts' sysctls say."""
    congestion_parameters: dict[str, int] = field(default_factory=dict)
    """Parameters of the congestion control, in place of those of the hosts' kernel modules."""
    destination: str | None = None
    """Interface or address the first subflow goes to; without it that of the first path
    between the hosts.
    """
    fast_open: bool | None = None
    """Opens with TCP Fast Open (RFC 7413), as set with TCP_FASTOPEN and TCP_FASTOPEN_CONNECT:
    once the client has the server's cookie, from an earlier connection, the SYN carries the
    first data. The hosts' sysctl `net.ipv4.tcp_fastopen` has to allow it; as it is preset,
    servers do not.
    """
    from_: str | None = None
    """The host that opens the connection; without it the first end of the first path."""
    md5_key: str | None = None
    """A key of at most 80 bytes that signs all segments of both ends (RFC 2385), as set with
    TCP_MD5SIG. Such a connection is plain TCP.
    """
    mptcp: FlowMptcp = field(default_factory=lambda: FlowMptcp())
    """How MPTCP uses its subflows."""
    name: str | None = None
    """The name results use for this flow; without it `flow1`, `flow2` and so on."""
    port: int | None = None
    """Port that `to` listens on, another one for each flow; without it 5001 for the first
    flow, 5002 for the second and so on.
    """
    protocol: Protocol | None = None
    """Which kind of socket opens the connection. Without it "mptcp"."""
    reads_after: Time | None = None
    """How long after the connection was made its ends begin to read; what arrives before fills
    their receive buffers, and the windows close. Without it they read at once.
    """
    receive_buffer: Bytes | None = None
    """A fixed receive buffer at both ends, as set with SO_RCVBUF, but whatever
    `net.core.rmem_max` allows (as with SO_RCVBUFFORCE); without it the kernel tunes it.
    """
    repeat: Repeat | None = None
    """The same flow several times, one after the other. What is drawn at random is drawn anew
    for each.
    """
    send_buffer: Bytes | None = None
    """A fixed send buffer at both ends, as set with SO_SNDBUF; without it the kernel tunes it."""
    source: str | None = None
    """Interface or address the first subflow leaves from; without it that of the first path
    between the hosts.
    """
    start: Time | None = None
    """When the connection is opened; without it at once."""
    to: str | None = None
    """The host that accepts it; without it the other one of two hosts."""


@dataclass(slots=True)
class FlowMptcp(Node):
    """How MPTCP uses its subflows."""
    _: KW_ONLY
    path_manager: PathManagerName | str | policies.PathManager | type[policies.PathManager] | None = None
    """Who opens subflows and announces addresses, at both ends; without it what the hosts'
    sysctls say.
    """
    path_manager_parameters: dict[str, int] = field(default_factory=dict)
    """Parameters of the path manager, in place of those of the hosts' kernel modules."""
    scheduler: SchedulerName | str | policies.Scheduler | type[policies.Scheduler] | None = None
    """Which subflow carries the next data; without it what the hosts' sysctls say."""
    scheduler_parameters: dict[str, int] = field(default_factory=dict)
    """Parameters of the scheduler, in place of those of the hosts' kernel modules."""


@dataclass(slots=True)
class Host(Node):
    """A host and its settings."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'mptcp': ('one', 'HostMptcp'), 'mptcpd': ('one', 'Mptcpd'), 'route': ('one', 'RouteAttributes')}
    _: KW_ONLY
    addresses: dict[str, Addresses] = field(default_factory=dict)
    """The address of each interface, or a list of addresses."""
    module_parameters: dict[str, int] = field(default_factory=dict)
    """Parameters of kernel modules, as in `/sys/module/mptcp_wvegas/parameters/total_alpha`."""
    mptcp: HostMptcp | None = None
    """What `ip mptcp` configures."""
    mptcpd: Mptcpd | None = None
    """The daemon mptcpd, if it runs on the host."""
    radios: dict[str, Radio] = field(default_factory=dict)
    """What draws power, by the name of the interface: energy.csv tells how much."""
    route: RouteAttributes = field(default_factory=lambda: RouteAttributes())
    """What `ip route` configures, for all routes of the host alike."""
    stack: Stack | None = None
    """Whose TCP and MPTCP the host runs. Without it "upstream"."""
    sysctl: dict[str, SysctlValue] = field(default_factory=dict)
    """Settings by the names they have on that stack; `mptcpsim list sysctls` shows them all."""


@dataclass(slots=True)
class HostMptcp(Node):
    """What `ip mptcp` configures on a host."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'endpoints': ('list', 'Endpoint'), 'limits': ('one', 'EndpointLimits')}
    _: KW_ONLY
    endpoints: list[Endpoint] | None = None
    """Endpoints (`ip mptcp endpoint`). Without this key a host with several addresses that
    opens connections has a `subflow` endpoint for each, as NetworkManager sets up; an empty
    list means none.
    """
    limits: EndpointLimits = field(default_factory=lambda: EndpointLimits())
    """Limits (`ip mptcp limits`)."""
    multipath: dict[str, Multipath] = field(default_factory=dict)
    """What interfaces may be used for (`ip link set dev IFACE multipath ...` of the out-of-
    tree stack).
    """


class Jitter(Node):
    """Delay that varies from packet to packet, on top of the link's own."""
    __slots__ = ()


@dataclass(slots=True)
class UniformJitter(Jitter):
    """Any value up to a largest one is as likely as any other."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('distribution', 'uniform')
    max: Time
    """The largest extra delay."""
    _: KW_ONLY
    reorder: bool | None = None
    """Let packets overtake each other; otherwise none arrives before its predecessor. Without
    it false.
    """


@dataclass(slots=True)
class NormalJitter(Jitter):
    """Around a mean, bell-shaped and never negative."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('distribution', 'normal')
    _: KW_ONLY
    deviation: Time
    """Its standard deviation."""
    mean: Time
    """The mean extra delay."""
    reorder: bool | None = None
    """Let packets overtake each other; otherwise none arrives before its predecessor. Without
    it false.
    """


@dataclass(slots=True)
class ExponentialJitter(Jitter):
    """Mostly small with a long tail."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('distribution', 'exponential')
    _: KW_ONLY
    cap: Time
    """The largest extra delay."""
    mean: Time
    """The mean extra delay."""
    reorder: bool | None = None
    """Let packets overtake each other; otherwise none arrives before its predecessor. Without
    it false.
    """


@dataclass(slots=True)
class Link(Node):
    """A link: the keys of both directions, and what differs in one of them."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'delay': ('form', 'DelaySteps|DelaySeries|DelayDrawn'), 'down': ('one', 'OneWay'), 'jitter': ('one', 'UniformJitter|NormalJitter|ExponentialJitter'), 'loss': ('one', 'BernoulliLoss|GilbertElliottLoss|ListLoss'), 'outages': ('list', 'Outage'), 'queue': ('one', 'DroptailQueue|RedQueue|CodelQueue|EcnThresholdQueue|FqCodelQueue'), 'rate': ('form', 'CapacitySteps|CapacitySeries|CapacityTrace|CapacityAmong|CapacityCellular'), 'up': ('one', 'OneWay')}
    _: KW_ONLY
    corruption: Probability | None = None
    """How often a packet arrives with a bit changed."""
    delay: Delay | None = None
    """Propagation delay, one way: always the same, or varying over time."""
    down: OneWay | None = None
    """What differs from the second end of a path to the first (download)."""
    duplication: Probability | None = None
    """How often a packet arrives twice."""
    jitter: Jitter | None = None
    """Delay that varies from packet to packet."""
    loss: Loss | None = None
    """Random loss after serialisation: a lost packet has used capacity."""
    outages: list[Outage] | None = None
    """Times in which nothing is served while packets wait in the queue."""
    preset: LinkPreset | None = None
    """What keys that are not given are like."""
    queue: Queue | None = None
    """The queue in front of the link; without it drop-tail with room for one bandwidth-delay
    product.
    """
    rate: Capacity | None = None
    """How fast packets leave the queue, counted in bytes from the IP header on: a rate, or how
    it varies.
    """
    up: OneWay | None = None
    """What differs from the first end of a path to the second (upload, in the usual client-
    first order).
    """


@dataclass(slots=True)
class LinkSet(Node):
    """What a link is from a given time on; what is not named stays."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'loss': ('one', 'BernoulliLoss|GilbertElliottLoss|ListLoss')}
    _: KW_ONLY
    delay: Time | None = None
    """The propagation delay, one way."""
    limit: Limit | None = None
    """The limit of the queue."""
    loss: Loss | None = None
    """The loss model."""
    rate: Rate | None = None
    """The rate; a packet in service finishes at the new one."""
    up: bool | None = None
    """Whether the link carries packets. A link that goes down loses what is queued or in
    flight, silently.
    """


class Loss(Node):
    """Which packets are lost after they were serialised."""
    __slots__ = ()


@dataclass(slots=True)
class BernoulliLoss(Loss):
    """Every packet with the same probability, independently."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('model', 'bernoulli')
    probability: Probability
    """The probability that a packet is lost."""
    _: KW_ONLY
    direction: Directions | None = None
    """In which direction of the link. Without it "both"."""
    filter: PacketFilter | None = None
    """Which packets can be lost. Without it "all"."""


@dataclass(slots=True)
class GilbertElliottLoss(Loss):
    """Bursts: a good and a bad state, each with its own loss (Gilbert 1960, Elliott 1963)."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('model', 'gilbert-elliott')
    _: KW_ONLY
    bad_to_good: Probability
    """Probability per packet to go from the bad state to the good one (r)."""
    good_to_bad: Probability
    """Probability per packet to go from the good state to the bad one (p)."""
    direction: Directions | None = None
    """In which direction of the link. Without it "both"."""
    filter: PacketFilter | None = None
    """Which packets can be lost. Without it "all"."""
    loss_in_bad: Probability | None = None
    """Loss in the bad state (1-h). Without it "100 %"."""
    loss_in_good: Probability | None = None
    """Loss in the good state (1-k). Without it "0 %"."""


@dataclass(slots=True)
class ListLoss(Loss):
    """Exactly the packets that are named."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('model', 'list')
    numbers: list[int]
    """Which packets of the direction, counted from 1 among those the filter lets through."""
    _: KW_ONLY
    direction: Directions | None = None
    """In which direction of the link. Without it "both"."""
    filter: PacketFilter | None = None
    """Which packets are counted. Without it "all"."""


class Matrix(Node):
    """Which hosts open connections to which. A host that both opens and accepts some is two
    hosts at one link, `NAME` and `NAME-in`.
    """
    __slots__ = ()


@dataclass(slots=True)
class PairsMatrix(Matrix):
    """The pairs that the topology itself is about; in a topology without any, as `permutation`."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'pairs')
    _: KW_ONLY


@dataclass(slots=True)
class PermutationMatrix(Matrix):
    """Every host to one other, every host from one other, at random."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'permutation')
    _: KW_ONLY


@dataclass(slots=True)
class OneToManyMatrix(Matrix):
    """Every host to several others at random."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'one-to-many')
    fan: int
    """To how many."""


@dataclass(slots=True)
class SparseMatrix(Matrix):
    """Some of the hosts, drawn at random, to one other each."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'sparse')
    percent: int
    """Which part of the hosts opens connections, in percent."""


@dataclass(slots=True)
class IncastMatrix(Matrix):
    """Several hosts, drawn at random, all to one."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'incast')
    senders: int
    """How many."""


@dataclass(slots=True)
class AllToAllMatrix(Matrix):
    """Every host to every other."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'all-to-all')
    _: KW_ONLY


@dataclass(slots=True)
class Middlebox(Node):
    """A middlebox: what it does, and to which segments."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'action': ('one', 'StripBox|DropBox|HoldBox|EchoBox|NatBox|SequenceBox|SplitBox|CoalesceBox|CorruptBox|AlgBox|ReorderOptionsBox|ClampBox|AckProxyBox|SplitProxyBox|FirewallBox|IcmpBox'), 'only': ('one', 'Only')}
    action: Action | policies.Box | type[policies.Box]
    """What it does."""
    _: KW_ONLY
    only: Only = field(default_factory=lambda: Only())
    """Which segments it looks at; without it all."""


@dataclass(slots=True)
class Mptcpd(Node):
    """The configuration of the daemon mptcpd, under the names of its own file."""
    _: KW_ONLY
    addr_flags: list[EndpointFlag] | None = None
    """Flags of the endpoints that `addr_adv` makes; without it `subflow`."""
    load_plugins: list[MptcpdPlugin] | None = None
    """The plugins that are loaded. Without it []."""
    notify_flags: list[NotifyFlag] | None = None
    """Which addresses plugins are told of; without it `existing`, `skip_link_local` and
    `skip_loopback`.
    """
    path_manager: MptcpdPlugin | None = None
    """The plugin that connections are given to; without it the one with the best priority."""


@dataclass(slots=True)
class OneWay(Node):
    """One direction of a link, in the order a packet meets it: queue, serialisation, loss,
    delay.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'delay': ('form', 'DelaySteps|DelaySeries|DelayDrawn'), 'jitter': ('one', 'UniformJitter|NormalJitter|ExponentialJitter'), 'loss': ('one', 'BernoulliLoss|GilbertElliottLoss|ListLoss'), 'outages': ('list', 'Outage'), 'queue': ('one', 'DroptailQueue|RedQueue|CodelQueue|EcnThresholdQueue|FqCodelQueue'), 'rate': ('form', 'CapacitySteps|CapacitySeries|CapacityTrace|CapacityAmong|CapacityCellular')}
    _: KW_ONLY
    corruption: Probability | None = None
    """How often a packet arrives with a bit changed."""
    delay: Delay | None = None
    """Propagation delay, one way: always the same, or varying over time."""
    duplication: Probability | None = None
    """How often a packet arrives twice."""
    jitter: Jitter | None = None
    """Delay that varies from packet to packet."""
    loss: Loss | None = None
    """Random loss after serialisation: a lost packet has used capacity."""
    outages: list[Outage] | None = None
    """Times in which nothing is served while packets wait in the queue."""
    queue: Queue | None = None
    """The queue in front of the link; without it drop-tail with room for one bandwidth-delay
    product.
    """
    rate: Capacity | None = None
    """How fast packets leave the queue, counted in bytes from the IP header on: a rate, or how
    it varies.
    """


@dataclass(slots=True)
class Only(Node):
    """Which segments a middlebox looks at; the others pass."""
    _: KW_ONLY
    after: Time | None = None
    """Not before this time."""
    count: int | None = None
    """At most so many segments of each subflow are touched."""
    direction: Directions | None = None
    """In which direction of its paths. Without it "both"."""
    from_: int | None = None
    """From this data segment of a subflow and direction on, counted from 1."""
    on: list[SegmentKind] | None = None
    """Segments of these kinds; without it all. A third ACK is the first segment behind the SYN
    of the end that opened the subflow, with data or without.
    """
    probability: Probability | None = None
    """Each segment with this probability."""
    with_: list[OptionName] | None = None
    """Segments that carry one of these options; without it all."""


@dataclass(slots=True)
class Outage(Node):
    """A time in which a link serves nothing."""
    _: KW_ONLY
    from_: Time
    """When service stops."""
    to: Time
    """When service resumes."""


@dataclass(slots=True)
class Path(Node):
    """A way between two interfaces. The long form names its ends and its links. The short form
    gives the link's own keys instead: without `via` the path is a link of its own, and
    without `between` it joins the hosts `client` and `server`, each with one more interface
    named like the path, with the addresses 10.0.N.1 and 10.0.N.2 for the N-th path.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'delay': ('form', 'DelaySteps|DelaySeries|DelayDrawn'), 'down': ('one', 'OneWay'), 'jitter': ('one', 'UniformJitter|NormalJitter|ExponentialJitter'), 'loss': ('one', 'BernoulliLoss|GilbertElliottLoss|ListLoss'), 'outages': ('list', 'Outage'), 'queue': ('one', 'DroptailQueue|RedQueue|CodelQueue|EcnThresholdQueue|FqCodelQueue'), 'rate': ('form', 'CapacitySteps|CapacitySeries|CapacityTrace|CapacityAmong|CapacityCellular'), 'up': ('one', 'OneWay')}
    _: KW_ONLY
    between: Sequence[str] | None = None
    """The two ends as `host.interface`. The `up` direction of the links leads from the first
    to the second.
    """
    corruption: Probability | None = None
    """How often a packet arrives with a bit changed."""
    delay: Delay | None = None
    """Propagation delay, one way: always the same, or varying over time."""
    down: OneWay | None = None
    """What differs from the second end of a path to the first (download)."""
    duplication: Probability | None = None
    """How often a packet arrives twice."""
    jitter: Jitter | None = None
    """Delay that varies from packet to packet."""
    loss: Loss | None = None
    """Random loss after serialisation: a lost packet has used capacity."""
    middleboxes: list[str] | None = None
    """The names of middleboxes in front of the link of the short form, in order from the first
    end.
    """
    name: str | None = None
    """The name results use for this path; without it the names of its links."""
    outages: list[Outage] | None = None
    """Times in which nothing is served while packets wait in the queue."""
    preset: LinkPreset | None = None
    """What keys that are not given are like."""
    queue: Queue | None = None
    """The queue in front of the link; without it drop-tail with room for one bandwidth-delay
    product.
    """
    rate: Capacity | None = None
    """How fast packets leave the queue, counted in bytes from the IP header on: a rate, or how
    it varies.
    """
    relays: list[str] | None = None
    """Gateways that packets must be sent through to take this path, as the path manager
    `binder` does. Other paths may join the same interfaces.
    """
    up: OneWay | None = None
    """What differs from the first end of a path to the second (upload, in the usual client-
    first order).
    """
    via: list[str] | None = None
    """The names of the links and middleboxes on the way, in order from the first end; at least
    one link. `NAME.down` is the link `NAME` passed from its far end.
    """


class Queue(Node):
    """Which packets wait, which are marked and which are dropped. Limits count packets not yet
    fully serialised, the one in service included: `"100 packets"`, `"150 KB"`, or `"1
    BDP"`, the product of the link's rate and the longest round trip of the paths that use
    it.
    """
    __slots__ = ()


@dataclass(slots=True)
class DroptailQueue(Queue):
    """First in, first out; what does not fit is dropped."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('discipline', 'droptail')
    _: KW_ONLY
    limit: Limit | None = None
    """How much may wait. Without it "1 BDP"."""


@dataclass(slots=True)
class RedQueue(Queue):
    """Random early detection (Floyd and Jacobson 1993), in its gentle form."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('discipline', 'red')
    _: KW_ONLY
    ecn: bool | None = None
    """Mark packets that allow it instead of dropping them. Without it false."""
    limit: Limit | None = None
    """How much may wait at most. Without it "2 BDP"."""
    max: Limit | None = None
    """Average backlog at which their probability reaches `max_probability`; at twice this it
    is 1. Without it "0.75 BDP".
    """
    max_probability: Probability | None = None
    """Probability of a drop or mark at the average backlog `max`. Without it "2 %"."""
    min: Limit | None = None
    """Average backlog at which drops or marks begin. Without it "0.25 BDP"."""
    weight: float | None = None
    """Weight of a new sample in the average backlog. Without it 0.002."""


@dataclass(slots=True)
class CodelQueue(Queue):
    """CoDel (RFC 8289): drops from the head once packets have waited too long."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('discipline', 'codel')
    _: KW_ONLY
    ecn: bool | None = None
    """Mark packets that allow it instead of dropping them. Without it false."""
    interval: Time | None = None
    """For how long it must be exceeded: about the longest round trip. Without it "100 ms"."""
    limit: Limit | None = None
    """How much may wait at most. Without it "1000 packets"."""
    target: Time | None = None
    """Waiting time that is tolerated for longer than an `interval`. Without it "5 ms"."""


@dataclass(slots=True)
class EcnThresholdQueue(Queue):
    """Marks every packet that arrives above a threshold, as data-centre switches do for DCTCP
    (RFC 8257).
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('discipline', 'ecn-threshold')
    mark: Limit
    """Backlog above which packets are marked."""
    _: KW_ONLY
    limit: Limit | None = None
    """How much may wait at most. Without it "1 BDP"."""


@dataclass(slots=True)
class FqCodelQueue(Queue):
    """FQ-CoDel (RFC 8290): a CoDel queue per flow, served in turn."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('discipline', 'fq-codel')
    _: KW_ONLY
    ecn: bool | None = None
    """Mark packets that allow it instead of dropping them. Without it true."""
    flows: int | None = None
    """Number of queues that flows are hashed to. Without it 1024."""
    interval: Time | None = None
    """For how long it must be exceeded: about the longest round trip. Without it "100 ms"."""
    limit: Limit | None = None
    """How much may wait in all queues together. Without it "10240 packets"."""
    quantum: int | None = None
    """Bytes a queue may send in its turn. Without it 1514."""
    target: Time | None = None
    """Waiting time that is tolerated for longer than an `interval`. Without it "5 ms"."""


@dataclass(slots=True)
class RadioPower(Node):
    """The power states of a radio and what data costs (the model of J. Huang et al., MobiSys
    2012): a packet wakes it up, it stays active, then in its tail, then falls idle.
    """
    _: KW_ONLY
    active_mw: float
    """What it draws while active, before data is counted."""
    hold: Time
    """How long it stays active after a packet."""
    download_mw_per_mbps: float | None = None
    """What receiving draws beside that, per Mbit/s. Without it 0.0."""
    idle_mw: float | None = None
    """What it draws while idle, on average, in milliwatts. Without it 0.0."""
    promotion: Time | None = None
    """How long that takes. Packets are not delayed by it: links have their delays. Without it
    "0 s".
    """
    promotion_mw: float | None = None
    """What it draws while it is woken up. Without it 0.0."""
    tail: Time | None = None
    """How long the tail lasts. Without it "0 s"."""
    tail_mw: float | None = None
    """What it draws in its tail. Without it 0.0."""
    upload_mw_per_mbps: float | None = None
    """What sending draws beside that, per Mbit/s. Without it 0.0."""


@dataclass(slots=True)
class Range(Node):
    """All values between two ends."""
    _: KW_ONLY
    from_: Any
    """The lower end: a number, a rate, a time, a number of bytes or a probability."""
    to: Any
    """The upper end, of the same kind."""
    scale: Scale | None = None
    """How values spread between the ends. Without it "linear"."""


@dataclass(slots=True)
class RateStep(Node):
    """A rate that holds from a given time on."""
    _: KW_ONLY
    at: Time
    """When the rate begins to hold."""
    rate: Rate
    """The rate."""


@dataclass(slots=True)
class Record(Node):
    """What a run writes down."""
    _: KW_ONLY
    interval: Time | None = None
    """The time between two samples of the time series; without it 100 ms."""
    nstat: bool | None = None
    """Write the counters of all hosts into `nstat.txt`, as `nstat -az` prints them."""
    options: bool | None = None
    """Tell in the events each MPTCP option that a host sends or receives."""
    pcap: bool | None = None
    """Write what each host sends and receives as pcapng."""
    sequence: bool | None = None
    """Write which data went over which subflow when into `sequence.csv`, and draw it, as
    mptcptrace does.
    """
    snap_length: Bytes | None = None
    """How many bytes of a packet a capture keeps; without it 200 bytes, the headers with all
    options and the first bytes of data; `0 B` for all.
    """
    ss: bool | None = None
    """Write the sockets of all hosts in the end into `ss.txt`, as `ss -tiM` prints them."""
    ss_at: list[Time] | None = None
    """Write them as they are at these times, too."""
    tables: list[Table] | None = None
    """Which tables are written; without it all but `sequence`."""


@dataclass(slots=True)
class Repeat(Node):
    """A flow that is opened again and again, each time as a connection of its own."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'every': ('form', 'TimesFrom|TimesExponential|TimesPareto|TimesLognormal')}
    _: KW_ONLY
    at: list[Time] | None = None
    """When they start, counted from `start`, in place of `every`."""
    every: Times | None = None
    """The time from one start to the next; `{ exponential = "200 ms" }` makes it a Poisson
    process.
    """
    file: str | None = None
    """When they start and what they carry, in place of `every` and of the `bytes` of the
    application, which is `bulk`: a CSV file beside the scenario with the columns `time_s`
    and `bytes`, a connection a row.
    """
    times: int | None = None
    """How many connections there are; `at` and `file` say so themselves."""


@dataclass(slots=True)
class RouteAttributes(Node):
    """Attributes of routes that change how TCP behaves."""
    _: KW_ONLY
    initcwnd: int | None = None
    """Initial congestion window in packets; without it 10 (RFC 6928)."""
    mtu: int | None = None
    """Largest IP packet in bytes; without it 1500."""
    quickack: bool | None = None
    """Acknowledge every segment at once instead of every second one."""


@dataclass(slots=True)
class Sample(Node):
    """Points drawn at random from ranges of keys."""
    points: int
    """How many points there are."""
    _: KW_ONLY
    design: SampleDesign | None = None
    """How the points are drawn. Without it "latin-hypercube"."""
    seed: int | None = None
    """The seed of the draw; it has nothing to do with the seeds of the runs. Without it 1.
    Without it 1.
    """
    vary: dict[str, Sequence[Any]] = field(default_factory=dict)
    """The lists of values, by the paths of their keys."""


class Shape(Node):
    """The shape of a network."""
    __slots__ = ()


@dataclass(slots=True)
class Parallel(Shape):
    """A client and a server joined by links side by side, `link1`, `link2` and so on; one pair."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'parallel')
    _: KW_ONLY
    links: int | None = None
    """How many links. Without it 2."""


@dataclass(slots=True)
class Dumbbell(Shape):
    """Hosts on the left send to hosts on the right through one link, `bottleneck`; each host
    has a link of its own to it.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'dumbbell')
    pairs: int
    """How many pairs of hosts."""


@dataclass(slots=True)
class SharedBottleneck(Shape):
    """As `dumbbell`, but each left host has several links of its own, all of which lead into
    `bottleneck`.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'shared-bottleneck')
    _: KW_ONLY
    links: int | None = None
    """How many links each left host has. Without it 2."""
    pairs: int | None = None
    """How many pairs of hosts. Without it 2."""


@dataclass(slots=True)
class Triangle(Shape):
    """Three links, `link1` to `link3`, and three pairs: each has one link to itself for a
    short path, and a long path over the other two (Wischik et al., NSDI 2011, section 2).
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'triangle')
    _: KW_ONLY


@dataclass(slots=True)
class Torus(Shape):
    """Links in a ring, `link1` to `linkN`, and as many pairs: pair i has a path over link i
    and one over the next (Wischik et al., NSDI 2011, section 3).
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'torus')
    _: KW_ONLY
    links: int | None = None
    """How many links and pairs. Without it 5."""


@dataclass(slots=True)
class Fattree(Shape):
    """Pods of edge and aggregation switches under a core: k^3/4 hosts with (k/2)^2 paths
    between pods (Al-Fares et al., SIGCOMM 2008). Hosts `h0` and so on, switches `e`, `a`
    and `c` with a number.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'fattree')
    k: int
    """The number of ports of a switch, even."""


@dataclass(slots=True)
class Bcube(Shape):
    """Hosts with several ports that forward for each other: n^(levels + 1) hosts with levels +
    1 disjoint paths between any two (Guo et al., SIGCOMM 2009). Hosts `h0` and so on,
    switches `s` with level and number.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'bcube')
    _: KW_ONLY
    levels: int
    """The highest level of switches, from 0."""
    n: int
    """The number of ports of a switch."""


@dataclass(slots=True)
class Graph(Shape):
    """Nodes joined by cables; nodes with a single name are hosts if `hosts` says so. Paths are
    the shortest ones.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {}
    _tag: ClassVar[tuple[str, str] | None] = ('kind', 'graph')
    _: KW_ONLY
    cables: list[Sequence[str]]
    """The two ends of each cable; the link is called `A-B`."""
    hosts: list[str]
    """Which nodes are hosts."""
    detour: int | None = None
    """How many cables more than the shortest path a path may have. Without it 0."""


@dataclass(slots=True)
class SizePoint(Node):
    """A point of a distribution function of sizes."""
    _: KW_ONLY
    bytes: Bytes
    """The size."""
    probability: float
    """The probability of that size or less."""


@dataclass(slots=True)
class SizesFrom(Node):
    """Each size between two with the same probability."""
    _: KW_ONLY
    from_: Bytes
    """The smallest size."""
    to: Bytes
    """The largest size."""


@dataclass(slots=True)
class SizesExponential(Node):
    """Exponential."""
    exponential: Bytes
    """The mean."""


@dataclass(slots=True)
class SizesPareto(Node):
    """Pareto: many small ones and a few very large ones."""
    _: KW_ONLY
    pareto: Bytes
    """The mean."""
    shape: float
    """Above 1; the nearer to 1, the heavier the tail."""


@dataclass(slots=True)
class SizesLognormal(Node):
    """Lognormal."""
    _: KW_ONLY
    lognormal: Bytes
    """The median."""
    sigma: float
    """The standard deviation of the logarithm."""


@dataclass(slots=True)
class SizesMeasured(Node):
    """A distribution that was measured."""
    measured: MeasuredSizes
    """Which one."""


@dataclass(slots=True)
class SizesCumulative(Node):
    """A distribution function of one's own."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'cumulative': ('list', 'SizePoint')}
    cumulative: list[SizePoint]
    """Its points in order, the last one with probability 1; straight lines between."""


@dataclass(slots=True)
class SweepPlan(Node):
    """What a sweep varies. Its configurations are all combinations of the lists, of the groups
    that vary together, and of the points of the sample; each configuration runs once with
    each seed.
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'sample': ('one', 'Sample')}
    _: KW_ONLY
    sample: Sample | None = None
    """Points drawn from ranges of keys, where a grid would need too many runs."""
    seeds: Seeds | None = None
    """Seeds as a range that includes both ends, `"1..20"`, or as a list; without it the
    scenario's own.
    """
    together: list[dict[str, list[Any]]] | None = None
    """Groups of keys with lists of equal length: all take their first value, then all their
    second, and so on.
    """
    vary: dict[str, Sequence[Any]] = field(default_factory=dict)
    """The lists of values, by the paths of their keys."""


@dataclass(slots=True)
class TimelineEntry(Node):
    """A change: of a link (`link` and `set`), or of a host (`host` and `endpoint`, `host` and
    `limits`, or `host`, `interface` and `up` or `multipath`).
    """
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'endpoint': ('one', 'AddEndpoint|RemoveEndpoint|ChangeEndpoint'), 'limits': ('one', 'EndpointLimits'), 'set': ('one', 'LinkSet')}
    at: Time
    """When it happens. At the same time the environment changes first, then packets move."""
    _: KW_ONLY
    direction: Directions | None = None
    """In which direction of the link."""
    endpoint: EndpointChange | None = None
    """What happens to the endpoints of the host, as with `ip mptcp endpoint`."""
    host: str | None = None
    """The host that changes."""
    interface: str | None = None
    """The interface of the host that goes up or down, or is used in another way. While it is
    down it loses all it sends and receives. The path managers of the out-of-tree stack
    notice after half a second, mptcpd at once, the path manager in the upstream kernel
    never: take its endpoint away too if it is to. Whoever wants nobody to notice, as with a
    cable pulled at the next switch, takes a link down.
    """
    limits: EndpointLimits = field(default_factory=lambda: EndpointLimits())
    """The limits of the host's path manager from then on, as with `ip mptcp limits`; what is
    left out stays.
    """
    link: str | None = None
    """The link that changes."""
    multipath: Multipath | None = None
    """What the interface may be used for from then on (out-of-tree stack)."""
    set: LinkSet | None = None
    """What the link is from then on."""
    up: bool | None = None
    """Whether the interface is up from then on."""


@dataclass(slots=True)
class TimesFrom(Node):
    """Each time between two with the same probability."""
    _: KW_ONLY
    from_: Time
    """The shortest time."""
    to: Time
    """The longest time."""


@dataclass(slots=True)
class TimesExponential(Node):
    """Exponential: between arrivals, a Poisson process."""
    exponential: Time
    """The mean."""


@dataclass(slots=True)
class TimesPareto(Node):
    """Pareto."""
    _: KW_ONLY
    pareto: Time
    """The mean."""
    shape: float
    """Above 1; the nearer to 1, the heavier the tail."""


@dataclass(slots=True)
class TimesLognormal(Node):
    """Lognormal."""
    _: KW_ONLY
    lognormal: Time
    """The median."""
    sigma: float
    """The standard deviation of the logarithm."""


@dataclass(slots=True)
class Topology(Node):
    """A ready network: its links, hosts and paths come from a few numbers."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'access': ('one', 'OneWay'), 'host': ('one', 'Host'), 'link': ('one', 'OneWay'), 'shape': ('one', 'Parallel|Dumbbell|SharedBottleneck|Triangle|Torus|Fattree|Bcube|Graph')}
    _: KW_ONLY
    link: OneWay
    """What each link is, in both directions. A link that `[links]` names is as it says there."""
    shape: Shape
    """What it looks like."""
    access: OneWay | None = None
    """What the links between hosts and the first node are; without it they are like the others."""
    host: Host | None = None
    """What all hosts are. A host that `[hosts]` names is as it says there. Without it
    {"stack": "upstream"}.
    """


@dataclass(slots=True)
class Traffic(Node):
    """Who sends to whom, and over how many paths."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'flow': ('one', 'Flow'), 'matrix': ('one', 'PairsMatrix|PermutationMatrix|OneToManyMatrix|SparseMatrix|IncastMatrix|AllToAllMatrix')}
    flow: Flow
    """What each connection is; `from`, `to` and `name` come from the matrix."""
    _: KW_ONLY
    matrix: Matrix | None = None
    """Which hosts open connections to which. Without it {"kind": "pairs"}."""
    selection: Selection | None = None
    """Which of the shortest paths these are. Without it "ecmp"."""
    spread: Time | None = None
    """Connections begin within this time, each at a random moment; without it all at once."""
    subflows: int | None = None
    """How many paths each connection has, one for each subflow. Without it 1."""


@dataclass(slots=True)
class Scenario(ScenarioBase):
    """An experiment: a network, what flows through it and what to record."""
    _nested: ClassVar[Mapping[str, tuple[str, str]]] = {'coverage': ('list', 'Coverage'), 'flows': ('list', 'Flow'), 'hosts': ('map', 'Host'), 'links': ('map', 'Link'), 'middleboxes': ('map', 'Middlebox'), 'paths': ('list', 'Path'), 'record': ('one', 'Record'), 'sweep': ('one', 'SweepPlan'), 'timeline': ('list', 'TimelineEntry'), 'topology': ('one', 'Topology'), 'traffic': ('one', 'Traffic')}
    _: KW_ONLY
    coverage: list[Coverage] = field(default_factory=list)
    """When links and interfaces of hosts that move carry packets; at other times they are down."""
    duration: Time | None = None
    """When the run ends at the latest; it ends earlier once every flow has finished. Without
    it one minute.
    """
    flows: list[Flow] = field(default_factory=list)
    """The connections that are opened and what runs over them."""
    hosts: dict[str, Host] = field(default_factory=dict)
    """Hosts by name."""
    links: dict[str, Link] = field(default_factory=dict)
    """Links by name. A link has two directions, alike unless `up` or `down` say otherwise."""
    middleboxes: dict[str, Middlebox] = field(default_factory=dict)
    """Middleboxes by name, which stand on paths and change what passes."""
    name: str | None = None
    """The name results carry; without it the name of the file."""
    paths: list[Path] = field(default_factory=list)
    """Which interfaces are joined, and through which links."""
    record: Record = field(default_factory=lambda: Record())
    """What is written down, and how often."""
    seed: int | None = None
    """The seed of every random stream; two runs with the same seed and scenario are identical.
    Without it 1.
    """
    sweep: SweepPlan | None = None
    """What a sweep varies: seeds, and lists of values for keys given by their path."""
    timeline: list[TimelineEntry] = field(default_factory=list)
    """Changes at given times: a link slows down or fails, a host gains or loses an address."""
    topology: Topology | None = None
    """A ready network, which adds its links, hosts and paths to those below."""
    traffic: Traffic | None = None
    """Who sends to whom in the ready network; it adds its flows to those below."""


Addresses: TypeAlias = str | list[str]
"""One address or several."""

Capacity: TypeAlias = Rate | CapacitySteps | CapacitySeries | CapacityTrace | CapacityAmong | CapacityCellular
"""How fast a link serves its queue."""

Delay: TypeAlias = Time | DelaySteps | DelaySeries | DelayDrawn
"""Propagation delay. Where it varies, packets keep the delay they left with and do not overtake each other."""

Domain: TypeAlias = list[Any] | Range
"""Where sampled values come from."""

Radio: TypeAlias = RadioPreset | RadioPower
"""The radio of an interface: one that was measured, by name, or its numbers."""

Seeds: TypeAlias = str | list[int]
"""The seeds of a sweep."""

Sizes: TypeAlias = Bytes | SizesFrom | SizesExponential | SizesPareto | SizesLognormal | SizesMeasured | SizesCumulative
"""A size, or what sizes are drawn from; no drawn size is below 1 B."""

SysctlValue: TypeAlias = int | str
"""The value of a sysctl."""

Times: TypeAlias = Time | TimesFrom | TimesExponential | TimesPareto | TimesLognormal
"""A time, or what times are drawn from."""


CLASSES: dict[str, type[Node]] = {
    "StripBox": StripBox,
    "DropBox": DropBox,
    "HoldBox": HoldBox,
    "EchoBox": EchoBox,
    "NatBox": NatBox,
    "SequenceBox": SequenceBox,
    "SplitBox": SplitBox,
    "CoalesceBox": CoalesceBox,
    "CorruptBox": CorruptBox,
    "AlgBox": AlgBox,
    "ReorderOptionsBox": ReorderOptionsBox,
    "ClampBox": ClampBox,
    "AckProxyBox": AckProxyBox,
    "SplitProxyBox": SplitProxyBox,
    "FirewallBox": FirewallBox,
    "IcmpBox": IcmpBox,
    "Bulk": Bulk,
    "Timed": Timed,
    "Request": Request,
    "Page": Page,
    "ConstantRate": ConstantRate,
    "OnOff": OnOff,
    "Trace": Trace,
    "Video": Video,
    "CapacitySteps": CapacitySteps,
    "CapacitySeries": CapacitySeries,
    "CapacityTrace": CapacityTrace,
    "CapacityAmong": CapacityAmong,
    "CapacityCellular": CapacityCellular,
    "Coverage": Coverage,
    "DelaySteps": DelaySteps,
    "DelaySeries": DelaySeries,
    "DelayDrawn": DelayDrawn,
    "DelayStep": DelayStep,
    "Endpoint": Endpoint,
    "AddEndpoint": AddEndpoint,
    "RemoveEndpoint": RemoveEndpoint,
    "ChangeEndpoint": ChangeEndpoint,
    "EndpointLimits": EndpointLimits,
    "Flow": Flow,
    "FlowMptcp": FlowMptcp,
    "Host": Host,
    "HostMptcp": HostMptcp,
    "UniformJitter": UniformJitter,
    "NormalJitter": NormalJitter,
    "ExponentialJitter": ExponentialJitter,
    "Link": Link,
    "LinkSet": LinkSet,
    "BernoulliLoss": BernoulliLoss,
    "GilbertElliottLoss": GilbertElliottLoss,
    "ListLoss": ListLoss,
    "PairsMatrix": PairsMatrix,
    "PermutationMatrix": PermutationMatrix,
    "OneToManyMatrix": OneToManyMatrix,
    "SparseMatrix": SparseMatrix,
    "IncastMatrix": IncastMatrix,
    "AllToAllMatrix": AllToAllMatrix,
    "Middlebox": Middlebox,
    "Mptcpd": Mptcpd,
    "OneWay": OneWay,
    "Only": Only,
    "Outage": Outage,
    "Path": Path,
    "DroptailQueue": DroptailQueue,
    "RedQueue": RedQueue,
    "CodelQueue": CodelQueue,
    "EcnThresholdQueue": EcnThresholdQueue,
    "FqCodelQueue": FqCodelQueue,
    "RadioPower": RadioPower,
    "Range": Range,
    "RateStep": RateStep,
    "Record": Record,
    "Repeat": Repeat,
    "RouteAttributes": RouteAttributes,
    "Sample": Sample,
    "Parallel": Parallel,
    "Dumbbell": Dumbbell,
    "SharedBottleneck": SharedBottleneck,
    "Triangle": Triangle,
    "Torus": Torus,
    "Fattree": Fattree,
    "Bcube": Bcube,
    "Graph": Graph,
    "SizePoint": SizePoint,
    "SizesFrom": SizesFrom,
    "SizesExponential": SizesExponential,
    "SizesPareto": SizesPareto,
    "SizesLognormal": SizesLognormal,
    "SizesMeasured": SizesMeasured,
    "SizesCumulative": SizesCumulative,
    "SweepPlan": SweepPlan,
    "TimelineEntry": TimelineEntry,
    "TimesFrom": TimesFrom,
    "TimesExponential": TimesExponential,
    "TimesPareto": TimesPareto,
    "TimesLognormal": TimesLognormal,
    "Topology": Topology,
    "Traffic": Traffic,
    "Scenario": Scenario,
}

__all__ = [
    "AckProxyBox",
    "AddEndpoint",
    "AlgBox",
    "AllToAllMatrix",
    "Bcube",
    "BernoulliLoss",
    "Bulk",
    "CapacityAmong",
    "CapacityCellular",
    "CapacitySeries",
    "CapacitySteps",
    "CapacityTrace",
    "ChangeEndpoint",
    "ClampBox",
    "CoalesceBox",
    "CodelQueue",
    "ConstantRate",
    "CorruptBox",
    "Coverage",
    "DelayDrawn",
    "DelaySeries",
    "DelayStep",
    "DelaySteps",
    "DropBox",
    "DroptailQueue",
    "Dumbbell",
    "EchoBox",
    "EcnThresholdQueue",
    "Endpoint",
    "EndpointLimits",
    "ExponentialJitter",
    "Fattree",
    "FirewallBox",
    "Flow",
    "FlowMptcp",
    "FqCodelQueue",
    "GilbertElliottLoss",
    "Graph",
    "HoldBox",
    "Host",
    "HostMptcp",
    "IcmpBox",
    "IncastMatrix",
    "Link",
    "LinkSet",
    "ListLoss",
    "Middlebox",
    "Mptcpd",
    "NatBox",
    "NormalJitter",
    "OnOff",
    "OneToManyMatrix",
    "OneWay",
    "Only",
    "Outage",
    "Page",
    "PairsMatrix",
    "Parallel",
    "Path",
    "PermutationMatrix",
    "RadioPower",
    "Range",
    "RateStep",
    "Record",
    "RedQueue",
    "RemoveEndpoint",
    "ReorderOptionsBox",
    "Repeat",
    "Request",
    "RouteAttributes",
    "Sample",
    "Scenario",
    "SequenceBox",
    "SharedBottleneck",
    "SizePoint",
    "SizesCumulative",
    "SizesExponential",
    "SizesFrom",
    "SizesLognormal",
    "SizesMeasured",
    "SizesPareto",
    "SparseMatrix",
    "SplitBox",
    "SplitProxyBox",
    "StripBox",
    "SweepPlan",
    "Timed",
    "TimelineEntry",
    "TimesExponential",
    "TimesFrom",
    "TimesLognormal",
    "TimesPareto",
    "Topology",
    "Torus",
    "Trace",
    "Traffic",
    "Triangle",
    "UniformJitter",
    "Video",
]
