"""An exported team acts as the team in JAX does, whoever plays it."""

import json

import equinox as eqx
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

from ptde.export import export_team
from ptde.export.player import read_weights

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
    player = played_by_jax(data, exported_player(folder).Player(folder))
    assert differences(player, *recorded(made, env, 40)) == 0


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
