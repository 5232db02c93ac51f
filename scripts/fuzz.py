"""Fuzz every reader of files and answers from outside, guided by the branches it takes: make fuzz.

``python scripts/fuzz.py --seconds 1800 --only csv,npz`` needs atheris. Starts from tests/fuzz_corpus, works in
build/fuzz, prints for each reader how long it ran, how many inputs it was given, how many of them the corpus holds and
what they reach, and ends with 1 if one of them crashed it, hung it, took too much memory, or raised what is no refusal.
``--keep`` copies the smallest inputs that reach new lines into tests/fuzz_corpus, where a test replays them;
``--write`` adds to what is known of each reader, in benchmarks/results/fuzz.json and docs/trust.md.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from fuzz_targets import TARGETS

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests" / "fuzz_corpus"
WORK = ROOT / "build" / "fuzz"
KNOWN = ROOT / "benchmarks" / "results" / "fuzz.json"
PAGE = ROOT / "docs" / "trust.md"
HEAD = (
    "| reader | minutes | inputs tried | corpus | branches | lines of pfungst |",
    "|---|--:|--:|--:|--:|--:|",
)
BY_FORMAT = ("| format | minutes | inputs tried | readers |", "|---|--:|--:|---|")
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


def killed(folder: Path, said: str) -> None:
    """Take the input that ended a process before fuzzing began out of the corpus: it counts as found.

    Raises:
        SystemExit: no input was read, so that none of them did it.
    """
    last = folder / "last"
    if not last.exists():
        raise SystemExit(f"{folder.name} could not be fuzzed:\n{said[-2000:]}")
    name = last.read_text("utf-8")
    (folder / "corpus" / name).replace(folder / "found" / f"killed-{name}")
    (folder / "found" / f"killed-{name}.txt").write_text(said, "utf-8", "replace")


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
        (folder / "last").unlink(missing_ok=True)
        said = asked(name, folder, max(1, round(seconds - spent)))
        spent += time.monotonic() - began
        if not _STATUS.search(said):
            killed(folder, said)
            continue
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


def known() -> dict[str, dict[str, float]]:
    """What all runs so far say of each reader: seconds and inputs since one last failed, and what the last reached."""
    found: dict[str, dict[str, float]] = json.loads(KNOWN.read_text("utf-8"))
    return found


def add(one: Fuzzed) -> None:
    """Add a run to what is known of its reader, and draw the table anew."""
    every = known()
    before = every.get(one.name, {}) if not one.found else {}
    every[one.name] = {
        "seconds": 0 if one.found else round(before.get("seconds", 0) + one.seconds),
        "inputs": 0 if one.found else before.get("inputs", 0) + one.executions,
        "corpus": len(one.corpus), "bytes": sum(path.stat().st_size for path in one.corpus), "branches": one.edges,
        "lines": one.lines,
    }  # fmt: skip
    KNOWN.write_text(json.dumps(every, indent=1) + "\n", "utf-8")
    draw(every)


def draw(every: dict[str, dict[str, float]]) -> None:
    """Write the tables of all readers, and of what they read, into the docs."""
    lines = [
        f"| `{name}` | {got['seconds'] / 60:.1f} | {got['inputs']:,} | {got['corpus']} "
        f"({got['bytes'] / 1024:,.0f} KiB) | {got['branches']:,} | {got['lines']:,} |"
        for name, got in every.items()
    ]
    formats = dict.fromkeys(TARGETS[name].format for name in every)
    read = {kind: [name for name in every if TARGETS[name].format == kind] for kind in formats}
    sums = [
        f"| {kind} | {sum(every[name]['seconds'] for name in names) / 60:.1f} | "
        f"{sum(every[name]['inputs'] for name in names):,} | {', '.join(f'`{name}`' for name in names)} |"
        for kind, names in read.items()
    ]
    total = sum(got["seconds"] for got in every.values())
    inputs = sum(got["inputs"] for got in every.values())
    end = f"\n{inputs:,} inputs in {total / 3600:.1f} hours, none of which failed."
    first, _, rest = PAGE.read_text("utf-8").partition("<!-- fuzz: begin -->\n")
    last = rest.partition("<!-- fuzz: end -->")[2]
    table = "\n".join((*HEAD, *lines, "", *BY_FORMAT, *sums, end))
    PAGE.write_text(f"{first}<!-- fuzz: begin -->\n{table}\n<!-- fuzz: end -->{last}", "utf-8")


def main() -> int:
    """Fuzz all that was asked for; 1 if anything was found."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--seconds", type=int, default=1800, help="for each reader")
    reader.add_argument("--only", default="", help=f"readers, separated by commas: {', '.join(TARGETS)}")
    reader.add_argument("--keep", action="store_true", help="copy inputs that reach new lines into tests/fuzz_corpus")
    reader.add_argument("--write", action="store_true", help="add to what is known of each reader")
    reader.add_argument("--at-once", type=int, default=1, help="readers, each on a core of its own")
    given = reader.parse_args()
    tried = {name: got["seconds"] for name, got in known().items()}
    every = sorted(TARGETS, key=lambda name: tried.get(name, 0)) if given.write else list(TARGETS)
    names = list(dict.fromkeys(name for name in given.only.split(",") if name)) or every
    unknown = set(names) - set(TARGETS)
    if unknown:
        raise SystemExit(f"there is no reader {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    print("| reader | seconds | inputs tried | corpus | branches | lines of pfungst | found |")
    print("|---|--:|--:|--:|--:|--:|---|")
    results = []
    with ThreadPoolExecutor(given.at_once) as lanes:
        try:
            for done in as_completed([lanes.submit(fuzzed, name, given.seconds) for name in names]):
                results.append(done.result())
                print(results[-1].row(), flush=True)
                if given.keep:
                    keep(results[-1].name)
                if given.write:
                    add(results[-1])
        except BaseException:
            lanes.shutdown(wait=False, cancel_futures=True)
            raise
    total = sum(one.seconds for one in results)
    print(f"\n{sum(one.executions for one in results):,} inputs in {total / 60:.1f} minutes; what was found: {WORK}")
    return int(any(one.found for one in results))


if __name__ == "__main__":
    sys.exit(main())
