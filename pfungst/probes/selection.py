"""Selection: were the tested rows chosen so that they are easier, or known already, than those to come?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.findings import AnyEvidence, Condition, Estimates, Finding, Skipped, Table
from pfungst.methods.inclusion import inclusion_weights, reweighted, worst_accuracy
from pfungst.methods.near_duplicates import near_duplicates
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, Probe, labelled, none_of, probes
from pfungst.probes.framing import Framing
from pfungst.probes.known_parts import known_passes, positions
from pfungst.probes.natural_shift import KNOWN, further_sets
from pfungst.probes.newness import NEWEST, compared, features_pass, side_by_side
from pfungst.probes.repeated_rows import rows_read
from pfungst.statistics.estimate import Estimate, Severity, severity
from pfungst.statistics.intervals import proportion_of
from pfungst.task import Task

_CLEAN = Predict()
FEWEST = 100
ODDS = (1.5, 2.0, 3.0)


@probes
@dataclass(frozen=True, kw_only=True)
class Selection(Probe):
    """``centred``: accuracy lost when objects that lie in the middle are moved.

    Where objects lie is read off masks or columns of boxes; ``box`` names these where they are not called x1, y1, x2,
    y2 or alike. ``leak``: share of rows that stand in the training set too, or share a unit with it.
    ``unrepresentative``: how well a classifier tells the tested rows from a further set (AUC less 0.5), and what the
    accuracy is when weighted to look like it.
    """

    topic: ClassVar[str] = "selection"
    question: ClassVar[str] = "Were the tested rows chosen so that they are easier than those to come?"
    finds: ClassVar[Mapping[str, str]] = {
        "centred": "Objects lie in the middle of the pictures, and the answers need them there.",
        "leak": "Tested rows stand in the training set.",
        "unrepresentative": "The tested rows are unlike the rows to come.",
    }
    tolerance: float = 0.05
    leaked: float = 0.01
    apart: float = 0.1
    middle: float = 0.1
    rows: int = 1000
    box: tuple[str, ...] = ()

    def for_task(self, task: Task) -> Self:
        """The columns of boxes that the task file names."""
        return replace(self, box=task.columns.box)

    @property
    def _framing(self) -> Framing:
        return Framing(tolerance=self.tolerance, middle=self.middle, rows=self.rows, box=self.box)

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """The rows as they are, off-centre where their place is known, and samples of further sets."""
        del done
        yield _CLEAN
        yield from self._framing.needs(data)
        if data.modality != "answers" and further_sets(data):
            yield known_passes(data, KNOWN)[0]
            yield from (features_pass(name) for name in further_sets(data))

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped | Condition]:
        """A finding of each kind, or why there is none."""
        rows = labelled(data, done[_CLEAN])
        if rows is None or len(rows.labels) < FEWEST:
            yield Skipped(probe=self.topic, reason=none_of(rows, FEWEST))
            return
        yield self._framing.judge(data, done)
        yield self._leak(data, rows)
        names = further_sets(data) if data.modality != "answers" else []
        for name in names:
            yield self._unrepresentative(data, done, name)
        if not names:
            reason = "no rows to come are known; give a sample, labelled or not: --shifted NAME=DATA"
            yield Skipped(probe=self.topic, kind="unrepresentative", reason=reason)

    def _leak(self, data: Dataset, rows: Labelled) -> Finding | Skipped:
        if "train" not in data.companions or data.modality == "answers":
            reason = "the rows it was trained on are not known; give them: --train DATA"
            return Skipped(probe=self.topic, kind="leak", reason=reason)
        train, here = data.companions["train"], rows.outputs.rows
        assert here is not None, "answers of a pass know their rows"
        shared = np.zeros(len(here), bool)
        if data.units is not None and train.units is not None:
            shared = np.isin(data.units[here].astype(str), train.units.astype(str))
        positions, inputs = rows_read(data)
        known, others = rows_read(train)
        if not shared.any() and not (len(positions) and len(known)):
            return Skipped(probe=self.topic, kind="leak", reason="the training rows carry no labels or cannot be read")
        twins = positions[near_duplicates(inputs, others)[:, 0]] if len(positions) and len(known) else positions[:0]
        compared_ = np.isin(here, positions) | shared
        leaks = (np.isin(here, twins) | shared)[compared_]
        share = proportion_of(leaks, name="share of rows that leaked")
        status = share.against(self.leaked)
        correct = rows.correct[compared_]
        parts = ((leaks, "accuracy on rows that leaked"), (~leaks, "accuracy on the others"))
        told = tuple(proportion_of(correct[part], name=name) for part, name in parts if part.any())
        return Finding(
            probe=self.topic,
            kind="leak",
            subject="",
            status=status,
            severity=_low_at_least(severity(share, "loss", self.leaked)) if status == "found" else "none",
            claim=f"{int(leaks.sum())} of {len(leaks)} rows ({share:.1%}) "
            f"stand in the training set too, or share a unit with it (tolerance {self.leaked:.0%}).",
            effect=share,
            tolerance=self.leaked,
            evidence=(Estimates(title="Accuracy on rows that leaked, and on the others", items=told),),
            remedy="split by unit, drop near-duplicates, and test again" if status == "found" else "",
        )

    def _unrepresentative(self, data: Dataset, done: Passes, name: str) -> Finding | Skipped:
        subject, known = name.removeprefix("shifted:"), known_passes(data, KNOWN)[0]
        if features_pass(name) not in done or known not in done:
            reason = "the model was not asked about these rows; recorded answers know no others"
            return Skipped(probe=self.topic, kind="unrepresentative", subject=subject, reason=reason)
        found = compared(data, done, known, name, 6)
        if isinstance(found, str) or NEWEST not in found.tests:
            reason = found if isinstance(found, str) else "no classifier was fitted"
            return Skipped(probe=self.topic, kind="unrepresentative", subject=subject, reason=reason)
        test, rows = found.tests[NEWEST], min(len(done[known]), len(done[features_pass(name)]), self.rows)
        # Hanley and McNeil's largest error of an AUC, at 0.5.
        wide = 1.96 * np.sqrt((2 * rows + 1) / (12 * rows * rows))
        away = Estimate(
            name="AUC of telling them apart, less 0.5", value=test.effect - 0.5, low=test.effect - 0.5 - wide,
            high=test.effect - 0.5 + wide, rows=rows,
        )  # fmt: skip
        status = away.against(self.apart)
        weighed = tuple(self._weighted(data, done, known, name))
        return Finding(
            probe=self.topic,
            kind="unrepresentative",
            subject=subject,
            status=status,
            severity=_weight(weighed, self.tolerance) if status == "found" else "none",
            claim=f"A classifier tells the tested rows from {subject} with an AUC of {test.effect:.2f} "
            f"[{0.5 + away.low:.2f}, {0.5 + away.high:.2f}] (p = {found.p_values[NEWEST]:.2g}; {test.detectable:.2f} "
            "would be found in four of five cases). Weighting repairs only what it sees.",
            effect=away,
            tolerance=self.apart,
            p_value=test.p_value,
            evidence=(*weighed, *found.shown),
            remedy="test on a random sample of the rows to come" if status == "found" else "",
        )

    def _weighted(self, data: Dataset, done: Passes, known: Predict, name: str) -> Iterator[AnyEvidence]:
        """Accuracy weighted to look like the further set, and what selection by what nobody recorded could hide."""
        reference = done[known].take(np.isin(positions(done[known]), data.sample(self.rows)))
        try:
            reference, _, pair = side_by_side(data, name, reference, done[features_pass(name)])
            rows = labelled(data, reference)
            if rows is None or len(rows.labels) < len(reference):
                return
            weighted = reweighted(rows.correct, inclusion_weights(pair.reference, pair.new, data.seed))
        except InputError as error:
            yield Table(title="The accuracy was not weighted", columns=("why",), rows=((str(error),),))
            return
        plain = proportion_of(rows.correct, rows.units, "accuracy as tested")
        title = f"Accuracy weighted to look like {name.removeprefix('shifted:')} ({weighted.worth:.0f} rows' worth)"
        yield Estimates(title=title, items=(plain, weighted.accuracy))
        lines = tuple((f"{odds:g}", f"{worst_accuracy(weighted.accuracy.value, odds):.3f}") for odds in ODDS)
        yield Table(
            title="Accuracy at worst, if what nobody recorded changed the odds of a wrong row being chosen",
            columns=("by at most a factor of", "accuracy"),
            rows=lines,
        )


def _low_at_least(found: Severity) -> Severity:
    return "low" if found == "none" else found


def _weight(weighed: tuple[AnyEvidence, ...], tolerance: float) -> Severity:
    """Medium where the weighted accuracy is known to lie lower by more than the tolerance, else low."""
    pair = next((one.items for one in weighed if isinstance(one, Estimates)), None)
    return "medium" if pair is not None and pair[0].low - pair[1].high > tolerance else "low"
