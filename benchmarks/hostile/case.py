"""A bad input, what is expected, and what pfungst does with it: run in this process, in a folder of its own."""

import io
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from pfungst.cli import main

Build = Callable[[], Sequence[str]]
"""Writes files into the current folder and gives the words of the command line."""
Holds = Callable[[str], str]
"""Looks at what was printed and written; gives what is wrong, or nothing."""
LONGEST = 900
"""A sentence that is longer is no sentence."""


@dataclass(frozen=True)
class Case:
    """One bad input. ``says`` are words of the sentence; where ``holds`` is given, it must be handled, not refused."""

    group: str
    name: str
    build: Build
    says: tuple[str, ...] = ()
    holds: Holds | None = None


@dataclass(frozen=True)
class Outcome:
    """What happened: exit code, sentence, seconds, and what is wrong with that (empty: nothing)."""

    case: Case
    code: int | None
    said: str
    wrong: str
    seconds: float


class TooLong(BaseException):
    """The time is up; no handler of errors catches it."""


def outcome(case: Case, folder: Path, limit: int = 60) -> Outcome:
    """Run one case in an empty folder."""
    with chdir(folder):
        words = list(case.build())
        before = _tree(folder)
        began = time.perf_counter()
        code, out, error, raised = _ran(words, limit)
        seconds = time.perf_counter() - began
        said = next(iter(reversed((error.strip() or out.strip()).splitlines())), "")
        wrong = raised or _printable(out + error)
        if not wrong and case.holds is None:
            wrong = _refused(case, code, error, said) or ("" if _tree(folder) == before else "files were changed")
        elif not wrong and case.holds is not None:
            wrong = case.holds(out) if code in {0, 1} else f"it ends with {code}"
    return Outcome(case, code, said, wrong, seconds)


def _ran(words: list[str], limit: int) -> tuple[int | None, str, str, str]:
    out, error = io.StringIO(), io.StringIO()
    code: Any = None
    try:
        with _limited(limit), redirect_stdout(out), redirect_stderr(error):
            code = main(words)
    except SystemExit as end:
        code = end.code
    except TooLong:
        return None, out.getvalue(), error.getvalue(), f"it runs for more than {limit} s"
    except BaseException:  # noqa: BLE001 - whatever comes out is what is looked for
        return None, out.getvalue(), error.getvalue(), traceback.format_exc().strip().splitlines()[-1]
    return code, out.getvalue(), error.getvalue(), "" if isinstance(code, int) else f"its code is {code!r}"


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def over(number: int, frame: FrameType | None) -> None:
        raise TooLong(number, frame)

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _printable(text: str) -> str:
    hidden = {letter for letter in text if not letter.isprintable() and letter not in "\n\t"}
    return f"it prints {sorted(map(ascii, hidden))}" if hidden else ""


def _refused(case: Case, code: int | None, error: str, said: str) -> str:
    lines = error.strip().splitlines()
    usage = lines and lines[0].startswith("usage:")
    if code != 2:
        return f"it ends with {code}"
    if "Traceback" in error or not said.startswith("pfungst") or (len(lines) != 1 and not usage):
        return "it is not one sentence"
    if len(said) > LONGEST:
        return f"its sentence has {len(said)} letters"
    missing = [word for word in case.says if word.lower() not in said.lower()]
    return f"its sentence lacks {missing[0]!r}" if missing else ""


def _tree(folder: Path) -> dict[str, bytes | str]:
    """Every file below a folder and what it holds."""
    found: dict[str, bytes | str] = {}
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in (*folders, *files):
            path = Path(here, name)
            plain = path.is_file() and not path.is_symlink()
            found[str(path.relative_to(folder))] = path.read_bytes() if plain else "no file"
    return found
