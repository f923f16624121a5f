"""The parts that a real game needs, and how to install those that are missing."""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SMAC_MAPS = "Maps/SMAC_Maps"


@dataclass(frozen=True)
class Part:
    """Something that a game needs."""

    name: str
    there: bool
    what_to_do: str


def football() -> list[Part]:
    """The parts of Google Research Football."""
    install = "`make football` builds and installs the engine, or reuses its wheel"
    packages = ("gfootball", "gfootball_engine", "gym", "cv2", "absl", "six")
    return [Part(f"Python package {name}", _importable(name), install) for name in packages]


def starcraft() -> list[Part]:
    """The parts of StarCraft II through SMAC, which a user installs."""
    home = starcraft_home()
    binaries = sorted(home.glob("Versions/Base*/SC2_x64"))
    smac = any(_importable(name) for name in ("smac", "smacv2"))
    return [
        Part(
            "Python package smac or smacv2",
            smac,
            "pip install git+https://github.com/oxwhirl/smac.git (not PyPI's `smac`)",
        ),
        Part("Python package pysc2", _importable("pysc2"), "pip install pysc2==4.0.0"),
        Part(
            "protobuf that pysc2 can be imported with",
            _importable("google.protobuf"),
            "pip install protobuf; ptde sets PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python "
            "for its games, as protobuf after 3.20.3 needs it",
        ),
        Part(
            f"StarCraft II in {home}",
            bool(binaries),
            "unpack StarCraft II 4.10 for Linux there, or set SC2PATH to where it is",
        ),
        Part(
            "permission to run it",
            any(os.access(path, os.X_OK) for path in binaries),
            f"chmod +x {binaries[-1] if binaries else home / 'Versions/Base*/SC2_x64'}",
        ),
        Part(
            f"SMAC's maps in {home / SMAC_MAPS}",
            any((home / SMAC_MAPS).glob("*.SC2Map")),
            "unpack SMAC_Maps.zip of SMAC's releases into its Maps folder",
        ),
    ]


def starcraft_home() -> Path:
    """The folder of StarCraft II: ``SC2PATH``, else ``~/StarCraftII``."""
    return Path(os.environ.get("SC2PATH") or Path.home() / "StarCraftII").expanduser()


GAMES: dict[str, Callable[[], list[Part]]] = {
    "football": football,
    "starcraft": starcraft,
}


def need(game: str) -> None:
    """Raises ValueError, which says what to do, if a game lacks a part."""
    missing = [part for part in GAMES[game]() if not part.there]
    if missing:
        lines = [f"- {part.name} is missing: {part.what_to_do}" for part in missing]
        raise ValueError(
            f"--world {game} is not installed (`ptde doctor` says more):\n"
            + "\n".join(lines)
        )


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
