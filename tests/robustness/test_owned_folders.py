"""A folder of results is a RUN's or nobody's: what somebody else put there, or a link leads to, stays as it is."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pfungst
from pfungst.cli import main
from pfungst.errors import InputError

AUDIT = ["audit", "a.npz", "--only", "calibration", "--quiet", "--format", "markdown"]
MONITOR = ["monitor", "log.npz", "--reference", "run", "--window", "200", "--quiet"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with recorded answers of two models, and a log."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, scale in (("a", 1), ("b", 3), ("log", 1)):
        scores = rng.normal(size=400)
        labels = (scores + rng.normal(size=400) > 0).astype(int)
        np.savez(f"{name}.npz", logits=np.stack([-scores, scores], 1) * scale, labels=labels)
    return tmp_path


@pytest.fixture
def mine(here):
    """A folder of somebody's that bears the names of a RUN's files."""
    folder = here / "mine"
    (folder / "answers" / ".parts").mkdir(parents=True)
    for name in ("rows.parquet", "answers/resnet.parquet", "answers/.parts/0.parquet"):
        pq.write_table(pa.table({"mine": [1]}), folder / name)
    for name in ("report.html", "summary.md", "audit.json", "compare.json", "windows.json", "events.jsonl"):
        (folder / name).write_text('{"mine": 1, "event": "started"}\n')
    return folder


def held(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(words, capsys):
    capsys.readouterr()
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize("words", [AUDIT, MONITOR, ["compare", "run", "run", "--quiet"], ["demo", "--quiet"]])
def test_a_folder_of_somebodys_is_refused_even_where_it_is_named(words, mine, capsys):
    main([*AUDIT, "--out", "run"])
    before = held(mine)
    assert "mine exists and holds no audit" in refused([*words, "--out", "mine"], capsys)
    assert held(mine) == before


def test_a_report_is_not_saved_among_others_files(mine):
    done = pfungst.audit("a.npz", only=("calibration",))
    before = held(mine)
    with pytest.raises(InputError, match="holds no audit"):
        done.save(mine)
    assert held(mine) == before


@pytest.mark.parametrize("words", [AUDIT, MONITOR, ["compare", "run", "run"], ["demo"]])
def test_an_empty_name_is_no_folder(words, here, capsys):
    main([*AUDIT, "--out", "run"])
    before = held(here)
    assert "empty name" in refused([*words, "--out", ""], capsys)
    assert held(here) == before
    with pytest.raises(InputError, match="empty name"):
        pfungst.audit("a.npz", out="")


def test_answers_of_somebodys_in_a_run_are_not_dropped(here):
    main([*AUDIT, "--out", "run"])
    pq.write_table(pa.table({"mine": [1]}), here / "run/answers/resnet.parquet")
    assert main(["audit", "b.npz", "--only", "calibration", "--quiet", "--no-cache", "--out", "run"]) in {0, 1}
    assert (here / "run/answers/resnet.parquet").exists()
    assert len(list((here / "run/answers").glob("test.*.parquet"))) == 1


def test_what_is_read_is_not_written_over(here, capsys):
    main([*AUDIT, "--out", "run"])
    kept = next(Path("run/answers").glob("test.*.parquet"))
    before = held(here)
    assert "--out run holds" in refused(["audit", str(kept), "--out", "run"], capsys)
    assert "--out . holds a.npz" in refused([*AUDIT, "--out", "."], capsys)
    assert "--out a.npz is a.npz" in refused([*AUDIT, "--out", "a.npz"], capsys)
    assert "--out run is run" in refused([*MONITOR, "--out", "run"], capsys)
    assert held(here) == before


@pytest.mark.parametrize("left", ["", "{}", '{"host": "elsewhere", "pid": 1}'])
def test_a_folder_that_is_empty_or_holds_a_dead_lock_is_taken(left, here, capsys):
    (here / "new").mkdir()
    (here / "locked").mkdir()
    (here / "locked/.lock").write_text(left)
    assert main([*AUDIT, "--out", "new"]) in {0, 1}
    said = refused([*AUDIT, "--out", "locked"], capsys) if left else str(main([*AUDIT, "--out", "locked"]))
    assert ("holds no audit" in said, "at work" in said) == (left == "{}", "elsewhere" in left)


def test_an_unfinished_run_goes_on_by_its_journal_or_its_answers_alone(here):
    main([*AUDIT, "--out", "run"])
    for name in ("audit.json", "report.html", "summary.md", "rows.parquet", "thumbnails.zip"):
        (here / "run" / name).unlink()
    events = here / "run/events.jsonl"
    events.write_text(events.read_text().splitlines()[0] + '\n{"event": "sha')
    assert main([*AUDIT, "--out", "run"]) in {0, 1}
    for name in ("audit.json", "report.html", "summary.md", "rows.parquet", "thumbnails.zip", "events.jsonl"):
        (here / "run" / name).unlink()
    assert main([*AUDIT, "--out", "run"]) in {0, 1}


def test_monitor_replaces_no_other_audit_unless_named_and_goes_on_with_its_own(here, capsys):
    main([*AUDIT, "--out", "run"])
    main(["audit", "b.npz", "--only", "calibration", "--quiet", "--out", "pfungst-monitor"])
    before = held(here)
    assert "no log that was judged" in refused(MONITOR, capsys)
    assert held(here) == before
    assert main([*MONITOR, "--out", "pfungst-monitor"]) in {0, 1}
    with np.load("log.npz") as log:
        np.savez("log.npz", **{name: np.concatenate([log[name], log[name]]) for name in log.files})
    assert main(MONITOR) in {0, 1}
    assert len(json.loads((here / "pfungst-monitor/windows.json").read_text())["windows"]) == 4


@pytest.mark.parametrize(
    "name", [".lock", "events.jsonl", "answers", "answers/.parts", "audit.json", ".report.html.tmp", "summary.md"]
)
def test_a_link_in_a_run_is_refused_before_anything_is_written_through_it(name, here, capsys):
    main([*AUDIT, "--out", "run"])
    (here / "home").mkdir()
    (here / "home/precious.parquet").write_text("mine")
    link = here / "run" / name
    if link.exists():
        link.rename(here / "away")
    link.symlink_to(here / "home" / ("" if name.startswith("answers") else "precious.parquet"))
    before = held(here)
    assert f"run/{name} is a link" in refused([*AUDIT, "--out", "run", "--redact"], capsys)
    assert held(here) == before


def test_a_run_that_is_reached_over_a_link_is_written(here):
    (here / "real").mkdir()
    (here / "reached").symlink_to("real")
    assert main([*AUDIT, "--out", "reached"]) in {0, 1}
    assert (here / "real/audit.json").is_file()


def test_at_an_address_that_holds_no_run_nothing_is_put_or_deleted(store, capsys):
    mine = {"runs/a/rows.parquet": b"mine", "runs/b/answers/resnet.parquet": b"mine", "runs/b/notes.txt": b"mine"}
    store.objects["bucket"] = dict(mine)
    for name in ("a", "b"):
        assert "exists and holds no audit" in refused(
            [*AUDIT, "--out", f"s3://bucket/runs/{name}{store.options}"], capsys
        )
    assert {name: data for name, data in store.objects["bucket"].items() if ".writers" not in name} == mine
    assert not [name for name in store.objects["bucket"] if name.startswith("runs/a/.")]
