"""Cards: one finding each, with the figures that fit, the telling ones first."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pfungst.findings import Confusions, Estimates, Examples, Finding, OpportunityReliance, Report, Table
from pfungst.report import words
from pfungst.report.figures import draw
from pfungst.report.forest import strip
from pfungst.report.gallery import SHOWN, Pictures, gallery
from pfungst.report.markup import Markup
from pfungst.report.numbers import bounds, p_value, percent, plain, rows, value

LARGEST = 20_000
WORDS = {"inconclusive": "undecided", "absent": "excluded"}

Card = dict[str, Any]


class Budget:
    """What the page may still hold: pictures, and bytes of figures besides them, spent in the order of rank."""

    def __init__(self, pictures: Pictures, figures: int) -> None:
        self.pictures = pictures
        self.figures = figures

    def drawn(self, finding: Finding) -> tuple[list[Markup], list[Markup], int]:
        """The figures that tell most, the others, and how many did not fit."""
        evidence = [each for each in finding.evidence if not isinstance(each, OpportunityReliance)]
        telling = _telling(evidence) if finding.status == "found" else []
        most = SHOWN // max(1, sum(isinstance(each, Examples) for each in evidence))
        # Whatever is left out, the telling figures are the last.
        fitted = {index: self._fitted(evidence[index], most) for index in (*telling, *_others(evidence, telling))}
        left_out = sum(figure is None for figure in fitted.values())
        lead = [figure for index in telling if (figure := fitted[index]) is not None]
        rest = [figure for index in _others(evidence, telling) if (figure := fitted[index]) is not None]
        return lead, rest, left_out

    def _fitted(self, evidence: Any, most: int) -> Markup | None:
        if self.figures <= 0:
            return None
        before = self.pictures.spent
        figure = gallery(evidence, self.pictures, most) if isinstance(evidence, Examples) else draw(evidence)
        size = len(figure.encode()) - (self.pictures.spent - before)
        if size > LARGEST and isinstance(evidence, Confusions) and evidence.counts:
            return self._fitted(msgspec.structs.replace(evidence, counts=()), most)
        if size > min(LARGEST, self.figures):
            return None
        self.figures -= size
        return figure


def _telling(evidence: Sequence[Any]) -> list[int]:
    """The first drawing and the first pictures; else whatever comes first."""
    pictures = [index for index, each in enumerate(evidence) if isinstance(each, Examples)][:1]
    wordy = Examples | Estimates | Table | Confusions
    drawings = [index for index, each in enumerate(evidence) if not isinstance(each, wordy)][:1]
    return drawings + pictures or list(range(min(1, len(evidence))))


def _others(evidence: Sequence[Any], telling: Sequence[int]) -> list[int]:
    return [index for index in range(len(evidence)) if index not in telling]


def cards(report: Report, status: str, budget: Budget) -> list[list[Card]]:
    """The findings of a status as ranked; those of one cause stand together, below the gravest of them."""
    ranked = [(index, finding) for index, finding in enumerate(report.findings, 1) if finding.status == status]
    subjects = Counter(finding.subject for _, finding in ranked)
    groups: dict[object, list[tuple[int, Finding]]] = {}
    for index, finding in ranked:
        groups.setdefault(_cause(finding, subjects), []).append((index, finding))
    return [[_card(*one, budget, reach=_reach(group)) for one in group] for group in groups.values()]


def _reach(group: Sequence[tuple[int, Finding]]) -> float:
    """How far the effects of a group go, which is how far each of their scales goes."""
    return max(abs(bound) for _, finding in group for bound in (finding.effect.low, finding.effect.high))


def _cause(finding: Finding, subjects: Mapping[str, int]) -> object:
    """What findings of one cause share: what they are about, else the kind of trouble and what is to be done."""
    if finding.subject and subjects[finding.subject] > 1:
        return finding.subject
    return finding.probe, finding.kind, finding.remedy


def anchor(finding: Finding, index: int) -> str:
    """Where on the page a finding stands."""
    return finding.id or f"finding-{index}"


def mark(finding: Finding) -> str:
    """The sign that stands for how grave it is."""
    return finding.severity if finding.status == "found" else finding.status


def _card(index: int, finding: Finding, budget: Budget, *, reach: float) -> Card:
    lead, rest, left_out = budget.drawn(finding)
    tested = finding.p_adjusted if finding.p_adjusted is not None else finding.p_value
    return {
        "finding": finding,
        "anchor": anchor(finding, index),
        "mark": mark(finding),
        "word": WORDS.get(finding.status, finding.severity),
        "title": words.title(finding),
        "why": words.of(finding).why,
        "value": value(finding.effect),
        "bounds": bounds(finding.effect),
        "level": percent(finding.effect.level),
        "rows": rows(finding.effect),
        "tolerance": None if finding.tolerance is None else plain(finding.tolerance),
        "p": None if tested is None else p_value(tested) + (" (adjusted)" if finding.p_adjusted is not None else ""),
        "strip": strip(finding.effect, finding.tolerance, worse=finding.status == "found", reach=reach),
        "lead": lead,
        "rest": rest,
        "left_out": left_out,
        "in_quadrants": any(isinstance(evidence, OpportunityReliance) for evidence in finding.evidence),
    }


def quadrants(report: Report) -> Iterator[OpportunityReliance]:
    """Each distinct 2x2 once, however many findings show it."""
    seen: list[OpportunityReliance] = []
    for finding in report.findings:
        for evidence in finding.evidence:
            if isinstance(evidence, OpportunityReliance) and evidence not in seen:
                seen.append(evidence)
                yield evidence
