"""Bounds that hold for every input of a region: linear bounds by backward substitution (CROWN), intervals where dear.

Zhang et al. 2018 (arXiv:1811.00866): each rectifier is put between two straight lines, and a linear form of the scores
is carried back through the network to the input, where its least value over the region is known. The intervals that the
lines need come from the same pass for each layer before, or from interval arithmetic where that would cost too much
(Zhang et al. 2020, arXiv:1906.06316, call it CROWN-IBP); the tighter of the two counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pfungst.errors import InputError
from pfungst.models.torch_forms import Form, Whole, Windows, loaded, summed
from pfungst.models.torch_layers import Layers
from pfungst.models.torch_steps import Interval, Line, Rectifier, Sum

RULES = ("adaptive", "parallel")
"""Lines below a rectifier; the first is used for layers inside, the best of all for the scores."""

NUMBERS = {"cpu": 1 << 19, "cuda": 1 << 25}
"""Numbers that a linear form may hold at once: 4 MiB, about what a processor keeps near, or 256 MiB."""

DEAREST = 5e8
"""Multiplications a row beyond which a layer's intervals are found by interval arithmetic, and a proof not tried."""

_TURNS = 8


@dataclass(frozen=True)
class Region:
    """Inputs between ``low`` and ``high`` (rows, *shape); with a ``radius`` also within it of ``centre`` in l2.

    Distances in l2 are of (input - centre) / ``scale``: a network's numbers as shares of the pictures' range.
    """

    centre: Any
    low: Any
    high: Any
    scale: Any = None
    radius: float | None = None

    def __len__(self) -> int:
        return len(self.centre)

    def part(self, rows: Any) -> "Region":
        """Some of its rows."""
        return Region(self.centre[rows], self.low[rows], self.high[rows], self.scale, self.radius)

    def least(self, form: Form) -> Any:
        """A lower bound of each form over the region, (rows, forms)."""
        low, high = form.aligned(self.low), form.aligned(self.high)
        in_box = form.dot(form.a, (low + high) / 2) - form.dot(form.a.abs(), (high - low) / 2)
        return form.flat(in_box if self.radius is None else loaded().maximum(in_box, self._in_ball(form)[0]))

    def lowest(self, form: Whole) -> Any:
        """Inputs of the region at which each form is about as small as it gets, (rows, forms, *shape)."""
        if self.radius is None:
            return loaded().where(form.a > 0, form.aligned(self.low), form.aligned(self.high))
        return self._in_ball(form)[1]

    def _in_ball(self, form: Form) -> tuple[Any, Any]:
        """By duality: for any weight w > 0, the least of a d + w (d^2 - r^2) over the box is a lower bound."""
        scale, centre = form.aligned(self.scale), form.aligned(self.centre)
        a = form.a * scale
        # Outside a window everything is zero, the scale too: there nothing can be moved.
        safe = scale + (scale == 0)
        low, high = (form.aligned(self.low) - centre) / safe, (form.aligned(self.high) - centre) / safe
        fixed, radius = form.dot(form.a, centre), float(self.radius or 0.0)
        weight = form.squares(a).sqrt() / (2 * radius) + 1e-300
        best, moved = None, a
        for _ in range(_TURNS):
            moved = (-a / (2 * weight)).clamp(min=low, max=high)
            squared = form.squares(moved)
            bound = fixed + form.inner(a, moved) + weight * (squared - radius**2)
            best = bound if best is None else loaded().maximum(best, bound)
            weight = weight * (squared.sqrt() / radius).clamp(min=1e-3, max=1e3) + 1e-300
        inside = (radius / (squared.sqrt() + 1e-300)).clamp(max=1.0)
        return best, centre + moved * inside * scale


class Margins(NamedTuple):
    """How far the true score stays above the others.

    ``least`` (rows,) bounds the true score less any other's from below, as the network runs, rounding included;
    ``worst`` are inputs at which the bound was taken; ``cost`` counts multiplications a row, in forward passes.
    """

    least: Any
    worst: Any
    cost: float


class Known(NamedTuple):
    """What holds of a network's values on a region: intervals, and what rounding may add or take at each step."""

    intervals: dict[int, Interval]
    rounding: dict[int, Any]

    def taken(self, rows: Any) -> "Known":
        """Of some rows."""
        intervals = {at: Interval(one.low[rows], one.high[rows]) for at, one in self.intervals.items()}
        return Known(intervals, {at: one[rows] for at, one in self.rounding.items()})


