"""An environment of its own for what is compared with: made by pip from pinned versions, only where it is not there."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BELOW = Path(__file__).parents[1] / "build" / "peers"


@dataclass(frozen=True)
class Environment:
    """An interpreter with other packages, or in one sentence why there is none."""

    python: Path
    refusal: str = ""


def installed(name: str, pins: Path, below: Path = BELOW, *, complete: bool = True) -> Environment:
    """The environment for a file of pins, built if it is not there or the pins are others.

    ``complete`` pins name every package, so that pip need not look for what they require.
    """
    folder = below / name
    python, stamp = folder / "bin" / "python", folder / ".pinned"
    if stamp.is_file() and stamp.read_bytes() == pins.read_bytes():
        return Environment(python)
    print(f"building the environment of {name}", flush=True)
    words = ["install", "--quiet", "--disable-pip-version-check", *(["--no-deps"] if complete else []), "-r", str(pins)]
    for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], [str(python), "-m", "pip", *words]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            version = ".".join(map(str, sys.version_info[:2]))
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr[:200]]
            return Environment(python, f"does not install on Python {version}: {lines[0]}")
    stamp.write_bytes(pins.read_bytes())
    return Environment(python)


def pinned(pins: Path, package: str) -> tuple[str, str]:
    """Version and licence of a package, from its line ``name==version  # licence`` in a file of pins."""
    line = rf"^{re.escape(package)}==(\S+)(?:\s+#\s*(.+))?$"
    found = re.search(line, pins.read_text("utf-8"), re.MULTILINE | re.IGNORECASE)
    assert found, f"{pins.name} pins no {package}"
    return found[1], found[2] or ""
