"""The environments: one simulation, or many side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy
from gymnasium import spaces
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mptcpsim import _mptcpsim
from mptcpsim.errors import Fault, ScenarioError
from mptcpsim.gym.traces import Randomise
from mptcpsim.running import ScenarioLike, as_scenario
from mptcpsim.scenario_types import Scenario

DECISION = ("pending_MB", "window_MB", "repeated")
"""Before a decision, of the connection: data that waits, data that its window still allows, and 1
if what is to be carried was carried before."""
DECISION_SUBFLOW = (
    "sendable",
    "backup",
    "srtt_s",
    "rttvar_s",
    "cwnd_100packets",
    "in_flight_100packets",
    "queued_100packets",
    "recovering",
)
"""... then of each subflow, in order of creation; zeros for those that are not there."""
INTERVAL = ("pending_MB", "in_flight_MB")
"""After an interval, of the connection: data that waits, and data sent and not acknowledged."""
INTERVAL_SUBFLOW = (
    "active",
    "backup",
    "srtt_s",
    "queueing_s",
    "cwnd_100packets",
    "in_flight_100packets",
    "rate_100Mbit_s",
    "lost_100packets",
)
"""... then of each subflow. Rate and losses are those of the interval."""

Array = NDArray[Any]

_SEEDS = 2**32


class _Simulations:
    """Simulations side by side, and the arrays that they fill."""

    def __init__(
        self,
        kind: str,
        count: int,
        *,
        scenario: ScenarioLike = "wifi-lte",
        set: Mapping[str, Any] | None = None,
        flow: int = 0,
        subflows: int = 2,
        interval: str = "100 ms",
        reward: str | None = None,
        delay_weight: float = 1.0,
        loss_weight: float = 1.0,
        randomise: Randomise | None = None,
    ) -> None:
        # Tables are not looked at; the digest is the same without them.
        self.scenario: Scenario = as_scenario(scenario, None, None, {**(set or {}), "record.tables": []})
        if self.scenario.plan()[1]:
            fault = Fault("flows", "an environment knows no other policies written in Python")
            raise ScenarioError((fault,))
        self.kind, self.count, self.flow, self.subflows = kind, count, flow, subflows
        self.randomise = randomise
        reward = reward or ("power" if kind == "congestion" else "time")
        self.native = _mptcpsim.Environments(
            kind, count, subflows, interval, reward, (delay_weight, loss_weight)
        )
        of_connection, of_subflow = (
            (DECISION, DECISION_SUBFLOW) if kind == "scheduling" else (INTERVAL, INTERVAL_SUBFLOW)
        )
        self.first = len(of_connection)
        self.each = len(of_subflow)
        width = self.first + subflows * self.each
        self.observation_space = spaces.Box(0.0, 1e9, (width,), numpy.float32)
        self.action_space: spaces.Discrete | spaces.Box
        if kind == "scheduling":
            self.action_space = spaces.Discrete(subflows + 1)
        else:
            low = 0.0 if kind == "sharing" else -1.0
            self.action_space = spaces.Box(low, 1.0, (subflows,), numpy.float32)
        taken = 1 if kind == "scheduling" else subflows
        self.actions = numpy.zeros((count, taken), numpy.float32)
        self.observations = numpy.zeros((count, width), numpy.float32)
        self.rewards = numpy.zeros(count)
        self.ends = numpy.zeros(count, numpy.uint8)
        self.times = numpy.zeros(count)
        self.seeds = numpy.zeros(count, numpy.int64)

    def begin(
        self, index: int, rng: numpy.random.Generator, options: Mapping[str, Any] | None = None
    ) -> None:
        """Begins an episode with a seed of its own, and what is random in the network."""
        changes = dict(self.randomise(rng, self.scenario)) if self.randomise else {}
        drawn = int(rng.integers(_SEEDS))
        seed = int((options or {}).get("scenario_seed", drawn))
        plan = self.scenario.copy({**changes, "seed": seed}).check()
        self.seeds[index] = seed
        self.native.begin(index, plan, self.flow)

    def step(self, actions: Any) -> None:
        """Takes an action for each, and fills the arrays."""
        given = numpy.asarray(actions, numpy.float32).reshape(self.actions.shape)
        self.actions[:] = numpy.exp2(given) if self.kind == "congestion" else given
        self.look()

    def look(self) -> None:
        """Lets go on what was begun or answered. If that is interrupted, all episodes are over."""
        try:
            self.native.step(self.actions, self.observations, self.rewards, self.ends, self.times)
        except BaseException:
            self.ends[:] = 2
            raise

    def masks(self) -> Array:
        """Which actions do something: a subflow that cannot send is as good as waiting."""
        masks = numpy.ones((self.count, self.subflows + 1), numpy.int8)
        masks[:, :-1] = self.observations[:, self.first :: self.each] > 0
        return masks


class _Environment(gymnasium.Env[Array, Any]):
    """One simulation."""

    metadata: dict[str, Any] = {"render_modes": []}
    kind: ClassVar[str]

    def __init__(self, *, render_mode: None = None, **settings: Any) -> None:
        """An environment with the settings of its class."""
        if render_mode is not None:
            raise ValueError(f"render_mode: there is none, found {render_mode!r}")
        self.render_mode = None
        self._all = _Simulations(self.kind, 1, **settings)
        self.observation_space = self._all.observation_space
        self.action_space = self._all.action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begins an episode. `options` may have a `scenario_seed`, else it is drawn."""
        super().reset(seed=seed)
        self._all.begin(0, self.np_random, options)
        self._all.look()
        return self._all.observations[0].copy(), self._info()

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Takes an action and goes on to the next question, or to the end."""
        if self._all.ends[0]:
            raise gymnasium.error.ResetNeeded("the episode is over: call reset first")
        self._all.step(action)
        end = int(self._all.ends[0])
        reward = float(self._all.rewards[0])
        return self._all.observations[0].copy(), reward, end == 1, end == 2, self._info()

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = {
            "time_s": float(self._all.times[0]),
            "scenario_seed": int(self._all.seeds[0]),
        }
        if self.kind == "scheduling":
            info["action_mask"] = self._all.masks()[0]
        if self._all.ends[0]:
            info["digest"] = self._all.native.digest(0)
        return info


class Scheduling(_Environment):
    """Which subflow carries the next segment. The agent is asked for each segment, as a
    `mptcpsim.Scheduler` is, whenever a subflow can send.

    An action is the number of a subflow, or behind them one more to wait; a subflow that cannot
    send is as good as waiting (`info["action_mask"]`). Who waits is asked again when something has
    changed, so if nothing is in flight that may be never.

    Args:
        scenario: a `Scenario`, the name of a file or of a shipped scenario, or a tree.
        set: other values for keys, by their paths.
        flow: the number of the flow in the scenario; the agent decides at its sending end.
        subflows: how many subflows the agent sees and uses, 1 to 8.
        reward: ``time`` (each second costs 1), or ``goodput`` (each megabit acknowledged gives 1).
        randomise: draws what is different in each episode, such as `RandomRates`.

    Raises:
        ScenarioError: the scenario has faults.
        ValueError: an argument makes no sense.
    """

    kind = "scheduling"


class Sharing(_Environment):
    """How subflows share the data of an interval.

    An action is a weight for each subflow: of those that can send the one goes first that is
    farthest behind its share. Weight 0 means nothing, unless all are 0.

    Args:
        interval: virtual time between two actions.
        reward: ``time``, ``goodput`` or ``power`` (see `Congestion`).

    All other arguments are those of `Scheduling`.
    """

    kind = "sharing"


class Congestion(_Environment):
    """How the congestion windows of all subflows grow or shrink.

    An action is the logarithm to base 2 of the factor of each window, -1 to 1. Windows are at least
    2 packets, stay as they are whatever is lost, and packets leave spaced over the round trip.

    Args:
        interval: virtual time between two actions.
        reward: ``power`` (default), ``time`` or ``goodput``. Power is the megabits acknowledged,
            times 1 less `delay_weight` per second of queueing, less `loss_weight` times the
            megabits sent again.
        delay_weight: what a second of queueing costs, as a part of the data acknowledged.
        loss_weight: what a megabit costs that is sent again, in megabits.

    All other arguments are those of `Scheduling`.
    """

    kind = "congestion"


class VectorSimulations(VectorEnv[Array, Array, Array]):
    """Many simulations of one kind, which one step lets go on in threads of their own.

    A simulation that is over begins anew with the next step, whose action for it is ignored
    (`AutoresetMode.NEXT_STEP`); with ``autoreset=False`` it rests, and shows zeros.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self, kind: str, num_envs: int = 1, *, autoreset: bool = True, **settings: Any
    ) -> None:
        """`kind` is ``scheduling``, ``sharing`` or ``congestion``; the settings are those of the
        class for one simulation."""
        if num_envs < 1:
            raise ValueError(f"num_envs: expected a number from 1 on, found {num_envs!r}")
        self.render_mode = settings.pop("render_mode", None)
        self._autoreset = autoreset
        if not autoreset:
            self.metadata = {**self.metadata, "autoreset_mode": AutoresetMode.DISABLED}
        self._all = _Simulations(kind, num_envs, **settings)
        self.num_envs = num_envs
        self.single_observation_space = self._all.observation_space
        self.single_action_space = self._all.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._rngs = [seeding.np_random()[0] for _ in range(num_envs)]

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Array, dict[str, Any]]:
        """Begins all episodes. The simulation with number i has the seed `seed` + i, or `seed[i]`."""
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
        if seeds is not None and len(seeds) != self.num_envs:
            raise ValueError(f"seed: expected {self.num_envs} seeds, found {len(seeds)}")
        for index, one in enumerate(seeds or []):
            if one is not None:
                self._rngs[index] = seeding.np_random(one)[0]
        for index, rng in enumerate(self._rngs):
            self._all.begin(index, rng, options)
        self._all.look()
        return self._all.observations.copy(), self._info()

    def step(self, actions: Any) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """An action for each simulation; all go on to their next questions or their ends."""
        for index in numpy.flatnonzero(self._all.ends) if self._autoreset else ():
            self._all.begin(int(index), self._rngs[index])
        self._all.step(actions)
        ends = self._all.ends
        rewards = self._all.rewards.copy()
        return self._all.observations.copy(), rewards, ends == 1, ends == 2, self._info()

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = {
            "time_s": self._all.times.copy(),
            "scenario_seed": self._all.seeds.copy(),
        }
        if self._all.kind == "scheduling":
            info["action_mask"] = self._all.masks()
        if self._all.ends.any():
            info["_digest"] = self._all.ends > 0
            digests = [self._all.native.digest(index) for index in range(self.num_envs)]
            info["digest"] = numpy.array(digests, object)
        return info


def scheduling_vector(num_envs: int = 1, **settings: Any) -> VectorSimulations:
    """Many `Scheduling` side by side."""
    return VectorSimulations("scheduling", num_envs, **settings)


def sharing_vector(num_envs: int = 1, **settings: Any) -> VectorSimulations:
    """Many `Sharing` side by side."""
    return VectorSimulations("sharing", num_envs, **settings)


def congestion_vector(num_envs: int = 1, **settings: Any) -> VectorSimulations:
    """Many `Congestion` side by side."""
    return VectorSimulations("congestion", num_envs, **settings)
