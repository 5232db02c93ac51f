"""Bad RUN folders for all that read them, and bad deployment logs."""

import io
import json
import os
import socket
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hostile.arrays import bombed
from hostile.case import Case
from hostile.ingredients import ESCAPE, answers, audit, deep, finished, network, report, rewritten, rows, zeros
from pfungst.cli import main

Build = Callable[[], list[str]]
Says = tuple[str, ...]
Change = Callable[[Path], object]


def _on(command: str, run: str = "run") -> list[str]:
    if command == "compare":
        finished("other")
    words = {
        "show": ["show", run],
        "compare": ["compare", run, "other", "--out", "compared", "--quiet"],
        "baseline": audit("answers.npz", None, "--baseline", run, "--out", "new"),
        "monitor": ["monitor", "answers.npz", "--reference", run, "--window", "20", "--out", "watched", "--quiet"],
        "view": ["view", run, "--port", str(taken())],
        "again": audit("answers.npz"),
    }
    return words[command]


@cache
def _socket() -> socket.socket:
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    held.listen()
    return held


def taken() -> int:
    """A port on which nobody else can serve: a page that should not open does not keep us."""
    return int(_socket().getsockname()[1])


def _run(command: str, change: Change) -> Build:
    def build() -> list[str]:
        change(finished())
        return _on(command)

    return build


def _report(words: str | bytes) -> Change:
    return lambda run: (run / "audit.json").write_bytes(words.encode() if isinstance(words, str) else words)


def _said(values: Callable[[], Mapping[str, Any]]) -> Change:
    return lambda _: rewritten(values())


def _every(pattern: str, change: Callable[[bytes], bytes]) -> Change:
    def changed(run: Path) -> None:
        files = list(run.glob(pattern))
        assert files, f"there is a {pattern}"
        for file in files:
            file.write_bytes(change(file.read_bytes()))

    return changed


