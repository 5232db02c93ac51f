"""Words: what each kind of finding says in one breath, asks where it is open, and why a person should care."""

import re
from dataclasses import dataclass
from typing import Protocol

from pfungst.report.markup import Markup, clean, html, tag

_SPOKEN = (
    (r"region:(.+)", r"the \1 region"),
    (r"column:(.+)", r"the column \1"),
    (r"token:(.+)", r"the word \1"),
    (r"file:(.+)", r"the file's \1"),
    (r"frequency:(.+)", r"\1 frequencies"),
    (r"position", r"where the object lies"),
    (r"border|background", r"the \g<0>"),
    (r"rotation-translation", r"turned and moved"),
    (r"(.+) -> (.+)", r"\1 → \2"),
    (r"([a-z]+)-([a-z]+)", r"\1 \2"),
)

_SHIFTS = {"off centre": "off-centre objects", "brightness": "more light"}


class Titled(Protocol):
    """What has a title: a finding, or one that was found in two audits."""

    @property
    def probe(self) -> str:
        """Who asked."""

    @property
    def kind(self) -> str:
        """What was asked."""

    @property
    def subject(self) -> str:
        """Of what; empty for the model as a whole."""

    @property
    def status(self) -> str:
        """What came of it."""


@dataclass(frozen=True)
class Words:
    """``found`` is a statement, ``asked`` the same as a question; ``{}`` is the subject, ``whole`` stands for none."""

    found: str
    asked: str
    why: str = ""
    whole: str = "it"
    ours: bool = False


_KINDS = {
    "shortcuts.cue": Words(
        "The answer rests on {}",
        "Does the answer rest on {}?",
        "Where this cue and the class part company, the answer goes with the cue; a test set in which they go together "
        "cannot show it.",
        ours=True,
    ),
    "shortcuts.latent-cue": Words(
        "A trick lies ready, unused so far: {}",
        "Does a trick lie ready: {}?",
        "It gives the class away in these data: this model does not use it, the next one may.",
        ours=True,
    ),
    "shift.fragile": Words(
        "It breaks under {}",
        "Does it break under {}?",
        "Such rows are ordinary in use, and the accuracy that was tested does not hold for them.",
        ours=True,
    ),
    "shift.overconfident": Words(
        "It does not notice {}",
        "Does it notice {}?",
        "Whoever acts on the stated confidence is not warned when the answers get worse.",
        ours=True,
    ),
    "sites.confounded": Words(
        "The answer goes with {}",
        "Does the answer go with {}?",
        "Elsewhere the mix of cases is another, and the answer brings the old mix along.",
    ),
    "sites.gap": Words(
        "It is not equally good at every {}", "Is it equally good at every {}?", "The average hides the worst place."
    ),
    "sites.prevalence": Words(
        "Classes are not equally common at every {}",
        "Are classes equally common at every {}?",
        "Accuracies of such places cannot be compared, and knowing the place helps to guess.",
    ),
    "selection.centred": Words(
        "It counts on objects in the middle", "Does it count on objects in the middle?", "In use, objects lie anywhere."
    ),
    "selection.unrepresentative": Words(
        "The tested rows are not like the others: {}",
        "Are the tested rows like the others: {}?",
        "What was measured on the tested rows need not hold for the others.",
    ),
    "selection.leak": Words(
        "Tested rows were trained on", "Were tested rows trained on?", "That part of the accuracy is memory."
    ),
    "feedback.moves-the-world": Words(
        "Its answers change what they predict",
        "Do its answers change what they predict?",
        "The next training data will hold its own traces.",
    ),
    "feedback.unstable": Words(
        "Retraining on its own traces runs away",
        "Does retraining on its own traces run away?",
        "Each round makes the next one worse, and tests on the same traces do not show it.",
    ),
    "feedback.gaming": Words(
        "Scores crowd at the threshold", "Do scores crowd at the threshold?", "Whoever knows the threshold can use it."
    ),
    "calibration.overconfident": Words(
        "It states more than it keeps",
        "Does it state more than it keeps?",
        "A stated 0.9 is no 0.9: thresholds and expected costs are off.",
    ),
    "calibration.underconfident": Words(
        "It states less than it keeps",
        "Does it state less than it keeps?",
        "A stated 0.9 is no 0.9: more is handed to people than needs to be.",
    ),
    "calibration.classwise": Words(
        "The probabilities of {} are off",
        "Are the probabilities of {} right?",
        "A gap of one class hides in the average over all.",
        whole="each class",
    ),
    "calibration.slice": Words(
        "Probabilities are off on some rows: {}",
        "Are probabilities off on some rows: {}?",
        "A gap of some rows hides in the average over all.",
    ),
    "calibration.ensemble": Words(
        "Averaged with others it would state better probabilities",
        "Would averaging with others give better probabilities?",
        "Members that err differently correct each other.",
    ),
    "calibration.humans": Words(
        "It does not doubt where people doubt",
        "Does it doubt where people doubt?",
        "One label a row hides that people disagree.",
    ),
    "unknowns.confident": Words(
        "It is sure of strangers: {}",
        "Is it sure of strangers: {}?",
        "In use something unknown comes along, and gets a name with much confidence.",
    ),
    "unknowns.undetectable": Words(
        "Strangers pass unnoticed: {}",
        "Can strangers be told: {}?",
        "To say none of these, it needs a score that tells strangers from known rows.",
    ),
    "adversarial.fragile": Words(
        "An attacker turns the answer: {}",
        "Can an attacker turn the answer: {}?",
        "It matters where somebody gains by a wrong answer; to others it says how near the border runs.",
        ours=True,
    ),
    "adversarial.masked-gradients": Words(
        "Gradients lead the search astray", "Do gradients lead the search astray?", "It looks sturdier than it is."
    ),
    "mistakes.confusion": Words(
        "Classes are confused: {}",
        "Are classes confused: {}?",
        "Errors of one kind have one cause.",
        ours=True,
    ),
    "mistakes.slice": Words("Some rows fare worse: {}", "Do some rows fare worse: {}?", "The average hides them."),
    "mistakes.label-error": Words("Labels look wrong", "Are the labels right?", "Accuracy is measured against them."),
    "attribution.outside-object": Words(
        "Hiding {} costs the answer much",
        "Does hiding {} cost the answer much?",
        "That says where to look, not yet what is used.",
        ours=True,
    ),
    "attribution.unfaithful": Words(
        "A map does not show what decides: {}",
        "Do the maps show what decides: {}?",
        "People who look at such a map are told a story.",
    ),
    "drift.shifted": Words("The inputs have moved: {}", "Have the inputs moved: {}?", "The audit was of other rows."),
    "drift.prevalence": Words(
        "Classes became rarer or commoner: {}",
        "Did classes become rarer or commoner: {}?",
        "Thresholds and expected counts were set for the old mix.",
    ),
    "drift.accuracy": Words(
        "Its accuracy has fallen", "Has its accuracy fallen?", "What was audited is no longer what is in use."
    ),
}


