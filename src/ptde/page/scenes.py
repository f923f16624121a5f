"""Scenes to watch on the page: all teams of it, from the same initial states."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from ptde import build
from ptde.agents.watch import ActionValues
from ptde.envs.base import AbstractWorld
from ptde.processes import WorldFailed
from ptde.report.palette import look_of
from ptde.rollout.runner import runner_of
from ptde.strategy import Side

Scenes = dict[str, Any]
"""One battle, game or list, as ``views.js`` draws it: ``kind``, ``title``, ``actions`` and
``sides``, one for each team."""
Recorder = Callable[[Any, Sequence[Side], int], Iterator[Scenes]]
"""A function that records scenes, from a world, the teams and the number of battles."""


def record(sides: Sequence[Side], battles: int, room: int) -> tuple[list[Scenes], str]:
    """Records battles of teams in one world.

    Args:
        sides: the teams; the first one's seed decides the initial states.
        battles: number of battles.
        room: bytes of JSON that they may take.

    Returns:
        The scenes that fit, and a remark on what is missing; "" if nothing is.
    """
    if not sides or not battles:
        return [], ""
    try:
        return _recorded(sides, battles, room)
    except (ValueError, OSError, WorldFailed) as error:  # the rest of the page is worth it
        return [], f"Nothing could be played here: {error}"


def _recorded(sides: Sequence[Side], battles: int, room: int) -> tuple[list[Scenes], str]:
    with closing(build.world(sides[0].folder.run)) as env:
        recorder = _recorder(sides[0].folder.run.world, env)
        if recorder is None:
            return [], f"{env.spec.name} draws nothing: battles, games and lists do."
        kept: list[Scenes] = []
        for scenes in recorder(env, sides, battles):
            size = len(json.dumps(scenes, separators=(",", ":")))
            if size > room and not kept:
                for side in scenes["sides"]:
                    side["values"] = side["without"] = None
                size = len(json.dumps(scenes, separators=(",", ":")))
            if size > room:
                remark = f"{len(kept)} of {battles} fit into a page of 2 MB."
                return kept, remark
            kept.append(scenes)
            room -= size
        return kept, ""


def _battles(*asked: Any) -> Iterator[Scenes]:
    from ptde.page.battles import record_battles

    return record_battles(*asked)


def _lists(*asked: Any) -> Iterator[Scenes]:
    from ptde.page.lists import record_lists

    return record_lists(*asked)


def _games(*asked: Any) -> Iterator[Scenes]:
    from ptde.page.games import record_games

    return record_games(*asked)


RECORDERS: dict[str, Recorder] = {"smax": _battles, "ranking": _lists, "football": _games}
"""Recorders by ``--world``. Worlds that draw themselves are films, without an entry."""


def _recorder(world: str, env: AbstractWorld) -> Recorder | None:
    return RECORDERS.get(world) or (_games if runner_of(env).draws else None)


def start_of_side(side: Side) -> dict[str, Any]:
    """The page's entries on a team: name, role and colour."""
    return {
        "name": side.name,
        "role": side.role,
        "colour": look_of(side.name, side.role).colour,
    }


def shown_values(valued: ActionValues | None) -> dict[str, Any]:
    """Packed action values with z and without, [steps, n, u]; NaN for illegal actions."""
    if valued is None:
        return {"values": None, "without": None}
    values, without = (
        np.where(valued.legal, x, np.nan) for x in (valued.values, valued.without)
    )
    told = not np.array_equal(values, without, equal_nan=True)
    return {"values": pack(values), "without": pack(without) if told else None}


def pack(values: np.ndarray, fine: bool = False) -> dict[str, Any]:
    """An array in few bytes: evenly spaced levels between its least and largest number.

    Args:
        values: an array of any shape; NaN is kept.
        fine: 65,535 levels instead of 255.
    """
    values = np.asarray(values, dtype=float)
    top = 65_535 if fine else 255
    known = values[np.isfinite(values)]
    low = float(known.min()) if known.size else 0.0
    span = float(known.max()) - low if known.size else 0.0
    step = span / (top - 1) or 1.0
    codes = np.full(values.shape, top, dtype="<u2" if fine else "u1")
    codes[np.isfinite(values)] = np.rint((known - low) / step)
    return {
        "low": low,
        "step": step,
        "bytes": 2 if fine else 1,
        "shape": list(values.shape),
        "data": base64.b64encode(codes.tobytes()).decode(),
    }
