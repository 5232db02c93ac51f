"""Folders of classes as people have them: no picture is passed over, and no class disappears, without a word."""

import zipfile

import numpy as np
import pytest
from PIL import Image, features

from pfungst.datasets.files import Folder
from pfungst.load import load_data

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
BUILT_IN = {"JPEG2000": "jpg_2000", "AVIF": "avif"}


def save(path, form="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PIXELS).save(path, form)


def folder_of(root, classes=("cat", "dog"), each=2):
    for name in classes:
        for i in range(each):
            save(root / name / f"{i}.png")
    return root


@pytest.mark.parametrize(
    ("suffix", "form"), [(".jpe", "JPEG"), (".jp2", "JPEG2000"), (".avif", "AVIF"), (".PBM", "PPM")]
)
def test_a_class_of_another_format_is_read(tmp_path, suffix, form):
    if not features.check(BUILT_IN.get(form, "jpg")):
        pytest.skip(f"this Pillow does not decode {form}")
    folder_of(tmp_path)
    save(tmp_path / "owl" / f"0{suffix}", form)
    data = load_data(tmp_path)
    assert data.classes == ("cat", "dog", "owl")
    assert data.notes == ()
    assert len(data.batch(np.arange(5))[0].inputs) == 5


@pytest.mark.parametrize("packed", [False, True])
def test_files_that_are_no_pictures_are_counted_by_suffix(tmp_path, packed):
    root = folder_of(tmp_path / "all")
    for name in ("owl/0.heic", "owl/1.heic", "cat/notes.txt", "cat/README", ".hidden/x.txt", "about.md", "emu/a.raw"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"x")
    (root / "empty").mkdir()
    source = root
    if packed:
        source = tmp_path / "all.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path in sorted(root.rglob("*")):
                archive.write(path, path.relative_to(tmp_path))
    left, without = load_data(source).notes
    assert left.endswith("are left out: 2 .heic, 1 .raw, 1 .txt, 1 without a suffix")
    assert without == "folders without a picture that is read are no classes: emu, owl"


def test_a_class_folder_that_is_a_link_to_another_is_refused(refused, tmp_path):
    folder_of(tmp_path)
    (tmp_path / "a_pup").symlink_to("dog")
    refused(lambda: load_data(tmp_path), "'a_pup'", "'dog'", "remove the link")
    (tmp_path / "a_pup").unlink()
    (tmp_path / "puppies").symlink_to("dog")
    refused(lambda: load_data(tmp_path), "'dog'", "'puppies'")


def test_a_link_to_a_folder_that_holds_it_adds_nothing(tmp_path):
    folder_of(tmp_path)
    (tmp_path / "dog" / "up").symlink_to(tmp_path)
    (tmp_path / "dog" / "here").symlink_to(tmp_path / "dog")
    assert Folder(tmp_path).names == ("cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png")
