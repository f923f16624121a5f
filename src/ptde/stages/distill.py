"""Stage 2: distil the teacher's z into local information (Paper Algorithm 2, Sec. 3.3).

The frozen teacher rolls data; a student that sees O_i alone fits the *mean* of its z; the
student then takes the information module's place, with the network as it was.
"""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from ptde.algos.base import Teacher, Team
from ptde.check import known, within
from ptde.distill.students import MlpStudent
from ptde.envs.base import AbstractEnv, AbstractWorld
from ptde.envs.host import HostWorld
from ptde.ops.local import local_information
from ptde.ops.losses import distillation_loss
from ptde.ops.masks import masked_mean
from ptde.options import Options
from ptde.run import host
from ptde.run.checkpoint import Checkpoints
from ptde.run.collect import collect, start
from ptde.run.evaluate import Returns
from ptde.run.interrupt import Interrupted, patient_interrupt
from ptde.run.loop import fold, over_seeds, seed_keys, student_test
from ptde.run.progress import Tracker
from ptde.run.record import Record, Row
from ptde.types import Rollout

DATA, FIT, TEST = 10, 11, 12
"""Streams of randomness below a seed's key: none that stage 1 uses."""


@dataclass(frozen=True)
class DistillConfig(Options):
    """How the student learns (Paper Sec. 3.3, 4.5)."""

    steps: int = 40_000
    """Gradient steps. >= 1."""
    batch: int = 1000
    """Rows (one agent at one step) per gradient step. >= 1."""
    lr: float = 1e-4
    """Adam's learning rate. > 0."""
    hidden: int = 64
    """Width of the student's hidden layers. Units; >= 1."""
    data: Literal["teacher", "replay"] = "teacher"
    """What it learns from: ``teacher`` rolls data for it; ``replay``: what the replay holds
    at the end of stage 1, which costs no joint steps. With --together and ``replay``, the
    student that learnt beside its teacher learns on, to ``steps`` gradient steps in all."""
    data_steps: int = 100_000
    """Joint steps that the teacher rolls for data. >= 1."""
    data_segments: int = 0
    """Segments that it rolls for data, whatever ``data_steps`` says. >= 0; 0 leaves it to
    ``data_steps``."""
    data_epsilon: float = 0.05
    """Probability of a random action while it rolls them. In [0, 1]."""
    held_out: float = 0.2
    """Share of the segments, and so of the episodes, kept for the test loss. In (0, 1)."""
    tests: int = 20
    """How often the test loss and the student's win rate are measured. >= 1."""
    test_episodes: int = 64
    """Episodes of each of these tests. >= 1."""

    def __post_init__(self):
        default = type(self)
        known("student.data", self.data, ("teacher", "replay"))
        for count in ("steps", "batch", "hidden", "data_steps", "tests"):
            name = f"student.{count}"
            within(name, getattr(self, count), 1, example=getattr(default, count))
        within("student.data_segments", self.data_segments, 0, example=800)
        within("student.lr", self.lr, 0, open_low=True, example=1e-4)
        within("student.test_episodes", self.test_episodes, 1, example=64)
        within("student.data_epsilon", self.data_epsilon, 0, 1, example=0.05)
        within("student.held_out", self.held_out, 0.01, 0.99, example=0.2)


class Rows(eqx.Module):
    """What the student learns from: a row for each agent, step and segment."""

    local: Float[Array, "rows d"]
    z: Float[Array, "rows z"]
    """The mean of the teacher's z, not a sample: it has the same best fit without noise."""
    order: Int[Array, " rows"]
    """Row numbers: those to learn from, then the held out, then those that do not count."""
    fit: Int[Array, ""]
    """How many rows are to learn from."""
    held_out: Bool[Array, " rows"]


class Fit(eqx.Module):
    """All that changes while a student learns."""

    student: MlpStudent
    optimiser: optax.OptState
    key: Key[Array, ""]
    step: Int[Array, ""]


