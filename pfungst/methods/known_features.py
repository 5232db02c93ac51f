"""What known rows' features look like: Gaussians by class, nearest neighbours, a virtual logit and the last layer."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError

RIDGE = 1e-6
"""Ridge of every covariance as a share of its mean eigenvalue: relative, so that no score knows the features' unit."""

LEAST_SPREAD = 1e-13
"""Variance, as a share of the mean square, below which float32 features differ by rounding alone."""

LINEAR = 1e-4
"""Largest residual of a linear layer, in standard deviations of its logits."""

LEAST_TURN = 1e-6
"""Difference of two directions below which float32 features differ by rounding alone."""

BLOCK = 1 << 24
"""Most numbers of a temporary (rows, known rows) block: 64 MB of float32."""


@dataclass(frozen=True, eq=False)
class ClassGaussians:
    """One Gaussian a class with a common covariance, and one of all rows.

    ``means`` is (classes kept, width) and ``overall`` (width,); ``whitening`` and ``total_whitening`` are
    (width, width) and turn the covariance within classes, or of all rows, into the identity. ``kept`` are the classes
    that have rows, ``left_out`` those that have none.
    """

    means: FloatArray
    whitening: FloatArray
    overall: FloatArray
    total_whitening: FloatArray
    kept: IntArray
    left_out: IntArray

    def squared_distances(self, features: Array) -> FloatArray:
        """Squared Mahalanobis distance of each row to each class kept, (rows, kept).

        Raises:
            InputError: if a feature is not finite or the width is another.
        """
        centres = ((self.means - self.overall) @ self.whitening.T).astype(np.float32)
        found = np.empty((len(features), len(centres)), np.float32)
        for rows, part in self._whitened(features, self.whitening):
            squares = np.einsum("ij,ij->i", part, part)[:, None] + np.einsum("ij,ij->i", centres, centres)
            found[rows] = np.maximum(squares - 2 * (part @ centres.T), 0)
        return found

    def overall_distances(self, features: Array) -> FloatArray:
        """Squared Mahalanobis distance of each row to the mean of all known rows, (rows,).

        Raises:
            InputError: if a feature is not finite or the width is another.
        """
        found = np.empty(len(features), np.float32)
        for rows, part in self._whitened(features, self.total_whitening):
            found[rows] = np.einsum("ij,ij->i", part, part)
        return found

    def _whitened(self, features: Array, whitening: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
        f = finite(features, self.means.shape[1])
        turn = np.ascontiguousarray(whitening.T, np.float32)
        for rows in _blocks(len(f), f.shape[1]):
            yield rows, (f[rows] - self.overall).astype(np.float32) @ turn


def class_gaussians(features: Array, labels: IntArray, classes: int) -> ClassGaussians:
    """Mean of every class and one covariance within classes (Lee 2018, arXiv:1807.03888), and those of all rows.

    Rows without a label (-1) are left out, classes without rows too; a class of one row has a mean. Fitted in float64.

    Raises:
        InputError: if a feature is not finite, no row has a label, or no feature varies within classes.

    >>> fit = class_gaussians(np.array([[0.0, 0], [2, 0], [9, 4], [9, 6]]), np.array([0, 0, 2, 2]), 3)
    >>> fit.kept.tolist(), fit.left_out.tolist(), fit.means.tolist()
    ([0, 2], [1], [[1.0, 0.0], [9.0, 5.0]])
    >>> fit.squared_distances(np.array([[9.0, 7.0]])).round(2).tolist()
    [[226.0, 8.0]]
    """
    has = np.asarray(labels) >= 0
    f, own = finite(features)[has].astype(np.float64), np.asarray(labels)[has]
    if len(f) < 2:
        raise InputError(f"distances to classes need known rows with labels; {len(f)} rows have one: give labels")
    counts = np.bincount(own, minlength=classes)
    kept = np.flatnonzero(counts)
    means = np.zeros((len(counts), f.shape[1]))
    for label in kept:
        means[label] = f[own == label].mean(axis=0)
    overall = f.mean(axis=0)
    apart, between = f - means[own], (means - overall) * np.sqrt(counts / len(f))[:, None]
    within = apart.T @ apart / len(f)
    least = LEAST_SPREAD * float(np.mean(np.square(f)))
    return ClassGaussians(
        means[kept],
        _whitening(within, least),
        overall,
        _whitening(within + between.T @ between, least),
        kept,
        np.flatnonzero(counts == 0),
    )


def _whitening(covariance: FloatArray, least: float) -> FloatArray:
    width = len(covariance)
    spread = float(np.trace(covariance)) / width
    if spread <= least:
        raise InputError("the features of the known rows do not vary, so no distance to them exists; give varied rows")
    lower = np.linalg.cholesky(covariance + RIDGE * spread * np.eye(width))
    return np.asarray(np.linalg.inv(lower))


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Known rows' features scaled to length 1, (rows, width) float32, and which neighbour counts."""

    bank: FloatArray
    k: int

    def distance(self, features: Array) -> FloatArray:
        """Distance of each row, scaled to length 1, to its k-th nearest known row, (rows,).

        Raises:
            InputError: if a feature is not finite or the width is another.
        """
        f = unit_rows(finite(features, self.bank.shape[1]))
        squares = np.einsum("ij,ij->i", f, f)
        found = np.empty(len(f), np.float32)
        for rows in _blocks(len(f), len(self.bank)):
            nearest = _largest(f[rows] @ self.bank.T, self.k).min(axis=1)
            found[rows] = np.sqrt(np.maximum(1 + squares[rows] - 2 * nearest, 0))
        return found

    def guidance(self, features: Array, weights: FloatArray, most: int = 100) -> FloatArray:
        """Mean of the ``most`` largest products of cosine and known row's weight, (rows,) (Park 2023, NNGuide).

        Raises:
            InputError: if a feature is not finite or the width is another.
        """
        f = unit_rows(finite(features, self.bank.shape[1]))
        weighted = self.bank * np.asarray(weights, np.float32)[:, None]
        found = np.empty(len(f), np.float32)
        for rows in _blocks(len(f), len(weighted)):
            found[rows] = _largest(f[rows] @ weighted.T, most).mean(axis=1)
        return found


def neighbours(features: Array, k: int = 50) -> Neighbours:
    """Known rows to be near to (Sun 2022, arXiv:2204.06507); k is at most a tenth of them.

    Raises:
        InputError: if a feature is not finite or all rows are alike.

    >>> near = neighbours(np.array([[1.0, 0], [0, 1]]))
    >>> near.k, near.distance(np.array([[3.0, 0.0], [-1.0, 0.0]])).round(3).tolist()
    (1, [0.0, 1.4140000343322754])
    """
    bank = unit_rows(finite(features))
    if len(bank) < 2 or float(np.abs(bank - bank[0]).max()) < LEAST_TURN:
        raise InputError("the features of the known rows do not vary, so none is nearer than another; give varied rows")
    return Neighbours(bank, max(1, min(k, len(bank) // 10)))


@dataclass(frozen=True, eq=False)
class Head:
    """The last layer: ``weights`` (classes, width) and ``bias`` (classes,) that turn features into logits.

    Where only log-probabilities are known, it gives each logit minus that of the last class.
    """

    weights: FloatArray
    bias: FloatArray

    def logits(self, features: Array) -> FloatArray:
        """The logits of these features, (rows, classes) float64."""
        return np.asarray(features @ self.weights.T + self.bias)


def head_of(features: Array, logits: Array, *, normalised: bool = False) -> Head:
    """The last layer, recovered by least squares from features and the logits that it made of them.

    It is algebra, not learning: rows of any kind serve. A feature that never varies keeps weight 0. With
    ``normalised`` the logits are log-probabilities, of which differences alone say something about the layer.

    Raises:
        InputError: if there are fewer rows than twice the width, the features depend on each other, a feature is not
            finite, or the residual exceeds 1e-4 standard deviations of the logits: the last layer is not linear.

    >>> rng = np.random.default_rng(0)
    >>> f, weights = rng.normal(size=(20, 3)), np.array([[1.0, 2, 3], [4, 5, 6]])
    >>> head = head_of(f, f @ weights.T + [5, 6])
    >>> head.weights.round(6).tolist(), head.bias.round(6).tolist()
    ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [5.0, 6.0])
    """
    f, z = finite(features).astype(np.float64), np.asarray(logits, np.float64)
    z = z - z[:, -1:] if normalised else z
    used = np.flatnonzero(np.ptp(f, axis=0) > 0) if len(f) else np.arange(0)
    if len(f) < 2 * f.shape[1]:
        raise InputError(
            f"the last layer was to be recovered from {len(f)} rows with {f.shape[1]} features; it takes twice as many "
            "rows as features: give more rows"
        )
    centre, middle = f[:, used].mean(axis=0), z.mean(axis=0)
    spread = f[:, used].std(axis=0)
    apart = (f[:, used] - centre) / spread
    found, _, rank, _ = np.linalg.lstsq(apart, z - middle, rcond=1e-7)
    if rank < len(used):
        raise InputError(
            f"the last layer was to be recovered from features of which only {rank} of {len(used)} are independent; "
            "give other rows"
        )
    left = float(np.sqrt(np.mean(np.square(apart @ found - (z - middle)))))
    if left > LINEAR * float(z.std()) or not len(used):
        raise InputError("the last layer is not linear in the features, so scores that need its weights say nothing")
    weights = np.zeros((z.shape[1], f.shape[1]))
    weights[:, used] = (found / spread[:, None]).T
    return Head(weights, middle - weights[:, used] @ centre)


@dataclass(frozen=True, eq=False)
class VirtualLogit:
    """Directions (width, rest) in which known rows hardly vary, about an origin (width,), and the logit's scale."""

    origin: FloatArray
    rest: FloatArray
    scale: float

    def score(self, features: Array, log_sum_exp: FloatArray) -> FloatArray:
        """Virtual logit minus log-sum-exp of the true ones, (rows,); larger is stranger.

        Raises:
            InputError: if a feature is not finite or the width is another.
        """
        f = finite(features, len(self.origin))
        return np.asarray(self.scale * _length(f - self.origin.astype(f.dtype), self.rest) - log_sum_exp)


def virtual_logit(features: Array, logits: Array, head: Head) -> VirtualLogit:
    """Norm of the features outside their main subspace, scaled like a logit (Wang 2022, arXiv:2203.10807).

    The origin is -pinv(W) b, the subspace the upper half of the eigenvectors of the known rows' second moments about
    it, the scale the mean largest logit over the mean norm.

    Raises:
        InputError: if a feature is not finite or the features fill no more than their main subspace.

    >>> rng = np.random.default_rng(0)
    >>> f = rng.normal(size=(200, 2)) * [1, 0.1]
    >>> fit = virtual_logit(f, f, Head(np.eye(2), np.zeros(2)))
    >>> bool(fit.score(np.array([[0.0, 1.0]]), np.zeros(1))[0] > fit.score(np.array([[1.0, 0.0]]), np.zeros(1))[0])
    True
    """
    f = finite(features).astype(np.float64)
    origin = -np.linalg.pinv(head.weights) @ head.bias
    apart = f - origin
    _, vectors = np.linalg.eigh(apart.T @ apart / len(f))
    rest = vectors[:, : f.shape[1] - f.shape[1] // 2]
    length = float(_length(apart, rest).mean())
    if length <= LEAST_TURN * float(np.sqrt(np.mean(np.square(apart)))):
        raise InputError(
            "the features of the known rows fill no more than their main subspace, so none lies outside it"
        )
    return VirtualLogit(origin, rest, float(np.asarray(logits, np.float64).max(axis=1).mean()) / length)


def _length(apart: FloatArray, directions: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(apart.astype(np.float32) @ directions.astype(np.float32), axis=1), np.float64)


def unit_rows(features: FloatArray) -> FloatArray:
    """Rows scaled to length 1 as float32; a row of zeros stays one, at distance 1 from all.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).round(1).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    f = np.asarray(features)
    largest = np.abs(f).max(axis=1, keepdims=True).astype(np.float64)
    scaled = (f / np.where(largest > 0, largest, 1)).astype(np.float32)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(length > 0, length, 1))


def finite(features: Array, width: int | None = None) -> FloatArray:
    """Features checked: (rows, width) finite numbers.

    Raises:
        InputError: naming the rows that are not finite, or the shape.

    >>> finite(np.array([[1.0], [np.nan]]))
    Traceback (most recent call last):
    pfungst.errors.InputError: features of row 1 are NaN or infinite; leave such rows out
    """
    f = np.asarray(features)
    if f.ndim != 2 or f.dtype.kind not in "fiu" or not f.shape[1] or (width is not None and f.shape[1] != width):
        wanted = "(rows, width)" if width is None else f"(rows, {width})"
        raise InputError(f"features have shape {f.shape} and type {f.dtype}; {wanted} numbers are needed")
    bad = np.flatnonzero(~np.isfinite(f).all(axis=1))
    if len(bad):
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        rows = f"row{'s' if len(bad) > 1 else ''} {', '.join(str(row) for row in bad[:5])}{more}"
        raise InputError(f"features of {rows} are NaN or infinite; leave such rows out")
    return f if f.dtype.kind == "f" else f.astype(np.float64)


def _largest(values: FloatArray, most: int) -> FloatArray:
    most = min(most, values.shape[1])
    values.partition(values.shape[1] - most, axis=1)
    return values[:, values.shape[1] - most :]


def _blocks(rows: int, width: int) -> Iterator[slice]:
    step = max(1, BLOCK // width)
    return (slice(start, start + step) for start in range(0, rows, step))
