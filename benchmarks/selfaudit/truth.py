"""Which findings are false, by what is known of the law and the network, and why.

- *mistakes.label-error*: labels are drawn from the stated probabilities: the surest answers are contradicted as
  rarely as they say
- *mistakes.slice*: of columns drawn apart from all else (hospital, log), or of dyes, where no row errs in more than 1
  of 100; discovered slices of two classes, where the margin fixes the error rate
- *mistakes.confusion*: of a pair whose share, from 4,000 further rows and their exact probabilities, lies within the
  tolerance
- *attribution.outside-object*: the ring is cut off before anything is read, and beside the glyph nothing goes with
  the class; a dye network reads every pixel alike
- *attribution.unfaithful*: of tables and texts whose log-odds are a sum over their parts: what carries most carries
  most
- *shortcuts*: glyphs: what moving leaves as it is has one law in every class; tables and texts: all that tells the
  class is the thing
- *shift of `later`*: the rows are drawn from the same law
- *shift*: of a shift under which, on 1,500 further rows with their exact probabilities, no more is lost than
  tolerated
- *sites, feedback*: the hospital and the log are drawn apart from all else; acting does nothing
- *selection*: all sets are drawn apart from one law; objects lie anywhere
- *calibration*: labels are drawn from the stated probabilities, in every part that columns drawn apart can name
- *unknowns.confident*: strangers are symmetric, grey or wordless, so that every class gets the same probability
  exactly; or they were kept because no class got more than 0.75
- *unknowns.undetectable*: at least 95 of 100 known rows are stated above every stranger
- *adversarial.fragile*: of dyes: no change within the budget can turn a sheet's difference of red and blue
- *adversarial.masked-gradients*: plain convolutions or linear layers; nothing rounds, saturates or draws

What is not in the list counts neither way: which corruptions break a network, what an attacker finds in one, whether
maps of pictures follow shuffled weights, and confusions, slices and resampled columns of networks that do err.
"""

from dataclasses import dataclass
from fnmatch import fnmatch

import numpy as np
from cases import Case

import pfungst
from pfungst.findings import Finding
from pfungst.probes.shift import MIDDLE, Shift

CHAPTERS = (
    "mistakes", "attribution", "shortcuts", "shift", "sites", "selection", "feedback", "calibration", "unknowns",
    "adversarial",
)  # fmt: skip
APART = ("hospital", "score", "decision", "outcome", "arm")
ALWAYS = (
    "mistakes.label-error:*", "shift.*:later", "sites.*", "feedback.*", "selection.*", "calibration.*",
    "unknowns.confident:strangers",
)  # fmt: skip
BY_PROPERTY = {
    "ring unread": ("attribution.outside-object:*",),
    "no cue": ("shortcuts.*",),
    "additive": ("attribution.unfaithful:*",),
    "honest gradients": ("adversarial.masked-gradients",),
    "robust": ("adversarial.fragile:*", "attribution.outside-object:border"),
    "even errors": ("mistakes.slice*",),
}
TOLERANCE, ROWS, SHIFTED = 0.05, 4000, 1500


@dataclass(frozen=True, eq=False)
class Truth:
    """Patterns of false findings, and those of findings that are due, each because the effect is twice tolerated."""

    false: tuple[str, ...]
    due: tuple[str, ...]

    def of(self, finding: Finding) -> str:
        """``false`` if it must not be found, ``due`` if it must, else nothing."""
        name = finding.name
        if any(fnmatch(name, pattern) for pattern in self.false):
            return "false"
        if finding.kind == "slice" and finding.subject and finding.probe == "mistakes":
            parts = finding.subject.split(" and ")
            return "false" if all(part.startswith(APART) for part in parts) else ""
        return "due" if any(fnmatch(name, pattern) for pattern in self.due) else ""


def truth_of(case: Case) -> Truth:
    """What is known of an honest network: by construction, and from further rows with their exact probabilities."""
    world = case.world
    rng = np.random.default_rng((int(case.name.rsplit("-", 1)[1]), 6))
    false = [*ALWAYS, *(one for name, some in BY_PROPERTY.items() if name in world.known for one in some)]
    due: list[str] = []
    stated = world.stated(world.draw(ROWS, rng).inputs)
    strangers = world.stated(world.strangers(500, rng)).max(axis=1)
    if np.mean(stated.max(axis=1) > strangers.max()) >= 0.95:
        false.append("unknowns.undetectable:strangers")
    if world.classes == 2:
        false.append("mistakes.slice:discovered*")
    _confused(stated, false, due)
    _shifted(case, rng, false, due)
    return Truth(tuple(false), tuple(due))


def _confused(stated: np.ndarray, false: list[str], due: list[str]) -> None:
    answers = np.eye(stated.shape[1])[stated.argmax(axis=1)]
    shares = (stated.T @ answers) / stated.sum(axis=0)[:, None]
    np.fill_diagonal(shares, 0)
    for label, answer in np.argwhere(shares <= TOLERANCE):
        false.append(f"mistakes.confusion:{label} -> {answer}")
    if shares.max() >= 2 * TOLERANCE + 0.05:
        due.append("mistakes.confusion*")
    elif shares.max() <= TOLERANCE:
        false.append("mistakes.confusion")


def _shifted(case: Case, rng: np.random.Generator, false: list[str], due: list[str]) -> None:
    """Accuracy lost and confidence kept at the middle severity, with the probability of every label for its noise."""
    world = case.world
    rows = world.draw(SHIFTED, rng).inputs
    data = pfungst.load_data({"inputs": rows, "labels": world.stated(rows).argmax(axis=1)})
    stated, every = world.stated(rows), np.arange(SHIFTED)
    batch, _ = data.batch(every)
    right = stated.max(axis=1)
    for name, kind in Shift().asked(data).items():
        under = world.stated(kind(severity=MIDDLE)(batch))
        given = stated[every, under.argmax(axis=1)]
        effects = {"fragile": right - given, "overconfident": under.max(axis=1) - given}
        for subject, effect in ((f"{what}:{name}", each) for what, each in effects.items()):
            error = 2 * effect.std() / np.sqrt(SHIFTED)
            if effect.mean() + error <= TOLERANCE:
                false.append(f"shift.{subject}")
            elif effect.mean() - error >= 2 * TOLERANCE:
                due.append(f"shift.{subject}")
