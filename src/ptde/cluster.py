"""A Ray cluster: whether there is one, joining it, and whether its machines are alike.

Whole runs go there (``compare/ray_workers.py``), or the copies of a world
(``rollout/actors.py``).
"""

import os
import signal
import socket
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distributions, version
from typing import Any

REACH = 10.0
"""Seconds that a cluster's address has to answer."""
NO_PROBE = 60.0
"""Seconds that a machine has to say what it sees and what is installed there."""


def check_address(address: str) -> None:
    """Raises ValueError, with what to type, if no cluster can be there, or Ray is missing.

    Args:
        address: HOST:PORT of a cluster, ``auto`` for the one of this machine, ``local`` for
            a new one on it; "" is $RAY_ADDRESS, or this machine's, or a new one.
    """
    if address.startswith("ray://"):
        raise ValueError(
            f"--ray {address} is for Ray's client: start ptde on a machine of the "
            "cluster, where --ray auto finds it"
        )
    known = address in ("", "auto", "local")
    if not known and not address.rpartition(":")[2].isdecimal():
        raise ValueError(
            f"--ray {address} is no address: type --ray {address}:6379 (the "
            "port that `ray start --head` shows), --ray auto, or --ray local"
        )
    try:
        version("ray")
    except PackageNotFoundError:
        raise ValueError(
            "--ray needs Ray, on all machines: pip install 'ptde[ray]'"
        ) from None
    if not known:
        _reach(address)


def _reach(address: str) -> None:
    """Raises ValueError if nothing listens at the address, for which Ray waits long."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH).close()
    except (OSError, OverflowError) as error:
        raise ValueError(
            f"--ray {address}: no cluster answers ({error}); `ray start --head` "
            "starts one, and shows its address"
        ) from None


@contextmanager
def connected(address: str, cpus: int | None = None) -> Iterator[Any]:
    """A context with Ray, joined to a cluster. ValueError if there is none there.

    Args:
        address: as for ``check_address``.
        cpus: CPUs of a new ``local`` cluster; None takes this machine's.
    """
    import ray

    if ray.is_initialized():  # the caller's own, from Python
        yield ray
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    before = {
        number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with warnings.catch_warnings():
            # JAX warns of forks; Ray's become other programs at once.
            warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)
            ray.init(
                address or None,
                num_cpus=cpus if address == "local" else None,
                log_to_driver=False,
                logging_level="ERROR",
                namespace="ptde",
            )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise ValueError(
            f"{f'--ray {address}'.strip()}: no cluster answers ({why}). `ray start --head` "
            "starts one, and --ray local one for this command alone"
        ) from None
    finally:
        for number, handler in before.items():  # Ray takes SIGTERM for itself
            signal.signal(number, handler)
    printer = ray._private.worker
    usual = getattr(printer, "print_to_stdstream", None)
    printer.print_to_stdstream = lambda *_, **__: None  # 20 lines for each lost machine
    try:
        yield ray
    finally:
        ray.shutdown()
        printer.print_to_stdstream = usual


def at(node: str) -> dict[str, Any]:
    """Options of a task or actor that is to be on one machine."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}


def environ() -> dict[str, str]:
    """The variables of this process that hold on every machine: those of JAX and XLA, and
    where modules are; JAX_PLATFORMS is each machine's own affair.
    """
    names = [
        name
        for name in os.environ
        if name.startswith(("JAX_", "XLA_")) and name != "JAX_PLATFORMS"
    ]
    return {name: os.environ[name] for name in (*names, "PYTHONPATH") if name in os.environ}


def check_alike(ray: Any, nodes: Sequence[dict[str, Any]], mark: str = "") -> list[str]:
    """Raises ValueError unless machines have the same ptde and JAX as this one.

    Args:
        ray: Ray, joined to the cluster.
        nodes: the machines, out of ``ray.nodes()``.
        mark: a file that they should see.

    Returns:
        The names of those that do not see it.
    """
    ask = ray.remote(_probe(mark))
    asked = [
        (
            node["NodeManagerHostname"],
            ask.options(num_cpus=0, **at(node["NodeID"])).remote(),
        )
        for node in nodes
    ]
    _, here = _probe("")()
    until, blind = time.monotonic() + NO_PROBE, []
    for host, ref in asked:
        try:
            sees, there = ray.get(ref, timeout=max(0.1, until - time.monotonic()))
        except ray.exceptions.RayError:  # it has gone, or is slow: its tasks will tell
            continue
        for name, mine in here.items():
            if (found := there.get(name, "not installed")) != mine:
                raise ValueError(
                    f"{host} has {name} {found}, this machine {mine}: install the same "
                    "there, in the Python that `ray start` runs in"
                )
        if not sees:
            blind.append(host)
    return blind


def _probe(mark: str) -> Callable[[], tuple[bool, dict[str, str]]]:
    """A function that says whether a file is there, and which versions of ptde and JAX are
    installed. It goes to other machines as code, as ptde may be missing there.
    """
    return lambda: (
        os.path.exists(mark),
        {d.name: d.version for d in distributions() if d.name in ("ptde", "jax")},
    )
