"""What leaves the house: nothing by itself, and with --redact neither pictures nor names of files."""

import json
import socket
import zipfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pfungst.cli import main

SECRET = "ward-7-patient"
PICTURES = (b"\x89PNG", b"RIFF", b"\xff\xd8\xff", b"data:image/")


@pytest.fixture
def photos(tmp_path, onnx_classifier):
    """A network, and files whose names nobody outside should read, one of them damaged."""
    rng = np.random.default_rng(0)
    root = tmp_path / f"{SECRET}-photos"
    for k, name in enumerate(("bright", "dark")):
        (root / name).mkdir(parents=True)
        for i in range(40):
            pixels = rng.integers(130 * (1 - k), 130 * (1 - k) + 120, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{SECRET}-{i}.png")
    (root / "dark" / f"{SECRET}-1.png").write_bytes(b"damaged")
    model = onnx_classifier(
        np.stack([np.ones(192), -np.ones(192)], 1), (3, 8, 8), bias=np.array([-96, 96]), folder=tmp_path / SECRET
    )
    listed = "\n".join(f"{k}/{SECRET}-{i}.png,{k},/scans/{SECRET}/{i}" for k in ("bright", "dark") for i in range(40))
    (root / "metadata.csv").write_text(f"file_name,label,scan\n{listed}\n")
    return model, root


def audited(photos, out, *more):
    model, root = photos
    return main(["audit", str(model), str(root), "--only", "mistakes,calibration,shortcuts", "--out", str(out), *more])


def written(out):
    """Every file below a folder by name, with what packed files hold."""
    for path in sorted(out.rglob("*")):
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield (
                path,
                json.dumps([str(table.schema), str(table.schema.metadata), table.to_pylist()], default=str).encode(),
            )
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                yield path, b"\n".join(name.encode() + archive.read(name) for name in archive.namelist())
        elif path.is_file():
            yield path, path.read_bytes()


def test_names_and_pictures_are_written_where_nobody_asks_otherwise(photos, tmp_path):
    audited(photos, tmp_path / "run", "--quiet")
    assert any(SECRET.encode() in data for _, data in written(tmp_path / "run"))


@pytest.mark.parametrize("asked", [("--redact",), ("--redact-paths", "--no-images")])
def test_redacted_folders_hold_neither_names_nor_pictures(photos, tmp_path, asked, capsys):
    audited(photos, tmp_path / "run", *asked, "--format", "junit,sarif,markdown")
    files = dict(written(tmp_path / "run"))
    assert {"audit.json", "report.html", "rows.parquet", "events.jsonl"} <= {path.name for path in files}
    named = [str(path) for path, data in files.items() if SECRET.encode() in data or SECRET in path.name]
    assert not named
    assert not [str(path) for path, data in files.items() if any(sign in data for sign in PICTURES)]
    assert SECRET not in capsys.readouterr().out.replace(str(tmp_path), "")


def test_a_redacted_audit_takes_the_names_out_of_a_folder_that_held_them(photos, tmp_path):
    audited(photos, tmp_path / "run", "--quiet")
    audited(photos, tmp_path / "run", "--quiet", "--redact")
    assert not [str(path) for path, data in written(tmp_path / "run") if SECRET.encode() in data or SECRET in path.name]


def test_a_redacted_audit_says_the_same_numbers(photos, tmp_path):
    for name, more in (("open", ()), ("closed", ("--redact",))):
        audited(photos, tmp_path / name, "--quiet", *more)
    one, other = (json.loads((tmp_path / name / "audit.json").read_text()) for name in ("open", "closed"))
    assert one["headline"] == other["headline"]
    assert [f["effect"] for f in one["findings"]] == [f["effect"] for f in other["findings"]]


def test_an_audit_opens_no_socket(tmp_path, monkeypatch):
    opened = []

    def refuse(*words, **more):
        opened.append((words, more))
        raise OSError("no network here")

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)
    assert main(["demo", "--only", "calibration,unknowns,mistakes", "--out", str(tmp_path / "run"), "--quiet"]) in {
        0,
        1,
    }
    assert main(["show", str(tmp_path / "run")]) == 0
    assert not opened
    with pytest.raises(OSError, match="no network"):
        socket.create_connection(("127.0.0.1", 9))
