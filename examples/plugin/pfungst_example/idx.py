"""IDX: pictures and labels in the two files of the format in which MNIST came."""

from pathlib import Path

import numpy as np

from pfungst.errors import InputError
from pfungst.loaders import Loader
from pfungst.task import Task


def read_idx(source: str, task: Task) -> dict[str, np.ndarray]:
    """Pictures of ``NAME.idx3-ubyte`` with the labels of ``NAME.idx1-ubyte`` beside it."""
    del task
    pictures, labels = Path(source), Path(source).with_suffix(".idx1-ubyte")
    for path in (pictures, labels):
        if not path.is_file():
            raise InputError(f"there is no file {path}; an IDX set is a .idx3-ubyte file with a .idx1-ubyte beside it")
    return {"inputs": _array(pictures), "labels": _array(labels).astype(np.int64)}


def _array(path: Path) -> np.ndarray:
    raw = path.read_bytes()
    sides = np.frombuffer(raw, ">u4", raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sides)


IDX = Loader(".idx3-ubyte", read_idx)
