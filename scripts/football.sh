#!/usr/bin/env bash
# Installs Google Research Football into a virtual environment: football.sh VENV
#
# The engine is C++ and is built once (about 4 minutes on 2 cores); its wheel is kept in
# ~/.cache/ptde/wheels and reused on the same system and Python. Packages come from Debian;
# without root, sudo is asked for them.
set -euo pipefail

venv=$(realpath "$1")
wheels=${XDG_CACHE_HOME:-$HOME/.cache}/ptde/wheels
engine=gfootball==2.10.2
build=(
    g++ make cmake python3-dev libsdl2-dev libsdl2-image-dev libsdl2-ttf-dev
    libsdl2-gfx-dev libopengl-dev libboost-python-dev libboost-filesystem-dev
    libboost-thread-dev libboost-system-dev
)
run=(
    libboost-filesystem1.74.0 libboost-python1.74.0 libpython3.11 libsdl2-2.0-0
    libsdl2-ttf-2.0-0 libsdl2-gfx-1.0-0 libegl1
)

say() { echo "football: $*"; }

packages() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q '^install ok' \
            || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    say "installing ${missing[*]}"
    local root=()
    (($(id -u) == 0)) || root=(sudo)
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

works() { "$venv/bin/python" -c 'import gfootball_engine' 2> /dev/null; }

wheel() {
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
        --no-index --find-links "$wheels" "$engine" 2> /dev/null
}

if works; then
    say "the engine is installed"
    exit
fi
if wheel; then
    say "taking the wheel from $wheels"
    packages "${run[@]}"
else
    packages "${build[@]}"
    say "building the engine, about 4 minutes"
    tools=$(mktemp -d)
    trap 'rm -rf "$tools"' EXIT
    "$venv/bin/python" -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check \
        'setuptools<70' wheel psutil
    mkdir -p "$wheels"
    # The build runs the first python3 there is.
    PATH="$tools/bin:$PATH" "$tools/bin/pip" wheel --quiet --disable-pip-version-check \
        --no-build-isolation --no-deps --wheel-dir "$wheels" "$engine"
    wheel
fi
works || { say "the engine cannot be imported:"; "$venv/bin/python" -c 'import gfootball_engine'; }
say "installed"
