"""What several of these files share."""

import os
import tarfile
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

import pfungst.stored

KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(scope="module")
def poisonous():
    """The module of the model that fails, which workers and actors import by its name: its folder is known to both."""
    folder = str(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(folder)
        patched.setenv("PYTHONPATH", os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        import poisonous

        yield poisonous


@pytest.fixture
def store(monkeypatch, tmp_path):
    """A server of this machine, and a home of its own for the copies."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(pfungst.stored, "CACHE", tmp_path / "home" / ".cache" / "pfungst")
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    from object_store import ObjectStore

    server = ObjectStore()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def local(tmp_path, onnx_classifier):
    """A model, and pictures of two classes in folders, a table, an array file and shards."""
    rng = np.random.default_rng(0)
    root = tmp_path / "here"
    photos = rng.integers(0, 200, (60, 8, 8, 3), np.uint8)
    labels = np.arange(60) % 2
    photos[labels == 1] += 50
    lines = ["image,label,site"]
    (root / "shards").mkdir(parents=True)
    with tarfile.open(root / "shards" / "s-00.tar", "w") as archive:
        for row, photo in enumerate(photos):
            path = root / "photos" / ("dark", "light")[labels[row]] / f"{row:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), photo)
            lines.append(f"photos/{path.parent.name}/{path.name},{path.parent.name},{row % 3}")
            (path.parent / "label.cls").write_text(str(labels[row]))
            archive.add(path, f"{row:02}.png")
            archive.add(path.parent / "label.cls", f"{row:02}.cls")
            (path.parent / "label.cls").unlink()
    (root / "table.csv").write_text("\n".join(lines))
    np.savez(root / "rows.npz", inputs=photos, labels=labels)
    weights = np.repeat([[-0.02, 0.02]], 192, 0)
    onnx_classifier(weights, (3, 8, 8), bias=np.array([2.4, -2.4]), folder=root)
    (root / "labels.txt").write_text("dark\nlight\n")
    return root
