"""Comparing: two finished audits on the rows they share, from what they wrote; no model is asked."""

from pathlib import Path

import msgspec

from pfungst.audit_result import saved
from pfungst.comparison import Comparison, Setting, Side, matched
from pfungst.engine.cache import PLAIN, kept_answers, kept_units
from pfungst.errors import InputError
from pfungst.pairing import Run, changes, churn, paired
from pfungst.report.comparison import page
from pfungst.report.facts import facts, source
from pfungst.report.files import written
from pfungst.runs.owned import settled
from pfungst.runs.places import reading, working
from pfungst.statistics.estimate import Severity

DEFAULT_OUT = "pfungst-compare"


def compare(
    run_a: str | Path, run_b: str | Path, *, fail_at: Severity = "high", out: str | Path | None = None
) -> Comparison:
    """Compare two RUN folders; with ``out``, write ``compare.json`` and ``compare.html`` there.

    Each of the three may lie in an object store. Rows are paired by id. Nothing is recomputed, so the audits need not
    have asked the same probes.

    Raises:
        InputError: if a folder holds no finished audit, they share no rows, or ``out`` holds something and no audit or
            comparison; nothing was written then.
    """
    a, b = _opened(run_a), _opened(run_b)
    shared, first, second, units = paired(a, b)
    result = Comparison(
        a=_side(a), b=_side(b), shared=shared, changes=changes(first, second, units),
        findings=matched(a.report, b.report), churn=churn(first, second, units), settings=_settings(a, b),
        fail_at=fail_at,
    )  # fmt: skip
    if out is not None:
        _save(result, out)
    return result


def _save(result: Comparison, out: str | Path) -> None:
    packed = msgspec.json.format(msgspec.json.encode(result, order="deterministic"), indent=1)
    try:
        with working(out) as place:
            settled(place.folder)
            place.folder.mkdir(parents=True, exist_ok=True)
            written(place.folder / "compare.html", page(result).encode("utf-8", "replace"))
            written(place.folder / "compare.json", packed + b"\n")
    except OSError as error:
        raise InputError(f"writing to {out} failed ({error.strerror or error}); name another with --out") from None


def _opened(run: str | Path) -> Run:
    with reading(run, "audit.json", "thumbnails.zip", PLAIN) as folder:
        return _read(folder, str(run))


def _read(folder: Path, name: str) -> Run:
    report = saved(folder).report
    if not report.complete:
        raise InputError(f"the audit in {folder} is not finished; give its command again, then compare")
    plain = [one for one in report.passes if one.name == "as it is" and one.on == "test"]
    files = [file for one in plain for file in (folder / "answers").glob(f"*.{one.key}.parquet")]
    if not files:
        raise InputError(f"{folder} keeps no answers to the test rows; audit again without moving the folder answers")
    kept = [(kept_answers(file), file) for file in files]
    (outputs, labels, ids), file = max(kept, key=lambda one: len(one[0][1]))
    return Run(name, report, outputs, labels, ids, kept_units(file))


def _side(run: Run) -> Side:
    report = run.report
    return Side(
        model=source(report, "model"), data=source(report, "data"), created=report.created, rows=len(run.ids),
        model_fingerprint=str(report.model.get("fingerprint", "")), data_fingerprint=run.fingerprint,
        generalizes=report.verdict.generalizes, sentence=report.verdict.sentence,
    )  # fmt: skip


def _settings(a: Run, b: Run) -> tuple[Setting, ...]:
    """What was set or installed otherwise."""
    left_out = {"command", "methods", "assumed"}
    first, second = (
        dict(facts({k: v for k, v in run.report.settings.items() if k not in left_out} | dict(run.report.environment)))
        for run in (a, b)
    )
    names = sorted(first.keys() | second.keys())
    each = ((name, first.get(name, "not given"), second.get(name, "not given")) for name in names)
    return tuple(Setting(name=name, a=one, b=other) for name, one, other in each if one != other)
