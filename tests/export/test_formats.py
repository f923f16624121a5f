"""An exported team acts as the team in JAX does, whoever plays it."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.export.teams import (
    KINDS,
    Noise,
    differences,
    exported_player,
    lists,
    played_by_jax,
    recorded,
    team,
)

from ptde.agents.base import AbstractNetwork
from ptde.algos.base import Team
from ptde.export import NETWORKS, export_team
from ptde.export.layers import LOCAL
from ptde.export.player import read_weights
from ptde.nn.linear import Linear

INPUTS = {"obs", "legal", "last_action", "memory"}


def exported(tmp_path, env, algo, student, to):
    made = team(env.spec, algo, student)
    folder = export_team(made, env, tmp_path / "team", to, {"method": "QMIX_GIP"})
    return made, folder


@pytest.mark.parametrize(("algo", "student"), KINDS)
def test_numpy_and_onnx_do_what_jax_does(tmp_path, algo, student):
    env = Noise()
    made, folder = exported(tmp_path, env, algo, student, "onnx")
    seen, first, action = recorded(made, env, 200)
    assert first.sum() == 40 and not seen.legal.all()
    assert len(np.unique(action)) >= 3  # the team does more than one thing
    player = exported_player(folder).Player
    for engine in ("numpy", "onnx"):
        assert differences(player(folder, engine), seen, first, action) == 0
    # The comparison can fail: the mask decides, and so does what is forgotten.
    anything = eqx.tree_at(lambda s: s.legal, seen, np.ones_like(seen.legal))
    assert differences(player(folder), anything, first, action) > 0
    once = first & (np.arange(first.shape[1]) == 0)
    for engine in ("numpy", "onnx"):
        assert differences(player(folder, engine), seen, once, action) > 0


def test_a_team_that_ranks_scores_as_it_did(tmp_path):
    env = lists()
    made, folder = exported(tmp_path, env, "value", "mlp", "onnx")
    seen = recorded(made, env, 100)
    player = exported_player(folder).Player
    assert len(np.unique(seen[2])) > 1
    for engine in ("numpy", "onnx"):
        assert differences(player(folder, engine), *seen) == 0
    raw = np.abs(np.random.default_rng(0).normal(size=(3, 4, 6))) * 50
    prepared = player(folder).prepare(raw)
    np.testing.assert_allclose(prepared, env.data.preparation(raw), rtol=1e-6)


@pytest.mark.parametrize(("algo", "student"), [("value", "gru"), ("mappo", "mlp")])
def test_stablehlo_does_what_jax_does(tmp_path, algo, student):
    env = Noise()
    made, folder = exported(tmp_path, env, algo, student, "stablehlo")
    data = (folder / "team.stablehlo").read_bytes()
    assert b".py" not in data  # nor the names of this machine's folders
    n, o, u = env.spec.n_agents, env.spec.obs_dim, env.spec.n_actions
    width = json.loads((folder / "team.json").read_text())["inputs"]["memory"]["shape"][-1]
    inputs = jax.export.deserialize(bytearray(data)).in_avals
    assert [x.shape[1:] for x in inputs] == [(n, o), (n, u), (n,), (n, width)]  # no state
    player = played_by_jax(data, exported_player(folder).Player(folder))
    assert differences(player, *recorded(made, env, 40)) == 0


@pytest.mark.parametrize("to", ["onnx", "stablehlo"])
def test_a_team_of_one_agent(tmp_path, to):
    env = Noise(n=1)
    made, folder = exported(tmp_path, env, "value", "gru", to)
    player = exported_player(folder).Player
    players = [player(folder)]
    if to == "onnx":
        players += [player(folder, "onnx")]
    else:
        data = (folder / "team.stablehlo").read_bytes()
        players += [played_by_jax(data, player(folder))]
    seen = recorded(made, env, 60)
    assert seen[2].shape == (1, 60, 1) and len(np.unique(seen[2])) >= 3
    assert [differences(player, *seen) for player in players] == [0, 0]


class Reflex(AbstractNetwork):
    """A network of a user's own that remembers nothing."""

    logits = False
    hidden, z_dim = 6, 4
    encoder: Linear
    head: Linear

    def step(self, h, local):
        return self.encoder(local)

    def unroll(self, local, first):
        return self.encoder(local)

    def values(self, h, z):
        return self.head(jnp.concatenate([h, z], axis=-1))


def _reflex(network, layers, z):
    h = layers.linear("network.encoder", network.encoder, LOCAL)
    return layers.linear("network.head", network.head, h, z)


