"""Slips in names of the task file are refused with what was probably meant; what is legitimate passes."""

import numpy as np
import pytest

import pfungst
from pfungst.audits.naming import check_names
from pfungst.cli import main
from pfungst.errors import InputError
from pfungst.probe import probes
from pfungst.task import MUST_NOT_MATTER, Task, task_of


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    age = rng.normal(size=120)
    lines = [f"{x:.3f},{'AB'[at % 2]},{int(x > 0)}" for at, x in enumerate(age)]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["age,ward,label", *lines]) + "\n")
    return str(path)


def model(inputs):
    x = np.asarray(inputs)[:, 0].astype(float)
    return np.stack([-x, x], axis=1)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"must_not_matter": {"boarder": 0.05}}, r"'boarder', which is no cue; did you mean 'border'\?"),
        ({"must_not_matter": {"colour_casts": 0.05}}, r"did you mean 'colour_cast'\?"),
        ({"must_not_matter": {"file:siz": 0.05}}, r"did you mean 'file:size'\?"),
        ({"must_not_matter": {"ruller": 0.05}, "cues": {"ruler": [0, 0, 0.5, 0.5]}}, r"did you mean 'ruler'\?"),
        ({"must_not_matter": {"frobnicate": 0.05}}, "there are border, .*region:.*column, "),
        ({"must_not_matter": {"column:": 0.05}}, "'column:', which is no cue"),
        ({"gate": {"accept": ["shortcuts.cue:bordr"]}}, r"did you mean 'shortcuts\.cue:border'\?"),
        ({"gate": {"accept": ["shortcuts.cue:colour_cast"]}}, r"did you mean 'shortcuts\.cue:colour-cast'\?"),
        ({"gate": {"accept": ["shortcuts.latent-cue"]}}, "there are border"),
        ({"gate": {"accept": [{"finding": "attribution.outside-object:bordr"}]}}, "attribution.outside-object:border"),
    ],
)
def test_a_slip_is_refused_with_what_was_meant(task, said):
    with pytest.raises(InputError, match=said):
        pfungst.audit("no-such-model.onnx", "no-such-data.npz", task=task)


def test_what_is_legitimate_passes():
    names = {
        **MUST_NOT_MATTER, "column": 0.1, "token": 0.1, "frequency": 0.1, "frequency:high": 0.1, "region:top_left": 0.1,
        "colour-cast": 0.1, "length": 0.1, "position": 0.1, "overlay": 0.1, "file:jpeg-quality": 0.1, "ruler": 0.1,
        "token:free money": 0.1, "column:anything": 0.1,
    }  # fmt: skip
    accept = [
        "shortcuts.cue:ruler", "shortcuts.cue:token:free", "shortcuts.latent-cue:column:ward", "shift.fragile:clinic-b",
        "calibration.classwise:wolf", "calibration.overconfident", "shortcuts.cue:region:top-left",
    ]  # fmt: skip
    check_names(task_of({"must_not_matter": names, "cues": {"ruler": [0, 0, 1, 1]}, "gate": {"accept": accept}}))
    check_names(Task())


def test_a_column_that_is_not_there_is_refused(table, tmp_path, capsys):
    asked = {"only": ("calibration",)}
    with pytest.raises(
        InputError, match=r"'column:agge', a column that the rows do not have; did you mean 'column:age'"
    ):
        pfungst.audit(model, table, task={"must_not_matter": {"column:agge": 0.05}}, **asked)
    pfungst.audit(model, table, task={"must_not_matter": {"column:age": 0.05, "column:ward": 0.05}}, **asked)
    pfungst.audit(model, (np.zeros((120, 2)), np.arange(120) % 2), task={"must_not_matter": {"column:column 1": 0.05}})
    np.savez(tmp_path / "answers.npz", logits=np.eye(2)[np.arange(120) % 2], labels=np.arange(120) % 2)
    (tmp_path / "task.toml").write_text('quiet = true\n[must_not_matter]\n"column:agge" = 0.05\nbordr = 0.1\n')
    out = ("--out", str(tmp_path / "run"), "--task", str(tmp_path / "task.toml"))
    assert main(["audit", str(tmp_path / "answers.npz"), *out, "--dry-run"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_cues_that_only_rows_of_another_kind_have_are_told(table):
    asked = {
        "must_not_matter": {"border": 0.05, "token:the": 0.05, "column:age": 0.1},
        "cues": {"ruler": (0.8, 0, 1, 0.3)},
    }
    said = pfungst.audit(model, table, task=asked, only=("shortcuts",))
    reasons = {one.subject: one.reason for one in said.skipped if one.kind == "cue"}
    assert set(reasons) == {"border", "token:the", "ruler"}
    assert "only pictures have such a cue" in reasons["ruler"]
    assert "only texts have such a cue" in reasons["token:the"]
    assert [one.subject for one in said.findings] == ["column:age"]


def test_the_name_of_columns_that_are_judged_as_one_can_be_stated():
    rng = np.random.default_rng(0)
    labels, clinic = np.arange(400) % 2, rng.integers(0, 2, 400)
    table = {"age": rng.normal(size=400), "clinic_a": clinic * 1.0, "clinic_b": 1.0 - clinic, "label": labels}
    stated = {"must_not_matter": {"column:clinic": 0.3}}
    said = pfungst.audit(lambda rows: np.asarray(rows, float)[:, 1:3], table, task=stated, only=("shortcuts",))
    clinics = next(one for one in said.findings if one.subject == "column:clinic")
    assert (clinics.status, clinics.tolerance) == ("absent", 0.3)


def test_probes_that_were_brought_may_know_other_cues(table):
    own = probes["calibration"]()
    pfungst.audit(model, table, task={"must_not_matter": {"my_cue": 0.05}}, probes=[own])
