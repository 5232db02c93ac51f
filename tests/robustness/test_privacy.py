"""What leaves the house: nothing by itself, and with --redact neither pictures nor names of files."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path
from unittest.mock import MagicMock

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import pfungst
from pfungst.audits.redaction import redacted
from pfungst.cli import main
from pfungst.exporters.exporter import exporters
from pfungst.findings import Skipped
from pfungst.monitoring import monitor
from pfungst.probe import probes

SECRET = "ward-7-patient"
PACKED = (b"\x89PNG\r\n", b"RIFF", b"\xff\xd8\xff\xe0")
# As they are, in base64 at the start of a text, and where a page says that it embeds one.
PICTURES = (*PACKED, *(base64.b64encode(one)[:6] for one in PACKED), b"data:image/")
OFFLINE = Path(__file__).parents[1] / "offline"


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


@pytest.fixture
def everything_named(photos, onnx_classifier, tmp_path):
    """Options that name files of every kind: another member, strangers, the training set, a task file, a baseline."""
    folders = {name: tmp_path / f"{SECRET}-{name}" for name in ("strangers", "training", "before")}
    shutil.copytree(photos[1], folders["training"])
    (folders["strangers"]).mkdir()
    for path in (photos[1] / "bright").glob("*.png"):
        shutil.copy(path, folders["strangers"])
    audited(photos, folders["before"], "--quiet")
    weights = np.stack([np.ones(192), -np.ones(192)], 1) / 2
    member = onnx_classifier(weights, (3, 8, 8), bias=np.array([-48, 48]), folder=tmp_path / f"{SECRET}-member")
    task = tmp_path / f"{SECRET}.toml"
    task.write_text(f"[ood]\nroad = {json.dumps(str(folders['strangers']))}\n")
    return [
        *("--member", str(member), "--task", str(task), "--train", str(folders["training"]), "--baseline"),
        *(str(folders["before"]), "--only", "mistakes,calibration,unknowns,selection,shortcuts", "--rows", "60"),
    ]


def leaks(files):
    """Where a name or the bytes of a picture stand."""
    named = [str(path) for path, data in files.items() if SECRET.encode() in data or SECRET in path.name]
    return named + [str(path) for path, data in files.items() if any(sign in data for sign in PICTURES)]


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
    files = dict(written(tmp_path / "run"))
    assert any(SECRET.encode() in data for data in files.values())
    assert any(sign in data for data in files.values() for sign in PACKED)
    assert any(sign in files[tmp_path / "run" / "report.html"] for sign in PICTURES[-4:])


@pytest.mark.parametrize("asked", [("--redact",), ("--redact-paths", "--no-images")])
def test_redacted_folders_hold_neither_names_nor_pictures(photos, tmp_path, asked, capsys):
    audited(photos, tmp_path / "run", *asked, "--format", "junit,sarif,markdown")
    files = dict(written(tmp_path / "run"))
    assert {"audit.json", "report.html", "rows.parquet", "events.jsonl"} <= {path.name for path in files}
    assert not leaks(files)
    assert SECRET not in capsys.readouterr().out.replace(str(tmp_path), "")


def test_nothing_that_options_name_is_written_shown_or_exported(
    photos, everything_named, tmp_path, capsys, monkeypatch
):
    run = tmp_path / "run"
    audited(photos, run, *everything_named, "--redact", "--format", "junit,sarif,markdown,github")
    main(["show", str(run)])
    (tmp_path / "card.md").write_text("# Model\n")
    trackers = {name: MagicMock() for name in ("mlflow", "wandb")}
    for name in exporters:
        monkeypatch.setitem(sys.modules, name, trackers.get(name))
        assert (
            main(["export", str(run), name, *(["--to", str(tmp_path / "card.md")] if name == "model-card" else [])])
            == 0
        )
    told = capsys.readouterr()
    sent = repr([one.mock_calls for one in trackers.values()]) + (tmp_path / "card.md").read_text()
    assert "pfungst" in sent
    assert SECRET not in told.out + told.err + sent
    files = dict(written(run))
    assert any("asked-of-member-1" in path.name for path in files), "the member was asked"
    assert not leaks(files)


def test_what_a_broken_probe_said_is_left_out(photos):
    report = pfungst.audit(*map(str, photos), only=("calibration",), out=None)
    said = Skipped(probe="shift", reason=f"the probe broke: FileNotFoundError: /scans/{SECRET}.png")
    told = redacted(msgspec.structs.replace(report.report, skipped=(said,)))
    assert [entry.reason for entry in told.skipped] == ["the probe broke: FileNotFoundError"]


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


FACTORY = f"""
import torch


