"""Ask pfungst and other tools about the networks of the trick benchmark, and print who caught what.

    python benchmarks/tricks/catch.py [--tools pfungst,cleanlab] [--only 'table-*'] [--seeds 3000] [--write]

Other tools run in environments of their own below build/peers, with their defaults. What they said is kept beside each
network and asked again only if the network, their versions or their rules change; so is what pfungst said, until its
code changes. --write puts the tables into docs/tricks.md and README.md, the answers into benchmarks/results/.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from catalogue import SEEDS, recipes
from environments import NAMES, ROOT, Peer, peer
from score import MODALITIES, Said, Tool, main_table, tables

import pfungst

HERE = Path(__file__).parent
PAGE, FRONT = ROOT / "docs" / "tricks.md", ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "results" / "tricks.json"
ENVIRONMENT = {
    **os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "DO_NOT_TRACK": "1", "GSK_DISABLE_ANALYTICS": "true",
    "HF_HUB_OFFLINE": "1",
}  # fmt: skip


def truths(folder: Path, only: str, seeds: int) -> dict[Path, dict[str, Any]]:
    """Folders of networks that are built, and what is true of each."""
    known = [recipe.name for recipe in recipes(seeds) if any(fnmatch(recipe.name, one) for one in only.split(","))]
    found = [folder / name for name in sorted(known) if (folder / name / "truth.json").is_file()]
    return {path: json.loads((path / "truth.json").read_text(encoding="utf-8")) for path in found}


def audited(folder: Path, truth: dict[str, Any]) -> Said:
    """What pfungst's shortcut test says of a network, as a user would ask on the command line."""
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    model = [str(folder / word) if (folder / word.split(":")[0]).is_file() else word for word in truth["model"]]
    words = [sys.executable, "-m", "pfungst.cli", "audit", model[0], str(folder / truth["data"]), *model[1:], "--only",
             "shortcuts", "--out", str(run), "--quiet", "--no-images"]  # fmt: skip
    began = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=ENVIRONMENT, cwd=ROOT)
    seconds = round(time.perf_counter() - began, 2)
    if not (run / "audit.json").is_file():
        return Said(truth, (), False, False, done.stderr.strip()[-300:] or f"exit code {done.returncode}", seconds)
    findings = json.loads((run / "audit.json").read_text(encoding="utf-8"))["findings"]
    shutil.rmtree(run)
    flags = tuple(one["subject"] for one in findings if one["kind"] == "cue" and one["status"] == "found")
    return Said(truth, flags, bool(flags), any(names(truth, flag) for flag in flags), "", seconds)


def names(truth: dict[str, Any], flag: str) -> bool:
    """Whether a cue of pfungst is the planted one; several words at once count if all of them are planted."""
    wanted = {subject.lower() for subject in truth["subjects"]}
    kind, _, words = flag.lower().partition(":")
    phrase = kind == "token" and {f"token:{word}" for word in words.split()} <= wanted
    return flag.lower() in wanted or (phrase and bool(words))


def asked(tool: Peer, networks: dict[Path, dict[str, Any]]) -> Iterator[Said]:
    """What another tool says of the networks whose rows are of its kinds."""
    mine = {path: truth for path, truth in networks.items() if truth["modality"] in tool.modalities}
    waiting = [path for path in mine if _kept(tool.name, tool.stamp, path) is None]
    if waiting:
        words = [str(tool.python), "-P", str(HERE / "ask.py"), tool.name, sys.executable, *map(str, waiting)]
        log = ROOT / "build" / "peers" / f"{tool.name}.log"
        with log.open("w") as file, subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=file, text=True, env=ENVIRONMENT
        ) as process:  # fmt: skip
            assert process.stdout is not None, "it is piped"
            for path, line in zip(waiting, process.stdout, strict=False):
                print(tool.name, line.strip()[:220], flush=True)
                _file(tool.name, path).write_text(json.dumps({"stamp": _stamp(tool.stamp, path), **json.loads(line)}))
    for path, truth in mine.items():
        held = _kept(tool.name, tool.stamp, path)
        if held is None:
            yield Said(truth, (), False, False, "ended before it answered", 0.0)
        else:
            yield _said(truth, held)


