"""Models and data at s3:// addresses are audited as if they lay here; what goes wrong on the way is one sentence."""

import json
import os
import shutil

import numpy as np
import pytest

import pfungst.stored
from pfungst.auditing import audit
from pfungst.errors import InputError
from pfungst.load import load_data, load_model
from pfungst.stored import Stored

FORMS = ("photos", "table.csv", "rows.npz", "shards/s-{00..00}.tar", "shards")


@pytest.mark.parametrize("form", FORMS)
def test_audit_of_what_lies_in_a_store_equals_that_of_what_lies_here(store, local, form):
    store.put("bucket", local, "sets/a")
    store.most = 25
    asked = {"only": ("calibration", "mistakes")}
    here = audit(str(local / "model.onnx"), str(local / form), **asked)
    base = f"s3://bucket/sets/a/{{}}{store.options}"
    there = audit(base.format("model.onnx"), base.format(form), **asked)
    assert [(one.id, one.effect) for one in there.findings] == [(one.id, one.effect) for one in here.findings]
    assert there.headline == here.headline
    assert there.report.model["source"] == base.format("model.onnx")
    assert there.report.data["source"] == base.format(form)
    assert there.report.model["fingerprint"] == here.report.model["fingerprint"]


def test_model_is_copied_once_and_again_when_it_changed(store, local):
    store.put("bucket", local, "a")
    source = f"s3://bucket/a/model.onnx{store.options}"
    first = load_model(source)
    assert first.classes == ("dark", "light")
    assert load_model(source).fingerprint == first.fingerprint
    assert store.gets().count("a/model.onnx") == 1
    store.objects["bucket"]["a/labels.txt"] = b"dim\nvery bright\n"
    assert load_model(source).classes == ("dim", "very bright")


def test_photos_are_read_when_they_are_needed(store, local):
    store.put("bucket", local, "a")
    data = load_data(f"s3://bucket/a/photos{store.options}")
    assert len(data) == 60
    assert store.gets() == []
    data.batch(np.arange(3))
    assert len(store.gets()) == 3


def test_endpoint_of_the_environment_is_used(store, local, monkeypatch):
    store.put("bucket", local, "a")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{store.server_port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert len(load_data("s3://bucket/a/photos")) == 60


def test_workers_open_the_addresses_for_themselves(store, local, tmp_path):
    store.put("bucket", local, "a")
    base = f"s3://bucket/a/{{}}{store.options}"
    asked = base.format("model.onnx"), base.format("photos")
    both = [audit(*asked, only=("calibration",), workers=workers, out=tmp_path / str(workers)) for workers in (1, 2)]
    assert [one.effect for one in both[0].findings] == [one.effect for one in both[1].findings]
    rows = json.loads((tmp_path / "2" / "audit.json").read_text())["data"]
    assert rows["source"] == base.format("photos")


def test_photo_that_is_gone_is_a_lost_row_and_a_store_that_is_gone_ends_the_audit(store, local):
    store.put("bucket", local, "a")
    data = load_data(f"s3://bucket/a/photos{store.options}")
    del store.objects["bucket"][f"a/photos/{data.ids[3]}"]
    batch, bad = data.batch(np.arange(5))
    assert len(batch) == 4
    assert bad == {3: "the object is not there"}
    store.refuse = lambda _, key: 403 if key else 0
    with pytest.raises(InputError, match=r"photos.* could not be read .*ACCESS_DENIED.*goes on"):
        data.batch(np.arange(5))


@pytest.mark.parametrize("what", ["nothing/model.onnx", "../other/model.onnx"])
def test_what_is_not_there_is_said(store, local, what):
    store.put("bucket", local, "a")
    for load in (load_model, load_data):
        with pytest.raises(InputError, match="there is nothing at s3://bucket/a/"):
            load(f"s3://bucket/a/{what}{store.options}")
    with pytest.raises(InputError, match="there is nothing at s3://none/a"):
        load_data(f"s3://none/a{store.options}")


def test_no_access_and_no_server_are_said(store, local):
    store.put("bucket", local, "a")
    source = f"s3://bucket/a/model.onnx{store.options}"
    store.refuse = lambda *_: 403
    with pytest.raises(InputError, match=r"ACCESS_DENIED.*AWS_PROFILE"):
        load_model(source)
    with pytest.raises(InputError, match="could not be read"):
        load_model("s3://bucket/m.onnx?scheme=http&region=us-east-1&endpoint_override=127.0.0.1:1")
    with pytest.raises(InputError, match="could not be read"):
        load_model("s3://bucket/m.onnx?no_such_option=1")
    with pytest.raises(InputError, match="the address holds a key"):
        load_model("s3://key:secret@bucket/m.onnx")


def test_store_that_breaks_off_is_said(store, local):
    store.put("bucket", local, "a")
    data = load_data(f"s3://bucket/a/photos{store.options}")
    store.cut = True
    with pytest.raises(InputError, match="could not be read"):
        data.batch(np.arange(1))


def test_copy_that_fails_leaves_nothing_behind(store, local):
    store.put("bucket", local, "a")
    store.refuse = lambda method, key: 403 if key.endswith("labels.txt") and method == "GET" else 0
    with pytest.raises(InputError, match=r"labels\.txt"):
        load_model(f"s3://bucket/a/model.onnx{store.options}")
    assert list(pfungst.stored.CACHE.glob("*")) + list(pfungst.stored.CACHE.glob(".*")) == []


def test_copies_that_nobody_asked_for_in_a_month_make_room_for_a_new_one(store, local):
    store.put("bucket", local, "a")
    source = f"s3://bucket/a/{{}}{store.options}"
    load_model(source.format("model.onnx"))
    load_data(source.format("rows.npz"))
    cache = pfungst.stored.CACHE
    asked, unasked = sorted(cache.iterdir(), key=lambda folder: not (folder / "model.onnx").exists())
    half, work, other = cache / f".{'0' * 32}.77", cache / f"work-{'0' * 32}", cache / "notes"
    for folder in (half, work, other):
        folder.mkdir()
    for folder in (asked, unasked, half, work, other):
        os.utime(folder, (0, 0))
    load_model(source.format("model.onnx"))
    assert set(cache.iterdir()) == {asked, unasked, half, work, other}
    load_data(source.format("table.csv"))
    left = set(cache.iterdir())
    assert {asked, work, other} < left
    assert [(folder / "table.csv").exists() for folder in left - {asked, work, other}] == [True]


def test_a_copy_whose_removal_broke_off_does_not_pass_for_a_whole_one(store, local, monkeypatch):
    store.put("bucket", local, "a")
    source = f"s3://bucket/a/{{}}{store.options}"
    whole = len(load_data(source.format("rows.npz")))
    (old,) = pfungst.stored.CACHE.iterdir()
    os.utime(old, (0, 0))

    removed = shutil.rmtree

    def broken(folder, ignore_errors=False):
        if ignore_errors:
            return removed(folder, ignore_errors=True)
        next(folder.iterdir()).unlink()
        raise PermissionError

    monkeypatch.setattr(pfungst.stored.shutil, "rmtree", broken)
    load_data(source.format("table.csv"))
    assert not old.exists()
    assert len(load_data(source.format("rows.npz"))) == whole


def test_object_whose_name_leads_out_of_the_folder_is_not_copied(store, tmp_path):
    class Listed(Stored):
        names = ("../../evil.txt",)

    store.objects["bucket"] = {"a/b": b""}
    with pytest.raises(InputError, match="leaves the folder"):
        Listed(f"s3://bucket/a{store.options}").copied(("../../evil.txt",))
    assert not list(tmp_path.rglob("evil.txt"))
