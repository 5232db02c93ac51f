"""Measures: what can be said in one number of every row that was read, to tell rows apart by."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.datasets.dataset import Dataset
from pfungst.methods.cues import Cue, measured
from pfungst.methods.properties import properties
from pfungst.methods.writing import Length


def measures(data: Dataset) -> Mapping[str, FloatArray]:
    """Each named number of the rows, (rows of the data,); NaN where the row is not among those read as donors.

    Pictures have brightness, contrast, noise and the like, texts their length, tables the columns that are numbers and
    stand in no metadata.
    """
    if data.labels is None or data.modality == "answers":
        return {}
    banks = [bank for bank in (data.donors("discovery"), data.donors("confirmation")) if len(bank.rows)]
    found: dict[str, FloatArray] = {}
    for bank in banks:
        for name, values in bank.known("measures", partial(_of, data, bank.inputs)).items():
            found.setdefault(name, np.full(len(data), np.nan))[bank.rows] = values
    return found


def _of(data: Dataset, inputs: Array) -> dict[str, FloatArray]:
    if data.modality == "table":
        numeric = inputs.dtype.kind in "fiub"
        new = [at for at, name in enumerate(data.features) if numeric and name not in data.columns]
        return {data.features[at]: inputs[:, at].astype(np.float64) for at in new}
    cues: tuple[Cue, ...] = (Length(),) if data.modality == "text" else _looks(inputs)
    # One row says how many numbers a cue is, and those of many are measured of no other.
    told = (cue for cue in cues if cue.name == "length" or measured(cue, inputs[:1]).shape[1] == 1)
    return {cue.name: measured(cue, inputs)[:, 0] for cue in told}


def _looks(inputs: Array) -> tuple[Cue, ...]:
    """What a person could see; bands of frequencies say little to one."""
    return tuple(cue for cue in properties(inputs.shape[-1]) if not cue.name.startswith("frequency"))
