"""Study: the model and the data of an audit, opened, fitted to each other and checked before anything is written."""

import os
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import pfungst.probes
from pfungst.audits.learned import Learned, Memory, inference
from pfungst.audits.members import opened_members
from pfungst.audits.request import Request
from pfungst.canonical import fingerprint
from pfungst.datasets.dataset import Dataset
from pfungst.datasets.mapping import permutation
from pfungst.datasets.nameless import nameless
from pfungst.engine.local import Executor, Inline, Processes, Shared
from pfungst.engine.plan import pieces
from pfungst.engine.ray import Actors
from pfungst.engine.rounds import Rounds
from pfungst.engine.sweep import Sweep, joined
from pfungst.errors import InputError
from pfungst.listening import Listener, silence
from pfungst.load import bind, load_data, load_model
from pfungst.models.model import Model
from pfungst.models.nudged import nudged
from pfungst.models.recorded import RecordedAnswers
from pfungst.outputs import Outputs
from pfungst.passes import NUDGED, Pass, Passes, Predict
from pfungst.stored import is_stored
from pfungst.task import Task
from pfungst.typed import flags, typed

CHECKED_ROWS = 256
Event = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Study:
    """A model, the data it is asked about, and where both came from."""

    model: Model
    data: Dataset
    model_source: Any
    data_source: Any
    request: Request
    members: Mapping[str, Model] = field(default_factory=dict)
    learned: Mapping[str, Learned] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Changes with pfungst, model, how it is run, data, companions and seed.

        Answers under another key are another audit's.
        """
        companions = {name: one.fingerprint for name, one in self.data.companions.items()}
        ways = tuple(inference(one) for one in (self.model, *self.members.values()))
        return fingerprint(
            pfungst.__version__, self.model.fingerprint, ways, self.data.fingerprint, companions, self.request.seed
        )

    @property
    def command(self) -> str:
        """The command line that repeats this audit, or the Python call where objects were given."""
        if self.request.command:
            return self.request.command
        request, sources = self.request, (self.model_source, self.data_source)
        words = [typed(_spelled(one)) for one in sources if one is not None]
        words += [f"--ood {typed(f'{name}={_spelled(one)}')}" for name, one in request.ood.items()]
        words += [f"--shifted {typed(f'{name}={_spelled(one)}')}" for name, one in request.shifted.items()]
        train = None if request.train is None else _spelled(request.train)
        words += flags({"train": train, "weights": request.weights})
        words += [f"--member {typed(_spelled(one))}" for one in request.members]
        words += flags({"task": request.task_file})
        words += flags({name: getattr(request, name) for name in ("rows", "input", "output", "outputs")})
        words += ["--trust-pickle"] if request.trust_pickle else []
        return " ".join(["pfungst audit", *words, f"--seed {request.seed}"])

    @property
    def recorded(self) -> dict[str, Outputs]:
        """Answers that are looked up, by member, the model's own under no name; none where rows are to be read."""
        every = {"": self.model, **self.members} if self.data.modality == "answers" else {}
        return {name: one.outputs for name, one in every.items() if isinstance(one, RecordedAnswers)}

    def sweep(self) -> Sweep:
        """What answers the pieces of a shard."""
        members = dict(self.members)
        if "gradients" in self.model.offers:
            members[NUDGED] = nudged(self.model)  # type: ignore[arg-type]
        return Sweep(self.model, self.data, self.request.batch_size, members)

    def answered(self, passes: Iterable[Pass]) -> Passes:
        """The answers of some passes, asked at once and kept nowhere."""
        with closing(self.executor()) as executor:
            return Rounds(self.data, executor, recorded=self.recorded).answer(
                dict.fromkeys(passes, ("remedy",)), Passes()
            )

    def executor(self) -> Executor:
        """Inline for one worker, else processes or Ray's actors that open model and data from their sources."""
        request = self.request
        if request.workers == 1 and request.executor == "local":
            return Inline(self.sweep(), request.batch_timeout)
        portable = all(one.portable for one in (self.model, *self.members.values()))
        if not (portable and isinstance(self.data_source, str | None)):
            raise InputError(
                f"{request.workers} workers were asked for, but the model or the data is a Python object that "
                "only this process holds; use workers=1 and executor='local', or give files"
            )
        alone = replace(request, workers=1, executor="local", address=None, cpus=1.0, gpus=None)
        prepare = partial(
            _prepared, self.model_source, self.data_source, alone,
            limit=self.data.limit, threads=_threads(request), key=self.key,
        )  # fmt: skip
        crew = (
            Processes(prepare, request.workers)
            if request.executor == "local"
            else Actors(prepare, request.workers, request.share, request.address)
        )
        return Shared(crew, self.data, request.batch_size, limit=request.batch_timeout)


def _threads(request: Request) -> int:
    """Threads of one worker's model: the CPUs that Ray gives it, or its share of this machine's."""
    if request.executor == "ray":
        return max(1, int(request.cpus))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // request.workers)


def _prepared(model: Any, data: Any, request: Request, *, limit: int | None, threads: int, key: str) -> Sweep:
    """The sweep of a worker, which must have opened what the driver opened."""
    study = opened(model, data, request, threads=threads)
    if study.key != key:
        raise InputError(
            f"a worker found another model, other data or another pfungst (it has {pfungst.__version__}) under the "
            "same names; give every machine the same files and packages, and leave both alone while an audit runs"
        )
    return replace(study.sweep(), data=replace(study.data, limit=limit))


def _spelled(source: Any) -> str:
    return str(source) if isinstance(source, str) or hasattr(source, "__fspath__") else "<object>"


