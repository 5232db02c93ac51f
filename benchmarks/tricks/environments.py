"""An environment of its own for each of the other tools, with pinned versions."""

import ast
import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from installed import BELOW, installed

ROOT = Path(__file__).parents[2]
PEERS = Path(__file__).parent / "peers"
NAMES = ("cleanlab", "deepchecks", "giskard", "evidently")


@dataclass(frozen=True)
class Peer:
    """One other tool: its interpreter, or why there is none."""

    name: str
    python: Path
    refusal: str = ""

    @property
    def modalities(self) -> tuple[str, ...]:
        """What its file says that it can be asked about."""
        tree = ast.parse((PEERS / f"{self.name}.py").read_text(encoding="utf-8"))
        stated = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        return tuple(ast.literal_eval(stated["MODALITIES"]))

    @property
    def version(self) -> str:
        """The pinned version."""
        lines = (PEERS / f"{self.name}.txt").read_text(encoding="utf-8").splitlines()
        return next(line.split("==")[1] for line in lines if line.lower().startswith(f"{self.name}=="))

    @property
    def stamp(self) -> str:
        """What its answers depend on, beside the network: its versions, its rule and the way it is asked."""
        files = (PEERS / f"{self.name}.txt", PEERS / f"{self.name}.py", PEERS.parent / "ask.py")
        return hashlib.blake2b(b"\0".join(file.read_bytes() for file in files), digest_size=8).hexdigest()


def peer(name: str, below: Path = BELOW) -> Peer:
    """The tool's environment, built if it is not there."""
    found = installed(name, PEERS / f"{name}.txt", below)
    return Peer(name, found.python, found.refusal)
