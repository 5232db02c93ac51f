"""Statistics of inputs that no model is needed for: a score that does not beat them tells strangers by their looks."""

from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError


def pixel_statistics(inputs: Array) -> FloatArray:
    """Six numbers a picture: mean, standard deviation, mean |dx|, mean |dy|, red - green, blue - green.

    ``inputs`` is (rows, height, width, channels), uint8 or float in [0, 1]; the result is (rows, 6) float64 on the
    scale [0, 1]. Without colour the last two are 0. No model is involved: a score that does not beat these tells
    strangers by brightness and texture.

    Raises:
        InputError: if the inputs are no pictures.

    >>> pixel_statistics(np.full((1, 2, 2, 3), 51, np.uint8)).round(3)
    array([[0.2, 0. , 0. , 0. , 0. , 0. ]])
    """
    x = np.asarray(inputs)
    if x.ndim != 4 or x.dtype == object:
        raise InputError(f"pixel statistics need (rows, height, width, channels); these inputs have shape {x.shape}")
    found = np.zeros((len(x), 6))
    for start in range(0, len(x), 256):
        part = x[start : start + 256].astype(np.float64)
        part = part / 255 if x.dtype == np.uint8 else part
        rows = slice(start, start + len(part))
        found[rows, 0], found[rows, 1] = part.mean(axis=(1, 2, 3)), part.std(axis=(1, 2, 3))
        for column, axis in ((2, 2), (3, 1)):
            if part.shape[axis] > 1:
                found[rows, column] = np.abs(np.diff(part, axis=axis)).mean(axis=(1, 2, 3))
        if part.shape[3] >= 3:
            red, green, blue = (part[..., channel].mean(axis=(1, 2)) for channel in range(3))
            found[rows, 4], found[rows, 5] = red - green, blue - green
    return found


def text_statistics(inputs: Array, common: frozenset[str]) -> FloatArray:
    """Six numbers a text: log length, mean word length, shares of capitals, digits, other signs, and unseen words.

    ``inputs`` is (rows,) strings, ``common`` the words that are not unseen; the result is (rows, 6) float64.

    >>> text_statistics(np.array(["Win 100 now!"], dtype=object), frozenset({"win"})).round(2).tolist()
    [[2.56, 3.33, 0.08, 0.25, 0.08, 0.67]]
    """
    found = np.zeros((len(inputs), 6))
    for row, text in zip(found, (str(text) for text in inputs), strict=True):
        words, letters = text.split(), max(1, len(text))
        row[0], row[1] = np.log1p(len(text)), np.mean([len(word) for word in words]) if words else 0.0
        row[2] = sum(letter.isupper() for letter in text) / letters
        row[3] = sum(letter.isdigit() for letter in text) / letters
        row[4] = sum(not letter.isalnum() and not letter.isspace() for letter in text) / letters
        row[5] = np.mean([word.casefold() not in common for word in words]) if words else 0.0
    return found


def table_statistics(inputs: Array, known: Array) -> FloatArray:
    """Each column as a number: its value, or minus the log of its frequency among known rows where it is no number.

    ``inputs`` and ``known`` are (rows, columns); missing numbers become the known mean. The result is (rows, columns).

    >>> known = np.array([["a", 1.0], ["a", 3.0], ["b", None]], dtype=object)
    >>> table_statistics(known, known).round(2).tolist()
    [[0.29, 1.0], [0.29, 3.0], [0.69, 2.0]]
    """
    found = np.zeros(inputs.shape)
    for at in range(inputs.shape[1]):
        numbers = [_numbers(part[:, at]) for part in (known, inputs)]
        if all(one is not None for one in numbers):
            seen, asked = (np.asarray(one) for one in numbers)
            centre = float(np.nanmean(seen)) if np.isfinite(seen).any() else 0.0
            found[:, at] = np.where(np.isfinite(asked), asked, centre)
        else:
            names, counts = np.unique(known[:, at].astype(str), return_counts=True)
            often = dict(zip(names.tolist(), counts.tolist(), strict=True))
            share = np.array([often.get(str(value), 0) for value in inputs[:, at]], np.float64)
            found[:, at] = -np.log((share + 1) / (len(known) + 1))
    return found


def _numbers(column: Array) -> FloatArray | None:
    try:
        values = column.astype(np.float64)
    except (TypeError, ValueError):
        return None
    return np.where(np.isfinite(values), values, np.nan)


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean (columns,) and whitening matrix (columns, columns) of known rows."""

    mean: FloatArray
    whiten: FloatArray

    def distance(self, rows: FloatArray) -> FloatArray:
        """Squared Mahalanobis distance, (rows,)."""
        return np.asarray((((np.asarray(rows, np.float64) - self.mean) @ self.whiten.T) ** 2).sum(axis=1))


def fit_gaussian(known: FloatArray) -> Gaussian:
    """Mean and covariance of known rows, with a ridge of 1e-6 of the mean eigenvalue: relative, so scale-free.

    Raises:
        InputError: if there are fewer than two rows, one is not finite, or no column varies.

    >>> fit_gaussian(np.array([[0.0], [2.0]])).mean
    array([1.])
    """
    k = np.asarray(known, np.float64)
    if k.ndim != 2 or len(k) < 2:
        raise InputError(f"a distance to known rows was asked of an array of shape {k.shape}; two rows are needed")
    bad = np.flatnonzero(~np.isfinite(k).all(axis=1))
    if len(bad):
        raise InputError(f"known row {bad[0]} is not finite ({len(bad)} such rows); leave such rows out")
    covariance = np.atleast_2d(np.cov(k, rowvar=False))
    ridge = 1e-6 * float(np.trace(covariance)) / len(covariance)
    if ridge <= 0:
        raise InputError(f"the {len(k)} known rows are all alike, so no distance to them exists; give varied rows")
    lower = np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))
    return Gaussian(k.mean(axis=0), np.linalg.inv(lower))


def pixel_distance(known: FloatArray, rows: FloatArray) -> FloatArray:
    """Squared Mahalanobis distance of pixel statistics to those of known rows, (rows,); larger is stranger.

    Raises:
        InputError: if the known rows are too few, not finite or all alike.

    >>> pixel_distance(np.array([[0.0], [2.0]]), np.array([[1.0], [3.0]])).round(3)
    array([0., 2.])
    """
    return fit_gaussian(known).distance(rows)


def input_distances(known: Array, *asked: Array) -> tuple[FloatArray, ...]:
    """How far some inputs lie from known ones by their looks alone, (rows,) for each of ``asked``.

    Pictures are compared by pixel statistics, texts by length and signs, tables column by column, each column scaled to
    the deviation of the known rows.

    Raises:
        InputError: if the known rows are too few or all alike.

    >>> near, = input_distances(np.array([[0.0], [2.0]]), np.array([[1.0]]))
    >>> near.round(3).tolist()
    [0.0]
    """
    if known.ndim == 4:
        measured = [pixel_statistics(one) for one in (known, *asked)]
    elif known.ndim == 1:
        common = frozenset(word.casefold() for text in known for word in str(text).split())
        measured = [text_statistics(one, common) for one in (known, *asked)]
    else:
        measured = [table_statistics(one, known) for one in (known, *asked)]
        spread = measured[0].std(axis=0)
        measured = [one / np.where(spread > 0, spread, 1) for one in measured]
    fit = fit_gaussian(measured[0])
    return tuple(fit.distance(one) for one in measured[1:])
