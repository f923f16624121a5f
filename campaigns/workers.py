"""A thousand faults of worlds in one training, which ends with a sound team.

    python -m campaigns.workers --n 1000

Every third episode of the world goes wrong in its second step: it raises, its process dies,
it hangs, or shows NaN or a state of another size. The team must win nearly all its battles
in the end, and no process of a world may stay behind.
"""

import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil
import tyro

from campaigns.common import finish, last_words, ptde
from ptde.jobs.record import Record

KINDS = {"c": "crashes", "d": "deaths", "h": "hangs", "n": "NaN", "s": "other sizes"}


@dataclass(frozen=True)
class Workers:
    """How many faults, and how often."""

    n: int = 1000
    faults: float = 0.33
    """Probability that an episode goes wrong."""
    hangs: float = 0.03
    """Share of the faults that hang, each for ``patience`` seconds."""
    patience: float = 5.0
    seed: int = 0
    sound: float = 0.9
    """Win rate that the team must reach."""
    out: Path = Path("runs/campaigns/workers.json")


def words_of(options: Workers, log: Path) -> list[str]:
    """`ptde teach` for about as many episodes as have so many faults."""
    kwargs = {"faults": options.faults, "log": str(log), "hangs": options.hangs}
    # An episode that is lost is played again; each takes four steps and a restart.
    lost = options.faults / (1 - options.faults)
    steps = int(1.1 * options.n / lost * 5)
    learn = "--gamma 0 --lr 0.005 --updates 2 --batch 16 --buffer 256 --hidden 32"
    return [
        *("teach", "env:campaigns.worlds:Signs", "--info", "none", "--mixer", "vdn"),
        *("--processes.kwargs", json.dumps(kwargs), "--processes.failures", "60"),
        *("--processes.patience", str(options.patience), "--steps", str(steps)),
        *learn.split(),
        *("--envs", "4", "--segment", "9", "--test-every", str(steps // 5)),
        *("--test-episodes", "8", "--episodes", "64", "--seed", str(options.seed)),
        *("--epsilon-steps", str(steps // 2)),
    ]


def main(options: Workers) -> int:
    """Trains, counts."""
    began, place = time.monotonic(), Path(tempfile.mkdtemp())
    faults, folder, log = place / "faults", place / "run", place / "log.txt"
    faults.touch()
    process = ptde([*words_of(options, faults), "--out", str(folder)], log)
    told = 0.0
    while process.poll() is None:
        time.sleep(0.2)
        if time.monotonic() - told > 30:
            told = time.monotonic()
            print(f"{len(faults.read_text())} faults", flush=True)
    counted = Counter(faults.read_text())
    status, left = (
        process.returncode,
        [
            p.pid
            for p in psutil.process_iter(["cmdline"])
            if str(faults) in " ".join(p.info["cmdline"] or [])
        ],
    )
    rows = Record(folder / "teacher" / "record.jsonl").rows()
    done = status == 0
    won = (
        json.loads((folder / "result.json").read_text())["teacher"]["win_rate"]
        if done
        else 0
    )
    result = {
        "faults": counted.total(),
        "of_kind": {KINDS[letter]: count for letter, count in counted.items()},
        "status": status,
        "tests": len(rows),
        "win_rate": won,
        "left_behind": len(left),
        "said": "" if done else last_words(log),
        "good": done and won >= options.sound and counted.total() >= options.n and not left,
    }
    if result["good"]:
        shutil.rmtree(place)
    return finish("workers", options, result, began, options.out)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Workers)))