def opened(model: Any, data: Any, request: Request, threads: int = 0) -> Study:
    """Open model and data and fit the data's classes and geometry to the model's.

    Raises:
        InputError: if either cannot be read or they cannot be fitted to each other.
    """
    task = request.task
    answering = load_model(
        model,
        task=task,
        weights=request.weights,
        input=request.input,
        output=request.output,
        outputs=request.outputs,
        trust_pickle=request.trust_pickle,
        device=request.device,
        threads=threads,
    )
    asked = None if data is None else load_data(data, task=task, name="test", seed=request.seed)
    memory = Memory(request, asked)
    memory.count(answering)
    bound = replace(bind(answering, asked, task), seed=request.seed)
    companions: dict[str, Dataset] = {}
    beside = {f"ood:{name}": source for name, source in request.ood.items()}
    beside |= {f"shifted:{name}": source for name, source in request.shifted.items()}
    beside |= {} if request.train is None else {"train": request.train}
    for name, source in beside.items():
        other = _same_kind(load_data(source, task=task, name=name, seed=request.seed), bound)
        companions[name] = replace(_bound(answering, other, task), seed=request.seed)
        if name.startswith("shifted:") and other.fingerprint and other.fingerprint == bound.fingerprint:
            raise InputError(
                f"--shifted {name[8:]} holds the very rows the model is tested on; give rows from elsewhere"
            )
    members = opened_members(request.members, answering, model, request)
    for one in (answering, *members.values()):
        memory.quicken(one, bound, request.precision)
    if request.redact_paths:
        bound, companions = nameless(bound), {name: nameless(other) for name, other in companions.items()}
    bound = replace(bound, companions=companions, limit=request.rows, members=tuple(members))
    return Study(answering, bound, model, data, request, members, memory.learned)


def _bound(model: Model, other: Dataset, task: Task) -> Dataset:
    """A further set as the model wants it; recorded answers cannot be asked about it, and what needs it is left out."""
    if other.name.startswith("shifted:") and "new inputs" not in model.offers:
        return other
    return bind(model, other, task)


def _same_kind(other: Dataset, data: Dataset) -> Dataset:
    if data.modality not in {"answers", other.modality}:
        raise InputError(
            f"{other.source} holds {other.modality} rows, the model is asked about {data.modality} rows; "
            "training rows, strangers and shifted rows must be of the same kind"
        )
    return other


def checked(study: Study, executor: Executor, hear: Listener = silence) -> tuple[Outputs, list[Event]]:
    """Ask about a few rows before anything is written: can it answer, and are its classes in the declared order?

    Gives the answers, and what happened to workers and rows meanwhile, to be told where it can be written; ``hear``
    is told at once of what cannot wait.

    Raises:
        InputError: if no row can be read, the answers do not fit the classes, or the labels are permuted.
    """
    few, asked = study.data.limited(min(CHECKED_ROWS, study.data.limit or len(study.data))), Predict()
    events: list[Event] = []
    work = [[piece] for piece in pieces(asked, few)]

    def listen(event: str, facts: Mapping[str, Any]) -> None:
        events.append((event, facts))
        if event == "stuck":
            hear(event, facts)

    swept = list(executor.map(work, listen))
    parts = [one.answers[asked] for one in swept if asked in one.answers]
    if not parts:
        bad = [why for one in swept for why in one.lost.values()] or ["no rows"]
        raise InputError(f"none of the first {len(bad)} rows of {few.source} could be read and answered ({bad[0]})")
    answers = joined(parts)
    assert isinstance(answers, Outputs), "plain answers"
    assert answers.rows is not None, "answers of a pass know their rows"
    if len(few.classes) != answers.classes:
        raise InputError(
            f"the model gives {answers.classes} scores a row, but {len(few.classes)} classes are named; "
            "give the names in the order of its scores: config.json, labels.txt or [task] classes"
        )
    labels = np.full(len(answers), -1) if few.labels is None else few.labels[answers.rows]
    known = labels >= 0
    permuted = permutation(labels[known], answers.predictions[known], few.classes) if known.any() else ""
    if permuted:
        raise InputError(permuted)
    return answers, events


def described(study: Study) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What is known about model and data, for the report."""
    model, data = study.model, study.data
    about_model = {
        **model.describe(),
        "source": study.model_source if is_stored(study.model_source) else model.source,
        "classes": list(data.classes),
        "fingerprint": model.fingerprint,
        "notes": list(model.notes),
    }
    about_data = {
        "source": data.source,
        "rows": len(data),
        "modality": data.modality,
        "fingerprint": data.fingerprint,
        "labelled": data.labels is not None,
        "columns": sorted(data.columns),
        "strangers": {name[4:]: len(one) for name, one in data.companions.items() if name.startswith("ood:")},
        "shifted": {name[8:]: len(one) for name, one in data.companions.items() if name.startswith("shifted:")},
        "train": len(data.companions["train"]) if "train" in data.companions else None,
        "notes": list(data.notes),
    }
    return about_model, about_data


def reread(study: Study) -> Mapping[str, Any]:
    """What it takes to read a row's input again later: where the data are, how they were read, and their fingerprint.

    The place stays empty where rows came as Python objects, or where the report is to show no pictures or no paths.
    """
    request, source = study.request, study.data_source
    shown = isinstance(source, str | Path) and request.images and not request.redact_paths
    return {
        "source": "" if not shown else str(source) if is_stored(source) else str(Path(source).absolute()),
        "fingerprint": study.data.fingerprint,
        "modality": study.data.modality,
        "columns": msgspec.to_builtins(request.task.columns),
        "classes": list(request.task.task.classes),
    }