def _flipped(raw: bytes) -> bytes:
    changed = bytearray(raw)
    for at in range(len(raw) // 3, len(raw), 97):
        changed[at] ^= 0xFF
    return bytes(changed)


def _locked(words: str) -> Change:
    return lambda run: (run / ".lock").write_text(words, "utf-8")


def cases() -> Iterator[Case]:
    """All of them."""
    for name, build, says in (*_reports(), *_folders(), *_logs()):
        yield Case("RUN folders", name, build, says)
    for name, change in _survived().items():
        yield Case("RUN folders", f"the same audit again, {name}", _run("again", change), holds=_whole)
    for command in ("show", "compare"):
        yield Case(
            "RUN folders", f"{command}: escapes in its words", _run(command, _said(_escapes)), holds=lambda _: ""
        )
    yield Case("RUN folders", "show: pictures that climb out", _run("show", _climbing), holds=lambda _: "")


def _whole(_: str) -> str:
    found = report()
    return "" if found["complete"] and found["headline"] else "the audit is not whole"


def _escapes() -> dict[str, Any]:
    read = report()
    hurt = {
        **read["findings"][0],
        "claim": f"a {ESCAPE} claim",
        "subject": ESCAPE,
        "status": "found",
        "severity": "high",
    }
    return {"verdict": {"generalizes": "no", "sentence": f"No {ESCAPE}."}, "findings": [hurt, *read["findings"][1:]],
            "skipped": [{"probe": "x", "kind": ESCAPE, "subject": ESCAPE, "reason": f"[red]{ESCAPE}"}]}  # fmt: skip


def _burst(run: Path) -> None:
    (run / "thumbnails.zip").write_bytes(bombed(zeros(8 << 20), "a.png", 6 << 30))


def _climbing(run: Path) -> None:
    with zipfile.ZipFile(run / "thumbnails.zip", "w") as archive:
        archive.writestr("../../owned.png", b"x")


def _reports() -> Iterator[tuple[str, Build, Says]]:
    broken: dict[str, Change] = {
        "an empty report": _report(""), "a report cut in half": _every("audit.json", lambda raw: raw[: len(raw) // 2]),
        "a report of noise": _report(bytes(range(128, 256))), "a report that is a list": _report("[1]"),
        "a report of many depths": _report(f'{{"schema": "pfungst/audit/1", "a": {deep()}}}'),
        "a report of another schema": _said(lambda: {"schema": "pfungst/audit/99"}),
        "a report of wrong kinds": _said(lambda: {"findings": 7}),
        "a report of NaN": _report('{"schema": NaN}'),
    }  # fmt: skip
    for name, change in broken.items():
        yield f"show: {name}", _run("show", change), ("audit.json",)
    broken["no report"] = lambda run: (run / "audit.json").unlink()
    yield "show: no report", _run("show", broken["no report"]), ("no audit in run",)
    yield "show: a folder as report", _run("show", lambda run: (
        (run / "audit.json").unlink(), (run / "audit.json").mkdir())), ("no audit in run",)  # fmt: skip
    for command in ("compare", "baseline", "monitor", "view"):
        yield f"{command}: a report cut in half", _run(command, broken["a report cut in half"]), ("audit.json",)
        yield f"{command}: no report", _run(command, broken["no report"]), ()
    for command in ("compare", "baseline"):
        unfinished = _said(lambda: {"complete": False})
        yield f"{command}: an audit that is not finished", _run(command, unfinished), ("finished",)


def _folders() -> Iterator[tuple[str, Build, Says]]:
    for command in ("show", "compare", "baseline", "monitor", "view"):

        def none(command: str = command) -> list[str]:
            finished("kept")
            return _on(command)

        yield f"{command}: a folder that is not there", none, ("run",)
    cut = _every("thumbnails.zip", lambda raw: raw[: len(raw) // 2])
    yield "show: pictures that are damaged", _run("show", cut), ("thumbnails.zip",)
    yield "show: pictures that are a bomb", _run("show", _burst), ("thumbnails.zip", "unpack")
    yield "compare: damaged answers", _run("compare", _every("answers/*.parquet", _flipped)), ("answers",)
    yield "compare: no answers", _run("compare", lambda run: [f.unlink() for f in run.glob("answers/*")]), ("answers",)
    yield "compare: rows that are others", _strangers, ("row",)
    yield "view: rows that are damaged", _run("view", _every("rows.parquet", _flipped)), ("rows.parquet",)
    yield "audit: a folder that somebody works in", _run("again", _locked(
        json.dumps({"host": socket.gethostname(), "pid": os.getppid()}))), ("at work",)  # fmt: skip
    yield "audit: a folder of another audit", _foreign, ("another model or other data",)
    yield "audit: a folder that holds something else", _else, ("holds no audit",)
    yield "audit: a baseline that it would write", lambda: [
        *audit(answers(), None, "--baseline", "run")], ("baseline",)  # fmt: skip


def _strangers() -> list[str]:
    finished()
    answers("others.npz", ids=np.array([f"x{i}" for i in range(40)]))
    with redirect_stdout(io.StringIO()):
        main(audit("others.npz", None, "--out", "other"))
    return ["compare", "run", "other", "--out", "compared", "--quiet"]


def _foreign() -> list[str]:
    finished().rename("pfungst-run")
    return ["audit", network(), rows(), "--only", "calibration", "--quiet"]


def _else() -> list[str]:
    Path("pfungst-run").mkdir()
    Path("pfungst-run/thesis.txt").write_text("all my work", "utf-8")
    return ["audit", network(), rows(), "--only", "calibration", "--quiet"]


def _survived() -> dict[str, Change]:
    def events(words: str | bytes) -> Change:
        return lambda run: (run / "events.jsonl").write_bytes(words if isinstance(words, bytes) else words.encode())

    return {
        "its answers damaged": _every("answers/*.parquet", _flipped),
        "its answers cut in half": _every("answers/*.parquet", lambda raw: raw[: len(raw) // 2]),
        "its answers noise": _every("answers/*.parquet", lambda _: b"noise"),
        "its report damaged": _report("{"),
        "its pictures damaged": lambda run: (run / "thumbnails.zip").write_bytes(b"noise"),
        "its rows damaged": lambda run: (run / "rows.parquet").write_bytes(b"noise"),
        "its journal noise": events(bytes(range(128, 256)) * 9),
        "its journal of lists": events("[1]\n7\nnull\n{}\n"),
        "its journal of many depths": events(deep()),
        "its lock noise": _locked("noise"),
        "its lock a list": _locked("[1, 2]"),
        "its lock of process -1": _locked(json.dumps({"host": socket.gethostname(), "pid": -1})),
        "its lock of process 0": _locked(json.dumps({"host": socket.gethostname(), "pid": 0})),
        "its lock of a word": _locked(json.dumps({"host": socket.gethostname(), "pid": "many"})),
        "its lock of process 10^30": _locked(json.dumps({"host": socket.gethostname(), "pid": 10**30})),
        "its lock of a dead process": _locked(json.dumps({"host": socket.gethostname(), "pid": 2**22 + 5})),
        "a part that was cut off": _torn,
    }


def _torn(run: Path) -> None:
    part = run / "answers" / ".parts" / "x"
    part.mkdir(parents=True)
    (part / "0.tmp").write_bytes(b"PAR1")


def _logs() -> Iterator[tuple[str, Build, Says]]:
    def log(words: str | bytes) -> Build:
        def build() -> list[str]:
            finished()
            Path("log.csv").write_bytes(words.encode() if isinstance(words, str) else words)
            return ["monitor", "log.csv", "--reference", "run", "--window", "2", "--out", "watched", "--quiet"]

        return build

    yield "monitor: an empty log", log(""), ("log.csv",)
    yield "monitor: a log of a header alone", log("time,prob_0,prob_1\n"), ()
    yield "monitor: a log of noise", log(bytes(range(256))), ("log.csv",)
    yield "monitor: a log without answers", log("time,x\n2026-01-01,1\n"), ()
    yield "monitor: a log of other classes", log("time,prob_cat,prob_dog\n2026-01-01,0.5,0.5\n2026-01-02,0.5,0.5\n"), ()
    yield "monitor: a log that sums to 1.5", log("time,prob_0,prob_1\n2026-01-01,0.5,1.0\n2026-01-02,0.5,0.5\n"), ()
    yield "monitor: a log of times that are none", log("time,prob_0,prob_1\nsoon,0.5,0.5\nlater,0.5,0.5\n"), ()
