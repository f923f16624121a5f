import numpy as np
import pytest

from ptde.envs.settings import ProcessConfig
from ptde.processes.adapters.adapt import make
from ptde.processes.adapters.check import check
from ptde.processes.pool import Maker, sizes_of
from ptde.processes.protocol import NoWorld

WORLDS = "tests.processes.worlds"


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("my_game", "names no world: type module:callable"),
        ("no_such_module:Game", "cannot import 'no_such_module'"),
        (f"{WORLDS}:Lin", f"has no 'Lin': type --map {WORLDS}:NAME"),
        (f"{WORLDS}:CELLS", "is a int: name a class or function"),
        (f"{WORLDS}:ProcessStep", "ProcessStep speaks no interface that is known here"),
        ("os:system", "os:system is of Python's own library"),
        (f"{WORLDS}:subprocess.run", "is no class or function of yours"),
    ],
)
def test_what_names_no_world_is_said(target, text):
    with pytest.raises(ValueError, match=text):
        make(
            target, dict.fromkeys(["obs", "state", "legal"]) if "Step" in target else {}, 0
        )


@pytest.mark.parametrize(
    ("target", "kwargs", "text"),
    [
        ("gymnasium:make", {"id": "CartPole-v1"}, "Gymnasium's interface for one agent"),
        (f"{WORLDS}:Foraging", {"action": "continuous"}, "actions are no list (Box("),
        (f"{WORLDS}:Foraging", {"action": "message"}, "no list (MultiDiscrete("),
        ("mpe2.simple_spread_v3:env", {}, "env:mpe2.simple_spread_v3:parallel_env"),
        (
            "jaxmarl.environments.mpe.simple_spread:SimpleSpreadMPE",
            {},
            "a world of JaxMARL, which runs in JAX",
        ),
        (
            "jaxmarl.environments.mpe.simple_tag:SimpleTagMPE",
            {},
            "no team can play it: several teams play against each other (adversaries, agen",
        ),
        (f"{WORLDS}:Parent", {}, """missing a required argument: 'file'"""),
        (f"{WORLDS}:Line", {"lenght": 3}, "unexpected keyword argument 'lenght'"),
        (f"{WORLDS}:NoSeed", {}, "write reset(self, seed)"),
        (
            "mpe2.simple_spread_v3:parallel_env",
            {"continuous_actions": True},
            """--processes.kwargs '{"continuous_actions": false}'""",
        ),
        (f"{WORLDS}:raises", {}, "raised ZeroDivisionError: division by zero ("),
    ],
)
def test_a_world_that_does_not_fit_says_what_it_is(target, kwargs, text):
    with pytest.raises(NoWorld) as error:
        make(target, kwargs, 0)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_a_module_that_cannot_be_imported_says_why(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "broken_game.py").write_text("class Game(:")
    with pytest.raises(NoWorld, match="cannot import 'broken_game': it raised SyntaxErr"):
        make("broken_game:Game", {}, 0)


@pytest.mark.parametrize(
    ("maker", "text"),
    [
        (Maker("gymnasium:make", '{"id": "CartPole-v1"}'), r"started: CartPoleEnv has Gym"),
        (Maker(f"{WORLDS}:Tuples"), r"started: the world returned a tuple: reset and step"),
        (
            Maker("mpe2.simple_spread_v3:parallel_env", '{"continuous_actions": true}'),
            r"started: agent_0 has actions that are no list",
        ),
    ],
)
def test_a_run_says_it_in_the_same_line(maker, text):
    with pytest.raises(ValueError, match=text) as error:
        sizes_of(maker, 120.0)
    assert "\n" not in str(error.value)


def test_a_check_says_it_too():
    report = check(make(f"{WORLDS}:Tuples", {}, 0))
    (line,) = report.violations
    assert line.startswith("the world returned a tuple: reset and step must return a ptde")


@pytest.mark.parametrize(
    ("target", "limit"),
    [("sisl.pursuit_v5", 500), ("butterfly.cooperative_pong_v6", 900)],
)
def test_the_length_of_a_wrapped_world_is_found(target, limit):
    assert make(f"pettingzoo.{target}:parallel_env", {}, 0).time_limit == limit


