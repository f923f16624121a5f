"""A logger of your own: it says when a team first wins so many of its test battles.

python examples/my_logger.py [STEPS]
ptde run --log my_logger:Milestones       (in this folder)
"""

import sys

from ptde import preset, run

HEIGHTS = (0.5, 0.8, 0.9)


class Milestones:
    """Writes ``milestones.txt`` in the run folder: one line for each height and stage."""

    def __init__(self, folder, run):
        self.file = (folder / "milestones.txt").open("a")
        self.passed = set()

    def __call__(self, row):
        for stage in ("teacher", "student", "finetuned"):
            rate = row.get(f"{stage}/win_rate", 0.0)
            for height in HEIGHTS:
                if rate >= height and (stage, height) not in self.passed:
                    self.passed.add((stage, height))
                    line = f"{stage} wins {height} after {row['joint_steps']:,} joint steps"
                    print(line, file=self.file, flush=True)

    def close(self):
        self.file.close()


if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    config = preset("demo", steps=steps, baseline=False)
    run(config, log=["my_logger:Milestones"]).show()
