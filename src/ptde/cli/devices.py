"""The option ``--devices``, of all commands that train, test or film.

It belongs to the machine and not to the run: a run may go on with another number.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

COMMANDS = frozenset(
    {
        *("run", "teach", "distill", "finetune", "resume", "compare"),
        *("evaluate", "diagnose", "replay", "report"),
    }
)
"""The commands that have the option. Films are not divided, but JAX keeps compiled programs
for one number of devices: a report finds those of its run."""


def take_devices(words: Sequence[str]) -> tuple[list[str], int | None]:
    """The words without ``--devices N``, and the number if it was typed.

    Raises:
        ValueError: it is not a number of at least 1.
    """
    from ptde.cli.arguments import take

    words, typed = take("devices", words, None)
    if typed is None:
        return words, None
    if not (typed.isascii() and typed.isdecimal() and int(typed)):
        raise ValueError(f"--devices {typed}: type a number, e.g. --devices 1")
    return words, int(typed)


class Began(NamedTuple):
    """What a run began on, to end in the same bits."""

    devices: int
    one_thread: bool | None
    """Whether each device's matrix products were on one thread; None: it is not known."""


def began_on(words: Sequence[str]) -> Began | None:
    """What the run that the words name began on."""
    from ptde.files import read_object

    for word in words:
        try:
            meta = read_object(Path(word) / "run.json")
        except (ValueError, OSError):  # whoever reads it in earnest says why
            continue
        if type(devices := meta.get("devices")) is int and devices >= 1:
            return Began(devices, meta.get("one_thread"))
    return None


def prepare_devices(number: int | None, began: Began | None = None) -> None:
    """Lets JAX see a CPU's cores as devices, before it starts, and divides over them.

    Args:
        number: devices to use; None takes all GPUs, or as many as there are cores.
        began: what a run began on, which is taken if there are so many devices.

    Raises:
        ValueError: there are not as many.
    """
    import jax

    from ptde.rollout.devices import ONE_THREAD, one_thread, use_devices

    there = len(os.sched_getaffinity(0))
    cores = number or min(began.devices if began else there, there)
    as_it_began = began if began and cores == began.devices else None
    single = as_it_began.one_thread if as_it_began else None
    if single is None:  # else devices that are at work themselves would share the cores
        single = bool(cores > 1 or number or not began)
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = (
        one_thread(flags) if single else flags.replace(ONE_THREAD, "").strip()
    )
    most = max(there, getattr(jax.config, "jax_num_cpu_devices", 0))  # who set more knows
    try:
        for count in (cores + 1, cores):  # the same number again is refused by nobody
            jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:  # JAX has started: devices and threads are those that it has
        os.environ["XLA_FLAGS"] = flags
    else:
        if cores > most and as_it_began is None and jax.default_backend() == "cpu":
            raise ValueError(
                f"--devices {cores}: this machine has {there} cores for it, and more "
                f"devices would be slower: type a number from 1 to {there}"
            )
    use_devices(number or jax.local_device_count(), firm=number is not None)
