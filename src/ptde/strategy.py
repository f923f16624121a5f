"""Pictures of two teams early and late in the same battle, as in Paper Fig. 8."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Array, Key

from ptde import build
from ptde.evaluation import replay_key, team_policy
from ptde.folder import RunFolder, name_of
from ptde.jobs.progress import console
from ptde.report.moments import Battle, draw_moments
from ptde.report.registry import draws, film
from ptde.rollout.cache import use_compilation_cache


@dataclass(frozen=True)
class Side:
    """A finished team of a run."""

    folder: RunFolder
    role: str
    seed: int

    @property
    def name(self) -> str:
        """The team's name: the paper's, where it has one."""
        return name_of(self.folder.run, self.role)


def early_late(
    path: Path | str,
    role: str | None = None,
    versus: Path | str | None = None,
    episode: int = 0,
    seed: int | None = None,
    out: Path | str | None = None,
) -> Path:
    """Draws an early and a late moment of a role's battle and, below it, of another team's
    battle with the same initial state.

    Args:
        path: the run folder.
        role: teacher, student, finetuned or baseline; None is the team of the last stage.
        versus: another run on the same map, whose student, or else teacher, is the other
            team; None takes the run's own baseline, if it has one.
        episode: number of the battle; each has another initial state. >= 0.
        seed: the run's seed that plays; None is its first. The other team plays with the
            same seed, if it has it, else with its first.
        out: where to write; None is ``early-late.png`` in the run folder.

    Raises:
        ValueError: a role is not finished, the runs are on different maps, or the world
            cannot be drawn.
    """
    use_compilation_cache()
    folder = RunFolder(Path(path))
    role = folder.decentralised if role is None else role
    folder.check_has(role)
    seed = folder.run.seed if seed is None else seed
    sides = [Side(folder, role, seed)]
    if versus is not None:
        sides.append(_other(folder, RunFolder(Path(versus)), seed))
    elif role != "baseline" and folder.has("baseline"):
        sides.append(Side(folder, "baseline", seed))
    else:
        console().print(
            "one team, for the run has no baseline: type --versus RUN to see another",
            soft_wrap=True,
        )
    key = replay_key(seed, episode)
    target = Path(out) if out is not None else folder.path / "early-late.png"
    return draw_moments([_battle(side, key=key) for side in sides], target)


def _other(folder: RunFolder, other: RunFolder, seed: int) -> Side:
    """The team of another run: its decentralised one, if it has one."""
    mine, theirs = ((f.run.world, f.run.map) for f in (folder, other))
    if mine != theirs:
        raise ValueError(
            f"{other.path} plays {'/'.join(theirs)}, {folder.path} {'/'.join(mine)}: type "
            "--versus with a run on the same map"
        )
    role = other.decentralised
    other.check_has(role)
    first, count = other.run.seed, other.run.seeds
    return Side(other, role, seed if first <= seed < first + count else first)


def _battle(side: Side, *, key: Key[Array, ""]) -> Battle:
    """Plays one battle of a team; ``key`` draws its initial state."""
    run = side.folder.run
    with closing(build.world(run)) as env:
        if not draws(run.world, env):
            raise ValueError(
                f"{env.spec.name} has no pictures, early or late: battles (--world smax) "
                "do, and games that draw themselves: give it a method frame(), or leave "
                "out --early-late"
            )
        policy = team_policy(side.folder, env, side.role, side.seed)
        played = film(run.world, env, policy, key=key)
    return Battle(side.name, played.scenes, played.pictures)
