"""Sites: is the label known from where a row was recorded, and does the answer follow the place instead of the case?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.errors import TooFew
from pfungst.findings import Condition, Finding, Skipped
from pfungst.methods.site_features import Kept, kept
from pfungst.methods.site_pairs import PairTest, area_within, decomposition, moved, pair_tests
from pfungst.methods.site_tests import A_SIDE, Sited, association, from_influence, inseparable, levels
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, Probe, labelled, probes
from pfungst.probes.known_parts import positions
from pfungst.probes.site_gaps import AtSites, gaps
from pfungst.probes.site_groups import group_gaps
from pfungst.probes.site_metadata import metadata_area
from pfungst.probes.site_shares import shares
from pfungst.probes.site_verdict import Confounding
from pfungst.probes.site_words import confounded
from pfungst.task import Task

_CLEAN, _FEATURES = Predict(), Predict(features=True, rows=4096)


@probes
@dataclass(frozen=True, kw_only=True)
class Sites(Probe):
    """Confounding of label and site: probability that goes with the site given the label, pooled less within-site AUC.

    ``confounded``: label and site go together, and rows of one label are given more probability for what is commoner
    where they come from. ``gap``: accuracy of the worst site, and errors of the worst group, against the others.
    ``prevalence``: shares of the classes.
    """

    topic: ClassVar[str] = "sites"
    question: ClassVar[str] = "Does the answer follow the case, or the place where it was recorded?"
    finds: ClassVar[Mapping[str, str]] = {
        "confounded": "Label and site go together, and the answer follows the site or cannot be told from it.",
        "gap": "Accuracy at the worst site lies below that at the others.",
        "prevalence": "The classes' shares differ between sites.",
    }
    tolerance: float = 0.05
    gap: float = 0.05
    fewest: int = 2 * A_SIDE

    def for_task(self, task: Task) -> Self:
        """How much of the answer may rest on the site."""
        return replace(self, tolerance=task.tolerance("site"))

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """The rows as they are, and a sample of them with features."""
        del done
        if data.labels is None:
            return
        if data.roles.site:
            yield from (_CLEAN, _FEATURES)
        elif data.roles.group:
            yield _CLEAN

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped | Condition]:
        """Three findings for each column that is named as a site, one for each group."""
        rows = labelled(data, done[_CLEAN]) if _CLEAN in done else None
        yield from self._groups(data, rows)
        if not data.roles.site:
            reason = 'no column is named as a site; if there is one, name it: [columns] site = ["hospital"]'
            yield Skipped(probe=self.topic, reason=reason)
            return
        for column in data.roles.site:
            reason = self._lacking(data, rows, column)
            if reason:
                yield Skipped(probe=self.topic, subject=column, reason=reason)
            elif rows is not None:
                yield from self._judged(data, done, rows, column)

    def _groups(self, data: Dataset, rows: Labelled | None) -> Iterator[Finding | Skipped | Condition]:
        """What is worse for some groups than for others."""
        if rows is not None:
            yield from group_gaps(data, rows, self.gap)
            return
        for column in data.roles.group:
            yield Skipped(probe=self.topic, kind="gap", subject=column, reason="the rows carry no labels")

    def _lacking(self, data: Dataset, rows: Labelled | None, column: str) -> str:
        """Why nothing can be said of a column, or ""."""
        if rows is None:
            return "the rows carry no labels"
        codes, names = levels(data.columns[column][positions(rows.outputs)])
        if len(np.unique(rows.labels)) < 2:
            return "all rows are of one class, which no site can be mistaken for"
        if len(names) < 2:
            return (
                f"all rows come from one site ({names[0]}): what of the answer is owed to it cannot be seen from here"
            )
        if rows.units is not None and len(np.unique(rows.units.astype(str))) < 2:
            return TooFew("all labelled rows are of one unit; what holds for it need not hold for another")
        sizes = np.bincount(codes)
        if (sizes >= self.fewest).sum() < 2:
            large = int((sizes >= self.fewest).sum())
            return TooFew(
                f"{'one' if large else 'none'} of {len(names)} sites has {self.fewest} labelled rows; two such sites "
                "are the least that can be compared"
            )
        return ""

    def _judged(
        self, data: Dataset, done: Passes, rows: Labelled, column: str
    ) -> Iterator[Finding | Skipped | Condition]:
        sited = _sited(data, rows, column)
        features = labelled(data, done[_FEATURES]) if _FEATURES in done else None
        seen = None if features is None else (_sited(data, features, column).pooled(), features)
        tests: tuple[PairTest, ...] = ()
        if not rows.outputs.complete:
            reason = "only the probability of the answer is recorded; give those of all classes"
            yield Skipped(probe=self.topic, kind="confounded", subject=column, reason=reason)
        else:
            found = self._confounding(data, sited, rows, column)
            known = _kept(data, seen)
            if isinstance(known, str):
                yield Skipped(probe=self.topic, kind="confounded", subject=column, reason=known)
            yield confounded(found, () if isinstance(known, str) else known, self.tolerance)
            tests = found.tests
        at = AtSites(data, rows, column, sited.pooled())
        yield from gaps(at, seen, self.gap)
        yield from shares(at, tests, self.gap)

    def _confounding(self, data: Dataset, whole: Sited, rows: Labelled, column: str) -> Confounding:
        sited = whole.pooled()
        link = association(sited, data.seed)
        # The site's shares may be compared within their folds only, and so both are.
        alone, model = (area_within(sited, scores, link.folds) for scores in (link.log_shares, sited.log_odds))
        beyond = model.value - alone.value, model.influence - alone.influence
        return Confounding(
            column=column,
            classes=data.classes,
            sited=sited,
            link=link,
            alone=alone,
            beyond=from_influence("AUC beyond that of the site alone", *beyond, sited.units),
            why=inseparable(whole, alone.value) if link.p_value <= 0.05 else "",
            # Pairs from one site are pairs from one true site, however small.
            parts=decomposition(whole, whole.log_odds),
            moved=moved(sited, seed=data.seed),
            tests=pair_tests(sited),
            metadata=metadata_area(data, rows, sited),
        )


def _sited(data: Dataset, rows: Labelled, column: str) -> Sited:
    codes, names = levels(data.columns[column][positions(rows.outputs)])
    return Sited(rows.outputs.log_probabilities, rows.labels, codes, names, rows.units)


def _kept(data: Dataset, seen: tuple[Sited, Labelled] | None) -> tuple[Kept, ...] | str:
    """How well each label's features tell the site, or why that was not asked."""
    if seen is None or seen[1].outputs.features is None:
        return "whether the site is kept in the network was not tested: the model offers no features"
    found = kept(seen[0], seen[1].outputs.features, seed=data.seed)
    reason = "whether the site is kept in the network was not tested: no class has 30 rows at two sites"
    return found or TooFew(reason)
