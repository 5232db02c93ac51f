"""Tar shards: read in place like a folder, and refused where they are not what they seem."""

import gzip
import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from pfungst.load import load_data
from pfungst.task import Columns, Task

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (8, 6, 5, 3), np.uint8)


def png(pixels):
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def shard(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def samples(start, stop, **more):
    for i in range(start, stop):
        yield f"train/{i:04}.png", png(PICTURES[i])
        yield f"train/{i:04}.cls", str(i % 2).encode()
        fields = {"site": "AB"[i % 2], "age": 30 + i, "boxes": [1, 2]} | more
        yield f"train/{i:04}.json", json.dumps(fields).encode()


def two(tmp_path):
    shard(tmp_path / "s-000.tar", samples(0, 4))
    shard(tmp_path / "s-001.tar", samples(4, 8))
    return tmp_path


@pytest.mark.parametrize("pattern", ["s-{000..001}.tar", "s-{000,001}.tar", "s-*.tar", ""])
def test_samples_of_several_shards(tmp_path, pattern):
    folder = two(tmp_path)
    data = load_data(f"{folder}/{pattern}" if pattern else folder)
    assert data.ids == tuple(f"train/{i:04}" for i in range(8))
    assert data.labels.tolist() == [0, 1] * 4
    assert data.columns["age"].tolist() == list(range(30, 38))
    assert set(data.columns) == {"site", "age"}
    assert data.roles.site == ("site",)
    batch, bad = data.batch(np.array([6, 1]))
    assert not bad
    np.testing.assert_array_equal(batch.inputs, PICTURES[[6, 1]])
    assert data.traces(np.array([0]))[0]["format"] == "PNG"


def test_one_shard_and_its_fingerprint(tmp_path):
    path = shard(tmp_path / "a.tar", samples(0, 4))
    first = load_data(path)
    assert len(first) == 4
    assert load_data(path).fingerprint == first.fingerprint
    shard(path, samples(1, 5))
    assert load_data(path).fingerprint != first.fingerprint


def test_pictures_are_read_only_when_rows_are_asked_for(tmp_path):
    path = shard(tmp_path / "a.tar", samples(0, 4))
    data = load_data(path)
    raw = bytearray(path.read_bytes())
    at = raw.index(png(PICTURES[2]))
    raw[at : at + 8] = b"\0" * 8
    path.write_bytes(raw)
    _, bad = data.batch(np.arange(4))
    assert list(bad) == [2]


def test_same_keys_in_two_shards_are_told_apart(tmp_path):
    for name in ("a.tar", "b.tar"):
        shard(tmp_path / name, [("0.png", png(PICTURES[0]))])
    data = load_data(f"{tmp_path}/*.tar")
    assert data.ids == ("a.tar/0", "b.tar/0")
    assert data.labels is None


def test_labels_from_json_texts_and_named_columns(tmp_path):
    texts = [("0.txt", b"win money"), ("0.json", b'{"label": "spam"}'), ("1.txt", "früh".encode()),
             ("1.json", b'{"label": "ham", "note": null}')]  # fmt: skip
    data = load_data(shard(tmp_path / "t.tar", texts))
    assert data.modality == "text"
    assert data.batch(np.arange(2))[0].inputs.tolist() == ["win money", "früh"]
    assert data.classes == ("ham", "spam")
    path = shard(tmp_path / "p.tar", samples(0, 4, species="wolf"))
    named = load_data(path, task=Task(columns=Columns(label="species")))
    assert named.classes == ("wolf",)
    assert "label" in named.columns


def test_samples_without_a_picture_are_counted(tmp_path):
    path = shard(tmp_path / "a.tar", [*samples(0, 3), ("train/9.cls", b"1"), ("readme", b"x")])
    data = load_data(path)
    assert len(data) == 3
    assert "1 samples without a picture are left out" in data.notes


@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "C:/evil.png"])
def test_members_that_leave_the_archive_are_refused(refused, tmp_path, name):
    path = shard(tmp_path / "t.tar", [("0.png", png(PICTURES[0])), (name, b"x")])
    refused(lambda: load_data(path), "leaves the archive", "evil.png")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(refused, tmp_path, kind):
    path = tmp_path / "l.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("0.png")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    refused(lambda: load_data(path), "a link, device", "0.png")


def test_sizes_that_are_lies_are_refused_before_anything_is_read(refused, tmp_path):
    path = shard(tmp_path / "t.tar", [("0.png", b"x" * 2000)])
    raw = path.read_bytes()
    path.write_bytes(raw[:1024])
    refused(lambda: load_data(path), "is cut off", "0.png")
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("0.png")
        info.size = 1 << 40
        archive.addfile(info, None)
    refused(lambda: load_data(path), "t.tar")


