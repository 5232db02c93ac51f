"""Request: everything asked of an audit, resolved once: flag over task file over default."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pfungst.accepted import entry
from pfungst.engine.handout import LIMIT
from pfungst.engine.ray import Share
from pfungst.errors import InputError
from pfungst.findings import SEVERITIES
from pfungst.models.torch_quick import checked_precision
from pfungst.probe import probes
from pfungst.runs.owned import named
from pfungst.stored import is_stored
from pfungst.task import Task, load_task, task_of

DEFAULT_OUT = "pfungst-run"
EXECUTORS = ("local", "ray")
MOST_BATCH = 1 << 20
AUTO_BATCH = 64
"""Rows the model is shown at once where nothing is said, or ``auto``: more are no quicker on processors."""
SETS = ("ood", "shifted")
"""Options that name further sets of rows."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of an audit. ``explicit_out``: the user named the folder; ``command``: what else repeats it.

    ``out`` is a Path, or an address in an object store. ``task_file`` is where the task was read from, if from a file.
    """

    task: Task = field(default_factory=Task)
    task_file: str = ""
    out: Any = None
    explicit_out: bool = False
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    ood: Mapping[str, Any] = field(default_factory=dict)
    shifted: Mapping[str, Any] = field(default_factory=dict)
    train: Any = None
    members: tuple[Any, ...] = ()
    rows: int | None = None
    budget: float | None = None
    batch_timeout: float = LIMIT
    seed: int = 0
    executor: str = "local"
    workers: int = 1
    address: str | None = None
    cpus: float = 1.0
    gpus: float | None = None
    device: str = "auto"
    batch_size: int = AUTO_BATCH
    precision: str = "float32"
    weights: str | None = None
    input: str | None = None
    output: str | None = None
    outputs: str | None = None
    trust_pickle: bool = False
    cache: bool = True
    images: bool = True
    redact_paths: bool = False
    command: str = ""

    @property
    def share(self) -> Share:
        """What one of Ray's workers takes of a machine."""
        return Share(self.cpus, self.gpus if self.gpus is not None else float(self.device == "cuda"))

    @property
    def sources(self) -> tuple[Any, ...]:
        """What is read besides model and data."""
        sets = (*self.ood.values(), *self.shifted.values(), self.train)
        return (*sets, *self.members, self.weights, self.task_file or None)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of the probes to ask, in their registered order."""
        return tuple(topic for topic in probes if (not self.only or topic in self.only) and topic not in self.skip)


def resolve(task: Task | Mapping[str, Any] | str | Path | None, options: Mapping[str, Any]) -> Request:
    """Put flags over the task file over the defaults, and check them.

    Raises:
        InputError: on an unknown option, probe or size; it names what there is.
    """
    read = task if isinstance(task, Task) else task_of(dict(task)) if isinstance(task, Mapping) else load_task(task)
    known = {one.name for one in fields(Request)} - {"task"}
    for name in options:
        if name not in known:
            raise InputError(f"there is no option {name!r}; there are {', '.join(sorted(known))}")
    given = {name: value for name, value in options.items() if value is not None and value != ()}
    from_task = {
        name: value
        for name in known & set(Task.__struct_fields__) - {*SETS, "format"}
        if (value := getattr(read, name)) not in (None, ())
    }
    from_task |= {"cache": not read.no_cache, "images": not (read.no_images or read.redact)}
    from_task["redact_paths"] = read.redact_paths or read.redact
    sets = {name: {**getattr(read, name), **_named(name, given.get(name, {}))} for name in SETS}
    merged: dict[str, Any] = {**from_task, **given, **sets}
    for name in ("budget", "batch_timeout"):
        if isinstance(merged.get(name), str):
            merged[name] = seconds(merged[name], name)
    if merged.get("batch_size") == "auto":
        merged["batch_size"] = AUTO_BATCH
    if merged.get("out") is not None and not is_stored(merged["out"]):
        merged["out"] = named(merged["out"])
    merged.setdefault("explicit_out", "out" in given)
    if isinstance(task, str | Path):
        merged["task_file"] = str(task)
    request = Request(task=read, **merged)
    _check(request)
    return request


def _named(option: str, sets: Any) -> dict[str, Any]:
    """Sets of rows by name, as they were given."""
    if not isinstance(sets, Mapping) or not all(isinstance(name, str) and name for name in sets):
        raise InputError(f"{option} holds no sets by name; write --{option} NAME=DATA, or {option}={{'name': data}}")
    return dict(sets)


def _check(request: Request) -> None:
    for topic in (*request.only, *request.skip):
        if topic not in probes:
            raise InputError(f"there is no probe {topic!r}; there are {', '.join(probes)}")
    if not request.topics:
        raise InputError("--only and --skip leave no probe to ask")
    for name in ("workers", "batch_size", "rows"):
        value = getattr(request, name)
        if value is not None and (not isinstance(value, int) or value < 1):
            raise InputError(f"--{name.replace('_', '-')} is {value}; give a whole number of at least 1")
    if request.batch_size > MOST_BATCH:
        raise InputError(f"--batch-size is {request.batch_size:,}; give at most {MOST_BATCH:,}")
    checked_precision(request.precision)
    if request.seed < 0:
        raise InputError(f"--seed is {request.seed}; give a whole number of at least 0")
    _check_executor(request)
    if request.task.gate.fail_at not in SEVERITIES[:-1]:
        raise InputError(f"gate.fail_at is {request.task.gate.fail_at!r}; give one of {', '.join(SEVERITIES[:-1])}")
    _acceptable(request.task)


def _check_executor(request: Request) -> None:
    if request.executor not in EXECUTORS:
        raise InputError(f"there is no executor {request.executor!r}; there are: {', '.join(EXECUTORS)}")
    if request.executor == "local" and (request.address or request.cpus != 1.0 or request.gpus is not None):
        raise InputError("--address, --cpus and --gpus say how Ray is used; give --executor ray with them")
    if request.cpus < 0 or (request.gpus or 0.0) < 0 or request.cpus + (request.gpus or 0.0) == 0:
        raise InputError(f"a worker with --cpus {request.cpus:g} --gpus {request.gpus or 0:g} has nothing to work with")


def _acceptable(task: Task) -> None:
    """Refuse to accept what no probe can find: a slip of the pen must not pass for a rule."""
    known = [f"{topic}.{kind}" for topic, probe in probes.items() for kind in probe.finds]
    for item in task.gate.accept:
        name = entry(item).finding
        kind = name.partition(":")[0]
        if kind not in known:
            near = get_close_matches(kind, known, n=1, cutoff=0.5)
            meant = f"did you mean {near[0]!r}" if near else f"there are {', '.join(known)}"
            raise InputError(
                f"gate.accept names {name!r}, which no probe can find; {meant}? Write it as PROBE.KIND:SUBJECT"
            )


def seconds(spelled: str, what: str = "budget") -> float:
    """Seconds of a duration such as ``90``, ``45s``, ``10m`` or ``2h``.

    >>> seconds("10m")
    600.0
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", spelled.strip())
    if found is None or float(found[1]) <= 0:
        raise InputError(f"a {what.replace('_', ' ')} of {spelled!r} is no duration; write it as 90, 45s, 10m or 2h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]
