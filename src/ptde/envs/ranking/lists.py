"""Lists of exactly N documents, cut by query into training and test, and standardised."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from ptde.envs.ranking.letor import Queries

MOST_LISTS = 10_000
"""Most lists that 0 takes, as in the paper's reduction of MSLR-WEB30K (Sec. 4.3)."""
FLOAT = (float, int)
Missing = Literal["zero", "mean", "worst"]
MEANT = {"zero": "0", "mean": "the feature's mean", "worst": "its smallest value"}
LIMIT = 8.0
"""Standard deviations at which standardised features are clipped."""
LARGEST = 1e150
"""Largest number of a preparation: divided by another of them it is still finite."""


@dataclass(frozen=True)
class Lists:
    """L lists of N documents."""

    features: np.ndarray
    """[L, N, D], float32."""
    labels: np.ndarray
    """[L, N], int: graded relevance."""

    @property
    def decided(self) -> np.ndarray:
        """[L]: whether the labels differ, so that the order matters."""
        return self.labels.min(1) < self.labels.max(1)

    def only(self, which: np.ndarray | slice) -> "Lists":
        """The lists at the given indices."""
        return Lists(self.features[which], self.labels[which])


@dataclass(frozen=True)
class Preparation:
    """The standardisation of raw features, fitted on the training lists alone."""

    features: int
    """Features of a raw row."""
    kept: tuple[int, ...]
    """Indices, from 0, of the features that are not constant."""
    logarithmic: tuple[bool, ...]
    """Whether log(1 + x) is taken of a kept feature first, because its tail is heavy."""
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    missing: tuple[float, ...]
    """The value in place of NaN (NULL in the file)."""

    @classmethod
    def fit(cls, rows: np.ndarray, missing: Missing = "zero") -> "Preparation":
        """Fits a preparation to the raw rows of the training lists.

        Args:
            rows: [rows, features], NaN where there is no value.
            missing: the value read there: 0, the feature's mean, or its smallest value.

        Raises:
            ValueError: all are constant.
        """
        rows = rows.astype(np.float64)
        gaps = np.isnan(rows)
        instead = np.zeros(rows.shape[1])
        if gaps.any() and missing != "zero":
            known = ~gaps.all(0)  # of the others nothing is known: 0
            over = np.nanmean if missing == "mean" else np.nanmin
            instead[known] = over(rows[:, known], axis=0)
        rows = np.where(gaps, instead, rows)
        kept = np.flatnonzero(rows.min(0) < rows.max(0))
        if not len(kept):
            raise ValueError("every feature is constant: there is nothing to rank by")
        x = rows[:, kept]
        spread = (x - x.mean(0)) / x.std(0)
        heavy = (x.min(0) >= 0) & ((spread**3).mean(0) > 2)  # skewness
        x = np.where(heavy, np.log1p(np.maximum(x, 0)), x)
        return cls(
            features=rows.shape[1],
            kept=tuple(kept.tolist()),
            logarithmic=tuple(heavy.tolist()),
            mean=tuple(x.mean(0).tolist()),
            deviation=tuple(np.maximum(x.std(0), 1e-12).tolist()),
            missing=tuple(instead[kept].tolist()),
        )

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Prepared features [..., kept], from raw ones [..., features]."""
        x = rows[..., list(self.kept)].astype(np.float64)
        x = np.where(np.isnan(x), self.missing, x)
        x = np.where(self.logarithmic, np.log1p(np.maximum(x, 0)), x)
        x = (x - np.array(self.mean)) / np.array(self.deviation)
        return np.clip(x, -LIMIT, LIMIT).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """The preparation as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Preparation":
        """The preparation from ``to_json``'s data. ValueError names a wrong field."""
        width, kept = data.get("features"), data.get("kept")
        if type(width) is not int or width < 1:
            raise ValueError(
                f"field 'features' is {width!r:.40}: it must be a whole number"
            )
        ids = isinstance(kept, list | tuple) and all(type(i) is int for i in kept)
        if not ids or not kept or sorted({-1, *kept, width}) != [-1, *kept, width]:
            raise ValueError(
                f"field 'kept' is {kept!r:.40}: it must be ids below {width}, ascending"
            )
        lists: dict[str, tuple] = {"kept": tuple(kept)}
        data = {"missing": [0.0] * len(kept), **data}  # which older versions did not know
        for name, kinds in (
            ("logarithmic", (bool,)),
            ("mean", FLOAT),
            ("deviation", FLOAT),
            ("missing", FLOAT),
        ):
            values: Any = data.get(name)
            good = isinstance(values, list | tuple) and len(values) == len(kept)
            if not good or not all(type(x) in kinds and abs(x) < LARGEST for x in values):
                raise ValueError(
                    f"field {name!r} is {values!r:.40}: it must be {len(kept)} of "
                    f"{kinds[0].__name__}"
                )
            lists[name] = tuple(kinds[0](x) for x in values)
        if min(lists["deviation"]) < 1 / LARGEST:
            raise ValueError(
                f"field 'deviation' is {data['deviation']!r:.40}: each must be above 0"
            )
        return cls(features=width, **lists)


