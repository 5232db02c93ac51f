"""Balls: what an attacker may do to a picture, as sets of changes with a size."""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from pfungst.arrays import FloatArray
from pfungst.registry import Registry


class Ball(Protocol):
    """All changes of at most a size; changes are arrays (rows, height, width, channels) of shares of the range."""

    @property
    def name(self) -> str:
        """Of the norm."""
        ...

    @property
    def size(self) -> float:
        """How much is allowed."""
        ...

    def projected(self, change: FloatArray) -> FloatArray:
        """The nearest (or a near) change inside."""
        ...

    def steepest(self, gradient: FloatArray) -> FloatArray:
        """The change of size one along which a linear function rises most."""
        ...

    def length(self, change: FloatArray) -> FloatArray:
        """The size of each row's change, (rows,)."""
        ...


balls: Registry[Any] = Registry("balls")


@balls
@dataclass(frozen=True)
class Linf:
    """No number is changed by more than ``size``.

    >>> Linf(0.1).projected(np.full((1, 1, 1, 1), 0.3)).ravel().tolist()
    [0.1]
    """

    name: ClassVar[str] = "linf"
    size: float

    def projected(self, change: FloatArray) -> FloatArray:
        """Every number clipped."""
        return np.clip(change, -self.size, self.size)

    def steepest(self, gradient: FloatArray) -> FloatArray:
        """The signs."""
        return np.sign(gradient)

    def length(self, change: FloatArray) -> FloatArray:
        """The largest change of a number."""
        return np.asarray(np.abs(_flat(change)).max(axis=1))


@balls
@dataclass(frozen=True)
class L2:
    """The root of the summed squared changes is at most ``size``.

    >>> L2(1.0).projected(np.array([[[[3.0, 4.0]]]])).ravel().round(3).tolist()
    [0.6, 0.8]
    """

    name: ClassVar[str] = "l2"
    size: float

    def projected(self, change: FloatArray) -> FloatArray:
        """Scaled down."""
        return np.asarray(change * _each(np.minimum(1.0, self.size / np.maximum(self.length(change), 1e-30)), change))

    def steepest(self, gradient: FloatArray) -> FloatArray:
        """The gradient at length one."""
        return np.asarray(gradient / _each(np.maximum(self.length(gradient), 1e-30), gradient))

    def length(self, change: FloatArray) -> FloatArray:
        """Euclid's."""
        return np.asarray(np.sqrt((_flat(change).astype(np.float64) ** 2).sum(axis=1)))


@balls
@dataclass(frozen=True)
class L1:
    """The summed absolute changes are at most ``size`` (projection: Duchi et al. 2008).

    >>> L1(1.0).projected(np.array([[[[3.0, 0.0]]]])).ravel().tolist()
    [1.0, 0.0]
    """

    name: ClassVar[str] = "l1"
    size: float
    share: ClassVar[float] = 0.05

    def projected(self, change: FloatArray) -> FloatArray:
        """Every number drawn towards zero by the same amount."""
        flat = _flat(change).astype(np.float64)
        ordered = -np.sort(-np.abs(flat), axis=1)
        excess = (ordered.cumsum(axis=1) - self.size) / np.arange(1, flat.shape[1] + 1)
        last = (ordered > excess).sum(axis=1) - 1
        drawn = np.maximum(excess[np.arange(len(flat)), np.maximum(last, 0)], 0.0)[:, None]
        return np.asarray((np.sign(flat) * np.maximum(np.abs(flat) - drawn, 0.0)).reshape(change.shape), change.dtype)

    def steepest(self, gradient: FloatArray) -> FloatArray:
        """The signs of the largest twentieth: the steepest single number alone would take a step for each."""
        flat = _flat(gradient)
        count = max(1, int(self.share * flat.shape[1]))
        least = -np.partition(-np.abs(flat), count - 1, axis=1)[:, count - 1 : count]
        chosen = np.where(np.abs(flat) >= np.maximum(least, 1e-30), np.sign(flat), 0.0)
        total = np.maximum(np.abs(chosen).sum(axis=1, keepdims=True), 1.0)
        return np.asarray((chosen / total).reshape(gradient.shape), gradient.dtype)

    def length(self, change: FloatArray) -> FloatArray:
        """The sum of absolute changes."""
        return np.asarray(np.abs(_flat(change).astype(np.float64)).sum(axis=1))


@balls
@dataclass(frozen=True)
class L0:
    """At most ``size`` pixels are changed, each as much as one likes.

    >>> L0(1).projected(np.array([[[[3.0], [1.0]]]])).ravel().tolist()
    [3.0, 0.0]
    """

    name: ClassVar[str] = "l0"
    size: float

    def projected(self, change: FloatArray) -> FloatArray:
        """The pixels that are changed most keep their change."""
        weight = np.abs(change).sum(axis=3).reshape(len(change), -1)
        count = max(1, min(int(self.size), weight.shape[1]))
        order = np.argsort(-weight, axis=1, kind="stable")[:, :count]
        kept = np.zeros(weight.shape, bool)
        np.put_along_axis(kept, order, values=True, axis=1)
        return np.asarray(change * kept.reshape(*change.shape[:3], 1))

    def steepest(self, gradient: FloatArray) -> FloatArray:
        """Each pixel's direction, in proportion to the largest."""
        largest = np.abs(_flat(gradient)).max(axis=1)
        return np.asarray(gradient / _each(np.maximum(largest, 1e-30), gradient))

    def length(self, change: FloatArray) -> FloatArray:
        """The number of changed pixels."""
        return np.asarray((np.abs(change).sum(axis=3) > 0).reshape(len(change), -1).sum(axis=1), np.float64)


def _flat(change: FloatArray) -> FloatArray:
    return change.reshape(len(change), -1)


def _each(values: FloatArray, like: FloatArray) -> FloatArray:
    return values.reshape(-1, *[1] * (like.ndim - 1)).astype(like.dtype)


def first_step(ball: Ball) -> float:
    """The first step of a search inside a ball, in units of ``steepest``: from one side to the other."""
    return 2.0 * ball.size if not isinstance(ball, L0) else 1.0
