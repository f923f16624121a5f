"""PTDE from one config: teach, distil, evaluate, draw (Paper Fig. 5).

A run folder holds everything, and every stage finds in it what the stage before wrote:

    run.json                     the config, and what the run is to become
    teacher/  student/  baseline/
        record.jsonl             one row a test
        checkpoints/             to go on from
        model/                   the finished networks
    result.json  curves.png  replay.gif
"""

import dataclasses
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import equinox as eqx
import jax
from jaxtyping import Array, Key

from ptde.agents.policy import FullPolicy, localise
from ptde.algos.base import Teacher, Team
from ptde.check import known
from ptde.config import FORMAT, Run, load_run
from ptde.envs.base import AbstractWorld
from ptde.envs.host import HostWorld
from ptde.envs.ranking import Ranking
from ptde.ops.keys import new_key
from ptde.report.ranking import TABLE, report_ranking
from ptde.report.result import Result, Score
from ptde.run import checkpoint
from ptde.run.cache import use_compilation_cache
from ptde.run.checkpoint import DamagedCheckpoint, UnfitCheckpoint
from ptde.run.host import episode_seeds, film
from ptde.run.loop import fold, seed_keys, student_test, teacher_test
from ptde.run.progress import console
from ptde.run.record import Record, Row
from ptde.stages.distill import distill
from ptde.stages.teach import teach

Goal = Literal["teach", "run"]
ROLES = ("teacher", "student", "baseline")
EVALUATION = 20
"""Stream of randomness of the final evaluation: all roles meet the same beginnings."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to, and where it is."""

    result: Result
    folder: Path

    def show(self) -> None:
        """Prints the table and the paths."""
        out = console()
        out.print(self.result.table())
        if (self.folder / TABLE).exists():
            out.print((self.folder / TABLE).read_text(), markup=False)
        for name in ("result.json", "curves.png", "replay.gif", TABLE):
            if (self.folder / name).exists():
                out.print(f"{self.folder / name}", soft_wrap=True)


class RunFolder:
    """A run folder: the config in it, and the pieces that the stages leave."""

    def __init__(self, path: Path):
        self.path = path
        self.run, self.meta = load_run(path)

    @classmethod
    def create(cls, run: Run, path: Path, goal: Goal) -> "RunFolder":
        """A new folder. ValueError if it exists; OSError names a place not writable."""
        if path.exists():
            raise ValueError(
                f"{path} exists and is left as it is: type another --out, or "
                f"`ptde resume {path}` to go on with it"
            )
        try:
            path.mkdir(parents=True)
            cls._write(path, run, {"goal": goal})
        except OSError as error:
            raise OSError(
                error.errno,
                f"cannot write a run folder there ({error.strerror}): type another --out",
                str(path),
            ) from error
        return cls(path)

    @staticmethod
    def _write(path: Path, run: Run, meta: dict[str, Any]) -> None:
        data = {
            "format": FORMAT,
            "ptde": version("ptde"),
            "jax": version("jax"),
            **meta,
            "run": run.to_json(),
        }
        part = path / ".run.json.part"
        part.write_text(json.dumps(data, indent=1))
        part.replace(path / "run.json")

    def rewrite(self, run: Run, **meta: Any) -> None:
        """Replaces the config: for a stage that is to run with other options."""
        self._write(self.path, run, {"goal": self.meta["goal"], **meta})
        self.run, self.meta = load_run(self.path)

    def has(self, role: str) -> bool:
        """Whether the role's networks are finished."""
        return (self.path / role / "model").is_dir()

    def finish(self, role: str, model: eqx.Module) -> None:
        """Keeps the role's finished networks."""
        checkpoint.save(self.path / role / "model", model)

    def model(self, role: str, env: AbstractWorld) -> Teacher | Team:
        """The finished networks of a role, with a leading axis of seeds."""
        if role == "student":
            return self.team(self.run, env)
        return self.teacher(role, _for_role(self.run, role), env)

    def teacher(self, role: str, run: Run, env: AbstractWorld) -> Teacher:
        """The finished teacher (or baseline), with a leading axis of seeds."""
        training = run.training(env, role)
        like = jax.eval_shape(lambda: training.algo.teacher(training.start().learner))
        return self._load(role, like)

    def team(self, run: Run, env: AbstractWorld) -> Team:
        """The finished decentralised team, with a leading axis of seeds."""
        training, task = run.training(env, "teacher"), run.distillation(env)

        def make():
            learner = training.start().learner
            if run.together:
                return training.algo.team(learner)
            teacher = training.algo.teacher(learner)
            return Team(teacher.network, task.start(teacher).student)

        return self._load("student", jax.eval_shape(make))

    def _load(self, role: str, like: Any) -> Any:
        try:
            return checkpoint.load(self.path / role / "model", like)
        except (DamagedCheckpoint, UnfitCheckpoint) as error:
            raise ValueError(
                f"the {role} of {self.path} cannot be used on {self.run.world}/"
                f"{self.run.map}: {error}"
            ) from error


