"""A model that some rows kill or hang, and its rows; workers import this file by name."""

import os
import time
from functools import partial
from pathlib import Path

import numpy as np

from pfungst.engine.sweep import Sweep
from pfungst.errors import InputError
from pfungst.load import load_data
from pfungst.outputs import from_logits


class Poisonous:
    """Dies of the rows whose number stands in ``kills``, sleeps on those in ``hangs``, and so on."""

    classes = ("even", "odd")
    offers = frozenset({"new inputs"})
    fingerprint = "poisonous"

    def __init__(self, *, kills=(), hangs=(), raises=(), nans=(), pause=0.0, ids=None, refuses=False, error=ValueError):
        self.kills, self.hangs, self.raises, self.pause = kills, hangs, raises, pause
        self.nans, self.refuses, self.error = nans, refuses, error
        if ids is not None:
            (Path(ids) / str(os.getpid())).touch()

    def predict(self, inputs):
        numbers = inputs[:, 0].astype(float)
        time.sleep(self.pause)
        if np.isin(numbers, self.kills).any():
            os._exit(9)
        if np.isin(numbers, self.hangs).any():
            time.sleep(600)
        if np.isin(numbers, self.raises).any():
            raise self.error("no such number")
        if self.refuses:
            raise InputError("it takes another kind of rows")
        odd = np.sin(numbers)
        return from_logits(np.where(np.isin(numbers, self.nans), np.nan, np.stack([-odd, odd])).T)


def rows(count):
    """A table of so many rows, numbered in its one column."""
    numbers = np.arange(count)
    return load_data((numbers[:, None].astype(np.float32), numbers % 2), name="test")


def _sweep(count, settings):
    return Sweep(Poisonous(**settings), rows(count), 64)


def prepare(count, **settings):
    """What a worker is given to open the model and the rows."""
    return partial(_sweep, count, settings)