def of(finding: Titled) -> Words:
    """The words for a finding; kinds that nobody wrote words for are called by their name.

    >>> _KINDS["sites.gap"].found.format("hospital")
    'It is not equally good at every hospital'
    """
    known = _KINDS.get(f"{finding.probe}.{finding.kind}")
    return known or Words(f"{finding.kind}: {{}}", f"{finding.kind}: {{}}?", whole="the model as a whole")


def _sides(finding: Titled, limit: int) -> tuple[str, str, str]:
    """What stands before the subject, the subject in words, what stands behind it."""
    words = of(finding)
    told = words.found if finding.status == "found" else words.asked
    if not finding.subject and ": {}" in told:
        told = told.replace(": {}", "")
    before, braces, after = told.partition("{}")
    if not braces:
        return before, "", ""
    named = spoken(finding.subject) if words.ours else finding.subject
    named = _SHIFTS.get(named, named) if finding.probe == "shift" else named
    return before, clean(named or words.whole, limit), after


def title(finding: Titled, limit: int = 90) -> Markup:
    """A finding in one breath: a statement if it was found, a question if it is open or was excluded."""
    before, named, after = _sides(finding, limit)
    return html((before, tag("bdi", named) if named else None, after))


def headline(finding: Titled, limit: int = 60) -> str:
    """The same as ``title`` in plain text."""
    return "".join(_sides(finding, limit))


def spoken(subject: str) -> str:
    """A name of ours as people say it.

    >>> spoken("region:bottom-right"), spoken("colour-cast"), spoken("linf:2/255")
    ('the bottom-right region', 'colour cast', 'linf:2/255')
    """
    for pattern, told in _SPOKEN:
        if re.fullmatch(pattern, subject):
            return re.sub(pattern, told, subject, count=1)
    return subject
