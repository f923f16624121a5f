"""Why a team that learns values ranks worse than boosted trees: one cause at a time.

    python benchmarks/ranking_gap.py --data LETOR_FILE [--learner value | policy | labels]

The same small network, lists and number of episodes for three learners, without the rest of
the library: ``value`` regresses the reward on the sum of the agents' action values (VDN),
``policy`` follows the policy gradient of the same reward, ``labels`` sees the relevance
labels themselves (softmax loss), which no team does. ``--context`` lets each agent see how
its document differs from the list's mean. Prints NDCG@10 on training and held-out lists.
"""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from ptde.envs.ranking import SCORES, Ranking, ranking_data
from ptde.envs.settings import RankingConfig
from ptde.ops.keys import new_key
from ptde.ops.ranking import expected_ndcg
from ptde.report.ranking import list_ndcg, ten_scores


@dataclass(frozen=True)
class Gap:
    """Options: the learner, its data and its hyperparameters."""

    data: str
    """A LETOR file."""
    learner: Literal["value", "policy", "labels"] = "value"
    """The learner: from the reward by values or by policy gradient, or from the labels."""
    context: bool = False
    """Whether agents also see their document minus the list's mean."""
    jitter: float = 0.5
    """Standard deviation of the noise on training features."""
    average: float = 0.998
    """Share that the averaged network keeps of itself."""
    steps: int = 4_000
    """Gradient steps."""
    batch: int = 512
    """Lists of each gradient step."""
    lr: float = 1e-3
    """Adam's learning rate, falling to 0."""
    epsilon: float = 0.1
    """Share of random actions of ``value``; it falls from 1 over a tenth of the steps."""
    hidden: int = 64
    """Width of the two hidden layers."""
    seed: int = 0


class Trial:
    """One learner on one set of lists."""

    def __init__(self, gap: Gap):
        config = RankingConfig(data=gap.data)
        env = Ranking(ranking_data("letor", config), config)
        self.gap, self.lists, self.test = gap, env.lists, env.held_out().lists
        self.optimiser = optax.adam(optax.linear_schedule(gap.lr, 0, gap.steps))

    def network(self, p, x):
        """Ten numbers for each document [.., n, 10]; ``labels`` uses the first."""
        if self.gap.context:
            x = jnp.concatenate([x, x - x.mean(-2, keepdims=True)], -1)
        for w, b in p["layers"][:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = p["layers"][-1]
        return x @ w + b

    def start(self, key):
        """Initial parameters; ``lists``, the mean reward of each list, is a baseline."""
        width = self.lists.features.shape[-1] * (1 + self.gap.context)
        sizes = (width, self.gap.hidden, self.gap.hidden, SCORES)
        keys = jax.random.split(key, 3)
        he = lambda k, i, o: jax.random.normal(k, (i, o)) * np.sqrt(2 / i)
        layers = [
            (he(k, i, o), jnp.zeros(o))
            for k, i, o in zip(keys, sizes[:-1], sizes[1:], strict=True)
        ]
        w, b = layers[-1]
        layers[-1] = (0.1 * w, b)  # values begin near 0
        return {"layers": layers, "lists": jnp.full(len(self.lists.labels), 0.07)}

    def loss(self, p, which, x, y, time, key):
        """The loss of one batch of lists, at step ``time``."""
        out = self.network(p, x)
        if self.gap.learner == "labels":
            target = jax.nn.softmax(2.0**y - 1.0)
            return -jnp.mean(jnp.sum(target * jax.nn.log_softmax(out[..., 0]), -1))
        key_a, key_b = jax.random.split(key)
        if self.gap.learner == "policy":
            action = jax.random.categorical(key_a, out)
        else:
            drawn = jax.random.randint(key_a, out.shape[:2], 0, SCORES)
            epsilon = jnp.maximum(self.gap.epsilon, 1 - time / (0.1 * self.gap.steps))
            at_random = jax.random.uniform(key_b, out.shape[:2]) < epsilon
            action = jnp.where(at_random, drawn, out.argmax(-1))
        reward = jax.vmap(lambda a, y: expected_ndcg(a, y, 10))(action, y)
        usual = 10 * p["lists"][which]
        take = lambda v: jnp.take_along_axis(v, action[..., None], -1)[..., 0]
        if self.gap.learner == "value":
            return jnp.mean((take(out).sum(1) + usual - reward) ** 2)
        logs = jax.nn.log_softmax(out)
        entropy = -jnp.mean(jnp.sum(jnp.exp(logs) * logs, -1))
        better = reward - jax.lax.stop_gradient(usual)
        return (
            -jnp.mean(take(logs).sum(1) * better)
            + jnp.mean((reward - usual) ** 2)
            - 0.01 * entropy
        )

    def step(self, carry, time):
        """Takes one gradient step."""
        p, average, optimiser, key = carry
        key, key_pick, key_noise, key_loss = jax.random.split(key, 4)
        which = jax.random.randint(key_pick, (self.gap.batch,), 0, len(self.lists.labels))
        x = jnp.asarray(self.lists.features)[which]
        x = x + self.gap.jitter * jax.random.normal(key_noise, x.shape)
        y = jnp.asarray(self.lists.labels)[which]
        gradient = jax.grad(self.loss)(p, which, x, y, time, key_loss)
        change, optimiser = self.optimiser.update(gradient, optimiser)
        p = optax.apply_updates(p, change)
        new = 1 - self.gap.average
        average = jax.tree.map(lambda a, q: a + new * (q - a), average, p)
        return (p, average, optimiser, key), None

    def scores(self, p) -> tuple[np.ndarray, np.ndarray]:
        """Scores, whole numbers 0 .. 9, of the training and the held-out lists."""
        train, test = (
            np.asarray(self.network(p, x.features)) for x in (self.lists, self.test)
        )
        if self.gap.learner == "labels":
            seen = train[..., 0].reshape(-1)
            return ten_scores(seen, train[..., 0]), ten_scores(seen, test[..., 0])
        return train.argmax(-1), test.argmax(-1)


def main(gap: Gap) -> None:
    """Trains a learner, and prints its NDCG ten times on the way."""
    trial = Trial(gap)
    parts = trial.lists, trial.test
    p = trial.start(new_key(gap.seed))
    carry = (p, p, trial.optimiser.init(p), new_key(gap.seed + 1))
    run = jax.jit(lambda c, times: jax.lax.scan(trial.step, c, times)[0])
    times = jnp.arange(gap.steps // 10)
    for part in range(1, 11):
        carry = run(carry, times + (part - 1) * len(times))
        found = [
            list_ndcg(scores, lists.labels)[:, -1].mean()
            for scores, lists in zip(trial.scores(carry[1]), parts, strict=True)
        ]
        done = part * (gap.steps // 10)
        print(
            f"{done:>6} steps  training {found[0]:.3f}  held out {found[1]:.4f}", flush=True
        )


if __name__ == "__main__":
    main(tyro.cli(Gap))