def test_a_world_without_a_length_says_which_is_taken():
    env = make(f"{WORLDS}:PyMarlLine", {"parts": 3, "info": False}, 0)
    report = check(env, steps=5)
    assert report.sizes.time_limit == 100
    (said,) = (note for note in report.remarks if "no time limit" in note)
    assert "cut after 100 joint steps" in said
    assert "--processes.limit" in said
    assert not check(make(f"{WORLDS}:Line", {}, 0), steps=5).sizes.notes


@pytest.mark.parametrize(("kwargs", "text"), [("{", "not JSON"), ("[1]", "needs names")])
def test_keyword_arguments_are_json(kwargs, text):
    with pytest.raises(ValueError, match=text):
        ProcessConfig(kwargs)
    assert ProcessConfig('{"length": 2}').arguments() == {"length": 2}


@pytest.mark.parametrize("parts", [3, 4, 5])
@pytest.mark.parametrize("info", [True, False])
def test_pymarls_interface(parts, info):
    env = make(f"{WORLDS}:PyMarlLine", {"parts": parts, "info": info}, seed=5)
    assert env.env.first_seed == 5  # SMAC takes its seed nowhere else
    assert env.time_limit == (9 if info else 0)
    first = env.reset(0)
    assert first.obs.shape == (2, 3)
    assert first.obs[0, 2] == 0  # a shorter observation is filled up
    np.testing.assert_array_equal(first.legal, env.env.now.legal)
    step = env.step(np.array([1, 1]))
    assert step.reward == sum(env.env.line.place)  # of all agents
    for _ in range(3):
        assert not (step.ended or step.cut)
        step = env.step(np.array([1, 1]))
    assert (step.ended, step.cut) == ((False, True) if parts == 5 else (True, False))
    assert not check(env, steps=30).violations


ENDS = [
    ([True, False], [False, True], (False, True)),  # each for a reason of its own
    ([True, True], [False, True], (True, False)),
    ([False, False], [True, True], (False, True)),
    ([True, False], [False, False], (False, False)),
    (True, False, (True, False)),
    (False, True, (False, True)),
]
"""Terminated and truncated; whether the episode ended then, and whether it was cut."""


@pytest.mark.parametrize(
    ("world", "options", "action"),
    [("Foraging", {}, 0), ("PyMarlLine", {"parts": 5}, 1)],
    ids=["gymnasium", "pymarl"],
)
@pytest.mark.parametrize(("terminated", "truncated", "says"), ENDS)
def test_an_episode_is_over_when_it_is_for_each_agent(
    world, options, action, terminated, truncated, says
):
    env = make(f"{WORLDS}:{world}", options, seed=5)
    env.reset(0)
    usual = env.env.step
    env.env.step = lambda actions: (*usual(actions)[:2], terminated, truncated, {})
    step = env.step(np.array([action, action]))
    assert (step.ended, step.cut) == says


def test_gyms_time_limit_of_old_cuts():
    env = make(f"{WORLDS}:PyMarlLine", {"parts": 4}, seed=5)
    env.reset(0)
    obs, reward, *_ = env.env.step([1, 1])
    env.env.step = lambda actions: (obs, reward, True, {"TimeLimit.truncated": True})
    step = env.step(np.array([1, 1]))
    assert (step.ended, step.cut) == (False, True)


def test_steps_of_another_length_are_refused():
    env = make(f"{WORLDS}:PyMarlLine", {"parts": 3}, 0)
    env.reset(0)
    env.env.step = lambda actions: (1.0, False)
    with pytest.raises(ValueError, match="step returned 2 things"):
        env.step(np.array([1, 1]))


