"""Audit the auditor: how often whole audits accuse networks without a fault, and find the faults that were planted.

    python benchmarks/selfaudit/run.py [--honest 64] [--only 'sites*'] [--seeds 1000] [--workers 2] [--quick] [--write]

Each network is made and audited in turn; what was said of it is appended to build/selfaudit/results.jsonl, and one that
is there, said by this code, is not asked again. --quick asks a few only. --write keeps the numbers in
benchmarks/results/selfaudit.json and draws docs/selfaudit.md and docs/selfaudit.svg.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import time
import warnings
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import torch
from cases import Case, honest
from faults import FAULTS
from tell import RESULTS, collected, table, written
from truth import CHAPTERS, truth_of

import pfungst

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SAID = ROOT / "build" / "selfaudit" / "results.jsonl"
HONEST = 54
PICTURES, OF_PICTURES = 24, ("attribution", "adversarial")
"""Further honest networks that read pictures, asked about these chapters alone: of tables little is known there."""

QUICK = {"": (1,), "sites.prevalence": (0,)}


class Job(NamedTuple):
    """One network to make and to ask about: the fault that is planted, or none, its number and its seed."""

    fault: str
    number: int
    seed: int
    only: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is asked for by."""
        return f"{self.fault or ('honest-pictures' if self.only else 'honest')}-{self.seed}"


def jobs(count: int, seeds: int, *, quick: bool = False) -> Iterator[Job]:
    """All networks: honest ones and every fault in turn, so that an unfinished run tells something of each."""
    if quick:
        yield from (Job(fault, number, seeds + number) for fault, numbers in QUICK.items() for number in numbers)
        return
    every = [[Job("", number, seeds + number) for number in range(count)]]
    every += [[Job("", count + n, seeds + count + n, OF_PICTURES) for n in range(min(PICTURES, count))]]
    every += [[Job(fault, n, seeds + n) for n in range(many)] for fault, (_, many) in FAULTS.items()]
    placed = [((at + 0.5) / len(group), job) for group in every for at, job in enumerate(group)]
    yield from (job for _, job in sorted(placed, key=lambda one: one[0]))


def asked(job: Job) -> dict[str, Any]:
    """Make a network, audit it, and say of each finding whether it is false or due."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    began = time.process_time()
    case: Case = FAULTS[job.fault][0](job.seed) if job.fault else honest(job.number, job.seed, job.only)
    audit = pfungst.audit(case.world.model, case.data, images=False, **case.options)
    truth = None if job.fault else truth_of(case)
    findings = [
        {
            "name": one.name, "probe": one.probe, "status": one.status, "severity": one.severity,
            "value": round(one.effect.value, 4), "low": round(one.effect.low, 4), "high": round(one.effect.high, 4),
            "truth": truth.of(one) if truth else _planted(one.name, case),
        }
        for one in audit.findings
    ]  # fmt: skip
    return {
        "job": job.name, "fault": job.fault, "only": job.only, "name": case.name,
        "family": case.world.family, "form": case.world.form,
        "classes": case.world.classes, "rows": len(next(iter(case.data.values()))), "findings": findings,
        "verdict": audit.verdict.generalizes, "seconds": round(time.process_time() - began, 1),
    }  # fmt: skip


def _planted(name: str, case: Case) -> str:
    return "due" if any(fnmatch(name, each) for each in case.expected) else ""


def stamp() -> str:
    """A hash of the code that makes and that audits."""
    own = (HERE / f"{one}.py" for one in ("laws", "cases", "faults", "truth"))
    code = [*sorted(Path(pfungst.__file__).parent.rglob("*.py")), *own]
    return hashlib.blake2b(b"\0".join(file.read_bytes() for file in code), digest_size=8).hexdigest()


def held(file: Path, mark: str, *, mixed: bool = False) -> dict[str, dict[str, Any]]:
    """What was said already, by this code or (``mixed``) any; a line that was cut off is as if it were not there."""
    if not file.is_file():
        return {}
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            one = json.loads(line)
        except json.JSONDecodeError:
            continue
        if mixed or one["stamp"] == mark:
            found[one["job"]] = one
    return found


def answered(wanted: list[Job], file: Path, workers: int, *, mixed: bool = False) -> list[dict[str, Any]]:
    """What is said of all of them, asking only about those of which nothing is held."""
    mark = stamp()
    known = held(file, mark, mixed=mixed)
    if mixed:
        return [known[job.name] for job in wanted if job.name in known]
    left = [job for job in wanted if job.name not in known]
    if not left:
        return [known[job.name] for job in wanted]
    file.parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the workers', which start anew
    with multiprocessing.get_context("spawn").Pool(workers, maxtasksperchild=20) as pool, file.open("a") as out:
        for number, said in enumerate(pool.imap_unordered(asked, left), start=1):
            known[said["job"]] = {"stamp": mark, **said}
            out.write(json.dumps(known[said["job"]]) + "\n")
            out.flush()
            print(f"{number:3}/{len(left)} {said['name']:42} {said['seconds']:5.1f} s  {_line(said)}", flush=True)
    return [known[job.name] for job in wanted]


def _line(said: dict[str, Any]) -> str:
    found = [one for one in said["findings"] if one["status"] == "found"]
    false = [f"{one['name']} ({one['severity']})" for one in found if one["truth"] == "false"]
    if said["fault"]:
        return "found" if any(one["truth"] == "due" for one in found) else "MISSED"
    return f"FALSE: {', '.join(false)}" if false else "-"


def main() -> None:
    """Make, ask, print, and keep what was said if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--honest", type=int, default=HONEST, help="networks without a fault")
    parser.add_argument("--only", default="*", help="faults (or honest), with * and ?, separated by commas")
    parser.add_argument("--seeds", type=int, default=1000, help="added to every seed: other networks")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a few networks only")
    parser.add_argument("--said", type=Path, default=SAID, help="where what was said is kept")
    parser.add_argument("--mixed", action="store_true", help="ask nothing; count what is held, by whatever code")
    parser.add_argument("--write", action="store_true", help="keep the numbers, draw the page and the picture")
    given = parser.parse_args()
    patterns = given.only.split(",")
    wanted = [
        job
        for job in jobs(given.honest, given.seeds, quick=given.quick)
        if any(fnmatch(job.fault or "honest", one) for one in patterns)
    ]
    record = collected(answered(wanted, given.said, given.workers, mixed=given.mixed), CHAPTERS)
    print(*table(record), sep="\n")
    if given.write:
        written(record, RESULTS)


if __name__ == "__main__":
    main()
