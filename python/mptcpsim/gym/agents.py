"""Agents: a baseline, a linear policy, a way to learn one, and a scheduler made of an agent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy

import mptcpsim as mp
from mptcpsim.gym.environments import (
    DECISION,
    DECISION_SUBFLOW,
    INTERVAL,
    INTERVAL_SUBFLOW,
    Array,
    VectorSimulations,
)

Agent = Callable[[Array], Array]
"""Gives an action for each row of observations."""


def _subflows(observations: Array, connection: tuple[str, ...], each: tuple[str, ...]) -> Array:
    """Observations of subflows alone: rows, subflows, numbers."""
    seen: Array = observations[:, len(connection) :].reshape(len(observations), -1, len(each))
    return seen


def lowest_rtt(observations: Array) -> Array:
    """The baseline for `Scheduling`: of the subflows that can send the one with the shortest round
    trip, and never wait."""
    subflows = _subflows(observations, DECISION, DECISION_SUBFLOW)
    sendable = subflows[:, :, DECISION_SUBFLOW.index("sendable")] > 0
    srtt = subflows[:, :, DECISION_SUBFLOW.index("srtt_s")]
    chosen: Array = numpy.where(sendable, srtt, numpy.inf).argmin(axis=1)
    return chosen


def steady(observations: Array, *, target_s: float = 0.02) -> Array:
    """The baseline for `Congestion`: windows grow by a twentieth while data waits in queues for less
    than `target_s`, and shrink by as much otherwise."""
    subflows = _subflows(observations, INTERVAL, INTERVAL_SUBFLOW)
    queueing = subflows[:, :, INTERVAL_SUBFLOW.index("queueing_s")]
    return numpy.where(queueing < target_s, 0.07, -0.07).astype(numpy.float32)


@dataclass(frozen=True)
class LinearPolicy:
    """A policy for `Scheduling` whose scores are sums: the highest score among the subflows that can
    send decides, and waiting has score 0.

    The score of a subflow is a weighted sum of what is seen of it, what is seen of all others, and
    what is seen of the connection, and a constant: however many subflows there are, the same
    weights serve.
    """

    weights: Array
    """`LinearPolicy.size` numbers; an array with one more axis in front holds many policies."""

    size = 2 * len(DECISION_SUBFLOW) + len(DECISION) + 1

    def __call__(self, observations: Array) -> Array:
        """The action for each row; with many policies the rows are shared out among them in order."""
        own = _subflows(observations, DECISION, DECISION_SUBFLOW)
        others = own.sum(axis=1, keepdims=True) - own
        connection = observations[:, None, : len(DECISION)].repeat(own.shape[1], axis=1)
        ones = numpy.ones((*own.shape[:2], 1))
        seen = numpy.concatenate([own, others, connection, ones], axis=2)
        weights = self.weights.reshape(-1, self.size)
        weights = weights.repeat(len(seen) // len(weights), axis=0)
        scores = numpy.einsum("rsf,rf->rs", seen, weights)
        scores[own[:, :, 0] == 0] = -numpy.inf
        best = scores.argmax(axis=1)
        chosen: Array = numpy.where(scores.max(axis=1) > 0, best, own.shape[1])
        return chosen


def episodes(environments: VectorSimulations, agent: Agent, *, seed: int | list[int]) -> Array:
    """Lets an agent play one episode in each environment, and returns the sums of the rewards.

    Made for environments with ``autoreset=False``, which rest when they are over.
    """
    observations, _ = environments.reset(seed=seed)
    totals = numpy.zeros(environments.num_envs)
    going = numpy.ones(environments.num_envs, bool)
    while going.any():
        observations, rewards, terminated, truncated, _ = environments.step(agent(observations))
        totals[going] += rewards[going]
        going &= ~(terminated | truncated)
    return totals


@dataclass(frozen=True)
class Learned:
    """What was learnt, and how."""

    policy: LinearPolicy
    """The policy in the middle of the last generation."""
    returns: list[float]
    """The mean sum of rewards of the candidates of each generation."""


def cross_entropy(
    environments: VectorSimulations,
    *,
    candidates: int = 16,
    generations: int = 10,
    elite: float = 0.25,
    start: LinearPolicy | None = None,
    spread: float = 1.0,
    seed: int = 0,
    progress: Callable[[int, float], object] | None = None,
) -> Learned:
    """Learns a `LinearPolicy` by the cross-entropy method.

    Each generation draws candidates from a normal distribution, lets each play the same episodes,
    and moves the distribution to the best of them (R. Rubinstein 1999; with the noise of I. Szita
    and A. Lorincz 2006, so that it does not narrow too soon).

    Args:
        environments: simulations of `Scheduling`; each candidate has an equal part of them.
        candidates: policies in a generation.
        generations: how often.
        elite: the part of the candidates that the next generation is made of.
        start: where to begin, instead of nothing.
        spread: standard deviation of the weights of the first generation.
        seed: of candidates and episodes.
        progress: called after each generation with its number and its mean sum of rewards.

    Raises:
        ValueError: the environments cannot be shared out equally.
    """
    if candidates < 2 or environments.num_envs % candidates:
        raise ValueError(
            f"candidates: expected a divisor of the {environments.num_envs} environments from 2 on,"
            f" found {candidates!r}"
        )
    rng = numpy.random.default_rng(seed)
    mean = numpy.zeros(LinearPolicy.size) if start is None else start.weights.astype(float)
    deviation = numpy.full(LinearPolicy.size, spread)
    each = environments.num_envs // candidates
    chosen = max(2, round(elite * candidates))
    returns = []
    for generation in range(generations):
        weights = mean + deviation * rng.standard_normal((candidates, LinearPolicy.size))
        seeds = [int(it) for it in rng.integers(2**31, size=each)] * candidates
        sums = episodes(environments, LinearPolicy(weights), seed=seeds)
        sums = sums.reshape(candidates, each).mean(axis=1)
        best = weights[sums.argsort()[::-1][:chosen]]
        noise = spread / 4 * max(0.0, 1 - 2 * generation / generations)
        mean, deviation = best.mean(axis=0), best.std(axis=0) + noise
        returns.append(float(sums.mean()))
        if progress is not None:
            progress(generation, returns[-1])
    return Learned(LinearPolicy(mean), returns)


class AgentScheduler(mp.Scheduler):
    """A scheduler that asks an agent of `Scheduling`, for runs, sweeps and comparisons.

    It decides as the agent does in the environment: the same scenario and seed give the same digest.
    """

    def __init__(self, agent: Agent, subflows: int = 2) -> None:
        """`subflows` is what the environment had."""
        self.agent = agent
        self.subflows = subflows

    def pick(self, view: mp.SchedulerView, ask: mp.Ask) -> int | None:
        """The agent's choice."""
        seen = view.observation(ask, self.subflows)
        if seen is None:
            return mp.WAIT
        action = int(self.agent(numpy.array([seen], numpy.float32))[0])
        sendable = len(DECISION) + action * len(DECISION_SUBFLOW)
        return action if action < self.subflows and seen[sendable] > 0 else mp.WAIT
