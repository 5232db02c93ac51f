"""Steps of a feed-forward network, each with its intervals, its rounding, and its way back for linear forms.

Every step but ``Rectifier`` is affine in what it takes. Numbers are float64 tensors with a first axis of rows.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from pfungst.models.torch_forms import Form, Whole, loaded, transposed


class Interval(NamedTuple):
    """Least and largest value, each (rows, *shape)."""

    low: Any
    high: Any


class Line(NamedTuple):
    """What bends linear forms at a rectifier: the slope below, the slope above, and what is added above."""

    below: Any
    above: Any
    offset: Any


@dataclass(frozen=True)
class Affine:
    """``weight`` applied to what is taken, plus ``bias``; ``taken`` and ``given`` are shapes without rows.

    ``terms`` is the number of products in one value: what rounding grows with. ``stored`` bounds the constants that
    were added one by one where ``bias`` holds their sum.
    """

    weight: Any
    bias: Any
    taken: tuple[int, ...]
    given: tuple[int, ...]
    stored: Any = None

    @property
    def terms(self) -> int:
        """Products in one value."""
        return int(self.weight[0].numel())

    def applied(self, values: Any) -> Any:
        """What it makes of some rows."""
        return self.linear(values, self.weight) + self.bias

    def linear(self, values: Any, weight: Any) -> Any:
        """Without the bias."""
        raise NotImplementedError

    def between(self, taken: Interval) -> Interval:
        """Interval arithmetic."""
        middle = self.applied((taken.low + taken.high) / 2)
        reach = self.linear((taken.high - taken.low) / 2, self.weight.abs())
        return Interval(middle - reach, middle + reach)

    def rounding(self, size: Any, unit: float, coarse: float) -> Any:
        """How far values as computed may lie from those of exact arithmetic on what was taken, in any order of sums.

        ``size`` bounds the absolute values taken, ``unit`` is the unit roundoff, ``coarse`` that of the factors where
        they are rounded before they are multiplied (Higham 2002, chapter 3).
        """
        gamma = (self.terms + 8) * unit / (1 - (self.terms + 8) * unit) + 2 * coarse
        stored = self.bias.abs() if self.stored is None else self.stored
        return gamma * self.linear(size, self.weight.abs()) + 4 * unit * stored

    def to(self, place: str) -> Self:
        """The same on another device."""
        held = {"weight": self.weight.to(place), "bias": self.bias.to(place)}
        return replace(self, **held)


@dataclass(frozen=True)
class Dense(Affine):
    """A linear layer: ``weight`` (given, taken)."""

    def linear(self, values: Any, weight: Any) -> Any:
        """The product."""
        return values @ weight.T

    def back(self, form: Form) -> tuple[Form, Any]:
        """The form of what is taken, and its constant."""
        whole = form.whole()
        return Whole(whole.a @ self.weight), whole.a @ self.bias


@dataclass(frozen=True)
class Convolution(Affine):
    """A convolution: ``weight`` (channels, channels of a group, height, width), ``bias`` (channels, 1, 1)."""

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def linear(self, values: Any, weight: Any) -> Any:
        """The convolution."""
        return loaded().nn.functional.conv2d(
            values, weight, None, self.stride, self.padding, self.dilation, self.groups
        )

    def back(self, form: Form) -> tuple[Form, Any]:
        """The form of what is taken, and its constant."""
        return transposed(form, self.weight, self), _constant(form, self.bias.expand(1, *self.given))


@dataclass(frozen=True)
class Scale(Affine):
    """Each value by its own factor, (*given) or what broadcasts to it."""

    @property
    def terms(self) -> int:
        """One."""
        return 1

    def linear(self, values: Any, weight: Any) -> Any:
        """The product of each with its own."""
        return values * weight

    def back(self, form: Form) -> tuple[Form, Any]:
        """The form of what is taken, and its constant."""
        factors = form.aligned(self.weight.expand(1, *self.given))
        return form.with_(form.a * factors), _constant(form, self.bias.expand(1, *self.given))


@dataclass(frozen=True)
class Shaped:
    """The same values in another shape."""

    taken: tuple[int, ...]
    given: tuple[int, ...]
    terms: int = 0

    def applied(self, values: Any) -> Any:
        """Reshaped."""
        return values.reshape(len(values), *self.given)

    def between(self, taken: Interval) -> Interval:
        """Reshaped."""
        return Interval(self.applied(taken.low), self.applied(taken.high))

    def rounding(self, size: Any, unit: float, coarse: float) -> Any:
        """None."""
        del size, unit, coarse

    def back(self, form: Form) -> tuple[Form, Any]:
        """Reshaped."""
        a = form.whole().a
        return Whole(a.reshape(*a.shape[:2], *self.taken)), 0.0

    def to(self, place: str) -> Self:
        """Itself."""
        del place
        return self


@dataclass(frozen=True)
class Rectifier:
    """The larger of a value and ``slope`` times it, with a slope in [0, 1)."""

    given: tuple[int, ...]
    slope: float = 0.0
    terms: int = 0

    def applied(self, values: Any) -> Any:
        """Bent."""
        return loaded().maximum(values, self.slope * values)

    def between(self, taken: Interval) -> Interval:
        """It is monotone."""
        return Interval(self.applied(taken.low), self.applied(taken.high))

    def rounding(self, size: Any, unit: float, coarse: float) -> Any:
        """Of one product, where there is a slope."""
        del coarse
        return 2 * unit * size if self.slope else None

    def line(self, taken: Interval, rule: str) -> Line:
        """Straight lines below and above it on an interval: the chord above, below a line through zero.

        ``rule``: the line below is the steeper of the two sides where that leaves less area (``adaptive``; Zhang et
        al. 2018), or parallel to the chord (``parallel``; Wong & Kolter 2018 have it in the dual).
        """
        torch, low, high = loaded(), taken.low, taken.high
        crossing = (low < 0) & (high > 0)
        still = torch.where(low >= 0, 1.0, self.slope).to(low)
        width = torch.where(crossing, high - low, 1.0)
        chord = torch.where(crossing, (high - self.slope * low) / width, still)
        steeper = torch.where(high > -low, 1.0, self.slope).to(low) if rule == "adaptive" else chord
        offset = torch.where(crossing, high - chord * high, 0.0)
        return Line(torch.where(crossing, steeper, still), chord, offset)

    def back(self, form: Form, line: Line) -> tuple[Form, Any]:
        """The form below: parts that count for the value take the line below, parts against it the line above."""
        a, size = form.a, form.a.abs()
        middle, half = (line.below + line.above) / 2, (line.below - line.above) / 2
        slanted = (a * form.aligned(middle)).addcmul_(size, form.aligned(half))
        offset = form.aligned(line.offset)
        return form.with_(slanted), form.flat(form.dot(a, offset) - form.dot(size, offset)) / 2

    def to(self, place: str) -> Self:
        """Itself."""
        del place
        return self


@dataclass(frozen=True)
class Sum:
    """The sum of two layers' values."""

    given: tuple[int, ...]
    terms: int = 0

    def applied(self, first: Any, second: Any) -> Any:
        """Their sum."""
        return first + second

    def between(self, first: Interval, second: Interval) -> Interval:
        """The sums of the ends."""
        return Interval(first.low + second.low, first.high + second.high)

    def rounding(self, size: Any, unit: float, coarse: float) -> Any:
        """Of one addition; ``size`` bounds the two layers' values together."""
        del coarse
        return 2 * unit * size

    def to(self, place: str) -> Self:
        """Itself."""
        del place
        return self


Step = Dense | Convolution | Scale | Shaped | Rectifier | Sum


def _constant(form: Form, bias: Any) -> Any:
    return form.flat(form.dot(form.a, form.aligned(bias)))
