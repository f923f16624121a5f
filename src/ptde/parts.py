"""Parts by name, or of the user's own: ``module:callable`` in place of a name.

A part of the user's own is a class or function; its options are its keyword parameters with
defaults, and are written behind it: ``my_info:Attention,parts=8``.
"""

import difflib
import inspect
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from ptde.trust import import_callable
from ptde.validation import check_choice, flag

T = TypeVar("T")
NAME = re.compile(r"([\w.]+:[\w.]+)((?:,\w+=[^,]+)*)")
"""Form of a part of the user's own: ``module:callable``, and its options."""


def is_own(name: str) -> bool:
    """Whether a name is ``module:callable``, with options or without."""
    return ":" in name


def target_of(name: str) -> str:
    """A name without options: ``module:callable``, or a registry's name as it is."""
    return name.partition(",")[0]


def label_of(name: str) -> str:
    """A part's name within a method's: ``Attention`` for ``my_info:Attention,parts=8``."""
    return target_of(name).rpartition(":")[2].rpartition(".")[2]


def check_part(option: str, name: str, registry: Mapping[str, Any]) -> None:
    """Raises ValueError unless the name is in the registry or has the form of a part of the
    user's own, which is not imported here.
    """
    if not is_own(name):
        check_choice(option, name, registry)
    elif not NAME.fullmatch(name):
        raise ValueError(
            f"{flag(option)} {name!r} is no part: type module:callable, and its options "
            f"behind it: {flag(option)} my_module:MyPart,width=8"
        )


def find(
    option: str, name: str, registry: Mapping[str, Callable[..., T]]
) -> Callable[..., T]:
    """The callable that makes the part of this name.

    Args:
        option: the option that the user typed, for errors.
        name: a name in the registry, or ``module:callable,option=value``.
        registry: the parts that have a name.

    Raises:
        ValueError: there is no such part, it cannot be imported, or has no such option.
    """
    check_part(option, name, registry)
    if not is_own(name):
        return registry[name]
    target, _, typed = name.partition(",")
    made = import_callable(target, flag(option))
    known = options_of(made)
    given = dict(word.split("=", 1) for word in typed.split(",") if word)
    if given and not known:
        raise ValueError(f"{target} has no options: type {flag(option)} {target}")
    for key in given.keys() - known.keys():
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
        raise ValueError(
            f"{target} has no option {key!r}: did you mean {near}? It has "
            f"{', '.join(known)}"
        )
    return partial(made, **{key: _value(text) for key, text in given.items()})


def options_of(made: Callable[..., Any]) -> dict[str, Any]:
    """A part's own options and their defaults: its keyword parameters that have one."""
    parameters = inspect.signature(made).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def help_of(option: str, name: str) -> str:
    """The text of ``--help`` on a part of the user's own."""
    target = target_of(name)
    made = import_callable(target, flag(option))
    about = (inspect.getdoc(made) or "").partition("\n")[0]
    known = options_of(made)
    lines = [f"{flag(option)} {target}: {about}".rstrip(": ")]
    lines += [f"  ,{key}={_text(value)}" for key, value in known.items()]
    if known:
        first, default = next(iter(known.items()))
        lines.append(f"  typed as {flag(option)} {target},{first}={_text(default)}")
    return "\n".join(lines)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
