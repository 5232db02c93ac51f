"""What an audit costs beyond the model: python benchmarks/overhead.py [MODEL DATA].

A clean pass through the engine (read, batch, ask, keep) against the same session called in a bare loop over the same
decoded arrays, in turn, in one process. Ratios only; the middle of the repeats is quoted.
"""

import os
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
REAL = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def main() -> None:
    """Print the ratio for the named model and data; else for ResNet-20 on CIFAR-10 where it is, and for the demo.

    The embedded example's network takes tens of microseconds a row, so its ratio shows the engine's fixed cost.
    """
    if len(sys.argv) > 2:
        ratio_of(sys.argv[1], sys.argv[2])
        return
    network = REAL / "models" / "cifar10_resnet20" / "model.onnx"
    if network.exists():
        ratio_of(str(network), str(REAL / "images" / "cifar10_test_jpeg.npz"))
    files = demo_files()
    ratio_of(str(files.model), str(files.data))


def ratio_of(model: str, data: str) -> None:
    """Time both in turn and print the ratio."""
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
    name = Path(model).parent.name
    print(f"{name}, {len(batch)} rows: engine / bare loop = {ratio:.3f} (median of {REPEATS} pairs; target 1.10)")


if __name__ == "__main__":
    main()