@dataclass
class Bounds:
    """Layers with what their backward passes cost: found once, by a pass over shapes alone.

    ``unit`` and ``coarse`` are the roundoff of the network as it runs, see ``Affine.rounding``.
    """

    layers: Layers
    unit: float = 2.0**-24
    coarse: float = 0.0
    rules: Sequence[str] = RULES
    dearest: float = DEAREST

    def __post_init__(self) -> None:
        shapes = self.layers.to("meta")
        self.forward = sum(
            step.terms * _size(step.given) for step in self.layers.steps if not isinstance(step, Rectifier | Sum)
        )
        self.bent = sorted(
            {taken[0] for step, taken in zip(shapes.steps, self.layers.sources, strict=True) if _bends(step)}
        )
        self.most: dict[int, float] = {}
        left = self.dearest - _cost(shapes, len(shapes.steps))[0]
        if left < 0:
            raise InputError(
                f"nothing is proven: a proof takes {self.dearest - left:.0e} multiplications a row in this network, "
                f"and {self.dearest:.0e} are the most that are tried"
            )
        for at in self.bent:
            cost, most = _cost(shapes, at)
            self.most[at] = most if cost <= left else 0.0
            left -= cost if cost <= left else 0.0

    def margins(self, region: Region, labels: Any) -> Margins:
        """Bounds of the true score less every other's, row by row."""
        most = max([_size(self.layers.shape) * 64.0, *self.most.values()])
        step = max(1, int(NUMBERS[region.low.device.type] / most))
        cuts = [slice(at, at + step) for at in range(0, len(region), step)]
        parts = [self._margins(region.part(cut), labels[cut]) for cut in cuts]
        least, worst = (loaded().cat([part[i] for part in parts]) for i in (0, 1))
        return Margins(least, worst, sum(part.cost * len(part.least) for part in parts) / max(1, len(region)))

    def _margins(self, region: Region, labels: Any) -> Margins:
        """By intervals alone first; then layer after layer is tightened, for the rows that are not proven yet."""
        torch = loaded()
        known = Known({0: Interval(region.low, region.high)}, {})
        self._follow(known, 1)
        least, worst, cost = self._judged(region, labels, known)
        spent = 2.0 * self.forward + cost
        rows = torch.arange(len(labels), device=labels.device)
        for at in self.bent:
            left = ~(least[rows] > 0)
            if not self.most[at] or not bool(left.any()):
                continue
            rows, known = rows[left], known.taken(left)
            part = region.part(rows)
            known.intervals[at], cost = self._tightened(part, at, known.intervals[at], known)
            self._follow(known, at + 1)
            least[rows], worst[rows], more = self._judged(part, labels[rows], known)
            spent += (cost + more) * len(rows) / len(labels)
        return Margins(least, worst, spent / max(1, self.forward))

    def _judged(self, region: Region, labels: Any, known: Known) -> tuple[Any, Any, float]:
        """The least margin of each row by what is known of the layers, where it is taken, and the multiplications."""
        torch = loaded()
        rows, classes = torch.arange(len(labels), device=labels.device), _size(self.layers.steps[-1].given)
        if classes == 1:
            a = (2.0 * labels - 1).reshape(-1, 1, 1).to(region.low)
        else:
            a = -torch.eye(classes, dtype=region.low.dtype, device=region.low.device).repeat(len(labels), 1, 1)
            a[rows, :, labels] += 1
        tries = [self._substituted(region, Whole(a), len(self.layers.steps), known, rule) for rule in self.rules]
        best = torch.stack([bound for bound, _ in tries]).amax(dim=0)
        if classes > 1:
            best[rows, labels] = torch.inf
        near = best.argmin(dim=1)
        form = tries[0][1].form
        worst = region.lowest(Whole(form.a[rows, near][:, None]))[:, 0]
        return best[rows, near], worst, sum(found.spent / len(labels) for _, found in tries)

    def _follow(self, known: Known, start: int) -> None:
        """Intervals and rounding of every step from one on, by interval arithmetic from what is known before it."""
        for at in range(start, len(self.layers.steps) + 1):
            step, taken = self.layers.steps[at - 1], self.layers.sources[at - 1]
            before = [known.intervals[one] for one in taken]
            rounding = step.rounding(sum(_largest(one) for one in before), self.unit, self.coarse)
            found = step.between(*before)
            if rounding is not None:
                known.rounding[at] = rounding
                found = Interval(found.low - rounding, found.high + rounding)
            known.intervals[at] = found

    def _tightened(self, region: Region, at: int, usual: Interval, known: Known) -> tuple[Interval, float]:
        """The intersection of an interval with what backward substitution says of the same values."""
        torch, shape, spent = loaded(), self.layers.steps[at - 1].given, 0.0
        ends: list[list[Any]] = [[], []]
        whole = _identity(shape, usual.low)
        forms = _forms(whole)
        step = max(1, int(forms * NUMBERS[region.low.device.type] / max(1.0, self.most[at])))
        for start in range(0, forms, step):
            form = _some(whole, start, start + step)
            for end, sign in zip(ends, (1.0, -1.0), strict=True):
                least, passed = self._substituted(region, form.with_(sign * form.a), at, known, self.rules[0])
                end.append(sign * least)
                spent += passed.spent / len(passed.form.a)
        low, high = (torch.cat(end, dim=1).reshape(-1, *shape) for end in ends)
        return Interval(torch.maximum(usual.low, low), torch.minimum(usual.high, high)), spent

    def _substituted(self, region: Region, form: Form, at: int, known: Known, rule: str) -> tuple[Any, "Substituted"]:
        """Lower bounds of forms of values ``at``, and how they came about."""
        lines = {
            number: step.line(known.intervals[taken[0]], rule)
            for number, (step, taken) in enumerate(zip(self.layers.steps, self.layers.sources, strict=True), start=1)
            if isinstance(step, Rectifier) and number <= at
        }
        found = substituted(self.layers, form, at, lines, known.rounding)
        return region.least(found.form) + found.constant, found


