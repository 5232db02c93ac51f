"""How much the tests of ``pfungst/statistics`` notice: small faults are put in one at a time, and the tests are run.

    python scripts/mutants.py                     all files; writes benchmarks/results/mutants.md
    python scripts/mutants.py --only means,units  some files; writes nothing

A mutant is killed when a test fails on it, or when it uses up its time or memory. It is given those of the direct tests
(golden, property, doctests) that reach the changed statement, in a process forked from one that has collected them all;
there, the code of its functions is exchanged. Mutants that no test could tell from the original are named with the
reason in ``mutants_equivalent.toml``; they are run all the same, and an entry that is killed or fits no mutant is an
error. Exits with 1 below 85 %.
"""

import argparse
import gc
import json
import os
import re
import resource
import sys
import time
import tomllib
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis.errors import UnsatisfiedAssumption
from mutations import Mutant, exchange, mutants_of, reporting, users

ROOT = Path(__file__).parents[1]
STATISTICS = ROOT / "pfungst" / "statistics"
FILES = sorted(path for path in STATISTICS.glob("*.py") if path.stem != "__init__")
EQUIVALENT = Path(__file__).with_name("mutants_equivalent.toml")
RESULTS = ROOT / "benchmarks" / "results" / "mutants.md"
NEEDED = 0.85
OPTIONS = ("-q", "-s", "-p", "no:cacheprovider", "--assert=plain", "--tb=no", "--rootdir", str(ROOT))
SECONDS, TIMES, MEMORY = 5, 5, 4 << 30
"""What a mutant may take beyond its tests: seconds of processor time, as many times their own, and bytes."""

FAILED, STUCK = 1, 7


@dataclass(eq=False)
class Session:
    """Pytest plugin that runs the collected tests on one mutant after another instead of once."""

    mutants: list[Mutant]
    workers: int
    reached: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    killed: dict[Mutant, bool] = field(default_factory=dict)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Pytest's hook in which tests are run."""
        if session.testsfailed:
            pytest.exit("tests cannot be collected; run pytest first")
        items = {item.nodeid: item for item in session.items}
        gc.freeze()
        for item in session.items:
            if hasattr(getattr(item, "obj", None), "hypothesis"):
                item.obj.hypothesis.inner_test = _hasty(item.obj.hypothesis.inner_test)
        self._watch(items)
        self.killed = dict(self._judged(self.mutants, items))
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Pytest's hook for what a test said: the first failure ends the process."""
        if report.failed:
            print(f"{report.nodeid} fails: {report.longrepr}", file=sys.stderr)
            os._exit(FAILED)

    def _watch(self, items: dict[str, pytest.Item]) -> None:
        """Which statements each test reaches and how long it takes, learned in a child so that no test is used up.

        It runs as the mutants do, on exchanged code that is not changed: what fails here would kill all it is given.
        """
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                reached: set[tuple[str, int]] = set()
                for path in FILES:
                    exchange(path, reporting(path), {"__reached__": reached.add})
                seen = {name: _asked(item, reached) for name, item in items.items()}
                with os.fdopen(into, "w") as pipe:
                    json.dump(seen, pipe)
                os._exit(0)
            finally:
                traceback.print_exc()
                os._exit(FAILED)
        os.close(into)
        with os.fdopen(out) as pipe:
            text = pipe.read()
        if os.waitpid(child, 0)[1]:
            pytest.exit("the tests fail on the code as it is; run pytest first")
        for name, (seconds, lines) in json.loads(text).items():
            self.seconds[name], self.reached[name] = seconds, {(stem, line) for stem, line in lines}

    def _tests_of(self, mutant: Mutant) -> list[str]:
        """The tests that reach the mutant's statement, or one that names its constant; the quickest first."""
        places = users(mutant.constant, FILES) if mutant.constant else {(mutant.path.stem, mutant.line)}
        found = [test for test, reached in self.reached.items() if places & reached]
        return sorted(found, key=lambda test: self.seconds[test])

    def _judged(self, mutants: list[Mutant], items: dict[str, pytest.Item]) -> list[tuple[Mutant, bool]]:
        """Whether each mutant is killed."""
        found: dict[Mutant, bool] = {}
        waiting, running = list(reversed(mutants)), dict[int, Mutant]()
        while waiting or running:
            while waiting and len(running) < self.workers:
                mutant = waiting.pop()
                tests = self._tests_of(mutant)
                child = os.fork()
                if child == 0:
                    _limited(SECONDS + TIMES * sum(self.seconds[test] for test in tests))
                    _run(mutant, [items[test] for test in tests])
                running[child] = mutant
            child, status = os.wait()
            code = os.waitstatus_to_exitcode(status)
            if code == STUCK:
                pytest.exit(f"{running[child].key} cannot be put in")
            found[running.pop(child)] = code != 0
            if len(found) % 100 == 0:
                print(f"{len(found)} of {len(mutants)} mutants", file=sys.stderr)
        return [(mutant, found[mutant]) for mutant in mutants]