def test_a_team_of_ones_own_without_any_memory(tmp_path, monkeypatch):
    monkeypatch.setitem(NETWORKS, Reflex, _reflex)
    env, one, two = Noise(), *jax.random.split(jax.random.key(0))
    plain = team(env.spec, "value", "mlp")
    network = Reflex(Linear(env.spec.local_dim, 6, key=one), Linear(10, 4, key=two))
    made = Team(network, plain.student)
    folder = export_team(made, env, tmp_path / "team")
    player = exported_player(folder).Player
    assert player(folder).width == 0
    seen = recorded(made, env, 60)
    for engine in ("numpy", "onnx"):
        assert differences(player(folder, engine), *seen) == 0
    with pytest.raises(ValueError, match=r"of Reflex list .* so type --to onnx"):
        export_team(made, env, tmp_path / "other", "stablehlo")


def test_nothing_but_local_information_goes_into_the_graph(tmp_path):
    """So nothing can read the state: names, and room, of every input and of all weights."""
    import onnx

    env = Noise()
    _, folder = exported(tmp_path, env, "value", "mlp", "onnx")
    graph = onnx.load(folder / "team.onnx").graph
    assert [x.name for x in graph.input] == list(
        json.loads((folder / "team.json").read_text())["inputs"]
    )
    sizes = {
        x.name: [d.dim_value or d.dim_param for d in x.type.tensor_type.shape.dim]
        for x in graph.input
    }
    n, u, m = env.spec.n_agents, env.spec.n_actions, 6
    assert sizes == {
        "obs": ["batch", n, env.spec.obs_dim],
        "legal": ["batch", n, u],
        "last_action": ["batch", n],
        "memory": ["batch", n, m],
    }
    made = {name for node in graph.node for name in node.output}
    given = {x.name for x in (*graph.input, *graph.initializer)}
    read = {name for node in graph.node for name in node.input}
    assert read <= made | given and set(sizes) == INPUTS
    assert not any(x.attribute and _inner(x) for x in graph.node)  # no graphs inside
    assert not any(x.external_data for x in graph.initializer)


def _inner(node):
    return any(a.HasField("g") or a.graphs for a in node.attribute)


@pytest.mark.parametrize("engine", ["numpy", "onnx"])
def test_an_agent_does_the_same_whatever_the_others_see(tmp_path, engine):
    env = Noise()
    made, folder = exported(tmp_path, env, "mappo", "gru", "onnx")
    seen, _, _ = recorded(made, env, 8)
    player = exported_player(folder).Player
    draw = np.random.default_rng(0)
    team, fooled = player(folder, engine), player(folder, engine)
    alone = player(folder, agents=[2])
    for t in range(8):
        obs, legal = seen.obs[0, t], seen.legal[0, t]
        lies = draw.normal(size=obs.shape)
        lies[2] = obs[2]
        mine = team.act(obs, legal)[2]
        assert fooled.act(lies, legal)[2] == mine
        assert alone.act(obs[[2]], legal[[2]]).tolist() == [mine]


@pytest.mark.parametrize("engine", ["numpy", "onnx"])
def test_many_teams_at_once(tmp_path, engine):
    env = Noise()
    made, folder = exported(tmp_path, env, "value", "gru", "onnx")
    seen, _, action = recorded(made, env, 3, copies=4)  # within an episode
    player = exported_player(folder).Player(folder, engine)
    for t in range(3):
        chosen = player.act(seen.obs[:, t], seen.legal[:, t])
        np.testing.assert_array_equal(chosen, action[:, t])


def test_weights_are_what_safetensors_reads(tmp_path):
    from safetensors.numpy import load_file

    made, folder = exported(tmp_path, Noise(), "mappo", "gru", "numpy")
    file = folder / "model.safetensors"
    theirs, ours = load_file(file), read_weights(file)
    assert theirs.keys() == ours.keys()
    for name, x in theirs.items():
        np.testing.assert_array_equal(ours[name], x)
    np.testing.assert_array_equal(ours["network.head.bias"], made.network.head.bias)
    described = json.loads((folder / "team.json").read_text())["layers"]
    assert {name.rpartition(".")[0] for name in ours} == {x["name"] for x in described}


def test_arrays_of_another_size_are_refused(tmp_path):
    env = Noise()
    _, folder = exported(tmp_path, env, "value", "mlp", "numpy")
    player = exported_player(folder).Player(folder)
    with pytest.raises(ValueError, match=r"must end \(\(3, 5\), \(3, 4\)\)"):
        player.act(np.zeros((3, 6)), np.ones((3, 4)))
    with pytest.raises(ValueError, match="must end"):
        player.act(np.zeros(5), np.ones((3, 4)))
    with pytest.raises(ValueError, match="unknown engine 'jax': type 'numpy' or 'onnx'"):
        exported_player(folder).Player(folder, "jax")
