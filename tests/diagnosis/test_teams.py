"""Teams that are half a student's, decisions side by side, and who is shown the state."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.diagnosis.worlds import Known, known

from ptde.agents.team import Teacher, Team
from ptde.algos.registry import value_model
from ptde.algos.student import label
from ptde.diagnosis.decisions import Agreement, Pair, Sums, agreement, decisions
from ptde.diagnosis.shown import Gap, NarrowInfo, NarrowNetwork, ShownInfo, show, wide
from ptde.diagnosis.takeover import Dealt, Takeover
from ptde.diagnosis.tested import Tested
from ptde.distill.students import MlpStudent
from ptde.envs.ranking import Ranking, ranking_data
from ptde.envs.settings import RankingConfig
from ptde.ops.local import local_information
from ptde.rollout.collect import collect, start

ENV = Known("doors")
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def pair():
    """Two that have learnt nothing, and so differ."""
    teacher = value_model(known("doors"), ENV.spec, key=KEY).teacher
    student = MlpStudent(ENV.spec.local_dim, 1, 8, key=jax.random.key(1))
    return Pair(teacher, Team(teacher.network, student))


@pytest.fixture(scope="module")
def rollout(pair):
    policy = pair.teacher.policy(0.5, sample_z=False)
    begun = start(policy, ENV, 8, key=KEY)
    return collect(policy, ENV, begun, 5, key=KEY)[1]


@pytest.mark.parametrize(
    ("measure", "counts"), [("win rate", "return"), ("share of doors", "share of doors")]
)
def test_returns_are_compared_where_the_teacher_wins_nothing(pair, measure, counts):
    env = Known("doors")
    env.spec = replace(env.spec, measure=measure)
    tested = Tested(replace(known("doors"), test_episodes=8), env, 8)
    one = jax.tree.map(lambda x: x[None], pair.teacher)  # a run of one seed
    rung = tested.add("teacher", one)
    assert rung.performance == rung.mean_return == 0
    assert tested.measure == counts
    assert rung.lost == (None if counts == "return" else 0.0)
    assert rung.timed_out == (None if counts == "return" else 1.0)


def acts(pair, step, students, regret):
    policy = Takeover(*pair, jnp.asarray(students), jnp.asarray(regret))
    memory = policy.start(8, 2)
    after, output = policy(memory, step, key=KEY)
    return np.asarray(output.action), np.asarray(policy.sent(memory, after))


def test_a_team_of_none_is_the_teacher_and_of_all_the_student(pair):
    _, step = ENV.resets(8, key=KEY)
    wanted = pair.teacher.policy(0.0, sample_z=False)(
        pair.teacher.start(8, 2), step, key=KEY
    )[1].action
    own = pair.team.policy()(pair.team.start(8, 2), step.local, key=KEY)[1]
    assert (wanted != own).any()
    action, told = acts(pair, step, 0, jnp.inf)
    np.testing.assert_array_equal(action, wanted)
    assert (told == 2).all()
    action, told = acts(pair, step, 2, jnp.inf)
    np.testing.assert_array_equal(action, own)
    assert (told == 0).all()
    action, told = acts(pair, step, 1, jnp.inf)
    np.testing.assert_array_equal(action[:, 0], own[:, 0])
    np.testing.assert_array_equal(action[:, 1], wanted[:, 1])
    assert (told == 1).all()


def test_a_teacher_that_regrets_everything_overrules_where_they_differ(pair):
    _, step = ENV.resets(8, key=KEY)
    wanted, _ = acts(pair, step, 0, jnp.inf)
    own, _ = acts(pair, step, 2, jnp.inf)
    action, told = acts(pair, step, 2, 0.0)
    np.testing.assert_array_equal(action, wanted)
    np.testing.assert_array_equal(told, (wanted != own).sum(1))


def test_errors_are_dealt_out_among_the_living(pair):
    """The student of one agent alone errs, and that agent is dead, or lives alone."""
    _, step = ENV.resets(8, key=KEY)
    wanted = pair.teacher.step(pair.teacher.start(8, 2), step)[1].argmax(-1)

    def acts(off, alive):
        class Errs(MlpStudent):
            def step(self, carry, local):
                told = pair.teacher.info.step((), local, step.state, noise=None)[1]
                return carry, told.z.at[0, 0].add(off)

        local = replace(step.local, alive=alive)
        student = Errs(ENV.spec.local_dim, 1, 8, key=KEY)
        policy = Dealt(pair.teacher, Team(pair.teacher.network, student))
        memory, output = policy(policy.start(8, 2), replace(step, local=local), key=KEY)
        assert (policy.sent(memory, memory) == 2).all()  # the state is read for each
        return np.asarray(output.action)

    ones = jnp.ones((8, 2), bool)
    np.testing.assert_array_equal(acts(0.0, ones), wanted)  # no errors: the teacher
    dead = ones.at[0, 0].set(False)
    np.testing.assert_array_equal(acts(1e6, dead), wanted)
    alone = jnp.zeros((8, 2), bool).at[0, 0].set(True)
    assert (acts(1e6, alone) != wanted).any(-1).any()  # every agent's z is off


def test_who_knows_z_decides_as_the_teacher(pair, rollout):
    seen = label(pair.teacher, rollout)
    other = Agreement.of("", decisions(seen, pair))
    assert other.same_action < 1 and other.regret > 0 and other.r2_of_values < 1

    class Told(MlpStudent):
        def unroll(self, local, first):
            return seen.z

    told = Told(ENV.spec.local_dim, 1, 8, key=KEY)
    same = Agreement.of(
        "", decisions(seen, Pair(pair.teacher, Team(pair[1].network, told)))
    )
    assert (same.same_action, same.regret, same.r2_of_values) == (1, 0, 1)


def test_decisions_are_counted_where_somebody_acts(pair, rollout):
    sums = decisions(label(pair.teacher, rollout), pair)
    # 5 transitions, of which the third is a restart; two agents, eight copies
    assert float(sums.number) == 4 * 2 * 8


def test_decisions_are_looked_at_on_every_held_out_list_once(monkeypatch):
    played = []

    def of(battles, sums):
        played.append(np.asarray(sums.number))
        return Agreement(battles, *[0.0] * 4)

    states = lambda seen, pair: Sums(*[seen.steps.state[:, 0]] * 5)
    monkeypatch.setattr("ptde.diagnosis.decisions.label", lambda teacher, seen: seen)
    monkeypatch.setattr("ptde.diagnosis.decisions.decisions", states)
    monkeypatch.setattr(Agreement, "of", of)

    config = RankingConfig(docs=2, lists=60, k=2)
    env = Ranking(ranking_data("synthetic", config), config).held_out()
    teacher = value_model(known("doors"), env.spec, key=KEY).teacher
    student = MlpStudent(env.spec.local_dim, teacher.info.z_dim, 8, key=KEY)
    pair = Pair(teacher, Team(teacher.network, student))
    whole = np.sort(env.features[..., 0], axis=-1)  # documents come in any order
    copies = len(whole) // 3
    agreement(env, jax.tree.map(lambda x: x[None], pair), copies, 1, KEY[None])
    assert len(played) == 2  # the teacher's, and the student's
    for lists in played:
        lists = np.sort(lists.reshape(-1, *env.features.shape[1:])[..., 0], axis=-1)
        assert len(lists) < len(whole) + copies
        np.testing.assert_array_equal(lists[: len(whole)], whole)


def test_the_teacher_does_not_look_at_the_state_that_the_student_is_shown(pair, rollout):
    gap = Gap(ENV.spec.obs_dim, ENV.spec.state_dim)
    info = pair.teacher.info
    narrow = Teacher(
        NarrowNetwork(pair.teacher.network, gap),
        NarrowInfo(info.z_dim, info.stochastic, info, gap),
    )
    shown = show(rollout.steps)
    assert local_information(shown.local).shape[-1] == wide(ENV.spec).local_dim
    for a, b in zip(
        jax.tree.leaves(pair.teacher.unroll(rollout.steps)),
        jax.tree.leaves(narrow.unroll(shown)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    h = narrow.start(8, 2)
    first = jax.tree.map(lambda x: x[:, 0], rollout.steps)
    a, b = pair.teacher.step(h, first)[1], narrow.step(h, show(first))[1]
    np.testing.assert_array_equal(a, b)


def test_the_student_that_is_shown_the_state_sees_it_where_it_learnt_to(pair, rollout):
    gap = Gap(ENV.spec.obs_dim, ENV.spec.state_dim)
    student = MlpStudent(wide(ENV.spec).local_dim, 1, 8, key=KEY)
    info = ShownInfo(student, 1, gap)
    steps = rollout.steps
    local = local_information(steps.local)
    z = info.unroll(local, steps.state, steps.first, noise=None).z
    taught = student.unroll(local_information(show(steps).local), steps.first)
    np.testing.assert_array_equal(z, taught)
    other = info.unroll(local, -steps.state, steps.first, noise=None).z
    assert not np.allclose(z, other)
    _, one = info.step((), local[:, 0], steps.state[:, 0], noise=None)
    np.testing.assert_allclose(one.z, z[:, 0], atol=1e-6)
    np.testing.assert_array_equal(gap.close(gap.fill(local, steps.state)), local)
