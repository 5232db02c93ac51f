"""Two small audits over the same pictures, whose names are as hostile as a person's data can be."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

import pfungst

CLASSES = ("husky", "wolf", '<script>alert("1")</script>')
ODD = "odd \"column'; drop table rows; --"
ROWS = 230


def write(folder: Path) -> dict[str, Path]:
    """Pictures in ``data``, and the runs ``a`` and ``b`` of two models' recorded answers to them."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, ROWS)
    data = folder / "data"
    (data / "img").mkdir(parents=True)
    with (data / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["file_name", "label", "site", "age", ODD])
        for row, label in enumerate(labels):
            name = f"img/{row:03d} <b>'é\".png"
            pixels = rng.integers(0, 90, (18, 24, 3)).astype(np.uint8)
            pixels[4:12, 4:14, label] += 140
            Image.fromarray(pixels).save(data / name)
            age = "" if row % 17 == 0 else round(float(rng.normal(50, 9)), 1)
            lines.writerow([name, CLASSES[label], "ABC"[rng.integers(3)], age, "x' or 1=1; --"])
    for name, strength in (("a", 2.2), ("b", 1.4)):
        logits = (rng.normal(size=(ROWS, 3)) + strength * np.eye(3)[labels]).astype(np.float32)
        np.savez(folder / f"{name}.npz", logits=logits, classes=np.array(CLASSES))
        pfungst.audit(
            str(folder / f"{name}.npz"), str(data), out=folder / name, only=("calibration", "mistakes"),
            task={"columns": {"site": ["site"]}},
        )  # fmt: skip
    return {"data": data, "a": folder / "a", "b": folder / "b"}
