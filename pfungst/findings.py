"""Finding, Report and the evidence they carry: frozen data that is exactly ``audit.json``."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import singledispatch
from typing import Any, Literal

import msgspec

from pfungst.accepted import Accepted, accepted
from pfungst.errors import TooFew
from pfungst.statistics.estimate import Estimate, Severity, Status

SCHEMA = "pfungst/audit/1"
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "none")


@singledispatch
def displayed(shown: object) -> str | None:
    """HTML of a thing in a notebook; the report registers how each is drawn, and what it does not know has none."""
    del shown
    return None


class Evidence(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What a person may look at to judge a claim; each kind is drawn by one function of the report."""

    title: str


class Shot(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of one row under one condition, with the model's answer under it.

    ``shown`` is the fingerprint of the perturbation (empty: the row as it is); ``picture`` is the entry of
    ``thumbnails.zip``, empty until it was drawn or where the row has no picture. ``heat`` is the key of the pass whose
    map is laid over the picture. ``text`` is what the row says where it is no picture, ``cells`` are columns of a table
    with what stands in them: those that the pictures beside each other differ in, or else the first.
    """

    row: str
    position: int
    on: str = "test"
    shown: str = ""
    heat: str = ""
    picture: str = ""
    text: str = ""
    cells: tuple[tuple[str, str], ...] = ()
    caption: str
    answer: str
    probability: float
    label: str = ""


class Examples(Evidence, frozen=True, kw_only=True, tag="examples"):
    """Rows to look at; each item is one picture, or before and after."""

    items: tuple[tuple[Shot, ...], ...]


class Estimates(Evidence, frozen=True, kw_only=True, tag="estimates"):
    """Named estimates on one axis; ``reference`` is a line such as chance or the tolerance."""

    items: tuple[Estimate, ...]
    reference: float | None = None
    reference_name: str = ""


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """One bin of a reliability diagram: mean confidence, accuracy with interval, rows.

    ``calibrated`` is where a perfectly calibrated model's accuracy would lie in 95 of 100 cases; None where
    that was not simulated.
    """

    confidence: float
    accuracy: Estimate
    calibrated: tuple[float, float] | None = None


class ReliabilityCurve(Evidence, frozen=True, kw_only=True, tag="reliability-curve"):
    """Stated probability against actual frequency."""

    bins: tuple[Bin, ...]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One severity of a shift: what was done, accuracy and mean confidence there, and how much accuracy is proven."""

    severity: int
    parameter: str
    accuracy: Estimate
    confidence: Estimate
    proven: Estimate | None = None


class SeverityCurve(Evidence, frozen=True, kw_only=True, tag="severity-curve"):
    """Accuracy and confidence as a shift grows; step 0 is the data as it is. ``axis`` is what grows."""

    shift: str
    steps: tuple[Step, ...]
    axis: str = "severity"


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One round of deployment: the loss once the world has moved, and once the model is fitted anew."""

    number: int
    moved: Estimate
    retrained: Estimate


class Rounds(Evidence, frozen=True, kw_only=True, tag="rounds"):
    """The zigzag of a world that answers a model and of fits that answer the world; ``quantity`` is what is lost."""

    rounds: tuple[Round, ...]
    quantity: str = "loss"


class Cue(msgspec.Struct, frozen=True, kw_only=True):
    """A cue's place in the 2x2: how well it alone predicts the label, how far the answer rests on it."""

    name: str
    opportunity: Estimate
    reliance: Estimate


class OpportunityReliance(Evidence, frozen=True, kw_only=True, tag="opportunity-reliance"):
    """The 2x2 of opportunity (what a lazy learner could gain) and reliance (what this one took)."""

    cues: tuple[Cue, ...]
    tolerance: float
    chance: float


class RegionMap(Evidence, frozen=True, kw_only=True, tag="region-map"):
    """Effect per grid cell, row by row from the top; ``box`` is (top, left, bottom, right) as shares of the side."""

    effects: tuple[tuple[float, ...], ...]
    box: tuple[float, float, float, float] | None = None


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of the confusion matrix: rows of ``label`` answered ``answer``, and their share among that label."""

    label: str
    answer: str
    rows: int
    share: Estimate


class Confusions(Evidence, frozen=True, kw_only=True, tag="confusions"):
    """Where the answers went; the counts are (labels, answers), omitted above 30 classes."""

    classes: tuple[str, ...]
    top: tuple[Confusion, ...]
    counts: tuple[tuple[int, ...], ...] = ()


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of rows per bin for one set, and how many rows it has."""

    name: str
    shares: tuple[float, ...]
    rows: int


class Histogram(Evidence, frozen=True, kw_only=True, tag="histogram"):
    """Distributions overlaid, each normalised to its own count; ``line`` marks a value with its name."""

    edges: tuple[float, ...]
    series: tuple[Series, ...]
    line: float | None = None
    line_name: str = ""
    axis: str = ""


class Table(Evidence, frozen=True, kw_only=True, tag="table"):
    """Rows and columns of text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


AnyEvidence = (
    Examples
    | Estimates
    | ReliabilityCurve
    | SeverityCurve
    | Rounds
    | OpportunityReliance
    | RegionMap
    | Confusions
    | Histogram
    | Table
)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One claim about the model, the interval behind it, and what to look at and to do."""

    id: str = ""
    probe: str
    kind: str
    subject: str
    status: Status
    severity: Severity
    claim: str
    effect: Estimate
    tolerance: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    evidence: tuple[AnyEvidence, ...] = ()
    remedy: str = ""
    reproduce: str = ""

    @property
    def name(self) -> str:
        """How people name it: ``probe.kind:subject``, without the colon where it is about the model as a whole."""
        return f"{self.probe}.{self.kind}" + (f":{self.subject}" if self.subject else "")

    def _repr_html_(self) -> str | None:
        return displayed(self)


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was not examined, and why.

    ``too_few`` says that it could have been with more rows; it is read off the kind of reason.
    """

    probe: str
    kind: str = ""
    subject: str = ""
    reason: str
    too_few: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.reason, TooFew):
            msgspec.structs.force_setattr(self, "too_few", True)
            msgspec.structs.force_setattr(self, "reason", str(self.reason))  # JSON takes plain strings only


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What remains of the accuracy under one condition."""

    condition: str
    accuracy: Estimate


class BeforeAfter(msgspec.Struct, frozen=True, kw_only=True):
    """One number before and after a remedy; None where it was not measured."""

    name: str
    before: Estimate | None
    after: Estimate | None


class PassRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the model over rows: what was asked, how many rows, whether answers stood in the cache.

    ``asked`` names the probes that wanted it. ``forwards`` is its cost in forward passes of one row, a backward
    counting as two. ``seconds`` is the time of the sweep spent on it. ``spared`` is how many further rows it could have
    had, which were not asked because these had settled what they were asked for.
    """

    name: str
    key: str
    on: str
    half: str = ""
    rows: int
    forwards: float = 0.0
    cached: bool
    asked: tuple[str, ...] = ()
    seconds: float = 0.0
    spared: int = 0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to the question of the audit, in one sentence."""

    generalizes: Literal["yes", "no", "undecided"]
    sentence: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """An audit's result; encoded as JSON it is ``audit.json``.

    ``model`` and ``data`` describe what was audited; ``settings`` holds every assumption made; ``complete`` is False
    while rounds are still missing.
    """

    schema: str = SCHEMA
    created: str
    complete: bool = True
    verdict: Verdict
    question: str = ""
    model: Mapping[str, Any]
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    headline: tuple[Condition, ...]
    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...]
    passes: tuple[PassRecord, ...]

    def fails(
        self,
        at: Severity = "high",
        accept: Sequence[str | Accepted] = (),
        baseline: "Report | None" = None,
        today: date | None = None,
    ) -> tuple[Finding, ...]:
        """The found findings at or above a severity; truthy if the gate fails.

        ``accept`` names findings as ``probe.kind:subject`` that are known and do not count, until they expire.
        ``baseline`` is an earlier audit: what it found, at the same severity or a higher one, does not count either.
        """
        bound = SEVERITIES.index(at)
        names = accepted(accept, today)
        before = {} if baseline is None else baseline.severities
        return tuple(
            finding
            for finding in self.findings
            if finding.status == "found"
            and SEVERITIES.index(finding.severity) <= bound
            and finding.name not in names
            and SEVERITIES.index(before.get(finding.id, "none")) > SEVERITIES.index(finding.severity)
        )

    @property
    def severities(self) -> dict[str, Severity]:
        """The severity of what was found, by id; the gravest where an id stands twice."""
        order = sorted(self.findings, key=lambda one: SEVERITIES.index(one.severity), reverse=True)
        return {one.id: one.severity for one in order if one.status == "found"}
