"""The command that a report names is typed as it stands there, whatever files are called."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from pfungst.cli import main

NAMES = ["a;touch owned;$(id)'.npz", "-x.npz", "two words.npz", "`id`.npz"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=400)
    labels = (scores + rng.normal(size=400) > 0).astype(int)
    for name in ("plain.npz", *NAMES):
        np.savez(name, logits=np.stack([-scores, scores], 1), labels=labels)
    np.savez("a member.npz", logits=np.stack([-labels, scores], 1), labels=labels)


def repeated(command, run):
    """What an audit says when its command is typed again into another folder, but for where it is."""
    words = shlex.split(command)
    assert words[0] == "pfungst"
    assert main([*words[1:], "--out", run, "--quiet"]) in {0, 1}
    return json.loads((Path(run) / "audit.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_is_copied_does_what_was_done(name):
    assert (
        main(["audit", "--only", "calibration", "--quiet", "--out", "run", "--member", "a member.npz", "--", name]) < 2
    )
    first = json.loads(Path("run/audit.json").read_text())
    again = repeated(first["findings"][0]["reproduce"], "again")
    assert again["model"]["fingerprint"] == first["model"]["fingerprint"]
    assert again["settings"]["command"] == first["settings"]["command"]


@pytest.mark.parametrize("name", NAMES)
def test_so_does_that_of_a_monitor(name):
    assert main(["audit", "plain.npz", "--only", "calibration", "--quiet", "--out", "the $(run)"]) < 2
    Path("my task.toml").write_text("[gate]\nfail_at = 'low'\n")
    words = ["--reference", "the $(run)", "--window", "200", "--seed", "3", "--task", "my task.toml", "--quiet"]
    assert main(["monitor", *words, "--out", "first", "--", name]) < 2
    first = json.loads(Path("first/audit.json").read_text())
    again = repeated(first["settings"]["command"], "again")
    assert again["settings"]["command"] == first["settings"]["command"]
    assert again["findings"][0]["effect"] == first["findings"][0]["effect"]
