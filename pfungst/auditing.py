"""The audit: plan, sweep, judge, rank. The whole story on one page."""

import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from pfungst.audit_result import Audit
from pfungst.audits.budget import Stage, Stages, measured
from pfungst.audits.learned import inference
from pfungst.audits.losses import unanswered
from pfungst.audits.naming import check_columns, check_names
from pfungst.audits.pictures import drawn
from pfungst.audits.ranking import DECISIVE, rank, verdict
from pfungst.audits.redaction import redacted
from pfungst.audits.request import Request, resolve
from pfungst.audits.steadiness import Steadiness
from pfungst.audits.study import Study, checked, described, opened, reread
from pfungst.canonical import fingerprint
from pfungst.engine.cache import Cache
from pfungst.engine.journal import Journal
from pfungst.engine.local import Inline
from pfungst.engine.plan import BROKE, possible, row_passes, wanted
from pfungst.engine.ray import reach
from pfungst.engine.resident import Resident
from pfungst.engine.rounds import Rounds
from pfungst.engine.rows import keep_rows
from pfungst.errors import InputError, first_line
from pfungst.findings import Condition, Finding, PassRecord, Report, Skipped
from pfungst.listening import Listener, silence
from pfungst.passes import Passes, Predict
from pfungst.probe import Probe, labelled
from pfungst.probe import probes as registry
from pfungst.registry import plugins
from pfungst.runs.owned import apart
from pfungst.runs.places import working
from pfungst.statistics.intervals import proportion_of
from pfungst.summarised import Summarised
from pfungst.task import Task

UNUSABLE = "it cannot be used on this model"
Judged = tuple[list[Finding], list[Skipped], list[Condition]]


def audit(
    model: Any,
    data: Any = None,
    *,
    task: Task | Mapping[str, Any] | str | Path | None = None,
    probes: Sequence[Probe] | None = None,
    listen: Listener | None = None,
    **options: Any,
) -> Audit:
    """Audit a model: does it generalize, or did it learn a trick?

    ``model`` and ``data`` are files in the forms of the documentation, or Python objects: a module, a session, an
    estimator or a callable; a tuple (inputs, labels). ``options`` are those of ``pfungst audit`` (``out``, ``only``,
    ``ood``, ``rows``, ``seed``, ...); ``probes`` asks these, with their own settings, instead of the registered ones.
    Without ``out`` nothing is written.

    Raises:
        InputError: if it cannot be done as asked; nothing was written then.
    """
    request = resolve(task, options)
    apart(request.out, [model, data, *request.sources])
    if not probes:
        check_names(request.task)  # probes that were brought may know other cues
    if request.executor == "ray":
        reach(request.workers, request.share, request.address)
    with Resident().over() as held:
        study = opened(model, data, request)
        if not probes:
            check_columns(request.task, study.data)
        chosen = probes or asked_for(request)
        try:
            # Statistics solve thousands of small systems, on which threads of linear algebra only wait for each other.
            with threadpool_limits(1, user_api="blas"), working(request.out) as place:
                study = replace(study, request=replace(request, out=place.folder))
                with _journal(study) as journal:
                    return _in_folder(study, chosen, journal, place.heard(listen or silence), held)
        except OSError as error:
            raise InputError(
                f"writing to {request.out} failed ({error.strerror or error}); what is finished is kept: make room and "
                "give the same command"
            ) from None


def _in_folder(
    study: Study, chosen: Sequence[Probe], journal: Journal | None, hear: Listener, held: Mapping[str, float]
) -> Audit:
    rounds = _rounds(study, chosen, journal, hear)
    with closing(rounds.executor):
        result = _in_stages(Stages(study, chosen, rounds, hear), journal)
    if journal:
        journal.write("finished", {"findings": len(result.findings), "memory": dict(held)})
    return result


