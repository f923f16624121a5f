"""Stage 3: a student goes on learning from rewards, with the mixer or critic of stage 1."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from ptde import build
from ptde.algos import ValueConfig
from ptde.algos.finetune import FinetuneConfig, Handed
from ptde.algos.mappo import MappoConfig
from ptde.algos.registry import ALGOS
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.envs import Probe
from ptde.folder import RunFolder
from ptde.info import InfoSizes
from ptde.jobs.record import Record
from ptde.mixers import MixerSizes
from ptde.pipeline import distill_run, finetune_run, resume, run
from ptde.rollout.jax_runner import JaxRunner

TINY = Run(
    world="probe",
    map="recoverable",
    steps=3_200,
    envs=4,
    segment=8,
    hidden=8,
    test_every=1_280,
    test_episodes=16,
    checkpoint_every=320,
    episodes=128,
    info_config=InfoSizes(z=4, hyper_hidden=4),
    mixer_config=MixerSizes(embed=4, hypernet_hidden=4),
    value=ValueConfig(buffer=64, batch=16, lr=1e-6, epsilon_steps=1_000, updates=4),
    student=DistillConfig(
        network="mlp",
        objective="z",
        data="own",
        share=0.1,
        batch=8,
        updates=1,
        hidden=8,
        tests=2,
    ),
    finetune=FinetuneConfig(
        share=0.8, lr=1e-2, updates=4, tests=4, test_episodes=16, leash=0.0
    ),
)
MAPPO = dataclasses.replace(
    TINY,
    algo="mappo",
    value=ValueConfig(),
    mixer_config=MixerSizes(),
    finetune=FinetuneConfig(share=0.5, lr=3e-3, tests=2, test_episodes=16),
    mappo=MappoConfig(lr=5e-3, epochs=4),
)
ENV = Probe("recoverable")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(TINY, tmp_path_factory.mktemp("runs") / "value")


@pytest.fixture(scope="module")
def of_mappo(tmp_path_factory):
    return run(MAPPO, tmp_path_factory.mktemp("runs") / "mappo")


def leaves(folder, role):
    return jax.tree.leaves(RunFolder(folder).model(role, ENV))


def rows(folder, role):
    return Record(folder / role / "record.jsonl").rows()


def equal(a, b):
    return all(bool((x == y).all()) for x, y in zip(a, b, strict=True))


def test_rewards_teach_what_the_earlier_stages_left_out(finished):
    """With such a rate the teacher learns nothing."""
    scores = finished.result.scores
    assert max(scores[role].mean_return for role in ("teacher", "student")) < 0.9
    assert scores["finetuned"].mean_return > 0.97


def test_the_stages_share_the_joint_steps_on_one_axis(finished):
    each = TINY.envs * TINY.segment
    assert TINY.stages == (320, 320, 2_560)
    ends = [rows(finished.folder, r)[-1] for r in ("teacher", "student", "finetuned")]
    assert [row["joint_steps"] for row in ends] == [320, 640, 3_200]
    assert ends[-1]["steps"] == 2_560
    assert finished.result.steps == TINY.steps and TINY.steps % each == 0
    assert RunFolder(finished.folder).decentralised == "finetuned"
    drawn = json.loads((finished.folder / "result.json").read_text())
    assert drawn["finetuned"]["episodes"] == TINY.episodes


@pytest.mark.parametrize(
    "which", ["finished", pytest.param("of_mappo", marks=pytest.mark.slow)]
)
def test_a_stopped_stage_3_ends_in_the_same_bits(which, request, tmp_path):
    whole = request.getfixturevalue(which).folder
    shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "finetuned" / "model")
    kept = tmp_path / "run" / "finetuned" / "checkpoints"
    assert len(rows(whole, "finetuned")) > 1
    shutil.rmtree(max(kept.iterdir(), key=lambda path: int(path.name)))
    resume(tmp_path / "run")
    assert equal(leaves(whole, "finetuned"), leaves(tmp_path / "run", "finetuned"))


def test_mappos_team_is_tuned_on_its_leash(of_mappo):
    tuned = rows(of_mappo.folder, "finetuned")
    assert all(np.isfinite(row["loss"]).all() for row in tuned)
    assert not equal(
        leaves(of_mappo.folder, "finetuned"), leaves(of_mappo.folder, "student")
    )
    assert of_mappo.result.scores["finetuned"].mean_return > 0.5


@pytest.mark.parametrize("config", [TINY, MAPPO], ids=["value", "mappo"])
@pytest.mark.parametrize("part", ["student", "network"])
def test_what_is_not_to_learn_stays_as_it_is(config, part, finished, of_mappo):
    folder = RunFolder((finished if config is TINY else of_mappo).folder)
    tuned = dataclasses.replace(config.finetune, trains=part, warm_up=0.0)
    config = dataclasses.replace(config, finetune=tuned)
    team, central = folder.team("student", config, ENV), folder.central(config, ENV)
    teacher = folder.teacher("teacher", config, ENV)
    handed = Handed(team, central, teacher if config is not TINY else None)
    task = build.finetuning(config, ENV, handed)
    state = task.start()
    after = JaxRunner(ENV).period(task.algo, task.schedule, 1)(state, 8)[0]
    new = task.algo.team(after.learner)
    old = jax.tree.leaves(team.network), jax.tree.leaves(team.student)
    same = [
        equal(a, jax.tree.leaves(b))
        for a, b in zip(old, (new.network, new.student), strict=True)
    ]
    assert same == [part == "student", part == "network"]


def test_a_run_is_tuned_again_with_steps_of_its_own(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    kept = leaves(folder, "student")
    apart = RunFolder(folder).run.apart
    assert apart.stages == TINY.stages
    again = dataclasses.replace(
        apart, finetune=dataclasses.replace(apart.finetune, steps=64)
    )
    outcome = finetune_run(folder, again)
    assert outcome.result.steps == 640 + 64
    assert equal(kept, leaves(folder, "student"))
    assert not equal(leaves(folder, "finetuned"), leaves(finished.folder, "finetuned"))


def test_what_cannot_be_tuned_is_refused_with_what_to_type(finished, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    more = dataclasses.replace(TINY, finetune=FinetuneConfig(share=0.2))
    with pytest.raises(ValueError, match=r"had 320: type --student\.data-steps or"):
        finetune_run(folder, more)
    with pytest.raises(ValueError, match=r"had 320: type --student\.data-steps or"):
        distill_run(folder, more)
    none = dataclasses.replace(TINY.apart, finetune=FinetuneConfig(share=0.0))
    with pytest.raises(ValueError, match=r"no joint steps: type --finetune\.steps"):
        finetune_run(folder, none)
    with monkeypatch.context() as patch:
        patch.setitem(ALGOS, "value", dataclasses.replace(ALGOS["value"], tune=None))
        with pytest.raises(ValueError, match="value has no stage 3 on the command line"):
            finetune_run(folder)
    before = leaves(folder, "finetuned")
    shutil.rmtree(folder / "teacher" / "central")
    with pytest.raises(ValueError, match=r"no mixer or critic .* `ptde run`"):
        finetune_run(folder)
    assert equal(before, leaves(folder, "finetuned"))
    shutil.rmtree(folder / "student")
    with pytest.raises(ValueError, match="no distilled student to fine-tune: `ptde dist"):
        finetune_run(folder)
    with pytest.raises(ValueError, match="leave nothing of --steps for the teacher"):
        dataclasses.replace(TINY, finetune=FinetuneConfig(share=0.95))


def test_a_small_share_is_still_a_stage():
    few = dataclasses.replace(TINY, steps=3, student=DistillConfig(data="own", share=0.01))
    assert min(few.stages) == 1


def test_a_warm_up_waits_no_longer_than_the_replay_is_large():
    """Else it would never begin."""
    value = dataclasses.replace(TINY.value, buffer=16)
    longer = dataclasses.replace(TINY, value=value, steps=320_000)
    assert build.finetuning(longer, ENV, None).algo.learner.first_update == 16
