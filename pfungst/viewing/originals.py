"""Originals: the input of a row as it stands in DATA, read when somebody looks; never a model's."""

import io
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image

from pfungst.arrays import Array
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError, UnreadableRow
from pfungst.load import load_data
from pfungst.report.thumbnails import webp
from pfungst.task import Columns, Question, Task
from pfungst.viewing.run import Run

EXCERPT = 160
"""Characters of a text in a table of rows."""
SHOWN = 20_000
"""Characters of a text, and columns of a table, that one page shows."""


@dataclass(frozen=True)
class Original:
    """An input: a picture, a text, or a table's names and values; else ``why`` there is none."""

    picture: Array | None = None
    text: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    why: str = ""


class Originals:
    """Reads the test rows' inputs from where the audit read them; opened at the first look."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = Lock()
        self._data: Dataset | None = None
        self._why = self._missing()
        self._places: dict[str, int] = {}

    def read(self, name: str, on: str = "test") -> Original:
        """The input of the row with this id."""
        with self._lock:
            if on != "test":
                return Original(
                    why=f"The inputs of {on} are not read again; the report's thumbnails show some of them."
                )
            if self._data is None and not self._why:
                self._open()
            if self._data is None:
                return Original(why=self._why)
            if name not in self._places:
                return Original(why=f"DATA ({self._data.source}) has no row of this id any more.")
            return _original(self._data, self._places[name])

    def thumbnail(self, name: str, on: str = "test") -> bytes | None:
        """A small picture, if the row is one."""
        found = self.read(name, on)
        return None if found.picture is None else webp(found.picture)

    @property
    def texts(self) -> bool:
        """Whether rows are texts."""
        return self._run.about.get("modality") == "text"

    def excerpt(self, name: str, on: str = "test") -> str | None:
        """The beginning of a row's text; None where it cannot be read."""
        found = self.read(name, on).text
        return None if found is None else found[:EXCERPT]

    def pictured(self, on: str = "test") -> bool:
        """Whether rows of a set are pictures that can be read, as far as is known."""
        return on == "test" and not self._why and self._run.about.get("modality") == "image"

    def _missing(self) -> str:
        about = self._run.about
        if self._run.facts is None:
            return (
                "This run is of an older version, which did not note how its rows were read: audit again to see them."
            )
        if not about.get("source"):
            return (
                "The audit noted no place of DATA: its rows came from Python, were recorded answers, or the report was "
                "to show no pictures or no paths."
            )
        if about.get("modality") == "answers":
            return "These are recorded answers; there is no input to look at."
        return "" if Path(about["source"]).exists() else f"DATA is not where the audit read it ({about['source']})."

    def _open(self) -> None:
        about = self._run.about
        roles = {name: about["columns"].get(name) for name in ("label", "unit", "time")}
        task = Task(task=Question(classes=tuple(about["classes"])), columns=Columns(**roles))
        try:
            data = load_data(about["source"], task=task)
        except InputError as error:
            self._why = f"DATA cannot be read any more: {error}."
            return
        if data.fingerprint != about["fingerprint"]:
            self._why = f"DATA ({about['source']}) has changed since the audit, so its rows may be other rows."
            return
        self._data, self._places = data, {name: at for at, name in enumerate(data.ids)}


def png(picture: Array) -> bytes:
    """A picture without loss, at its own size."""
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8:
        pixels = np.nan_to_num(np.clip(pixels, 0, 1) * 255).round().astype(np.uint8)
    packed = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] not in {3, 4} else pixels).save(packed, "PNG")
    return packed.getvalue()


def _original(data: Dataset, at: int) -> Original:
    item: Any = next(iter(data.read(np.array([at]))))
    if isinstance(item, UnreadableRow):
        return Original(why=f"This row cannot be read: {item}.")
    if data.modality == "image":
        return Original(picture=np.asarray(item))
    if data.modality == "text":
        return Original(text=str(item)[:SHOWN])
    names = data.features or tuple(str(number) for number in range(len(item)))
    return Original(columns=tuple((name, str(value)) for name, value in zip(names, item, strict=False))[:SHOWN])