def _in_stages(asked: Stages, journal: Journal | None) -> Audit:
    study, rounds = asked.study, asked.rounds
    first, events = (None, []) if rounds.finished else checked(study, rounds.executor, asked.hear)
    steadiness = Steadiness(first, journal)
    rounds.listen = steadiness.before(rounds.listen)
    if journal:
        what = f"{study.model.source} on {study.data.source}"
        about = {"run": study.key, "what": what, "asked": _questions(study, asked.chosen)}
        journal.write("started", {**about, "learned": dict(study.learned)})
    for event, facts in events:
        rounds.listen(event, facts)
    stages = iter(asked)
    stage: Stage | None = next(stages)
    while stage is not None:
        done, judged = _staged(stage, rounds)
        judged[1].extend(steadiness.seen(done))
        following = next(stages, None)
        result = _result(stage, rounds, done, judged, complete=following is None)
        if journal and study.request.out:
            _kept(result, rounds, done, stage.study)
        stage = following
    return result


def _kept(result: Audit, rounds: Rounds, done: Passes, study: Study) -> None:
    """Write what is known so far; answers are joined into one file a pass when nothing more will be asked."""
    out, complete = study.request.out, result.report.complete
    assert out is not None, "a folder was named"
    if complete:
        rounds.compact(done)
        keep_rows(out, study.data, reread(study), redact=study.request.redact_paths)
    result.save(out)
    facts = {"complete": complete, "rows": result.report.settings["rows"], "report": str(out / "report.html")}
    rounds.listen("judged", facts)


def _staged(stage: Stage, rounds: Rounds) -> tuple[Passes, Judged]:
    """The answers of a stage and what its probes say of them."""
    study, chosen = stage.study, stage.chosen
    # Who answers stays: a row's place and its donors do not depend on how many rows are asked.
    rounds.data = study.data
    done, lacking = _answered(chosen, study, rounds)
    broken = {entry.probe for entry in lacking if entry.reason.startswith(BROKE)}
    findings, skipped, conditions = _judged([one for one in chosen if one.topic not in broken], study, done)
    return done, (findings, [*lacking, *stage.left_out, *skipped], conditions)


def planned(model: Any, data: Any = None, *, task: Task | None = None, **options: Any) -> str:
    """The plan of an audit in words: passes, rows, who asked, and the time they would take, measured on one batch each.

    Passes of later rounds, which depend on what the first round shows, are not in it.
    """
    request = resolve(task, options)
    check_names(request.task)
    study = opened(model, data, request)
    check_columns(request.task, study.data)
    checked(study, Inline(study.sweep()))
    cost = measured(study, asked_for(request))
    lines = [f"{'rows':>7}  {'seconds':>7}  {'pass':34}  {'half':12}  asked by"]
    for one, topics in cost.asked.items():
        rows = row_passes([one], study.data)
        spent = cost.seconds_a_row.get(one, 0.0) * rows
        name = f"{one.name} ({one.on})"
        lines.append(f"{rows:7,}  {spent:7.1f}  {name:34.34}  {one.half or 'both':12}  {', '.join(topics)}")
    total = row_passes(cost.asked, study.data)
    stored = total * (len(study.data.classes) * 4 + 24) / 1e6
    half = 0.98 / max(1, sum(study.data.extent().values())) ** 0.5
    lines.append(
        f"{len(cost.asked)} passes, {total:,} rows shown to the model, about {cost.seconds(study):.0f} s and "
        f"{stored:.0f} MB in the first round; a proportion will be known to ±{half:.3f} at worst"
    )
    return "\n".join(lines)


def asked_for(request: Request) -> list[Probe]:
    """The registered probes that a request asks, with the settings of its task; those that decide come first."""
    order = [*(topic for topic in DECISIVE if topic in request.topics), *request.topics]
    return [_for_task(topic, request.task) for topic in dict.fromkeys(order)]


def _for_task(topic: str, task: Task) -> Probe:
    try:
        return registry[topic]().for_task(task)
    except Exception as error:
        package = registry.source_of(topic)
        if not package or isinstance(error, InputError):
            raise
        raise InputError(
            f"the probe {topic} of {package} cannot be asked ({type(error).__name__}: {first_line(error)}); leave it "
            f"out with --skip {topic}"
        ) from error


