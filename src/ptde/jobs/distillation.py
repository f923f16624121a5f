"""The task of stage 2: what a student learns from, on what, and for how long."""

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from ptde.agents.base import AbstractNetwork
from ptde.algos.base import ModelState, Teacher
from ptde.algos.replay import Replay, lanes
from ptde.algos.student import StudentLearner, label, quality
from ptde.distill.config import DistillConfig
from ptde.distill.objectives import Labelled
from ptde.envs.base import AbstractWorld
from ptde.info.base import AbstractStudent
from ptde.jobs.student_data import Data, rows_of
from ptde.jobs.teach import Training
from ptde.ops.devices import averaged
from ptde.ops.loops import repeat
from ptde.rollout.devices import Division
from ptde.rollout.runner import runner_of
from ptde.rollout.schedule import Schedule
from ptde.rollout.seeds import Stream, over_seeds, stream_keys
from ptde.types import Rollout


class Fit(eqx.Module):
    """All that changes while a student learns from fixed data."""

    student: AbstractStudent
    optimiser: optax.OptState
    key: Key[Array, ""]
    step: Int[Array, ""]


@dataclass(frozen=True)
class Distillation:
    """The task of stage 2: world, options and sizes."""

    env: AbstractWorld
    config: DistillConfig
    envs: int
    segment: int
    seed: int
    seeds: int
    steps: int
    """Joint steps that are played for data."""
    before: int = 0
    """Joint steps of stage 1."""
    name: str = "student"
    """Name of the student in its progress."""
    test_episodes: int = 32
    """Episodes of each test, where ``config`` has no number of its own."""

    @property
    def optimiser(self) -> optax.GradientTransformation:
        """The student's optimiser on fixed data; for rows it is the paper's."""
        c = self.config
        if not c.whole:
            return optax.adam(c.rate)
        rate = optax.cosine_decay_schedule(c.rate, c.gradient_steps)
        return optax.chain(optax.clip_by_global_norm(10.0), optax.adam(rate))

    @property
    def ends(self) -> list[int]:
        """Gradient steps at which the student is tested, evenly spaced up to the end."""
        steps = self.config.gradient_steps
        tests = min(self.config.tests, steps)
        return [i * steps // tests for i in range(1, tests + 1)]

    @property
    def own_schedule(self) -> Schedule:
        """Of the student's own battles."""
        per_test = max(1, -(-self.steps // self.config.tests))
        return Schedule(self.envs, self.segment, self.steps, per_test)

    @property
    def own_updates(self) -> int:
        """Gradient steps after each collection of the student's own battles."""
        if self.config.updates:
            return self.config.updates
        return -(-self.config.gradient_steps // self.own_schedule.collections)

    @property
    def tested(self) -> int:
        """Episodes of each test."""
        return self.config.test_episodes or self.test_episodes

    def keys(self, stream: Stream) -> Key[Array, " seeds"]:
        """The seeds' keys of one stream of randomness."""
        return stream_keys(stream, self.seed, self.seeds)

    def start(self, teacher: Teacher, student: AbstractStudent | None = None) -> Fit:
        """Students before any step, one for each teacher: untrained, or those given."""

        def begin(teacher, student, key):
            key_student, key_fit = jax.random.split(key)
            z_dim = teacher.info.z_dim
            student = student or self.config.make(self.env.spec, z_dim, key=key_student)
            optimiser = self.optimiser.init(student)
            return Fit(student, optimiser, key_fit, jnp.zeros((), jnp.int32))

        keys = self.keys(Stream.FIT)
        return jax.jit(over_seeds(begin, self.seeds))(teacher, student, keys)

    def own(self, teacher: Teacher, checkpoint_every: int) -> Training:
        """The student's training on its own episodes, by stage 1's loop."""
        c, schedule = self.config, self.own_schedule
        collections = schedule.collections
        learner = StudentLearner(
            make_student=lambda key: c.make(self.env.spec, teacher.info.z_dim, key=key),
            objective=c.loss(),
            envs=self.envs,
            collections=collections,
            warm_up=round(c.warm_up * collections),
            share=c.teacher_share,
            epsilon=c.data_epsilon,
            updates=self.own_updates,
            batch=min(c.batch_size, self.envs * collections),
            lr=c.rate,
        )
        return Training(
            name=self.name,
            algo=learner,
            env=self.env,
            schedule=schedule,
            seed=self.seed,
            seeds=self.seeds,
            test_episodes=self.tested,
            checkpoint_every=checkpoint_every,
            sample_z=False,
            tested="student",
            before=self.before,
            given=teacher,
            streams=(Stream.OWN, Stream.STUDENT_TEST),
        )

    def check_batch(self) -> None:
        """Raises ValueError if ``batch`` is more than the segments that there will be."""
        batch, each = self.config.batch, self.envs * self.segment
        most = self.envs * max(1, -(-self.steps // each))
        if self.config.data == "own" and batch > most:
            raise ValueError(
                f"--student.batch {batch} is more than the {most} segments that "
                f"{self.steps} joint steps are: type --student.batch {most} or fewer, or a "
                "larger --student.share or --student.data-steps"
            )

    @property
    def rolls(self) -> int:
        """Rollouts of all copies of the world for the teacher's data, a segment each."""
        wanted = self.config.segments or -(-self.steps // self.segment)
        return max(2, -(-wanted // self.envs))

    @property
    def joint_steps(self) -> int:
        """Joint steps that this stage takes."""
        if self.config.data == "replay":
            return 0
        each = self.envs * self.segment
        if self.config.data == "own":
            return each * max(1, -(-self.steps // each))
        return each * self.rolls

    def data(self, teacher: Teacher, replay: Rollout | None) -> Data:
        """The students' data: the replay's segments, if given, else the teachers' own."""
        return self.roll(teacher) if replay is None else self.tell(teacher, replay)

    def tell(self, teacher: Teacher, replay: Rollout) -> Data:
        """Segments of stage 1 [seeds, segments, T + 1, ...], labelled by final teachers."""

        def some(teacher, replay, first, count):
            each = max(n for n in range(1, self.envs + 1) if count % n == 0)

            def some_of(i):  # a slice of its own for each: one of all would be a copy
                part = partial(jax.lax.dynamic_slice_in_dim, slice_size=each)
                part = partial(part, start_index=first + each * i)
                return self._label(teacher, jax.tree.map(part, replay))

            rolls = jax.lax.map(some_of, jnp.arange(count // each))
            return jax.tree.map(lambda x: x.reshape(count, *x.shape[2:]), rolls)

        def run(teacher, replay):
            segments = len(replay.action)
            fit, _ = self.split(segments)
            learnt = some(teacher, replay, 0, fit)
            return self._data(learnt, some(teacher, replay, fit, segments - fit))

        division = self.division(jax.tree.leaves(replay)[0].shape[1])
        if division.by == "copies":  # what is divided so is labelled as a whole
            division = Division("seeds", 1)
        seeds = over_seeds(run, division.seeds(self.seeds))
        program = division.program(seeds, (False, False), False)
        return jax.jit(program)(division.place(teacher, False), replay)

    def roll(self, teacher: Teacher) -> Data:
        """Data that the teachers play, with z drawn and ``data_epsilon`` random actions."""
        play = runner_of(self.env).rollouts(
            lambda teacher: teacher.policy(self.config.data_epsilon, sample_z=True),
            self._label,
            times=self.rolls,
            copies=self.envs,
            length=self.segment,
            seeds=self.seeds,
        )
        rolls = play(teacher, self.keys(Stream.DATA))
        return jax.jit(over_seeds(self._split, self.seeds))(rolls)

    def _label(self, teacher: Teacher, rollout: Rollout) -> Labelled:
        """What there is to learn from; rows have no h, which Eq. 6 does not read."""
        seen = label(teacher, rollout)
        return seen if self.config.whole else replace(seen, h=seen.h[..., :0])

    def split(self, segments: int) -> tuple[int, int]:
        """The number of segments to learn from, of so many, and that of their lanes."""
        fit = max(1, segments - max(1, round(self.config.held_out * segments)))
        number = lanes(self.envs, self.config.batch_size)
        if not self.config.whole or fit < number:
            return fit, 1
        return fit - fit % number, number

    def division(self, segments: int) -> Division:
        """How learning from so many segments is divided over devices."""
        return Division.of(self.seeds, self.split(segments)[1])

    def _split(self, rolls: Labelled) -> Data:
        """Splits the data by segments: each starts at a reset, so no episode is in two.

        Args:
            rolls: leaves [rolls, B, T, ...].
        """
        segments = rolls.first.shape[0] * rolls.first.shape[1]
        fit, _ = self.split(segments)
        seen = jax.tree.map(lambda x: x.reshape(segments, *x.shape[2:]), rolls)
        learnt = jax.tree.map(lambda x: x[:fit], seen)
        return self._data(learnt, jax.tree.map(lambda x: x[fit:], seen))

    def _data(self, learnt: Labelled, held_out: Labelled) -> Data:
        """The data, from segments [segments, T, ...] to learn from and others."""
        batch, segments = self.config.batch_size, len(learnt.first) + len(held_out.first)
        _, number = self.split(segments)
        if self.config.whole:
            return Data(Replay.of(learnt, batch, number), held_out)
        rows = rows_of(learnt)
        living = rows.counts[:, 0, 0]
        first = jnp.argsort(~living)
        replay = Replay.of(jax.tree.map(lambda x: x[first], rows), batch, number)
        return Data(replace(replay, filled=jnp.sum(living)), rows_of(held_out))

    def learn(
        self, fit: Fit, data: Data, network: AbstractNetwork, steps: Int[Array, ""] | int
    ) -> tuple[Fit, Float[Array, " most"]]:
        """Takes ``steps`` gradient steps on the objective; also returns their losses, with
        zeros behind them.
        """
        objective = self.config.loss()

        def one(fit):
            seen = data.learnt.sample(key=jax.random.fold_in(fit.key, fit.step))

            def loss(student):
                z = student.unroll(seen.local, seen.first)
                return objective(z, seen, network)

            value, gradient = jax.value_and_grad(loss)(fit.student)
            learnt = ModelState(fit.student, fit.optimiser)
            learnt = learnt.step(averaged(gradient), self.optimiser)
            return Fit(learnt.model, learnt.optimiser, fit.key, fit.step + 1), value

        most = max(b - a for a, b in pairwise([0, *self.ends]))
        return repeat(one, fit, steps, most)

    def held_out(
        self, fit: Fit, data: Data, network: AbstractNetwork
    ) -> dict[str, Float[Array, ""]]:
        """The loss on held-out data, and the share of z's variance that is explained."""
        return quality(fit.student, data.held_out, self.config.loss(), network)
