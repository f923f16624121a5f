"""Diagnosis of a student's gap to its teacher, part by part: `ptde diagnose RUN`.

A ladder of modules takes the information module's place. Each rung lacks one thing more
than the one above: the teacher's z; a student's network fitted on the whole state; a
student with memory on its own episodes; one without memory; one on its teacher's episodes.
They are compared by the performance of the team, not by the share of z that they explain:
much of z does not change actions.
"""

import dataclasses
import json
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from ptde import build
from ptde.algos.base import Teacher, Team
from ptde.algos.student import label
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.distill.objectives import Labelled
from ptde.envs.base import AbstractWorld
from ptde.folder import RunFolder
from ptde.info.base import AbstractInfo
from ptde.jobs.distill import distill
from ptde.jobs.teach import teach
from ptde.nn.linear import MLP
from ptde.ops.masks import masked_mean
from ptde.ops.select import greedy, masked, take
from ptde.rollout.base import as_tested
from ptde.rollout.cache import use_compilation_cache
from ptde.rollout.evaluate import Returns
from ptde.rollout.runner import runner_of
from ptde.rollout.seeds import Stream, over_seeds, stream_keys
from ptde.types import Info, Rollout

FILE = "diagnosis.json"
FOLDER = "diagnosis"
"""Names in the run folder: of the result, and of the folder of the ladder's students."""

STUDENTS = {
    "memory, own battles": {"network": "gru", "data": "own"},
    "memory, teacher's battles": {"network": "gru", "data": "teacher"},
    "O_i, own battles": {"network": "mlp", "data": "own"},
    "O_i, teacher's battles": {"network": "mlp", "data": "teacher"},
}
"""Options of the ladder's students, by their input and their data."""

ADVICE = {
    "capacity": "even a network that reads the whole state does not replace the teacher: "
    "try --student.hidden 128, or more steps (--student.share 0.2)",
    "knowledge": "what z tells is not in what an agent has seen: no student can know it. Try "
    "stage 3 (--finetune.share 0.2), where rewards teach the team to do without, or a "
    "larger --sight",
    "memory": "an agent has seen what z tells, but earlier: try --student.network gru",
    "shift": "the student meets situations that its teacher never showed it: try "
    "--student.data own",
    "training": "a student of this kind can do better than this one: try "
    "--student.objective q, or more steps (--student.share 0.2)",
}
"""The meaning of each part of the gap, and the option to try."""


@dataclass(frozen=True)
class Rung:
    """The results of one team of the ladder."""

    name: str
    performance: float
    """Mean of the world's measure, such as a win rate, over seeds and episodes."""
    error: float
    """Standard error of the performance, over all episodes."""
    mean_return: float
    lost: float
    """Share of episodes that were neither won nor cut by the time limit."""
    timed_out: float
    """Share of episodes that the time limit cut, and that were not won."""

    @classmethod
    def of(cls, name: str, returns: Returns, limit: int) -> "Rung":
        """The rung of ``Returns`` [seeds, episodes], in a world with this time limit."""
        won, late = np.asarray(returns.won), np.asarray(returns.length) >= limit
        return cls(
            name=name,
            performance=float(won.mean()),
            error=float(won.std() / max(won.size, 1) ** 0.5),
            mean_return=float(returns.reward.mean()),
            lost=float(((won < 1) & ~late).mean()),
            timed_out=float(((won < 1) & late).mean()),
        )


class FromState(AbstractInfo):
    """An information module with a student's MLP, which reads the state beside O_i."""

    z_dim: int = eqx.field(static=True)
    stochastic: bool = eqx.field(static=True)
    mlp: MLP

    def __init__(
        self, local: int, state: int, z: int, hidden: int, *, key: Key[Array, ""]
    ):
        self.z_dim, self.stochastic = z, False
        widths = (local + state, hidden, hidden, z)
        self.mlp = MLP(widths, (jax.nn.relu, jax.nn.leaky_relu), key=key)

    def __call__(
        self,
        local: Float[Array, "*b n d"],
        state: Float[Array, "*b s"],
        *,
        noise: Float[Array, "*b n z"] | None,
    ) -> Info:
        everyone = jnp.broadcast_to(
            state[..., None, :], (*local.shape[:-1], state.shape[-1])
        )
        z = self.mlp(jnp.concatenate([local, everyone], axis=-1))
        return Info(z=z, mean=z)


def diagnose(path: Path | str, episodes: int | None = None) -> dict[str, Any]:
    """Fits the ladder's students, tests all of them on the same battles, and sums up.

    The students are kept in the run folder: a second call resumes where one was stopped.

    Args:
        path: a run folder with a distilled student.
        episodes: episodes of each rung and seed; None takes the run's own number. >= 1.

    Returns:
        The contents of ``diagnosis.json``.

    Raises:
        ValueError: the run has no distilled student, or none yet.
    """
    use_compilation_cache()
    folder = RunFolder(Path(path))
    if not folder.run.distils or not folder.has("student"):
        raise ValueError(
            f"{path} has no distilled student to ask: `ptde distill {path}` makes one, of a "
            "teacher with an information module (--info gip)"
        )
    with closing(build.world(folder.run)) as env:
        return _diagnose(folder, env, episodes or folder.run.episodes)


