"""Ray: actors that hold the model, here or on the machines of a cluster. Ray never retries; the handout decides."""

import os
import pickle
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2

from pfungst.engine.handout import Work, WorkerDied
from pfungst.engine.sweep import Sweep
from pfungst.errors import InputError, first_line

VERSION = version("pfungst")
REACHED_SECONDS = 3.0
STORE_BYTES = 512 * 2**20
"""Memory in which answers wait for the driver, of a Ray that is started here; what exceeds it goes to disk."""


@dataclass(frozen=True)
class Share:
    """What one worker takes of a machine; fractions are allowed."""

    cpus: float = 1.0
    gpus: float = 0.0


@dataclass
class Actors:
    """Ray core actors; a ticket is Ray's reference to an answer. ``prepare`` gives the Sweep, once in each actor.

    ``address`` names a running cluster (``auto``: the one of this machine); without one, and where Ray was not started
    before, a Ray of this machine alone is started. ``reach`` is asked at once.
    """

    prepare: Callable[[], Sweep]
    workers: int
    share: Share = Share()
    address: str | None = None
    ahead: int = 2
    scattered: bool = True
    actors: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        reach(self.workers, self.share, self.address)

    def start(self, worker: int) -> Any:
        """Make an actor, or greet the one that is there: Ray restarts what died."""
        import ray  # noqa: PLC0415 - an extra

        if worker not in self.actors:
            kind = ray.remote(_Worker).options(
                num_cpus=self.share.cpus, num_gpus=self.share.gpus, max_restarts=-1, max_task_retries=0
            )
            self.actors[worker] = kind.remote(self.prepare, str(Path.cwd()), self.share.cpus)
        return self.actors[worker].ready.remote()

    def ask(self, worker: int, work: Work) -> Any:
        """Let an actor answer when it is done with what it was asked before."""
        return self.actors[worker].answer.remote(work)

    def ready(self, tickets: Sequence[Any], seconds: float) -> Sequence[Any]:
        """All that has come to an end, at least one."""
        import ray  # noqa: PLC0415 - an extra

        first, rest = ray.wait(list(tickets), num_returns=1, timeout=seconds)
        more = ray.wait(rest, num_returns=len(rest), timeout=0)[0] if first and rest else []
        return [*first, *more]

    def answer(self, ticket: Any) -> Any:
        """Fetch an answer."""
        import ray  # noqa: PLC0415 - an extra

        gone = ray.exceptions.RayActorError, ray.exceptions.ObjectLostError, ray.exceptions.OutOfMemoryError
        try:
            return pickle.loads(ray.get(ticket))  # noqa: S301 - written by our own actor
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.ActorDiedError as error:
            # An actor that may be restarted for ever is given up only where it could not be made.
            last = str(error).strip().splitlines()[-1]
            raise InputError(
                f"Ray gave up on a worker ({last[:300]}); every machine of the cluster needs pfungst {VERSION} and "
                "what the model needs, in the Python that Ray uses there"
            ) from None
        except gone:
            raise WorkerDied from None

    def end(self, worker: int) -> None:
        """Kill an actor; Ray starts it again."""
        import ray  # noqa: PLC0415 - an extra

        ray.kill(self.actors[worker], no_restart=False)

    def close(self) -> None:
        """Give what the actors held back to the cluster."""
        import ray  # noqa: PLC0415 - an extra

        # Where Ray itself is gone there is nothing to give back.
        with suppress(ray.exceptions.RayError, RuntimeError):
            for actor in self.actors.values():
                ray.kill(actor, no_restart=True)
        self.actors.clear()


def reach(workers: int, share: Share, address: str | None) -> None:
    """Find the machines, or start Ray on this one, and see that they are enough, before anything is loaded.

    Raises:
        InputError: if Ray is missing, the cluster cannot be reached or is too small.
    """
    have = float(os.cpu_count() or 1)
    _present()
    if address is None and workers * share.cpus > have and not _running():
        raise InputError(_too_few(workers, share.cpus, "CPU", "cpus", f"this machine has {have:g}"))
    _connect(address)
    _check(workers, share)


def _present() -> None:
    if find_spec("ray") is None:
        raise InputError(
            "--executor ray needs the package ray, which is not installed; install pfungst[ray], or leave it out: "
            "--workers N shares the work among processes of this machine"
        )


def _running() -> bool:
    import ray  # noqa: PLC0415 - an extra

    return bool(ray.is_initialized())


def _connect(address: str | None) -> None:
    import ray  # noqa: PLC0415 - an extra

    if ray.is_initialized():
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address is None:
            # "local", never None: a variable of the environment must not send rows to another machine.
            ray.init("local", include_dashboard=False, object_store_memory=STORE_BYTES, **quiet)
        else:
            _reach(address)
            ray.init(address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        asked = "Ray could not be started here" if address is None else f"there is no Ray at {address}"
        raise InputError(
            f"{asked} ({first_line(error)}); give HOST:PORT of a cluster's head with --address, auto for the one of "
            "this machine, or no address to start one for this audit"
        ) from None


def _reach(address: str) -> None:
    """Knock first: Ray itself would wait for a minute."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.removeprefix("ray://"), int(port)), REACHED_SECONDS).close()


def _check(workers: int, share: Share) -> None:
    """An actor that asks for more than there is would never come, without a word."""
    import ray  # noqa: PLC0415 - an extra

    have = ray.cluster_resources()
    for name, each, option in (("CPU", share.cpus, "cpus"), ("GPU", share.gpus, "gpus")):
        if workers * each > have.get(name, 0.0):
            there = f"Ray has {have.get(name, 0.0):g} on {len(ray.nodes())} machine{'s' * (len(ray.nodes()) != 1)}"
            raise InputError(_too_few(workers, each, name, option, there))


def _too_few(workers: int, each: float, name: str, option: str, there: str) -> str:
    return (
        f"{workers} workers of {each:g} {name} need {workers * each:g} {name}s, and {there}; give fewer --workers or a "
        f"smaller share with --{option}"
    )


class _Worker:
    """What an actor is: the model and the data, opened when it is first asked, and again when it was restarted."""

    def __init__(self, prepare: Callable[[], Sweep], folder: str, cpus: float) -> None:
        self.prepare = prepare
        cv2.setNumThreads(max(1, int(cpus)))
        # Relative paths mean here what they mean to the driver, where its folder is mounted.
        if Path(folder).is_dir():
            os.chdir(folder)

    @cached_property
    def sweep(self) -> Sweep:
        """The model, the data and the members."""
        try:
            return self.prepare()
        except InputError as error:
            raise InputError(f"{error} (on the machine {socket.gethostname()})") from None

    def ready(self) -> bytes:
        """Come to an end when the model is loaded."""
        return pickle.dumps(self.sweep.model.fingerprint)

    def answer(self, work: Work) -> bytes:
        """Bytes, not arrays: arrays in Ray's store cannot be written to and stay there as long as they are used."""
        return pickle.dumps(replace(self.sweep(work), where=socket.gethostname()))