def _file(tool: str, path: Path) -> Path:
    return path / f"said-{tool}.json"


def _stamp(tool: str, path: Path) -> str:
    return f"{tool} {(path / 'truth.json').stat().st_mtime_ns}"


def _kept(tool: str, stamp: str, path: Path) -> dict[str, Any] | None:
    if not _file(tool, path).is_file():
        return None
    held: dict[str, Any] = json.loads(_file(tool, path).read_text(encoding="utf-8"))
    return held if held["stamp"] == _stamp(stamp, path) else None


def _own(networks: dict[Path, dict[str, Any]], stamp: str) -> Iterator[Said]:
    for path, truth in networks.items():
        held = _kept("pfungst", stamp, path)
        if held is None:
            one = audited(path, truth)
            held = {"flags": one.flags, "accused": one.accused, "right": one.right, "error": one.error,
                    "seconds": one.seconds}  # fmt: skip
            _file("pfungst", path).write_text(json.dumps({"stamp": _stamp(stamp, path), **held}))
            print(f"pfungst {truth['name']:46} {', '.join(one.flags) or '-'} {one.error} ({one.seconds} s)", flush=True)
        yield _said(truth, held)


def _said(truth: dict[str, Any], held: dict[str, Any]) -> Said:
    return Said(truth, tuple(held["flags"]), held["accused"], held["right"], held["error"], held["seconds"])


def row(name: str, networks: dict[Path, dict[str, Any]]) -> Tool:
    """All that one tool says."""
    if name == "pfungst":
        code = sorted(Path(pfungst.__file__).parent.rglob("*.py"))
        stamp = hashlib.blake2b(b"\0".join(file.read_bytes() for file in code), digest_size=8).hexdigest()
        return Tool(name, pfungst.__version__, MODALITIES, "", tuple(_own(networks, stamp)))
    tool = peer(name)
    if tool.refusal:
        return Tool(name, tool.version, tool.modalities, tool.refusal)
    return Tool(name, tool.version, tool.modalities, "", tuple(asked(tool, networks)))


def written(tools: Sequence[Tool], text: str) -> None:
    """Put the table into the page and all answers into the results."""
    marked = re.compile(r"(<!-- tricks: begin -->\n).*?(<!-- tricks: end -->)", re.DOTALL)
    for file, words in ((PAGE, text), (FRONT, main_table(tools))):
        page = file.read_text(encoding="utf-8")
        file.write_text(marked.sub(rf"\g<1>{_escaped(words)}\n\g<2>", page), encoding="utf-8")
    networks = {one.truth["name"]: one.truth for tool in tools for one in tool.said}
    record = {
        "python": platform.python_version(),
        "networks": list(networks.values()),
        "tools": [
            {"name": tool.name, "version": tool.version, "modalities": tool.modalities, "refusal": tool.refusal,
             "said": {one.truth["name"]: {"flags": one.flags, "caught": one.caught, "accused": one.accused,
                                          "right": one.right, "error": one.error, "seconds": one.seconds}
                      for one in tool.said}}
            for tool in tools
        ],
    }  # fmt: skip
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\")


def main() -> None:
    """Ask, print the tables, and keep them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", default=",".join(("pfungst", *NAMES)))
    parser.add_argument("--only", default="*", help="names of networks, with * and ?, separated by commas")
    parser.add_argument("--networks", type=Path, default=ROOT / "build" / "tricks")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="those the networks were built with")
    parser.add_argument("--write", action="store_true", help="keep the table and the answers in the repository")
    given = parser.parse_args()
    networks = truths(given.networks, given.only, given.seeds)
    if not networks:
        sys.exit(f"no network {given.only!r} in {given.networks}; run benchmarks/tricks/build.py")
    tools = [row(name, networks) for name in given.tools.split(",")]
    text = tables(tools)
    print(text)
    if given.write:
        written(tools, text)


if __name__ == "__main__":
    main()
