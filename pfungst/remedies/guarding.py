"""Guarding a model: calibrated probabilities and "none of these", with promises kept on rows nobody fitted on."""

from dataclasses import dataclass, replace

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.audits.study import Study
from pfungst.errors import InputError
from pfungst.findings import BeforeAfter
from pfungst.methods.feature_scores import unknownness_scores
from pfungst.methods.known import Known, known_rows
from pfungst.methods.known_features import neighbours
from pfungst.methods.selective import promise
from pfungst.methods.strangers import strangers
from pfungst.methods.unknownness import strangeness, why_not
from pfungst.models.guarding import Guarding, Score
from pfungst.outputs import Outputs
from pfungst.passes import Passes, Predict
from pfungst.probe import labelled
from pfungst.remedies.recalibrating import fitted_temperature
from pfungst.statistics.auroc import auroc
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import mean, proportion_of
from pfungst.statistics.thresholds import threshold

FIT = Predict(half="discovery", features=True)
OTHERS = Predict(half="confirmation", features=True)
SCORES: tuple[Score, ...] = ("max-probability", "energy", "mahalanobis", "knn")
"""Scores that a graph can hold, the plainest first: of equals it is taken."""

BANK = 2000
"""Known rows that are written into the file at most."""

MADE = 200
"""Strangers of a kind that are made where nobody brought any."""

DOUBT = 0.05


@dataclass(frozen=True, eq=False)
class Guard:
    """What is exported, which rows it was judged on, and what was promised of it."""

    exported: bytes
    guarding: Guarding
    judged: IntArray
    risk: float
    reject: float
    chosen: str


def passes(study: Study) -> tuple[Predict, ...]:
    """What must be asked before a guard can be fitted."""
    return (FIT, OTHERS, *_strange(study))


def fitted_guard(study: Study, done: Passes, *, votes: bool, risk: float, reject: float) -> Guard:
    """Fit on the discovery rows, set the thresholds on half of the others, leave the rest to judge.

    A new known row is called none of these with probability ``reject`` at most for being strange (conformal quantile);
    of the rows that are answered at most ``risk`` are wrong, true with probability 0.95 (fixed-sequence testing). Both
    are set by what the exported file itself gives.

    Raises:
        InputError: if rows, labels or features are lacking, or the risk cannot be promised; it says which can.
    """
    for name, share in (("risk", risk), ("reject", reject)):
        if not 0 < share < 1:
            raise InputError(f"--{name} is {share}; give a share between 0 and 1")
    temperature = fitted_temperature(study, done[FIT], votes=votes)
    rows = labelled(study.data, done[FIT])
    assert rows is not None, "a temperature was fitted to labelled rows"
    setting, judged = _parted(study, done)
    known = known_rows(rows.outputs, rows.labels)
    score, words = _chosen(study, done, known, setting)
    guarding = replace(_fitted(known, score), temperature=temperature.value)
    scores, confidence, _ = _given(study, guarding, setting)
    assert study.data.labels is not None, "a temperature was fitted to labelled rows"
    labels, answers = study.data.labels[setting], done[OTHERS].at(setting).predictions
    guarding = replace(guarding, stranger_above=_stored(threshold(scores, reject)))
    kept = (scores <= guarding.stranger_above) & (labels >= 0)
    guarding = replace(guarding, sure_from=_sure_from(confidence[kept], (answers != labels)[kept], risk))
    return Guard(study.model.guarded(guarding, example(study)), guarding, judged, risk, reject, words)  # type: ignore[attr-defined]


def judged_guard(study: Study, done: Passes, guard: Guard) -> tuple[tuple[BeforeAfter, ...], str]:
    """What it does on rows that nothing was fitted or set on, and on strangers; asked of the exported file alone."""
    data = study.data
    assert data.labels is not None, "a guard is fitted to labelled rows"
    before = done[OTHERS].at(guard.judged)
    probabilities, none, answers, _ = _run(study, guard.exported, _inputs(study, guard.judged))
    labels = data.labels[guard.judged]
    units = None if data.units is None else data.units[guard.judged]
    wrong = ~none & (answers != labels)
    answered = proportion_of(~none, units, "answered")
    kept = None if units is None else units[~none]
    risk = proportion_of(wrong[~none], kept, "wrong among the answered") if (~none).any() else None
    gap = probabilities.max(axis=1) - (probabilities.argmax(axis=1) == labels)
    lines = [
        BeforeAfter(name="known rows answered", before=None, after=answered),
        BeforeAfter(
            name="wrong among the answered",
            before=proportion_of(before.predictions != labels, units, "wrong"),
            after=risk,
        ),
        BeforeAfter(
            name="confidence less accuracy",
            before=mean(before.confidence - (before.predictions == labels), units, "gap", (-1.0, 1.0)),
            after=mean(gap, units, "gap", (-1.0, 1.0)),
        ),
    ]
    through = []
    for one, name in _strange(study).items():
        asked = done[one]
        assert asked.rows is not None, "answers of a pass know their rows"
        _, refused, _, _ = _run(study, guard.exported, _inputs(study, asked.rows, one))
        let = proportion_of(~refused, name="answered")
        through.append(f"{let.value:.1%} of {name}")
        sure = proportion_of(asked.confidence > 0.9, name="stated above 0.9")
        lines.append(BeforeAfter(name=f"{name}: sure before, answered after", before=sure, after=let))
    return tuple(lines), _sentence(guard, answered, risk, through)


