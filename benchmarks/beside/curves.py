"""How costs grow: over the side of a picture, the number of chapters, and the number of workers.

Growth over rows and classes is a command of its own, ``growth.py``.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np

import pfungst
from beside.corruptions import crops
from beside.measured import Curve, Plan, seconds
from pfungst.arrays import Array, FloatArray
from pfungst.audits.request import resolve
from pfungst.audits.study import opened
from pfungst.demo import demo_files
from pfungst.engine.rounds import Rounds
from pfungst.methods.shifts import Shifted, named
from pfungst.passes import Passes, Predict

SIDES, PICTURES = (32, 64, 128, 256), 64
ADDED = ("shift", "calibration", "mistakes", "unknowns", "attribution", "shortcuts")
ASKED: dict[str, dict[str, object]] = {
    "one process": {"workers": 1},
    "two processes": {"workers": 2},
    "two of Ray's actors": {"workers": 2, "executor": "ray"},
}


def over_sides(plan: Plan) -> Iterator[Curve]:
    """The shift chapter on the same pictures, larger and larger; per pixel, the smallest is 1."""
    costs, sides = [], SIDES[: plan.rows(4, 2)]
    for side in sides:
        pictures = crops(PICTURES, side)
        labels = brighter(pictures).argmax(axis=1)

        def audited(given: tuple[Array, Array] = (pictures, labels)) -> object:
            return pfungst.audit(brighter, given, only=("shift",), outputs="logits", images=False, cache=False)

        audited()
        costs.append(min(seconds(audited) for _ in range(plan.pairs // 2)) / side**2)
    words = f"shift chapter, {PICTURES} pictures, cost a pixel"
    note = "below 1 a pixel of a larger picture costs less than one of the smallest"
    yield Curve("sides", words, "side in pixels", [str(one) for one in sides], relative(costs), note)


def brighter(pictures: FloatArray) -> FloatArray:
    """A model that costs next to nothing: the left half's mean against the right's."""
    middle = pictures.shape[2] // 2
    left, right = (part.mean(axis=(1, 2, 3)) for part in (pictures[:, :, :middle], pictures[:, :, middle:]))
    return np.stack([left - right, right - left], axis=1) * 10


def over_chapters(plan: Plan) -> Iterator[Curve]:
    """The embedded example, chapter by chapter added to the one on shift; the first is 1."""
    files, costs, points = demo_files(), [], []
    for count in range(1, plan.rows(len(ADDED), 4) + 1):
        only = ADDED[:count]

        def audited(only: tuple[str, ...] = only) -> object:
            return pfungst.audit(
                str(files.model), str(files.data), only=only, rows=plan.rows(500, 100), images=False, cache=False
            )

        audited()
        costs.append(min(seconds(audited) for _ in range(plan.pairs // 2)))
        points.append(("+ " if count > 1 else "") + only[-1])
    note = "a network of tens of microseconds a row: the share that judging takes is far larger than of a usual one"
    yield Curve("chapters", "an audit of the embedded example", "chapters asked", points, relative(costs), note)


def over_workers(plan: Plan) -> Iterator[Curve]:
    """The same passes, corruptions of two severities, by the clock; one process is 1."""
    files, first, second = demo_files(), [], []
    asked = dict(list(ASKED.items())[: plan.rows(3, 2)])
    for options in asked.values():
        study = opened(str(files.model), str(files.data), resolve(None, options))
        with closing(study.executor()) as executor:
            rounds, done = Rounds(study.data, executor), Passes()
            for severity, spent in ((3, first), (4, second)):
                wanted = {Predict(Shifted(name, severity)): ("bench",) for name in named(("imagenet-c",))}
                began = time.perf_counter()
                done = rounds.answer(wanted, done)
                spent.append(time.perf_counter() - began)
    words = "nineteen corruptions of the embedded example"
    points = list(asked)
    yield Curve("workers", f"{words}, with the start of the workers", "workers", points, relative(first))
    yield Curve("workers", f"{words}, workers at hand", "workers", points, relative(second))


def relative(costs: list[float]) -> list[float]:
    """Costs over the first."""
    return [round(one / costs[0], 3) for one in costs]


CURVES: dict[str, Callable[[Plan], Iterator[Curve]]] = {
    "sides": over_sides, "chapters": over_chapters, "workers": over_workers,
}  # fmt: skip
