"""Another package adds a probe, a shift, loaders and an exporter; a broken one costs only itself."""

import gzip
import json
import os
import re
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
    "pfungst.probes": {
        "unmade": "broken_example:Unmade",
        "gone": "no_such_module_at_all:Probe",
        "taken": "broken_example:Taken",
    },
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

class Unmade(Probe):
    """A probe that cannot be made."""
    topic = "unmade"
    question = "Can it be made?"
    def for_task(self, task):
        raise KeyError("licence")

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


SEVERAL = """
import json, sys
from pfungst.cli import main
if __name__ == "__main__":
    print("codes", *[main(one) for one in json.loads(sys.argv[1])])
"""


def python(*words: str, folder: Path, sites: tuple[Path, ...]) -> subprocess.CompletedProcess:
    path = os.pathsep.join(map(str, (ROOT, *sites)))
    return subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def several(*commands: tuple[str, ...], folder: Path, sites: tuple[Path, ...]) -> subprocess.CompletedProcess:
    """Some commands in one process: each says its code, and the last line holds all."""
    return python("-c", SEVERAL, json.dumps(commands), folder=folder, sites=sites)


def test_its_probe_shift_loaders_and_exporter_are_used(site: Path, digits: Path, tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text('[shift]\nkinds = ["blinds"]\n')
    model, data = str(digits / "digits.means.npy"), str(digits / "test.idx3-ubyte")
    asked = ("audit", model, data, "--only", "favourite,shift", "--task", "task.toml", "--rows=150", "--workers=2")
    done = several(("probes",), (*asked, "--out=run"), ("export", "run", "lines"), folder=tmp_path, sites=(site,))
    assert re.search("codes 0 [01] 0$", done.stdout), done.stderr
    assert "favourite    Does it give one answer more often than the labels have it?" in done.stdout
    audit = json.loads((tmp_path / "run" / "audit.json").read_text())
    assert {one["probe"] for one in audit["findings"]} == {"favourite", "shift"}
    assert [one["condition"] for one in audit["headline"]] == ["as tested", "blinds over 35%"]
    assert audit["headline"][0]["accuracy"]["value"] > 0.8
    assert audit["environment"]["plugin pfungst-example"] == "0.1.0"
    assert (audit["model"]["source"], audit["data"]["source"]) == (model, data)
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
    words = ("doctor", str(digits / "digits.means.npy"), str(digits / "test.idx3-ubyte"))
    done = several(words, folder=tmp_path, sites=())
    assert done.stdout == "codes 2\n"
    assert "is in no form that is read as a model" in done.stderr


def test_what_its_loader_refuses_or_breaks_on_is_a_sentence(site: Path, digits: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.idx3-ubyte").write_bytes(gzip.compress(b"x"))
    (tmp_path / "cut.idx1-ubyte").write_bytes(b"")
    model = str(digits / "digits.means.npy")
    asked = [("doctor", model, data) for data in ("lone.idx3-ubyte", "cut.idx3-ubyte")]
    done = several(*asked, folder=tmp_path, sites=(site,))
    assert done.stdout == "codes 2 2\n"
    said = ("pfungst: there is no file lone", "pfungst: the loader of '.idx3-ubyte'")
    assert all(line.startswith(start) for line, start in zip(done.stderr.splitlines(), said, strict=True))


MIRRORED = '''
from dataclasses import dataclass
from functools import partial
from typing import ClassVar
import numpy as np
from pfungst.methods.cues import unit
from pfungst.methods.threats import begin

@dataclass(frozen=True)
class Mirrored:
    """The picture as a mirror shows it."""
    name: ClassVar[str] = "mirrored"
    budgets: ClassVar[tuple[float, ...]] = (1.0,)

    def __call__(self, model, batch):
        begun = begin(model, batch)
        rows = begun.search.standing
        begun.run(1.0, 3, partial(begun.search.show, rows, unit(batch.inputs[rows])[:, :, ::-1]))
        return begun.proposed()

    def kept_to(self, originals, inputs, budget):
        return inputs

    def distance(self, originals, inputs):
        return np.ones(len(originals))
'''


def test_a_threat_of_another_package_is_searched(site: Path, digits: Path, tmp_path: Path) -> None:
    about = tmp_path / "more" / "mirrored_example-1.0.dist-info"
    about.mkdir(parents=True)
    (tmp_path / "more" / "mirrored_example.py").write_text(MIRRORED)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mirrored-example\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[pfungst.threats]\nmirrored = mirrored_example:Mirrored\n")
    asked = (str(digits / "digits.means.npy"), str(digits / "test.idx3-ubyte"), "--only", "adversarial", "--rows=120")
    done = several(("audit", *asked, "--out=run"), folder=tmp_path, sites=(site, tmp_path / "more"))
    assert re.search("codes [01]$", done.stdout), done.stderr
    audit = json.loads((tmp_path / "run" / "audit.json").read_text())
    (found,) = (one for one in audit["findings"] if one["subject"] == "mirrored")
    assert (found["kind"], found["status"]) == ("fragile", "found")


LEFT_OUT = (
    ("gone", "probes", "ModuleNotFoundError: No module named"),
    ("taken", "probes", "ValueError: probes already holds a method named 'calibration'"),
    ("odd", "data-loaders", "TypeError: "),
    ("no-shift", "shifts", "TypeError: function is nothing that shifts may hold"),
    ("quits", "exporters", "SystemExit: no licence"),
)


def test_a_broken_package_costs_only_itself(site: Path, broken: Path, digits: Path, tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text('[shift]\nkinds = ["burst"]\n')
    files = (str(digits / "digits.means.npy"), str(digits / "test.idx3-ubyte"))
    asked = (
        ("probes",),
        ("audit", *files, "--only=favourite", "--rows=100", "--out=run"),
        ("audit", *files, "--only=unmade", "--dry-run"),
        ("audit", *files, "--only=shift", "--task=task.toml", "--out=other"),
        ("export", "run", "quits"),
    )
    done = several(*asked, folder=tmp_path, sites=(site, broken))
    assert re.search("codes 0 [01] 2 2 2$", done.stdout), done.stderr
    assert "Traceback" not in done.stderr
    for name, registry, why in LEFT_OUT:
        said = f"pfungst: {name} of the package broken-example 3.1 is left out of {registry} ({why}"
        assert done.stderr.count(said) == 1, done.stderr
    assert "favourite    Does it give" in done.stdout
    assert "the probe unmade of broken-example 3.1 cannot be asked (KeyError: 'licence')" in done.stderr
    assert "the shift burst of broken-example 3.1 raised ZeroDivisionError (no lens)" in done.stderr
    assert "there is no exporter 'quits'" in done.stderr