def default_folder(run: Run) -> Path:
    """``runs/WORLD-MAP-METHOD-SEED``, with a number behind it if that exists."""
    name = f"{run.world}-{run.place}-{run.method.lower()}-{run.seed_name}"
    path, count = Path("runs") / name, 1
    while path.exists():
        count += 1
        path = Path("runs") / f"{name}-{count}"
    return path


def run(config: Run, out: Path | str | None = None, goal: Goal = "run") -> Outcome:
    """Teaches, distils and evaluates (``goal="teach"``: stage 1 alone).

    Raises:
        ValueError: the config cannot be run; nothing was written.
        Interrupted: Ctrl-C; ``resume`` goes on.
        Diverged: a loss was not finite.
    """
    use_compilation_cache()
    env = config.env()
    config.check_fits(env)
    for note in env.notes:
        console().print(f"{env.spec.name}: {note}", markup=False, soft_wrap=True)
    if (longest := env.spec.time_limit) > config.segment:
        console().print(
            f"an episode of {env.spec.name} may take {longest} steps, a segment has "
            f"{config.segment}: nothing is learnt from what comes later. To change that, "
            f"type --segment {longest}"
        )
    if config.eyes == "all" and not env.spec.full_obs_dim:
        console().print(
            f"{env.spec.name} has no observation of unlimited sight: the teacher reads its "
            "own observation and the state"
        )
    path = Path(out) if out is not None else default_folder(config)
    folder = RunFolder.create(config, path, goal)
    with closing(env):
        return _continue(folder, env)


def resume(path: Path | str) -> Outcome:
    """Goes on with a run, from its newest good checkpoint to its goal."""
    use_compilation_cache()
    folder = RunFolder(Path(path))
    with closing(folder.run.env()) as env:
        return _continue(folder, env)


def distill_run(path: Path | str, config: Run | None = None) -> Outcome:
    """Stage 2 for a run that has a teacher; an earlier student is replaced."""
    import shutil

    use_compilation_cache()
    folder = RunFolder(Path(path))
    if not folder.has("teacher"):
        raise ValueError(
            f"{path} has no finished teacher to distil: `ptde resume {path}` finishes it"
        )
    if not folder.run.distils:
        why = (
            "its student learnt beside its teacher (--together)"
            if folder.run.together
            else "its team uses no information module (--info none)"
        )
        raise ValueError(
            f"{path} has nothing to distil, because {why}: teach another with "
            "`ptde teach --info gip`"
        )
    shutil.rmtree(folder.path / "student", ignore_errors=True)
    new = folder.run if config is None else config
    folder.rewrite(new, goal="run")
    with closing(new.env()) as env:
        return _continue(folder, env)


def _continue(folder: RunFolder, env: AbstractWorld) -> Outcome:
    config = folder.run
    env.keep(folder.path)
    roles = ["teacher"]
    if config.together or (folder.meta["goal"] == "run" and config.distils):
        roles.append("student")
    if config.baseline:
        roles.append("baseline")
    for role in roles:
        if folder.has(role):
            continue
        if role == "student" and config.distils:
            teacher = folder.teacher("teacher", config, env)
            task = config.distillation(env)
            folder.finish(role, distill(task, teacher, folder.path / "student"))
            continue
        name = "teacher" if role == "student" else role  # who taught a student beside it
        _for_role(config, name).check_fits(env)
        training = _for_role(config, name).training(env, name)
        teacher, team = teach(training, folder.path / name)
        if not folder.has(name):
            folder.finish(name, teacher)
        if team is not None:
            folder.finish("student", team)
    return _evaluate(folder, env)


def _for_role(config: Run, role: str) -> Run:
    """The config of a role: the baseline is the same learner without information."""
    if role != "baseline":
        return config
    return dataclasses.replace(config, info="none", eyes="own", together=False)


def evaluate_run(path: Path | str, episodes: int | None = None) -> Outcome:
    """Tests every finished role of a run on the same keys, and writes the result.

    Args:
        path: the run folder.
        episodes: for each role and seed; None takes the run's own number.
    """
    use_compilation_cache()
    folder = RunFolder(Path(path))
    with closing(folder.run.env()) as env:
        return _evaluate(folder, env, episodes)


