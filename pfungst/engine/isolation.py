"""Isolation: the rows for which a model fails are found and left out; the others of their batch are answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from pfungst.datasets.dataset import Batch
from pfungst.errors import Incomplete, InputError, Unanswered, first_line
from pfungst.outputs import NotFinite

T = TypeVar("T")

HOPELESS = 20, 0.02
"""Failing rows, and their share of the rows asked, at which it is the model that is broken and not a few rows."""

ASK = (
    "it is the model, its package or the preprocessing that fails, not a few rows: ask it about one row yourself first"
)
"""What to do where it is the model that is broken."""

FILL = "fill the missing values, or give a model that does, such as a pipeline with an imputer"
"""What to do where it is broken on rows with missing values."""


@dataclass
class Isolation:
    """What became of the rows of one shard: how many were ``asked`` so far, and why which ``failed``."""

    asked: int = 0
    failed: dict[int, str] = field(default_factory=dict)

    def answered(self, ask: Callable[[Batch], T], batch: Batch, shown: str = "") -> tuple[list[T], dict[int, str]]:
        """Answers to the rows of a batch, in order, in one piece or several, and why the others have none.

        A batch that fails is halved until the failing rows stand alone; rows known to have no finite answer are
        taken out at once. ``shown`` names the condition, for the reason. What is wrong with the request, not with the
        row (an InputError other than Unanswered), is raised.

        Raises:
            Unanswered: if so many rows fail that it must be the model.
        """
        why: dict[int, str] = {}
        return self._tried(ask, batch, shown, why), why

    def _tried(self, ask: Callable[[Batch], T], batch: Batch, shown: str, why: dict[int, str]) -> list[T]:
        if not len(batch):
            return []
        try:
            return [ask(batch)]
        except NotFinite as error:
            # Rows beyond the batch are those that fill it up: its last one, again and again.
            bad = np.unique(np.minimum(error.rows, len(batch) - 1))
            self._lost(batch.rows[bad], f"the model answered NaN or infinity{_under(shown)}", why)
            return self._tried(ask, batch.take(np.delete(np.arange(len(batch)), bad)), shown, why)
        except Exception as error:
            if isinstance(error, InputError) and not isinstance(error, Unanswered):
                raise
            if len(batch) == 1:
                kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
                then = FILL if isinstance(error, Incomplete) else ASK
                said = f"the model gave no answer{_under(shown)}: {kind}{first_line(error)}"
                self._lost(batch.rows, said, why, then)
                return []
        half = len(batch) // 2
        parts = (batch.take(np.arange(half)), batch.take(np.arange(half, len(batch))))
        return [one for part in parts for one in self._tried(ask, part, shown, why)]

    def _lost(self, rows: np.ndarray, reason: str, why: dict[int, str], then: str = ASK) -> None:
        why.update(dict.fromkeys(rows.tolist(), reason))
        most, share = HOPELESS
        gone = len(self.failed) + len(why)
        if gone >= most and gone >= share * self.asked:
            raise Unanswered(f"{gone} of the first {self.asked} rows asked have no answer ({reason}); {then}")


def _under(shown: str) -> str:
    return f" ({shown})" if shown else ""