def _diagnose(folder: RunFolder, env: AbstractWorld, episodes: int) -> dict[str, Any]:
    run, limit = folder.run, env.spec.time_limit
    teacher = folder.teacher("teacher", run, env)
    teams: dict[str, Teacher | Team] = {"teacher": teacher}
    teams["whole state"] = _from_state(run, env, teacher)
    for name, options in STUDENTS.items():
        teams[name] = _student(folder, env, teacher, name, options)
    teams |= {r: folder.model(r, env) for r in ("student", "finetuned") if folder.has(r)}
    test = runner_of(env).test(episodes, run.seeds)
    keys = stream_keys(Stream.EVALUATION, run.seed, run.seeds)
    rungs = {name: Rung.of(name, test(team, keys), limit) for name, team in teams.items()}
    parts = shares({name: rung.performance for name, rung in rungs.items()}, run.student)
    agreement = _agreement(run, env, teacher, teams["student"])
    gap = rungs["teacher"].performance - rungs["student"].performance
    noise = 2 * float(np.hypot(rungs["teacher"].error, rungs["student"].error))
    found = {
        "summary": sentence(gap, noise, parts, env.spec.measure),
        "measure": env.spec.measure,
        "gap": gap,
        "noise": noise,
        "parts": parts,
        "ladder": [dataclasses.asdict(rung) for rung in rungs.values()],
        "decisions": agreement,
    }
    (folder.path / FILE).write_text(json.dumps(found, indent=1))
    draw(found, folder.path / "diagnosis.png")
    return found


def shares(reached: dict[str, float], student: DistillConfig) -> dict[str, float]:
    """The gap between teacher and student, part by part; they add up to the gap.

    Args:
        reached: the performance of each rung.
        student: how the run's student learnt, which places it on the ladder.
    """
    memory = "O_i" if student.network == "mlp" else "memory"
    taught = student.data != "own"
    like = f"{memory}, {'teacher' if taught else 'own'}{chr(39) + 's' if taught else ''}"
    best = reached["memory, own battles"]
    kept = reached[f"{memory}, own battles"]
    return {
        "capacity": reached["teacher"] - reached["whole state"],
        "knowledge": reached["whole state"] - best,
        "memory": best - kept,
        "shift": kept - reached[f"{like} battles"],
        "training": reached[f"{like} battles"] - reached["student"],
    }


def sentence(gap: float, noise: float, parts: dict[str, float], measure: str) -> str:
    """A summary in words: the parts of the gap, and what to try."""
    if gap <= noise:
        return (
            f"The student reaches what its teacher does: the gap in {measure} is {gap:.3f}, "
            f"and {noise:.3f} could be chance."
        )
    largest = max(parts, key=lambda name: parts[name])
    others = [f"{n} {x:.3f}" for n, x in parts.items() if n != largest and abs(x) > noise]
    beside = f" (beside it: {', '.join(others)})" if others else ""
    return (
        f"Of a gap of {gap:.3f} in {measure}, {parts[largest]:.3f} is {largest}{beside}: "
        f"{ADVICE[largest]}."
    )


def _student(
    folder: RunFolder,
    env: AbstractWorld,
    teacher: Teacher,
    name: str,
    options: dict[str, str],
) -> Team:
    """A student of the ladder, from the folder if it was fitted before."""
    run = folder.run
    config = replace(
        run.student, objective="q", share=0.0, data_segments=0, steps=0, **options
    )
    config = replace(config, data_steps=run.stages.distil or run.student.data_steps)
    run = replace(run, student=config)
    place = folder.path / FOLDER / name.replace(" ", "-").replace("'", "").replace(",", "")
    task = build.distillation(run, env)
    if config.data == "teacher":
        return distill(task, teacher, place)
    team = teach(task.own(teacher, run.checkpoint_every), place).team
    assert team is not None
    return team