def test_pettingzoo_with_its_own_state():
    env = make("mpe2.simple_spread_v3:parallel_env", {"max_cycles": 7}, 0)
    assert env.notes == ()
    report = check(env, steps=30)
    assert not report.violations
    assert (report.sizes.n_agents, report.sizes.obs_dim) == (3, 18)
    assert (report.sizes.state_dim, report.sizes.n_actions) == (54, 5)
    first = env.reset(4)
    np.testing.assert_allclose(first.obs.ravel(), first.state)
    np.testing.assert_array_equal(env.reset(4).obs, first.obs)
    step = env.step(np.array([0, 0, 0]))
    steps = 1
    while not (step.ended or step.cut):
        step, steps = env.step(np.array([0, 0, 0])), steps + 1
    assert (steps, step.cut, step.ended) == (7, True, False)
    assert step.alive.all() and step.obs.any(axis=1).all() and step.legal.all()
    assert step.reward < 0  # three agents' distances, added up


def test_pettingzoo_with_agents_of_different_kinds():
    env = make("mpe2.simple_speaker_listener_v4:parallel_env", {}, 0)
    first = env.reset(0)
    assert first.obs.shape == (2, 11)  # the speaker sees 3 numbers, the listener 11
    assert not first.obs[0, 3:].any()
    np.testing.assert_array_equal(first.legal.sum(1), [3, 5])
    assert not check(env, steps=60).violations


def test_pettingzoo_with_agents_that_die():
    name = "pettingzoo.butterfly.knights_archers_zombies_v11:parallel_env"
    env = make(name, {"spawn_delay": 2, "max_zombies": 30, "max_cycles": 300}, 0)
    assert env.time_limit == 300
    draw, dead = np.random.default_rng(0), 0
    step = env.reset(0)
    while not (step.ended or step.cut):
        step = env.step(draw.integers(5, size=4))
        gone = ~step.alive
        assert not step.obs[gone].any()
        np.testing.assert_array_equal(step.legal[gone].sum(1), np.ones(gone.sum()))
        dead = max(dead, int(gone.sum()))
    assert dead > 0


@pytest.mark.parametrize("empty", [False, True])
def test_pettingzoos_agents_see_the_step_that_ends_their_time(empty):
    env = make(f"{WORLDS}:Timed", {"empty": empty}, 0)
    env.reset(0)
    env.step(np.array([1, 1, 1]))
    died = env.step(np.array([1, 1, 1]))
    np.testing.assert_array_equal(died.alive, [True, False, True])
    assert not (died.ended or died.cut)
    last = env.step(np.array([1, 0, 1]))
    assert (last.ended, last.cut) == (False, True)
    np.testing.assert_array_equal(last.alive, [True, False, True])
    np.testing.assert_array_equal(last.obs, [[4, ord("a")], [0, 0], [4, ord("c")]])
    seen = [True, not empty, False]
    np.testing.assert_array_equal(last.legal, [seen, [True, False, False], seen])


def test_pettingzoos_actions_may_be_numbered_from_another_than_0():
    env = make(f"{WORLDS}:Timed", {}, 0)
    env.reset(0)
    assert env.step(np.array([1, 1, 0])).reward == 2
    assert env.step(np.array([0, 0, 0])).reward == 0


def test_pettingzoo_without_a_state_says_so():
    class Plain:
        possible_agents = agents = ("a", "b")

        def action_space(self, agent):
            return type("Space", (), {"n": 2})

        def observation_space(self, agent):
            return type("Space", (), {"shape": (3,)})

        def reset(self, seed):
            obs = {a: np.arange(3.0) for a in self.agents}
            return obs, {a: {"action_mask": [0, 1]} for a in self.agents}

    from ptde.processes.adapters.adapt import adapted

    env = adapted(Plain())
    assert env.notes == ("the world has no state(): the state is all observations",)
    first = env.reset(0)
    np.testing.assert_array_equal(first.state.ravel(), [0, 1, 2, 0, 1, 2])
    np.testing.assert_array_equal(first.legal, [[False, True]] * 2)


def test_continuous_actions_are_refused():
    with pytest.raises(ValueError, match="continuous_actions"):
        make("mpe2.simple_spread_v3:parallel_env", {"continuous_actions": True}, 0)
