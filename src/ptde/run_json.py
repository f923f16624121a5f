"""A run folder's ``run.json``: the run as data, checked when it is read."""

import dataclasses
import difflib
from pathlib import Path
from typing import Any

from ptde.config import Run
from ptde.files import another_run, read_object
from ptde.options import flatten
from ptde.trust import check_inside, check_run

FORMAT = 6
"""Version of the format of run folders."""

GOALS = ("run", "teach")
"""The goals of a run: all its stages, or the first alone."""

KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
"""Descriptions of the types of fields in ``run.json``."""


def load_run(folder: Path, *, reads_data: bool = True) -> tuple[Run, dict[str, Any]]:
    """The run of a run folder, and all entries of its ``run.json``.

    Args:
        folder: the run folder.
        reads_data: whether the caller will read the data file that the run names.

    Raises:
        ValueError: there is no run there, or one of another version of ptde; or it would
            import or read what the user has not agreed to (``trust.check_run``).
    """
    path = folder / "run.json"
    if not path.is_file():
        raise ValueError(
            f"{folder} is not a run folder: it has no run.json. {another_run(folder)}"
        )
    check_inside(folder)
    text = path.read_bytes()
    data = read_object(path, text)
    if data.get("format") != FORMAT:
        raise ValueError(
            f"{path} has format {data.get('format')}, this ptde reads format {FORMAT}: "
            f"use the ptde that wrote it ({data.get('ptde', 'unknown version')})"
        )
    try:
        if (goal := data.get("goal")) not in GOALS:
            raise ValueError(f"field 'goal' is {goal!r:.40}: it must be run or teach")
        devices = data.setdefault("devices", 1)
        if type(devices) is not int or devices < 1:
            raise ValueError(f"field 'devices' is {devices!r:.40}: it must be 1 or more")
        if not isinstance(one := data.setdefault("one_thread", None), bool | None):
            raise ValueError(f"field 'one_thread' is {one!r:.40}: it must be true or false")
        run = run_from(data.get("run"))
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f"{path} cannot be used, as it was changed or damaged: {error}"
        ) from error
    options = flatten(run)
    file = str(options.pop("ranking.data"))
    check_run(folder, text, options, file if reads_data else "")
    return run, data


def run_from(data: Any) -> Run:
    """The run from ``Run.to_json``'s data. ValueError names a field that does not fit."""
    run: Run = _build(Run, _as_of_now(data))
    return run


def _as_of_now(data: Any) -> Any:
    """A run's data with what an older one meant by its defaults."""
    mappo = data.get("mappo") if isinstance(data, dict) else None
    if not isinstance(mappo, dict) or "buffer" in mappo:
        return data
    # Then MAPPO kept no replay, and value learners had a leash of 1.
    data, finetune = {**data, "mappo": {**mappo, "buffer": 0}}, data.get("finetune")
    values = data.get("algo") == "value" and isinstance(finetune, dict)
    if values and finetune.get("leash") is None:
        data["finetune"] = {**finetune, "leash": 1.0}
    return data


def _build(cls: type, data: Any, group: str = "") -> Any:
    """A dataclass from plain data. ValueError names a field that is wrong."""
    if not isinstance(data, dict):
        raise ValueError(f"field {group or 'run'!r} is {data!r:.40}, not names and values")
    known = {f.name: f for f in dataclasses.fields(cls)}
    for name in data:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise ValueError(f"unknown field of {cls.__name__} {name!r}: is it {near!r}?")

    def value(name):
        f, typed = known[name], f"{group}.{name}" if group else name
        if f.default_factory is not dataclasses.MISSING:
            group_of: Any = f.default_factory  # the class itself
            return _build(group_of, data[name], typed)
        kind = float if f.default is None else type(f.default)
        kinds = {kind, int} if kind is float else {kind}
        good = type(data[name]) in kinds or data[name] is f.default is None
        if not good:
            found = f"{data[name]!r:.40}"
            raise ValueError(f"field {typed!r} is {found}: it must be {KINDS[kind]}")
        whole = kind is float and data[name] is not None
        return float(data[name]) if whole else data[name]

    return cls(**{name: value(name) for name in data})