class Network(torch.nn.Module):
    def forward(self, inputs):
        if (inputs[:, 0] > 2.5).any():
            raise ValueError("/scans/{SECRET}")
        return torch.stack([-inputs.sum(1), inputs.sum(1)], 1)
"""


def numbers(rows=160):
    """Inputs and labels of a table, a tenth of them wrong, with twenty rows that stand there twice under two labels."""
    inputs = np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float32)
    inputs[20:40] = inputs[:20]
    inputs[7, 0] = 9.0
    labels = (inputs.sum(1) > 0).astype(int)
    labels[20:36] = 1 - labels[20:36]
    return inputs, labels


def names(rows=160):
    return [f"{SECRET}-{at}" for at in range(rows)]


def pictures(folder, photos):
    """Pictures of one look in two classes, others in the wrong one, and columns that repeat their names."""
    for at in range(5, 12):
        (photos[1] / "bright" / f"{SECRET}-{at}.png").rename(photos[1] / "dark" / f"{SECRET}-was-{at}.png")
        shutil.copy(photos[1] / "bright" / f"{SECRET}-{at + 10}.png", photos[1] / "dark" / f"{SECRET}-twin-{at}.png")
    files = sorted(photos[1].rglob("*.png"))
    told = [f"{one.parent.name}/{one.name},{one.parent.name},{one.stem},{one.stem}.dcm,/scans/{SECRET}/{at % 2}"
            for at, one in enumerate(files)]  # fmt: skip
    (photos[1] / "metadata.csv").write_text("\n".join(["file_name,label,case,raw,site", *told]) + "\n")
    Image.new("RGBA", (4, 4), (9, 9, 9, 255)).save(folder / f"{SECRET}-leaf.png")
    task = {"columns": {"site": ["site"]}, "shift": {"occluders": [str(folder / f"{SECRET}-leaf.png")]}}
    return str(photos[0]), str(photos[1]), {"task": task, "train": str(photos[1])}


def table(folder, _photos):
    """Rows with ids, one of which the model cannot answer; where the model lies stands in what it says."""
    inputs, labels = numbers()
    held = {"id": names(), "label": labels, **{f"x{at}": inputs[:, at] for at in range(4)}}
    pq.write_table(pa.table(held), folder / f"{SECRET}.parquet")
    (folder / f"{SECRET}_net.py").write_text(FACTORY)
    return f"{folder / SECRET}_net.py:Network", str(folder / f"{SECRET}.parquet"), {}


def texts(folder, _photos):
    """Texts with ids, and a model that counts a word."""
    told = [("good " if at % 2 else "bad ") * 3 + f"word {at}" for at in range(160)]
    rows = [
        {"id": name, "text": text, "label": int(at % 2 == (at > 15))}
        for at, (name, text) in enumerate(zip(names(), told, strict=True))
    ]
    (folder / f"{SECRET}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    score = lambda some: np.array([[str(one).count("bad"), str(one).count("good")] for one in some], float)  # noqa: E731
    return score, str(folder / f"{SECRET}.jsonl"), {}


def answers(folder, _photos):
    """Recorded answers with ids."""
    inputs, labels = numbers()
    scores = {"logit_0": -inputs.sum(1), "logit_1": inputs.sum(1), "label": labels}
    pq.write_table(pa.table({"id": names(), **scores}), folder / f"{SECRET}-answers.parquet")
    return str(folder / f"{SECRET}-answers.parquet"), None, {}


def votes(folder, _photos):
    """Labellers' votes on rows with ids."""
    inputs, labels = numbers()
    counts = np.eye(2, dtype=int)[labels] * 7 + 1
    held = {"inputs": inputs, "labels": labels, "label_counts": counts, "ids": np.array(names())}
    np.savez(folder / f"{SECRET}.npz", **held)
    return lambda some: np.stack([-some.sum(1), some.sum(1)], 1), str(folder / f"{SECRET}.npz"), {}


