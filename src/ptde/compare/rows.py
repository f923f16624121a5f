"""Rows of your own in a plan: a method that is like another one, but for some options.

    methods = ["qmix", "qmix_gip", "att", "att_kd"]
    [method.att]
    like = "qmix_gip"               # the method that it is like ...
    info = "my_info:Attention"      # ... but for these options of `ptde run`
    label = "QMIX_ATT"              # its name in tables; its own if left out
    [method.att_kd]
    like = "qmix_kd"                # with the same options: the student of att's run
    info = "my_info:Attention"

A comparison's folder keeps them (``methods.json``), for its page.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ptde.config import Run
from ptde.files import read_object, write_whole
from ptde.methods import LOCAL, METHODS, STATE, Method
from ptde.options import flatten, put
from ptde.trust import check_plan
from ptde.unread import PROBE, check_read
from ptde.validation import check_choice

FILE = "methods.json"
"""The rows of your own in a comparison's folder, for its page."""
_FIXED = ("world", "map", "seed", "seeds", "preset", "method", "baseline")
"""Options that all rows of a comparison have in common."""
_OWN: set[str] = set()
"""The names in ``METHODS`` that a plan has put there."""


@dataclass(frozen=True)
class Row:
    """A method of a plan's own, as data."""

    like: str
    """The method whose role and other options it has."""
    label: str
    """Its name in tables and pictures."""
    options: Mapping[str, Any]
    """Its options, by dotted name (``value.lr``)."""

    def __post_init__(self):
        check_choice("method", self.like, METHODS.keys() - _OWN)

    def method(self, run: str) -> Method:
        """The method, whose runs are named ``run``."""
        like = METHODS[self.like]
        reads = like.reads
        if "info" in self.options and like.role == "teacher":
            reads = LOCAL if self.options["info"] == "none" else STATE
        return replace(
            like,
            name=self.label,
            about=f"{self.like}, but for options of its own",
            reads=reads,
            options=lambda base, spec: put(like.options(base, spec), self.options),
            run=run,
        )


def read_row(
    name: str, table: Any, read: Callable[[Mapping[str, Any]], tuple[Run, frozenset[str]]]
) -> Row:
    """The row of a table of a plan.

    Args:
        name: its name.
        table: its entries.
        read: the run with options of `ptde run`, and the dotted names of those.

    Raises:
        ValueError: says what is wrong in the table.
    """
    if not isinstance(table, dict):
        raise ValueError(f"write its lines below [method.{name}]")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]*", name):
        raise ValueError("a name has small letters, digits and _: call it att_2, say")
    _check_new(name)
    if not isinstance(table.get("like"), str):
        raise ValueError('write the method that it is like, e.g. like = "qmix_gip"')
    label = table.get("label", name)
    if not isinstance(label, str) or not label.isprintable() or not label:
        raise ValueError(f'label = {label!r:.60}: write label = "QMIX_ATT"')
    options = {n: x for n, x in table.items() if n not in ("like", "label")}
    if not options:
        raise ValueError(f"it has no option of its own: write {table['like']} instead")
    for option in _FIXED:
        if option in options:
            raise ValueError(f"all rows have the same {option}: leave it out")
    run, given = read(options)
    values = flatten(run)
    row = Row(table["like"], label, {option: values[option] for option in sorted(given)})
    check_plan((), row.options)  # before anything is imported
    base = replace(run, world="probe", map="personal")
    check_read(row.method(name).options(base, PROBE.spec), base, given)
    return row


def register(rows: Mapping[str, Row]) -> None:
    """Makes rows known as methods; those with the same options, of the same run, share it.

    Raises:
        ValueError: a name is that of a method of ptde's.
    """
    runs: dict[str, str] = {}
    for name, row in rows.items():
        _check_new(name)
        same = json.dumps([METHODS[row.like].run, row.options], sort_keys=True)
        METHODS[name] = row.method(runs.setdefault(same, name))
        _OWN.add(name)


def _check_new(name: str) -> None:
    """Raises ValueError if a method of ptde's has this name."""
    if name in METHODS.keys() - _OWN:
        raise ValueError(f"there is a method {name} already: give yours another name")


def save(rows: Mapping[str, Row], folder: Path) -> None:
    """Writes rows into a comparison's folder, if there are any."""
    if rows:
        found = {name: asdict(row) for name, row in rows.items()}
        write_whole(folder / FILE, json.dumps(found, indent=1))


def load(folder: Path) -> None:
    """Makes the rows of a comparison's folder known. ValueError if they are damaged."""
    path = folder / FILE
    if not path.is_file():
        return
    try:
        register({name: Row(**row) for name, row in read_object(path).items()})
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged ({error}): `ptde compare PLAN --table-only` writes it anew"
        ) from None
