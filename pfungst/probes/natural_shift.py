"""Natural shift: what is left of the accuracy on rows from elsewhere or later, with labels or without."""

from collections.abc import Iterator
from dataclasses import dataclass

from pfungst.datasets.dataset import Dataset
from pfungst.errors import TooFew
from pfungst.findings import AnyEvidence, Condition, Estimates, Finding, Skipped
from pfungst.methods.accuracy_gap import AccuracyGap, decomposed
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, labelled
from pfungst.probes.accuracy_without_labels import ASSUMPTION, Miss, Unlabelled, members_of, misses_of, unlabelled
from pfungst.probes.known_parts import known_passes
from pfungst.probes.newness import Compared, compared, features_pass
from pfungst.probes.prevalence import prevalence
from pfungst.statistics.estimate import Estimate, severity
from pfungst.statistics.intervals import apart, mean, proportion_of
from pfungst.statistics.significance import p_at_most

FEWEST, KNOWN, SHOWN = 30, 4096, 9
"""Labelled rows that say anything, test rows whose features are kept (as many as other chapters ask), rows shown."""

_CLEAN = Predict()
_TOPIC = "shift"


@dataclass(frozen=True, eq=False)
class _Set:
    """What is known of one further set before it is judged."""

    name: str
    compared: Compared | str
    unlabelled: Unlabelled | str
    shares: tuple[AnyEvidence, ...]
    more_changed: str

    @property
    def subject(self) -> str:
        return self.name.removeprefix("shifted:")

    @property
    def shown(self) -> tuple[AnyEvidence, ...]:
        """The pieces of evidence that need no labels."""
        tests = () if isinstance(self.compared, str) else self.compared.shown
        estimates = () if isinstance(self.unlabelled, str) else (self.unlabelled.table,)
        return (*tests, *self.shares, *estimates)


def further_sets(data: Dataset) -> list[str]:
    """Names of the sets that were given as shifted."""
    return [name for name in data.companions if name.startswith("shifted:")]


def natural_passes(data: Dataset) -> Iterator[Predict]:
    """Each further set as it is, a sample of it and of the test rows with features, and what other members say."""
    names = further_sets(data)
    if names and data.modality != "answers":
        yield from (_CLEAN, _known(data))
        for name in names:
            yield from (Predict(on=name), features_pass(name), *members_of(data, Predict(on=name)))


def natural_shifts(data: Dataset, done: Passes, tolerance: float) -> Iterator[Finding | Skipped | Condition]:
    """Two findings and a condition for each further set with labels; an estimate that settles nothing without."""
    asked = {name: Predict(on=name) in done and features_pass(name) in done for name in further_sets(data)}
    for name in (name for name, answered in asked.items() if not answered):
        reason = "the model was not asked about these rows: recorded answers know no others; give the model itself"
        yield Skipped(probe=_TOPIC, subject=name.removeprefix("shifted:"), reason=reason)
    names = [name for name, answered in asked.items() if answered]
    test = labelled(data, done[_CLEAN]) if names else None
    if test is None or len(test.labels) < FEWEST:
        for name in names:
            have = 0 if test is None else len(test.labels)
            reason = f"{have} test rows carry labels; {FEWEST} are needed to say what of the accuracy is lost elsewhere"
            few = test is not None
            yield Skipped(probe=_TOPIC, subject=name.removeprefix("shifted:"), reason=reason, too_few=few)
        return
    misses = misses_of(data, done, test, names)
    for name in names:
        yield from _judged(data, done, test, name, misses=misses, tolerance=tolerance)


def _known(data: Dataset) -> Predict:
    return known_passes(data, KNOWN)[0]


def _judged(
    data: Dataset, done: Passes, test: Labelled, name: str, *, misses: list[Miss], tolerance: float
) -> Iterator[Finding | Skipped | Condition]:
    tests = compared(data, done, _known(data), name, SHOWN)
    estimates = unlabelled(data, done, test, name, misses, doubt="" if isinstance(tests, str) else tests.doubt)
    shares, more = prevalence(data, done, test, _known(data), name)
    one = _Set(name, tests, estimates, () if shares is None else (shares,), more)
    yield from (
        Skipped(probe=_TOPIC, subject=one.subject, reason=reason)
        for reason in (tests, estimates)
        if isinstance(reason, str)
    )
    rows = labelled(data.on(name), done[Predict(on=name)])
    if rows is not None and len(rows.labels) >= FEWEST:
        accuracy = proportion_of(rows.correct, units=rows.units, name="accuracy")
        yield Condition(condition=one.subject, accuracy=accuracy)
        yield _fragile(one, test, rows, accuracy, tolerance, seed=data.seed)
        yield _overconfident(one, test, rows, tolerance)
        return
    if rows is not None:
        reason = TooFew(f"{len(rows.labels)} of its rows carry labels; {FEWEST} are the least that say anything")
        yield Skipped(probe=_TOPIC, subject=one.subject, reason=reason)
    if not isinstance(estimates, str):
        yield _estimated(one, estimates, test, tolerance)


