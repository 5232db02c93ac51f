"""Another package adds a probe, a shift, loaders and an exporter; a broken one costs only itself."""

import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

ROOT = Path(__file__).parents[2]
GROUPS = {
    "pfungst.probes": {"gone": "no_such_module_at_all:Probe", "taken": "broken_example:Taken"},
    "pfungst.shifts": {"no-shift": "broken_example:no_shift", "burst": "broken_example:BURST"},
    "pfungst.exporters": {"quits": "quitting_example:export"},
    "pfungst.data-loaders": {"odd": "broken_example:ODD"},
}
BROKEN = '''
from pfungst.loaders import Loader
from pfungst.methods.shift_kind import Kind, each
from pfungst.probe import Probe

class Taken(Probe):
    """A probe with the topic of another."""
    topic = "calibration"
    question = "Is this name taken?"

def no_shift(picture, rng, share):
    """A function where a Kind is wanted."""
    return picture

def burst(picture, rng, share):
    """A shift that cannot be done."""
    raise ZeroDivisionError("no lens")

BURST = Kind("burst", burst, (0.0,), each(1, 2, 3, 4, 5))
ODD = Loader("neither ending nor scheme", lambda source, task: None)
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package, installed into a folder."""
    pytest.importorskip("hatchling")
    base = tmp_path_factory.mktemp("plugin")
    shutil.copytree(ROOT / "examples" / "plugin", base / "source")
    words = ["--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    asked = [sys.executable, "-m", "pip", "install", *words, "--target", str(base / "site"), str(base / "source")]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return base / "site"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of which every part is wrong in its own way."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "broken_example.py").write_text(BROKEN)
    (folder / "quitting_example.py").write_text("raise SystemExit('no licence')\n")
    about = folder / "broken_example-3.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-example\nVersion: 3.1\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in GROUPS.items()]
    (about / "entry_points.txt").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits in MNIST's file format, and the mean of each class."""
    folder = tmp_path_factory.mktemp("digits")
    read = load_digits()
    images, labels = (read.images * 15.9).astype(np.uint8), read.target.astype(np.uint8)
    shape = struct.pack(">3I", *images[:300].shape)
    (folder / "test.idx3-ubyte").write_bytes(b"\0\0\x08\x03" + shape + images[:300].tobytes())
    (folder / "test.idx1-ubyte").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 300) + labels[:300].tobytes())
    np.save(folder / "digits.means.npy", [images[300:][labels[300:] == k].mean(axis=0) for k in range(10)])
    return folder


def python(*words: str, folder: Path, sites: tuple[Path, ...]) -> subprocess.CompletedProcess:
    path = os.pathsep.join(map(str, (ROOT, *sites)))
    return subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def cli(*words: str, folder: Path, sites: tuple[Path, ...]) -> subprocess.CompletedProcess:
    return python("-m", "pfungst.cli", *words, folder=folder, sites=sites)


def test_its_probe_shift_loaders_and_exporter_are_used(site: Path, digits: Path, tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text('[shift]\nkinds = ["blinds"]\n')
    listed = cli("probes", folder=tmp_path, sites=(site,))
    assert "favourite    Does it give one answer more often than the labels have it?" in listed.stdout
    model, data = digits / "digits.means.npy", digits / "test.idx3-ubyte"
    asked = ("audit", str(model), str(data), "--only", "favourite,shift", "--task", "task.toml", "--out", "run")
    done = cli(*asked, "--rows", "150", "--workers", "2", folder=tmp_path, sites=(site,))
    assert done.returncode in {0, 1}, done.stderr
    audit = json.loads((tmp_path / "run" / "audit.json").read_text())
    assert {one["probe"] for one in audit["findings"]} == {"favourite", "shift"}
    assert [one["condition"] for one in audit["headline"]] == ["as tested", "blinds over 35%"]
    assert audit["headline"][0]["accuracy"]["value"] > 0.8
    assert audit["environment"]["plugin pfungst-example"] == "0.1.0"
    assert (audit["model"]["source"], audit["data"]["source"]) == (str(model), str(data))
    told = cli("export", "run", "lines", folder=tmp_path, sites=(site,))
    assert told.returncode == 0, told.stderr
    found = sum(one["status"] == "found" for one in audit["findings"])
    assert len((tmp_path / "run" / "findings.txt").read_text().splitlines()) == found


def test_it_stands_in_the_generated_tables(site: Path, tmp_path: Path) -> None:
    show = f"import runpy; print(runpy.run_path({str(ROOT / 'scripts' / 'method_tables.py')!r})['page']())"
    page = python("-c", show, folder=tmp_path, sites=(site,)).stdout
    assert "| favourite | The share of one answer less the share of its label, paired by row. |" in page
    assert "| blinds | Dark stripes, as from window blinds, over a share of the picture." in page
    assert "| .idx3-ubyte | Pictures of ``NAME.idx3-ubyte`` with the labels" in page
    assert "| lines | One line for each finding" in page


def test_without_it_its_forms_are_refused(digits: Path, tmp_path: Path) -> None:
    done = cli("doctor", str(digits / "digits.means.npy"), str(digits / "test.idx3-ubyte"), folder=tmp_path, sites=())
    assert done.returncode == 2
    assert "is in no form that is read as a model" in done.stderr


def test_what_its_loader_refuses_or_breaks_on_is_a_sentence(site: Path, digits: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.idx3-ubyte").write_bytes(gzip.compress(b"x"))
    (tmp_path / "cut.idx1-ubyte").write_bytes(b"")
    for data, said in (("lone.idx3-ubyte", "there is no file lone"), ("cut.idx3-ubyte", "the loader of '.idx3-ubyte'")):
        done = cli("doctor", str(digits / "digits.means.npy"), data, folder=tmp_path, sites=(site,))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"pfungst: {said}")
        assert len(done.stderr.splitlines()) == 1


LEFT_OUT = (
    "pfungst: gone of the package broken-example 3.1 is left out of probes (ModuleNotFoundError: ",
    "pfungst: taken of the package broken-example 3.1 is left out of probes (ValueError: probes already holds",
)


def test_a_broken_package_costs_only_itself(site: Path, broken: Path, digits: Path, tmp_path: Path) -> None:
    both = (site, broken)
    listed = cli("probes", folder=tmp_path, sites=both)
    assert listed.returncode == 0
    assert "favourite" in listed.stdout
    lines = listed.stderr.splitlines()
    assert len(lines) == len(LEFT_OUT)
    assert all(line.startswith(said) for line, said in zip(lines, LEFT_OUT, strict=True))
    model, data = str(digits / "digits.means.npy"), str(digits / "test.idx3-ubyte")
    done = cli("audit", model, data, "--only", "favourite", "--out", "run", folder=tmp_path, sites=both)
    assert done.returncode in {0, 1}, done.stderr
    assert "odd of the package broken-example 3.1 is left out of data-loaders (TypeError" in done.stderr
    told = cli("export", "run", "quits", folder=tmp_path, sites=both)
    assert told.returncode == 2
    assert "left out of exporters (SystemExit: no licence)" in told.stderr
    assert "there is no exporter 'quits'" in told.stderr


def test_a_shift_that_raises_is_named_with_its_package(broken: Path, site: Path, digits: Path, tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text('[shift]\nkinds = ["burst"]\n')
    asked = (str(digits / "digits.means.npy"), str(digits / "test.idx3-ubyte"), "--only", "shift")
    done = cli("audit", *asked, "--task", "task.toml", folder=tmp_path, sites=(site, broken))
    assert done.returncode == 2
    assert "the shift burst of broken-example 3.1 raised ZeroDivisionError (no lens)" in done.stderr
    assert "no-shift of the package broken-example 3.1 is left out of shifts (TypeError" in done.stderr
    assert "Traceback" not in done.stderr
