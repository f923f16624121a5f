"""What a world shows beside results and curves: films, and tables of its own.

Worlds that draw themselves (``AbstractRunner.draws``) are filmed without an entry here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from jaxtyping import Array, Key

from ptde.agents.policy import FullPolicy
from ptde.envs.base import AbstractWorld
from ptde.report.ranking import compare_ranking, report_ranking
from ptde.report.replay import Film
from ptde.rollout.runner import runner_of

Teams: TypeAlias = Mapping[str, Sequence[FullPolicy]]
"""By role, the greedy team of each seed."""
Finished: TypeAlias = Mapping[str, Sequence[tuple[Path, str]]]
"""By a method's label, its finished runs: their folders, and whose results count there."""


@dataclass(frozen=True)
class WorldReport:
    """What one family of worlds adds; every part may be left away.

    The world that a function is given is one that the family makes.
    """

    film: Callable[..., Film] | None = None
    """``film(env, policy, key=key)`` plays one episode, to be drawn."""
    run: Callable[[Any, Teams, Path], Path] | None = None
    """Writes a Markdown table of a run into its folder, and returns its path."""
    compare: Callable[[Any, Finished], str] | None = None
    """The Markdown table of a comparison on one map."""


def _battle(env: Any, policy: FullPolicy, *, key: Key[Array, ""]) -> Film:
    from ptde.report.battle import battle_scenes  # jaxmarl, which others do without

    return Film(scenes=battle_scenes(env, policy, key=key))


REPORTS = {
    "smax": WorldReport(film=_battle),
    "ranking": WorldReport(run=report_ranking, compare=compare_ranking),
}
"""By the name of ``--world``. Add one: ``REPORTS["mine"] = WorldReport(film=...)``."""


def report_of(world: str) -> WorldReport:
    """What a world adds to reports: nothing, unless it is registered."""
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
        folder: where a game may leave its own record of the episode; None for nowhere.
        key: decides the episode.

    Raises:
        ValueError: the world shows nothing.
    """
    own = report_of(world).film
    if own is not None:
        return own(env, policy, key=key)
    pictures, record = runner_of(env).film(policy, folder, key=key)
    if not pictures and record is None:
        raise ValueError(f"{env.spec.name} draws nothing: give it a method frame()")
    return Film(pictures=pictures, record=record)
