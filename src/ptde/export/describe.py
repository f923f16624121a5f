"""The description of an exported team in its folder: ``team.json`` and the README."""

from importlib.metadata import version
from typing import Any

from ptde.envs.base import AbstractWorld
from ptde.export.layers import Layers
from ptde.types import EnvSpec

VERSION = 1
"""Version of the format of ``team.json``."""


def described(
    world: AbstractWorld, layers: Layers, about: dict[str, Any]
) -> dict[str, Any]:
    """The contents of ``team.json``.

    Args:
        world: names the entries of observations and the actions. ValueError if it names
            another number of them.
        layers: the team's layers.
        about: further entries.
    """
    spec = world.spec
    n, m = spec.n_agents, layers.memory
    made = {
        "format": VERSION,
        "made_by": f"ptde {version('ptde')}",
        "world": spec.name,
        **about,
        "agents": n,
        "actions": spec.n_actions,
        "inputs": _inputs(world, m),
        "outputs": {
            "action": _array(
                [n], "int64", "the legal action of the greatest value; the first of equals"
            ),
            "next_memory": _array([n, m], "float32", "the memory of the next step"),
        },
        "local": _local(spec),
        "layers": layers.list,
    }
    return {**made, **world.for_export()}


def _array(shape: list[int], dtype: str, meaning: str, **more: Any) -> dict[str, Any]:
    return {"shape": shape, "dtype": dtype, "meaning": meaning, **more}


def _inputs(world: AbstractWorld, memory: int) -> dict[str, Any]:
    """The inputs, in the order in which graphs take them."""
    spec, n = world.spec, world.spec.n_agents
    entries = _names("observation_names", world.observation_names(), spec.obs_dim)
    actions = _names("action_names", world.action_names(), spec.n_actions)
    return {
        "obs": _array(
            [n, spec.obs_dim],
            "float32",
            "what each agent sees; the entries of a row, in their order",
            entries=entries,
        ),
        "legal": _array(
            [n, spec.n_actions],
            "bool",
            "which actions each agent may take, at least one; the entries of a row",
            entries=actions,
        ),
        "last_action": _array(
            [n], "int64", "each agent's previous action; -1 at an episode's first step"
        ),
        "memory": _array(
            [n, memory],
            "float32",
            "next_memory of the step before; zeros at an episode's first step",
        ),
    }


def _local(spec: EnvSpec) -> dict[str, Any]:
    """The parts of the input of the first layers."""
    parts = {
        "obs": (spec.obs_dim, "its row of obs"),
        "last_action": (spec.n_actions, "its last action, one-hot; zeros for -1"),
        "agent": (spec.n_agents, "its number, which is its row's, one-hot"),
    }
    return {
        "width": spec.local_dim,
        "meaning": "what each agent's layers read as 'local': these parts side by side",
        "parts": [
            {"name": name, "width": width, "meaning": meaning}
            for name, (width, meaning) in parts.items()
        ],
    }


def _names(method: str, names: tuple[str, ...], width: int) -> list[str]:
    if len(names) != width:
        raise ValueError(
            f"the world's {method}() gives {len(names)} names for {width} entries: give "
            "one for each"
        )
    return list(names)


def readme(team: dict[str, Any], to: str) -> str:
    """The folder's README, from the contents of ``team.json`` and the format."""
    n, o = team["inputs"]["obs"]["shape"]
    u, m = team["actions"], team["inputs"]["memory"]["shape"][-1]
    graphs = {
        "numpy": "",
        "onnx": f"""
`team.onnx` is the same as a graph, for any ONNX runtime and b teams at once. In go
`obs [b, {n}, {o}]`, `legal [b, {n}, {u}]`, `last_action [b, {n}]` and
`memory [b, {n}, {m}]`, out come `action` and `next_memory`.
`Player("FOLDER", "onnx")` plays it with onnxruntime.
""",
        "stablehlo": """
`team.stablehlo` is the same for JAX and b teams at once: `jax.export.deserialize(bytes)
.call(obs, legal, last_action, memory)` gives actions (int32) and the next memory. JAX
promises to read such a file for six months; the weights last.
""",
    }
    return f"""# A team of {n} agents for {team["world"]}

Made by {team["made_by"]}. Every agent acts on what it sees itself: no global state goes in.

```python
from player import Player           # this folder's player.py; it needs NumPy alone

player = Player("FOLDER")
player.reset()                      # before each episode
actions = player.act(obs, legal)    # floats [{n}, {o}], booleans [{n}, {u}] -> [{n}]
```

The player remembers what its agents did and saw. `Player("FOLDER", agents=[0])` is one
agent alone: it takes and gives one row. `team.json` names every entry of an observation and
every action, and lists the layers, whose weights are in `model.safetensors`.
{graphs[to]}"""
