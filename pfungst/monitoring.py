"""Monitoring: a deployment log against an audit, window by window; a window that was judged is not judged again."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pfungst.arrays import Array, IntArray
from pfungst.audit_result import Audit, saved
from pfungst.auditing import audit
from pfungst.datasets.dataset import Dataset
from pfungst.engine.cache import PLAIN, kept_answers
from pfungst.errors import InputError
from pfungst.findings import Report
from pfungst.listening import Listener
from pfungst.load import bind, existing, load_model
from pfungst.log_rows import in_time, once
from pfungst.methods.log_windows import (
    LogRows,
    Outcomes,
    Reference,
    Window,
    arrived,
    judged_window,
    measurable,
    shares_of_classes,
)
from pfungst.models.recorded import TRUTHS, RecordedAnswers
from pfungst.probes.drift import Drift
from pfungst.probes.feedback import Feedback
from pfungst.report.files import written
from pfungst.runs.owned import apart, is_vacant, settled
from pfungst.runs.places import reading, working
from pfungst.stored import is_stored
from pfungst.task import Task, load_task, task_of
from pfungst.typed import flags, typed

DEFAULT_OUT = "pfungst-monitor"
STATE = "windows.json"
LOGS = "the deployed model's answers as .parquet, .csv or .npz with prob_*, logit_* or prediction and confidence"
DECISIONS = frozenset({"label", "labels", "decision", "outcome", "arm", "version"})
DOUBTS = frozenset({"sites", "shortcuts"})
FACTS = frozenset({"prevalence", "latent-cue"})
"""Kinds of findings that say something of the data and not of what the model rests on."""


class State(msgspec.Struct, frozen=True):
    """What was judged before: with windows of this many rows, against the answers of this hash.

    ``outcomes`` are labels in the order in which they came.
    """

    size: int
    against: str
    windows: tuple[Window, ...] = ()
    outcomes: tuple[Outcomes, ...] = ()


def monitor(
    log: str | Path, *, reference: str | Path, task: Task | Mapping[str, Any] | str | Path | None = None,
    out: str | Path | None = None, window: int | None = None, seed: int = 0, task_file: str = "",
    listen: Listener | None = None,
) -> Audit:  # fmt: skip
    """Judge a log of a deployed model against the audit in the folder ``reference``; results are kept in ``out``.

    Both may lie in an object store. Without ``out`` that is ``pfungst-monitor``, in which no other audit is replaced.
    ``task_file`` is where the task was read from, if from a file.

    ``log`` holds answers (``prob_*``, ``logit_*``, or ``prediction`` and ``confidence``) and, if known, time, label,
    units, columns of the inputs, and decisions with their outcomes. Whole windows of ``window`` rows (a twentieth of
    the first log, at least 200) are judged in the order of time; what is left waits. Called again with more rows, only
    new windows are judged, and those to whose rows labels have come since: each label counts once, when it comes.

    Raises:
        InputError: if log or audit cannot be read, do not fit each other, rows or labels that were judged have changed,
            another ``window`` is asked for than before, or ``out`` holds what is not to be replaced.
    """
    explicit, out = out is not None, DEFAULT_OUT if out is None else out
    apart(out, [log, reference])
    wanted = task if isinstance(task, Task) else task_of(dict(task)) if isinstance(task, Mapping) else load_task(task)
    with reading(reference, "audit.json", "thumbnails.zip", PLAIN) as run:
        known = _reference(run)
    wanted = msgspec.structs.replace(wanted, task=msgspec.structs.replace(wanted.task, classes=known.classes))
    model = _log(log, reference, known, wanted)
    data = bind(model, None, wanted)
    order = in_time(data)
    once(model, data)
    with working(out) as place:
        _replaceable(place.folder, explicit=explicit)
        state = _state(place.folder, known, window, max(200, len(order) // 20))
        rows = list(_windows(model, data, order, state.size))
        if not rows:
            raise InputError(f"{log} holds {len(order)} rows and a window takes {state.size}; give fewer: --window N")
        _unchanged(rows, state, place.folder)
        known = replace(known, columns=rows[0].columns)
        state = _judged(known, rows, state, seed)
        place.folder.mkdir(parents=True, exist_ok=True)
        written(place.folder / STATE, msgspec.json.encode(state))
    more = flags({"task": task_file, "window": window, "seed": seed or None})
    command = " ".join(["pfungst monitor", typed(str(log)), "--reference", typed(str(reference)), *more])
    shares = shares_of_classes(known, rows[-1], seed)
    drift = Drift(reference=known, windows=state.windows, outcomes=state.outcomes, shares=shares)
    moved = {"the answers": state.windows[-1].answers, **state.windows[-1].columns}
    drifted = ", ".join(name for name, one in moved.items() if one.low > drift.tolerance)
    return audit(
        model, None, task=wanted, probes=(drift, Feedback(drifted=drifted)), out=out, explicit_out=True, seed=seed,
        listen=listen, command=command,
    )  # fmt: skip


def _replaceable(folder: Path, *, explicit: bool) -> None:
    """Refuse a folder that holds no RUN, or unless it was named that of an audit: only a log's is gone on with."""
    settled(folder)
    if not (explicit or is_vacant(folder) or (folder / STATE).exists()):
        raise InputError(
            f"{folder} holds an audit and no log that was judged; name it with --out {folder} to replace it, or name "
            "another folder"
        )


