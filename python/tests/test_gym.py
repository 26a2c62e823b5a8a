"""Environments of Gymnasium."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy
import pytest
from gymnasium.utils.env_checker import check_env

import mptcpsim as mp
import mptcpsim.gym as gym
from mptcpsim.units import kB

KINDS = ("Scheduling", "Sharing", "Congestion")


@pytest.fixture
def short(small: mp.Scenario) -> mp.Scenario:
    return small.copy({"flows.0.app.bytes": 60 * kB})


def play(env: Any, agent: Any, seed: int | None = None) -> tuple[list[float], dict[str, Any]]:
    """Rewards until an episode ends, and what is known then."""
    seen, info = env.reset(seed=seed)
    rewards, over = [], False
    while not over:
        assert env.observation_space.contains(seen)
        seen, reward, terminated, truncated, info = env.step(agent(seen[None])[0])
        rewards.append(reward)
        over = terminated or truncated
    return rewards, info


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
def test_environments_are_as_gymnasium_wants_them(kind: str, short: mp.Scenario) -> None:
    env = gymnasium.make(f"mptcpsim/{kind}-v0", scenario=short)
    check_env(env.unwrapped)
    env.close()


def test_an_agent_decides_as_a_scheduler_does(short: mp.Scenario) -> None:
    rewards, info = play(gym.Scheduling(scenario=short), gym.lowest_rtt, seed=3)
    mine = gym.AgentScheduler(gym.lowest_rtt)
    run = mp.run(short, seed=info["scenario_seed"], set={"flows.0.mptcp.scheduler": mine})
    assert run.digest == info["digest"]
    assert sum(rewards) == pytest.approx(-run.end_s, abs=0.1) and sum(rewards) < 0


def test_seeds_are_honoured(short: mp.Scenario) -> None:
    env = gym.Scheduling(scenario=short, randomise=gym.RandomRates())

    def agent(seen: Any) -> Any:
        return gym.lowest_rtt(seen)

    digests = [play(env, agent, seed)[1]["digest"] for seed in (5, 6, 5)]
    assert digests[0] == digests[2] != digests[1]
    fixed = [env.reset(options={"scenario_seed": 9})[1]["scenario_seed"] for _ in range(2)]
    assert fixed == [9, 9]


@pytest.mark.parametrize("kind", KINDS)
def test_many_side_by_side_are_many_alone(kind: str, short: mp.Scenario) -> None:
    rng = numpy.random.default_rng(1)
    many = gymnasium.make_vec(f"mptcpsim/{kind}-v0", num_envs=3, scenario=short)
    alone = [gymnasium.make(f"mptcpsim/{kind}-v0", scenario=short) for _ in range(3)]
    seen, _ = many.reset(seed=11)
    assert many.observation_space.contains(seen)
    over = [False] * 3
    for index, env in enumerate(alone):
        assert (env.reset(seed=11 + index)[0] == seen[index]).all()
    for _ in range(60):
        actions = numpy.array([rng.integers(0, 2) if kind == "Scheduling" else rng.random(2) for _ in range(3)])
        seen, rewards, terminated, truncated, info = many.step(actions)
        for index, env in enumerate(alone):
            if over[index]:
                one, reward, flags = env.reset()[0], 0.0, (False, False)
            else:
                one, reward, *flags, _ = env.step(actions[index])  # type: ignore[assignment]
            assert (one == seen[index]).all() and reward == rewards[index]
            assert tuple(flags) == (terminated[index], truncated[index])
            over[index] = any(flags)
    many.close()


def test_weights_share_data_out(short: mp.Scenario) -> None:
    scenario = short.copy({"flows.0.app.bytes": 400 * kB, "paths.1.loss": {"model": "bernoulli", "probability": 0}})

    def goodputs(weights: list[float]) -> float:
        env = gym.Sharing(scenario=scenario, interval="50 ms")
        return sum(play(env, lambda seen: [numpy.array(weights, "f4")], seed=1)[0])

    assert goodputs([1, 0.5]) > goodputs([1, 0]) > goodputs([0, 1])


def test_windows_follow_their_factors(short: mp.Scenario) -> None:
    env = gym.Congestion(scenario=short.copy({"flows.0.app.bytes": "5 MB"}), interval="200 ms")
    cwnd = gym.INTERVAL_SUBFLOW.index("cwnd_100packets") + len(gym.INTERVAL)
    env.reset(seed=1)
    env.step(numpy.zeros(2, "f4"))
    before = env.step(numpy.zeros(2, "f4"))[0][cwnd]
    seen, reward, *_ = env.step(numpy.array([1, 0], "f4"))
    assert seen[cwnd] == pytest.approx(2 * before) and reward > 0
    kept = play(env, gym.steady, seed=1)[0]
    greedy = play(env, lambda seen: [numpy.full(2, 0.5, "f4")], seed=1)[0]
    assert sum(kept) > sum(greedy)


def test_rates_wander_around_those_of_the_scenario(small: mp.Scenario) -> None:
    rng = numpy.random.default_rng(1)
    rates = gym.RandomRates(spread=0.3, every_ms=10)(rng, small)
    assert list(rates) == ["paths.0.rate", "paths.1.rate"]
    capacity = small.copy(rates).paths[0].rate
    assert isinstance(capacity, mp.CapacitySteps) and len(capacity.steps) == 500
    logarithms = numpy.log([float(str(step.rate).split()[0]) for step in capacity.steps])
    assert abs(logarithms.mean() - numpy.log(10e6)) < 0.6 and 0.05 < logarithms.std() < 0.6
    with pytest.raises(ValueError, match="wire"):
        gym.RandomRates(links=["wire"])(rng, small)


def test_learning_finds_what_is_better() -> None:
    # One path is so slow that whatever it carries comes last, and who only waits never ends.
    scenario = mp.Scenario(
        duration="10 s",
        paths=[mp.Path(name="a", rate="10 Mbit/s", delay="5 ms"), mp.Path(name="b", rate="200 kbit/s", delay="300 ms")],
        flows=[mp.Flow(mp.Bulk("100 kB"))],
    )
    many = gym.VectorSimulations("scheduling", 16, autoreset=False, scenario=scenario)
    learned = gym.cross_entropy(many, candidates=8, generations=6, seed=1)
    assert learned.returns[-1] > learned.returns[0] + 0.2
    mine = gym.AgentScheduler(learned.policy)
    run = mp.run(scenario, set={"flows.0.mptcp.scheduler": mine})
    assert run.summary[0]["completion_s"] < 0.2


def threads() -> int:
    """How many simulations there are."""
    names = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # one that is gone by now
            names.append((task / "comm").read_text())
    return sum("mptcpsim" in name for name in names)


def wait_for_threads(most: int) -> None:
    deadline = time.monotonic() + 20
    while threads() > most and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threads() <= most


def test_ctrl_c_ends_an_episode(short: mp.Scenario) -> None:
    endless = short.copy({"duration": "3000 s", "flows.0.app.bytes": "100 GB"})
    env = gym.Congestion(scenario=endless, interval="3000 s")
    env.reset(seed=1)
    during = threads()
    threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,)).start()
    with pytest.raises(KeyboardInterrupt):
        env.step(numpy.zeros(2))
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(numpy.zeros(2))
    wait_for_threads(during - 1)
    env.reset(seed=1)


def test_who_leaves_leaves_no_threads(short: mp.Scenario) -> None:
    many = gym.VectorSimulations("scheduling", 8, scenario=short)
    many.reset(seed=1)
    during = threads()
    assert during >= 8
    many.close()
    del many
    wait_for_threads(during - 8)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"subflows": 0}, ValueError, "subflows"),
        ({"subflows": 9}, ValueError, "subflows"),
        ({"interval": "soon"}, ValueError, "interval"),
        ({"interval": "0 s"}, ValueError, "interval"),
        ({"reward": "power"}, ValueError, "reward"),
        ({"scenario": "nowhere"}, FileNotFoundError, "nowhere"),
        ({"set": {"flows.0.app.bites": 1}}, mp.ScenarioError, "bites"),
    ],
)
def test_wrong_settings_are_named(
    settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        gym.Scheduling(**settings)


def test_what_cannot_be_is_refused(short: mp.Scenario) -> None:
    with pytest.raises(ValueError, match="no flow 3"):
        gym.Scheduling(scenario=short, flow=3).reset()
    with pytest.raises(ValueError, match="candidates"):
        gym.cross_entropy(gym.VectorSimulations("scheduling", 3, scenario=short), candidates=2)
    own = short.copy({"flows.0.mptcp.scheduler": gym.AgentScheduler(gym.lowest_rtt)})
    with pytest.raises(mp.ScenarioError, match="Python"):
        gym.Sharing(scenario=own)
