"""Groups of options that know which of them were given, and dotted names (``value.lr``)."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

from ptde.validation import check_choice, check_count, check_range

T = TypeVar("T", bound="Options")


@dataclass(frozen=True)
class In:
    """The range of an option: ``Annotated[float, In(0, 1)]``."""

    low: float | int
    high: float | int = float("inf")
    open: bool = False
    """Whether ``low`` itself is out of range."""
    example: Any = None
    """The value that errors propose; None is the option's default."""

    def __str__(self) -> str:
        if self.high < float("inf"):
            return f"In {'(' if self.open else '['}{self.low:g}, {self.high:g}]"
        return f"{'>' if self.open else '>='} {self.low:g}"


class Options:
    """A frozen dataclass of options that knows which of them were given.

    The rest have their defaults, which a world may replace by its own. Ranges (``In``) and
    choices (``Literal``) are annotations of the fields, and are checked at construction.
    """

    group: ClassVar[str] = ""
    """Prefix of the names of these options in errors: ``mappo.``."""
    typed: frozenset[str]
    """The fields that were given at construction; ``dataclasses.replace`` gives all."""

    def __new__(cls: type[T], *values: Any, **named: Any) -> T:
        self = object.__new__(cls)
        names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        object.__setattr__(self, "typed", frozenset([*names[: len(values)], *named]))
        return self

    def __post_init__(self) -> None:
        for name, allowed in limits(type(self)).items():  # type: ignore[arg-type]
            value, field = getattr(self, name), f"{self.group}{name}"
            if not isinstance(allowed, In):
                check_choice(field, value, allowed)
            elif value is not None:
                default = type(self).__dataclass_fields__[name].default  # type: ignore
                example = default if allowed.example is None else allowed.example
                if isinstance(value, int):
                    check_count(field, value)
                low, high, open_low = allowed.low, allowed.high, allowed.open
                check_range(field, value, low, high, open_low=open_low, example=example)

    def settle(self, defaults: Mapping[str, Any]) -> None:
        """Gives options that were not given a world's defaults; for ``__post_init__``.

        Args:
            defaults: the defaults that differ from the plain ones, by dotted name.

        Raises:
            ValueError: a default belongs to no option.
        """
        for name in defaults:
            check_choice("option", name, flatten(self))
        for name, value in list(vars(self).items()):
            if isinstance(value, Options):
                ours = _below(name, defaults).items()
                new = {n: default for n, default in ours if n not in value.typed}
                object.__setattr__(self, name, replace(value, **new))  # type: ignore
            elif name in defaults and name not in self.typed:
                object.__setattr__(self, name, defaults[name])


@cache
def limits(kind: type[Options]) -> dict[str, In | tuple[str, ...]]:
    """The ranges and choices of the options in a group, by name."""
    found: dict[str, In | tuple[str, ...]] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        for part in get_args(hint):
            if isinstance(part, In):
                found[name] = part
        if get_origin(hint) is Literal:
            found[name] = get_args(hint)
    return found


def flatten(options: Options) -> dict[str, Any]:
    """Every option's value by its dotted name."""
    found: dict[str, Any] = {}
    for f in fields(options):  # type: ignore[arg-type]
        value = getattr(options, f.name)
        if isinstance(value, Options):
            found |= {f"{f.name}.{name}": x for name, x in flatten(value).items()}
        else:
            found[f.name] = value
    return found


def put(options: T, values: Mapping[str, Any]) -> T:
    """The options with some of them replaced, by dotted name."""
    changes = {name: value for name, value in values.items() if "." not in name}
    for group in {name.partition(".")[0] for name in values.keys() - changes.keys()}:
        changes[group] = replace(getattr(options, group), **_below(group, values))
    return replace(options, **changes)  # type: ignore[type-var]


def changed(options: T, **values: Any) -> T:
    """The options with some of them replaced, unchecked, and without reading the others."""
    twin = copy(options)
    for name, value in values.items():
        object.__setattr__(twin, name, value)
    return twin


def _below(group: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of one group, by the names within it."""
    start = f"{group}."
    return {n.removeprefix(start): v for n, v in values.items() if n.startswith(start)}