@dataclass(frozen=True)
class RankingData:
    """The data of a ranking world."""

    name: str
    train: Lists
    test: Lists
    preparation: Preparation
    notes: tuple[str, ...] = ()
    """Remarks that are shown to the user."""


def make_lists(
    name: str,
    parts: Sequence[Queries],
    docs: int,
    lists: int,
    train_share: float,
    seed: int,
    missing: Missing = "zero",
) -> RankingData:
    """One list of ``docs`` documents from each of ``lists`` queries, split by query.

    Queries with enough documents, and their documents, are drawn without replacement.

    Args:
        name: the name of the data.
        parts: the queries of each file.
        docs: documents of a list.
        lists: number of lists; 0 takes all there are, at most 10,000.
        train_share: share of the queries to learn from.
        seed: seed of every draw.
        missing: the value read where the file says NULL.

    Raises:
        ValueError: there are fewer lists than asked for, or nothing to rank in them.
    """
    enough = [
        (p, int(q))
        for p, part in enumerate(parts)
        for q in np.flatnonzero(part.sizes >= docs)
    ]
    count = lists or min(len(enough), MOST_LISTS)
    if count > len(enough) or count < 2:
        raise ValueError(
            f"{name} has {len(enough)} queries with at least {docs} documents: "
            f"{max(lists, 2)} lists cannot be made. Type --lists 0 for all there are, or a "
            "smaller --docs"
        )
    raw = _drawn(parts, enough, count, docs, np.random.default_rng(seed))
    first_test = min(max(1, round(train_share * count)), count - 1)
    train, test = raw.only(slice(first_test)), raw.only(slice(first_test, None))
    if not train.decided.any() or not test.decided.any():
        raise ValueError(
            f"{name}: in every list of the training or test part all documents have one "
            "label: there is nothing to rank. Type a larger --lists or --docs"
        )
    rows = train.features.reshape(-1, raw.features.shape[-1])
    preparation = Preparation.fit(rows, missing)
    return RankingData(
        name=name,
        train=Lists(preparation(train.features), train.labels),
        test=Lists(preparation(test.features), test.labels),
        preparation=preparation,
        notes=_notes(name, sum(part.missing for part in parts), missing),
    )


def _drawn(
    parts: Sequence[Queries],
    enough: Sequence[tuple[int, int]],
    count: int,
    docs: int,
    draw: np.random.Generator,
) -> Lists:
    """One list from each of ``count`` of the queries in ``enough`` (part, query)."""
    features, labels = [], []
    for p, q in (enough[i] for i in draw.permutation(len(enough))[:count]):
        part = parts[p]
        rows = part.starts[q] + draw.permutation(part.sizes[q])[:docs]
        features.append(part.features[np.sort(rows)])
        labels.append(part.labels[np.sort(rows)])
    return Lists(np.stack(features), np.stack(labels).astype(np.int32))


def _notes(name: str, gaps: int, missing: Missing) -> tuple[str, ...]:
    if not gaps:
        return ()
    note = f"{gaps:,} values of {name} are NULL, and are read as {MEANT[missing]}: "
    return (note + "--missing zero, mean or worst",)
