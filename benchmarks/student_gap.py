"""What a student lacks: the share of z's variance that other inputs explain.

    python benchmarks/student_gap.py RUN [--steps 10_000]

Fits the same three-layer student on the teacher's own battles, once on O_i, and on O_i with
further inputs: parts of the state that no agent observes, or the network's hidden state. R2
is on held-out segments. For maps whose teams are of one unit type each (3s_vs_5z, 3m, ...).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import optax
import tyro

from ptde import build
from ptde.distill.students import MlpStudent
from ptde.folder import RunFolder
from ptde.ops.local import local_information
from ptde.rollout.cache import use_compilation_cache
from ptde.rollout.collect import collect, start


@dataclass(frozen=True)
class Gap:
    """Options: the run, and the length of each fit."""

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder with a teacher."""
    steps: int = 10_000
    """Gradient steps of each fit."""
    rolls: int = 80
    """Collections that the teacher plays for data."""
    batch: int = 1000
    """Rows of each gradient step."""


def roll(config, env, teacher, rolls: int):
    """O_i, h, state, z and who is alive, with leading axes [rolls, envs, T + 1]."""
    policy = teacher.policy(0.05, sample_z=True)

    def one(key):
        cursor = start(policy, env, config.envs, key=key)
        steps = collect(policy, env, cursor, build.segment_of(config, env.spec), key=key)[
            1
        ].steps
        local = local_information(steps.local)
        h = teacher.network.unroll(local, steps.first)
        z = teacher.info(local, steps.state, noise=None).mean
        return local, h, steps.state, z, steps.local.alive

    return jax.jit(lambda key: jax.lax.map(one, jax.random.split(key, rolls)))(
        jax.random.key(123)
    )


def r2(x, z, alive, steps: int, batch: int) -> float:
    """R2, on the last fifth of the rolls, of a student that was fitted on the others."""
    split = int(0.8 * len(x))
    flat = lambda a: a.reshape(-1, a.shape[-1])
    rows = jnp.flatnonzero(alive[:split].reshape(-1))
    fit_x, fit_z = flat(x[:split])[rows], flat(z[:split])[rows]
    test = jnp.flatnonzero(alive[split:].reshape(-1))
    test_x, test_z = flat(x[split:])[test], flat(z[split:])[test]
    student = MlpStudent(x.shape[-1], z.shape[-1], key=jax.random.key(0))
    adam = optax.adam(optax.cosine_decay_schedule(1e-3, steps))

    def one(carry, key):
        student, state = carry
        pick = jax.random.randint(key, (batch,), 0, len(fit_x))
        loss = lambda s: jnp.mean(jnp.sum((s.mlp(fit_x[pick]) - fit_z[pick]) ** 2, -1))
        change, state = adam.update(jax.grad(loss)(student), state)
        return (optax.apply_updates(student, change), state), None

    keys = jax.random.split(jax.random.key(1), steps)
    learnt = jax.jit(lambda s: jax.lax.scan(one, (s, adam.init(s)), keys)[0][0])(student)
    error = jnp.sum((learnt.mlp(test_x) - test_z) ** 2)
    return float(1 - error / jnp.sum((test_z - test_z.mean(0)) ** 2))


def main() -> None:
    """Fits the students and prints their R2."""
    gap = tyro.cli(Gap)
    use_compilation_cache()
    folder = RunFolder(gap.run)
    config, env = folder.run, build.world(folder.run)
    if env.types:
        raise SystemExit(f"{env.spec.name} has teams of mixed types: not supported here")
    teacher = jax.tree.map(lambda x: x[0], folder.teacher("teacher", config, env))
    local, h, state, z, alive = roll(config, env, teacher, gap.rolls)
    units = state[..., : 4 * env.units].reshape(*state.shape[:-1], env.units, 4)
    team = units[..., : env.n, :]
    everyone = jnp.broadcast_to(state[..., None, :], (*local.shape[:-1], state.shape[-1]))
    cooldowns = jnp.broadcast_to(units[..., None, :, 1], (*local.shape[:-1], env.units))
    inputs = {
        "O_i (the paper's student)": [local],
        "O_i, own cooldown": [local, team[..., 1:2]],
        "O_i, own position": [local, team[..., 2:4]],
        "O_i, own cooldown and position": [local, team[..., 1:4]],
        "O_i, everyone's cooldown": [local, cooldowns],
        "O_i, recurrent state h": [local, h],
        "O_i, the whole state": [local, everyone],
    }
    for name, parts in inputs.items():
        x = jnp.concatenate(parts, axis=-1)
        print(f"{name:32} R2 {r2(x, z, alive, gap.steps, gap.batch):.2f}", flush=True)


if __name__ == "__main__":
    main()
