"""Fuzz one target in a process of its own: ``fuzz_one.py NAME FOLDER SECONDS``; scripts/fuzz.py starts it.

Inputs that reach new branches are kept in FOLDER/corpus. An error that is no refusal is written to FOLDER/found once
for each place it comes from, and fuzzing goes on; a crash of native code, a hang and a lack of memory end the process,
and libFuzzer writes what led to them to the same folder; FOLDER/last names the input of the corpus that is read before
fuzzing starts. With 0 SECONDS: which of the corpus reaches lines that no smaller one reaches is written to
FOLDER/kept.json, and which lines those are.
"""

import argparse
import importlib
import json
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

MEMORY = 4 << 30
"""Bytes a reader may take beyond what the process has before its first input."""
TIMEOUT = 20
"""Seconds for one input beyond which it counts as a hang."""
LONGEST = 1 << 15
INSTRUMENTED = ["pfungst", "tarfile", "tomllib", "pickletools", "skops", "PIL"]


def limited() -> None:
    """Let this process have MEMORY more than it has."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def note(error: BaseException, data: bytes, found: Path) -> None:
    """Keep an input and how it failed, once for each place."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "fuzz_" not in frame.filename]
    ours = [frame for frame in frames if "/pfungst/" in frame.filename] or frames[:1]
    name = f"{type(error).__name__}-{Path(ours[-1].filename).stem}-{ours[-1].lineno}" if ours else type(error).__name__
    if not (found / name).exists() or len((found / name).read_bytes()) > len(data):
        (found / name).write_bytes(data)
        (found / f"{name}.txt").write_text("".join(traceback.format_exception(error)), "utf-8", "replace")


def fuzzed(name: str, folder: Path, seconds: int) -> None:
    """Fuzz until the time is over; does not return."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED):
        targets = importlib.import_module("fuzz_targets")
    change = importlib.import_module("fuzz_changes").changed
    target = targets.TARGETS[name]
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-", dir=folder))

    until, told, given = time.monotonic() + seconds, 0.0, 0

    def one(data: bytes) -> None:
        nonlocal told, given
        now = time.monotonic()
        if now - told > 1:
            told = now
            (folder / "count").write_text(str(given), "ascii")
        if now > until:
            # Without the handlers at exit: pyarrow's wait for threads that wait for this one.
            os._exit(0)
        given += 1
        try:
            targets.asked(target, data, scratch)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            note(error, data, folder / "found")

    def other(data: bytes, most: int, seed: int) -> bytes:
        found: bytes = change(target.changes, data, most, random.Random(seed), atheris.Mutate)  # noqa: S311
        return found

    words = [sys.argv[0], str(folder / "corpus"), f"-timeout={TIMEOUT}", "-rss_limit_mb=0"]
    words += [f"-max_len={LONGEST}", f"-artifact_prefix={folder}/found/"]
    for seed in sorted((folder / "corpus").iterdir()):
        (folder / "last").write_text(seed.name, "utf-8")
        one(seed.read_bytes())  # imports what is imported on first use before memory is limited
    (folder / "last").unlink(missing_ok=True)
    limited()
    mutated = {"custom_mutator": other} if target.changes != "bytes" else {}
    atheris.Setup(words, one, **mutated)
    atheris.Fuzz()


def reached(name: str, folder: Path) -> None:
    """Say which inputs reach which lines of pfungst."""
    targets = importlib.import_module("fuzz_targets")
    package = str(Path(importlib.import_module("pfungst").__file__ or "").parent)
    lines: set[tuple[str, int]] = set()

    def traced(frame: FrameType, event: str, argument: Any) -> Any:
        del argument
        if not frame.f_code.co_filename.startswith(package):
            return None
        if event == "line":
            lines.add((frame.f_code.co_filename[len(package) + 1 :], frame.f_lineno))
        return traced

    seen: set[tuple[str, int]] = set()
    kept: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted((folder / "corpus").iterdir(), key=lambda one: (one.stat().st_size, one.name)):
            lines.clear()
            sys.settrace(traced)
            try:
                targets.asked(targets.TARGETS[name], path.read_bytes(), Path(scratch))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
                note(error, path.read_bytes(), folder / "found")
            finally:
                sys.settrace(None)
            if lines - seen:
                kept.append(path.name)
                seen |= lines
    (folder / "kept.json").write_text(json.dumps({"kept": kept, "lines": len(seen)}), "ascii")


def main() -> None:
    """Fuzz, or say what was reached."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("name")
    asked.add_argument("folder", type=Path)
    asked.add_argument("seconds", type=int)
    given = asked.parse_args()
    folder = given.folder.resolve()
    if given.seconds:
        fuzzed(given.name, folder, given.seconds)
    else:
        reached(given.name, folder)


if __name__ == "__main__":
    main()
