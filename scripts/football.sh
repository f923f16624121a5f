#!/usr/bin/env bash
# Installs Google Research Football into a virtual environment: football.sh VENV
#
# The engine is C++ and is built once (about 4 minutes on 2 cores), optimised as a whole;
# football.patch spares it work that only a picture needs, and the games stay the same, bit for
# bit. The wheel is kept in ~/.cache/ptde/wheels, in a folder for this patch and these flags, and
# reused on the same system and Python. Packages come from Debian; without root, sudo is asked
# for them.
set -euo pipefail

venv=$(realpath "$1")
patch=$(dirname "$(realpath "$0")")/football.patch
engine=gfootball==2.10.2
# No contracted multiplications and additions: they would round differently.
flags="-flto=auto -fno-semantic-interposition -fvisibility=hidden -ftls-model=initial-exec"
flags+=" -ffp-contract=off"
recipe=$({ echo "$engine $flags" && cat "$patch"; } | sha256sum | cut -c1-8)
wheels=${XDG_CACHE_HOME:-$HOME/.cache}/ptde/wheels/$recipe
build=(
    g++ make cmake patch python3-dev libsdl2-dev libsdl2-image-dev libsdl2-ttf-dev
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
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --force-reinstall \
        --no-index --find-links "$wheels" "$engine" 2> /dev/null && echo "$recipe" > "$mark"
}

make_wheel() {
    local tools pip
    tools=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$tools'" EXIT
    "$venv/bin/python" -m venv "$tools"
    pip=("$tools/bin/pip" --quiet --disable-pip-version-check)
    "${pip[@]}" install 'setuptools<70' wheel psutil
    # The build runs the first python3 there is.
    export PATH="$tools/bin:$PATH"
    "${pip[@]}" download --no-build-isolation --no-deps --no-binary :all: --dest "$tools" "$engine"
    tar -xf "$tools"/gfootball-*.tar.gz -C "$tools" --one-top-level=source --strip-components 1
    patch --quiet --strip 1 --directory "$tools/source" < "$patch"
    mkdir -p "$wheels"
    CXXFLAGS=$flags CFLAGS=$flags "${pip[@]}" wheel --no-build-isolation --no-deps \
        --wheel-dir "$wheels" "$tools/source"
}

# Which engine the environment has: one of an older recipe is replaced.
mark=$venv/.football
if works && [[ $(cat "$mark" 2> /dev/null) == "$recipe" ]]; then
    say "the engine is installed"
    exit
fi
if wheel; then
    say "taking the wheel from $wheels"
    packages "${run[@]}"
else
    packages "${build[@]}"
    say "building the engine, about 4 minutes"
    SECONDS=0
    make_wheel
    say "built in $SECONDS s"
    wheel
fi
works || { say "the engine cannot be imported:"; "$venv/bin/python" -c 'import gfootball_engine'; }
say "installed"