def _from_state(run: Run, env: AbstractWorld, teacher: Teacher) -> Teacher:
    """The teacher with a network in its module's place that reads O_i and the state."""
    steps, batch, spec = 4_000, 1_024, env.spec
    segment = build.segment_of(run, spec)
    length = run.stages.distil or run.student.data_steps
    times = max(2, length // (run.envs * segment))
    roll = runner_of(env).rollouts(
        lambda teacher: teacher.policy(run.student.data_epsilon, sample_z=True),
        lambda teacher, rollout: (label(teacher, rollout), rollout.steps.state),
        times=times,
        copies=run.envs,
        length=segment,
        seeds=run.seeds,
    )
    data = roll(teacher, stream_keys(Stream.DATA, run.seed, run.seeds))

    def fit(teacher, data, key):
        seen, state = data
        z, hidden = teacher.info.z_dim, run.student.hidden
        module = FromState(spec.local_dim, spec.state_dim, z, hidden, key=key)
        alive = seen.counts.reshape(-1).astype(jnp.float32)
        local = seen.local.reshape(-1, *seen.local.shape[-2:])
        states, wanted = state.reshape(len(local), -1), seen.z.reshape(len(local), -1, z)
        rate = optax.cosine_decay_schedule(1e-3, steps)
        adam, alive = optax.adam(rate), alive.reshape(len(local), -1)

        def one(carry, key):
            module, state = carry
            pick = jax.random.randint(key, (batch // spec.n_agents + 1,), 0, len(local))

            def loss(module):
                made = module(local[pick], states[pick], noise=None).z
                return masked_mean(
                    jnp.sum((made - wanted[pick]) ** 2, -1), alive[pick] > 0
                )

            change, state = adam.update(jax.grad(loss)(module), state)
            return (optax.apply_updates(module, change), state), None

        keys = jax.random.split(key, steps)
        (module, _), _ = jax.lax.scan(one, (module, adam.init(module)), keys)
        return Teacher(teacher.network, module, teacher.sight)

    keys = stream_keys(Stream.FIT, run.seed, run.seeds)
    return jax.jit(over_seeds(fit, run.seeds))(teacher, data, keys)


def _agreement(
    run: Run, env: AbstractWorld, teacher: Teacher, student: Team
) -> list[dict[str, Any]]:
    """The student's ``decisions`` on its teacher's battles, and on its own."""
    segment = build.segment_of(run, env.spec)

    def compare(models: tuple[Teacher, Team], rollout: Rollout) -> dict[str, Array]:
        teacher, team = models
        seen = label(teacher, rollout)
        return decisions(seen, team, teacher)

    rows = []
    for whose, policy in {
        "teacher's": lambda models: as_tested(models[0]),
        "student's": lambda models: as_tested(models[1]),
    }.items():
        roll = runner_of(env).rollouts(
            policy, compare, times=4, copies=run.envs, length=segment, seeds=run.seeds
        )
        keys = stream_keys(Stream.EVALUATION, run.seed, run.seeds)
        seen = roll((teacher, student), keys)
        means = {name: float(np.mean(x)) for name, x in seen.items()}
        rows.append({"battles": whose, **means})
    return rows


def decisions(seen: Labelled, team: Team, teacher: Teacher) -> dict[str, Array]:
    """How a team's decisions compare with its teacher's: the share of equal greedy actions;
    the mean regret, by the teacher's values and in units of their standard deviation over
    actions; and the share of those values' variance over actions that the team explains.
    """
    network = teacher.network
    h = network.unroll(seen.local, seen.first)
    wanted = network.values(h, seen.z)
    own = team.network.unroll(seen.local, seen.first)
    given = team.network.values(own, team.student.unroll(seen.local, seen.first))
    legal, counts = seen.legal, seen.counts & (seen.legal.sum(-1) > 1)
    best, chosen = greedy(wanted, legal), greedy(given, legal)
    number = jnp.maximum(legal.sum(-1, keepdims=True), 1)

    def centred(q):
        mean = jnp.where(legal, q, 0.0).sum(-1, keepdims=True) / number
        return jnp.where(legal, q - mean, 0.0)

    spread = masked_mean((centred(wanted) ** 2).sum(-1) / number[..., 0], counts)
    apart = ((centred(given) - centred(wanted)) ** 2).sum(-1) / number[..., 0]
    top = jnp.max(masked(wanted, legal), -1)
    regret = masked_mean(top - take(wanted, chosen), counts)
    return {
        "same_action": masked_mean((best == chosen).astype(jnp.float32), counts),
        "regret": regret / jnp.sqrt(spread + 1e-8),
        "r2_of_values": 1.0 - masked_mean(apart, counts) / (spread + 1e-8),
    }


def draw(found: dict[str, Any], path: Path) -> Path:
    """Draws the ladder, and the parts of the gap, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from ptde.report.palette import BLUE, VERMILION

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8))
    rungs = found["ladder"][::-1]
    names = [rung["name"] for rung in rungs]
    reached = [rung["performance"] for rung in rungs]
    left.barh(names, reached, xerr=[2 * r["error"] for r in rungs], color=BLUE, alpha=0.8)
    left.set_xlabel(found["measure"])
    left.set_xlim(0, 1.02)
    parts = found["parts"]
    right.barh([*parts][::-1], [*parts.values()][::-1], color=VERMILION, alpha=0.8)
    right.axvspan(-found["noise"], found["noise"], color="0.9", zorder=0)
    right.set_xlabel(f"part of the gap of {found['gap']:.3f}; grey: chance")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path