@pytest.mark.parametrize("kind", [pictures, table, texts, answers, votes])
def test_no_chapter_names_a_row_or_a_file_of_any_kind_of_data(kind, photos, tmp_path):
    run, folder = tmp_path / "run", tmp_path / "given"
    folder.mkdir()
    model, data, more = kind(folder, photos)
    result = pfungst.audit(model, data, out=run, redact_paths=True, images=False, only=tuple(probes), **more)
    assert not [one.reason for one in result.skipped if "broke" in one.reason]
    assert "row " in (run / "audit.json").read_text(), "rows are told of"
    assert not leaks(dict(written(run)))


def test_a_redacted_log_names_no_row(tmp_path, photos):
    model, _, _ = answers(tmp_path, photos)
    pfungst.audit(model, out=tmp_path / "before", redact_paths=True, images=False, only=("calibration",))
    monitor(model, reference=tmp_path / "before", window=80, out=tmp_path / "watched", task={"redact": True})
    assert not leaks({path: data for name in ("before", "watched") for path, data in written(tmp_path / name)})


def test_what_was_assumed_does_not_say_where_the_data_lie(photos, tmp_path):
    listed = sorted(str(one.relative_to(tmp_path)) for one in photos[1].rglob("*.png"))
    (tmp_path / f"{SECRET}.csv").write_text("\n".join(["image", *listed]) + "\n")
    asked = (str(photos[0]), str(tmp_path / f"{SECRET}.csv"))
    result = pfungst.audit(*asked, out=tmp_path / "run", redact_paths=True, images=False, only=("calibration",))
    assert "Data: it has no column label: its rows have no labels." in result.report.settings["assumed"]
    assert not leaks(dict(written(tmp_path / "run")))


@pytest.fixture
def watched(tmp_path):
    """The environment of a Python that refuses and notes whatever goes to another machine, and the notes so far."""
    notes = tmp_path / "attempts.txt"
    root = Path(pfungst.__file__).parents[1]
    paths = os.pathsep.join(str(one) for one in (OFFLINE, root))
    environment = {**os.environ, "PYTHONPATH": paths, "PFUNGST_ATTEMPTS": str(notes)}
    return environment, lambda: notes.read_text().splitlines() if notes.exists() else []


@pytest.mark.parametrize(
    "code",
    ["socket.create_connection(('192.0.2.1', 9), 1)", "socket.getaddrinfo('example.invalid', 80)",
     "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))"],
)  # fmt: skip
def test_the_watch_sees_what_would_leave(watched, code):
    environment, notes = watched
    words = [sys.executable, "-c", f"import socket; {code}"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert "nothing may leave this machine" in done.stderr
    assert len(notes()) == 1


def test_nothing_leaves_the_machine(photos, tmp_path, watched):
    environment, notes = watched
    model, root = map(str, photos)
    run = str(tmp_path / "run")
    asked = [
        ["doctor", model, root],
        ["audit", model, root, "--only", "calibration", "--out", run, "--format", "junit,sarif"],
        ["show", run],
        ["compare", run, run],
    ]
    code = "import sys; from pfungst.cli import main; sys.exit(max(main(words) for words in eval(sys.argv[1])))"
    words = [sys.executable, "-c", code, repr(asked)]
    done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    assert notes() == []


def test_a_viewed_run_talks_to_this_machine_alone(photos, tmp_path, watched):
    for name in ("duckdb", "uvicorn", "starlette"):
        pytest.importorskip(name)
    environment, notes = watched
    main(["audit", *map(str, photos), "--only", "calibration", "--out", str(tmp_path / "run"), "--quiet"])
    words = [sys.executable, "-m", "pfungst.cli", "view", str(tmp_path / "run")]
    server = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().strip()
        for page in ("", "rows", "rows.json"):
            with urllib.request.urlopen(address + page) as answer:
                held = answer.read().decode()
            assert not re.findall(r"(?:src|action)=[\"']?(?:https?:)?//(?!127\.0\.0\.1)", held)
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
    assert notes() == []


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