def test_files_that_are_no_plain_tar(refused, tmp_path):
    path = shard(tmp_path / "a.tar", samples(0, 2))
    (tmp_path / "z.tar").write_bytes(gzip.compress(path.read_bytes()))
    refused(lambda: load_data(tmp_path / "z.tar"), "compressed", "unpack")
    (tmp_path / "n.tar").write_bytes(b"no archive at all" * 100)
    refused(lambda: load_data(tmp_path / "n.tar"), "cannot be read as a tar file")
    refused(lambda: load_data(shard(tmp_path / "e.tar", [])), "holds no files")
    refused(lambda: load_data(shard(tmp_path / "b.tar", [("0.bin", b"x")])), "neither pictures nor .txt", "bin")
    refused(lambda: load_data(shard(tmp_path / "2.tar", [("0.png", b"x"), ("0.png", b"y")])), "twice")
    refused(lambda: load_data(shard(tmp_path / "j.tar", [("0.png", b"x"), ("0.json", b"{no")])), "JSON")
    deep = b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    refused(lambda: load_data(shard(tmp_path / "d.tar", [("0.png", b"x"), ("0.json", deep)])), "JSON")
    refused(lambda: load_data(shard(tmp_path / "l.tar", [("0.png", b"x"), ("0.txt", b"x" * (1 << 21))])), "bytes")


def test_patterns_that_name_nothing(refused, tmp_path):
    two(tmp_path)
    refused(lambda: load_data(f"{tmp_path}/s-{{000..003}}.tar"), "s-002.tar", "not there")
    refused(lambda: load_data(f"{tmp_path}/x-*.tar"), "no shard that fits")
    refused(lambda: load_data(f"{tmp_path}/s-{{0..99999999}}.tar"), "more than 10,000")
    refused(lambda: load_data(f"{tmp_path}/{{0..999}}{{0..999}}.tar"), "more than 10,000")


@pytest.mark.parametrize("pattern", ["{a,b}/s-000.tar", "*/s-000.tar", "{a,b,a}/s-000.tar"])
def test_shards_of_one_name_in_two_folders_are_two(tmp_path, pattern):
    shard(tmp_path / "a" / "s-000.tar", samples(0, 4))
    shard(tmp_path / "b" / "s-000.tar", samples(2, 8))
    data = load_data(str(tmp_path / pattern))
    assert len(data) == 10
    assert data.ids[3:6] == ("a/s-000.tar/train/0003", "b/s-000.tar/train/0002", "b/s-000.tar/train/0003")
    assert [data.classes[k] for k in data.labels] == [str(i % 2) for i in (*range(4), *range(2, 8))]
    pixels = data.batch(np.arange(10))[0].inputs
    np.testing.assert_array_equal(pixels, PICTURES[[*range(4), *range(2, 8)]])
    shard(tmp_path / "b" / "s-000.tar", samples(4, 8))
    assert load_data(str(tmp_path / pattern)).ids == tuple(f"train/{i:04}" for i in range(8))


@pytest.mark.parametrize("name", ["2024.01.{:02}.png", "2024.left.{}.png"])
def test_dots_that_make_one_sample_of_many_pictures_are_refused(refused, tmp_path, name):
    shard(tmp_path / "a.tar", [(name.format(i), png(PICTURES[i])) for i in range(8)])
    refused(lambda: load_data(tmp_path / "a.tar"), "'a.tar/2024'", "8 pictures", "at the first dot")


def test_of_several_pictures_the_plainly_named_is_the_samples(tmp_path):
    beside = [("0.mask.png", png(PICTURES[1])), ("0.png", png(PICTURES[0])), ("0.depth.png", png(PICTURES[2]))]
    data = load_data(shard(tmp_path / "a.tar", beside))
    np.testing.assert_array_equal(data.batch(np.array([0]))[0].inputs[0], PICTURES[0])


def test_labels_with_leading_zeros_stay_as_they_are_written(tmp_path):
    members = [
        (f"{i}.{end}", data) for i in range(4) for end, data in (("png", png(PICTURES[i])), ("cls", b"%02d" % (8 + i)))
    ]
    data = load_data(shard(tmp_path / "a.tar", members))
    assert data.classes == ("08", "09", "10", "11")
    assert data.labels.tolist() == [0, 1, 2, 3]
