"""Time and memory for reading a LETOR file of MSLR-WEB30K's size.

python benchmarks/letor.py --rows 3_800_000        (writes and reads about 4 GB)
"""

import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from ptde.envs.ranking import read_letor


@dataclass(frozen=True)
class Size:
    """Options: the size of the synthetic file, and where it is."""

    rows: int = 3_800_000
    features: int = 136
    docs: int = 120
    """Documents of a query, each a row."""
    folder: Path | None = None
    """Where the file is written; the default is a temporary folder."""


def write(path: Path, size: Size) -> None:
    """Writes rows like MSLR's: counts, ratios and large numbers, with all features."""
    draw = np.random.default_rng(0)
    kinds = draw.integers(0, 3, size.features)
    pool = []
    for _ in range(2_000):
        values = [
            (draw.integers(0, 1000), f"{draw.random():.6f}", f"{draw.lognormal(8, 3):.5g}")[
                k
            ]
            for k in kinds
        ]
        pool.append(" ".join(f"{i}:{v}" for i, v in enumerate(values, 1)))
    with open(path, "w") as out:
        for row in range(size.rows):
            text = pool[(row * 7919) % len(pool)]
            out.write(f"{row % 5} qid:{row // size.docs + 1} {text}\n")


def main(size: Size) -> None:
    with tempfile.TemporaryDirectory(dir=size.folder) as folder:
        path = Path(folder) / "all.txt"
        write(path, size)
        for what in ("first time", "again, from the kept arrays"):
            began = time.perf_counter()
            (part,) = read_letor(path, cache=Path(folder) / "kept")
            seconds = time.perf_counter() - began
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(
                f"{what}: {len(part.labels):,} rows x {part.features.shape[1]} of "
                f"{path.stat().st_size / 1e9:.2f} GB in {seconds:.1f} s, "
                f"{path.stat().st_size / seconds / 1e6:.0f} MB/s; peak {peak:.2f} GB"
            )


if __name__ == "__main__":
    main(tyro.cli(Size))