def _journal(study: Study) -> Any:
    request = study.request
    return (
        nullcontext()
        if request.out is None
        else Journal(request.out, study.key, explicit=request.explicit_out, redact=request.redact_paths)
    )


def _questions(study: Study, chosen: Sequence[Probe]) -> str:
    """Hash of what is asked: the probes with their settings, and of how many rows."""
    return fingerprint(repr(tuple(chosen)), study.request.rows, study.request.budget)


def _rounds(study: Study, chosen: Sequence[Probe], journal: Journal | None, hear: Listener) -> Rounds:
    if journal is None or study.request.out is None:
        return Rounds(study.data, study.executor(), listen=hear, recorded=study.recorded)

    def both(event: str, facts: Mapping[str, Any]) -> None:
        journal.write(event, facts)
        hear(event, facts)

    cache = Cache(study.request.out / "answers", study.key, redact=study.request.redact_paths)
    # Rows that failed when something else was asked need not fail now, and their answers were not kept.
    other = journal.told("quarantine") and journal.told("started")[-1].get("asked") != _questions(study, chosen)
    kept = study.request.cache and not other
    finished = journal.finished and kept
    if not kept:
        cache.forget()
    return Rounds(study.data, study.executor(), cache, finished, both, recorded=study.recorded)


def _answered(chosen: Sequence[Probe], study: Study, rounds: Rounds) -> tuple[Passes, list[Skipped]]:
    done = Passes()
    broken: dict[str, str] = {}
    while True:
        asked, lacking = possible(wanted(chosen, study.data, done, broken), study.model.offers)
        left = {one: by for one, by in asked.items() if one not in rounds.refused}
        if all(one in done for one in left):
            lacking += [Skipped(probe=topic, reason=reason) for topic, reason in broken.items()]
            refused = {one: by for one, by in asked.items() if one in rounds.refused}
            for one, by in refused.items():
                # What a model or a method says of itself may name its file.
                why = UNUSABLE if study.data.nameless else rounds.refused[one]
                lacking += [Skipped(probe=topic, subject=one.name, reason=why) for topic in by]
            return done, lacking
        done = rounds.answer(left, done)


def _judged(chosen: Sequence[Probe], study: Study, done: Passes) -> Judged:
    findings: list[Finding] = []
    skipped: list[Skipped] = []
    conditions: list[Condition] = []
    for probe in chosen:
        try:
            said = list(probe.judge(study.data, done))
        except Exception as error:  # noqa: BLE001 - one broken probe must not cost the others' results
            said = [Skipped(probe=probe.topic, reason=f"{BROKE}{type(error).__name__}: {error}")]
        findings += [item for item in said if isinstance(item, Finding)]
        skipped += [item for item in said if isinstance(item, Skipped)]
        conditions += [item for item in said if isinstance(item, Condition)]
    return findings, skipped, conditions


def _result(stage: Stage, rounds: Rounds, done: Passes, judged: Judged, *, complete: bool) -> Audit:
    study = stage.study
    findings, skipped, conditions = judged
    ranked = rank(findings, study.command)
    pictures: dict[str, bytes] = {}
    if study.request.images:
        ranked, pictures = drawn(ranked, study.data, done)
    skipped += unanswered(study.data, rounds.lost)
    about_model, about_data = described(study)
    tested, guess = _as_tested(study, done)
    report = Report(
        created=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        complete=complete,
        verdict=verdict(ranked, skipped, tested[0].accuracy if tested else None, guess),
        question=study.request.task.task.question,
        model=about_model,
        data={**about_data, "unreadable": sum(len(lost) for lost in rounds.lost.values())},
        settings=_settings(study, stage.chosen, done, sorted(rounds.sizes)),
        environment=_environment(),
        headline=(*tested, *conditions),
        findings=ranked,
        skipped=tuple(skipped),
        passes=_recorded(stage, rounds, done, skipped),
    )
    return Audit(redacted(report) if study.request.redact_paths else report, pictures, study.request.out)