def _sentence(guard: Guard, answered: Estimate, risk: Estimate | None, through: list[str]) -> str:
    errs = "" if risk is None else f", of which {risk:.1%} are wrong"
    promised = f"promised: at most {guard.risk:.1%}, true with probability {1 - DOUBT:.2f}"
    strange = f" It answers {', '.join(through)}." if through else ""
    return (
        f"On {answered.rows} rows nobody fitted on it answers {answered.value:.1%}{errs} ({promised}).{strange} It "
        f"tells strangers by {guard.chosen}; a known row is taken for one with probability {guard.reject:.1%} at most."
    )


def _strange(study: Study) -> dict[Predict, str]:
    """Passes over the strangers that were brought, or else are made of the test rows, and what they are called."""
    own = [name for name in study.data.companions if name.startswith("ood:")]
    if own:
        return {Predict(on=name, features=True): name.removeprefix("ood:") for name in own}
    kinds = [kind for kind in strangers.values() if kind.modality == study.data.modality]
    return {Predict(under=kind(), rows=MADE, features=True): f"made strangers ({kind.topic})" for kind in kinds}


def _parted(study: Study, done: Passes) -> tuple[IntArray, IntArray]:
    """Positions on which thresholds are set, and on which they are judged; rows of a unit stay together."""
    rows = done[OTHERS].rows
    assert rows is not None, "answers of a pass know their rows"
    assert study.data.labels is not None, "a guard is fitted to labelled rows"
    rows = rows[study.data.labels[rows] >= 0]
    if study.data.units is None:
        return rows[::2], rows[1::2]
    _, first, units = np.unique(study.data.units[rows].astype(str), return_index=True, return_inverse=True)
    # One row a unit: the promises hold for rows that could have come in any order.
    return rows[np.sort(first[::2])], rows[units % 2 == 1]


def _chosen(study: Study, done: Passes, known: Known, setting: IntArray) -> tuple[Score, str]:
    """The score that tells half of the strangers from known rows best, the plainest of equals."""
    usual = done[OTHERS].at(setting)
    strange = [done[one] for one in _strange(study)]
    if not strange:
        return "max-probability", "its own probability (no strangers were given and none can be made)"
    half = Outputs(
        np.concatenate([one.logits[::2] for one in strange]),
        _features(strange),
        normalised=usual.normalised,
        complete=usual.complete,
    )
    areas = {
        name: auroc(strangeness(name, usual, known), strangeness(name, half, known)).value
        for name in SCORES
        if name in unknownness_scores and not (why_not(name, usual, known) or why_not(name, half, known))
    }
    best = max(areas, key=lambda name: (round(areas[name], 3), -SCORES.index(name)))
    return best, f"{best}, AUROC {areas[best]:.3f} on half of them"


def _features(answers: list[Outputs]) -> FloatArray | None:
    kept = [one.features[::2] for one in answers if one.features is not None]
    return np.concatenate(kept) if len(kept) == len(answers) else None


def _fitted(known: Known, score: Score) -> Guarding:
    if score == "mahalanobis":
        fit = known.gaussians
        turn = fit.whitening.T
        centres = (fit.means - fit.overall) @ turn
        centre, around, apart = (np.asarray(each, np.float32) for each in (fit.overall, turn, centres))
        return Guarding(1.0, score, centre=centre, turn=around, centres=apart)
    if score == "knn":
        near = neighbours(known.features[:BANK])
        return Guarding(1.0, score, bank=near.bank, k=near.k)
    return Guarding(1.0, score)


def _given(study: Study, guarding: Guarding, rows: IntArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Strangeness and confidence of known rows as the exported file gives them."""
    exported = study.model.guarded(guarding, example(study))  # type: ignore[attr-defined]
    probabilities, none, _, scores = _run(study, exported, _inputs(study, rows))
    return scores.astype(np.float64), probabilities.max(axis=1).astype(np.float64), none


def _run(study: Study, exported: bytes, inputs: Array) -> list[Array]:
    given: list[Array] = study.model.asked_of(exported, inputs)  # type: ignore[attr-defined]
    return given


def _inputs(study: Study, rows: IntArray, one: Predict | None = None) -> Array:
    data = study.data.on(one.on if one is not None else study.data.name)
    batch, _ = data.batch(rows)
    return batch.inputs if one is None else one.inputs(batch)


def example(study: Study) -> Array:
    """Two inputs, to show an exporter what they are like."""
    return _inputs(study, study.data.sample(2))


def _sure_from(confidence: FloatArray, wrong: BoolArray, risk: float) -> float:
    made = promise(confidence, wrong, risk, DOUBT)
    if np.isfinite(made.threshold):
        return _stored(made.threshold) if made.rows < made.of else 0.0
    able = [each for each in (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5) if each > risk]
    found = next((each for each in able if np.isfinite(promise(confidence, wrong, each, DOUBT).threshold)), None)
    more = f"; --risk {found:g} can be" if found is not None else ""
    raise InputError(
        f"at most {risk:.1%} of wrong answers cannot be promised with the {len(wrong)} rows left to set a "
        f"threshold{more}: give more rows or allow more risk"
    )


def _stored(value: float) -> float:
    """As a file stores it: float32, so that what lay on the threshold stays there."""
    return float(np.float32(value))
