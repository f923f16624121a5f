"""A team's networks as a list of layers, from which player and ONNX file are made.

Three kinds of layers are enough for every network and student of ptde's:

=========== ======================================================================
``linear``  [inputs put side by side] W + b
``norm``    mean 0 and variance 1, then a scale and an offset
``gru``     a gated recurrent unit; its hidden state is a part of the team's memory
=========== ======================================================================
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import numpy as np

from ptde.agents.actor import ActorNetwork
from ptde.agents.base import AbstractNetwork
from ptde.agents.utility import UtilityNetwork
from ptde.algos.base import Team
from ptde.distill.students import GruStudent, MlpStudent, NoStudent
from ptde.info.base import AbstractStudent
from ptde.nn.linear import MLP, LayerNorm, Linear
from ptde.nn.recurrent import GRU

LOCAL = "local"
"""Input of the first layers: O_i = [observation, one-hot last action, one-hot agent]."""
ACTIVATIONS: dict[Callable[..., Any], str] = {
    jax.nn.relu: "relu",
    jax.nn.leaky_relu: "leaky_relu",
}
"""Names of the activations that players know, by their functions."""


class Layers:
    """Layers in the order in which they are computed, and their weights.

    Each method adds a layer and returns its name, which later layers can read. A layer's
    weights are named after it: ``network.head.weight``.
    """

    def __init__(self) -> None:
        self.list: list[dict[str, Any]] = []
        """Each layer's entry in ``team.json``: name, kind, inputs and activation."""
        self.weights: dict[str, np.ndarray] = {}
        self.memory = 0
        """Width of an agent's memory between steps."""

    def linear(self, name: str, layer: Linear, *reads: str, then: str = "") -> str:
        """Adds a linear layer on its concatenated inputs; ``then`` names an activation."""
        self._keep(name, weight=layer.weight, bias=layer.bias)
        return self._add(name, "linear", reads, **({"then": then} if then else {}))

    def norm(self, name: str, layer: LayerNorm, reads: str) -> str:
        """Adds a layer norm."""
        self._keep(name, scale=layer.scale, offset=layer.offset)
        return self._add(name, "norm", (reads,))

    def gru(self, name: str, layer: GRU, reads: str) -> str:
        """Adds a GRU, whose hidden state gets a place in the memory."""
        weights = {
            "weight_x": layer.project.weight,
            "bias_x": layer.project.bias,
            "weight_h": layer.weight_h,
            "bias_h": layer.bias_h,
        }
        self._keep(name, **weights)
        start, self.memory = self.memory, self.memory + layer.hidden
        return self._add(name, "gru", (reads,), memory=[start, self.memory])

    def mlp(self, name: str, mlp: MLP, *reads: str) -> str:
        """Adds the layers of an MLP. ValueError for an activation without a name."""
        for i, layer in enumerate(mlp.layers):
            then = ""
            if i < len(mlp.activations):
                then = ACTIVATIONS.get(mlp.activations[i], "")
                if not then:
                    raise ValueError(
                        f"{name} applies {mlp.activations[i]}, which players do not know: "
                        "take jax.nn.relu or jax.nn.leaky_relu"
                    )
            reads = (self.linear(f"{name}.{i}", layer, *reads, then=then),)
        return reads[0]

    def _keep(self, name: str, **arrays: Any) -> None:
        named = {f"{name}.{part}": np.asarray(x) for part, x in arrays.items()}
        self.weights.update(named)

    def _add(self, name: str, kind: str, reads: tuple[str, ...], **more: Any) -> str:
        self.list.append({"name": name, "kind": kind, "reads": list(reads), **more})
        return name


def _mlp_student(student: MlpStudent, layers: Layers) -> tuple[str, ...]:
    return (layers.mlp("student.mlp", student.mlp, LOCAL),)


def _gru_student(student: GruStudent, layers: Layers) -> tuple[str, ...]:
    x = layers.linear("student.encoder", student.encoder, LOCAL, then="relu")
    m = layers.gru("student.rnn", student.rnn, x)
    return (layers.mlp("student.mlp", student.mlp, m, LOCAL),)


def _no_student(student: NoStudent, layers: Layers) -> tuple[str, ...]:
    return ()


def _utility(network: UtilityNetwork, layers: Layers, *z: str) -> str:
    x = layers.linear("network.encoder", network.encoder, LOCAL, then="relu")
    h = layers.gru("network.rnn", network.rnn, x)
    return _informed(network.bridge, network.head, layers, h, *z)


def _actor(network: ActorNetwork, layers: Layers, *z: str) -> str:
    torso = network.torso
    x = layers.norm("network.norm.0", torso.norms[0], LOCAL)
    for i, layer in enumerate(torso.layers):
        x = layers.linear(f"network.layer.{i}", layer, x, then="relu")
        x = layers.norm(f"network.norm.{i + 1}", torso.norms[i + 1], x)
    h = layers.gru("network.rnn", torso.rnn, x)
    h = layers.norm("network.norm.3", torso.norms[3], h)
    return _informed(network.bridge, network.head, layers, h, *z)


def _informed(bridge: Linear | None, head: Linear, layers: Layers, h: str, *z: str) -> str:
    if bridge is None:
        return layers.linear("network.head", head, h)
    h = layers.linear("network.bridge", bridge, h, then="relu")
    return layers.linear("network.head", head, h, *z)


AddStudent: TypeAlias = Callable[[Any, Layers], tuple[str, ...]]
AddNetwork: TypeAlias = Callable[..., str]

STUDENTS: dict[type[AbstractStudent], AddStudent] = {
    MlpStudent: _mlp_student,
    GruStudent: _gru_student,
    NoStudent: _no_student,
}
"""Functions that list a student's layers: ``f(student, layers) -> (name of the last,)``.
Add a student of your own here."""

NETWORKS: dict[type[AbstractNetwork], AddNetwork] = {
    UtilityNetwork: _utility,
    ActorNetwork: _actor,
}
"""Functions that list a network's layers: ``f(network, layers, *z) -> name of the last``,
where ``z`` names the student's last layer, if there is one. Add your own networks here."""


def layers_of(team: Team) -> Layers:
    """The layers of a team without a leading axis of seeds; the last one gives the action
    values. ValueError says what to write for networks of a user's own.
    """
    layers = Layers()
    z = _known(team.student, STUDENTS, "STUDENTS")(team.student, layers)
    _check_memory(team.student, layers.memory)
    _known(team.network, NETWORKS, "NETWORKS")(team.network, layers, *z)
    return layers


def _check_memory(student: AbstractStudent, listed: int) -> None:
    """Raises ValueError if the listed layers lack some of the student's memory."""
    memory = jax.tree.leaves(jax.eval_shape(lambda: student.start(1, 1)))
    width = sum(x.shape[-1] for x in memory)
    if width != listed:
        name = type(student).__name__
        raise ValueError(
            f"{name} remembers {width} numbers of each agent's episode and its layers "
            f"{listed}: a student with a memory cannot be exported as one without. List "
            "each layer that remembers with layers.gru"
        )


def _known(part: Any, table: dict[Any, Callable], name: str) -> Callable:
    """The function for a part's exact class: a subclass may compute something else."""
    if type(part) in table:
        return table[type(part)]
    kind, example = type(part).__name__, next(iter(table)).__name__
    raise ValueError(
        f"{kind} is not a part of ptde, so its layers are not known: write a function that "
        f"lists them, as ptde/export/layers.py does for {example}, and add it as "
        f"ptde.export.{name}[{kind}] = your_function before you call ptde.export_run"
    )