def _fragile(one: _Set, test: Labelled, rows: Labelled, accuracy: Estimate, tolerance: float, *, seed: int) -> Finding:
    before = proportion_of(test.correct, units=test.units, name="accuracy")
    gap = decomposed((test.correct, rows.correct), (test.labels, rows.labels), (test.units, rows.units), seed=seed)
    loss = gap.whole
    status = loss.against(tolerance)
    parts = Estimates(
        title="What the accuracy is lost to", items=tuple(gap), reference=0.0, reference_name="nothing lost"
    )
    return Finding(
        probe=_TOPIC,
        kind="fragile",
        subject=one.subject,
        status=status,
        severity=severity(loss, "loss", tolerance) if status == "found" else "none",
        claim=f"On {one.subject} the accuracy is {accuracy.value:.3f} ({accuracy.rows} {accuracy.unit}s) where it is "
        f"{before.value:.3f} on the test rows: {loss:.3f} is lost (tolerance "
        f"{tolerance})." + _settle(loss, tolerance) + _explained(gap, status) + one.more_changed + _foreseen(one, rows),
        effect=loss,
        tolerance=tolerance,
        p_value=min(1.0, 2 * p_at_most(loss, 0.0)),
        evidence=(parts, *one.shown),
        remedy=f"train on rows like those of {one.subject}, or keep the model from them" if status == "found" else "",
    )


def _explained(gap: AccuracyGap, status: str) -> str:
    if status != "found":
        return ""
    return (
        f" How common each class is there explains {gap.prevalence:.3f} of it; {gap.within:.3f} is lost within classes."
    )


def _foreseen(one: _Set, rows: Labelled) -> str:
    """What would have been thought without the labels."""
    if isinstance(one.unlabelled, str):
        return ""
    found = [each.value for each in one.unlabelled.estimates]
    off = max(abs(value - float(rows.correct.mean())) for value in found)
    return (
        f" Without labels {min(found):.2f} to {max(found):.2f} would have been estimated, up to {off:.2f} off"
        f"{'' if one.unlabelled.trusted else ', and no estimate trusted'}."
    )


def _overconfident(one: _Set, test: Labelled, rows: Labelled, tolerance: float) -> Finding:
    there, here = (
        mean(
            some.outputs.confidence - some.correct,
            some.units,
            f"confidence less accuracy {where}",
            (-1.0, 1.0),
        )
        for some, where in ((rows, f"on {one.subject}"), (test, "on the test rows"))
    )
    grown = apart(there, here, furthest=2.0)
    gap = Estimate(
        name="confidence that did not follow", value=grown.value, low=grown.low, high=grown.high, level=grown.level,
        rows=grown.rows, unit=grown.unit,
    )  # fmt: skip
    status = gap.against(tolerance)
    return Finding(
        probe=_TOPIC,
        kind="overconfident",
        subject=one.subject,
        status=status,
        severity=severity(gap, "calibration", tolerance) if status == "found" else "none",
        claim=f"On {one.subject} the stated confidence is {rows.outputs.confidence.mean():.3f} at an accuracy of "
        f"{rows.correct.mean():.3f}, on the test rows {test.outputs.confidence.mean():.3f} at "
        f"{test.correct.mean():.3f}: the gap grows by {gap:.3f} (tolerance "
        f"{tolerance})." + _settle(gap, tolerance),
        effect=gap,
        tolerance=tolerance,
        evidence=(Estimates(title="Confidence less accuracy", items=(here, there), reference=0.0),),
        remedy="do not gate on its confidence there; fit a temperature to labelled rows of it"
        if status == "found"
        else "",
    )


def _estimated(one: _Set, found: Unlabelled, test: Labelled, tolerance: float) -> Finding:
    before, spread = float(test.correct.mean()), found.spread
    loss = Estimate(
        name="accuracy lost, estimated", value=before - spread.value, low=before - spread.high,
        high=before - spread.low, rows=spread.rows, unit=spread.unit,
    )  # fmt: skip
    trust = f"trusted: {', '.join(found.trusted)}" if found.trusted else "none of the estimates is trusted"
    return Finding(
        probe=_TOPIC,
        kind="fragile",
        subject=one.subject,
        status="inconclusive",
        severity="none",
        claim=f"{one.subject} carries no labels to know the accuracy by; it is estimated to lie between "
        f"{spread.low:.2f} and {spread.high:.2f} ({before:.3f} on the test rows), which {ASSUMPTION}; {trust}."
        + one.more_changed,
        effect=loss,
        tolerance=tolerance,
        evidence=one.shown,
        remedy=f"label 400 rows of {one.subject}, drawn at random: the accuracy is then known to ±0.05",
    )


def _settle(effect: Estimate, tolerance: float) -> str:
    if effect.against(tolerance) != "inconclusive":
        return ""
    return f" {effect.settled_by(tolerance).capitalize()}."
