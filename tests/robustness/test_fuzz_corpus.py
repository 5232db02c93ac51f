"""What fuzzing starts from, what reached new lines and what once failed: each is read, or refused in a sentence."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "fuzz_corpus"


@pytest.fixture(scope="module")
def fuzz_targets():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield importlib.import_module("fuzz_targets")


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir()))
def test_every_input_is_read_or_refused_in_a_sentence(name, fuzz_targets, tmp_path):
    target = fuzz_targets.TARGETS[name]
    pytest.importorskip(target.needs, reason=f"{name} is not replayed: {target.needs} is not installed")
    said = {path.name: fuzz_targets.asked(target, path.read_bytes(), tmp_path) for path in (CORPUS / name).iterdir()}
    assert all(len(sentence) < 3000 for sentence in said.values())


def test_every_reader_has_inputs_to_start_from_and_they_are_small(fuzz_targets):
    assert {path.name for path in CORPUS.iterdir()} == set(fuzz_targets.TARGETS)
    assert all(list((CORPUS / name).glob("seed-*")) for name in fuzz_targets.TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 300_000


def test_an_input_that_ends_the_process_before_fuzzing_counts_as_found(fuzz_targets, tmp_path):
    del fuzz_targets
    fuzz = importlib.import_module("fuzz")
    folder = tmp_path / "csv"
    for part in ("corpus", "found"):
        (folder / part).mkdir(parents=True)
    with pytest.raises(SystemExit, match="csv could not be fuzzed:\nno such module"):
        fuzz.killed(folder, "no such module")
    (folder / "corpus" / "seed-bad").write_bytes(b"bad")
    (folder / "corpus" / "seed-good").write_bytes(b"good")
    (folder / "last").write_text("seed-bad", "utf-8")
    fuzz.killed(folder, "Aborted")
    assert [one.name for one in (folder / "corpus").iterdir()] == ["seed-good"]
    assert sorted(one.name for one in (folder / "found").iterdir()) == ["killed-seed-bad", "killed-seed-bad.txt"]


SOUND = ["csv-features", "tsv-features", "jsonl-texts", "parquet-packed", "packed-csv-features", "npz-pictures",
         "zip-folders", "folder-csv-pictures", "shards-pictures", "answers-csv-probabilities", "answers-npz-votes",
         "log-probabilities", "task-all", "audit-calibration", "journal-audit", "cache-outputs", "thumbnails-one",
         "onnx-scores", "export-linear", "skops-logistic", "config-transformers", "reply-binary", "reply-json",
         "metadata-tables"]  # fmt: skip


@pytest.mark.parametrize("one", SOUND)
def test_a_sound_file_is_read_so_that_fuzzing_does_not_stop_at_the_door(one, fuzz_targets, tmp_path):
    name = max((name for name in fuzz_targets.TARGETS if one.startswith(f"{name}-")), key=len)
    target = fuzz_targets.TARGETS[name]
    pytest.importorskip(target.needs, reason=f"{name} is not replayed: {target.needs} is not installed")
    data = (CORPUS / name / f"seed-{one.removeprefix(name + '-')}").read_bytes()
    assert fuzz_targets.asked(target, data, tmp_path) == ""


def test_what_is_no_refusal_and_a_refusal_without_a_word_are_told(fuzz_targets, tmp_path):
    def broken(path):
        raise KeyError(path.name)

    def wordless(_path):
        raise fuzz_targets.InputError("\n")

    with pytest.raises(KeyError):
        fuzz_targets.asked(fuzz_targets.Target("x.csv", "text", broken), b"", tmp_path)
    with pytest.raises(AssertionError, match="without a word"):
        fuzz_targets.asked(fuzz_targets.Target("x.csv", "text", wordless), b"", tmp_path)
    assert not list(tmp_path.iterdir())