def _evaluate(
    folder: RunFolder, env: AbstractWorld, episodes: int | None = None
) -> Outcome:
    config = folder.run
    episodes = config.episodes if episodes is None else episodes
    keys = fold(seed_keys(config.seed, config.seeds), EVALUATION)
    models = {role: folder.model(role, env) for role in ROLES if folder.has(role)}
    scores = {}
    for role, model in models.items():
        if isinstance(model, Team):
            returns = student_test(env, episodes, config.seeds)(model, keys)
        else:
            sample = config.z_test == "sample"
            test = teacher_test(env, episodes, config.seeds, sample_z=sample)
            returns = test(model, keys)
        scores[role] = Score.of(returns, env.spec.n_agents)
    if not scores:
        raise ValueError(
            f"{folder.path} has no finished team yet: `ptde resume {folder.path}` "
            "finishes it"
        )
    records = {role: Record(folder.path / role / "record.jsonl").rows() for role in scores}
    result = Result(
        world=env.spec.name,
        method=config.method,
        steps=config.schedule().steps_after(config.schedule().periods),
        seconds=sum(rows[-1]["seconds"] for rows in records.values() if rows),
        scores=scores,
        centralised=config.centralised,
        measure=env.spec.measure,
    )
    (folder.path / "result.json").write_text(json.dumps(result.to_json(), indent=1))
    _draw(folder.path, result, records)
    if isinstance(env, Ranking):
        seeds = range(config.seeds)
        teams = {r: [_greedy(m, i, config) for i in seeds] for r, m in models.items()}
        report_ranking(env, teams, folder.path)
    shows = config.world == "smax" or (isinstance(env, HostWorld) and env.sizes.pictures)
    if shows and not (folder.path / "replay.gif").exists():
        role = "student" if "student" in models else "teacher"
        policy = _greedy(models[role], 0, config)
        key = _replay_key(config.seed, episode=0)
        _replay(env, policy, folder.path / "replay.gif", key=key)
    return Outcome(result, folder.path)


def _draw(folder: Path, result: Result, records: Mapping[str, list[Row]]) -> None:
    from ptde.report.curves import draw_curves  # Matplotlib is slow to import

    finals = {role: score.win_rate for role, score in result.scores.items()}
    title = f"{result.method} on {result.world}"
    draw_curves(records, finals, folder / "curves.png", title, result.measure)


def replay_run(
    path: Path | str,
    role: str = "student",
    episode: int = 0,
    seed: int | None = None,
    out: Path | str | None = None,
) -> Path:
    """Draws one battle of a role as an animated GIF.

    Args:
        path: the run folder.
        role: teacher, student or baseline.
        episode: number of the battle; each has another beginning. >= 0.
        seed: which of the run's seeds plays; None is its first.
        out: where to write; None is ``replay.gif`` in the run folder.
    """
    use_compilation_cache()
    known("role", role, ROLES)
    folder = RunFolder(Path(path))
    if not folder.has(role):
        raise ValueError(f"{path} has no finished {role}")
    seed = folder.run.seed if seed is None else seed
    target = Path(out) if out is not None else folder.path / "replay.gif"
    with closing(folder.run.env()) as env:
        policy = team_policy(folder, env, role, seed)
        return _replay(env, policy, target, key=_replay_key(seed, episode))


def _replay_key(seed: int, episode: int) -> Key[Array, ""]:
    return jax.random.fold_in(new_key(seed), EVALUATION + 1 + episode)


def _replay(
    env: AbstractWorld, policy: FullPolicy, target: Path, *, key: Key[Array, ""]
) -> Path:
    """One episode of a team as a picture that moves."""
    if isinstance(env, HostWorld):
        return _film(env, policy, target, key=key)
    from ptde.envs.smax import Smax  # imports jaxmarl, which other worlds do without
    from ptde.report.battle import battle_scenes
    from ptde.report.replay import draw_replay

    if not isinstance(env, Smax):
        raise ValueError(f"{env.spec.name} has no replays: battles and games do")
    return draw_replay(battle_scenes(env, policy, key=key), target)


def _film(
    world: HostWorld, policy: FullPolicy, target: Path, *, key: Key[Array, ""]
) -> Path:
    """An episode as the world draws it; else the game's own record of it."""
    from ptde.report.replay import draw_film

    with closing(world.recording(target.parent.absolute())) as one:
        pictures, record = film(policy, one, episode_seeds(key, 1)[0], key=key)
    if pictures:
        return draw_film(pictures, target)
    if record is None:
        raise ValueError(f"{world.spec.name} draws nothing: give it a method frame()")
    return Path(record)


def team_policy(folder: RunFolder, env: AbstractWorld, role: str, seed: int) -> FullPolicy:
    """A finished role of a run, greedy. ValueError for a seed that the run has not."""
    config = folder.run
    if not config.seed <= seed < config.seed + config.seeds:
        last = config.seed + config.seeds - 1
        raise ValueError(f"--seed {seed} is not in this run: {config.seed} to {last} are")
    return _greedy(folder.model(role, env), seed - config.seed, config)


def _greedy(model: Teacher | Team, index: int, config: Run) -> FullPolicy:
    """What one of a role's seeds does in tests."""
    one = jax.tree.map(lambda x: x[index], model)
    if isinstance(one, Team):
        return localise(one.policy())
    return one.policy(0.0, sample_z=config.z_test == "sample")
