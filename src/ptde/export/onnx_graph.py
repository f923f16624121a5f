"""A team as an ONNX graph, built node by node from its layers.

The inputs are those of the player: obs, legal, last_action, memory; there is no state. The
batch is symbolic: any number of whole teams in one call.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ptde.export.layers import LOCAL

OPSET = 17
"""The first operator set with LayerNormalization; all runtimes since late 2022 have it."""
IR = 8
"""Version of the file format that goes with ``OPSET``."""
KINDS = {"float32": TensorProto.FLOAT, "bool": TensorProto.BOOL, "int64": TensorProto.INT64}


class _Graph:
    """A graph's nodes in order, each named after its output."""

    def __init__(self, weights: dict[str, np.ndarray]):
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        for name, x in weights.items():
            self.constant(name, x)

    def constant(self, name: str, x: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(x), name))
        return name

    def node(self, kind: str, reads: list[str], makes: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, reads, [makes], makes, **attributes))
        return makes

    def split(self, x: str, makes: list[str]) -> list[str]:
        name = f"{makes[0]}.split"
        self.nodes.append(helper.make_node("Split", [x], makes, name, axis=-1))
        return makes

    def product(self, x: str, layer: str, part: str, makes: str) -> str:
        y = self.node("MatMul", [x, f"{layer}.weight{part}"], f"{makes}.product")
        return self.node("Add", [y, f"{layer}.bias{part}"], makes)


def onnx_graph(team: dict[str, Any], weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """The graph of a team.

    Args:
        team: the contents of ``team.json``.
        weights: the team's arrays by name.
    """
    graph = _Graph(weights)
    _local(graph, team)
    memory: list[str] = []
    for layer in team["layers"]:
        memory += _layer(graph, layer)
    least = graph.constant("least", np.finfo(np.float32).min)
    values = team["layers"][-1]["name"]
    masked = graph.node("Where", ["legal", values, least], "masked")
    graph.node("ArgMax", [masked], "action", axis=-1, keepdims=0)
    if memory:
        graph.node("Concat", memory, "next_memory", axis=-1)
    else:
        graph.node("Identity", ["memory"], "next_memory")  # of width 0
    made = helper.make_graph(
        graph.nodes,
        "team",
        [_value(name, about) for name, about in team["inputs"].items()],
        [_value(name, about) for name, about in team["outputs"].items()],
        graph.constants,
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(
        made, opset_imports=[opset], ir_version=IR, producer_name="ptde"
    )
    helper.set_model_props(model, {"world": team["world"], "method": team["method"]})
    onnx.checker.check_model(model, full_check=True)
    return model


def _value(name: str, about: dict[str, Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        name, KINDS[about["dtype"]], ["batch", *about["shape"]]
    )


def _local(graph: _Graph, team: dict[str, Any]) -> None:
    """Adds the nodes of O_i = [observation, one-hot last action, one-hot agent]."""
    n, u = team["agents"], team["actions"]
    # OneHot would take -1, as at an episode's first step, for the action of the last index.
    actions = graph.constant("every_action", np.arange(u))
    end = graph.constant("end", np.array([-1]))
    last = graph.node("Unsqueeze", ["last_action", end], "last_action.wide")
    same = graph.node("Equal", [last, actions], "last_action.same")
    graph.node("Cast", [same], "last_action.one_hot", to=TensorProto.FLOAT)
    each = graph.constant("every_agent", np.eye(n, dtype=np.float32))
    rows = graph.node("Shape", ["last_action"], "rows")
    width = graph.constant("agents", np.array([n]))
    shape = graph.node("Concat", [rows, width], "agent.shape", axis=0)
    graph.node("Expand", [each, shape], "agent.one_hot")
    parts = ["obs", "last_action.one_hot", "agent.one_hot"]
    graph.node("Concat", parts, LOCAL, axis=-1)


def _layer(graph: _Graph, layer: dict[str, Any]) -> list[str]:
    """Adds a layer's nodes, and returns the parts of the next memory that it makes."""
    name, reads = layer["name"], layer["reads"]
    x = reads[0]
    if len(reads) > 1:
        x = graph.node("Concat", reads, f"{name}.reads", axis=-1)
    if layer["kind"] == "gru":
        return [_gru(graph, layer, x)]
    if layer["kind"] == "norm":
        weights = [f"{name}.scale", f"{name}.offset"]
        graph.node("LayerNormalization", [x, *weights], name, axis=-1, epsilon=1e-5)
        return []
    then = layer.get("then")
    y = graph.product(x, name, "", f"{name}.sum" if then else name)
    if then == "relu":
        graph.node("Relu", [y], name)
    elif then == "leaky_relu":
        graph.node("LeakyRelu", [y], name, alpha=0.01)
    return []


def _gru(graph: _Graph, layer: dict[str, Any], x: str) -> str:
    """Adds a GRU's step, written out: ONNX's own has an axis of time, and other gates."""
    name = layer["name"]
    first, last = (
        graph.constant(f"{name}.{end}", np.array([at]))
        for end, at in zip(("first", "last"), layer["memory"], strict=True)
    )
    end = graph.constant(f"{name}.axis", np.array([-1]))
    h = graph.node("Slice", ["memory", first, last, end], f"{name}.before")
    gates = {}
    for part, read in (("x", x), ("h", h)):
        y = graph.product(read, name, f"_{part}", f"{name}.{part}")
        gates[part] = graph.split(y, [f"{name}.{part}.{g}" for g in "run"])
    (x_r, x_u, x_n), (h_r, h_u, h_n) = gates["x"], gates["h"]
    reset = graph.node("Add", [x_r, h_r], f"{name}.reset.sum")
    reset = graph.node("Sigmoid", [reset], f"{name}.reset")
    update = graph.node("Add", [x_u, h_u], f"{name}.update.sum")
    update = graph.node("Sigmoid", [update], f"{name}.update")
    told = graph.node("Mul", [reset, h_n], f"{name}.told")
    new = graph.node("Add", [x_n, told], f"{name}.new.sum")
    new = graph.node("Tanh", [new], f"{name}.new")
    # (1 - u) new + u h = new + u (h - new)
    away = graph.node("Sub", [h, new], f"{name}.away")
    kept = graph.node("Mul", [update, away], f"{name}.kept")
    return graph.node("Add", [new, kept], name)
