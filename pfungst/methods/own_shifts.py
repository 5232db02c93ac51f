"""Shifts of the user's own: a function of a row and a severity, and pictures that come between it and the lens."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pfungst.arrays import Array, FloatArray
from pfungst.canonical import fingerprint
from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError, damage, first_line
from pfungst.imported import imported
from pfungst.methods.field_dirt import cover
from pfungst.methods.shift_kind import colours

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4)
"""Share of the picture that an occluder covers, by severity."""

LARGEST = 1024
"""Side in pixels to which larger occluders are brought when they are read."""


@dataclass(frozen=True)
class Rewritten:
    """A function ``file.py:function`` of the user's: a row and a severity of 1 to 5 to the row as it would be.

    A row is a text, the numbers of a table's row, or a picture as the model's user sees it. ``code`` is a hash of the
    file, so that no answer under an older version of it is taken for one under this.
    """

    source: str
    code: str
    severity: int = 3

    @property
    def parameter(self) -> str:
        """The severity that the function is given."""
        return f"severity {self.severity}"

    @property
    def name(self) -> str:
        """The function's name with the severity."""
        return f"{self.source.rpartition(':')[2]}, severity {self.severity}"

    def __call__(self, batch: Batch) -> Array:
        """The rows as the function returns them.

        Raises:
            InputError: if the function raises, or what it returns is of another shape.
        """
        function = _function(self.source)
        done = batch.inputs.copy()
        for at, row in enumerate(batch.inputs):
            try:
                done[at] = function(row, self.severity)
            except Exception as error:
                raise InputError(
                    f"{self.source} raised {type(error).__name__} on the row {batch.ids[at]}: {first_line(error)}; "
                    "it is called with a row and a severity, and returns a row of the same kind"
                ) from error
        return done


@dataclass(frozen=True)
class Occluded:
    """A picture with transparency, pasted near the middle so large that it covers 5, 10, 20, 30 or 40 % of the row."""

    source: str
    content: str
    called: str
    severity: int = 3

    @property
    def parameter(self) -> str:
        """How much is covered, in words."""
        return f"{SHARES[self.severity - 1]:.0%} covered"

    @property
    def name(self) -> str:
        """The picture's name with how much it covers."""
        return f"{self.called} over {SHARES[self.severity - 1]:.0%}"

    def __call__(self, batch: Batch) -> Array:
        """The covered rows; all severities of a row share the place."""
        share, picture = SHARES[self.severity - 1], _picture(self.source)
        generators = batch.generators(f"occluder:{self.content}")

        def paste(values: FloatArray) -> FloatArray:
            done = np.empty_like(values)
            for image, out, rng in zip(values, done, generators, strict=True):
                out[:] = cover(image, rng, share, picture)
            return done

        return colours(batch.inputs, paste)


def own(
    functions: tuple[str, ...], occluders: tuple[str, ...], *, nameless: bool = False
) -> dict[str, tuple[str, Callable[..., Any]]]:
    """Modality ("" for any) and maker, of a severity, of the user's own shifts, by name.

    An occluder is called as its file, or where files are not to be named by its number.

    Raises:
        InputError: if a function cannot be imported, or a file is no picture.
    """
    found: dict[str, tuple[str, Callable[..., Any]]] = {}
    for source in functions:
        with imported(source) as named:
            found[source.rpartition(":")[2].replace("_", "-")] = ("", _maker(Rewritten, source, named.hash))
    for number, source in enumerate(occluders, start=1):
        content = np.ascontiguousarray(_picture(source))
        called = f"occluder {number}" if nameless else Path(source).stem
        found[f"occluder:{number if nameless else called}"] = (
            "image",
            _maker(Occluded, source, fingerprint(content), called),
        )
    return found


def _maker(kind: Callable[..., Any], *settings: str) -> Callable[..., Any]:
    return lambda severity: kind(*settings, severity)


@lru_cache(maxsize=16)
def _function(source: str) -> Callable[..., Any]:
    with imported(source) as named:
        return named.function


@lru_cache(maxsize=16)
def _picture(source: str) -> FloatArray:
    """Colours and transparency in [0, 1], (height, width, 4)."""
    if not Path(source).exists():
        raise InputError(f"there is no occluder {source}; give a picture with transparency, such as a PNG")
    with damage(f"the occluder {source} is no picture that can be read"), Image.open(source) as opened:
        opened.thumbnail((LARGEST, LARGEST))
        return np.asarray(opened.convert("RGBA"), np.float32) / np.float32(255)
