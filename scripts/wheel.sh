#!/usr/bin/env bash
# Builds the sdist, and the wheel out of it, into dist/, and runs the wheel elsewhere:
# wheel.sh VENV [--empty]
#
# It is installed into a new environment, which borrows VENV's packages; with --empty, which
# takes minutes, pip fetches what the wheel asks for.
set -euo pipefail
unset PYTHONPATH

venv=$(realpath "$1")
here=$PWD
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT

rm -rf dist
"$venv/bin/python" -m build --no-isolation --outdir dist . > "$room/log" || { cat "$room/log"; exit 1; }
"$venv/bin/python" -m venv "$room/venv"
install=("$room/venv/bin/python" -m pip install --quiet --disable-pip-version-check)
if [[ ${2:-} == --empty ]]; then
    "${install[@]}" --constraint constraints.txt dist/*.whl
else
    "${install[@]}" --no-deps dist/*.whl
    path='import sysconfig; print(sysconfig.get_path("purelib"))'
    "$venv/bin/python" -c "$path" > "$("$room/venv/bin/python" -c "$path")/borrowed.pth"
fi

cd "$room"
venv/bin/python - "$here" << 'END'
import sys
from importlib.metadata import metadata, version
from pathlib import Path

import ptde

package = Path(ptde.__file__).parent
assert Path(sys.argv[1]) not in package.parents, f"that is the source: {package}"
assert (package / "py.typed").exists()
assert ptde.__version__ == version("ptde")
assert metadata("ptde")["License-Expression"] == "Apache-2.0"
END
venv/bin/ptde --version
# It is to run, not to run fast.
export XLA_FLAGS="--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
venv/bin/ptde run --preset quick --out run
test -s run/result.json
echo "wheel: $(cd "$here" && ls dist | tr '\n' ' ')"
