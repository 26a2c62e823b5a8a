"""Environments of Gymnasium: an agent decides for one connection of a simulated network.

Examples:
    >>> import gymnasium
    >>> import mptcpsim.gym
    >>> env = gymnasium.make("mptcpsim/Scheduling-v0", scenario="two-equal-paths")
    >>> seen, info = env.reset(seed=1)
    >>> info["action_mask"].tolist()
    [1, 0, 1]
    >>> seen, reward, terminated, truncated, info = env.step(0)
    >>> terminated or truncated
    False
    >>> env.close()

======================== ==================================== ====================================
environment              the agent decides                    action
======================== ==================================== ====================================
mptcpsim/Scheduling-v0   which subflow carries a segment,     number of a subflow, or behind them
                         for each segment                     one more: wait
mptcpsim/Sharing-v0      how subflows share the data,         a weight for each, 0 to 1
                         for each interval
mptcpsim/Congestion-v0   by how much each window grows or     for each -1 (half) to 1 (twice)
                         shrinks, for each interval
======================== ==================================== ====================================

`gymnasium.make_vec` makes many simulations that one call lets go on, without a call of Python for
each. What is seen is named by `DECISION`, `INTERVAL` and what belongs to them. An episode ends
(`terminated`) when all flows of the scenario have finished, or (`truncated`) with its duration.

The environments need the package `gymnasium` (``pip install 'mptcpsim[gym]'``).
"""

from __future__ import annotations

try:
    import gymnasium
except ImportError:
    raise ImportError("mptcpsim.gym needs gymnasium: pip install gymnasium") from None

from mptcpsim.gym.agents import (
    AgentScheduler,
    Learned,
    LinearPolicy,
    cross_entropy,
    episodes,
    lowest_rtt,
    steady,
)
from mptcpsim.gym.environments import (
    DECISION,
    DECISION_SUBFLOW,
    INTERVAL,
    INTERVAL_SUBFLOW,
    Congestion,
    Scheduling,
    Sharing,
    VectorSimulations,
)
from mptcpsim.gym.traces import RandomRates, Randomise


def register() -> None:
    """Makes the environments known to Gymnasium; importing this package does it."""
    for name in ("Scheduling", "Sharing", "Congestion"):
        known = f"mptcpsim/{name}-v0"
        if known not in gymnasium.registry:
            gymnasium.register(
                known,
                entry_point=f"mptcpsim.gym.environments:{name}",
                vector_entry_point=f"mptcpsim.gym.environments:{name.lower()}_vector",
            )


register()

__all__ = [
    "DECISION",
    "DECISION_SUBFLOW",
    "INTERVAL",
    "INTERVAL_SUBFLOW",
    "AgentScheduler",
    "Congestion",
    "Learned",
    "LinearPolicy",
    "RandomRates",
    "Randomise",
    "Scheduling",
    "Sharing",
    "VectorSimulations",
    "cross_entropy",
    "episodes",
    "lowest_rtt",
    "register",
    "steady",
]
