"""A synthetic data set in the form of LETOR, for those who have none at hand.

A document's worth u is normal; its label counts how many of the thresholds 0, 0.7, 1.3 and
1.9 it passes (half the documents get 0). Every feature shows ``w u + v c + noise`` through
an exponential, so tails are heavy; c belongs to the query and is twice as wide as u. One
document alone cannot tell its worth from its query's c: the others of the list can.
"""

import numpy as np

from ptde.envs.ranking.letor import Queries

THRESHOLDS = (0.0, 0.7, 1.3, 1.9)


def synthetic(queries: int, docs: int, features: int, seed: int) -> Queries:
    """``queries`` queries with ``docs`` documents each.

    Args:
        queries: number of queries.
        docs: documents of each query.
        features: features of each, the last one constant.
        seed: seed of all draws.
    """
    draw = np.random.default_rng(seed)
    worth = draw.normal(size=(queries, docs, 1))
    query = 2.0 * draw.normal(size=(queries, 1, 1))
    w = draw.uniform(0.2, 1.0, size=features)
    v = draw.uniform(0.2, 1.0, size=features)
    noise = draw.normal(size=(queries, docs, features))
    shown = np.exp(w * worth + v * query + noise)
    shown[..., -1] = 1.0
    labels = (worth > np.array(THRESHOLDS)).sum(-1)
    return Queries(
        features=shown.reshape(-1, features).astype(np.float32),
        labels=labels.reshape(-1).astype(np.uint8),
        ids=np.arange(queries).astype(str),
        starts=np.arange(queries + 1) * docs,
    )
