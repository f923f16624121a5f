"""Students: they produce z from local information alone (Paper Sec. 3.3, Fig. 4, Eq. 5)."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ptde.info.base import AbstractRecurrentInfo, AbstractStudent, Carry
from ptde.nn.linear import MLP, Linear
from ptde.nn.recurrent import GRU, unroll_rows
from ptde.types import Info


class MlpStudent(AbstractStudent):
    """The paper's student: an MLP on O_i, three linear layers (ReLU, then LeakyReLU)."""

    mlp: MLP

    def __init__(self, local: int, z: int, hidden: int = 64, *, key: Key[Array, ""]):
        widths = (local, hidden, hidden, z)
        self.mlp = MLP(widths, (jax.nn.relu, jax.nn.leaky_relu), key=key)

    def start(self, copies: int, n_agents: int) -> Carry:
        return ()

    def step(
        self, carry: Carry, local: Float[Array, "B n d"]
    ) -> tuple[Carry, Float[Array, "B n z"]]:
        return carry, self.mlp(local)

    def unroll(
        self, local: Float[Array, "B T n d"], first: Bool[Array, "B T"]
    ) -> Float[Array, "B T n z"]:
        return self.mlp(local)


class GruStudent(AbstractStudent):
    """A student with a memory of its own, m: z' = MLP([m ; O_i]).

    What an agent does not see now (its cooldown, its position, who was here) may follow
    from what it saw and did before. The hidden state of the teacher's network need not hold
    that: it was trained beside a z that does.
    """

    encoder: Linear
    rnn: GRU
    mlp: MLP

    def __init__(self, local: int, z: int, hidden: int = 64, *, key: Key[Array, ""]):
        k1, k2, k3 = jax.random.split(key, 3)
        self.encoder = Linear(local, hidden, key=k1)
        self.rnn = GRU(hidden, hidden, key=k2)
        widths = (hidden + local, hidden, hidden, z)
        self.mlp = MLP(widths, (jax.nn.relu, jax.nn.leaky_relu), key=k3)

    def start(self, copies: int, n_agents: int) -> Carry:
        return jnp.zeros((copies, n_agents, self.rnn.hidden))

    def step(
        self, carry: Carry, local: Float[Array, "B n d"]
    ) -> tuple[Carry, Float[Array, "B n z"]]:
        m = self.rnn.step(carry, jax.nn.relu(self.encoder(local)))
        return m, self._z(m, local)

    def unroll(
        self, local: Float[Array, "B T n d"], first: Bool[Array, "B T"]
    ) -> Float[Array, "B T n z"]:
        m = unroll_rows(self.rnn, jax.nn.relu(self.encoder(local)), first)
        return self._z(m, local)

    def _z(
        self, m: Float[Array, "*b n h"], local: Float[Array, "*b n d"]
    ) -> Float[Array, "*b n z"]:
        return self.mlp(jnp.concatenate([m, local], axis=-1))


class NoStudent(AbstractStudent):
    """A z' of width 0, for teams whose network takes none."""

    def start(self, copies: int, n_agents: int) -> Carry:
        return ()

    def step(
        self, carry: Carry, local: Float[Array, "B n d"]
    ) -> tuple[Carry, Float[Array, "B n z"]]:
        return carry, jnp.zeros((*local.shape[:-1], 0))

    def unroll(
        self, local: Float[Array, "B T n d"], first: Bool[Array, "B T"]
    ) -> Float[Array, "B T n z"]:
        return jnp.zeros((*local.shape[:-1], 0))


class StudentInfo(AbstractRecurrentInfo):
    """A student as an information module, for learners that need one.

    It drops the state that it is handed: z comes from the student, which takes no state.
    """

    stochastic = False
    z_dim: int = eqx.field(static=True)
    student: AbstractStudent

    def __init__(self, student: AbstractStudent, z_dim: int):
        self.student, self.z_dim = student, z_dim

    def start(self, copies: int, n_agents: int) -> Carry:
        return self.student.start(copies, n_agents)

    def step(
        self,
        carry: Carry,
        local: Float[Array, "B n d"],
        state: Float[Array, "B s"],
        *,
        noise: Float[Array, "B n z"] | None,
    ) -> tuple[Carry, Info]:
        carry, z = self.student.step(carry, local)
        return carry, Info(z=z, mean=z)

    def unroll(
        self,
        local: Float[Array, "B T n d"],
        state: Float[Array, "B T s"],
        first: Bool[Array, "B T"],
        *,
        noise: Float[Array, "B T n z"] | None,
    ) -> Info:
        z = self.student.unroll(local, first)
        return Info(z=z, mean=z)


STUDENTS: dict[str, Callable[..., AbstractStudent]] = {
    "mlp": MlpStudent,
    "gru": GruStudent,
}
"""Students by name. A class is called as ``cls(local, z, hidden, key=key)``."""
