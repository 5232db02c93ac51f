"""A team's own test: the fixture audits, fails with the claims, keeps answers, and costs nothing before it is used."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = """
import numpy as np
import pytest

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(400, 3)).astype(np.float32)
LABELS = (INPUTS[:, 0] > 0).astype(int)
# One label in three is wrong: the sure model states far more than it keeps.
LABELS[::3] = 1 - LABELS[::3]


def sure(rows):
    return np.stack([-20 * rows[:, 0], 20 * rows[:, 0]], axis=1)


def modest(rows):
    return np.stack([-0.35 * np.sign(rows[:, 0]), 0.35 * np.sign(rows[:, 0])], axis=1)


@pytest.fixture(scope="session")
def audited(pfungst_audit):
    return pfungst_audit(modest, (INPUTS, LABELS), only=("calibration",))


def test_modest(audited):
    assert audited.headline[0].accuracy.high < 0.8
    assert audited.folder.is_dir()


def test_sure(pfungst_audit):
    pfungst_audit(sure, (INPUTS, LABELS), only=("calibration",))


def test_sure_is_looked_at(pfungst_audit):
    audit = pfungst_audit(sure, (INPUTS, LABELS), only=("calibration",), fail_at="never")
    assert audit.fails("high")
    assert not audit.fails("high", baseline=audit)
    pfungst_audit(sure, (INPUTS, LABELS), only=("calibration",), baseline=audit)


def test_accepted(pfungst_audit):
    pfungst_audit(sure, (INPUTS, LABELS), only=("calibration",), accept=ACCEPTED)


def test_nothing_to_read(pfungst_audit):
    pfungst_audit("nowhere.onnx", "nowhere.npz")


def test_no_such_severity(pfungst_audit):
    pfungst_audit(modest, (INPUTS, LABELS), only=("calibration",), fail_at="grave")
"""


ACCEPTED = ["calibration.overconfident", "calibration.classwise:0", "calibration.classwise:1"]


def pytest_in(folder: Path, *words: str) -> subprocess.CompletedProcess:
    named = (
        [] if any(one.name == "pfungst" for one in entry_points(group="pytest11")) else ["-p", "pfungst.pytest_plugin"]
    )
    asked = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *named, *words]
    known = os.environ.get("PYTHONPATH", "")
    path = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *([known] if known else [])])}
    return subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=False, env=path)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "test_model.py").write_text(f"ACCEPTED = {ACCEPTED!r}\n{TESTS}")
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


def test_a_test_fails_with_the_claims_and_others_pass(project: Path) -> None:
    done = pytest_in(project, "--pfungst-out", "audits")
    assert "3 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    assert "high calibration.overconfident: " in done.stdout or "critical calibration.overconfident: " in done.stdout
    assert "beyond high (0.1))" in done.stdout
    assert "there is no model nowhere.onnx" in done.stdout
    assert "there is no severity 'grave' to fail at; there are critical, high, medium, low" in done.stdout
    assert "Traceback" not in done.stdout
    pages = sorted((project / "audits").glob("*/report.html"))
    assert any(str(page) in done.stdout for page in pages)
    assert not list((project / "audits").glob("*nowhere*"))


def test_audits_are_kept_in_the_cache_and_asked_once(project: Path) -> None:
    (project / "test_again.py").write_text(
        TESTS.partition("@pytest.fixture")[0]
        + """
def test_asked_once(pfungst_audit):
    audit = pfungst_audit(modest, (INPUTS, LABELS), only=("calibration",))
    assert all(one.cached for one in audit.passes) == pytest.EXPECTED
"""
    )
    for known in (False, True):
        (project / "conftest.py").write_text(f"import pytest\npytest.EXPECTED = {known}\n")
        done = pytest_in(project, "test_again.py")
        assert done.returncode == 0, done.stdout
    assert list((project / ".pytest_cache" / "d" / "pfungst").glob("modest-*/audit.json"))


def test_settings_name_the_task_and_the_gate(tmp_path: Path) -> None:
    (tmp_path / "test_model.py").write_text(
        TESTS.partition("@pytest.fixture")[0]
        + "def test_sure(pfungst_audit):\n    pfungst_audit(sure, (INPUTS, LABELS), only=('calibration',))\n"
    )
    (tmp_path / "task.toml").write_text(f"[gate]\naccept = {ACCEPTED}\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\npfungst_task = task.toml\n")
    done = pytest_in(tmp_path)
    assert done.returncode == 0, done.stdout


def test_pytest_starts_without_anything_heavy() -> None:
    check = (
        "import sys, pfungst.pytest_plugin; print(*sorted({'numpy', 'scipy', 'msgspec', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
