"""`python -m ptde` is `ptde`."""

from ptde.cli import entry

if __name__ == "__main__":
    entry()
