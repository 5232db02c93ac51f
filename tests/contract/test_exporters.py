"""Exporters say what the audit says: to recorded stand-ins of the trackers, and to the trackers where they are."""

import runpy
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

import pfungst
from pfungst.audit_result import Audit
from pfungst.cli import main
from pfungst.errors import InputError
from pfungst.exporters.exporter import exporters, metrics, tags
from pfungst.exporters.model_card import BEGIN, END, inserted
from pfungst.findings import Report

SAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "end_to_end" / "sample_report.py"))


@pytest.fixture(scope="module")
def report() -> Report:
    return SAMPLE["sample_report"]()


@pytest.fixture
def run(report: Report, tmp_path: Path) -> Path:
    return Audit(report, {}).save(tmp_path / "run")


def test_metrics_are_the_report_s_numbers_under_names_that_trackers_take(report: Report) -> None:
    named = metrics(report)
    assert named["pfungst/accuracy/as tested"] == report.headline[0].accuracy.value
    assert named["pfungst/accuracy/as tested low"] == report.headline[0].accuracy.low
    found = [one for one in report.findings if one.status == "found"]
    assert named["pfungst/found/critical"] == sum(one.severity == "critical" for one in found)
    assert named["pfungst/not examined"] == len(report.skipped)
    assert len([name for name in named if name.startswith("pfungst/effect/")]) == 3 * len(found)
    assert all(len(name) <= 250 and not set(name) - set(TAKEN) for name in named)
    assert all(len(words) <= 1000 for words in tags(report).values())


TAKEN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./ "


def test_two_conditions_of_one_plain_name_are_both_kept(report: Report) -> None:
    one, two = report.headline[:2]
    names = [msgspec.structs.replace(one, condition="a=b"), msgspec.structs.replace(two, condition="a:b")]
    named = metrics(msgspec.structs.replace(report, headline=tuple(names)))
    assert named["pfungst/accuracy/a_b"] == one.accuracy.value
    assert named["pfungst/accuracy/a_b 2"] == two.accuracy.value


class Recorded:
    """What was called, in order."""

    def __init__(self) -> None:
        self.calls = []

    def note(self, name, result=None):
        def call(*words, **named):
            self.calls.append((name, words, named))
            return result

        return call


@pytest.fixture
def tracker(monkeypatch):
    """The calls of MLflow that are used, recorded; no run is active."""
    seen = Recorded()
    running = []

    @contextmanager
    def start_run(**named):
        seen.calls.append(("start_run", (), named))
        running.append(SimpleNamespace(info=SimpleNamespace(run_id=named["run_id"] or "new")))
        yield running[-1]
        running.pop()

    fake = SimpleNamespace(
        start_run=start_run,
        active_run=lambda: running[-1] if running else None,
        exceptions=SimpleNamespace(MlflowException=RuntimeError),
        **{name: seen.note(name) for name in ("log_metrics", "set_tags", "log_artifact")},
    )
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    return SimpleNamespace(seen=seen, fake=fake, running=running)


def test_mlflow_is_told_metrics_tags_and_files(run: Path, report: Report, tracker) -> None:
    said = pfungst.export(run, "mlflow")
    assert said.endswith("in the MLflow run new")
    told = {name: words for name, words, _ in tracker.seen.calls}
    assert told["log_metrics"] == (metrics(report),)
    assert told["set_tags"] == (tags(report),)
    files = [Path(words[0]).name for name, words, _ in tracker.seen.calls if name == "log_artifact"]
    assert files == ["audit.json", "report.html"]


def test_mlflow_keeps_to_the_run_that_is_active_or_named(run: Path, tracker) -> None:
    tracker.running.append(SimpleNamespace(info=SimpleNamespace(run_id="mine")))
    assert pfungst.export(run, "mlflow").endswith("run mine")
    assert all(name != "start_run" for name, _, _ in tracker.seen.calls)
    tracker.running.clear()
    assert pfungst.export(run, "mlflow", "theirs").endswith("run theirs")


