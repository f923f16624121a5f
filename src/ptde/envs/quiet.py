"""JaxMARL imported without its greeting."""

import contextlib
import io
import sys
from collections.abc import Iterator
from unittest import mock


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Nothing that is imported within prints. JaxMARL greets on import, and sets
    ``sys.stdout`` and ``sys.stderr`` to what they were when Python began on the way, which
    would take errors from whoever listens to them.
    """
    with (
        contextlib.redirect_stdout(io.StringIO()) as nowhere,
        mock.patch.object(sys, "__stdout__", nowhere),
        mock.patch.object(sys, "__stderr__", sys.stderr),
    ):
        yield
