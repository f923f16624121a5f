"""JaxMARL imported without its greeting."""

import contextlib
import io
import sys
from collections.abc import Iterator
from unittest import mock


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Nothing that is imported within prints. JaxMARL greets on import, and sets
    ``sys.stdout`` to ``sys.__stdout__`` on the way.
    """
    with (
        contextlib.redirect_stdout(io.StringIO()) as nowhere,
        mock.patch.object(sys, "__stdout__", nowhere),
    ):
        yield