def _asked(item: pytest.Item, reached: set[tuple[str, int]]) -> tuple[float, list[tuple[str, int]]]:
    reached.clear()
    start = time.process_time()
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    return time.process_time() - start, sorted(reached)


def _hasty(test: Callable[..., None]) -> Callable[..., None]:
    """The test of one example, where the first failure ends the process: no smaller example is looked for."""

    def once(*args: Any, **values: Any) -> None:
        try:
            test(*args, **values)
        except UnsatisfiedAssumption:
            raise
        except Exception:  # noqa: BLE001 - whatever a test raises is a failure
            traceback.print_exc()
            os._exit(FAILED)

    return once


def _limited(seconds: float) -> None:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))


def _run(mutant: Mutant, items: list[pytest.Item]) -> None:
    try:
        exchange(mutant.path, mutant.changed(), {})
    except LookupError:
        os._exit(STUCK)
    except Exception:  # noqa: BLE001 - a module that cannot be loaded is noticed
        os._exit(FAILED)
    try:
        for item in items:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        os._exit(0)
    finally:
        os._exit(FAILED)


def test_files() -> list[str]:
    """Golden and property tests of the statistics and nothing above, and the statistics for their doctests."""
    rooms = (*sorted((ROOT / "tests/golden").glob("test_*.py")), *sorted((ROOT / "tests/property").glob("test_*.py")))
    direct = []
    for path in rooms:
        used = {name.split(".")[1] for name in re.findall(r"^\s*from (pfungst\.\S+)", path.read_text(), re.MULTILINE)}
        if "statistics" in used and used <= {"statistics", "errors", "arrays"}:
            direct.append(path)
    return [str(path.relative_to(ROOT)) for path in (*direct, *FILES)]


def told(killed: dict[Mutant, bool], equivalent: dict[str, str]) -> tuple[str, float]:
    """The table, the list of survivors, and the share killed of those that are not equivalent."""
    counts = {name: Counter[str]() for name in dict.fromkeys(mutant.path.name for mutant in killed)}
    for mutant, dead in killed.items():
        kind = "killed" if dead else "equivalent" if mutant.key in equivalent else "survived"
        counts[mutant.path.name][kind] += 1
    total = sum(counts.values(), Counter[str]())
    lines = [
        "# Mutants of the statistics",
        "",
        "Written by `make mutants`. Score: killed of those that are not equivalent.",
        "",
        "| file | mutants | killed | survived | equivalent | score |",
        "|---|---|---|---|---|---|",
        *(_line(name, count) for name, count in counts.items()),
        _line("all", total),
    ]
    left = [m for m, dead in killed.items() if not dead and m.key not in equivalent]
    if left:
        lines += ["", "Survivors:", "", *(f"- `{mutant.key}`" for mutant in left)]
    return "\n".join(lines) + "\n", _score(total)


def _line(name: str, count: Counter[str]) -> str:
    numbers = (count.total(), count["killed"], count["survived"], count["equivalent"])
    return f"| {name} | " + " | ".join(str(number) for number in numbers) + f" | {_score(count):.1%} |"


def _score(count: Counter[str]) -> float:
    different = count["killed"] + count["survived"]
    return count["killed"] / different if different else 1.0


def main() -> int:
    """Run what was asked for; the exit code."""
    parser = argparse.ArgumentParser(description="mutation score of pfungst/statistics")
    parser.add_argument("--only", default="", help="names of files without .py, separated by commas")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    # Before anything loads NumPy: threads do not survive a fork.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    only = set(asked.only.split(",")) - {""}
    paths = [path for path in FILES if not only or path.stem in only]
    mutants = [mutant for path in paths for mutant in mutants_of(path)]
    equivalent = {entry["mutant"]: entry["why"] for entry in tomllib.loads(EQUIVALENT.read_text())["equivalent"]}
    keys, names = {mutant.key for mutant in mutants}, {path.name for path in paths}
    unknown = [key for key in equivalent if key.split(":")[0] in names and key not in keys]
    if unknown:
        sys.exit(f"{EQUIVALENT.name} names mutants that do not exist: {unknown}")
    session = Session(mutants, asked.workers)
    pytest.main([*OPTIONS, *test_files()], plugins=[session])
    if len(session.killed) != len(mutants):
        return 2
    wrong = [mutant.key for mutant, dead in session.killed.items() if dead and mutant.key in equivalent]
    if wrong:
        sys.exit(f"{EQUIVALENT.name} calls equivalent what tests kill: {wrong}")
    text, score = told(session.killed, equivalent)
    print(text)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{(used.ru_utime + used.ru_stime) / 60:.1f} minutes of processor time")
    if not only:
        RESULTS.write_text(text)
    return int(score < NEEDED)


if __name__ == "__main__":
    sys.exit(main())
