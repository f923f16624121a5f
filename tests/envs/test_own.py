"""Worlds in JAX of the user's own, by module:callable: made, checked, run, and refused."""

import json
import sys

import pytest
from tests.documents import EXAMPLES, TINY

from ptde import build
from ptde.cli import main
from ptde.compare.plan import Plan
from ptde.config import Run
from ptde.envs import make_env
from ptde.envs.base import AbstractEnv
from ptde.folder import RunFolder
from ptde.processes.adapters.adapt import InJax, make
from ptde.run_json import load_run
from ptde.trust import trusting

MINE = """
from dataclasses import dataclass, replace
from my_env import *

def longer():
    return Meet(cells=11)

class Bare(AbstractEnv):
    def reset_env(self, *, key): ...
    def step_env(self, state, action, *, key): ...

class Half(AbstractEnv):
    spec = None

class Narrow(Meet):
    def __init__(self):
        super().__init__()
        self.spec = replace(self.spec, obs_dim=3)

class Raises(Meet):
    def reset_env(self, *, key):
        return jnp.zeros(2) + jnp.zeros(3)

class Retyped(Meet):
    def step_env(self, state, action, *, key):
        state, step, last = super().step_env(state, action, key=key)
        return (state[0], state[1], state[2] * 1.0), step, last

class Endless(Meet):
    def step_env(self, state, action, *, key):
        return *super().step_env(state, action, key=key)[:2], jnp.zeros((), bool)

class Early(Meet):
    def step_env(self, state, action, *, key):
        state, step, last = super().step_env(state, action, key=key)
        return state, replace(step, performance=jnp.ones(())), last

@dataclass(frozen=True)
class Frozen(AbstractEnv):
    cells: int = 9
    spec: EnvSpec = Meet().spec

    def reset_env(self, *, key):
        return Meet(self.cells).reset_env(key=key)

    def step_env(self, state, action, *, key):
        return Meet(self.cells).step_env(state, action, key=key)

import equinox as eqx

class Module(AbstractEnv, eqx.Module):
    spec: EnvSpec
    ones: jax.Array

    def __init__(self):
        self.spec, self.ones = Meet().spec, jnp.ones(2)

    def reset_env(self, *, key):
        return Meet().reset_env(key=key)

    def step_env(self, state, action, *, key):
        return Meet().step_env(state, action, key=key)

class Python:
    def __init__(self, size):
        pass
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with worlds of one's own, in which ptde is started."""
    (tmp_path / "my_env.py").write_text((EXAMPLES / "my_env.py").read_text())
    (tmp_path / "my_more.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in ("my_env", "my_more"):
        sys.modules.pop(name, None)


def test_it_is_made_with_the_options_behind_its_name():
    env = make_env("jax", "my_env:Meet,cells=11", {"time_out": "terminal"})
    assert isinstance(env, AbstractEnv) and env.time_out == "terminal"
    assert (env.spec.obs_dim, env.spec.state_dim) == (11, 22)
    assert make_env("jax", "my_env:Meet").spec.obs_dim == 9
    assert make_env("jax", "my_more:longer").spec.obs_dim == 11


@pytest.mark.parametrize("name", ["Frozen", "Module"])
def test_it_may_be_frozen(name):
    env = make_env("jax", f"my_more:{name}", {"time_out": "terminal"})
    assert env.time_out == "terminal"
    assert make_env("jax", f"my_more:{name}").time_out == "bootstrap"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("my_more:Python", "my_more:Python is a world in Python: type env:my_more:Python"),
        ("my_more:Half", "abstract methods"),
        ("my_more:Bare", "my_more:Bare has no spec: give it a ptde.types.EnvSpec"),
        ("my_more:Narrow", "obs has shape (2, 9), and by the spec it is (2, 3)"),
        ("my_more:Raises", "my_more.py, line 22), when an episode was begun"),
        ("my_env:Met", "--map my_env:Met: 'my_env' has no 'Met': type --map my_env:NAME"),
        ("my_env:Meet,size=3", "has no option 'size': did you mean cells?"),
        ("my_env:Meet,cells", "type module:callable, and its options behind it"),
        ("my_env", "did you mean --map module:callable,option=value?"),
        ("os:system", "of Python's own library"),
    ],
)
def test_what_is_no_world_in_jax_is_said_in_a_line(name, says):
    with pytest.raises(ValueError) as error:
        make_env("jax", name)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_as_a_world_in_processes_it_says_how_it_is_typed():
    says = "is a world in JAX: type --world jax --map my_"
    for target in ("my_env:Meet", "my_more:longer"):
        with pytest.raises(InJax, match=f"{target} {says}"):
            make(target, {}, 0)
    with pytest.raises(ValueError, match=says):
        make_env("processes", "my_env:Meet")
    with pytest.raises(ValueError, match="names no world: type module:callable"):
        make_env("processes", "my_game:Meet,size=3")


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ("my_env:Meet", 0, "all is well: ptde run --world jax --map my_env:Meet"),
        ("my_env:Meet,cells=5", 0, "2 agents, observation 5, state 10, 3 actions"),
        ("my_more:longer", 0, "2 agents, observation 11, state 22, 3 actions, time limit"),
        ("my_more:Retyped", 2, "state of reset_env has [2] int32[], where step_env's has"),
        ("my_more:Endless", 2, "an episode goes on after the 12 steps of spec.time_limit"),
        ("my_more:Early", 2, "performance must be 0 before the last step of an episode"),
        ("my_more:Python,size=3", 2, "is a world in Python: type env:my_more:Python"),
        ("""my_env:Meet --kwargs {"cells":3}""", 2, "and not in --kwargs: my_env:Meet,cel"),
    ],
)
def test_it_is_checked(words, status, says, capsys):
    assert main(["check", *words.split(), "--steps", "40"]) == status
    said = capsys.readouterr()
    assert says in said.out + said.err


