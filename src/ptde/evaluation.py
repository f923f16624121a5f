"""What a run ends with: final test episodes of all its teams, tables and pictures."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jax
from jaxtyping import Array, Key

from ptde.agents.policy import FullPolicy
from ptde.algos.base import Teacher, Team
from ptde.config import Run
from ptde.envs.base import AbstractWorld
from ptde.files import shell, whole, write_whole
from ptde.folder import ROLES, RunFolder, name_of
from ptde.jobs.progress import console, say
from ptde.jobs.record import Record, Row
from ptde.report.measure import counted_in
from ptde.report.palette import look_of
from ptde.report.registry import draws, film, report_of
from ptde.report.result import Result, Score, load_result
from ptde.rollout.base import as_tested
from ptde.rollout.runner import runner_of
from ptde.rollout.seeds import Stream, of_seed, stream_key, stream_keys


@dataclass(frozen=True)
class Outcome:
    """The result of a run, and its folder."""

    result: Result
    folder: Path
    tables: tuple[Path, ...] = ()
    """The Markdown files of the world's own report."""

    def show(self) -> None:
        """Prints the table and the paths."""
        out = console()
        out.print(self.result.table())
        for table in self.tables:
            out.print(table.read_text(), markup=False, soft_wrap=True)
        names = ("result.json", "curves.png", "replay.gif")
        for path in (*(self.folder / name for name in names), *self.tables):
            if path.exists():
                out.print(f"{path}", soft_wrap=True, markup=False)


def evaluated(folder: RunFolder) -> Outcome | None:
    """What a run that is done has ended with; None if that is not known in full."""
    try:
        result = Result.from_json(load_result(folder.path), folder.run.centralised)
    except (KeyError, TypeError, ValueError):  # it is damaged, or of another version
        return None
    if any(role not in result.scores for role in folder.expected):
        return None
    tables = report_of(folder.run.world).run and folder.path.glob("*.md")
    return Outcome(result, folder.path, tuple(sorted(tables or ())))


def evaluate(folder: RunFolder, env: AbstractWorld, episodes: int | None = None) -> Outcome:
    """Tests every finished role on the same keys; ``result.json`` is written last."""
    config = folder.run
    episodes = config.episodes if episodes is None else episodes
    keys = stream_keys(Stream.EVALUATION, config.seed, config.seeds)
    models = {role: folder.model(role, env) for role in ROLES if folder.has(role)}
    sample = config.z_test == "sample"
    test = runner_of(env).test(
        episodes, config.seeds, at_once=config.test_episodes, sample_z=sample
    )
    n = env.spec.n_agents
    scores = {role: Score.of(test(model, keys), n) for role, model in models.items()}
    if not scores:
        raise ValueError(
            f"{folder.path} has no finished team yet: `ptde resume {shell(folder.path)}` "
            "finishes it"
        )
    records = {role: Record(folder.path / role / "record.jsonl").rows() for role in scores}
    for role in (role for role, rows in records.items() if not rows):
        if (folder.path / role / "checkpoints").exists():
            say(f"{folder.path}/{role}/record.jsonl is gone: its curve is not drawn")
    result = Result(
        world=env.spec.name,
        method=config.method,
        steps=max(_joint_steps(rows) for rows in records.values()),
        seconds=sum((r[-1].get("seconds", 0.0) for r in records.values() if r), 0.0),
        scores=scores,
        centralised=config.centralised,
        measure=env.spec.measure,
    )
    _draw(folder, result, records)
    tables = []
    if (table := report_of(config.world).run) is not None:
        seeds = range(config.seeds)
        teams = {r: [_greedy(m, i, config) for i in seeds] for r, m in models.items()}
        tables.append(table(env, teams, folder.path))
    _film(folder, env, models[folder.decentralised])
    write_whole(folder.path / "result.json", json.dumps(result.to_json(), indent=1))
    return Outcome(result, folder.path, tuple(tables))


def _joint_steps(rows: list[Row]) -> int:
    """The joint steps of all stages up to the end of a record."""
    last = rows[-1] if rows else {"steps": 0}
    return last["joint_steps" if "joint_steps" in last else "steps"]


def _draw(folder: RunFolder, result: Result, records: Mapping[str, list[Row]]) -> None:
    from ptde.report.curves import draw_curves  # Matplotlib is slow to import

    finals = {role: score.to_json() for role, score in result.scores.items()}
    measure = counted_in(result.measure, records, finals)
    title = f"{result.method} on {result.world}"
    how = folder.run.stage_2
    looks = {role: look_of(name_of(folder.run, role), role) for role in ROLES}
    with whole(folder.path / "curves.png") as path:
        draw_curves(records, finals, path, title, measure, how, looks)


def _film(folder: RunFolder, env: AbstractWorld, model: Teacher | Team) -> None:
    """Draws ``replay.gif``, if it is not there. A world whose pictures fail costs no more
    than them.
    """
    world, target = folder.run.world, folder.path / "replay.gif"
    if target.exists() or not draws(world, env):
        return
    policy, key = _greedy(model, 0, folder.run), replay_key(folder.run.seed, episode=0)
    try:
        film(world, env, policy, folder.path.absolute(), key=key).draw(target)
    except Exception as error:
        (*_, why) = f"{type(error).__name__}: {error}".strip().splitlines()
        why = why.removeprefix("WorldFailed: ")
        say(f"{target} is left out ({why}): `ptde replay {shell(folder.path)}` says more")


def replay_key(seed: int, episode: int) -> Key[Array, ""]:
    """The key from which all of a replay's battle is drawn, its initial state included."""
    return jax.random.fold_in(stream_key(Stream.REPLAY, seed), episode)


def team_policy(folder: RunFolder, env: AbstractWorld, role: str, seed: int) -> FullPolicy:
    """The greedy policy of a run's finished role. ValueError for a seed of another run."""
    index = folder.index_of(seed)
    return _greedy(folder.model(role, env), index, folder.run)


def _greedy(model: Teacher | Team, index: int, config: Run) -> FullPolicy:
    """The policy in tests of one of a role's seeds."""
    return as_tested(of_seed(model, index), sample_z=config.z_test == "sample")
