"""The whole of PTDE from Python: teach, distil, evaluate, draw."""

import sys

from ptde import preset, run

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
run(preset("demo", steps=steps, baseline=False)).show()
