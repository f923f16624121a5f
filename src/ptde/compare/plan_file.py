"""Plans of comparisons, read from a file of TOML.

    methods = ["qmix", "qmix_gip", "qmix_kd"]      # names from `ptde list`
    maps = ["3s_vs_5z", "5m_vs_6m"]
    seeds = 3                                      # how many, or [5, 6, 7]
    paper = false                                  # true: start from the paper's values
    [steps]                                        # joint steps, by map
    3s_vs_5z = 2_000_000
    [run]                                          # any option of `ptde run`
    observation = "smac"

Rows of your own, ``[method.NAME]``, are those of ``compare/rows.py``.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ptde.compare.plan import PLANS, Plan, check_paper
from ptde.compare.rows import Row, read_row
from ptde.config import Run
from ptde.options import flatten
from ptde.presets import start_of
from ptde.renamed import renamed
from ptde.trust import check_plan
from ptde.unread import typed


def read_plan(
    path: Path, parse: Callable[[Sequence[str]], Run], *, paper: bool = False
) -> Plan:
    """The plan of a TOML file.

    Args:
        path: the file.
        parse: reads options as `ptde run` does, ``--preset`` among them.
        paper: whether to start from the paper's values even if the file does not say so.

    Raises:
        ValueError: names the file and what is wrong in it.
    """
    try:
        data = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ValueError(
            f"{path} does not exist: type a plan file, or one of {', '.join(PLANS)}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    try:
        entries = ("methods", "maps", "seeds", "steps", "paper", "run", "method")
        for name in data:
            if name not in entries:
                raise ValueError(f"unknown entry {name!r}; write {', '.join(entries)}")
        if isinstance(data.get("method"), str | list):
            raise ValueError("method is for rows of your own: write methods = [...]")
        _check_kinds(data)
        first, count = _seeds(data.get("seeds", 3))
        paper = paper or _truth("paper", data)
        options = _from_paper(data.get("run", {}), paper)
        base = replace(_options(options, parse), seed=first, seeds=count)
        start = start_of(options.get("preset"), base.world)
        steps = data.get("steps", {})
        maps = tuple(data.get("maps", ()))
        methods = tuple(renamed(["--method", x])[1] for x in data.get("methods", ()))
        check_plan(maps, flatten(base))
        rows = _rows(data.get("method", {}), options, parse)
        given = typed(_words(options))
        plan = Plan(methods, maps, steps, base, start, given, rows)
        if paper:
            check_paper(methods)
        plan.check_read()
        return plan
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def _rows(
    tables: Mapping[str, Any], options: dict[str, Any], parse: Callable[..., Run]
) -> dict[str, Row]:
    """The methods of the plan's own, whose options go before those of ``[run]``."""

    def read(own: Mapping[str, Any]) -> tuple[Run, frozenset[str]]:
        return parse(_words({**options, **own})), typed(_words(own))

    rows = {}
    for name, table in tables.items():
        try:
            rows[name] = read_row(name, table, read)
        except ValueError as error:
            raise ValueError(f"[method.{name}]: {error}") from error
    return rows


def _options(options: dict[str, Any], parse: Callable[[Sequence[str]], Run]) -> Run:
    try:
        return parse(_words(options))
    except ValueError as error:
        raise ValueError(f"[run]: {error}") from error


def _from_paper(options: dict[str, Any], paper: bool) -> dict[str, Any]:
    """The options, on top of the paper's values if ``paper`` is set."""
    if paper and options.get("preset", "paper") != "paper":
        raise ValueError(
            f"the runs start from the paper's values or from preset "
            f"{options['preset']!r}: keep one of the two"
        )
    return {"preset": "paper", **options} if paper else options


def _truth(name: str, data: dict[str, Any]) -> bool:
    value = data.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} = {value!r}: write {name} = true, or leave it out")
    return value


def _check_kinds(data: dict[str, Any]) -> None:
    """Raises ValueError for an entry of the wrong type, with how it is written."""

    def check(name: str, good: bool, example: str) -> None:
        if name in data and not good:
            raise ValueError(f"{name} = {data[name]!r:.60}: write {name} = {example}")

    for name, example in (("methods", '["qmix"]'), ("maps", '["3m"]')):
        value = data.get(name)
        texts = isinstance(value, list) and all(isinstance(x, str) for x in value)
        check(name, texts, example)
    seeds = data.get("seeds")
    numbers = seeds if isinstance(seeds, list) else [seeds]
    check("seeds", all(type(n) is int for n in numbers), "3, or seeds = [0, 1, 2]")
    for name in ("steps", "run", "method"):
        if not isinstance(data.get(name, {}), dict):
            raise ValueError(f"{name} = {data[name]!r:.60}: write its lines below [{name}]")
    for name, count in data.get("steps", {}).items():
        if type(count) is not int:
            raise ValueError(f"[steps] {name} = {count!r:.60}: write {name} = 2_000_000")
    for name, value in data.get("run", {}).items():
        if isinstance(value, dict | list):
            raise ValueError(
                f"[run] {name} = {value!r:.60}: write one value, and an option with a dot "
                'in quotes, as in "student.steps" = 4_000'
            )
    for name in ("seed", "seeds"):
        if name in data.get("run", {}):
            raise ValueError(
                f"[run] {name} would be ignored: write seeds = 5, or seeds = [5, 6, 7], "
                "above [steps] and [run]"
            )
    if "map" in data.get("run", {}):
        raise ValueError(
            '[run] map would be ignored: write maps = ["3m"] above [steps] and [run]'
        )


def _seeds(value: Any) -> tuple[int, int]:
    """The first seed, and the number of seeds."""
    if isinstance(value, int):
        return 0, value
    seeds = list(value)
    if not seeds or seeds != list(range(seeds[0], seeds[0] + len(seeds))):
        raise ValueError(
            f"seeds {value} do not follow one another: write a number, or [0, 1, 2]"
        )
    return seeds[0], len(seeds)


def _words(options: Mapping[str, Any]) -> list[str]:
    """The options as words of a command line."""
    words: list[str] = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else "--no-" + flag[2:])
        else:
            words += [flag, str(value)]
    return words
