"""Memory of an audit of many recorded answers: so many bytes a row, in a process of its own."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

AUDITED = """
import resource, sys
import pfungst
pfungst.audit(sys.argv[1], out=sys.argv[2], only=["calibration", "mistakes", "unknowns"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
CLASSES, FEW, MANY = 10, 20_000, 320_000


def peak(folder, rows):
    """Peak bytes of an audit of so many rows."""
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, CLASSES, rows), rng.normal(size=(rows, CLASSES)).astype(np.float32)
    scores[np.arange(rows), labels] += 3
    file = folder / f"{rows}.parquet"
    pq.write_table(pa.table({**{f"logit_{k}": scores[:, k] for k in range(CLASSES)}, "label": labels}), file)
    ran = subprocess.run(
        [sys.executable, "-c", AUDITED, str(file), str(folder / str(rows))], capture_output=True, text=True, check=True
    )
    return int(ran.stdout.split()[-1])


def test_a_row_of_ten_classes_takes_less_than_half_a_kilobyte_at_the_peak(tmp_path):
    # A row is 48 bytes in the file; copies of all scores in double precision would show as 80 bytes each.
    assert (peak(tmp_path, MANY) - peak(tmp_path, FEW)) / (MANY - FEW) < 500
