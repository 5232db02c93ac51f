"""Learned: what opening a model asked of it, kept in the journal so that no later audit asks for it again."""

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, NamedTuple, cast

import msgspec

import pfungst
from pfungst.audits.request import Request
from pfungst.canonical import fingerprint
from pfungst.datasets.bound import tell
from pfungst.datasets.dataset import Dataset
from pfungst.engine.journal import read_events
from pfungst.errors import InputError
from pfungst.models.model import Model, Quickened

COMPARED_ROWS = 8
LOWERED_ROWS = 256
"""Rows on which a quicker copy of a network is compared with it, and one that computes in a lower precision."""

MOST_CLASSES = 1 << 20
"""More than a journal is believed about."""


class Learned(NamedTuple):
    """How many scores a model gives for a row, and in what way it gives plain answers (empty: there is but one)."""

    classes: Annotated[int, msgspec.Meta(ge=1, le=MOST_CLASSES)]
    inference: str


class Memory:
    """What opening models taught earlier audits of these rows in this folder, and teaches this one."""

    def __init__(self, request: Request, data: Dataset | None) -> None:
        self._asked = (request.precision, request.device, "" if data is None else data.fingerprint)
        self._before = _told(request.out) if request.out is not None and request.cache else {}
        self.learned: dict[str, Learned] = {}

    def count(self, model: Model) -> None:
        """Tell a model that cannot count its scores how many an earlier audit saw."""
        before = self._before.get(self._mark(model))
        if before is not None and not model.classes:
            tell(model, before.classes)

    def quicken(self, model: Model, data: Dataset, precision: str) -> None:
        """Let a network answer more quickly, if it answers the first rows, which are every worker's first, alike.

        Raises:
            InputError: if a lower precision is asked for and the model has none, or it moves the answers.
        """
        if "quicker" not in model.offers:
            if precision != "float32":
                raise InputError(
                    f"--precision {precision} is for PyTorch networks; {model.source} runs as it was saved"
                )
            return
        network, mark = cast(Quickened, model), self._mark(model)
        batch, _ = data.batch(data.sample(COMPARED_ROWS if precision == "float32" else LOWERED_ROWS))
        if len(batch):
            before = self._before.get(mark)
            network.quicken(batch.inputs, precision, "" if before is None else before.inference)
        self.learned[mark] = Learned(len(model.classes), network.inference)

    def _mark(self, model: Model) -> str:
        try:
            torch = version("torch")
        except PackageNotFoundError:
            torch = ""
        return fingerprint(pfungst.__version__, torch, model.fingerprint, *self._asked)


def inference(model: Model) -> str:
    """In what way a model gives plain answers; empty where there is but one."""
    return cast(Quickened, model).inference if "quicker" in model.offers else ""


def _told(run: str | Path) -> Mapping[str, Learned]:
    return {mark: one for event in read_events(run) for mark, one in _in_event(event)}


def _in_event(event: Mapping[str, Any]) -> Iterator[tuple[str, Learned]]:
    try:
        yield from msgspec.convert(event.get("learned", {}), dict[str, Learned]).items()
    except msgspec.ValidationError:
        return
