"""The options that can stand in the task file: a flag wins over it, and a switch is on where either says so."""

import json

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import pfungst
from pfungst.cli import main, parser
from pfungst.errors import InputError
from pfungst.task import Task

ELSEWHERE = {"task", "member", "fail_at", "baseline", "help"}
"""Options of an audit that have another name or place in the task file, or none."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with recorded answers, and a pickled estimator with its rows."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(120, 2)).astype(np.float32)
    labels = (inputs[:, 0] + rng.normal(size=120) > 0).astype(np.int64)
    np.savez(tmp_path / "answers.npz", logits=np.stack([-inputs[:, 0], inputs[:, 0]], axis=1), labels=labels)
    np.savez(tmp_path / "rows.npz", inputs=inputs, labels=labels)
    joblib.dump(LogisticRegression().fit(inputs, labels), tmp_path / "model.joblib")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def audit(here, text, *more, what=("answers.npz",)):
    (here / "task.toml").write_text(text)
    return main(["audit", *what, "--only", "calibration", "--task", "task.toml", *more])


def test_every_option_of_an_audit_can_stand_in_the_task_file():
    commands = next(one for one in parser()._actions if one.dest == "command").choices
    options = {one.dest for one in commands["audit"]._actions if one.option_strings}
    assert options - ELSEWHERE <= set(Task.__struct_fields__)


def test_out_and_quiet_hold_where_no_flag_is_given(here, capsys):
    assert audit(here, 'out = "there"\nquiet = true\n') == 0
    assert (here / "there" / "audit.json").exists()
    assert "claims in full" not in capsys.readouterr().out
    assert audit(here, 'out = "there"\n', "--out", "flag") == 0
    assert (here / "flag" / "audit.json").exists()
    assert not (here / "pfungst-run").exists()
    assert "claims in full" in capsys.readouterr().out


def test_out_of_the_task_file_overwrites_no_other_audit(here, capsys):
    assert audit(here, 'out = "there"\nquiet = true\n') == 0
    (here / "other.npz").write_bytes((here / "rows.npz").read_bytes())
    np.savez(here / "other.npz", logits=np.eye(2)[np.arange(200) % 2], labels=np.arange(200) % 2)
    assert audit(here, 'out = "there"\nquiet = true\n', what=("other.npz",)) == 2
    assert "--out" in capsys.readouterr().err


def test_dry_run_strict_and_redact_hold_too(here, capsys):
    assert audit(here, "dry_run = true\n") == 0
    assert "in the first round" in capsys.readouterr().out
    assert not (here / "pfungst-run").exists()
    assert audit(here, "rows = 60\nstrict = true\nquiet = true\n") == 3
    assert audit(here, "redact_paths = true\nquiet = true\n", "--out", "red") == 0
    assert json.loads((here / "red" / "audit.json").read_text())["model"]["source"] == "the model"


def test_no_cache_asks_again(here):
    asked = {"model": lambda inputs: np.stack([-inputs[:, 0], inputs[:, 0]], axis=1), "data": str(here / "rows.npz")}
    first, second, third = (
        pfungst.audit(**asked, only=("calibration",), out=str(here / "run"), task={"no_cache": again})
        for again in (False, False, True)
    )
    assert [one.report.passes[0].cached for one in (first, second, third)] == [False, True, False]


def test_a_pickle_is_trusted_where_the_file_or_a_flag_says_so(here):
    model = ("model.joblib", "rows.npz")
    assert audit(here, "quiet = true\n", what=model) == 2
    assert audit(here, "quiet = true\n", "--trust-pickle", "--out", "flag", what=model) == 0
    assert audit(here, "quiet = true\ntrust_pickle = true\n", what=model) == 0
    flag, file = (json.loads((here / run / "audit.json").read_text()) for run in ("flag", "pfungst-run"))
    assert file["settings"]["assumed"] == flag["settings"]["assumed"]
    assert "--trust-pickle" in file["settings"]["command"]
    assert main(["doctor", *model, "--task", "task.toml"]) == 0


def test_weights_are_those_of_the_task_file(here):
    with pytest.raises(InputError, match=r"--weights nowhere\.pt"):
        pfungst.audit(str(here / "model.joblib"), "rows.npz", task={"weights": "nowhere.pt"})
