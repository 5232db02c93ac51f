"""Another package in a process of its own, asked to prepare some work once and to do it as often as it is timed."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import metadata, version
from pathlib import Path
from typing import Any

import numpy as np
from installed import Environment, installed, pinned

from pfungst.arrays import Array

PEERS = Path(__file__).parents[1] / "peers"
SINGLE = {f"{kind}_NUM_THREADS": "1" for kind in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
"""One thread for everybody."""


class PeerError(Exception):
    """A package that cannot be installed, does not import, or raises: its sentence."""


@dataclass(frozen=True)
class Package:
    """Another package: its name for pip, the file in ``peers`` that asks it, its environment, and what to know of it.

    An environment of no name is the one that runs this: for packages that pfungst itself rests on.
    """

    name: str
    module: str
    environment: str = ""
    note: str = ""
    licence: str = ""

    @property
    def pins(self) -> Path:
        """The file that pins its version."""
        below = PEERS if (PEERS / f"{self.environment}.txt").is_file() else PEERS.parent / "tricks" / "peers"
        return below / f"{self.environment}.txt"

    @property
    def stated(self) -> tuple[str, str]:
        """Version and licence."""
        if not self.environment:
            return version(self.name), str(metadata(self.name).get("License-Expression", ""))
        found, licence = pinned(self.pins, self.name)
        return found, self.licence or licence


@dataclass(eq=False)
class Peer:
    """A running package; what it raises ends in a PeerError, and it can be asked on."""

    package: Package
    folder: Path
    process: "subprocess.Popen[str]"
    versions: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    @classmethod
    def started(cls, package: Package) -> "Peer":
        """Wait until it can be asked."""
        there = Environment(Path(sys.executable))
        if package.environment:
            there = installed(package.environment, package.pins)
        if there.refusal:
            raise PeerError(there.refusal)
        folder = Path(tempfile.mkdtemp(prefix="pfungst-peer-"))
        words = [str(there.python), "-P", str(PEERS / "serve.py"), package.module, str(folder)]
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **SINGLE},
        )  # fmt: skip
        peer = cls(package, folder, process)
        peer.versions = peer._read()["versions"]
        return peer

    def prepare(self, task: str, arrays: dict[str, Array], **settings: Any) -> dict[str, Array]:
        """Have it get ready for a task and do it once; what it answered."""
        self.asked += 1
        given, done = self.folder / f"{self.asked}.npz", self.folder / f"{self.asked}.out.npz"
        np.savez(given, **{name: np.asarray(value) for name, value in arrays.items()})
        self._say({"prepare": task, "given": str(given), "done": str(done), "settings": settings})
        self._read()
        with np.load(done, allow_pickle=False) as held:
            return dict(held)

    def seconds(self, times: int = 1) -> float:
        """Processor seconds of doing again what was prepared last, with all processes that it ended meanwhile."""
        self._say({"run": times})
        return float(self._read()["seconds"])

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None, "its input is piped"
        self.process.stdin.close()
        self.process.wait(timeout=60)

    def _say(self, order: dict[str, Any]) -> None:
        assert self.process.stdin is not None, "its input is piped"
        try:
            print(json.dumps(order), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            raise PeerError(f"ended with code {self.process.wait(timeout=60)}") from None

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None, "its output is piped"
        for line in self.process.stdout:
            if line.startswith("{"):
                said: dict[str, Any] = json.loads(line)
                if "error" in said:
                    raise PeerError(said["error"])
                return said
        raise PeerError(f"ended with code {self.process.wait(timeout=60)}")
