"""Size of exported teams, and the time of their decisions.

    python benchmarks/export.py [--steps 10_000] [--out export.json]

Teams of the default sizes, with random weights. For each and each format: on how many of
10,000 recorded joint steps an agent acts otherwise than in JAX, the size of the files, and
the time of one joint decision of one team, on one core, in a process that has only the
exported folder: the median of its decisions, in the best of several rounds. Prints a table
and writes JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax import export

from ptde.agents import localise
from ptde.agents.actor import ActorNetwork
from ptde.agents.utility import UtilityNetwork
from ptde.algos.base import Team
from ptde.distill.config import DistillConfig
from ptde.distill.students import NoStudent
from ptde.envs.base import AbstractEnv
from ptde.envs.ranking import Ranking, make_lists
from ptde.envs.ranking.synthetic import synthetic
from ptde.envs.registry import make_env
from ptde.envs.settings import RankingConfig
from ptde.export import export_team
from ptde.export.player import Player
from ptde.info import InfoSizes
from ptde.ops.select import greedy
from ptde.rollout.collect import collect, start
from ptde.types import LocalView

TEAMS = (
    ("3s_vs_5z, QMIX", UtilityNetwork, ""),
    ("3s_vs_5z, QMIX_GIP, mlp student", UtilityNetwork, "mlp"),
    ("3s_vs_5z, QMIX_GIP, gru student", UtilityNetwork, "gru"),
    ("3s_vs_5z, MAPPO_GIP, gru student", ActorNetwork, "gru"),
    ("ranking 10 of 136 features, QMIX_GIP, mlp student", UtilityNetwork, "mlp"),
)
"""Teams: label, class of the network, and name of the student; "" for none."""
HIDDEN, COPIES = 64, 50
FILES = {"numpy": "model.safetensors", "onnx": "team.onnx", "stablehlo": "team.stablehlo"}
LATENCY = """
import os, statistics, sys, time
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
folder, engine, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path.insert(0, folder)
import numpy as np
from player import Player
player = Player(folder, "onnx" if engine == "onnx" else "numpy")
if engine == "stablehlo":
    import jax
    data = bytearray(open(folder + "/team.stablehlo", "rb").read())
    call = jax.jit(jax.export.deserialize(data).call)
    def step(obs, legal):
        last = player.last_action.astype(np.int32)
        made = call(obs[None], legal[None], last[None], player.memory[None])
        return tuple(np.asarray(x)[0] for x in made)
    player.step = step
draws = np.random.default_rng(0).normal(size=(count, *player.shapes[0]))
legal, took = np.ones(player.shapes[1], bool), []
for obs in draws:
    began = time.perf_counter_ns()
    player.act(obs, legal)
    took.append(time.perf_counter_ns() - began)