class Substituted(NamedTuple):
    """A form of the input, its constant, the multiplications it took, and the numbers of the largest form between."""

    form: Form
    constant: Any
    spent: float
    most: float


def substituted(
    layers: Layers, form: Form, at: int, lines: Mapping[int, Line], rounding: Mapping[int, Any]
) -> Substituted:
    """What a form of values ``at`` is at least, as a form of the input."""
    open_: dict[int, Form] = {at: form}
    constant: Any = 0.0
    spent, most = 0.0, float(form.a.numel())
    for number in range(at, 0, -1):
        here = open_.pop(number, None)
        if here is None:
            continue
        step, sources = layers.steps[number - 1], layers.sources[number - 1]
        spent += float(here.a.numel()) * step.terms
        if number in rounding:
            constant = constant - here.flat(here.dot(here.a.abs(), here.aligned(rounding[number])))
        if isinstance(step, Sum):
            parts = [here, here]
        else:
            below, more = step.back(here, lines[number]) if isinstance(step, Rectifier) else step.back(here)
            parts, constant = [below], constant + more
        for source, part in zip(sources, parts, strict=True):
            open_[source] = summed(open_.get(source), part)
            most = max(most, float(open_[source].a.numel()))
    return Substituted(open_[0], constant, spent, most)


def _cost(shapes: Layers, at: int) -> tuple[float, float]:
    """Multiplications for both ends of the intervals of values ``at`` of one row, and the largest form on the way."""
    torch = loaded()
    nothing = torch.zeros((1, *shapes.steps[at - 1].given), dtype=torch.float64, device="meta")
    lines = {
        number: Line(*(torch.zeros((1, *step.given), dtype=torch.float64, device="meta") for _ in range(3)))
        for number, step in enumerate(shapes.steps, start=1)
        if _bends(step)
    }
    found = substituted(shapes, _identity(shapes.steps[at - 1].given, nothing), at, lines, {})
    return 2 * found.spent, found.most


def _identity(shape: tuple[int, ...], like: Any) -> Form:
    """Each value of a layer as a form of itself; at every place of a lattice the same."""
    torch = loaded()
    eye = torch.eye(shape[0] if len(shape) == 3 else _size(shape), dtype=like.dtype, device=like.device)
    if len(shape) != 3:
        return Whole(eye.reshape(1, -1, *shape))
    return Windows(eye[None, None, None, :, :, None, None].expand(1, *shape[1:], -1, -1, 1, 1), (1, 1), (0, 0), shape)


def _forms(form: Form) -> int:
    return int(form.a.shape[3 if isinstance(form, Windows) else 1])


def _some(form: Form, start: int, stop: int) -> Form:
    return form.with_(form.a[:, :, :, start:stop] if isinstance(form, Windows) else form.a[:, start:stop])


def _bends(step: Any) -> bool:
    return isinstance(step, Rectifier)


def _largest(interval: Interval) -> Any:
    return loaded().maximum(interval.low.abs(), interval.high.abs())


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        size *= int(side)
    return size