def _recorded(stage: Stage, rounds: Rounds, done: Passes, skipped: Sequence[Skipped]) -> tuple[PassRecord, ...]:
    """The passes, with the rows that probes did without."""
    broken = {entry.probe for entry in skipped if entry.reason.startswith(BROKE)}
    spared = {
        one: rows
        for probe in stage.chosen
        if probe.topic not in broken
        for one, rows in probe.spared(stage.study.data, done).items()
    }
    return tuple(msgspec.structs.replace(rounds.records[one], spared=spared.get(one, 0)) for one in done)


def _as_tested(study: Study, done: Passes) -> tuple[list[Condition], float]:
    """The accuracy as tested, if there are labels, and the share of the commonest label (0 if there is no other)."""
    rows = labelled(study.data, done[Predict()]) if Predict() in done else None
    if rows is None:
        return [], 0.0
    accuracy = proportion_of(rows.correct, units=rows.units, name="accuracy")
    counts = np.bincount(rows.labels)
    guess = float(counts.max() / counts.sum()) if (counts > 0).sum() > 1 else 0.0
    return [Condition(condition="as tested", accuracy=accuracy)], guess


def _settings(study: Study, chosen: Sequence[Probe], done: Passes, sizes: Sequence[int]) -> dict[str, Any]:
    request = study.request
    methods = {
        probe.topic: {
            "question": probe.question, "method": " ".join((probe.__doc__ or "").split()), "finds": dict(probe.finds),
        }
        for probe in chosen
    }  # fmt: skip
    return {
        "seed": request.seed,
        "rows": study.data.limit,
        "batch_size": request.batch_size,
        "inference": inference(study.model) or "as it is",
        **({"batch_size_halved_to": list(sizes)} if sizes else {}),
        "probes": [probe.topic for probe in chosen],
        "assumed": [*_assumed(study), *_left_out(done), *_short_of_memory(sizes)],
        "must_not_matter": {cue: request.task.tolerance(cue) for cue in sorted(_cues(request))},
        "roles": {"site": list(study.data.roles.site), "unit": study.data.roles.unit, "time": study.data.roles.time},
        "frame": None if study.data.frame is None else str(study.data.frame),
        "command": study.command,
        "methods": methods,
    }


def _short_of_memory(sizes: Sequence[int]) -> Iterator[str]:
    if sizes:
        yield (
            f"Memory did not hold a whole batch: the model was shown {', '.join(map(str, sizes))} rows at once, by "
            "which the last bits of its answers may differ from those of an audit with more memory."
        )


def _assumed(study: Study) -> Iterator[str]:
    """Sentences about what nobody stated: it stands on the report."""
    yield from (f"Model: {note}." for note in study.model.notes)
    yield from (f"Data: {note}." for note in study.data.notes)
    request = study.request
    stated = request.task.must_not_matter
    quiet = ", ".join(cue.replace("_", " ") for cue in sorted(_cues(request)) if cue not in stated)
    if quiet and "shortcuts" in request.topics:
        yield f"At most 0.05 of the probability of the true class may rest on each of: {quiet}."
    if study.data.roles.unit is None:
        yield "Rows are independent of each other; name their unit (patient, track) in the task file if they are not."


def _left_out(done: Passes) -> Iterator[str]:
    """A sentence about what was not kept of the answers, where it was not all."""
    some = [one for one in done.values() if isinstance(one, Summarised)]
    if some:
        yield (
            f"Of {some[0].classes:,} classes the {some[0].logits.shape[1]} likeliest were kept of each answer to "
            f"changed rows, with the label's probability and the log-sum-exp ({len(some)} passes): accuracy, "
            "confidence and the label's probability are exact, what needs every class is not judged under change."
        )


def _cues(request: Request) -> set[str]:
    return {"border", "brightness", "colour_cast", "contrast", "sharpness", "region", *request.task.must_not_matter}


def _environment() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    for package in ("pfungst", "numpy", "scipy", "opencv-python-headless", "onnxruntime", "pyarrow", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {**found, **{f"plugin {name}": version for name, version in plugins().items()}}
