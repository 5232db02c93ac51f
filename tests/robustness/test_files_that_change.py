"""Files that are exchanged between listing and reading are rows that cannot be read; nothing outside is opened."""

import os
import zipfile

import pytest

from pfungst.datasets.files import Archive, Folder
from pfungst.errors import InputError, UnreadableRow


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data" / "a").mkdir(parents=True)
    for name in ("a/1.png", "a/2.png"):
        (tmp_path / "data" / name).write_bytes(name.encode())
    (tmp_path / "secret").write_bytes(b"of somebody else")
    return tmp_path / "data"


def test_a_file_that_became_a_link_to_elsewhere_is_not_opened(folder):
    files = Folder(folder)
    assert files.names == ("a/1.png", "a/2.png")
    (folder / "a" / "1.png").unlink()
    (folder / "a" / "1.png").symlink_to(folder.parent / "secret")
    for read in (files.read, files.opened):
        assert isinstance(read("a/1.png"), UnreadableRow)
    assert files.read("a/2.png") == b"a/2.png"
    trusting = Folder(folder, follow=True)
    assert trusting.read("a/1.png") == b"of somebody else"
    with pytest.raises(InputError, match=r"a/1\.png.*leaves the folder"):
        _ = Folder(folder).names


def test_a_file_that_became_a_pipe_or_is_gone_is_not_waited_for(folder):
    files = Folder(folder)
    (folder / "a" / "1.png").unlink()
    assert isinstance(files.read("a/1.png"), UnreadableRow)
    assert isinstance(files.opened("a/1.png"), UnreadableRow)
    os.mkfifo(folder / "a" / "1.png")
    assert isinstance(files.read("a/1.png"), UnreadableRow)
    assert isinstance(files.opened("a/1.png"), UnreadableRow)
    assert Folder(folder).names == ("a/2.png",)


def test_folders_that_lead_round_in_a_circle_are_listed_once(folder):
    (folder / "a" / "again").symlink_to(folder)
    assert Folder(folder).names == ("a/1.png", "a/2.png")


def test_members_that_an_archive_does_not_hold_or_holds_damaged(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.png", b"first" * 9)
    held = Archive(path)
    assert held.read("1.png") == b"first" * 9
    assert isinstance(held.read("2.png"), UnreadableRow)
    assert isinstance(held.opened("2.png"), UnreadableRow)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"first")] ^= 1
    path.write_bytes(raw)
    assert "damaged" in str(Archive(path).read("1.png"))
    raw[0] ^= 1
    path.write_bytes(raw)
    assert "damaged" in str(Archive(path).opened("1.png"))
