"""Importing JaxMARL without its greeting."""

import contextlib
import io
import sys
from collections.abc import Iterator
from unittest import mock


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Silences imports within. JaxMARL prints a greeting on import, for which it sets
    ``sys.stdout`` and ``sys.stderr`` to those that Python began with: errors would be
    lost to whoever listens to them.
    """
    with (
        contextlib.redirect_stdout(io.StringIO()) as nowhere,
        mock.patch.object(sys, "__stdout__", nowhere),
        mock.patch.object(sys, "__stderr__", sys.stderr),
    ):
        yield