def test_help_shows_its_options(capsys):
    words = ["run", "--world", "jax", "--map", "my_env:Meet", "--help"]
    with pytest.raises(SystemExit):
        main(words)
    assert "typed as --map my_env:Meet,cells=9" in capsys.readouterr().out


@pytest.fixture
def another(monkeypatch, here):
    """Has this user's folders count as a stranger's."""
    return lambda: monkeypatch.setenv("XDG_CONFIG_HOME", str(here / "another"))


def test_a_folder_knows_its_world_and_a_strangers_asks_for_it(here, another, capsys):
    run = Run(world="jax", map="my_env:Meet,cells=5")
    RunFolder.create(run, here / "run", "run")
    assert build.world(load_run(here / "run")[0]).spec.obs_dim == 5
    sys.modules.pop("my_env")
    another()
    assert main(["resume", str(here / "run")]) == 2
    says = "would import my_env:Meet, and call it with 'cells=5': nothing was imported"
    assert says in capsys.readouterr().err
    assert "my_env" not in sys.modules
    with trusting("my_env:Meet"):
        assert build.world(load_run(here / "run")[0]).spec.obs_dim == 5


@pytest.mark.slow
def test_a_run_in_it_goes_on_in_other_commands(here, another, capsys):
    """As in processes of their own: none of them has seen the module."""

    def typed(*words):
        sys.modules.pop("my_env", None)
        return main([*words])

    assert typed("run", "--world", "jax", "--map", "my_env:Meet,cells=5", *TINY) == 0
    (folder,) = (here / "runs").iterdir()
    assert folder.name == "jax-my_env-Meet-cells-5-qmix_gip-0"
    before = json.loads((folder / "result.json").read_text())
    (folder / "result.json").unlink()
    assert typed("resume", str(folder)) == 0
    assert json.loads((folder / "result.json").read_text()) == before
    for words in (["evaluate", "--episodes", "4"], ["report"], ["export"]):
        assert typed(words[0], str(folder), *words[1:]) == 0
    assert typed("replay", str(folder)) == 2
    assert "meet/line has no replays" in capsys.readouterr().err
    another()
    assert typed("evaluate", str(folder), "env:my_env:Meet", "--episodes", "4") == 0


def test_a_plan_compares_in_it(here, monkeypatch, capsys):
    (here / "plan.toml").write_text(
        'methods = ["qmix"]\nmaps = ["my_env:Meet,cells=5"]\n[run]\nworld = "jax"\n'
    )
    asked: list[Plan] = []
    monkeypatch.setattr("ptde.compare.runner.compare", lambda plan, *_: asked.append(plan))
    assert main(["compare", "plan.toml"]) == 2
    assert "this plan would import my_env:Meet: nothing" in capsys.readouterr().err
    assert main(["compare", "plan.toml", "env:my_env:Meet"]) == 0
    with trusting("my_env:Meet"):
        (cell,) = asked[0].cells()
    assert cell.run == Run(world="jax", map="my_env:Meet,cells=5", info="none", seeds=3)
    assert build.world(cell.run).spec.obs_dim == 5


def test_the_module_may_add_a_film(here, monkeypatch):
    """What docs/howto/world.md says of REPORTS holds on the command line, too."""
    from ptde.report.registry import REPORTS, draws

    monkeypatch.delitem(REPORTS, "jax", raising=False)
    more = "from ptde.report.registry import REPORTS, WorldReport\n"
    more += 'REPORTS["jax"] = WorldReport(film=lambda env, policy, *, key: None)\n'
    (here / "my_env.py").write_text((here / "my_env.py").read_text() + more)
    env = make_env("jax", "my_env:Meet")
    assert draws("jax", env)
    REPORTS.pop("jax")
    assert not draws("jax", env)