def test_weights_and_biases_is_told_a_table_a_summary_and_files(run: Path, report: Report, monkeypatch) -> None:
    seen = Recorded()
    kept = {}

    class Started:
        id = "abc"
        summary = SimpleNamespace(update=kept.update)
        config = SimpleNamespace(update=seen.note("config"))
        log, log_artifact = staticmethod(seen.note("log")), staticmethod(seen.note("log_artifact"))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            seen.calls.append(("finished", (), {}))

    fake = SimpleNamespace(
        run=None, Error=RuntimeError, init=seen.note("init", Started()), Table=lambda **given: given,
        Artifact=lambda *_, **__: SimpleNamespace(add_file=seen.note("add_file")),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "wandb", fake)
    assert pfungst.export(run, "wandb", "team/models").endswith("run abc")
    told = {name: (words, named) for name, words, named in seen.calls}
    assert told["init"][1]["entity"] == "team"
    assert told["init"][1]["project"] == "models"
    table = told["log"][0][0]["pfungst/findings"]
    assert len(table["data"]) == len(report.findings)
    assert {len(row) for row in table["data"]} == {len(table["columns"])}
    assert kept == metrics(report)
    assert seen.calls[-1][0] == "finished"


@pytest.mark.filterwarnings("ignore")  # what it warns of inside itself is its own affair
def test_the_real_mlflow_takes_it(run: Path, report: Report, tmp_path: Path, monkeypatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'store.db'}")
    with mlflow.start_run() as active:
        pfungst.export(run, "mlflow")
    logged = mlflow.get_run(active.info.run_id).data
    assert logged.metrics == pytest.approx(metrics(report))
    assert logged.tags["pfungst.generalizes"] == "no"
    files = mlflow.MlflowClient().list_artifacts(active.info.run_id, "pfungst")
    assert {file.path for file in files} == {"pfungst/audit.json", "pfungst/report.html"}
    with pytest.raises(InputError, match="MLflow does not take"):
        pfungst.export(run, "mlflow", "no-such-run")