def _log(log: str | Path, reference: str | Path, known: Reference, wanted: Task) -> RecordedAnswers:
    """The answers in a log, if they are those of such a model as was audited."""
    model = load_model(str(log) if is_stored(log) else str(existing(str(log), "log", LOGS)), task=wanted)
    if not isinstance(model, RecordedAnswers):
        raise InputError(f"{log} is no log of answers; give a table with prob_*, logit_* or prediction and confidence")
    if not {wanted.columns.label, *TRUTHS} & set(model.held):
        model = replace(model, held={**model.held, "label": np.full(len(model), np.nan)})
    if model.outputs.classes != len(known.classes):
        raise InputError(
            f"{log} holds answers for {model.outputs.classes} classes and {reference} was made with "
            f"{len(known.classes)} ({', '.join(known.classes[:5])}); give the log of the audited model"
        )
    return model


def _reference(run: Path) -> Reference:
    """Plain answers of an audit, and what makes estimates without labels doubtful."""
    report = saved(run).report
    plain = [one for one in report.passes if one.name == "as it is" and one.on == "test"]
    files = [file for one in plain for file in (run / "answers").glob(f"*.{one.key}.parquet")]
    if not files:
        raise InputError(f"{run} keeps no answers to the test rows; audit again without moving the folder answers")
    outputs, labels, _ = max((kept_answers(file) for file in files), key=lambda kept: len(kept[1]))
    return Reference(outputs, labels, tuple(report.model["classes"]), doubts=tuple(_doubts(report)))


def _doubts(report: Report) -> Iterator[str]:
    for one in report.findings:
        if one.probe in DOUBTS and one.kind not in FACTS and one.status == "found" and one.severity != "none":
            yield f"{one.probe}.{one.kind}:{one.subject}".rstrip(":")


def _windows(model: RecordedAnswers, data: Dataset, order: IntArray, size: int) -> Iterator[LogRows]:
    roles = data.roles
    columns = measurable(data.columns, DECISIONS | {name for name in (roles.time, roles.unit) if name})
    labels = np.full(len(data), -1) if data.labels is None else data.labels
    for first in range(0, len(order) - size + 1, size):
        some = order[first : first + size]
        units: Array | None = None if data.units is None else data.units[some]
        when = ("", "") if roles.time is None else tuple(str(data.columns[roles.time][at]) for at in some[[0, -1]])
        held = {name: values[some] for name, values in columns.items()}
        yield LogRows(model.predict(some), labels[some], held, (when[0], when[1]), first, units)


def _state(out: Path, known: Reference, window: int | None, usual: int) -> State:
    size = window or usual
    against = hashlib.blake2b(np.ascontiguousarray(known.outputs.logits).tobytes(), digest_size=8).hexdigest()
    if not (out / STATE).exists():
        return State(size, against)
    try:
        kept = msgspec.json.decode((out / STATE).read_bytes(), type=State)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return State(size, against)
    if kept.against != against:
        raise InputError(f"{out} holds a log judged against another audit; give another folder: --out NEW")
    if window not in {None, kept.size}:
        raise InputError(
            f"{out} holds windows of {kept.size} rows, and --window {window} asks for others; leave --window out, or "
            "give another folder: --out NEW"
        )
    return kept


def _judged(known: Reference, rows: list[LogRows], state: State, seed: int) -> State:
    """The windows, judged anew where there are new labels, and the labels that came since."""
    before = [*state.windows, *[None] * (len(rows) - len(state.windows))]
    judged = [
        one if one and one.known == rows[at].known else judged_window(known, rows[at], at + 1, seed)
        for at, one in enumerate(before)
    ]
    new = [some for pair in zip(before, judged, strict=True) if (some := arrived(*pair))]
    return msgspec.structs.replace(state, windows=tuple(judged), outcomes=(*state.outcomes, *new))


def _unchanged(rows: list[LogRows], state: State, out: Path) -> None:
    for row, one in zip(rows, state.windows, strict=False):
        if row.mark != one.mark or row.truth(one.known) != one.truth:
            what = "are not those" if row.mark != one.mark else "have other labels than those"
            raise InputError(
                f"rows {one.rows[0]:,} to {one.rows[1]:,} of the log {what} that were judged before; a log only "
                f"grows: remove {out / STATE}, or give another folder: --out NEW"
            )
    if len(rows) < len(state.windows):
        raise InputError(
            f"the log has {len(rows)} {'window' if len(rows) == 1 else 'windows'} and {len(state.windows)} were judged "
            "before; give the whole log"
        )
