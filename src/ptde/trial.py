"""A trial of parts of the user's own on made-up numbers, before anything is written."""

from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key

from ptde.agents.utility import UtilityNetwork
from ptde.config import Run
from ptde.distill.objectives import OBJECTIVES, Labelled
from ptde.distill.students import STUDENTS, StudentInfo
from ptde.info import INFOS, AbstractRecurrentInfo, info_shapes, make_info
from ptde.mixers import MIXERS
from ptde.ops.keys import new_key
from ptde.parts import find, is_own, target_of
from ptde.trust import told
from ptde.types import EnvSpec, Info, Utilities
from ptde.validation import flag

MakeInfo: TypeAlias = Callable[[Key[Array, ""]], AbstractRecurrentInfo]

COPIES, STEPS = 5, 7
"""Sizes of the trial: few worlds have as many agents or actions."""
RESTART = 4
"""The step at which every copy begins another episode."""


def check_own_parts(run: Run, spec: EnvSpec) -> None:
    """Tries the parts that are not ptde's: information module, mixer, student, objective.

    Raises:
        ValueError: one of them raised something (with its place), returns arrays of other
            shapes, or unrolls a segment to something else than it steps through.
    """
    seen = spec if run.teacher_sight == "own" else spec.with_full_sight()

    def info(key):
        return make_info(run.info, seen, run.info_config, key=key)

    _try("info", run.info, INFOS, lambda: _check_info(info, seen))
    _try("mixer", run.mixer, MIXERS, lambda: _check_mixer(run, spec))
    if run.info == "none":
        return
    z_dim, stage_2 = info_shapes(run.info, seen, run.info_config).z_dim, run.student

    def student(key):
        return StudentInfo(stage_2.make(spec, z_dim, key=key), z_dim)

    name, loss = stage_2.network, stage_2.objective
    _try("student.network", name, STUDENTS, lambda: _check_info(student, spec))
    _try("student.objective", loss, OBJECTIVES, lambda: _check_loss(run, spec, z_dim))


class _Misfit(ValueError):
    """What a part returns is not what it should be."""


def _try(
    option: str, name: str, registry: Mapping[str, Any], check: Callable[[], None]
) -> None:
    """Checks a part of the user's own. ValueError says what is wrong with it."""
    made = None if is_own(name) else registry[name].__module__
    if made is not None and made.startswith("ptde."):
        return
    find(option, name, registry)  # what is wrong with its name is said by itself
    try:
        check()
    except _Misfit as misfit:
        raise ValueError(f"{flag(option)} {name}: {misfit}") from None
    except Exception as error:
        place = made or target_of(name).partition(":")[0]
        raise ValueError(f"{flag(option)} {name} raised {told(error, place)}") from error


def _check_info(make: MakeInfo, spec: EnvSpec) -> None:
    """Steps through segments and unrolls them; a student is a module without a state."""
    keys, n = jax.random.split(new_key(0), 4), spec.n_agents
    local = jax.random.uniform(keys[0], (COPIES, STEPS, n, spec.local_dim))
    state = jax.random.uniform(keys[1], (COPIES, STEPS, spec.state_dim))
    z_dim = jax.eval_shape(make, keys[2]).z_dim

    @jax.jit
    def play() -> tuple[Any, ...]:
        info, stepped = make(keys[2]), []
        start = carry = info.start(COPIES, n)
        noise = info.draw(local.shape[:-1], key=keys[3])
        for t in range(STEPS):
            carry = start if t == RESTART else carry
            drawn = None if noise is None else noise[:, t]
            carry, one = info.step(carry, local[:, t], state[:, t], noise=drawn)
            stepped.append(_checked(one))
        unrolled = _checked(info.unroll(local, state, _first(), noise=noise))
        return start, carry, stepped, unrolled

    before, after, stepped, unrolled = play()
    each = {"copies": COPIES, "agents": n, "z_dim": z_dim}
    _check_carry(before, after)
    for name in ("z", "mean"):
        _check_shape(name, getattr(stepped[0], name), each)
        whole = {"copies": COPIES, "steps": STEPS} | each
        _check_shape(f"{name} of unroll", getattr(unrolled, name), whole)
    _check_alike(np.asarray(unrolled.z), np.stack([one.z for one in stepped], axis=1))


