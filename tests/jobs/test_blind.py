"""A student's team is not told the state: with NaN in its place nothing changes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.students import PAPERS

from ptde import build
from ptde.algos import Teacher, ValueConfig
from ptde.algos.base import Team
from ptde.algos.mappo import MappoConfig
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.envs import Probe
from ptde.info import InfoSizes
from ptde.jobs.distillation import Distillation
from ptde.mixers import MixerSizes
from ptde.rollout.base import initial
from ptde.rollout.jax_runner import JaxRunner, iterate
from ptde.rollout.schedule import Schedule


class Long(Probe):
    """``personal`` in episodes of three steps, so that hidden states matter."""

    def __init__(self):
        super().__init__("personal")
        self.length = 3
        self.spec = dataclasses.replace(self.spec, time_limit=3)


class Blind(Long):
    """The same, and the state cannot be computed with."""

    def _show(self, *args):
        step = super()._show(*args)
        return dataclasses.replace(step, state=jnp.full_like(step.state, jnp.nan))


RUN = Run(
    world="probe",
    map="personal",
    hidden=8,
    info_config=InfoSizes(z=4, hyper_hidden=4),
    mixer_config=MixerSizes(embed=4, hypernet_hidden=4),
    value=ValueConfig(buffer=8, batch=4, updates=1, lr=1e-2),
    mappo=MappoConfig(epochs=1),
)
RUNS = {
    "two stages": RUN,
    "online": dataclasses.replace(RUN, online_distillation=True),
    "ctds": dataclasses.replace(
        RUN, info="none", teacher_sight="all", online_distillation=True
    ),
    "mappo": dataclasses.replace(RUN, algo="mappo"),
}
SCHEDULE = Schedule(envs=4, segment=8, steps=32, test_every=32)
SEED = jax.random.split(jax.random.key(8), 1)


def trained(run) -> tuple[Teacher, Team]:
    """A teacher that made a step, and a student in its module's place; [seeds, ...]."""
    env, algo = Long(), build.learner(run, Long().spec)

    @jax.jit
    def once(key):
        return iterate(algo, env, 4, 8, initial(algo, env, SCHEDULE, key=key))

    state, metrics = once(jax.random.key(0))
    assert metrics["grad_norm"] > 0
    teacher, team = jax.tree.map(
        lambda x: x[None], (algo.teacher(state.learner), algo.team(state.learner))
    )
    if team is None:
        config = DistillConfig(**PAPERS, steps=3, batch=8, hidden=8, data_steps=32, tests=1)
        task = Distillation(env, config, envs=4, segment=8, seed=0, seeds=1, steps=32)
        one = lambda tree: jax.tree.map(lambda x: x[0], tree)
        fit, data, network = one((task.start(teacher), task.roll(teacher), teacher.network))
        fit, _ = jax.jit(task.learn, static_argnums=3)(fit, data, network, 3)
        student = jax.tree.map(lambda x: x[None], fit.student)
        team = Team(teacher.network, student)
    return teacher, team


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(run, id=name, marks=[pytest.mark.slow] if name != "two stages" else [])
        for name, run in RUNS.items()
    ],
)
def test_a_student_team_plays_the_same_where_the_state_is_nan(run):
    teacher, team = trained(run)
    seeing, blind = (JaxRunner(env).test(64, 1)(team, SEED) for env in (Long(), Blind()))
    for a, b in zip(jax.tree.leaves(seeing), jax.tree.leaves(blind), strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.isfinite(seeing.reward).all() and 0 < seeing.reward.mean() < 1
    # Its teacher could not: what it is told is NaN there, and so are its values.
    _, step = Blind().resets(2, key=SEED[0])
    one = jax.tree.map(lambda x: x[0], teacher)
    _, values, _ = one.step(one.start(2, 2), step)
    assert jnp.isnan(values).all()
