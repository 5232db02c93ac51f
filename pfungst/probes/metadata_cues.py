"""Cues the model is not shown: columns of metadata and traces of files that go along with the label."""

from collections.abc import Iterator, Mapping

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.datasets.dataset import Dataset
from pfungst.findings import Finding, Skipped
from pfungst.methods.opportunity import Discriminant, discriminant, folds_of
from pfungst.methods.standing import STRONG, chance, units_of
from pfungst.passes import Passes, Predict
from pfungst.probes.cue_words import latent_claim, remedy
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import difference_of_shares

MOST = 40
FEWEST = 20


def metadata_cues(data: Dataset, done: Passes) -> Iterator[Finding | Skipped]:
    """One latent cue for each column or trace from which the label can be told; nothing can be swapped here."""
    donors = data.donors("confirmation")
    known = _known(data, donors.rows)
    for name, values in list(known.items())[:MOST]:
        spelled = values.astype(str)
        if len(np.unique(spelled)) < 2:
            continue
        folds = folds_of(len(values), units_of(data, "confirmation"))
        scored = discriminant(coded(values), donors.labels, len(data.classes), folds)
        alone = scored.opportunity(units_of(data, "confirmation"))
        if (alone.low - chance(data)) / (1 - chance(data)) > STRONG:
            yield _latent(data, done, name, alone, scored)
    if len(known) > MOST:
        reason = f"of {len(known)} columns of metadata and traces of files the first {MOST} were looked at"
        yield Skipped(probe="shortcuts", kind="latent-cue", reason=reason)


def coded(values: Array, most: int = 64) -> FloatArray:
    """A column as numbers, (rows, d): itself and where it is missing if it is numeric, else one a common value.

    >>> coded(np.array(["a", "b", "a"], dtype=object)).tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """
    try:
        numeric = np.array([np.nan if value is None else value for value in values], np.float64)
    except (TypeError, ValueError):
        common, counts = np.unique(values.astype(str), return_counts=True)
        kept = np.sort(common[np.argsort(-counts, kind="stable")[:most]])
        return np.asarray(values.astype(str)[:, None] == kept[None], np.float64)
    known = np.isfinite(numeric)
    middle = float(np.median(numeric[known])) if known.any() else 0.0
    return np.stack([np.where(known, numeric, middle), ~known], axis=1).astype(np.float64)


def _known(data: Dataset, rows: Array) -> Mapping[str, Array]:
    """Values of each column and trace at these rows; units, times and the input's own columns are none."""
    roles = {data.roles.unit, data.roles.time, *data.features}
    known = {
        f"column:{name}": np.asarray(values[rows], object) for name, values in data.columns.items() if name not in roles
    }
    if data.traces is not None:
        found = list(data.traces(rows))
        for name in dict.fromkeys(key for one in found for key in one):
            known[f"file:{name}"] = np.array([one.get(name) for one in found], dtype=object)
    return known


def _latent(data: Dataset, done: Passes, name: str, alone: Estimate, scored: Discriminant) -> Finding:
    noun = name.replace("file:", "file's ").replace("column:", "column ")
    unseen = "the model is not shown it" + (
        ", unless resizing or compression leaves traces in the pixels" if name.startswith("file:") else ""
    )
    pairs = _natural_pairs(data, done, scored)
    seen = ""
    if pairs is not None:
        seen = f"; where it speaks for another class the accuracy is {pairs:+.3f} lower"
    return Finding(
        probe="shortcuts",
        kind="latent-cue",
        subject=name,
        status="found",
        severity="low",
        claim=latent_claim(noun, alone, chance(data), f"{unseen}{seen}."),
        effect=alone,
        tolerance=None,
        remedy=remedy(noun),
    )


def _natural_pairs(data: Dataset, done: Passes, scored: Discriminant) -> Estimate | None:
    """Accuracy where it speaks for the label less accuracy where it speaks for another; None with too few rows."""
    donors, clean = data.donors("confirmation"), done[Predict()]
    assert clean.rows is not None, "answers of a pass know their rows"
    asked = np.isin(donors.rows, clean.rows)
    agrees = (scored.scores.argmax(axis=1) == donors.labels)[asked]
    if min(agrees.sum(), (~agrees).sum()) < FEWEST:
        return None
    right = clean.at(donors.rows[asked]).predictions == donors.labels[asked]
    return difference_of_shares(right[agrees], right[~agrees], name="accuracy lost")