def _check_mixer(run: Run, spec: EnvSpec) -> None:
    keys = jax.random.split(new_key(0), 3)
    q = jax.random.normal(keys[0], (COPIES, STEPS, spec.n_agents))
    state = jax.random.uniform(keys[1], (COPIES, STEPS, spec.state_dim))

    @jax.jit
    def mixed(key):
        mixer = find("mixer", run.mixer, MIXERS)(spec, run.mixer_config, key=key)
        return mixer(Utilities(q, q + 1.0, jnp.zeros(q.shape, jnp.int32)), state)

    _check_shape("Q_tot", mixed(keys[2]), {"copies": COPIES, "steps": STEPS})


def _check_loss(run: Run, spec: EnvSpec, z_dim: int) -> None:
    keys, n = jax.random.split(new_key(0), 5), spec.n_agents
    network = UtilityNetwork(spec.local_dim, z_dim, spec.n_actions, key=keys[0])
    numbers = zip(keys[1:], (spec.local_dim, network.hidden, z_dim, z_dim), strict=True)
    local, h, z, told_z = (jax.random.normal(k, (COPIES, STEPS, n, d)) for k, d in numbers)
    legal = jnp.ones((COPIES, STEPS, n, spec.n_actions), bool)
    seen = Labelled(local, _first(), legal, legal[..., 0], z, h)
    objective = jax.jit(run.student.loss())
    loss = objective(told_z, seen, network)
    if loss.shape:
        raise _Misfit(f"its loss has shape {loss.shape}, and should be one number")
    if not np.isfinite(loss):
        raise _Misfit("its loss is not finite, for a z and a teacher that are")
    if not np.any(jax.grad(objective)(told_z, seen, network)):
        raise _Misfit("its loss does not depend on the student's z: it has no gradient")


def _first() -> Bool[Array, "B T"]:
    return jnp.zeros((COPIES, STEPS), bool).at[:, jnp.array([0, RESTART])].set(True)


def _checked(what: Any) -> Info:
    if isinstance(what, Info):
        return what
    kind = "plain array" if isinstance(what, jax.Array) else type(what).__name__
    raise _Misfit(f"it returns a {kind}, not a ptde.types.Info")


def _check_shape(what: str, array: Any, sizes: dict[str, int]) -> None:
    shape = tuple(sizes.values())
    if array.shape != shape:
        raise _Misfit(
            f"{what} has shape {array.shape}, and should have {shape}: {', '.join(sizes)}"
        )


def _check_carry(before: Any, after: Any) -> None:
    """A scan carries it from step to step, in the same arrays."""
    for a, b in zip_longest(_leaves(before), _leaves(after), fillvalue="nothing"):
        if a != b:
            raise _Misfit(f"the carry of start has {a}, where step's has {b}")
    if any(np.any(x) for x in jax.tree.leaves(before)):
        raise _Misfit("the carry of start must be all zeros")


def _check_alike(unrolled: np.ndarray, stepped: np.ndarray) -> None:
    if not (np.isfinite(stepped).all() and np.isfinite(unrolled).all()):
        raise _Misfit("z is not finite, for O_i and states that are")
    apart = np.abs(unrolled - stepped).max((0, 2, 3), initial=0.0)
    near = 1e-3 * (1 + np.abs(stepped).max(initial=0.0))
    if (odd := np.flatnonzero(apart > near)).size:
        raise _Misfit(
            f"z of unroll differs from that of step by {apart[odd[0]]:.3g} at step "
            f"{odd[0]} of a segment in which episodes begin at steps 0 and {RESTART}"
        )


def _leaves(tree: Any) -> Iterator[str]:
    """The name, type and shape of each array in a tree."""
    for path, x in jax.tree.leaves_with_path(tree):
        yield f"{jax.tree_util.keystr(path)} {x.dtype}{[*x.shape]}".strip()
