"""Whoever no longer reads what a command prints changes nothing of it; a full device is told in a sentence."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pfungst.cli import main

FULL = Path("/dev/full")
AUDIT = ["audit", "a.npz", "--only", "calibration", "--fail-at", "low", "--out"]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with answers that are far too sure of themselves, and their audit."""
    folder = tmp_path_factory.mktemp("here")
    rng = np.random.default_rng(0)
    scores = rng.normal(size=400)
    labels = (scores + rng.normal(size=400) > 0).astype(int)
    np.savez(folder / "a.npz", logits=np.stack([-scores, scores], 1) * 5, labels=labels)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert main([*AUDIT, "run"]) == 1
    return folder


def ended(words, here, stdout, *, closed=False):
    """Exit code and standard error of a command, its standard output given or closed."""
    command = [sys.executable, "-m", "pfungst.cli", *words]
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *command] if closed else command
    done = subprocess.run(command, cwd=here, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [(["show", "run"], 0), (["probes"], 0), (["--help"], 0), ([*AUDIT, "run"], 1), (["show", "x"], 2)],
)
def test_a_reader_that_has_gone_leaves_the_exit_code_as_it_is(words, code, here):
    read, write = os.pipe()
    os.close(read)
    try:
        gone = ended(words, here, write)
    finally:
        os.close(write)
    for found, said in (gone, ended(words, here, None, closed=True)):
        assert found == code
        assert "Traceback" not in said
        assert "Exception" not in said
        assert ("there is no audit in x" in said) == (code == 2)


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("words", [["show", "run"], ["probes"], ["compare", "run", "run"], [*AUDIT, "full"]])
def test_a_full_device_is_a_sentence_and_loses_no_result(words, here):
    with FULL.open("w") as full:
        code, said = ended(words, here, full)
    assert code == 2
    assert said.splitlines()[-1].startswith("pfungst: standard output cannot be written (No space left on device)")
    assert "Traceback" not in said
    assert "Exception" not in said
    if words[-1] == "full":
        assert main(["show", str(here / "full")]) == 0