@pytest.mark.filterwarnings("ignore")  # what it warns of inside itself is its own affair
def test_the_real_weights_and_biases_takes_it_offline(run: Path, tmp_path: Path, monkeypatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    with wandb.init(project="pfungst", dir=tmp_path) as active:
        assert pfungst.export(run, "wandb").endswith(f"run {active.id}")
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def test_a_tool_that_is_not_installed_is_named(run: Path, monkeypatch, capsys) -> None:
    for name in ("mlflow", "wandb"):
        monkeypatch.setitem(sys.modules, name, None)
        assert main(["export", str(run), name]) == 2
        assert f"pip install 'pfungst[{name}]'" in capsys.readouterr().err
    assert main(["export", str(run), "excel"]) == 2
    assert "there are mlflow, model-card, wandb" in capsys.readouterr().err
    assert main(["export", str(run / "nowhere"), "model-card"]) == 2
    assert set(exporters) >= {"mlflow", "wandb", "model-card"}


THEIRS = """---
license: mit
# kept as it is
tags: [vision,  "a: b"]
model-index:
- name: theirs
  results:
  - task: {type: image-classification}
    dataset: {type: imagenet, name: ImageNet}
    metrics:
    - type: f1
      value: 0.5
library_name: onnx
---
# A model

Words.
"""


def test_a_model_card_gets_its_section_and_keeps_everything_else(report: Report) -> None:
    yaml = pytest.importorskip("yaml")
    once = inserted(THEIRS, report)
    assert inserted(once, report) == once
    _, front, body = once.split("---\n", 2)
    for line in ('license: mit\n# kept as it is\ntags: [vision,  "a: b"]\n', "library_name: onnx\n"):
        assert line in front
    facts = yaml.safe_load(front)
    (model,) = facts["model-index"]
    theirs, ours = model["results"]
    assert (model["name"], theirs["metrics"]) == ("theirs", [{"type": "f1", "value": 0.5}])
    tested = report.headline[0].accuracy
    (metric,) = ours["metrics"]
    assert metric["value"] == pytest.approx(tested.value, abs=5e-5)
    assert f"[{tested.low:.3f}, {tested.high:.3f}], 600 rows" in metric["name"]
    assert body.startswith("# A model\n\nWords.\n\n" + BEGIN)
    later = msgspec.structs.replace(report, findings=(), headline=())
    again = inserted(once, later)
    assert inserted(again, later) == again
    assert "Nothing was found" in again
    assert len(yaml.safe_load(again.split("---\n")[1])["model-index"][0]["results"]) == 1


@pytest.mark.parametrize(
    "before", ["", "# A model\n", "words without an end", "---\nlicense: mit\n---\n", "a ---\n---\n"]
)
def test_any_card_can_be_exported_to_twice(before: str, report: Report) -> None:
    once = inserted(before, report)
    assert inserted(once, report) == once
    assert once.count(BEGIN) == once.count(END) == 1
    assert before.rpartition("---\n")[2].strip() in once


def test_words_after_the_section_and_line_ends_stay(run: Path, tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_bytes(f"# A\r\n\r\n{BEGIN}\r\nOLDER WORDS\r\n{END}\r\n\r\n## After\r\n".encode())
    assert main(["export", str(run), "model-card", "--to", str(card)]) == 0
    whole = card.read_bytes()
    assert whole.endswith(b"\r\n\r\n## After\r\n")
    assert b"OLDER" not in whole
    assert whole.count(b"\n") == whole.count(b"\r\n")
    assert pfungst.export(run, "model-card", str(tmp_path)).startswith(f"the model card {card} is as it was")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{BEGIN}\n", "leave one of each"),
        (f"{END}\n{BEGIN}\n", "leave one of each"),
        ("---\nlicense: mit\n", "never ends"),
        ("---\na: [\n---\n", "is no YAML"),
        ("---\ndate: 2024-13-45\n---\n", "is no YAML"),
        (f"---\na: {'[' * 3000}\n---\n", "is no YAML"),
        ("---\nmodel-index: 3\n---\n", "no list of models"),
    ],
)
def test_a_card_that_cannot_be_read_is_left_as_it_is(run: Path, tmp_path: Path, text: str, said: str) -> None:
    card = tmp_path / "README.md"
    card.write_text(text)
    with pytest.raises(InputError, match=said):
        pfungst.export(run, "model-card", str(card))
    assert card.read_text() == text


@pytest.mark.parametrize("words", [*SAMPLE["HOSTILE"], END, "---", "\n---\n# big", "a: b # c", "@everyone ![x](y)"])
def test_nobody_s_words_become_markup_or_keys(report: Report, words: str) -> None:
    yaml = pytest.importorskip("yaml")
    bad = msgspec.structs.replace(
        report,
        model={**report.model, "source": words},
        data={**report.data, "source": words},
        findings=tuple(msgspec.structs.replace(one, claim=words, remedy=words) for one in report.findings),
    )
    once = inserted("", bad)
    assert inserted(once, bad) == once
    assert set(yaml.safe_load(once.split("\n---\n")[0])) == {"model-index"}
    body = once.partition("\n---\n")[2]
    assert body.count(END) == 1
    assert "<script" not in body
    assert "![" not in body
    assert "@everyone" not in body
    assert "\n# " not in body


def test_the_hub_s_own_reader_takes_the_card(report: Report) -> None:
    hub = pytest.importorskip("huggingface_hub")
    of_pictures = msgspec.structs.replace(report, data={**report.data, "modality": "image"})
    card = hub.ModelCard(inserted("", of_pictures))
    (result,) = card.data.eval_results
    assert (result.task_type, result.metric_type) == ("image-classification", "accuracy")
    assert result.metric_value == pytest.approx(report.headline[0].accuracy.value, abs=5e-5)
