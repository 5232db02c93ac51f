"""Unknowns: what the model states when it is shown what belongs to none of its classes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pfungst.datasets.dataset import Dataset
from pfungst.errors import TooFew
from pfungst.findings import Finding, Skipped
from pfungst.passes import Pass, Passes, Predict
from pfungst.probe import Probe, probes
from pfungst.probes.detection import Detection, detect, member_passes, nudged_passes
from pfungst.probes.detection_words import undetectable
from pfungst.probes.known_parts import KnownParts, known_parts, known_passes
from pfungst.probes.stated_confidence import confident
from pfungst.probes.stranger_looks import Bounds, unsettled
from pfungst.probes.stranger_sets import MADE, Kind, StrangerSet, asked_of, brought, made, own, pooled

_CLEAN = Predict()


@probes
@dataclass(frozen=True, kw_only=True)
class Unknowns(Probe):
    """Share of strangers stated above ``sure``, and whether any score tells strangers from known rows.

    An honest answer to a stranger is 1/K for each of K classes. ``undetectable`` is the share of strangers let through
    at the threshold that keeps 95 % of known rows; the score is chosen on half of the strangers and reported on the
    other half, scores of features are fitted on known rows that are not reported on. Where nobody brought strangers,
    some are made of the test rows, and of a kind whose verdict the first of them settle no more are asked about;
    intervals hold whenever one stops. (Hendrycks and Gimpel 2017, Liu et al. 2020, Sun et al. 2022, Wang et al. 2022;
    Jennison and Turnbull 1989, with Bonferroni's bound over the looks.)
    """

    topic: ClassVar[str] = "unknowns"
    question: ClassVar[str] = "What does it say to something that belongs to none of its classes?"
    finds: ClassVar[Mapping[str, str]] = {
        "confident": "Things of none of its classes are answered with high confidence.",
        "undetectable": "Things of none of its classes are not told from known rows.",
    }
    tolerance: float = 0.02
    let_through: float = 0.10
    sure: float = 0.9
    promised: float = 0.05
    share_of_strangers: float = 0.05
    fewest: int = 30
    rows: int = 4096
    made_rows: tuple[int, int] = (64, 192)
    odin: bool = False
    shown: int = 12

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """The known rows and each set of strangers as they are, with features where the model offers them."""
        yield _CLEAN
        names, kinds = own(data), self._kinds(data)
        if names or kinds:
            yield from known_passes(data, self.rows)
            yield from member_passes(data, _CLEAN)
            if self.odin:
                yield from nudged_passes([_CLEAN])
        first = [Predict(on=name, features=True, rows=self.rows) for name in names] or [kind[0] for kind in kinds]
        yield from self._asked(data, first)
        yield from (Predict(on=name) for name in names)
        if kinds and all(one in done for one in first):
            bounds = Bounds(self.tolerance, self.sure, self.let_through, self.rows, self._least)
            yield from self._asked(data, [one for kind in unsettled(data, done, kinds, bounds) for one in kind[1:]])

    def _asked(self, data: Dataset, strangers: Sequence[Predict]) -> Iterator[Predict]:
        for one in strangers:
            yield from (one, *member_passes(data, one), *(nudged_passes([one]) if self.odin else ()))

    def _kinds(self, data: Dataset) -> list[Kind]:
        return [] if own(data) else made(data, *self.made_rows)

    @property
    def _least(self) -> int:
        """Known rows, at least, of each part into which they are divided."""
        return round(1 / self.promised)

    def spared(self, data: Dataset, done: Passes) -> Mapping[Pass, int]:
        """The first pass of each kind of made strangers that it settled, or that is no matter."""
        asked = [kind for kind in self._kinds(data) if kind[0] in done and not any(one in done for one in kind[1:])]
        return {kind[0]: rows for kind in asked if (rows := sum(asked_of(one, data) for one in kind[1:]))}

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped]:
        """Two findings for each set of strangers; of made ones, those kinds that are stated with certainty."""
        names = own(data)
        kinds = list(pooled(data, done, self._kinds(data)))
        if not names and not kinds:
            yield Skipped(probe=self.topic, reason="no strangers were given; name some with --ood NAME=DATA")
        given = {name: brought(data, done, name, self.rows) for name in names}
        sets = [some for some in given.values() if some is not None and len(some.plain) >= self.fewest]
        for name, some in given.items():
            yield from self._left_out(name.removeprefix("ood:"), some)
        if kinds and len(kinds[0].plain) < self.fewest:
            yield Skipped(
                probe=self.topic, subject=MADE, reason=self._too_few(len(kinds[0].plain)), too_few=True
            )  # fmt: skip
            kinds = []
        parts = known_parts(data, done, self.rows, [some.scored for some in (*sets, *kinds[-1:])])
        for some in sets:
            yield self._confident(data, done, some)
        yield from self._confident_of_made(data, done, kinds)
        yield from self._detected(data, done, parts, [*sets, *kinds[-1:]])

    def _confident(self, data: Dataset, done: Passes, some: StrangerSet) -> Finding:
        return confident(data, done[_CLEAN], some, tolerance=self.tolerance, sure=self.sure, shown=self.shown)

    def _confident_of_made(self, data: Dataset, done: Passes, kinds: Sequence[StrangerSet]) -> Iterator[Finding]:
        """Each made kind that is stated with certainty; if none is, all of them together."""
        if not kinds:
            return
        every = [self._confident(data, done, kind) for kind in kinds]
        found = [finding for finding in every[:-1] if finding.status == "found"]
        yield from found or every[-1:]

    def _left_out(self, subject: str, some: StrangerSet | None) -> Iterator[Skipped]:
        have = 0 if some is None else len(some.plain)
        if some is not None and some.named_known:
            reason = (
                f"{some.named_known} of {have + some.named_known} rows came with the name of one of the model's "
                "classes and were left out: they are no strangers"
            )
            yield Skipped(probe=self.topic, subject=subject, reason=reason)
        if have < self.fewest:
            # A set that nobody could be asked about, such as beside recorded answers, is not a small one.
            few = some is not None
            yield Skipped(probe=self.topic, subject=subject, reason=self._too_few(have), too_few=few)

    def _too_few(self, have: int) -> str:
        return f"{have} rows could be asked; {self.fewest} are the least that say anything"

    def _detected(
        self, data: Dataset, done: Passes, parts: KnownParts | None, sets: Sequence[StrangerSet]
    ) -> Iterator[Finding | Skipped]:
        if sets and (parts is None or min(len(parts.threshold), len(parts.report)) < self._least):
            few = TooFew(
                f"{len(done[_CLEAN])} known rows were answered; they are divided to fit scores, to set a threshold and "
                f"to report on, and each part needs {self._least}"
            )
            yield Skipped(probe=self.topic, kind="undetectable", reason=few)
            return
        assert parts is not None or not sets, "there are parts where there are strangers to judge"
        refused: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for some in sets:
            found = detect(data, done, parts, some) if parts else ""
            if isinstance(found, Detection):
                yield undetectable(
                    data,
                    found,
                    tolerance=self.let_through,
                    promised=self.promised,
                    share_of_strangers=self.share_of_strangers,
                )
                for reason, names in found.refused.items():
                    refused.setdefault((reason, names), []).append(some.subject)
            else:
                yield Skipped(probe=self.topic, kind="undetectable", subject=some.subject, reason=found)
        for (reason, names), subjects in refused.items():
            about = f"{', '.join(subjects)}; score{'s' if len(names) > 1 else ''} {', '.join(names)}"
            yield Skipped(probe=self.topic, kind="undetectable", subject=about, reason=reason)
