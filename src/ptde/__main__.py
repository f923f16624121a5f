"""`python -m ptde` is `ptde`."""

from ptde.cli import entry

entry()
