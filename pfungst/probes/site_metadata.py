"""How well the label is told by a file alone: its width, height and size, which no picture need be opened for."""

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.methods.opportunity import discriminant, folds_of
from pfungst.methods.site_pairs import Area, area_within
from pfungst.methods.site_tests import Sited
from pfungst.probe import Labelled
from pfungst.probes.known_parts import positions
from pfungst.probes.metadata_cues import coded

GEOMETRY = frozenset(
    ["width", "height", "aspect", "size", "bytes", "file_size", "filesize", "rows", "columns", "dpi", "format", "mode"]
)
"""Names of columns that say how large a file or picture is, or how it is written."""

ROWS = 4000


def metadata_area(data: Dataset, rows: Labelled, sited: Sited) -> Area | None:
    """Area under the curve of a linear discriminant on such columns and traces alone; None where there are none."""
    some = np.arange(len(rows.labels))[:ROWS]
    measured = _measured(data, rows, some)
    if measured is None or len(np.unique(rows.labels[some])) < 2:
        return None
    units = None if rows.units is None else rows.units[some]
    folds = folds_of(len(some), units)
    scores = discriminant(measured, rows.labels[some], sited.classes, folds).scores
    part = Sited(sited.log_probabilities[some], rows.labels[some], sited.sites[some], sited.names, units)
    return area_within(part, scores[:, part.compared], folds) if len(part.compared) else None


def _measured(data: Dataset, rows: Labelled, some: IntArray) -> FloatArray | None:
    at = positions(rows.outputs)[some]
    names = [name for name in data.columns if name.lower() in GEOMETRY and name not in data.features]
    found = [np.asarray(data.columns[name][at], object) for name in names]
    if data.traces is not None:
        traces = list(data.traces(at))
        known = dict.fromkeys(key for one in traces for key in one)
        found += [np.array([one.get(name) for one in traces], dtype=object) for name in known]
    parts = [coded(values) for values in found if len(np.unique(values.astype(str))) > 1]
    return np.concatenate(parts, axis=1) if parts else None
