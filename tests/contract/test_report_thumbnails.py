"""Thumbnails: WebP without metadata, pixels kept visible, and a zip that is there whole or not at all."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pfungst.errors import InputError
from pfungst.report.thumbnails import read_zip, webp, write_zip


def opened(packed: bytes) -> Image.Image:
    return Image.open(io.BytesIO(packed))


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((28, 28, 1), (84, 84)),
        ((32, 32, 3), (96, 96)),
        ((8, 8), (96, 96)),
        ((64, 64, 3), (64, 64)),
        ((400, 300, 3), (72, 96)),
        ((1, 5000, 3), (96, 1)),
        ((20, 10, 4), (40, 80)),
        ((20, 10, 7), (40, 80)),
    ],
)
def test_longest_side_is_about_96_and_the_aspect_is_kept(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    picture = opened(webp(np.zeros(shape, np.uint8)))
    assert picture.format == "WEBP"
    assert picture.size == size


def test_small_images_keep_their_pixels_visible() -> None:
    board = np.indices((12, 12)).sum(axis=0) % 2 * 255
    picture = np.asarray(opened(webp(board.astype(np.uint8))).convert("L")).astype(int)
    assert picture.shape == (96, 96)
    centres = picture[4::8, 4::8]
    assert (np.abs(centres - board) < 40).all()


def test_floats_and_bytes_of_one_picture_are_one_thumbnail() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    assert webp(image) == webp(image.astype(np.float32) / 255)


def test_values_out_of_range_and_holes_are_drawn_at_the_ends() -> None:
    image = np.array([[np.nan, -3.0], [7.0, 1.0]], np.float32)
    drawn = np.asarray(opened(webp(image)).convert("L"))
    assert drawn.max() > 200
    assert drawn.min() < 50


def test_no_metadata_is_carried() -> None:
    picture = opened(webp(np.zeros((50, 50, 3), np.uint8)))
    assert not picture.getexif()
    assert not {"exif", "xmp", "icc_profile"} & set(picture.info)


@pytest.mark.parametrize("shape", [(3,), (0, 4, 3), (2, 2, 2, 2)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="an image has height, width and channels"):
        webp(np.zeros(shape, np.uint8))


def test_zip_is_read_back_stored_uncompressed_and_the_same_every_time(tmp_path: Path) -> None:
    pictures = {f"{index}.webp": bytes([index]) * 100 for index in range(20)}
    write_zip(tmp_path / "a.zip", pictures)
    write_zip(tmp_path / "b.zip", pictures)
    assert read_zip(tmp_path / "a.zip") == pictures
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.zip"]


def test_a_write_that_breaks_leaves_the_old_zip(tmp_path: Path) -> None:
    target = tmp_path / "t.zip"
    write_zip(target, {"a": b"old"})
    with pytest.raises(TypeError):
        write_zip(target, {"a": b"new", "b": 3})
    assert read_zip(target) == {"a": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["t.zip"]


def test_a_cut_zip_is_refused_in_a_sentence_and_none_is_no_pictures(tmp_path: Path) -> None:
    target = tmp_path / "t.zip"
    assert read_zip(target) == {}
    write_zip(target, {"a": b"x" * 500})
    target.write_bytes(target.read_bytes()[:300])
    with pytest.raises(InputError, match="is no complete zip"):
        read_zip(target)
