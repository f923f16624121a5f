import dataclasses
import os

import jax
import pytest
from tests.test_pipeline import TINY

from ptde import build
from ptde.algos.base import Team
from ptde.algos.finetune import FinetuneConfig
from ptde.config import Run, for_role
from ptde.folder import RunFolder
from ptde.pipeline import run
from ptde.rollout.devices import one_thread

STAGES = dataclasses.replace(
    TINY,
    seeds=2,
    baseline=True,
    finetune=FinetuneConfig(share=0.2, leash=1.0, tests=2, test_episodes=4),
)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The folder of a run of all stages that has ended."""
    folder = tmp_path_factory.mktemp("page") / "finished"
    with pytest.MonkeyPatch.context() as patch:  # as if the command line had begun it
        patch.setenv("XLA_FLAGS", one_thread(os.environ["XLA_FLAGS"]))
        run(STAGES, folder)
    return folder


def untaught(config: Run, path) -> RunFolder:
    """A run folder with teams that have learnt nothing; no training is compiled."""
    folder = RunFolder.create(config, path, "run")
    world = build.world(config)

    def teacher(role):
        training = build.training(for_role(config, role), world, role)
        return training.algo.teacher(training.start().learner)

    def team():
        taught = teacher("teacher")
        return Team(taught.network, build.distillation(config, world).start(taught).student)

    folder.finish("teacher", jax.jit(lambda: teacher("teacher"))())
    folder.finish("student", jax.jit(team)())
    folder.finish("baseline", jax.jit(lambda: teacher("baseline"))())
    return folder
