"""Joint occlusion: a part is hidden as a whole, as a network that reads all of it hardly minds the loss of a cell."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.datasets.dataset import Batch
from pfungst.maps import Maps
from pfungst.methods.attributions import ASKING
from pfungst.methods.cues import like, unit
from pfungst.methods.occlusion import ground
from pfungst.methods.places import Border
from pfungst.methods.wordwise import log_odds
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import paired_mean

PARTS = ("border", "background")


@dataclass(frozen=True)
class JointOcclusion:
    """What a part and all that is left of the picture each carry of the log-odds of the answer.

    With v the log-odds where only some of the picture is shown, and the average picture of the donors elsewhere, a part
    carries (v(part) - v(nothing) + v(all) - v(rest)) / 2: Shapley's value (1953) of a game of two. Values are
    (rows, 1, 6): for the border and for the background what it carries, what the rest carries, and its share of the
    picture. Those of the background are NaN where no mask says which it is, or all is background or none.
    """

    name: str = "joint-occlusion"
    wants: frozenset[str] = ASKING

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """Four passes, and two more where there are masks."""
        own = model.predict(batch.inputs)
        targets, pictures, bare = own.predictions, unit(batch.inputs), ground(batch)

        def stated(shown: BoolArray) -> FloatArray:
            some = np.where(shown[..., None], pictures, bare).astype(np.float32)
            return log_odds(model.predict(like(some, batch.inputs)), targets)

        parts = [np.broadcast_to(Border().inside(*pictures.shape[1:3]), pictures.shape[:3])]
        if batch.masks is not None:
            parts.append(~np.asarray(batch.masks, bool))
        whole, nothing = log_odds(own, targets), stated(np.zeros(pictures.shape[:3], bool))
        values = np.full((len(batch), len(PARTS), 3), np.nan, np.float32)
        for at, part in enumerate(parts):
            alone, rest, area = stated(part), stated(~part), part.mean(axis=(1, 2))
            carried = (alone - nothing + whole - rest) / 2, (rest - nothing + whole - alone) / 2
            told = (area > 0) & (area < 1) if PARTS[at] == "background" else np.ones(len(batch), bool)
            values[told, at] = np.stack([*carried, area], axis=1)[told]
        passes = np.full(len(batch), 2.0 + 2 * len(parts))
        return Maps(values.reshape(len(batch), 1, -1), targets, np.full(len(batch), np.nan), passes, batch.rows)


def share_beyond(part: FloatArray, rest: FloatArray, due: FloatArray, units: Array | None) -> Estimate:
    """Share of what both carry (rows,) that the part carries, less the share that is due (rows,).

    The ratio of means, its interval by the linearised residuals (Cochran 1977, chapter 6). Where both together do not
    surely carry anything there is nothing to share out: the interval is then all there can be.

    >>> one = np.ones(30)
    >>> share_beyond(one, 3 * one, 0.2 * one, None).value
    0.05
    """
    name, total = "share of the answer beyond what is due", part + rest
    carried = paired_mean(total, units, "log-odds of the answer")
    middle = float(due.mean())
    if carried.low <= 0:
        return Estimate(name=name, value=0.0, low=-middle, high=1 - middle, rows=carried.rows, unit=carried.unit)
    share = float(part.mean() / total.mean())
    return paired_mean(share + (part - share * total) / total.mean() - due, units, name)
