"""NDCG of a list of scored documents (Paper Sec. 4.3).

Gain 2^label - 1, discount 1 / log2(rank + 1), ranks from 1. A list without any relevant
document has NDCG 1: no order of it is better than another.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, Num


def expected_ndcg(
    scores: Num[Array, " n"], labels: Int[Array, " n"], k: int
) -> Float[Array, ""]:
    """NDCG@k of the list sorted by score, on average over the orders of equal scores."""
    above = jnp.sum(scores[None, :] > scores[:, None], axis=1)
    equal = jnp.sum(scores[None, :] == scores[:, None], axis=1)
    total = jnp.concatenate([jnp.zeros(1), jnp.cumsum(_discounts(len(scores), k))])
    share = (total[above + equal] - total[above]) / equal
    return _ndcg(share, labels, k)


def drawn_ndcg(
    scores: Num[Array, " n"], labels: Int[Array, " n"], k: int, *, key: Key[Array, ""]
) -> Float[Array, ""]:
    """NDCG@k of the list sorted by score, equal scores in an order drawn with ``key``."""
    lot = jax.random.permutation(key, len(scores))
    before = (scores[None, :] > scores[:, None]) | (
        (scores[None, :] == scores[:, None]) & (lot[None, :] < lot[:, None])
    )
    rank = jnp.sum(before, axis=1)
    return _ndcg(_discounts(len(scores), k)[rank], labels, k)


def _discounts(n: int, k: int) -> Float[Array, " n"]:
    rank = jnp.arange(n)
    return jnp.where(rank < k, 1.0 / jnp.log2(rank + 2.0), 0.0)


def _ndcg(share: Float[Array, " n"], labels: Int[Array, " n"], k: int) -> Float[Array, ""]:
    gain = 2.0**labels - 1.0
    ideal = jnp.sum(-jnp.sort(-gain) * _discounts(len(labels), k))
    return jnp.where(ideal > 0, jnp.sum(gain * share) / jnp.maximum(ideal, 1e-12), 1.0)
