"""Plays a team that `ptde export` wrote. It needs only NumPy and the team's folder.

player = Player("FOLDER")            # or Player("FOLDER", "onnx"), which needs onnxruntime
player.reset()                       # before each episode
actions = player.act(obs, legal)     # [n, o] and [n, u] -> [n]; or many teams, [b, n, o]
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

KINDS = ("linear", "norm", "gru")
SLOPE = {"relu": 0.0, "leaky_relu": 0.01}


def read_weights(path):
    """The arrays of a safetensors file by name."""
    data = Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:start])
    head.pop("__metadata__", None)
    arrays = {}
    for name, about in head.items():
        first, last = about["data_offsets"]
        numbers = np.frombuffer(data[start + first : start + last], "<f4")
        arrays[name] = numbers.reshape(about["shape"])
    return arrays


class Player:
    """A team, or some of its agents: ``Player(folder, agents=[2])`` is agent 2 alone."""

    def __init__(self, folder, engine="numpy", agents=None):
        if engine not in ("numpy", "onnx"):
            raise ValueError(f"unknown engine {engine!r}: type 'numpy' or 'onnx'")
        folder = Path(folder)
        self.team = json.loads((folder / "team.json").read_text())
        self.n, self.u = self.team["agents"], self.team["actions"]
        self.agents = list(range(self.n)) if agents is None else list(agents)
        rows, inputs = len(self.agents), self.team["inputs"]
        self.shapes = (rows, inputs["obs"]["shape"][-1]), (rows, self.u)
        self.width = inputs["memory"]["shape"][-1]
        if engine == "onnx":
            import onnxruntime

            if rows < self.n:
                raise ValueError("team.onnx plays whole teams: leave agents away")
            self.session = onnxruntime.InferenceSession(folder / "team.onnx")
        self.step = self._onnx if engine == "onnx" else self._numpy
        self.weights = read_weights(folder / "model.safetensors")
        self.reset()

    def reset(self):
        """Clears the memory, for the start of an episode."""
        self.memory: Any = None
        self.last_action: Any = None

    def act(self, obs, legal):
        """The agents' actions at this step. ValueError for arrays of other sizes."""
        obs, legal = np.asarray(obs, np.float32), np.asarray(legal, bool)
        if (obs.shape[-2:], legal.shape[-2:]) != self.shapes:
            raise ValueError(f"{obs.shape=}, {legal.shape=}: they must end {self.shapes}")
        if self.memory is None:
            self.memory = np.zeros((*obs.shape[:-1], self.width), np.float32)
            self.last_action = np.full(obs.shape[:-1], -1)
        self.last_action, self.memory = self.step(obs, legal)
        return self.last_action.copy()

    def prepare(self, features):
        """The observations of a team that ranks, from raw features [..., features]."""
        p = self.team["preparation"]
        x = np.asarray(features, np.float64)[..., p["kept"]]
        x = np.where(np.isnan(x), p.get("missing", 0.0), x)
        x = np.where(p["logarithmic"], np.log1p(np.maximum(x, 0)), x)
        return np.clip((x - p["mean"]) / p["deviation"], -p["limit"], p["limit"])

    def _numpy(self, obs, legal):
        last_action = np.eye(self.u + 1, self.u)[self.last_action]  # of -1: zeros
        agent = np.broadcast_to(np.eye(self.n)[self.agents], (*obs.shape[:-1], self.n))
        local = np.concatenate([obs, last_action, agent], axis=-1).astype(np.float32)
        made, self.next = {"local": local}, self.memory.copy()
        for layer in self.team["layers"]:
            x = np.concatenate([made[name] for name in layer["reads"]], axis=-1)
            if layer["kind"] not in KINDS:
                raise ValueError(f"a layer of kind {layer['kind']!r} is not known")
            x = getattr(self, "_" + layer["kind"])(layer, x)
            if "then" in layer:
                x = np.maximum(x, SLOPE[layer["then"]] * x)
            made[layer["name"]] = x
        return np.where(legal, x, np.finfo(np.float32).min).argmax(axis=-1), self.next

    def _linear(self, layer, x, part=""):
        name = layer["name"]
        return x @ self.weights[f"{name}.weight{part}"] + self.weights[f"{name}.bias{part}"]

    def _norm(self, layer, x):
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + np.float32(1e-5))
        name = layer["name"]
        return x * self.weights[f"{name}.scale"] + self.weights[f"{name}.offset"]

    def _gru(self, layer, x):
        place = slice(*layer["memory"])
        h = self.memory[..., place]
        x_r, x_u, x_n = np.split(self._linear(layer, x, "_x"), 3, axis=-1)
        h_r, h_u, h_n = np.split(self._linear(layer, h, "_h"), 3, axis=-1)
        reset = 0.5 * np.tanh(0.5 * (x_r + h_r)) + 0.5
        update = 0.5 * np.tanh(0.5 * (x_u + h_u)) + 0.5
        new = np.tanh(x_n + reset * h_n)
        self.next[..., place] = (1 - update) * new + update * h
        return self.next[..., place]

    def _onnx(self, obs, legal):
        given = {"obs": obs, "legal": legal, "last_action": self.last_action}
        given["memory"] = self.memory
        lead, axes = obs.shape[:-2], obs.ndim - 1  # any leading axes become one
        shape = math.prod(lead), self.n
        rows = {k: x.reshape(*shape, *x.shape[axes:]) for k, x in given.items()}
        action, memory = self.session.run(None, rows)
        return action.reshape(obs.shape[:-1]), memory.reshape(self.memory.shape)
