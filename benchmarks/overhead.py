"""What an audit costs beyond the model: python benchmarks/overhead.py [MODEL DATA].

A clean pass through the engine (read, batch, ask, keep) against the same session called in a bare loop over the same
decoded arrays, in turn, in one process. Ratios only; the middle of the repeats is quoted.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pfungst.demo import demo_files
from pfungst.engine.cache import Cache
from pfungst.engine.rounds import Rounds
from pfungst.passes import Passes, Predict
from pfungst.request import resolve
from pfungst.study import opened

REPEATS = 7


def main() -> None:
    """Print the ratio for a model and its data, by default the embedded example's."""
    files = demo_files()
    model, data = sys.argv[1:3] if len(sys.argv) > 2 else (str(files.model), str(files.data))
    study = opened(model, data, resolve(None, {}))
    rows = study.data.sample()
    batch, _ = study.data.batch(rows)
    size = study.request.batch_size
    bare, ours = [], []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for at in range(0, len(batch), size):
            study.model.predict(batch.inputs[at : at + size])
        bare.append(time.perf_counter() - began)
        with tempfile.TemporaryDirectory() as folder:
            rounds = Rounds(study.data, study.executor(), Cache(Path(folder), study.key))
            began = time.perf_counter()
            rounds.answer({Predict(): ("bench",)}, Passes())
            ours.append(time.perf_counter() - began)
    ratio = float(np.median(np.array(ours) / np.array(bare)))
    print(f"clean pass, {len(batch)} rows: engine / bare loop = {ratio:.3f} (median of {REPEATS} pairs; target 1.10)")


if __name__ == "__main__":
    main()