print(statistics.median(took[count // 10:]) / 1000)
"""


@dataclass(frozen=True)
class Measure:
    """Options: sizes of the measurements, and the file to write."""

    steps: int = 10_000
    """Joint steps that are recorded and played again."""
    decisions: int = 2_000
    """Decisions of each round."""
    rounds: int = 5
    out: Path = Path("export.json")


@dataclass(frozen=True)
class Row:
    """Results of one team: parameters; kilobytes, microseconds, other steps by format."""

    team: str
    parameters: int
    actions: int
    """Number of different actions that it takes on the recorded steps."""
    kilobytes: dict[str, float]
    microseconds: dict[str, float]
    different: dict[str, int]


def team_of(spec, network, student: str, seed: int) -> Team:
    """A team of the default sizes, its initial weights changed so that actions vary."""
    one, two, three = jax.random.split(jax.random.key(seed), 3)
    z = InfoSizes().z if student else 0
    made = network(spec.local_dim, z, spec.n_actions, HIDDEN, key=one)
    own = NoStudent()
    if student:
        own = DistillConfig(network=student).make(spec, z, key=two)
    leaves, structure = jax.tree.flatten(Team(made, own))
    keys = jax.random.split(three, len(leaves))
    moved = [
        x + 0.2 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)
    ]
    return jax.tree.unflatten(structure, moved)


def record(team: Team, env: AbstractEnv, steps: int):
    """The views of a team that sometimes acts at random: time first, [T, copies, ...]."""
    policy = localise(team.policy(0.3))
    key, length = jax.random.key(1), -(-steps // COPIES)

    def play(policy):
        state = start(policy, env, COPIES, key=key)
        seen = collect(policy, env, state, length, key=key)[1].steps
        return seen.local.obs, seen.local.legal, seen.first

    seen = jax.jit(play)(policy)
    return tuple(np.asarray(x[:, :-1]).swapaxes(0, 1) for x in seen)


def in_jax(team: Team, seen) -> np.ndarray:
    """The actions of a team in JAX on recorded views, [T, copies, n]."""
    n = seen[0].shape[-2]

    def act(carry, now):
        obs, legal, first = now
        fresh = first[:, None, None]
        memory = jax.tree.map(lambda x: jnp.where(fresh, 0.0, x), carry[0])
        last = jnp.where(first[:, None], -1, carry[1])
        alive = jnp.ones(last.shape, bool)
        memory, values, _ = team.step(memory, LocalView(obs, legal, last, alive))
        action = greedy(values, legal)
        return (memory, action), action

    nobody = jnp.full((COPIES, n), -1, jnp.int32)
    begin = (team.start(COPIES, n), nobody)
    return np.asarray(jax.jit(lambda s: jax.lax.scan(act, begin, s)[1])(seen))


def different(player: Player, seen, expected: np.ndarray) -> int:
    """Number of joint steps at which a player acts otherwise than expected."""
    wrong = 0
    for obs, legal, first, action in zip(*seen, expected, strict=True):
        if player.memory is not None:
            player.memory = np.where(first[:, None, None], 0, player.memory)
            player.last_action = np.where(first[:, None], -1, player.last_action)
        taken = player.act(obs, legal)
        wrong += int((taken != action).any(axis=-1).sum())
        player.last_action = action.astype(np.int64)  # a tie is one error, not many
    return wrong


def by_stablehlo(folder: Path) -> Player:
    """A player that computes by ``team.stablehlo``."""
    player = Player(folder)
    data = bytearray((folder / "team.stablehlo").read_bytes())
    call = jax.jit(export.deserialize(data).call)

    def step(obs, legal):
        last = player.last_action.astype(np.int32)
        memory = player.memory.astype(np.float32)
        return tuple(np.asarray(x) for x in call(obs, legal, last, memory))

    player.step = step
    return player


def latency(folder: Path, to: str, measure: Measure) -> float:
    """The time of a joint decision, in microseconds."""
    words = [sys.executable, "-c", LATENCY, str(folder), to, str(measure.decisions)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
    rounds = [
        subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout
        for _ in range(measure.rounds)
    ]
    return min(map(float, rounds))


def measured(name: str, team: Team, env: AbstractEnv, seen, measure: Measure) -> Row:
    """Measures one team: its row of the table."""
    expected = in_jax(team, seen)
    sizes, times, wrong = {}, {}, {}
    with tempfile.TemporaryDirectory() as place:
        for to, file in FILES.items():
            folder = export_team(team, env, Path(place) / to, to)
            player = by_stablehlo(folder) if to == "stablehlo" else Player(folder, to)
            wrong[to] = different(player, seen, expected)
            sizes[to] = (folder / file).stat().st_size / 1e3
            times[to] = latency(folder, to, measure)
    parameters = sum(x.size for x in jax.tree.leaves(team))
    return Row(name, parameters, len(np.unique(expected)), sizes, times, wrong)


def table(rows: list[Row], steps: int) -> str:
    """The rows in Markdown."""
    text = (
        "| team | parameters | kB: weights, ONNX, StableHLO | µs a joint decision: NumPy, "
    )
    text += f"onnxruntime, JAX | of {steps:,} steps different |\n|---|---|---|---|---|\n"
    for row in rows:
        kb = ", ".join(f"{x:.0f}" for x in row.kilobytes.values())
        us = ", ".join(f"{x:.0f}" for x in row.microseconds.values())
        wrong = ", ".join(map(str, row.different.values()))
        text += f"| {row.team} | {row.parameters:,} | {kb} | {us} | {wrong} |\n"
    return text


def main(measure: Measure) -> None:
    battle = make_env("smax", "3s_vs_5z", {})
    part = synthetic(400, 12, features=136, seed=0)
    lists = make_lists("synthetic", [part], 10, 0, 0.8, 0)
    worlds = {"3s_vs_5z": battle, "ranking": Ranking(lists, RankingConfig(docs=10, k=10))}
    rows, seen = [], {}
    for seed, (name, network, student) in enumerate(TEAMS):
        place = name.replace(",", " ").split()[0]
        team = team_of(worlds[place].spec, network, student, seed)
        if place not in seen:
            seen[place] = record(team, worlds[place], measure.steps)
        rows.append(measured(name, team, worlds[place], seen[place], measure))
        print(rows[-1], file=sys.stderr)
    steps = -(-measure.steps // COPIES) * COPIES
    print(table(rows, steps))
    measure.out.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main(tyro.cli(Measure, description=__doc__))
