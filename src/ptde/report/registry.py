"""Reports of single worlds beside results and curves: films, and tables of their own.

Worlds that draw themselves (``AbstractRunner.draws``) are filmed without an entry here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from jaxtyping import Array, Key

from ptde.agents.policy import FullPolicy
from ptde.envs.base import AbstractWorld
from ptde.report.battle import battle_scenes
from ptde.report.ranking import compare_ranking, report_ranking
from ptde.report.replay import Film
from ptde.rollout.runner import runner_of

Teams: TypeAlias = Mapping[str, Sequence[FullPolicy]]
"""The greedy team of each seed, by role."""
Finished: TypeAlias = Mapping[str, Sequence[tuple[Path, str]]]
"""The finished runs of a method, by its label: their folders, and the role that counts."""


@dataclass(frozen=True)
class WorldReport:
    """The reports that one family of worlds adds; every part may be left out.

    The first argument of each function is a world of the family.
    """

    film: Callable[..., Film] | None = None
    """``film(env, policy, key=key)`` plays one episode, to be drawn."""
    run: Callable[[Any, Teams, Path], Path] | None = None
    """``run(env, teams, folder)`` writes a Markdown table of a run; returns its path."""
    compare: Callable[[Any, Finished], str] | None = None
    """``compare(env, finished)`` is the Markdown table of a comparison on one map."""


def _battle(env: Any, policy: FullPolicy, *, key: Key[Array, ""]) -> Film:
    return Film(scenes=battle_scenes(env, policy, key=key))


REPORTS = {
    "smax": WorldReport(film=_battle),
    "ranking": WorldReport(run=report_ranking, compare=compare_ranking),
}
"""Reports by the name of ``--world``. To add one:
``REPORTS["mine"] = WorldReport(film=...)``."""


def report_of(world: str) -> WorldReport:
    """The reports of a world; an empty ``WorldReport`` unless it is registered."""
    return REPORTS.get(world, WorldReport())


def draws(world: str, env: AbstractWorld) -> bool:
    """Whether episodes of a world can be drawn."""
    return report_of(world).film is not None or runner_of(env).draws


def film(
    world: str,
    env: AbstractWorld,
    policy: FullPolicy,
    folder: Path | None = None,
    *,
    key: Key[Array, ""],
) -> Film:
    """Plays one episode, to be drawn.

    Args:
        world: the name of ``--world``.
        env: the world itself.
        policy: the team.
        folder: where a game may leave its own recording of the episode; None for nowhere.
        key: draws the episode.

    Raises:
        ValueError: the world cannot be drawn.
    """
    own = report_of(world).film
    if own is not None:
        return own(env, policy, key=key)
    pictures, record = runner_of(env).film(policy, folder, key=key)
    if not pictures and record is None:
        raise ValueError(f"{env.spec.name} draws nothing: give it a method frame()")
    return Film(pictures=pictures, record=record)
