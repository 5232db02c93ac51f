"""Fuzz every reader of files and answers from outside, guided by the branches it takes: make fuzz.

``python scripts/fuzz.py --seconds 1800 --only csv,npz`` needs atheris. Starts from tests/fuzz_corpus, works in
build/fuzz, prints for each reader how long it ran, how many inputs it was given, how many of them the corpus holds and
what they reach, and ends with 1 if one of them crashed it, hung it, took too much memory, or raised what is no refusal.
``--keep`` copies the smallest inputs that reach new lines into tests/fuzz_corpus, where a test replays them.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from fuzz_targets import TARGETS

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests" / "fuzz_corpus"
WORK = ROOT / "build" / "fuzz"
MOST_KEPT = 9_000
"""Bytes of one reader's inputs in the repository, beside those that it starts from and those it once failed on."""
_STATUS = re.compile(r"cov: (\d+) ")
LATE = 120
"""Seconds that a process may take beyond its time before it is ended from outside."""


@dataclass(frozen=True)
class Fuzzed:
    """What came of one reader; ``edges`` are branches taken, ``lines`` lines of pfungst."""

    name: str
    seconds: float
    executions: int
    corpus: list[Path]
    edges: int
    lines: int
    found: list[str]

    def row(self) -> str:
        """A row of the table."""
        size = sum(path.stat().st_size for path in self.corpus) / 1024
        numbers = f"{self.seconds:,.0f} | {self.executions:,} | {len(self.corpus)} ({size:,.0f} KiB)"
        return f"| `{self.name}` | {numbers} | {self.edges:,} | {self.lines:,} | {', '.join(self.found) or 'none'} |"


def asked(name: str, folder: Path, seconds: int) -> str:
    """Run one process on one reader; gives what it wrote to standard error."""
    words = [sys.executable, str(ROOT / "scripts" / "fuzz_one.py"), name, str(folder), str(seconds)]
    try:
        done = subprocess.run(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, timeout=seconds + LATE
        )
    except subprocess.TimeoutExpired as error:
        (folder / "found" / "hangs").write_bytes(b"".join(one.read_bytes() for one in folder.glob("fuzz-*/*")))
        return (error.stderr or b"").decode("utf-8", "replace")
    return done.stderr.decode("utf-8", "replace")


def fuzzed(name: str, seconds: int) -> Fuzzed:
    """Fuzz one reader; where it brought its process down, go on until the time is over."""
    folder = WORK / name
    for part in ("corpus", "found"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for seed in (CORPUS / name).iterdir():
        shutil.copy(seed, folder / "corpus" / seed.name)
    executions, edges, spent = 0, 0, 0.0
    while seconds - spent >= 1:
        began = time.monotonic()
        said = asked(name, folder, max(1, round(seconds - spent)))
        spent += time.monotonic() - began
        if not _STATUS.search(said):
            raise SystemExit(f"{name} could not be fuzzed:\n{said[-2000:]}")
        executions += int((folder / "count").read_text("ascii"))
        edges = max([edges, *map(int, _STATUS.findall(said))])
    for scratch in folder.glob("fuzz-*"):
        shutil.rmtree(scratch)
    said = asked(name, folder, 0)
    if not (folder / "kept.json").exists():
        raise SystemExit(f"the corpus of {name} could not be replayed:\n{said[-2000:]}")
    told = json.loads((folder / "kept.json").read_text("ascii"))
    found = sorted(path.name for path in (folder / "found").iterdir() if path.suffix != ".txt")
    return Fuzzed(name, spent, executions, sorted((folder / "corpus").iterdir()), edges, told["lines"], found)


def keep(name: str) -> None:
    """Copy the smallest inputs that reach new lines into the repository's corpus, as far as they have room there."""
    room = MOST_KEPT - sum(path.stat().st_size for path in (CORPUS / name).glob("reached-*"))
    for one in json.loads((WORK / name / "kept.json").read_text("ascii"))["kept"]:
        data = (WORK / name / "corpus" / one).read_bytes()
        new = CORPUS / name / f"reached-{hashlib.sha256(data).hexdigest()[:12]}"
        if not (CORPUS / name / one).exists() and not new.exists() and len(data) <= room:
            new.write_bytes(data)
            room -= len(data)


def main() -> int:
    """Fuzz all that was asked for; 1 if anything was found."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--seconds", type=int, default=1800, help="for each reader")
    reader.add_argument("--only", default="", help=f"readers, separated by commas: {', '.join(TARGETS)}")
    reader.add_argument("--keep", action="store_true", help="copy inputs that reach new lines into tests/fuzz_corpus")
    given = reader.parse_args()
    names = [name for name in given.only.split(",") if name] or list(TARGETS)
    unknown = set(names) - set(TARGETS)
    if unknown:
        raise SystemExit(f"there is no reader {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    print("| reader | seconds | inputs tried | corpus | branches | lines of pfungst | found |")
    print("|---|--:|--:|--:|--:|--:|---|")
    results = []
    for name in names:
        results.append(fuzzed(name, given.seconds))
        print(results[-1].row(), flush=True)
        if given.keep:
            keep(name)
    total = sum(one.seconds for one in results)
    print(f"\n{sum(one.executions for one in results):,} inputs in {total / 60:.1f} minutes; what was found: {WORK}")
    return int(any(one.found for one in results))


if __name__ == "__main__":
    sys.exit(main())