@dataclass(frozen=True)
class Distillation:
    """Whom to distil, where, and how."""

    env: AbstractWorld
    config: DistillConfig
    envs: int
    segment: int
    seed: int
    seeds: int

    @property
    def optimiser(self) -> optax.GradientTransformation:
        """The student's optimiser."""
        return optax.adam(self.config.lr)

    @property
    def ends(self) -> list[int]:
        """Gradient steps at which is tested: as evenly as goes, the last at the end."""
        steps, tests = self.config.steps, min(self.config.tests, self.config.steps)
        return [i * steps // tests for i in range(1, tests + 1)]

    def keys(self, stream: int) -> Key[Array, " seeds"]:
        """The seeds' keys of one stream of randomness."""
        return fold(seed_keys(self.seed, self.seeds), stream)

    def start(self, teacher: Teacher, student: MlpStudent | None = None) -> Fit:
        """Students at the start, one for each teacher: untrained, or those given."""

        def begin(teacher, student, key):
            key_student, key_fit = jax.random.split(key)
            student = student or MlpStudent(
                self.env.spec.local_dim,
                teacher.info.z_dim,
                self.config.hidden,
                key=key_student,
            )
            optimiser = self.optimiser.init(student)
            return Fit(student, optimiser, key_fit, jnp.zeros((), jnp.int32))

        return jax.jit(over_seeds(begin, self.seeds))(teacher, student, self.keys(FIT))

    def rows(self, teacher: Teacher, replay: Rollout | None) -> Rows:
        """What the students learn from: the replay's segments if there are any."""
        return self.roll(teacher) if replay is None else self.tell(teacher, replay)

    def tell(self, teacher: Teacher, replay: Rollout) -> Rows:
        """Segments of stage 1 [seeds, segments, T + 1, ...] with the teachers' z of now."""

        def run(teacher, replay):
            rolls = jax.tree.map(lambda x: x.reshape(-1, self.envs, *x.shape[1:]), replay)
            return self._rows(*jax.lax.map(lambda part: _told(teacher, part), rolls))

        return jax.jit(over_seeds(run, self.seeds))(teacher, replay)

    def roll(self, teacher: Teacher) -> Rows:
        """The teachers' own data: they act as in training, z drawn, a little random."""
        c = self.config
        wanted = c.data_segments or -(-c.data_steps // self.segment)
        rolls = max(2, -(-wanted // self.envs))
        play = self._play if isinstance(self.env, HostWorld) else self._roll
        return play(teacher, rolls)

    def _roll(self, teacher: Teacher, rolls: int) -> Rows:
        env = self.env
        assert isinstance(env, AbstractEnv)

        def run(teacher, key):
            policy = teacher.policy(self.config.data_epsilon, sample_z=True)

            def roll(key):
                key_start, key_collect = jax.random.split(key)
                cursor = start(policy, env, self.envs, key=key_start)
                _, rollout = collect(policy, env, cursor, self.segment, key=key_collect)
                return _told(teacher, rollout)

            return self._rows(*jax.lax.map(roll, jax.random.split(key, rolls)))

        return jax.jit(over_seeds(run, self.seeds))(teacher, self.keys(DATA))

    def _play(self, teacher: Teacher, rolls: int) -> Rows:
        """The same in a world in processes of its own."""
        world = self.env
        assert isinstance(world, HostWorld)
        told, rows = jax.jit(_told), jax.jit(self._rows)

        def run(teacher, key):
            policy = teacher.policy(self.config.data_epsilon, sample_z=True)
            rollouts = (
                host.collect(policy, world, self.segment, key=k)
                for k in jax.random.split(key, rolls)
            )
            parts = [told(teacher, rollout) for rollout in rollouts]
            return rows(*(jnp.stack(part) for part in zip(*parts, strict=True)))

        return over_seeds(run, self.seeds)(teacher, self.keys(DATA))

    def _rows(
        self,
        local: Float[Array, "rolls B T n d"],
        z: Float[Array, "rolls B T n z"],
        alive: Bool[Array, "rolls B T n"],
    ) -> Rows:
        """A segment starts at a reset, so no episode is in two: they are split."""
        rolls, copies = alive.shape[:2]
        segments = rolls * copies
        share = max(1, round(self.config.held_out * segments))
        held = jnp.arange(segments).reshape(rolls, copies) >= segments - share
        held = jnp.broadcast_to(held[:, :, None, None], alive.shape)
        group = jnp.where(alive, held.astype(jnp.int32), 2).reshape(-1)
        return Rows(
            local=local.reshape(-1, local.shape[-1]),
            z=z.reshape(-1, z.shape[-1]),
            order=jnp.argsort(group).astype(jnp.int32),
            fit=jnp.sum(group == 0),
            held_out=group == 1,
        )

    def learn(self, fit: Fit, rows: Rows, steps: int) -> tuple[Fit, Float[Array, " steps"]]:
        """So many gradient steps on Paper Eq. 6, and their losses."""

        def one(fit, _):
            key = jax.random.fold_in(fit.key, fit.step)
            pick = jax.random.randint(
                key, (self.config.batch,), 0, jnp.maximum(rows.fit, 1)
            )
            pick = rows.order[pick]
            every = jnp.ones(self.config.batch, bool)

            def loss(student):
                z = student.mlp(rows.local[pick])
                return distillation_loss(z, rows.z[pick], every)

            value, gradient = jax.value_and_grad(loss)(fit.student)
            change, optimiser = self.optimiser.update(gradient, fit.optimiser)
            student = optax.apply_updates(fit.student, change)
            return Fit(student, optimiser, fit.key, fit.step + 1), value

        return jax.lax.scan(one, fit, None, length=steps)

    def held_out(self, fit: Fit, rows: Rows) -> dict[str, Float[Array, ""]]:
        """The loss on the held-out rows, and the share of z's variance explained."""
        z = fit.student.mlp(rows.local)
        loss = distillation_loss(z, rows.z, rows.held_out)
        mean = jax.vmap(masked_mean, (1, None))(rows.z, rows.held_out)
        spread = distillation_loss(
            jnp.broadcast_to(mean, rows.z.shape), rows.z, rows.held_out
        )
        return {"held_out_loss": loss, "r2": 1.0 - loss / jnp.maximum(spread, 1e-12)}


def _told(teacher: Teacher, rollout: Rollout) -> tuple[Array, Array, Array]:
    """O_i, the mean of z, and who is alive, at every step [B, T + 1, n, ...]."""
    steps = rollout.steps
    local = local_information(steps.local)
    info = teacher.info.unroll(local, steps.state, steps.first, noise=None)
    return local, info.mean, steps.local.alive


def _row(outcome: Returns, losses: Array, held_out: dict[str, Array]) -> Row:
    """What is recorded of a test, each with one entry a seed."""
    measured = {
        "win_rate": outcome.won.mean(1),
        "return": outcome.reward.mean(1),
        "loss": losses.mean(1),
        **held_out,
    }
    return {k: np.asarray(v).round(6).tolist() for k, v in measured.items()}


def _text(row: Row, measure: str) -> str:
    return (
        f"held-out loss {np.mean(row['held_out_loss']):.3f}  R2 {np.mean(row['r2']):.2f}  "
        f"{measure} {np.mean(row['win_rate']):.2f}"
    )


def distill(
    task: Distillation,
    teacher: Teacher,
    folder: Path,
    student: MlpStudent | None = None,
    replay: Rollout | None = None,
) -> Team:
    """Distils, from the newest checkpoint in ``folder`` if there is one.

    Writes ``record.jsonl`` and ``checkpoints/`` there; ``steps`` are gradient steps.

    Args:
        task: whom, where and how.
        teacher: frozen, with a leading axis of seeds.
        folder: of the student, in the run folder.
        student: the students to begin with, with a leading axis of seeds; None begins anew.
        replay: segments to learn from [seeds, segments, ...]; None lets the teacher play.

    Returns:
        the decentralised teams, with a leading axis of seeds.

    Raises:
        Interrupted: the user pressed Ctrl-C; a checkpoint was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(folder / "checkpoints")
    record = Record(folder / "record.jsonl")
    fit = task.start(teacher, student)
    found = checkpoints.newest(jax.eval_shape(lambda: fit))
    steps, fit = found or (0, fit)
    kept = record.cut(steps)
    seconds = kept[-1]["seconds"] if kept else 0.0

    @partial(jax.jit, donate_argnums=0, static_argnums=2)
    def learn(fit, rows, length):
        return over_seeds(partial(task.learn, steps=length), task.seeds)(fit, rows)

    held_out = jax.jit(over_seeds(task.held_out, task.seeds))
    test = student_test(task.env, task.config.test_episodes, task.seeds)
    total = task.config.steps
    with (
        patient_interrupt() as stop,
        Tracker("student", total, "gradient steps") as tracker,
    ):
        rows = task.rows(teacher, replay) if steps < total else None
        for end in [end for end in task.ends if end > steps]:
            began = time.monotonic()
            fit, losses = learn(fit, rows, end - steps)
            steps = end
            team = Team(teacher.network, fit.student)
            row = _row(
                test(team, fold(task.keys(TEST), steps)), losses, held_out(fit, rows)
            )
            seconds += time.monotonic() - began
            record.append({"steps": steps, "seconds": round(seconds, 3), **row})
            tracker.update(steps, _text(row, task.env.spec.measure))
            if stop.requested or steps >= total:
                checkpoints.save(steps, fit)
            if stop.requested and steps < total:
                raise Interrupted(f"student is saved at {steps:,} gradient steps")
    return Team(teacher.network, fit.student)
